/* Chunks. One packer serves documents and conversations: both are rows of units (sentences), packed
 * until the next one does not fit.
 *
 * A conversation is a row of turns: what the others said, then what the persona answered. The
 * others' words wait in `asked` until an answer comes; without one they are dropped, so a chunk
 * ends with the persona. Of a long question the end is kept, at most half a chunk: the words just
 * before an answer are the ones it answers.
 *
 *     units  [ overlap ][ turn ][ turn ][ question  answer ...          one chunk
 *                                       ^ turn         ^ turn + n_question
 *
 * When a unit does not fit, in this order: (a) whole turns stand before the current one: they
 * become a chunk, the current turn moves on, behind an overlap; (b) only an overlap stands before
 * it: it goes; (c) the turn itself is too long: it becomes a chunk, and the next begins with the
 * end of the question, then the end of the answer so far, together at most `overlap` tokens. A unit
 * in a conversation is at most half a chunk and so is a question, hence (a)-(c) always make room.
 *
 * Pieces are copied and counted by the units that use them: memory is one chunk's pieces and the
 * waiting question, however long the thread. */
#include "text/chunk.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "text/sentence.h"
#include "text/token.h"

#include <stdlib.h>
#include <string.h>

struct held { /* a piece, as long as units point into it */
    int refs;
    struct chunk_piece p; /* text and author point behind this struct */
    char bytes[];
};

struct unit {
    struct held *h;
    size_t from, to; /* bytes of h->p.text */
    int n;           /* tokens */
    bool overlap;
};

struct row { /* of units */
    struct unit *u;
    size_t n, cap;
    int tokens;
};

struct chunker {
    struct chunk_opts o;
    int (*fn)(void *ud, const struct chunk_out *c, struct err *err);
    void *ud;
    struct sentences *it;
    struct row cur;    /* the chunk being filled */
    struct row asked;  /* the others' words, not answered yet */
    size_t turn;       /* where the current turn begins in cur */
    size_t n_question; /* units of its question */
    int64_t last_at;   /* time of the piece before, of this exchange */
    uint32_t *off;     /* of the counter's tokens in the sentence at hand */
    size_t off_cap;
    struct chunk_seg *seg; /* scratch of emit */
    size_t cap_seg;
    struct buf text;
};

/* ---- units and rows ---- */

static void held_drop(struct held *h)
{
    if (!h || --h->refs) return;
    explicit_bzero(h->bytes, h->p.text_n);
    free(h);
}

static struct held *held_new(const struct chunk_piece *p)
{
    size_t a = strlen(p->author ? p->author : "");
    struct held *h = malloc(sizeof *h + p->text_n + a + 2);
    if (!h) return NULL;
    h->refs = 1;
    h->p = *p;
    if (p->text_n) memcpy(h->bytes, p->text, p->text_n);
    h->bytes[p->text_n] = 0;
    memcpy(h->bytes + p->text_n + 1, a ? p->author : "", a + 1);
    h->p.text = h->bytes;
    h->p.author = h->bytes + p->text_n + 1;
    return h;
}

static int row_add(struct row *r, struct unit u, struct err *err)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 32;
        struct unit *q = realloc(r->u, cap * sizeof *q);
        if (!q) return err_nomem(err);
        r->u = q;
        r->cap = cap;
    }
    u.h->refs++;
    r->tokens += u.n;
    r->u[r->n++] = u;
    return 0;
}

/* Drop the first k units. */
static void row_drop(struct row *r, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        r->tokens -= r->u[i].n;
        held_drop(r->u[i].h);
    }
    if (k) memmove(r->u, r->u + k, (r->n - k) * sizeof *r->u);
    r->n -= k;
}

static void row_free(struct row *r)
{
    row_drop(r, r->n);
    free(r->u);
    *r = (struct row){ 0 };
}

/* ---- what goes out ---- */

/* Do units a, b make one segment? Neighbours of one piece have only white space between them. */
static bool joins(const struct unit *a, const struct unit *b)
{
    return a->h == b->h && a->overlap == b->overlap && a->to <= b->from;
}

