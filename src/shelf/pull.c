/* From what the user asks for to the addresses of files. The hub's interface used here is two
 * paths: /api/models/OWNER/REPO lists the files of a repository ("siblings"), and
 * /OWNER/REPO/resolve/main/FILE is a file. Names of files are taken from the list, so they are
 * checked before they become paths: no folders, no hidden files, known endings. */
#include "shelf/pull.h"

#include "base/io.h"
#include "base/str.h"
#include "model/gguf.h"
#include "model/hf_import.h"
#include "net/fetch.h"
#include "shelf/shelf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HUB        "https://huggingface.co"
#define LIST_MAX   ((size_t)4 << 20)
#define FILES_MAX  64
#define NAME_BYTES 160

struct repo {
    char id[201];          /* OWNER/REPO */
    char file[NAME_BYTES]; /* "" : whatever it has */
    char list[FILES_MAX][NAME_BYTES];
    int n;
};

static const char *hub(void)
{
    const char *e = getenv("HF_ENDPOINT");
    return e && *e ? e : HUB;
}

static const char *token(void)
{
    const char *t = getenv("HF_TOKEN");
    return t && *t ? t : NULL;
}

static bool plain_name(const char *s, size_t n)
{
    if (!n || n >= NAME_BYTES || *s == '.') return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", s[i]))
            return false;
    return true;
}

/* "OWNER/REPO[/FILE]"; a file may lie in a folder of the repository. */
static int parse_repo(const char *s, struct repo *r, struct err *err)
{
    size_t owner = strcspn(s, "/");
    size_t repo = s[owner] ? strcspn(s + owner + 1, "/") : 0;
    const char *file = s + owner + 1 + repo;
    bool good = repo && plain_name(s, owner) && plain_name(s + owner + 1, repo) &&
                owner + repo < sizeof r->id - 2 && strlen(file) < sizeof r->file;
    if (good && *file == '/')
        for (const char *p = file + 1;; p++) {
            size_t n = strcspn(p, "/");
            good = good && plain_name(p, n);
            if (!*(p += n)) break;
        }
    if (!good) return err_set(err, ERR_INVAL, "\"%.80s\" is not OWNER/REPO or OWNER/REPO/FILE", s);
    snprintf(r->id, sizeof r->id, "%.*s", (int)(owner + 1 + repo), s);
    snprintf(r->file, sizeof r->file, "%s", *file ? file + 1 : "");
    return 0;
}

static int list_files(struct repo *r, struct err *err)
{
    struct buf url = BUF_INIT(0), text = BUF_INIT(LIST_MAX);
    json_t *doc = NULL, *s;
    size_t i;
    buf_printf(&url, "%s/api/models/%s", hub(), r->id);
    int rc = url.failed ? err_nomem(err) : fetch_text(url.p, token(), LIST_MAX, &text, err);
    if (!rc && !(doc = json_loadb(buf_str(&text), text.n, JSON_REJECT_DUPLICATES, NULL)))
        rc = err_set(err, ERR_PARSE, "%s does not answer as the hub does", hub());
    json_array_foreach(json_object_get(doc, "siblings"), i, s)
    {
        const char *name = json_string_value(json_object_get(s, "rfilename"));
        if (r->n < FILES_MAX && name && (plain_name(name, strlen(name)) || strchr(name, '/')) &&
            strlen(name) < NAME_BYTES)
            snprintf(r->list[r->n++], NAME_BYTES, "%s", name);
    }
    json_decref(doc);
    buf_free(&url);
    buf_free(&text);
    return rc;
}

/* The GGUF file to take when none is named: the first that has the most usual type, else the only
 * one. Parts of a split file are none. */
static const char *choose_gguf(const struct repo *r)
{
    static const char *const types[] = { "q4_k_m", "q8_0", "q4_0", "f16" };
    const char *only = NULL;
    int n = 0;
    for (int i = 0; i < r->n; i++)
        if (str_ends(r->list[i], ".gguf") && plain_name(r->list[i], strlen(r->list[i])) &&
            !strstr(r->list[i], "-of-"))
            only = r->list[i], n++;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int i = 0; i < r->n && n > 1; i++)
            if (str_ends(r->list[i], ".gguf") && plain_name(r->list[i], strlen(r->list[i])) &&
                !strstr(r->list[i], "-of-") && span_ifind(span_of(r->list[i]), types[t]))
                return r->list[i];
    return only;
}

/* A page that says "not found" with status 200 is not a model. */
static int check_model(const char *path, struct err *err)
{
    struct gguf *g = NULL;
    int rc = gguf_open(path, &g, err);
    gguf_close(g);
    if (rc) unlink(path);
    return rc ? err_prefix(err, rc, "what came is no model, and was not kept") : 0;
}

static int fetch_to(struct pull *p, const char *url, const char *path, struct err *err)
{
    struct fetch f = { .url = url,
                       .path = path,
                       .sha256 = p->sha256,
                       .token = str_starts(url, hub()) ? token() : NULL,
                       .replace = p->replace,
                       .progress = p->progress };
    int rc = fetch_file(&f, err);
    p->size += f.size;
    p->resumed += f.resumed;
    p->checked = f.checked;
    memcpy(p->sum, f.got, sizeof p->sum);
    return rc;
}

static int fetch_repo_file(struct pull *p, const struct repo *r, const char *file, const char *path,
                           struct err *err)
{
    struct buf url = BUF_INIT(0);
    buf_printf(&url, "%s/%s/resolve/main/%s", hub(), r->id, file);
    int rc = url.failed ? err_nomem(err) : fetch_to(p, url.p, path, err);
    buf_free(&url);
    return rc;
}

