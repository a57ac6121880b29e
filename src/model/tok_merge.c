/* Byte-pair merging of one piece, for byte-level BPE and for SentencePiece BPE.
 *
 * Both begin with small symbols (bytes; characters) and again and again join the neighbours that
 * stand first in an order, the leftmost of equals, until none can be joined (Sennrich et al. 2016).
 * They differ in how a pair is looked up: byte-level BPE has a table of pairs, SentencePiece joins
 * whatever makes a token, in order of the token's score.
 *
 * Most pieces of ordinary text are one token, so we look the whole piece up first. Whether a
 * token's own text encodes to that token depends on nothing but the vocabulary, so the answer is
 * remembered for each token when it is first needed; from then on such a piece costs one look-up.
 * Short pieces are merged by scanning an array; long ones, which an array would make quadratic,
 * with a heap whose outdated entries are known by the length they were made for. */
#include "model/tok_impl.h"

#include <stdlib.h>

enum { SHORT = 48, DEPTH = 32 };
#define NO_RANK UINT32_MAX

struct sym {
    uint32_t at, n;
    int32_t id; /* -1: no token */
};

struct pair {
    uint32_t rank; /* NO_RANK: they do not join */
    int32_t id;
};

struct job {
    const struct tokenizer *t;
    const char *s; /* the piece's text is s + at */
    size_t at, n;
    int32_t ban; /* a token that is not to be made */
    int depth;
    struct tok_out *o;
};

static uint32_t rank_of(float score)
{
    uint32_t u;
    score += 0.0f; /* -0 is 0 */
    memcpy(&u, &score, sizeof u);
    u = u >> 31 ? ~u : u | 0x80000000u;
    return ~u == NO_RANK ? NO_RANK - 1 : ~u;
}

static inline struct pair look(const struct job *j, const struct sym *a, const struct sym *b)
{
    const struct tokenizer *t = j->t;
    struct pair none = { NO_RANK, -1 };
    if (t->kind == TOKENIZER_SPM) {
        int32_t id = tok_find(t, j->s + j->at + a->at, a->n + b->n);
        if (id < 0 || id == j->ban) return none;
        return (struct pair){ rank_of(t->score[id]), id };
    }
    if (a->id < 0 || b->id < 0) return none;
    uint64_t h = tok_mix((uint64_t)(uint32_t)a->id << 32 | (uint32_t)b->id, 0);
    for (uint32_t i = (uint32_t)h & t->merges.mask;; i = (i + 1) & t->merges.mask) {
        const struct tok_merge *m = &t->merges.e[i];
        if (m->a < 0) return none;
        if (m->a == a->id && m->b == b->id) return (struct pair){ m->rank, m->id };
    }
}

static size_t first_syms(const struct job *j, struct sym *y)
{
    const unsigned char *s = (const unsigned char *)j->s + j->at;
    size_t k = 0;
    for (size_t i = 0; i < j->n; k++) {
        int n = 1;
        if (j->t->kind == TOKENIZER_SPM) {
            n = tok_utf8(s + i, j->n - i, NULL);
            if (!n) n = 1;
            y[k] = (struct sym){ (uint32_t)i, (uint32_t)n, tok_find(j->t, (const char *)s + i, n) };
        } else {
            y[k] = (struct sym){ (uint32_t)i, 1, j->t->byte_id[s[i]] };
        }
        i += (size_t)n;
    }
    return k;
}

static void run(struct job *j, int32_t *single);

static void put_sym(const struct job *j, const struct sym *y)
{
    if (y->id < 0) {
        tok_put_bytes(j->t, j->s, j->at + y->at, y->n, j->o);
    } else if (j->t->has_unused && j->t->type[y->id] == TOK_UNUSED && j->depth < DEPTH) {
        struct job part = *j; /* never produced: what it was joined from */
        part.at += y->at, part.n = y->n, part.ban = y->id, part.depth++;
        run(&part, NULL);
    } else {
        tok_put(j->o, y->id, j->at + y->at);
    }
}

static void run_short(struct job *j, int32_t *single)
{
    struct sym y[SHORT];
    struct pair p[SHORT];
    size_t n = first_syms(j, y);
    for (size_t i = 0; i + 1 < n; i++) p[i] = look(j, &y[i], &y[i + 1]);
    for (;;) {
        size_t best = 0;
        uint32_t rank = NO_RANK;
        for (size_t i = 0; i + 1 < n; i++)
            if (p[i].rank < rank) rank = p[i].rank, best = i;
        if (rank == NO_RANK) break;
        y[best].n += y[best + 1].n;
        y[best].id = p[best].id;
        n--;
        memmove(&y[best + 1], &y[best + 2], (n - best - 1) * sizeof *y);
        if (best + 1 < n) memmove(&p[best + 1], &p[best + 2], (n - best - 2) * sizeof *p);
        if (best + 1 < n) p[best] = look(j, &y[best], &y[best + 1]);
        if (best) p[best - 1] = look(j, &y[best - 1], &y[best]);
    }
    for (size_t i = 0; i < n; i++) put_sym(j, &y[i]);
    if (single && n == 1) *single = y[0].id;
}