static int add_seg(struct chunker *c, size_t *n_seg, const struct unit *first,
                   const struct unit *last, struct err *err)
{
    if (*n_seg == c->cap_seg) {
        size_t cap = c->cap_seg ? c->cap_seg * 2 : 32;
        struct chunk_seg *q = realloc(c->seg, cap * sizeof *q);
        if (!q) return err_nomem(err);
        c->seg = q;
        c->cap_seg = cap;
    }
    const struct chunk_piece *p = &first->h->p;
    c->seg[(*n_seg)++] = (struct chunk_seg){
        .piece = p->piece,
        .voice = p->voice,
        .overlap = first->overlap,
        .written_at = p->written_at,
        .author = p->author,
        .text_n = last->to - first->from,
        .offset = first->from,
    };
    buf_add(&c->text, p->text + first->from, last->to - first->from);
    buf_addc(&c->text, 0);
    return c->text.failed ? err_set(err, c->text.failed, "no room for a passage of this length")
                          : 0;
}

/* Hand out the first k units as a chunk, if a new word of the persona is in them. */
static int emit(struct chunker *c, size_t k, struct err *err)
{
    struct chunk_out out = { .written_at = CLOCK_NONE };
    bool fresh = false;
    int rc = 0;
    buf_clear(&c->text);
    for (size_t i = 0, j; i < k; i = j) {
        const struct unit *u = &c->cur.u[i];
        out.n_tokens += u->n;
        for (j = i + 1; j < k && joins(&c->cur.u[j - 1], &c->cur.u[j]); j++)
            out.n_tokens += c->cur.u[j].n;
        if ((rc = add_seg(c, &out.n_seg, u, &c->cur.u[j - 1], err))) return rc;
        if (!u->h->p.voice) continue;
        fresh |= !u->overlap;
        if (u->h->p.written_at > out.written_at) out.written_at = u->h->p.written_at;
    }
    if (!fresh) return 0;
    const char *at = c->text.p;
    for (size_t i = 0; i < out.n_seg; i++) {
        c->seg[i].text = at;
        at += c->seg[i].text_n + 1;
    }
    out.seg = c->seg;
    return c->fn(c->ud, &out, err);
}

/* ---- words, and the tokens they are counted as ---- */

struct words {
    struct tokens t;
    int n; /* tokens of the word at hand, with what stands before it */
    const struct chunker *c;
    size_t from, n_off, i; /* the counter's tokens, and the next of them */
};

/* The words of s[from..to). Until the next call for this chunker. */
static int words_of(struct chunker *c, const char *s, size_t from, size_t to, struct words *w,
                    struct err *err)
{
    *w = (struct words){ .t = tokens_of(s, to), .c = c, .from = from };
    w->t.at = from;
    if (!c->o.tokens) return 0;
    w->n_off = c->o.tokens(c->o.tokens_ud, s + from, to - from, c->off, c->off_cap);
    if (w->n_off > c->off_cap && w->n_off != SIZE_MAX) {
        uint32_t *grown = realloc(c->off, w->n_off * sizeof *grown);
        if (!grown) return err_nomem(err);
        c->off = grown;
        c->off_cap = w->n_off;
        w->n_off = c->o.tokens(c->o.tokens_ud, s + from, to - from, c->off, c->off_cap);
    }
    return w->n_off == SIZE_MAX ? err_nomem(err) : 0;
}

static bool words_next(struct words *w)
{
    if (!tokens_next(&w->t)) return false;
    size_t first = w->i;
    while (w->i < w->n_off && w->from + w->c->off[w->i] < w->t.end) w->i++;
    w->n = w->c->o.tokens ? (int)(w->i - first) : 1;
    return true;
}

/* ---- making room ---- */

/* The last words of a unit that have at most `max` tokens; n 0: not even one. */
static int unit_tail(struct chunker *c, struct unit *u, int max, struct err *err)
{
    struct words w;
    int rc = words_of(c, u->h->p.text, u->from, u->to, &w, err);
    while (!rc && words_next(&w)) {
        u->from = w.t.start;
        if (u->n <= max) break;
        u->n -= w.n;
    }
    return rc;
}

