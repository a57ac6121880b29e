/* Who writes here, and which of them is the persona?
 *
 * The survey counts the authors in files and guesses which of them owns the export. The owner is in
 * every chat and in most mail threads, while each correspondent is in few: so presence across files
 * and threads counts, and how much they wrote. A mark of the format itself (label "Sent", the user
 * id of an account export) or a name that is the persona's weighs more than both.
 *
 * Aliases are the names, addresses and numbers under which the persona writes; they decide which
 * pieces are voice. Voice is a column of each stored piece, so a new alias means one pass over the
 * pieces; chunks of sources that changed are dropped and made anew by persona_settle, since chunks
 * carry voice marks too. Rows of the table that is being read cannot be written, so pieces to
 * change are held back, no more than REMARK_BYTES of them at a time. */
#include "base/map.h"
#include "base/str.h"
#include "media/media.h"
#include "persona/internal.h"
#include "text/token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SURVEY_PIECES 200000 /* a file; enough to know its people */
#define SURVEY_PEOPLE 20000
#define REMARK_BYTES  ((size_t)32 << 20)

struct survey {
    const struct ingest *in;
    struct speaker *s;
    size_t n, cap;
    struct map by_author; /* hash of id (or name) -> index + 1 */
    struct map in_thread; /* hash(author, thread) -> 1 */
    struct map threads;
    uint64_t pieces, file, path, n_files; /* file: entries of archives count; path: they do not */
    bool marked;        /* in this file the owner writes without a name, and is marked */
    struct map in_file; /* 1 + index of those who write in it */
    struct err *err;
};

static struct speaker *speaker_of(struct survey *v, const struct piece *p)
{
    struct buf b = BUF_INIT(8192);
    const char *key = *p->author_id ? p->author_id : p->author;
    utf8_fold(&b, key, strlen(key));
    uint64_t *at = map_slot(&v->by_author, hash64(buf_str(&b), b.n, 11));
    buf_free(&b);
    if (!at) return NULL;
    if (!*at) {
        if (v->n == SURVEY_PEOPLE) return NULL;
        if (v->n == v->cap) {
            size_t cap = v->cap ? v->cap * 2 : 64;
            struct speaker *grown = realloc(v->s, cap * sizeof *grown);
            if (!grown) return NULL;
            v->s = grown;
            v->cap = cap;
        }
        memset(&v->s[v->n], 0, sizeof v->s[0]);
        *at = ++v->n;
    }
    return &v->s[*at - 1];
}

static void put_name(char *out, size_t cap, const char *s)
{
    size_t n = utf8_cut(s, strlen(s), cap - 1);
    memcpy(out, s, n);
    out[n] = 0;
}

static int survey_piece(void *ud, const struct piece *p, struct err *err)
{
    struct survey *v = ud;
    if (!*p->author && !*p->author_id) {
        v->marked |= p->sent_by_owner;
        return 0;
    }
    struct speaker *s = speaker_of(v, p);
    if (!s) return v->n == SURVEY_PEOPLE ? 0 : err_nomem(err);
    uint64_t *here = map_slot(&v->in_file, (uint64_t)(s - v->s) + 1);
    if (!here) return err_nomem(err);
    if (!s->messages) s->other = true;
    const char *known = v->in->run ? names_author(v->in->run->names, p) : NULL;
    if (known && !*s->id) put_name(s->id, sizeof s->id, *p->author ? p->author : p->author_id);
    if (!*s->name) put_name(s->name, sizeof s->name, known ? known : p->author);
    if (!*s->id) put_name(s->id, sizeof s->id, p->author_id);
    s->messages++;
    s->owner |= p->sent_by_owner;
    uint64_t thread = hash64(p->thread, strlen(p->thread), v->file);
    uint64_t pair[2] = { thread, (uint64_t)(s - v->s) };
    uint64_t *seen = map_slot(&v->in_thread, hash64(pair, sizeof pair, 5));
    uint64_t *there = map_slot(&v->threads, thread);
    if (!seen || !there) return err_nomem(err);
    *there = 1;
    if (!*seen) s->files++;
    *seen = 1;
    return ++v->pieces > SURVEY_PIECES ? ERR_LIMIT : 0;
}

static int survey_consumed(void *ud, uint64_t bytes)
{
    struct survey *v = ud;
    return progress_tick(v->in->progress, "survey", v->path, v->n_files, "files");
}

