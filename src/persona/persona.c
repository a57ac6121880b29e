/* Personas. The body of a persona's row is a small JSON object, sealed with the persona's own key,
 * so a name is found by opening every row of the account: there are few, and no name is on disk in
 * plain. Under which names a persona writes is decided in who.c. */
#include "persona/persona.h"

#include "base/str.h"
#include "persona/embedding.h"
#include "persona/internal.h"
#include "text/chunk.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BUF BUF_INIT(8192) /* a folded name */

static const char *const kind_words[] = {
#define X(id, word, help) word,
    PERSONA_KINDS(X)
#undef X
};

const char *persona_kind_word(enum persona_kind k)
{
    return k < PERSONA_KIND_COUNT ? kind_words[k] : "unknown";
}

enum persona_kind persona_kind_parse(const char *word)
{
    for (int i = 0; i < PERSONA_KIND_COUNT; i++)
        if (span_ieq(span_of(word), kind_words[i])) return (enum persona_kind)i;
    return PERSONA_KIND_COUNT;
}

void persona_close(struct persona *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n_aliases; i++) free(p->aliases[i]);
    free(p->aliases);
    free(p->name);
    free(p->consent_by);
    free(p->consent_to);
    free(p->embedder);
    free(p->tokenizer);
    tokenizer_close(p->counter);
    store_sealed_clear(&p->seal);
    free(p);
}

/* ---- body ---- */

static int body_write(const struct persona *p, char **out, struct err *err)
{
    json_t *al = json_array(), *j;
    for (size_t i = 0; i < p->n_aliases; i++) json_array_append_new(al, json_string(p->aliases[i]));
    j = json_pack("{s:i, s:s, s:s, s:{s:s, s:s, s:I}, s:o, s:i, s:i, s:s, s:s*, s:b}", "v", 1,
                  "name", p->name, "kind", persona_kind_word(p->kind), "consent", "by",
                  p->consent_by, "to", p->consent_to, "at", (json_int_t)p->consent_at, "aliases",
                  al, "chunk_tokens", p->chunk_tokens, "chunk_overlap", p->chunk_overlap,
                  "embedder", p->embedder, "tokenizer", *p->tokenizer ? p->tokenizer : NULL,
                  "mask_shares", p->mask_shares);
    *out = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return *out ? 0 : err_nomem(err);
}

static char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return str_dup(s ? s : "");
}

static int int_of(const json_t *o, const char *key, int dflt, int lo, int hi)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : dflt;
    return n < lo || n > hi ? dflt : (int)n;
}

static int body_read(const char *s, size_t n, struct persona *p, struct err *err)
{
    json_t *j = json_loadb(s, n, JSON_REJECT_DUPLICATES, NULL), *c = json_object_get(j, "consent"),
           *al = json_object_get(j, "aliases");
    int rc = 0;
    if (!json_is_object(j)) {
        json_decref(j);
        return err_set(err, ERR_PARSE, "persona %s: its record is damaged: run `likeness doctor`",
                       p->id);
    }
    p->name = text_of(j, "name");
    p->kind = persona_kind_parse(json_string_value(json_object_get(j, "kind")) ?: "");
    p->consent_by = text_of(c, "by");
    p->consent_to = text_of(c, "to");
    p->consent_at = json_integer_value(json_object_get(c, "at"));
    p->chunk_tokens = int_of(j, "chunk_tokens", 512, 16, 8192);
    p->chunk_overlap = int_of(j, "chunk_overlap", p->chunk_tokens / 8, 0, p->chunk_tokens / 2);
    p->embedder = str_dup(json_string_value(json_object_get(j, "embedder")) ?: "hash");
    p->tokenizer = text_of(j, "tokenizer");
    p->mask_shares = !json_is_false(json_object_get(j, "mask_shares"));
    p->aliases = calloc(json_array_size(al) + 1, sizeof *p->aliases);
    if (!p->name || !p->consent_by || !p->consent_to || !p->embedder || !p->tokenizer ||
        !p->aliases)
        rc = err_nomem(err);
    for (size_t i = 0; !rc && p->aliases && i < json_array_size(al); i++) {
        const char *a = json_string_value(json_array_get(al, i));
        if (a && !(p->aliases[p->n_aliases++] = str_dup(a))) rc = err_nomem(err);
    }
    json_decref(j);
    return rc;
}