/* ---- long pieces ---- */

struct link {
    struct sym y;
    uint32_t prev, next; /* indices; UINT32_MAX: none */
};

struct cand {
    uint64_t key; /* rank << 32 | index of the left symbol */
    uint32_t n;   /* bytes of both */
    int32_t id;
};

struct heap {
    struct cand *c;
    size_t n;
};

static void heap_push(struct heap *h, struct cand c)
{
    size_t i = h->n++;
    for (; i && h->c[(i - 1) / 2].key > c.key; i = (i - 1) / 2) h->c[i] = h->c[(i - 1) / 2];
    h->c[i] = c;
}

static struct cand heap_pop(struct heap *h)
{
    struct cand top = h->c[0], last = h->c[--h->n];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < h->n; i = k) {
        if (k + 1 < h->n && h->c[k + 1].key < h->c[k].key) k++;
        if (h->c[k].key >= last.key) break;
        h->c[i] = h->c[k];
    }
    if (h->n) h->c[i] = last;
    return top;
}

static void consider(const struct job *j, struct heap *h, const struct link *l, uint32_t left)
{
    uint32_t right = l[left].next;
    if (right == UINT32_MAX) return;
    struct pair p = look(j, &l[left].y, &l[right].y);
    if (p.rank == NO_RANK) return;
    heap_push(h, (struct cand){ (uint64_t)p.rank << 32 | left, l[left].y.n + l[right].y.n, p.id });
}

static void merge_all(const struct job *j, struct heap *h, struct link *l)
{
    while (h->n) {
        struct cand c = heap_pop(h);
        uint32_t left = (uint32_t)c.key, right = l[left].next;
        if (!l[left].y.n || right == UINT32_MAX || l[left].y.n + l[right].y.n != c.n) continue;
        l[left].y.n = c.n;
        l[left].y.id = c.id;
        l[left].next = l[right].next;
        if (l[right].next != UINT32_MAX) l[l[right].next].prev = left;
        l[right].y.n = 0; /* gone */
        consider(j, h, l, left);
        if (l[left].prev != UINT32_MAX) consider(j, h, l, l[left].prev);
    }
}

static void run_long(struct job *j, int32_t *single)
{
    struct sym *y = malloc(j->n * sizeof *y);
    struct link *l = malloc(j->n * sizeof *l);
    struct heap h = { .c = malloc(3 * j->n * sizeof *h.c) }; /* n - 1, and two a merge */
    if (!y || !l || !h.c) {
        j->o->nomem = true;
        goto out;
    }
    size_t n = first_syms(j, y);
    for (size_t i = 0; i < n; i++)
        l[i] = (struct link){ y[i], i ? (uint32_t)i - 1 : UINT32_MAX,
                              i + 1 < n ? (uint32_t)i + 1 : UINT32_MAX };
    for (size_t i = 0; i + 1 < n; i++) consider(j, &h, l, (uint32_t)i);
    merge_all(j, &h, l);
    for (uint32_t i = 0; i != UINT32_MAX; i = l[i].next) put_sym(j, &l[i].y);
    if (single && l[0].next == UINT32_MAX) *single = l[0].y.id;
out:
    free(y);
    free(l);
    free(h.c);
}

static void run(struct job *j, int32_t *single)
{
    if (j->n <= SHORT) run_short(j, single);
    else run_long(j, single);
}

void tok_merge_piece(const struct tokenizer *t, const char *s, size_t at, size_t n,
                     struct tok_out *o)
{
    struct job j = { .t = t, .s = s, .at = at, .n = n, .ban = -1, .o = o };
    int32_t id = t->has_unused ? -1 : tok_find(t, s + at, n), got = -1;
    if (id < 0) {
        run(&j, NULL);
        return;
    }
    unsigned char whole = t->ignore_merges ? 1 : __atomic_load_n(&t->whole[id], __ATOMIC_RELAXED);
    if (whole == 1) {
        tok_put(o, id, at);
        return;
    }
    run(&j, &got);
    if (!whole && !o->nomem) __atomic_store_n(&t->whole[id], got == id ? 1 : 2, __ATOMIC_RELAXED);
}

void tok_put_bytes(const struct tokenizer *t, const char *s, size_t at, size_t n, struct tok_out *o)
{
    bool all = true;
    for (size_t i = at; i < at + n; i++) all &= t->byte_id[(unsigned char)s[i]] >= 0;
    if (!all) {
        if (t->unk >= 0) tok_put(o, t->unk, at);
        return;
    }
    for (size_t i = at; i < at + n; i++) tok_put(o, t->byte_id[(unsigned char)s[i]], i);
}
