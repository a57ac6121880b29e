/* Settings: one table; a value comes from an option, else from the environment (LIKENESS_NAME),
 * else from the file that --config or LIKENESS_CONFIG names or else
 * ${XDG_CONFIG_HOME:-~/.config}/likeness/config, else it is the default. The file holds lines
 * `name = value`; empty lines and lines that begin with # are left as they are. A name or value
 * that means nothing is an error that names the line: a setting that is silently not obeyed is
 * worse. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct setting settings[SETTING_COUNT] = {
    [SET_HOME] = { "home", NULL,
                   "folder of the sealed store (${XDG_DATA_HOME:-~/.local/share}/likeness)", NULL,
                   0, 0, true, false },
    [SET_KEY_FILE] = { "key_file", NULL,
                       "key file of the home (HOMEID.key in the folder of the config file)", NULL,
                       0, 0, true, false },
    [SET_PASSPHRASE_FILE] = { "passphrase_file", NULL,
                              "file whose first line is the home's passphrase", NULL, 0, 0, true,
                              false },
    [SET_PERSONA] = { "persona", NULL,
                      "persona to use when none is named; not needed when there is one", NULL, 0, 0,
                      false, false },
    [SET_VOICE] = { "voice", "quote", "voice that answers", NULL, 0, 0, false, false },
    [SET_K] = { "k", "5", "passages that an answer may rest on", NULL, 1, 50, false, false },
    [SET_ADAPTIVE] = { "adaptive", "no",
                       "take only passages whose cosine is above the floor, unless fewer than 3 "
                       "remain",
                       "yes no", 0, 0, false, false },
    [SET_FLOOR] = { "floor", "0",
                    "cosine above which adaptive takes a passage, such as 0.7; 0: what the "
                    "persona's "
                    "embedder needs",
                    NULL, 0, 1, false, true },
    [SET_THREADS] = { "threads", "0", "threads that search together; 0: one per core", NULL, 0, 256,
                      false, false },
    [SET_CPU] = { "cpu", "auto", "highest instruction set to use", "auto generic avx2 avx512", 0, 0,
                  false, false },
    [SET_COLOR] = { "color", "auto",
                    "colours: on a terminal (unless NO_COLOR is set), always, never",
                    "auto always never", 0, 0, false, false },
    [SET_CHUNK_TOKENS] = { "chunk_tokens", "512", "tokens in a chunk, for new personas", NULL, 16,
                           8192, false, false },
    [SET_CHUNK_OVERLAP] = { "chunk_overlap", "64",
                            "tokens that neighbouring chunks share, for new personas", NULL, 0,
                            4096, false, false },
    [SET_CHUNK_TOKENIZER] = { "chunk_tokenizer", "words",
                              "who counts the tokens of a chunk, for new personas: words, or the "
                              "tokenizer of a model (a name or a GGUF file)",
                              NULL, 0, 0, true, false },
    [SET_MODELS] = { "models", NULL,
                     "folder of language models (${XDG_DATA_HOME:-~/.local/share}/likeness-models)",
                     NULL, 0, 0, true, false },
    [SET_MODEL] = { "model", NULL, "language model of the native voice: a name or a GGUF file",
                    NULL, 0, 0, true, false },
    [SET_CHAT_TEMPLATE] = { "chat_template", "auto",
                            "how the model was taught to read a conversation; auto: as its file "
                            "says",
                            NULL, 0, 0, false, false },
    [SET_CONTEXT] = { "context", "8192", "tokens that the native voice keeps in view", NULL, 512,
                      1048576, false, false },
    [SET_CACHE] = { "cache", "f16",
                    "numbers that the native voice keeps of a conversation; q8_0 takes half the "
                    "memory",
                    "f16 q8_0", 0, 0, false, false },
    [SET_MAX_TOKENS] = { "max_tokens", "512", "tokens in an answer of the native voice", NULL, 1,
                         32768, false, false },
    [SET_TEMPERATURE] = { "temperature", "0.7",
                          "how freely the native voice chooses words; 0: the "
                          "likeliest always",
                          NULL, 0, 5, false, true },
    [SET_TOP_P] = { "top_p", "0.9", "share of likely words the native voice chooses from", NULL, 0,
                    1, false, true },
    [SET_FREQUENCY_PENALTY] = { "frequency_penalty", "0.3", "how much repeated words are avoided",
                                NULL, -2, 2, false, true },
    [SET_PRESENCE_PENALTY] = { "presence_penalty", "0.2",
                               "how much words that were used already are avoided", NULL, -2, 2,
                               false, true },
    [SET_SEED] = { "seed", NULL, "a number that makes answers of the native voice repeatable", NULL,
                   0, INT64_MAX, false, false },
    [SET_LISTEN] = { "listen", "127.0.0.1", "address that the server listens on", NULL, 0, 0, false,
                     false },
    [SET_PORT] = { "port", "8600", "port that the server listens on; 0: any free one", NULL, 0,
                   65535, false, false },
    [SET_TLS_CERT] = { "tls_cert", NULL, "certificate of the server, with its chain (PEM)", NULL, 0,
                       0, true, false },
    [SET_TLS_KEY] = { "tls_key", NULL, "key of that certificate (PEM)", NULL, 0, 0, true, false },
    [SET_PLAIN] = { "plain", "no",
                    "serve without TLS on other addresses than loopback, too: behind a proxy that "
                    "does it, say",
                    "yes no", 0, 0, false, false },
    [SET_REGISTRATION] = { "registration", "yes",
                           "may anybody who reaches the server make an account?", "yes no", 0, 0,
                           false, false },
    [SET_ORIGINS] = { "origins", NULL,
                      "web origins whose pages may use the server (https://app.example.org), "
                      "space-separated",
                      NULL, 0, 0, false, false },
    [SET_TRUST_PROXY] = { "trust_proxy", "no",
                          "take a client's address from X-Forwarded-For: only behind a proxy that "
                          "sets it",
                          "yes no", 0, 0, false, false },
    [SET_METRICS] = { "metrics", "loopback",
                      "who may read the server's /metrics: anybody, this machine alone, nobody",
                      "open loopback off", 0, 0, false, false },
    [SET_LOG] = { "log", "text", "lines that the server writes to standard error", "text json none",
                  0, 0, false, false },
    [SET_WORKERS] = { "workers", "0", "requests that are worked on at a time; 0: two per core",
                      NULL, 0, 1024, false, false },
    [SET_MEMORY] = { "memory", "0",
                     "MiB of indexes of personas that the server keeps open; 0: a quarter of the "
                     "machine's",
                     NULL, 0, 1 << 24, false, false },
    [SET_UPLOAD_QUOTA] = { "upload_quota", "20480", "MiB that uploads of one account may take up",
                           NULL, 1, 1 << 24, false, false },
    [SET_RATE_ACCOUNT] = { "rate_account", "200", "requests a second of one account; 0: any", NULL,
                           0, 1000000, false, true },
    [SET_RATE_ADDRESS] = { "rate_address", "400", "requests a second from one address; 0: any",
                           NULL, 0, 1000000, false, true },
    [SET_RATE_LOGIN] = { "rate_login", "1",
                         "logins and registrations a second from one address; 0: any", NULL, 0,
                         1000000, false, true },
    [SET_ACCESS_SECONDS] = { "access_seconds", "900", "seconds that an access token is good for",
                             NULL, 1, 86400, false, false },
    [SET_IDLE_SECONDS] = { "idle_seconds", "60",
                           "seconds after which a connection without a request is closed", NULL, 1,
                           86400, false, false },
    [SET_REMOTE_URL] = { "remote_url", NULL,
                         "server of the remote voice, up to and with /v1: any that speaks the "
                         "OpenAI API",
                         NULL, 0, 0, false, false },
    [SET_REMOTE_MODEL] = { "remote_model", NULL,
                           "model that the remote voice asks for; unset: the first that the server "
                           "lists",
                           NULL, 0, 0, false, false },
    [SET_REMOTE_EMBED] = { "remote_embed", NULL,
                           "model for vectors that the embedder `remote:` asks for", NULL, 0, 0,
                           false, false },
    [SET_REMOTE_PLAIN] = { "remote_plain", "no",
                           "ask other machines without TLS, too: where the network is your own",
                           "yes no", 0, 0, false, false },
    [SET_REMOTE_MASK] = { "remote_mask", "auto",
                          "give other people pseudonyms in what the server is sent; auto: when it "
                          "is "
                          "another machine",
                          "auto yes no", 0, 0, false, false },
};

static bool in_words(const char *words, const char *v)
{
    size_t n = strlen(v);
    for (const char *p = words; n && (p = strstr(p, v)); p += n)
        if ((p == words || p[-1] == ' ') && (!p[n] || p[n] == ' ')) return true;
    return false;
}

/* Is v a value that s may have? where names the place in the message. */
static int check(const struct setting *s, const char *v, const char *where, struct err *err)
{
    int64_t n;
    if (s->words && !in_words(s->words, v)) {
        char list[80], *p;
        snprintf(list, sizeof list, "%s", s->words);
        for (p = list; (p = strchr(p, ' ')); p += 1) *p = '|';
        return err_set(err, ERR_INVAL, "%s: %s is one of %s", where, s->name, list);
    }
    double x;
    if (s->real && (!str_f64(span_of(v), &x) || !(x >= (double)s->min && x <= (double)s->max)))
        return err_set(err, ERR_INVAL, "%s: %s is a number from %lld to %lld", where, s->name,
                       (long long)s->min, (long long)s->max);
    if (!s->real && s->max && (!str_i64(span_of(v), &n) || n < s->min || n > s->max))
        return err_set(err, ERR_INVAL, "%s: %s is a number from %lld to %lld", where, s->name,
                       (long long)s->min, (long long)s->max);
    if (!*v) return err_set(err, ERR_INVAL, "%s: %s has an empty value", where, s->name);
    return 0;
}