/* 0, ERR_NOMEM or ERR_CANCEL: a file that cannot be read is reported when it is added. */
static int survey_open_file(struct survey *v, const struct format *f, struct format_in *file)
{
    struct format_opts o = { .now = clock_now(),
                             .map = v->in->map,
                             .day_first = v->in->day_first,
                             .tz_offset = v->in->tz_offset,
                             .names = v->in->run ? v->in->run->names : NULL };
    struct piece_sink sink = { survey_piece, NULL, survey_consumed, v };
    v->pieces = 0;
    v->file++;
    v->marked = false;
    int rc = f->has_authors ? format_parse(f, file, &o, &sink, NULL) : 0;
    for (size_t i = 0; !v->marked && v->in_file.n && (i = map_iter(&v->in_file, i));)
        v->s[v->in_file.e[i - 1].key - 1].other = false;
    map_free(&v->in_file);
    return rc == ERR_NOMEM || rc == ERR_CANCEL ? rc : 0;
}

static int survey_found(void *ud, const struct format *f, struct format_in *file, struct err *err)
{
    int rc = survey_open_file(ud, f, file);
    return rc ? err_set(err, rc, "%s", err_text(rc)) : 0;
}

static int survey_file(struct survey *v, const char *path)
{
    struct media_visit visit = { .file = survey_found, .consumed = survey_consumed, .ud = v };
    return media_each(path, v->in->as, &visit, NULL);
}

static int by_likely(const void *a, const void *b)
{
    const struct speaker *x = a, *y = b;
    if (x->likely != y->likely) return x->likely < y->likely ? 1 : -1;
    return x->messages < y->messages   ? 1
           : x->messages > y->messages ? -1
                                       : strcmp(x->name, y->name);
}

/* Do all words of the persona's name stand in this author's? "Ann" in "Ann Lee". */
static bool bears_name(const char *persona, const char *author)
{
    struct buf a = BUF_INIT(4096), p = BUF_INIT(4096);
    bool all = false;
    utf8_fold(&a, author, strlen(author));
    utf8_fold(&p, persona, strlen(persona));
    struct tokens t = tokens_of(buf_str(&p), p.n);
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct tokens u = tokens_of(buf_str(&a), a.n);
        all = false;
        while (!all && tokens_next(&u))
            all = u.end - u.start == t.end - t.start &&
                  !memcmp(a.p + u.start, p.p + t.start, t.end - t.start);
        if (!all) break;
    }
    buf_free(&a);
    buf_free(&p);
    return all;
}

static void judge(struct survey *v)
{
    uint64_t most = 1;
    for (size_t i = 0; i < v->n; i++)
        if (v->s[i].messages > most) most = v->s[i].messages;
    for (size_t i = 0; i < v->n; i++) {
        struct speaker *s = &v->s[i];
        float there = v->threads.n ? (float)s->files / (float)v->threads.n : 0;
        float much = logf(1.0f + (float)s->messages) / logf(1.0f + (float)most);
        s->likely = 0.5f * there + 0.2f * much + (s->owner ? 0.6f : 0) +
                    (bears_name(v->in->persona->name, s->name) ? 0.45f : 0);
        if (s->likely > 1) s->likely = 1;
    }
    if (v->n) qsort(v->s, v->n, sizeof v->s[0], by_likely);
}

static int survey_end(struct survey *v, int rc, struct speaker **out, size_t *n_out)
{
    if (rc == ERR_NOMEM) err_nomem(v->err);
    if (rc == ERR_CANCEL) err_set(v->err, rc, "stopped; nothing was added");
    judge(v);
    map_free(&v->by_author);
    map_free(&v->in_thread);
    map_free(&v->threads);
    map_free(&v->in_file);
    if (rc) {
        free(v->s);
        v->s = NULL;
        v->n = 0;
    }
    *out = v->s;
    *n_out = v->n;
    return rc;
}

int ingest_speakers(struct ingest *in, const char *const *paths, size_t n, struct speaker **out,
                    size_t *n_out, struct err *err)
{
    struct survey v = { .in = in, .err = err };
    struct path_list l = { 0 };
    *out = NULL;
    *n_out = 0;
    struct ingest_run own = { 0 };
    int rc = ingest_run_begin(in, &own, err);
    if (!rc) rc = path_list_of(paths, n, &l, err);
    v.n_files = l.n;
    if (!rc) {
        for (size_t i = 0; i < l.n && !rc; i++) {
            v.path = i;
            rc = survey_file(&v, l.path[i]);
            if (!rc) rc = progress_tick(in->progress, "survey", i + 1, l.n, "files");
        }
        rc = survey_end(&v, rc, out, n_out);
    }
    ingest_run_end(in, &own);
    path_list_free(&l);
    return rc;
}

int speakers_of_open(struct ingest *in, const struct format *f, struct format_in *file,
                     struct speaker **out, size_t *n_out, struct err *err)
{
    struct survey v = { .in = in, .n_files = 1, .err = err };
    int rc = survey_end(&v, survey_open_file(&v, f, file), out, n_out);
    rewind(file->f);
    return rc;
}

/* ---- is it the persona? ---- */