/* Copy to `to`, as overlap, the last whole sentences of cur.u[a..b) that fit in `budget` tokens, up
 * to the first that is itself an overlap (a question's are taken again: `again`). */
static int copy_tail(struct chunker *c, size_t a, size_t b, int budget, bool again, struct row *to,
                     struct err *err)
{
    size_t i = b;
    int left = budget, rc = 0;
    while (i > a && c->cur.u[i - 1].n <= left && (again || !c->cur.u[i - 1].overlap))
        left -= c->cur.u[--i].n;
    if (again && i == b && b > a && budget > 0) {
        struct unit u = c->cur.u[b - 1];
        u.overlap = true;
        rc = unit_tail(c, &u, budget, err);
        return rc || !u.n ? rc : row_add(to, u, err);
    }
    for (; i < b && !rc; i++) {
        struct unit u = c->cur.u[i];
        u.overlap = true;
        rc = row_add(to, u, err);
    }
    return rc;
}

static int min_of(int a, int b) { return a < b ? a : b; }

/* (a): the turns before the current one leave as a chunk. */
static int close_turns(struct chunker *c, int need, struct err *err)
{
    struct row next = { 0 };
    int rc = emit(c, c->turn, err), rest = 0;
    for (size_t i = c->turn; i < c->cur.n; i++) rest += c->cur.u[i].n;
    int budget = min_of(c->o.overlap, c->o.max_tokens - rest - need);
    if (!rc && budget > 0) rc = copy_tail(c, 0, c->turn, budget, false, &next, err);
    size_t n_overlap = next.n;
    for (size_t i = c->turn; i < c->cur.n && !rc; i++) rc = row_add(&next, c->cur.u[i], err);
    row_free(&c->cur);
    c->cur = next;
    c->turn = n_overlap;
    return rc;
}

/* (c): the current turn leaves, the next chunk goes on with it. */
static int close_part(struct chunker *c, int need, struct err *err)
{
    struct row next = { 0 };
    int rc = emit(c, c->cur.n, err);
    int budget = min_of(c->o.overlap, c->o.max_tokens - need);
    if (!rc) rc = copy_tail(c, 0, c->n_question, budget, true, &next, err);
    size_t n_question = next.n;
    if (!rc) rc = copy_tail(c, c->n_question, c->cur.n, budget - next.tokens, false, &next, err);
    row_free(&c->cur);
    c->cur = next;
    c->n_question = n_question;
    return rc;
}

static int make_room(struct chunker *c, int need, struct err *err)
{
    int rc = 0;
    while (!rc && c->cur.tokens + need > c->o.max_tokens) {
        bool fresh = false;
        for (size_t i = 0; i < c->turn; i++) fresh |= !c->cur.u[i].overlap;
        if (fresh) {
            rc = close_turns(c, need, err);
        } else if (c->turn) {
            row_drop(&c->cur, c->turn);
            c->turn = 0;
        } else {
            rc = close_part(c, need, err);
        }
    }
    return rc;
}

/* ---- what comes in ---- */

/* A unit of the persona: the question that waits, if any, opens a turn before it. */
static int add_voice(struct chunker *c, struct unit u, struct err *err)
{
    int rc = 0;
    if (c->asked.n) {
        c->turn = c->cur.n;
        c->n_question = c->asked.n;
        for (size_t i = 0; i < c->asked.n && !rc; i++) rc = row_add(&c->cur, c->asked.u[i], err);
        row_drop(&c->asked, c->asked.n);
    }
    if (!rc) rc = make_room(c, u.n, err);
    if (!rc) rc = row_add(&c->cur, u, err);
    return rc;
}

static int add_asked(struct chunker *c, struct unit u, struct err *err)
{
    int rc = row_add(&c->asked, u, err);
    size_t k = 0;
    for (int t = c->asked.tokens; !rc && t > c->o.max_tokens / 2; t -= c->asked.u[k++].n) continue;
    row_drop(&c->asked, k);
    return rc;
}