const struct setting *setting_by_name(const char *name, struct err *err)
{
    const struct setting *near = NULL;
    char flat[40];
    int best = 3;
    snprintf(flat, sizeof flat, "%s", name);
    for (char *p = flat; *p; p++)
        if (*p == '-') *p = '_';
    for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++) {
        int d = edit_distance(flat, s->name, 3);
        if (!d) return s;
        if (d < best) best = d, near = s;
    }
    if (near)
        err_set(err, ERR_INVAL, "there is no setting \"%.40s\"; did you mean \"%s\"?", name,
                near->name);
    else err_set(err, ERR_INVAL, "there is no setting \"%.40s\"; likeness config lists them", name);
    return NULL;
}

void setting_env(const struct setting *s, char out[64])
{
    snprintf(out, 64, "LIKENESS_%s", s->name);
    for (char *p = out; *p; p++) *p = (char)toupper((unsigned char)*p);
}

/* $variable/rest, or ~/fallback/rest. */
static int user_dir(const char *variable, const char *fallback, struct buf *out, struct err *err)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base && base[0] == '/') buf_printf(out, "%s/likeness", base);
    else if (home && home[0] == '/') buf_printf(out, "%s/%s/likeness", home, fallback);
    else return err_set(err, ERR_INVAL, "HOME is not set: name the folder with --home");
    return out->failed ? err_nomem(err) : 0;
}

