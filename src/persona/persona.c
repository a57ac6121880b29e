/* Personas. The body of a persona's row is a small JSON object, sealed with the persona's own key, so
 * a name is found by opening every row of the account: there are few, and no name is on disk in plain.
 *
 * An alias decides which messages are voice. Voice is a column of each stored piece, so a new alias
 * means one pass over the pieces; chunks of sources that changed are dropped and made anew by
 * persona_settle (chunks carry voice marks too). */
#include "persona/persona.h"

#include "base/str.h"
#include "persona/internal.h"
#include "persona/pack.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

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
    store_sealed_clear(&p->seal);
    free(p);
}

/* ---- body ---- */

static int body_write(const struct persona *p, char **out, struct err *err)
{
    json_t *al = json_array(), *j;
    for (size_t i = 0; i < p->n_aliases; i++) json_array_append_new(al, json_string(p->aliases[i]));
    j = json_pack("{s:i, s:s, s:s, s:{s:s, s:s, s:I}, s:o, s:i, s:i, s:s}", "v", 1, "name", p->name, "kind",
                  persona_kind_word(p->kind), "consent", "by", p->consent_by, "to", p->consent_to, "at",
                  (json_int_t)p->consent_at, "aliases", al, "chunk_tokens", p->chunk_tokens,
                  "chunk_overlap", p->chunk_overlap, "embedder", p->embedder);
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
        return err_set(err, ERR_PARSE, "persona %s: its record is damaged: run `likeness doctor`", p->id);
    }
    p->name = text_of(j, "name");
    p->kind = persona_kind_parse(json_string_value(json_object_get(j, "kind")) ?: "");
    p->consent_by = text_of(c, "by");
    p->consent_to = text_of(c, "to");
    p->consent_at = json_integer_value(json_object_get(c, "at"));
    p->chunk_tokens = int_of(j, "chunk_tokens", 512, 16, 8192);
    p->chunk_overlap = int_of(j, "chunk_overlap", 64, 0, p->chunk_tokens / 2);
    p->embedder = text_of(j, "embedder");
    p->aliases = calloc(json_array_size(al) + 1, sizeof *p->aliases);
    if (!p->name || !p->consent_by || !p->consent_to || !p->embedder || !p->aliases) rc = err_nomem(err);
    for (size_t i = 0; !rc && i < json_array_size(al); i++) {
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

static int from_row(struct home *h, const struct row_persona *r, struct persona **out, struct err *err)
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
    if (r->forgotten) return 0;
    int rc = from_row(e->home, r, &p, e->err);
    if (!rc) rc = e->fn(e->ud, p);
    persona_close(p);
    return rc;
}

int persona_each(struct home *h, int (*fn)(void *, const struct persona *), void *ud, struct err *err)
{
    struct each e = { h, fn, ud, err };
    return store_persona_each(h->store, each_row, &e, err);
}

struct find {
    const char *name;
    struct buf folded;
    int64_t id;
    int by_name, by_prefix, total;
};

