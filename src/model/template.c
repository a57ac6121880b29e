/* Chat templates as a table.
 *
 * The families differ in a few strings: what opens and closes a turn of each role, where the system
 * text goes, whether contents are trimmed, what opens an answer. A row of the table is those
 * strings; interpreting Jinja from a file that somebody else made would be a language, a parser and
 * an attack surface for the same result. Which row a file means is told from marks that its
 * template text cannot do without. tests/model/test_template.c holds what the real templates gave.
 *
 * In the strings of a row, control tokens stand between \1 and \2 by name ("bos" and "eos" mean the
 * model's own); they become ids by name, never through the tokenizer's reading of text. What lies
 * between two of them, ours and the users', is tokenised as one text without special tokens. So the
 * ids are those of the rendered text, as the model was trained on, and yet a user who writes
 * "<|eot_id|>" has written letters and punctuation.
 *
 * Room: parts that may go are dropped by their number until the ids fit. How many tokens a part
 * brings is first guessed by tokenising it alone, so that the whole is rendered a few times, not
 * once a part. */
#include "model/template.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum place { OWN_TURN, FIRST_USER, LAST_USER };

struct template
{
    const char *name, *bos, *eos; /* names of these tokens, for template_text */
    const char *start;            /* before everything */
    enum place system;
    const char *sys_open, *sys_close; /* around the system text, in its turn or the user's */
    const char *user_open, *user_close;
    const char *answer_open, *answer_close;
    const char *generation;     /* opens the answer to come; NULL: answer_open */
    const char *no_think;       /* added to it unless thinking is wanted */
    const char *default_system; /* when the conversation has none */
    bool trim, trim_answer;     /* all contents; answers alone */
};

#define CTL(name) "\1" name "\2"
#define IM(role)  CTL("<|im_start|>") role "\n"
#define CHATML                                                                                     \
    .bos = "<|endoftext|>", .eos = "<|im_end|>", .sys_open = IM("system"),                         \
    .sys_close = CTL("<|im_end|>") "\n", .user_open = IM("user"),                                  \
    .user_close = CTL("<|im_end|>") "\n", .answer_open = IM("assistant"),                          \
    .answer_close = CTL("<|im_end|>") "\n"
#define HEAD(role) CTL("<|start_header_id|>") role CTL("<|end_header_id|>") "\n\n"
#define LLAMA3                                                                                     \
    .bos = "<|begin_of_text|>", .eos = "<|eot_id|>", .start = CTL("bos"),                          \
    .sys_close = CTL("<|eot_id|>"), .user_open = HEAD("user"), .user_close = CTL("<|eot_id|>"),    \
    .answer_open = HEAD("assistant"), .answer_close = CTL("<|eot_id|>"), .trim = true
#define SP_NAMES .bos = "<s>", .eos = "</s>"
#define INST     CTL("[INST]")
#define INST_END CTL("[/INST]")