int config_dir(struct buf *out, struct err *err)
{
    return user_dir("XDG_CONFIG_HOME", ".config", out, err);
}

static int put(struct cli *c, const struct setting *s, const char *v, const char *origin,
               struct err *err)
{
    struct setting_value *to = &c->setting[s - settings];
    const char *home = getenv("HOME");
    struct buf b = BUF_INIT(0);
    if (s->path && v[0] == '~' && v[1] == '/' && home) buf_printf(&b, "%s%s", home, v + 1);
    else buf_adds(&b, v);
    char *copy = buf_take(&b);
    if (!copy) return err_nomem(err);
    free(to->value);
    to->value = copy;
    to->origin = origin;
    return 0;
}

/* One line of the file into name and value. Returns false when it holds neither. */
static bool split(struct span line, struct span *name, struct span *value)
{
    struct span s = span_trim(line);
    const char *eq = s.n ? memchr(s.p, '=', s.n) : NULL;
    if (!s.n || s.p[0] == '#') return false;
    *name = span_trim((struct span){ s.p, eq ? (size_t)(eq - s.p) : s.n });
    *value = eq ? span_trim((struct span){ eq + 1, (size_t)(s.p + s.n - eq - 1) })
                : (struct span){ "", 0 };
    return true;
}

static struct span next_line(const char **p, const char *end)
{
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    struct span s = { *p, (size_t)((nl ? nl : end) - *p) };
    *p = nl ? nl + 1 : end;
    return s;
}

/* The file that --config or LIKENESS_CONFIG names has to be there; the usual one need not. */
static int read_config(const struct cli *c, struct buf *path, struct buf *text, struct err *err)
{
    const char *named = arg_global(c, "config");
    if (!named) named = getenv("LIKENESS_CONFIG");
    if (named && *named) {
        buf_adds(path, named);
        return path->failed ? err_nomem(err) : io_read_file(named, 1 << 20, text, err);
    }
    int rc = config_dir(path, err);
    if (rc) return rc;
    buf_adds(path, "/config");
    if (path->failed) return err_nomem(err);
    return io_exists(buf_str(path)) ? io_read_file(buf_str(path), 1 << 20, text, err) : 0;
}