/* Sentence [from, to) of h as units of at most `most` tokens. */
static int add_sentence(struct chunker *c, struct held *h, size_t from, size_t to, int most,
                        struct err *err)
{
    struct words w;
    int rc = words_of(c, h->p.text, from, to, &w, err);
    bool more = !rc && words_next(&w);
    while (more && !rc) {
        struct unit u = { .h = h, .from = w.t.start };
        for (; more && (!u.n || u.n + w.n <= most); more = words_next(&w)) {
            u.to = w.t.end;
            u.n += w.n;
        }
        rc = h->p.voice ? add_voice(c, u, err) : add_asked(c, u, err);
    }
    return rc;
}

static void forget(struct chunker *c)
{
    row_drop(&c->cur, c->cur.n);
    row_drop(&c->asked, c->asked.n);
    c->turn = c->n_question = 0;
    c->last_at = CLOCK_NONE;
}

int chunker_flush(struct chunker *c, struct err *err)
{
    int rc = emit(c, c->cur.n, err);
    forget(c);
    return rc;
}

/* Silence between the piece before and this one? A clock set back by more counts too. */
static bool silence(const struct chunker *c, int64_t at)
{
    if (c->last_at == CLOCK_NONE || at == CLOCK_NONE) return false;
    uint64_t d =
        at > c->last_at ? (uint64_t)at - (uint64_t)c->last_at : (uint64_t)c->last_at - (uint64_t)at;
    return d > (uint64_t)c->o.gap_seconds;
}

int chunker_add(struct chunker *c, const struct chunk_piece *p, struct err *err)
{
    int rc = 0;
    if (p->alone || silence(c, p->written_at)) rc = chunker_flush(c, err);
    if (!rc && p->alone && !p->voice) return 0;
    struct held *h = rc ? NULL : held_new(p);
    if (!rc && !h) rc = err_nomem(err);
    if (!rc && sentences_text(c->it, h->p.text, h->p.text_n))
        rc = err_set(err, ERR_LIMIT, "a single piece of text is too long");
    int most = min_of(SENTENCE_MAX, p->alone ? c->o.max_tokens : c->o.max_tokens / 2);
    size_t from, to;
    while (!rc && sentences_next(c->it, &from, &to)) rc = add_sentence(c, h, from, to, most, err);
    held_drop(h);
    if (p->written_at != CLOCK_NONE) c->last_at = p->written_at;
    if (!rc && p->alone) return chunker_flush(c, err);
    if (rc) forget(c);
    return rc;
}

struct chunker *chunker_new(const struct chunk_opts *o,
                            int (*fn)(void *ud, const struct chunk_out *c, struct err *err),
                            void *ud, struct err *err)
{
    if (o->max_tokens < 16 || o->max_tokens > 8192 || o->overlap < 0 ||
        o->overlap > o->max_tokens / 2 || o->gap_seconds < 0) {
        err_set(err, ERR_INVAL,
                "chunks of %d tokens with an overlap of %d are not possible: use 16 to "
                "8192, and at most half of it",
                o->max_tokens, o->overlap);
        return NULL;
    }
    if (o->tokens && o->max_tokens < CHUNK_COUNTED_MIN) {
        err_set(err, ERR_INVAL,
                "chunks counted with a model's tokenizer have at least %d tokens, not %d",
                CHUNK_COUNTED_MIN, o->max_tokens);
        return NULL;
    }
    struct chunker *c = calloc(1, sizeof *c);
    if (!c) {
        err_nomem(err);
        return NULL;
    }
    c->o = *o;
    c->fn = fn;
    c->ud = ud;
    c->last_at = CLOCK_NONE;
    c->text = BUF_INIT((size_t)256 << 20);
    if (!(c->it = sentences_new(err))) {
        chunker_free(c);
        return NULL;
    }
    return c;
}

void chunker_free(struct chunker *c)
{
    if (!c) return;
    row_free(&c->cur);
    row_free(&c->asked);
    sentences_free(c->it);
    buf_free(&c->text);
    free(c->off);
    free(c->seg);
    free(c);
}