static void id_of(const uint8_t uid[VAULT_UID], char out[9])
{
    for (int i = 0; i < 4; i++) snprintf(out + 2 * i, 3, "%02x", uid[i]);
}

static int from_row(struct home *h, const struct row_persona *r, struct persona **out,
                    struct err *err)
{
    struct persona *p = calloc(1, sizeof *p);
    int rc;
    *out = NULL;
    if (!p) return err_nomem(err);
    id_of(r->uid, p->id);
    p->created_at = r->created_at;
    p->stale = r->stale;
    if ((rc = store_persona_handle(h->store, r->id, &p->seal, err)) == 0)
        rc = body_read(r->body, r->body_n, p, err);
    if (rc) persona_close(p);
    else *out = p;
    return rc;
}

int persona_save(struct home *h, const struct persona *p, struct err *err)
{
    char *body = NULL;
    int rc = body_write(p, &body, err);
    if (!rc) rc = store_persona_set(h->store, &p->seal, body, strlen(body), err);
    if (body) explicit_bzero(body, strlen(body));
    free(body);
    return rc;
}

/* ---- finding ---- */

struct each {
    struct home *home;
    int (*fn)(void *ud, const struct persona *p);
    void *ud;
    struct err *err;
};

static int each_row(void *ud, const struct row_persona *r)
{
    struct each *e = ud;
    struct persona *p;
    struct err own = { 0 };
    if (r->forgotten || r->unreadable) return 0;
    int rc = from_row(e->home, r, &p, &own);
    if (rc == ERR_PARSE) return 0; /* the doctor tells of it; the others are not worse for it */
    if (rc && e->err) *e->err = own;
    if (!rc) rc = e->fn(e->ud, p);
    persona_close(p);
    return rc;
}

int persona_each(struct home *h, int (*fn)(void *, const struct persona *), void *ud,
                 struct err *err)
{
    struct each e = { h, fn, ud, err };
    return store_persona_each(h->store, each_row, &e, err);
}

struct find {
    struct span name;
    struct buf folded;
    int64_t id, but; /* found; not to be looked at */
    int by_name, by_prefix, total;
};

static int find_one(void *ud, const struct persona *p)
{
    struct find *f = ud;
    struct buf b = NAME_BUF;
    size_t n = f->name.n;
    if (p->seal.id == f->but) return 0;
    f->total++;
    utf8_fold(&b, p->name, strlen(p->name));
    bool named = n && !b.failed && !strcmp(buf_str(&b), buf_str(&f->folded));
    bool prefixed = n >= 4 && n <= 8 && span_ieq((struct span){ p->id, n }, buf_str(&f->folded));
    buf_free(&b);
    if (named) f->by_name++;
    else if (prefixed) f->by_prefix++;
    if (named || (prefixed && !f->by_name) || (!n && f->total == 1)) f->id = p->seal.id;
    return 0;
}

static int find(struct home *h, const char *name, int64_t but, struct find *f, struct err *err)
{
    *f = (struct find){ .name = span_trim(span_of(name)), .folded = NAME_BUF, .but = but };
    utf8_fold(&f->folded, f->name.p, f->name.n);
    int rc = f->folded.failed ? 0 : persona_each(h, find_one, f, err); /* too long: there is none */
    buf_free(&f->folded);
    return rc;
}

struct load {
    struct home *home;
    int64_t id;
    struct persona *out;
    struct err *err;
};

static int load_row(void *ud, const struct row_persona *r)
{
    struct load *l = ud;
    return r->id == l->id ? from_row(l->home, r, &l->out, l->err) : 0;
}

int persona_load(struct home *h, int64_t id, struct persona **out, struct err *err)
{
    struct load l = { h, id, NULL, err };
    int rc = store_persona_each(h->store, load_row, &l, err);
    *out = l.out;
    if (!rc && !l.out) rc = err_set(err, ERR_NOTFOUND, "the persona is not there any more");
    return rc;
}