/* What exports put into numbers and around names: marks without width, blanks and dashes. */
static bool invisible(uint32_t c)
{
    return c == 0xAD || c == 0xFEFF || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069);
}

static bool filler(uint32_t c)
{
    return invisible(c) || c == 0xA0 || (c >= 0x2000 && c <= 0x2015) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F;
}

size_t who_phone(const char *s, char out[PHONE_DIGITS])
{
    size_t n = 0;
    for (const char *end = s + strlen(s); s < end;) {
        uint32_t c = utf8_next(&s, end);
        if (c >= '0' && c <= '9') {
            if (!n && c == '0') continue;
            if (n == PHONE_DIGITS) return 0;
            out[n++] = (char)c;
        } else if (!(c < 0x80 && strchr(" +-()./", (int)c)) && !filler(c)) {
            return 0;
        }
    }
    return n < 7 ? 0 : n;
}

/* Country code and trunk zero differ between exports: the last nine digits count, or all of the
 * shorter number. */
static bool same_phone(const char *a, size_t na, const char *b, size_t nb)
{
    size_t k = na < nb ? na : nb;
    if (k > 9) k = 9;
    return !memcmp(a + na - k, b + nb - k, k);
}

void who_name(const char *s, struct buf *out)
{
    struct buf t = BUF_INIT(8192), words = BUF_INIT(16384);
    const char *comma = strchr(s, ',');
    if (comma && comma[1]) buf_printf(&t, "%s %.*s", comma + 1, (int)(comma - s), s);
    else buf_adds(&t, s);
    utf8_fold(&words, buf_str(&t), t.n);
    for (const char *p = buf_str(&words), *end = p + words.n; p < end;) {
        const char *was = p;
        uint32_t c = utf8_next(&p, end);
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      (c < 0x80 ? strchr("'@+", (int)c) != NULL : !filler(c));
        if (letter) buf_add(out, was, (size_t)(p - was));
        else if (invisible(c)) continue;
        else if (out->n && out->p[out->n - 1] != ' ') buf_addc(out, ' ');
    }
    while (out->n && out->p[out->n - 1] == ' ') out->p[--out->n] = 0;
    if (t.failed || words.failed) buf_clear(out);
    buf_free(&t);
    buf_free(&words);
}

static bool alias_is(const char *alias, const char *who)
{
    char a[PHONE_DIGITS], b[PHONE_DIGITS];
    if (!who || !*who) return false;
    if (strchr(alias, '@') || strchr(who, '@')) return span_ieq(span_trim(span_of(who)), alias);
    size_t na = who_phone(alias, a), nb = na ? who_phone(who, b) : 0;
    if (na && nb) return same_phone(a, na, b, nb);
    struct buf x = BUF_INIT(16384), y = BUF_INIT(16384);
    who_name(alias, &x);
    who_name(who, &y);
    bool alike = x.n && x.n == y.n && !x.failed && !y.failed && !memcmp(x.p, y.p, x.n);
    buf_free(&x);
    buf_free(&y);
    return alike;
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
        return err_set(err, ERR_INVAL, "a name, address or number is at most 200 bytes");
    const char *open = memchr(s.p, '<', s.n);
    if (open && s.p[s.n - 1] == '>') { /* "Ann Lee <ann@example.org>" */
        int rc = alias_put(p, (struct span){ s.p, (size_t)(open - s.p) }, err);
        return rc ? rc
                  : alias_put(p, (struct span){ open + 1, s.n - (size_t)(open - s.p) - 2 }, err);
    }
    for (size_t i = 0; i < p->n_aliases; i++)
        if (span_ieq(s, p->aliases[i])) return 0;
    char **grown = realloc(p->aliases, (p->n_aliases + 1) * sizeof *grown);
    if (!grown) return err_nomem(err);
    p->aliases = grown;
    if (!(grown[p->n_aliases] = strndup(s.p, s.n))) return err_nomem(err);
    p->n_aliases++;
    return 0;
}

int persona_alias_parse(struct persona *p, const char *list, struct err *err)
{
    for (const char *s = list;; s++) {
        size_t n = strcspn(s, ",;\n");
        int rc = alias_put(p, (struct span){ s, n }, err);
        if (rc || !*(s += n)) return rc;
    }
}

void persona_alias_cut(struct persona *p, size_t keep)
{
    while (p->n_aliases > keep) free(p->aliases[--p->n_aliases]);
}

/* Pieces whose voice mark turns, held back until the reading of their table is over. */
struct remark {
    struct persona *p;
    struct arena *mem, *tmp;
    struct row_piece *row; /* bodies are in mem */
    size_t n, cap, bytes;
    bool removing;
    bool full; /* REMARK_BYTES reached: write these, then read again */
    struct err *err;
};