static int load_file(struct cli *c, struct err *err)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(0);
    int rc = read_config(c, &path, &text, NULL), line = 0;
    /* No HOME at all is fine as long as nobody needs the file. */
    if (rc == ERR_INVAL) rc = 0;
    else if (rc) rc = err_set(err, rc, "the config file cannot be read: %s", buf_str(&path));
    for (const char *p = buf_str(&text), *end = p + text.n; !rc && p < end;) {
        struct span name, value;
        char n[64], v[4096], where[160];
        line++;
        if (!split(next_line(&p, end), &name, &value)) continue;
        snprintf(n, sizeof n, "%.*s", name.n > 63 ? 63 : (int)name.n, name.p);
        snprintf(v, sizeof v, "%.*s", value.n > 4095 ? 4095 : (int)value.n, value.p);
        snprintf(where, sizeof where, "line %d of the config file (%.100s)", line, buf_str(&path));
        const struct setting *s = setting_by_name(n, err);
        if (!s) rc = err_prefix(err, ERR_INVAL, "%s", where);
        else if (!(rc = check(s, v, where, err))) rc = put(c, s, v, "config file", err);
    }
    buf_free(&path);
    buf_free(&text);
    return rc;
}

/* Options of the same name, global or the command's own; --fixed is adaptive = no. */
static const char *from_option(const struct cli *c, const struct setting *s)
{
    char name[40];
    snprintf(name, sizeof name, "%s", s->name);
    for (char *p = name; *p; p++)
        if (*p == '_') *p = '-';
    if (s - settings == SET_ADAPTIVE)
        return arg_flag(c, "fixed") ? "no" : arg_flag(c, "adaptive") ? "yes" : NULL;
    if (s - settings == SET_KEY_FILE || s - settings == SET_PASSPHRASE_FILE)
        return arg_global(c, name);
    return arg_str(c, name);
}

int settings_load(struct cli *c, struct err *err)
{
    struct buf home = BUF_INIT(0);
    int rc = 0;
    for (const struct setting *s = settings; !rc && s < settings + SETTING_COUNT; s++)
        if (s->fallback) rc = put(c, s, s->fallback, "default", err);
    if (!rc && !user_dir("XDG_DATA_HOME", ".local/share", &home, NULL)) {
        rc = put(c, &settings[SET_HOME], buf_str(&home), "default", err);
        buf_adds(&home, "-models");
        if (!rc) rc = put(c, &settings[SET_MODELS], buf_str(&home), "default", err);
    }
    if (!rc) rc = load_file(c, err);
    for (const struct setting *s = settings; !rc && s < settings + SETTING_COUNT; s++) {
        char env[64], where[80];
        const char *v;
        setting_env(s, env);
        if ((v = getenv(env)) && *v && !(rc = check(s, v, env, err)))
            rc = put(c, s, v, "environment", err);
        if (rc || !(v = from_option(c, s))) continue;
        snprintf(where, sizeof where, "--%s", s->name);
        if (!(rc = check(s, v, where, err))) rc = put(c, s, v, "option", err);
    }
    buf_free(&home);
    return rc;
}

void settings_free(struct cli *c)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) free(c->setting[i].value);
}

const char *set_str(const struct cli *c, enum setting_id id) { return c->setting[id].value; }

int64_t set_int(const struct cli *c, enum setting_id id)
{
    int64_t v = 0;
    if (c->setting[id].value) str_i64(span_of(c->setting[id].value), &v);
    return v;
}

double set_real(const struct cli *c, enum setting_id id)
{
    double v = 0;
    if (c->setting[id].value) str_f64(span_of(c->setting[id].value), &v);
    return v;
}

bool set_yes(const struct cli *c, enum setting_id id)
{
    return c->setting[id].value && !strcmp(c->setting[id].value, "yes");
}

int config_set(const struct cli *c, const struct setting *s, const char *value, struct err *err)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(0), now = BUF_INIT(0), dir = BUF_INIT(0);
    bool done = false;
    int rc = value ? check(s, value, "config", err) : 0;
    if (!rc && value && strchr(value, '\n'))
        rc = err_set(err, ERR_INVAL, "the value of %s is more than one line", s->name);
    if (!rc) rc = read_config(c, &path, &text, err);
    for (const char *p = buf_str(&text), *end = p + text.n; !rc && p < end;) {
        struct span line = next_line(&p, end), n, v;
        bool mine = split(line, &n, &v) && span_eq(n, s->name);
        if (mine && value && !done) buf_printf(&now, "%s = %s\n", s->name, value);
        else if (!mine) buf_add(&now, line.p, line.n), buf_addc(&now, '\n');
        done = done || mine;
    }
    if (value && !done) buf_printf(&now, "%s = %s\n", s->name, value);
    if (!rc && now.failed) rc = err_nomem(err);
    if (!rc && (value || done)) {
        const char *slash = strrchr(buf_str(&path), '/');
        if (slash > path.p) buf_add(&dir, path.p, (size_t)(slash - path.p));
        if (dir.n) rc = io_mkdirs(buf_str(&dir), 0700, err);
        if (!rc) rc = io_write_file(buf_str(&path), buf_str(&now), now.n, 0600, err);
    }
    buf_free(&path);
    buf_free(&text);
    buf_free(&now);
    buf_free(&dir);
    return rc;
}