static int find_one(void *ud, const struct persona *p)
{
    struct find *f = ud;
    struct buf b = BUF_INIT(4096);
    size_t n = strlen(f->name);
    f->total++;
    utf8_fold(&b, p->name, strlen(p->name));
    bool named = n && !strcmp(buf_str(&b), buf_str(&f->folded));
    bool prefixed = n >= 4 && n <= 8 && !strncasecmp(p->id, f->name, n);
    buf_free(&b);
    if (named) f->by_name++;
    else if (prefixed) f->by_prefix++;
    if (named || (prefixed && !f->by_name) || (!n && f->total == 1)) f->id = p->seal.id;
    return 0;
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

static int load_id(struct home *h, int64_t id, struct persona **out, struct err *err)
{
    struct load l = { h, id, NULL, err };
    int rc = store_persona_each(h->store, load_row, &l, err);
    *out = l.out;
    if (!rc && !l.out) rc = err_set(err, ERR_NOTFOUND, "the persona is not there any more");
    return rc;
}

int persona_open(struct home *h, const char *name, struct persona **out, struct err *err)
{
    struct find f = { .name = name ? name : "", .folded = BUF_INIT(4096) };
    *out = NULL;
    utf8_fold(&f.folded, f.name, strlen(f.name));
    int rc = persona_each(h, find_one, &f, err);
    buf_free(&f.folded);
    if (rc) return rc;
    if (!f.total)
        return err_set(err, ERR_NOTFOUND, "there is no persona yet: make one with `likeness new NAME`");
    if (!*f.name && f.total > 1)
        return err_set(err, ERR_INVAL, "there are %d personas: say which with --persona NAME "
                       "(`likeness personas` lists them)", f.total);
    if (*f.name && !f.by_name && f.by_prefix > 1)
        return err_set(err, ERR_INVAL, "that id is the beginning of several: give more digits");
    if (!f.id)
        return err_set(err, ERR_NOTFOUND, "there is no persona of that name: `likeness personas` "
                       "lists those there are");
    return load_id(h, f.id, out, err);
}

/* ---- making and changing ---- */

static int name_check(struct home *h, const char *name, int64_t but, struct err *err)
{
    struct span s = span_trim(span_of(name));
    struct find f = { .name = name, .folded = BUF_INIT(4096) };
    if (!s.n || strlen(name) > 200 || !utf8_valid(name, strlen(name)) || strchr(name, '\n'))
        return err_set(err, ERR_INVAL, "a persona's name is 1 to 200 characters on one line");
    utf8_fold(&f.folded, name, strlen(name));
    int rc = persona_each(h, find_one, &f, err);
    buf_free(&f.folded);
    if (!rc && f.by_name && f.id != but)
        rc = err_set(err, ERR_EXISTS, "there is a persona of that name already: choose another name");
    return rc;
}

int persona_create(struct home *h, const struct persona_new *n, struct persona **out, struct err *err)
{
    struct persona p = { .name = (char *)n->name, .kind = n->kind, .consent_by = (char *)n->consent_by,
                         .consent_to = (char *)n->consent_to, .consent_at = n->consent_at,
                         .embedder = (char *)"hash" };
    char *body = NULL;
    *out = NULL;
    if (n->kind >= PERSONA_KIND_COUNT)
        return err_set(err, ERR_INVAL, "the kind is one of self, consented, legacy, fictional");
    if (!span_trim(span_of(n->consent_by)).n || !span_trim(span_of(n->consent_to)).n)
        return err_set(err, ERR_CONSENT, "a persona needs a consent record: who agreed (--consent-by) "
                       "and to what (--consent-to)");
    p.chunk_tokens = n->chunk_tokens ? n->chunk_tokens : 512;
    p.chunk_overlap = n->chunk_overlap >= 0 ? n->chunk_overlap : p.chunk_tokens / 8;
    if (p.chunk_tokens < 16 || p.chunk_tokens > 8192 || p.chunk_overlap > p.chunk_tokens / 2)
        return err_set(err, ERR_INVAL, "chunks are 16 to 8192 tokens, the overlap at most half of that");
    int rc = name_check(h, n->name, 0, err);
    if (!rc) rc = body_write(&p, &body, err);
    if (!rc) rc = store_persona_new(h->store, body, strlen(body), &p.seal, err);
    if (body) explicit_bzero(body, strlen(body));
    free(body);
    if (!rc) rc = load_id(h, p.seal.id, out, err);
    store_sealed_clear(&p.seal);
    return rc;
}

int persona_rename(struct home *h, struct persona *p, const char *name, struct err *err)
{
    int rc = name_check(h, name, p->seal.id, err);
    char *old = p->name, *new = rc ? NULL : str_dup(name);
    if (rc) return rc;
    if (!new) return err_nomem(err);
    p->name = new;
    if ((rc = persona_save(h, p, err))) {
        p->name = old;
        old = new;
    }
    free(old);
    return rc;
}

int persona_forget(struct home *h, const char *name, struct err *err)
{
    struct persona *p;
    int rc = persona_open(h, name, &p, err);
    if (rc) return rc;
    int64_t id = p->seal.id;
    persona_close(p);
    return store_persona_forget(h->store, id, err);
}

/* ---- who is the persona ---- */

/* Digits of a phone number, the last nine: country code and trunk zero differ between exports. */
static size_t phone_tail(const char *s, char out[10])
{
    char d[32];
    size_t n = 0, letters = 0;
    for (; *s; s++) {
        if (isdigit((unsigned char)*s) && n < sizeof d) d[n++] = *s;
        letters += isalpha((unsigned char)*s) || *s == '@';
    }
    if (letters || n < 7) return 0;
    size_t k = n > 9 ? 9 : n;
    memcpy(out, d + n - k, k);
    out[k] = 0;
    return k;
}

/* Folded name with "Last, First" turned round, marks as spaces, one space between words. */
static void name_key(const char *s, struct buf *out)
{
    struct buf t = BUF_INIT(4096), words = BUF_INIT(4096);
    const char *comma = strchr(s, ',');
    if (comma && comma[1]) {
        buf_adds(&t, comma + 1);
        buf_addc(&t, ' ');
        buf_add(&t, s, (size_t)(comma - s));
    } else {
        buf_adds(&t, s);
    }
    utf8_fold(&words, buf_str(&t), t.n);
    for (size_t i = 0; i < words.n; i++) {
        unsigned char c = (unsigned char)words.p[i];
        if (c >= 0x80 || isalnum(c) || c == '\'' || c == '@' || c == '+') buf_addc(out, (char)c);
        else if (c == '.' && i + 1 < words.n && isalnum((unsigned char)words.p[i + 1])) buf_addc(out, '.');
        else if (out->n && out->p[out->n - 1] != ' ') buf_addc(out, ' ');
    }
    while (out->n && out->p[out->n - 1] == ' ') out->p[--out->n] = 0;
    buf_free(&t);
    buf_free(&words);
}

static bool alias_is(const char *alias, const char *who)
{
    char a[10], b[10];
    if (!who || !*who) return false;
    if (strchr(alias, '@') || strchr(who, '@')) return !strcasecmp(alias, who);
    if (phone_tail(alias, a) && phone_tail(who, b)) return !strcmp(a, b);
    struct buf x = BUF_INIT(4096), y = BUF_INIT(4096);
    name_key(alias, &x);
    name_key(who, &y);
    bool same = x.n && x.n == y.n && !strcmp(buf_str(&x), buf_str(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

bool persona_is(const struct persona *p, const char *author, const char *author_id)
{
    for (size_t i = 0; i < p->n_aliases; i++)
        if (alias_is(p->aliases[i], author) || alias_is(p->aliases[i], author_id)) return true;
    return alias_is(p->name, author);
}

/* ---- aliases ---- */

static int alias_put(struct persona *p, struct span s, struct err *err)
{
    s = span_trim(s);
    if (!s.n) return 0;
    if (s.n > 200 || !utf8_valid(s.p, s.n))
        return err_set(err, ERR_INVAL, "a name, address or number is at most 200 characters");
    for (size_t i = 0; i < p->n_aliases; i++)
        if (span_ieq(s, p->aliases[i])) return 0;
    char **grown = realloc(p->aliases, (p->n_aliases + 2) * sizeof *grown);
    if (!grown) return err_nomem(err);
    p->aliases = grown;
    char *copy = mem_dup(s.p, s.n + 1);
    if (!copy) return err_nomem(err);
    copy[s.n] = 0;
    grown[p->n_aliases++] = copy;
    return 0;
}

/* Pieces whose voice mark is not what the aliases say now. */
struct remark {
    struct home *home;
    struct persona *p;
    struct arena *mem;
    struct row_piece *row;            /* bodies are copies */
    size_t n, cap;
    struct err *err;
};

static int remark_piece(void *ud, const struct row_piece *r)
{
    struct remark *m = ud;
    struct piece pc;
    struct arena *tmp = arena_new(0);
    if (!tmp) return err_nomem(m->err);
    int rc = unpack_piece(r->body, r->body_n, tmp, &pc, m->err);
    bool named = !rc && (*pc.author || *pc.author_id);
    if (!rc && named && !r->voice && persona_is(m->p, pc.author, pc.author_id)) {
        if (m->n == m->cap) {
            size_t cap = m->cap ? m->cap * 2 : 256;
            struct row_piece *grown = realloc(m->row, cap * sizeof *grown);
            if (!grown) rc = err_nomem(m->err);
            else m->row = grown, m->cap = cap;
        }
        if (!rc) {
            struct row_piece *q = &m->row[m->n];
            *q = *r;
            q->voice = true;
            q->body = arena_strndup(m->mem, r->body, r->body_n);
            rc = q->body ? (m->n++, 0) : err_nomem(m->err);
        }
    }
    arena_free(tmp);
    return rc;
}

static int remark(struct home *h, struct persona *p, struct err *err)
{
    struct remark m = { .home = h, .p = p, .mem = arena_new(0), .err = err };
    int rc = m.mem ? store_piece_each(h->store, &p->seal, 0, PIECE_BY_SEQ, remark_piece, &m, err)
                   : err_nomem(err);
    for (size_t i = 0; !rc && i < m.n; i++) {
        rc = store_piece_put(h->store, &p->seal, &m.row[i], err);
        if (!rc && (i + 1 == m.n || m.row[i].source != m.row[i + 1].source))
            rc = store_chunks_clear(h->store, &p->seal, m.row[i].source, err);
    }
    if (!rc && m.n) rc = store_persona_stale(h->store, &p->seal, true, err);
    if (!rc && m.n) p->stale = true;
    free(m.row);
    arena_free(m.mem);
    return rc;
}

int persona_alias_add(struct home *h, struct persona *p, const char *list, struct err *err)
{
    size_t before = p->n_aliases;
    int rc = store_begin(h->store, err);
    if (rc) return rc;
    for (const char *s = list; !rc;) {
        size_t n = strcspn(s, ",;\n");
        rc = alias_put(p, (struct span){ s, n }, err);
        if (!s[n]) break;
        s += n + 1;
    }
    if (!rc && p->n_aliases > before) {
        rc = persona_save(h, p, err);
        if (!rc) rc = remark(h, p, err);
    }
    if (!rc) rc = store_commit(h->store, err);
    if (rc) {
        store_rollback(h->store);
        while (p->n_aliases > before) free(p->aliases[--p->n_aliases]);
    }
    return rc;
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

int persona_counts(struct home *h, const struct persona *p, struct persona_counts *out, struct err *err)
{
    *out = (struct persona_counts){ .from = CLOCK_NONE, .to = CLOCK_NONE };
    return store_source_each(h->store, &p->seal, 0, count_source, out, err);
}