static int hold_back(struct remark *m, const struct row_piece *r)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 256;
        struct row_piece *grown = realloc(m->row, cap * sizeof *grown);
        if (!grown) return err_nomem(m->err);
        m->row = grown;
        m->cap = cap;
    }
    struct row_piece *q = &m->row[m->n];
    *q = *r;
    q->voice = !r->voice;
    if (!(q->body = arena_strndup(m->mem, r->body, r->body_n))) return err_nomem(m->err);
    m->n++;
    m->bytes += sizeof *q + r->body_n;
    return 0;
}

static int remark_piece(void *ud, const struct row_piece *r)
{
    struct remark *m = ud;
    struct piece pc;
    if (r->voice != m->removing) return 0;
    if (m->bytes >= REMARK_BYTES) {
        m->full = true;
        return ERR_LIMIT; /* stops the reading; not an error */
    }
    arena_reset(m->tmp);
    int rc = unpack_piece(r->body, r->body_n, m->tmp, &pc, m->err);
    bool named = !rc && (*pc.author || *pc.author_id);
    if (!named || persona_is(m->p, pc.author, pc.author_id) == r->voice) return rc;
    return hold_back(m, r);
}

static int remark_some(struct home *h, struct remark *m)
{
    m->n = m->bytes = 0;
    m->full = false;
    arena_reset(m->mem);
    int rc = store_piece_each(h->store, &m->p->seal, 0, PIECE_BY_SEQ, remark_piece, m, m->err);
    if (m->full) rc = 0;
    for (size_t i = 0; !rc && i < m->n; i++) {
        rc = store_piece_put(h->store, &m->p->seal, &m->row[i], m->err);
        if (!rc && (i + 1 == m->n || m->row[i].source != m->row[i + 1].source))
            rc = store_chunks_clear(h->store, &m->p->seal, m->row[i].source, m->err);
    }
    return rc;
}

/* *changed: some pieces became voice, or ceased to be. */
/* removing: look for voice that is none any more, else for what has become voice. */
static int remark(struct home *h, struct persona *p, bool removing, bool *changed, struct err *err)
{
    struct remark m = {
        .p = p, .removing = removing, .mem = arena_new(0), .tmp = arena_new(0), .err = err
    };
    int rc = m.mem && m.tmp ? 0 : err_nomem(err);
    *changed = false;
    do {
        if (!rc) rc = remark_some(h, &m);
        *changed |= m.n > 0;
    } while (!rc && m.full);
    if (!rc && *changed) rc = store_persona_stale(h->store, &p->seal, true, err);
    free(m.row);
    arena_free(m.mem);
    arena_free(m.tmp);
    return rc;
}

int persona_alias_add(struct home *h, struct persona *p, const char *list, struct err *err)
{
    size_t before = p->n_aliases;
    bool changed = false;
    int rc = store_begin(h->store, err);
    if (rc) return rc;
    rc = persona_alias_parse(p, list, err);
    if (!rc && p->n_aliases > before) {
        rc = persona_save(h, p, err);
        if (!rc) rc = remark(h, p, false, &changed, err);
    }
    if (!rc) rc = store_commit(h->store, err);
    if (rc) {
        store_rollback(h->store);
        persona_alias_cut(p, before);
    } else if (changed) {
        p->stale = true;
    }
    return rc;
}

/* Takes the aliases of a list out of p->aliases; how many were there. The strings go to `gone`. */
static size_t alias_take(struct persona *p, const char *list, char **gone)
{
    size_t taken = 0;
    for (const char *s = list;; s++) {
        size_t n = strcspn(s, ",;\n"), k = 0;
        struct span want = span_trim((struct span){ s, n });
        for (size_t i = 0; i < p->n_aliases; i++) {
            bool same = want.n && span_ieq(want, p->aliases[i]);
            if (same) gone[taken++] = p->aliases[i];
            else p->aliases[k++] = p->aliases[i];
        }
        p->n_aliases = k;
        if (!*(s += n)) return taken;
    }
}

int persona_alias_remove(struct home *h, struct persona *p, const char *list, struct err *err)
{
    char **gone = calloc(p->n_aliases + 1, sizeof *gone);
    bool changed = false;
    if (!gone) return err_nomem(err);
    size_t n = alias_take(p, list, gone);
    int rc = n ? store_begin(h->store, err)
               : err_set(err, ERR_NOTFOUND,
                         "the persona has no such name, address or number: "
                         "`likeness show` lists them");
    if (!rc) {
        rc = persona_save(h, p, err);
        if (!rc) rc = remark(h, p, true, &changed, err);
        if (!rc) rc = store_commit(h->store, err);
        if (rc) store_rollback(h->store);
    }
    for (size_t i = 0; i < n; i++) {
        if (rc) p->aliases[p->n_aliases++] = gone[i]; /* the array still has their places */
        else free(gone[i]);
    }
    if (!rc && changed) p->stale = true;
    free(gone);
    return rc;
}