/* ---- a folder of safetensors ---- */

static bool wanted(const char *name)
{
    static const char *const names[] = {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "tokenizer.model",
        "sentencepiece.bpe.model",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "1_Pooling/config.json",
        "config_sentence_transformers.json",
        "chat_template.jinja",
        NULL,
    };
    for (const char *const *n = names; *n; n++)
        if (!strcmp(*n, name)) return true;
    return str_starts(name, "model") && str_ends(name, ".safetensors") &&
           plain_name(name, strlen(name));
}

static int fetch_folder(struct pull *p, const struct repo *r, const char *dir, struct err *err)
{
    struct buf path = BUF_INIT(0);
    int rc = 0;
    for (int i = 0; i < r->n && !rc; i++) {
        if (!wanted(r->list[i])) continue;
        buf_clear(&path);
        buf_printf(&path, "%s/%s", dir, r->list[i]);
        if (path.failed) rc = err_nomem(err);
        char *slash = rc ? NULL : strrchr(path.p, '/');
        if (slash) {
            *slash = 0;
            rc = io_mkdirs(path.p, 0755, err);
            *slash = '/';
        }
        if (!rc && !io_exists(path.p)) rc = fetch_repo_file(p, r, r->list[i], path.p, err);
    }
    buf_free(&path);
    return rc;
}

static int pull_folder(struct pull *p, const struct repo *r, const char *path, struct err *err)
{
    struct buf dir = BUF_INIT(0);
    struct import_opts o = { .type = "q8_0" };
    bool weights = false;
    for (int i = 0; i < r->n; i++)
        weights |= str_ends(r->list[i], ".safetensors") && wanted(r->list[i]);
    if (!weights)
        return err_set(err, ERR_NOTFOUND,
                       "%s has neither GGUF nor safetensors files: name another repository", r->id);
    if (p->sha256)
        return err_set(err, ERR_INVAL, "--sha256 is for one file; %s is a folder of several",
                       r->id);
    buf_printf(&dir, "%.*s.fetch", (int)(strlen(path) - 5), path);
    int rc = dir.failed ? err_nomem(err) : fetch_folder(p, r, dir.p, err);
    if (!rc) rc = model_import(dir.p, path, &o, p->progress, err);
    if (!rc) rc = io_remove_tree(dir.p, err);
    buf_free(&dir);
    return rc;
}

/* ---- the ways in ---- */

static int pull_repo(struct pull *p, struct repo *r, struct buf *path, struct err *err)
{
    const char *file = *r->file ? r->file : NULL;
    char name[101];
    int rc = file ? 0 : list_files(r, err);
    if (!rc && !file) file = choose_gguf(r);
    if (rc) return rc;
    shelf_name_from(file ? file : r->id, name);
    if ((rc = shelf_path(p->dir, p->name ? p->name : name, true, path, err))) return rc;
    if (!p->replace && io_exists(path->p))
        return err_set(err, ERR_EXISTS,
                       "there is a model of that name already: give another with --name, or "
                       "replace it with --force");
    if (file && !str_ends(file, ".gguf"))
        return err_set(err, ERR_INVAL, "%.120s is not a GGUF file; name the repository alone",
                       file);
    if (!file) return pull_folder(p, r, path->p, err);
    rc = fetch_repo_file(p, r, file, path->p, err);
    return rc ? rc : check_model(path->p, err);
}

static int pull_url(struct pull *p, struct buf *path, struct err *err)
{
    char name[101], clean[400];
    snprintf(clean, sizeof clean, "%.*s", (int)strcspn(p->what, "?#"), p->what);
    if (!str_ends(clean, ".gguf")) return err_set(err, ERR_INVAL, "the address must end in .gguf");
    shelf_name_from(clean, name);
    int rc = shelf_path(p->dir, p->name ? p->name : name, true, path, err);
    if (!rc) rc = fetch_to(p, p->what, path->p, err);
    return rc ? rc : check_model(path->p, err);
}

int pull_model(struct pull *p, struct buf *path, struct err *err)
{
    const struct shelf_entry *e = shelf_entry_by_name(p->what);
    struct repo *r = calloc(1, sizeof *r);
    char id[400];
    int rc = 0;
    if (!r) return err_nomem(err);
    p->size = p->resumed = 0;
    if (p->sha256 && (strlen(p->sha256) != 64 || strspn(p->sha256, "0123456789abcdefABCDEF") != 64))
        rc = err_set(err, ERR_INVAL, "a SHA-256 is 64 hexadecimal digits");
    else if (e) {
        if (!p->name) p->name = e->name;
        snprintf(id, sizeof id, "%s%s%s", e->repo, e->file ? "/" : "", e->file ? e->file : "");
        rc = parse_repo(id, r, err);
        if (!rc) rc = pull_repo(p, r, path, err);
    } else if (str_starts(p->what, "hf:")) {
        rc = parse_repo(p->what + 3, r, err);
        if (!rc) rc = pull_repo(p, r, path, err);
    } else if (str_starts(p->what, "https://") || str_starts(p->what, "http://"))
        rc = pull_url(p, path, err);
    else
        rc = err_set(err, ERR_NOTFOUND,
                     "\"%.80s\" is not in the catalogue (see `likeness model catalogue`); give "
                     "hf:OWNER/REPO or the https:// address of a GGUF file",
                     p->what);
    free(r);
    return rc;
}