struct open_one {
    struct home *home;
    struct persona *out;
    struct err *err;
};

static int open_row(void *ud, const struct row_persona *r)
{
    struct open_one *o = ud;
    if (r->forgotten) return err_set(o->err, ERR_NOTFOUND, "there is no such persona");
    if (r->unreadable)
        return err_set(o->err, ERR_SEAL, "the persona's record is damaged: run `likeness doctor`");
    return from_row(o->home, r, &o->out, o->err);
}

int persona_open_uid(struct home *h, const uint8_t uid[VAULT_UID], struct persona **out,
                     struct err *err)
{
    struct open_one o = { h, NULL, err };
    int rc = store_persona_get(h->store, uid, open_row, &o, err);
    *out = o.out;
    return rc;
}

bool persona_same_name(const char *a, const char *b)
{
    struct buf x = NAME_BUF, y = NAME_BUF;
    struct span s = span_trim(span_of(a)), t = span_trim(span_of(b));
    utf8_fold(&x, s.p, s.n);
    utf8_fold(&y, t.p, t.n);
    bool same = !x.failed && !y.failed && !strcmp(buf_str(&x), buf_str(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

int persona_open(struct home *h, const char *name, struct persona **out, struct err *err)
{
    struct find f;
    *out = NULL;
    int rc = find(h, name, 0, &f, err);
    if (rc) return rc;
    if (!f.total)
        return err_set(err, ERR_NOTFOUND,
                       "there is no persona yet: make one with `likeness new NAME`");
    if (!f.name.n && f.total > 1)
        return err_set(err, ERR_INVAL,
                       "there are %d personas: say which with --persona NAME "
                       "(`likeness personas` lists them)",
                       f.total);
    if (f.by_name > 1)
        return err_set(err, ERR_INVAL,
                       "there are %d personas of that name: give the id of one "
                       "(`likeness personas` lists them)",
                       f.by_name);
    if (!f.by_name && f.by_prefix > 1)
        return err_set(err, ERR_INVAL, "that id is the beginning of several: give more digits");
    if (!f.id)
        return err_set(err, ERR_NOTFOUND,
                       "there is no persona of that name: `likeness personas` "
                       "lists those there are");
    return persona_load(h, f.id, out, err);
}

/* ---- making and changing ---- */

/* A line of text without control characters, and how many characters it has. */
static bool is_line(struct span s, size_t *chars)
{
    *chars = 0;
    if (!utf8_valid(s.p, s.n)) return false;
    for (const char *p = s.p, *end = s.p + s.n; p < end; ++*chars) {
        uint32_t c = utf8_next(&p, end);
        if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
    }
    return true;
}

/* The name without blanks around it; the caller frees it. any: it need not be the only one. */
static int name_new(struct home *h, const char *name, int64_t but, bool any, char **out,
                    struct err *err)
{
    struct span s = span_trim(span_of(name));
    struct find f = { 0 };
    size_t chars;
    *out = NULL;
    if (!s.n || !is_line(s, &chars) || chars > 200)
        return err_set(err, ERR_INVAL, "a persona's name is 1 to 200 characters on one line");
    int rc = any ? 0 : find(h, name, but, &f, err);
    if (!rc && f.by_name)
        rc = err_set(err, ERR_EXISTS,
                     "there is a persona of that name already: choose another name");
    if (!rc && !(*out = strndup(s.p, s.n))) rc = err_nomem(err);
    return rc;
}

static int consent_check(const char *by, const char *to, struct err *err)
{
    struct span s[2] = { span_trim(span_of(by)), span_trim(span_of(to)) };
    for (int i = 0; i < 2; i++) {
        if (!s[i].n)
            return err_set(err, ERR_CONSENT,
                           "a persona needs a consent record: who agreed "
                           "(--consent-by) and to what (--consent-to)");
        size_t chars;
        if (s[i].n > 4000 || !is_line(s[i], &chars))
            return err_set(err, ERR_INVAL,
                           "who agreed, and to what, is one line of at most 4000 bytes");
    }
    return 0;
}

int persona_create(struct home *h, const struct persona_new *n, struct persona **out,
                   struct err *err)
{
    struct persona p = { .kind = n->kind,
                         .consent_by = (char *)n->consent_by,
                         .consent_to = (char *)n->consent_to,
                         .consent_at = n->consent_at,
                         .embedder = (char *)embedding_default(),
                         .tokenizer = (char *)(n->tokenizer ? n->tokenizer : "") };
    char *body = NULL;
    *out = NULL;
    if (n->kind >= PERSONA_KIND_COUNT)
        return err_set(err, ERR_INVAL, "the kind is one of self, consented, legacy, fictional");
    int rc = consent_check(n->consent_by, n->consent_to, err);
    if (rc) return rc;
    p.mask_shares = true;
    p.chunk_tokens = n->chunk_tokens ? n->chunk_tokens : 512;
    p.chunk_overlap = n->chunk_overlap >= 0 ? n->chunk_overlap : p.chunk_tokens / 8;
    if (p.chunk_tokens < 16 || p.chunk_tokens > 8192 || p.chunk_overlap > p.chunk_tokens / 2)
        return err_set(err, ERR_INVAL,
                       "chunks are 16 to 8192 tokens, the overlap at most half of that");
    if (*p.tokenizer && p.chunk_tokens < CHUNK_COUNTED_MIN)
        return err_set(err, ERR_INVAL,
                       "chunks that a model's tokenizer counts have at least %d tokens",
                       CHUNK_COUNTED_MIN);
    rc = persona_counter(&p, err); /* is it there? */
    tokenizer_close(p.counter);
    if (!rc) rc = name_new(h, n->name, 0, n->any_name, &p.name, err);
    if (!rc) rc = body_write(&p, &body, err);
    if (!rc)
        rc = n->uid ? store_persona_new_as(h->store, n->uid, body, strlen(body), &p.seal, err)
                    : store_persona_new(h->store, body, strlen(body), &p.seal, err);
    if (body) explicit_bzero(body, strlen(body));
    free(body);
    free(p.name);
    if (!rc) rc = persona_load(h, p.seal.id, out, err);
    store_sealed_clear(&p.seal);
    return rc;
}

/* Kind, consent, aliases and name of a body that came from elsewhere. */
static int adopt_check(struct home *h, struct persona *p, const char *name, struct err *err)
{
    char *made;
    size_t chars;
    if (p->kind >= PERSONA_KIND_COUNT)
        return err_set(err, ERR_PARSE, "the persona to import is of no known kind");
    int rc = consent_check(p->consent_by, p->consent_to, err);
    for (size_t i = 0; i < p->n_aliases && !rc; i++)
        if (!is_line(span_of(p->aliases[i]), &chars) || chars > 200)
            rc = err_set(err, ERR_PARSE, "an alias of the persona to import is not one short line");
    if (!rc) rc = name_new(h, name ? name : p->name, 0, false, &made, err);
    if (rc) return rc;
    free(p->name);
    p->name = made;
    return 0;
}

int persona_adopt(struct home *h, const char *body, size_t n, const char *name, char **out,
                  struct err *err)
{
    struct persona *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return err_nomem(err);
    int rc = body_read(body, n, p, err);
    if (!rc) rc = adopt_check(h, p, name, err);
    if (!rc) rc = body_write(p, out, err);
    persona_close(p);
    return rc;
}

static int rename_to(struct home *h, struct persona *p, const char *name, bool any, struct err *err)
{
    char *old = p->name, *made;
    int rc = name_new(h, name, p->seal.id, any, &made, err);
    if (rc) return rc;
    p->name = made;
    if ((rc = persona_save(h, p, err))) {
        p->name = old;
        old = made;
    }
    free(old);
    return rc;
}

int persona_rename(struct home *h, struct persona *p, const char *name, struct err *err)
{
    return rename_to(h, p, name, false, err);
}

int persona_rename_any(struct home *h, struct persona *p, const char *name, struct err *err)
{
    return rename_to(h, p, name, true, err);
}

int persona_mask_shares(struct home *h, struct persona *p, bool on, struct err *err)
{
    bool before = p->mask_shares;
    p->mask_shares = on;
    int rc = persona_save(h, p, err);
    if (rc) p->mask_shares = before;
    return rc;
}

int persona_consent(struct home *h, struct persona *p, const char *by, const char *to, int64_t at,
                    struct err *err)
{
    char *old[2] = { p->consent_by, p->consent_to }, *made[2] = { NULL, NULL };
    int64_t before = p->consent_at;
    int rc = consent_check(by, to, err);
    if (rc) return rc;
    made[0] = str_dup(by);
    made[1] = str_dup(to);
    rc = made[0] && made[1] ? 0 : err_nomem(err);
    if (!rc) {
        p->consent_by = made[0];
        p->consent_to = made[1];
        p->consent_at = at;
        rc = persona_save(h, p, err);
    }
    if (rc) {
        p->consent_by = old[0];
        p->consent_to = old[1];
        p->consent_at = before;
    }
    for (int i = 0; i < 2; i++) free(rc ? made[i] : old[i]);
    return rc;
}

struct find_uid {
    struct span hex;
    int64_t id;
    int n;
};

static int find_uid(void *ud, const struct row_persona *r)
{
    struct find_uid *f = ud;
    char hex[2 * VAULT_UID + 1];
    for (int i = 0; i < VAULT_UID; i++) snprintf(hex + 2 * i, 3, "%02x", r->uid[i]);
    if (!span_ieq((struct span){ hex, f->hex.n }, f->hex.p)) return 0;
    f->id = r->id;
    f->n++;
    return 0;
}

/* A persona that cannot be opened has no name any more; its id stands in the clear. */
static int forget_uid(struct home *h, const char *id, struct err *err)
{
    char hex[2 * VAULT_UID + 1];
    struct span s = span_trim(span_of(id));
    struct find_uid f = { 0 };
    if (s.n < 8 || s.n >= sizeof hex) return ERR_NOTFOUND;
    snprintf(hex, sizeof hex, "%.*s", (int)s.n, s.p);
    f.hex = span_of(hex);
    struct err own = { 0 };
    int rc = store_persona_each(h->store, find_uid, &f, &own);
    if (rc && err) *err = own;
    if (rc || !f.n) return rc ? rc : ERR_NOTFOUND;
    if (f.n > 1)
        return err_set(err, ERR_INVAL, "that id is the beginning of several: give more digits");
    return store_persona_forget(h->store, f.id, err);
}

static int forget_row(void *ud, const struct row_persona *r)
{
    *(int64_t *)ud = r->id;
    return 0;
}

int persona_forget_uid(struct home *h, const uint8_t uid[VAULT_UID], struct err *err)
{
    int64_t id = 0;
    int rc = store_persona_get(h->store, uid, forget_row, &id, err);
    return rc ? rc : store_persona_forget(h->store, id, err);
}

int persona_forget(struct home *h, const char *name, struct err *err)
{
    struct persona *p;
    if (!span_trim(span_of(name)).n)
        return err_set(err, ERR_INVAL, "name the persona to forget, or give its id");
    int rc = persona_open(h, name, &p, err);
    if (rc == ERR_NOTFOUND) return forget_uid(h, name, err);
    if (rc || !p) return rc;
    int64_t id = p->seal.id;
    persona_close(p);
    return store_persona_forget(h->store, id, err);
}

/* ---- counts ---- */

static int count_source(void *ud, const struct row_source *r)
{
    struct persona_counts *c = ud;
    c->sources++;
    c->pieces += r->n_pieces;
    c->voice += r->n_voice;
    c->chunks += r->n_chunks;
    if (r->from != CLOCK_NONE && (c->from == CLOCK_NONE || r->from < c->from)) c->from = r->from;
    if (r->to != CLOCK_NONE && (c->to == CLOCK_NONE || r->to > c->to)) c->to = r->to;
    return 0;
}

int persona_counts(struct home *h, const struct persona *p, struct persona_counts *out,
                   struct err *err)
{
    *out = (struct persona_counts){ .from = CLOCK_NONE, .to = CLOCK_NONE };
    return store_source_each(h->store, &p->seal, 0, count_source, out, err);
}