static const struct template templates[] = {
    { .name = "chatml", CHATML },
    { .name = "smollm2",
      CHATML,
      .default_system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face" },
    { .name = "qwen2", CHATML, .default_system = "You are a helpful assistant." },
    { .name = "qwen2.5",
      CHATML,
      .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant." },
    { .name = "qwen3", CHATML, .no_think = CTL("<think>") "\n\n" CTL("</think>") "\n\n" },
    { .name = "llama-3", LLAMA3, .sys_open = HEAD("system") },
    { .name = "llama-3.1",
      LLAMA3,
      .sys_open = HEAD("system") "Cutting Knowledge Date: December 2023\n"
                                 "Today Date: 26 Jul 2024\n\n",
      .default_system = "" },
    { .name = "llama-2",
      SP_NAMES,
      .system = FIRST_USER,
      .sys_open = "<<SYS>>\n",
      .sys_close = "\n<</SYS>>\n\n",
      .user_open = CTL("bos") "[INST] ",
      .user_close = " [/INST]",
      .answer_open = " ",
      .answer_close = " " CTL("eos"),
      .generation = "",
      .trim = true },
    { .name = "mistral-v1",
      SP_NAMES,
      .start = CTL("bos"),
      .system = FIRST_USER,
      .sys_open = "",
      .sys_close = "\n\n",
      .user_open = " [INST] ",
      .user_close = " [/INST]",
      .answer_open = " ",
      .answer_close = CTL("eos"),
      .generation = "" },
    { .name = "mistral-v3",
      SP_NAMES,
      .start = CTL("bos"),
      .system = LAST_USER,
      .sys_open = "",
      .sys_close = "\n\n",
      .user_open = INST " ",
      .user_close = INST_END,
      .answer_open = " ",
      .answer_close = CTL("eos"),
      .generation = "",
      .trim_answer = true },
    { .name = "mistral-v3-tekken",
      SP_NAMES,
      .start = CTL("bos"),
      .system = LAST_USER,
      .sys_open = "",
      .sys_close = "\n\n",
      .user_open = INST,
      .user_close = INST_END,
      .answer_open = "",
      .answer_close = CTL("eos") },
    { .name = "mistral-v7",
      SP_NAMES,
      .start = CTL("bos"),
      .sys_open = CTL("[SYSTEM_PROMPT]") " ",
      .sys_close = CTL("[/SYSTEM_PROMPT]"),
      .user_open = INST " ",
      .user_close = INST_END,
      .answer_open = " ",
      .answer_close = CTL("eos"),
      .generation = "" },
    { .name = "mistral-v7-tekken",
      SP_NAMES,
      .start = CTL("bos"),
      .sys_open = CTL("[SYSTEM_PROMPT]"),
      .sys_close = CTL("[/SYSTEM_PROMPT]"),
      .user_open = INST,
      .user_close = INST_END,
      .answer_open = "",
      .answer_close = CTL("eos") },
    { .name = "gemma",
      .bos = "<bos>",
      .eos = "<eos>",
      .start = CTL("bos"),
      .system = FIRST_USER,
      .sys_open = "",
      .sys_close = "\n\n",
      .user_open = CTL("<start_of_turn>") "user\n",
      .user_close = CTL("<end_of_turn>") "\n",
      .answer_open = CTL("<start_of_turn>") "model\n",
      .answer_close = CTL("<end_of_turn>") "\n",
      .trim = true },
    { .name = "zephyr",
      SP_NAMES,
      .sys_open = "<|system|>\n",
      .sys_close = CTL("eos") "\n",
      .user_open = "<|user|>\n",
      .user_close = CTL("eos") "\n",
      .answer_open = "<|assistant|>\n",
      .answer_close = CTL("eos") "\n" },
    { .name = "phi-3",
      SP_NAMES,
      .sys_open = CTL("<|system|>") "\n",
      .sys_close = CTL("<|end|>") "\n",
      .user_open = CTL("<|user|>") "\n",
      .user_close = CTL("<|end|>") "\n",
      .answer_open = CTL("<|assistant|>") "\n",
      .answer_close = CTL("<|end|>") "\n" },
    /* For models that were never taught to chat: paragraphs. Only by name. */
    { .name = "plain",
      SP_NAMES,
      .start = CTL("bos"),
      .sys_open = "",
      .sys_close = "\n\n",
      .user_open = "",
      .user_close = "\n\n",
      .answer_open = "",
      .answer_close = "\n\n" },
};
enum { N_TEMPLATES = sizeof templates / sizeof *templates };

const struct template *template_at(int i)
{
    return i >= 0 && i < N_TEMPLATES ? &templates[i] : NULL;
}

const struct template *template_named(const char *name)
{
    for (int i = 0; i < N_TEMPLATES; i++)
        if (!strcasecmp(templates[i].name, name)) return &templates[i];
    return NULL;
}

const char *template_name(const struct template *t) { return t->name; }

/* The first row of which all marks are there and `without` is not. Order matters. */
static const struct {
    const char *name, *mark, *also, *without;
} marks[] = {
    { "qwen3", "<|im_start|>", "<think>\\n\\n</think>\\n\\n", "<|im_sep|>" }, /* as Jinja has it */
    { "qwen2.5", "<|im_start|>", "You are Qwen, created by Alibaba Cloud", "<|im_sep|>" },
    { "smollm2", "<|im_start|>", "assistant named SmolLM, trained by", "<|im_sep|>" },
    { "qwen2", "<|im_start|>", "You are a helpful assistant.", "<|im_sep|>" },
    { "chatml", "<|im_start|>", "<|im_end|>", "<|im_sep|>" },
    { "llama-3.1", "<|start_header_id|>", "Cutting Knowledge Date", NULL },
    { "llama-3", "<|start_header_id|>", "<|end_header_id|>", NULL },
    { "gemma", "<start_of_turn>", "<end_of_turn>", NULL },
    { "llama-2", "[INST]", "<<SYS>>", NULL },
    { "mistral-v7", "[INST] ", "[SYSTEM_PROMPT] ", NULL },
    { "mistral-v7-tekken", "[INST]", "[SYSTEM_PROMPT]", NULL },
    { "mistral-v3-tekken", "\"[INST]\"", "[AVAILABLE_TOOLS]", NULL },
    { "mistral-v3", "[INST] ", "[AVAILABLE_TOOLS]", NULL },
    { "mistral-v1", "[INST] ", " [/INST]", NULL },
    { "mistral-v3", "[INST] ", "[/INST]", NULL },
    { "mistral-v3-tekken", "[INST]", "[/INST]", NULL },
    { "phi-3", "<|user|>", "<|end|>", NULL },
    { "zephyr", "<|user|>", "<|assistant|>", "<|end" },
};

static bool holds(const char *s, size_t n, const char *what)
{
    return n && memmem(s, n, what, strlen(what));
}

const struct template *template_recognise(const char *jinja, size_t n)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (holds(jinja, n, marks[i].mark) && holds(jinja, n, marks[i].also) &&
            !(marks[i].without && holds(jinja, n, marks[i].without)))
            return template_named(marks[i].name);
    return NULL;
}

/* A file without a template whose name says that it was taught to chat: by its control tokens. */
static const struct template *by_tokens(const struct gguf *g)
{
    static const struct {
        const char *token, *name;
    } known[] = { { "<|start_header_id|>", "llama-3" },
                  { "<|im_start|>", "chatml" },
                  { "<start_of_turn>", "gemma" } };
    struct span name = gguf_str_or(g, "general.name", "");
    struct gguf_array a;
    if (!span_ifind(name, "instruct") && !span_ifind(name, "chat") && !span_ifind(name, "-it"))
        return NULL;
    if (!gguf_array(g, "tokenizer.ggml.tokens", &a) || a.of != GGUF_STR) return NULL;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        for (size_t i = 0; i < a.n; i++)
            if (span_eq(gguf_array_str(&a, i), known[k].token))
                return template_named(known[k].name);
    return NULL;
}

const struct template *template_of(const struct gguf *g)
{
    struct span s = gguf_str_or(g, "tokenizer.chat_template", "");
    return s.n ? template_recognise(s.p, s.n) : by_tokens(g);
}

/* The rendered prompt: bytes, and where control tokens stand in them, by name. */
struct render {
    const struct template *t;
    struct buf text, ctl; /* ctl: struct control */
};
struct control {
    size_t at, n;
    int own; /* 'b' bos, 'e' eos, 0 by the name that stands at `at` */
};

static void emit(struct render *r, const char *s)
{
    while (s && *s) {
        size_t n = strcspn(s, "\1");
        buf_add(&r->text, s, n);
        s += n;
        if (*s != '\1') return;
        const char *end = strchr(s, '\2');
        size_t len = (size_t)(end - s - 1);
        struct control c = { .at = r->text.n };
        c.own = len == 3 && !memcmp(s + 1, "bos", 3)   ? 'b'
                : len == 3 && !memcmp(s + 1, "eos", 3) ? 'e'
                                                       : 0;
        if (c.own) buf_adds(&r->text, c.own == 'b' ? r->t->bos : r->t->eos);
        else buf_add(&r->text, s + 1, len);
        c.n = r->text.n - c.at;
        buf_add(&r->ctl, &c, sizeof c);
        s = end + 1;
    }
}

/* A message is parts [from, to); those of a number below `keep` have gone. */
struct message {
    size_t from, to;
    enum template_role role;
};

static bool kept(const struct template_part *p, int keep) { return !p->drop || p->drop >= keep; }

static bool next_message(const struct template_part *p, size_t n, int keep, size_t *i,
                         struct message *m)
{
    while (*i < n) {
        bool some = kept(&p[*i], keep);
        m->from = *i;
        m->role = p[*i].role;
        for (++*i; *i < n && p[*i].more; ++*i) some |= kept(&p[*i], keep);
        m->to = *i;
        if (some) return true;
    }
    return false;
}

enum trim { AS_IS, TRIM, TRIM_END };

static void content(struct render *r, const struct template_part *p, const struct message *m,
                    int keep, enum trim trim)
{
    struct buf b = BUF_INIT(0);
    for (size_t i = m->from; i < m->to; i++)
        if (kept(&p[i], keep)) buf_add(&b, p[i].s, p[i].n);
    struct span s = { buf_str(&b), b.n };
    if (r->t->no_think && m->role == TEMPLATE_ASSISTANT) { /* earlier thoughts are not repeated */
        const char *end = NULL;
        for (const char *q = s.p; (q = memmem(q, s.n - (size_t)(q - s.p), "</think>", 8)); q += 8)
            end = q + 8;
        if (end) s = (struct span){ end, s.n - (size_t)(end - s.p) };
        while (end && s.n && *s.p == '\n') s = (struct span){ s.p + 1, s.n - 1 };
    }
    struct span t = span_trim(s);
    if (trim == TRIM) s = t;
    if (trim == TRIM_END && t.n) s.n = (size_t)(t.p + t.n - s.p);
    buf_add(&r->text, s.p, s.n);
    if (b.failed) r->text.failed = b.failed;
    buf_free(&b);
}

static int check_parts(const struct template_part *p, size_t n, struct err *err)
{
    int seen = -1;
    bool asked = false;
    for (size_t i = 0; i < n; i++) {
        if (p[i].drop < 0) return err_set(err, ERR_INVAL, "part %zu: drop is negative", i + 1);
        if (p[i].more && (i == 0 || p[i].role != p[i - 1].role))
            return err_set(err, ERR_INVAL, "part %zu goes on a message of another role", i + 1);
        if (p[i].role == TEMPLATE_SYSTEM && i && !p[i].more)
            return err_set(err, ERR_INVAL, "only the first message may be the system's");
        if (p[i].role == TEMPLATE_ASSISTANT && !asked)
            return err_set(err, ERR_INVAL, "the conversation begins with an answer");
        asked |= p[i].role == TEMPLATE_USER;
        seen = (int)p[i].role;
    }
    if (seen < 0 || !asked) return err_set(err, ERR_INVAL, "the conversation has no question");
    return 0;
}

static void system_text(struct render *r, const struct template_part *p, const struct message *m,
                        int keep)
{
    emit(r, r->t->sys_open);
    if (m) content(r, p, m, keep, r->t->trim && r->t->system == OWN_TURN ? TRIM : AS_IS);
    else buf_adds(&r->text, r->t->default_system);
    emit(r, r->t->sys_close);
}

/* The whole conversation, without parts whose number is below keep. */
static int render(struct render *r, const struct template_part *p, size_t n, int keep,
                  const struct template_opts *o, struct err *err)
{
    const struct template *t = r->t;
    struct message m, sys = { 0 };
    bool has_sys = false;
    size_t i = 0, seen = 0, users = 0;
    buf_clear(&r->text);
    buf_clear(&r->ctl);
    while (next_message(p, n, keep, &i, &m)) users += m.role == TEMPLATE_USER;
    size_t host =
        t->system == LAST_USER ? users : 1; /* the question that carries the system text */
    emit(r, t->start);
    for (i = 0; next_message(p, n, keep, &i, &m);) {
        if (m.role == TEMPLATE_SYSTEM) {
            sys = m;
            has_sys = true;
            if (t->system == OWN_TURN) system_text(r, p, &sys, keep);
            continue;
        }
        if (!has_sys && t->system == OWN_TURN && t->default_system && !seen++)
            system_text(r, p, NULL, keep);
        bool user = m.role == TEMPLATE_USER;
        bool hosts = user && --host == 0 && has_sys && t->system != OWN_TURN;
        emit(r, user ? t->user_open : t->answer_open);
        if (hosts) system_text(r, p, &sys, keep);
        /* llama-2 trims system text and question as one, so the question's beginning stays. */
        bool trim = t->trim || (t->trim_answer && !user);
        content(r, p, &m, keep, !trim ? AS_IS : hosts && *t->sys_open ? TRIM_END : TRIM);
        emit(r, user ? t->user_close : t->answer_close);
    }
    if (!(o && o->no_generation)) {
        emit(r, t->generation ? t->generation : t->answer_open);
        if (!(o && o->think)) emit(r, t->no_think);
    }
    return r->text.failed || r->ctl.failed ? err_nomem(err) : 0;
}

static void render_clear(struct render *r)
{
    buf_free(&r->text);
    buf_free(&r->ctl);
}

int template_text(const struct template *t, const struct template_part *p, size_t n,
                  const struct template_opts *o, struct buf *out, struct err *err)
{
    struct render r = { .t = t };
    int rc = check_parts(p, n, err);
    if (!rc) rc = render(&r, p, n, 0, o, err);
    if (!rc && buf_add(out, r.text.p, r.text.n)) rc = err_nomem(err);
    render_clear(&r);
    return rc;
}

/* Room for `more` ids after n. */
static int grow(struct template_ids *ids, size_t *cap, size_t more)
{
    if (more > SIZE_MAX / 8 - ids->n) return ERR_NOMEM;
    if (ids->n + more <= *cap) return 0;
    size_t want = ids->n + more + 64;
    int32_t *p = realloc(ids->ids, want * sizeof *p);
    if (!p) return ERR_NOMEM;
    ids->ids = p;
    *cap = want;
    return 0;
}

static int encode_run(const struct tokenizer *k, const char *s, size_t n, struct template_ids *ids,
                      size_t *cap)
{
    if (!n) return 0;
    if (grow(ids, cap, n / 2 + 8)) return ERR_NOMEM;
    size_t got = tokenizer_encode(k, s, n, 0, ids->ids + ids->n, *cap - ids->n);
    if (got > *cap - ids->n) {
        if (got == SIZE_MAX || grow(ids, cap, got)) return ERR_NOMEM;
        got = tokenizer_encode(k, s, n, 0, ids->ids + ids->n, *cap - ids->n);
    }
    ids->n += got;
    return 0;
}

/* Templates that leave BOS to the tokenizer, where it is one that begins texts so. */
static bool lacks_bos(const struct render *r, const struct tokenizer *k)
{
    struct control c = { .at = 1 };
    if (r->ctl.n) memcpy(&c, r->ctl.p, sizeof c);
    return tokenizer_adds_bos(k) && !(c.at == 0 && c.own == 'b');
}

/* SentencePiece puts a space before a text; after a control token the template may have one too,
 * and models were trained with one. */
static bool adds_space(const struct tokenizer *k)
{
    int32_t id;
    if (tokenizer_kind(k) != TOKENIZER_SPM || tokenizer_encode(k, "a", 1, 0, &id, 1) < 1)
        return false;
    struct span s = tokenizer_bytes(k, id);
    return s.n && s.p[0] == ' ';
}

static int32_t control_id(const struct render *r, const struct control *c,
                          const struct tokenizer *k)
{
    char name[64];
    if (c->n >= sizeof name) return -1;
    memcpy(name, r->text.p + c->at, c->n);
    name[c->n] = 0;
    int32_t id = tokenizer_id(k, name);
    if (id < 0 && c->own) id = c->own == 'b' ? tokenizer_bos(k) : tokenizer_eos(k);
    return id;
}

static int encode(const struct render *r, const struct tokenizer *k, struct template_ids *ids,
                  struct err *err)
{
    size_t cap = 0, from = 0, n_ctl = r->ctl.n / sizeof(struct control);
    bool after_control = false, spaced = adds_space(k);
    template_ids_free(ids);
    if (lacks_bos(r, k)) {
        if (grow(ids, &cap, 1)) return err_nomem(err);
        ids->ids[ids->n++] = tokenizer_bos(k);
        after_control = true;
    }
    for (size_t i = 0; i <= n_ctl; i++) {
        struct control c = { .at = r->text.n };
        if (i < n_ctl) memcpy(&c, r->ctl.p + i * sizeof c, sizeof c);
        int32_t id = i < n_ctl ? control_id(r, &c, k) : -1;
        if (i < n_ctl && id < 0 && !c.own) continue; /* a model without that token: plain text */
        const char *s = r->text.p + from;
        size_t n = c.at - from;
        if (after_control && spaced && n && *s == ' ') s++, n--;
        if (encode_run(k, s, n, ids, &cap) || grow(ids, &cap, 1)) return err_nomem(err);
        if (id >= 0) ids->ids[ids->n++] = id;
        from = c.at + c.n;
        after_control = true;
    }
    return 0;
}

/* The number below which parts must go so that about `excess` tokens do; 0 when nothing may. */
static int raise(const struct template_part *p, size_t n, int keep, size_t excess,
                 const struct tokenizer *k)
{
    size_t gone = 0;
    for (;;) {
        int low = 0;
        for (size_t i = 0; i < n; i++)
            if (p[i].drop && p[i].drop >= keep && (!low || p[i].drop < low)) low = p[i].drop;
        if (!low || low == INT32_MAX) return gone ? keep : 0;
        for (size_t i = 0; i < n; i++)
            if (p[i].drop == low) gone += tokenizer_encode(k, p[i].s, p[i].n, 0, NULL, 0) + 1;
        keep = low + 1;
        if (gone >= excess) return keep;
    }
}

int template_render(const struct template *t, const struct tokenizer *k,
                    const struct template_part *p, size_t n, const struct template_opts *o,
                    struct template_ids *out, struct err *err)
{
    struct render r = { .t = t };
    int keep = 0, rc = check_parts(p, n, err);
    size_t room = o && o->room ? o->room : SIZE_MAX;
    *out = (struct template_ids){ 0 };
    while (!rc) {
        if ((rc = render(&r, p, n, keep, o, err)) || (rc = encode(&r, k, out, err))) break;
        if (out->n <= room) break;
        keep = raise(p, n, keep, out->n - room, k);
        if (!keep)
            rc = err_set(err, ERR_LIMIT,
                         "the prompt has %zu tokens without anything that may be left out, and "
                         "there is room for %zu; ask with less text or more context",
                         out->n, room);
    }
    for (size_t i = 0; !rc && i < n; i++) out->dropped += !kept(&p[i], keep);
    if (rc) template_ids_free(out);
    render_clear(&r);
    return rc;
}

void template_ids_free(struct template_ids *ids)
{
    if (ids->ids) explicit_bzero(ids->ids, ids->n * sizeof *ids->ids);
    free(ids->ids);
    *ids = (struct template_ids){ 0 };
}
