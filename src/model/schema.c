/* Answers constrained by a JSON schema.
 *
 * schema_compile.c makes a grammar of the schema, schema_state.c a deterministic automaton of the
 * grammar as it goes along (numbers within bounds: schema_number.c), and here a state becomes a
 * mask over the vocabulary. The vocabulary is a trie in preorder: a walk over it steps the
 * automaton once for each node whose beginning is allowed and jumps over all that begins with a
 * byte that is not. In most states that is a few hundred nodes; within a free string nearly all,
 * some milliseconds, which is why masks are kept. Counters are cut to what one token can use up
 * first (state_clamp), so that "up to 1,000 characters" has one mask, not a thousand.
 *
 * Ending in time. The cost of a state is the length in bytes of its shortest end, and every byte
 * that the grammar uses is a token of its own, so a state of cost n can be closed with n tokens. A
 * token is let through only if the state after it costs no more than the tokens that then remain;
 * the token for the first byte of a shortest end always is. While plenty remain this needs no look
 * at single tokens: each mask knows by how much its worst token raises the cost. Near the end the
 * mask is made anew with that condition, and what is left is what closes the document as short as
 * possible.
 *
 * Memory: states and masks are dropped when there are many of them, and made again. */
#include "model/schema_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MASKS = 64, STATES_MAX = 4096, FRAMES_MAX = 1 << 20, TOKEN_MAX = 4096 };

struct mask {
    uint32_t state; /* clamped; 0: unused */
    uint32_t raise; /* by how much the cost rises at most */
    uint64_t used;
    uint32_t *bits;
};

struct schema {
    const struct schema_vocab *v;
    struct grammar g;
    struct pool p;
    uint32_t state;
    struct buf text; /* what was taken */
    struct mask mask[MASKS];
    uint64_t clock;
    uint32_t *tight; /* the mask of a state near its end */
    uint32_t *at;    /* [longest + 1] states along the walk */
    uint32_t *last;  /* [longest + 1] where their subtrees end */
    size_t words;
};

/* ---- the vocabulary ---- */

struct entry {
    struct span s;
    int32_t id;
};

static int by_bytes(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    size_t n = x->s.n < y->s.n ? x->s.n : y->s.n;
    int c = memcmp(x->s.p, y->s.p, n);
    if (c) return c;
    if (x->s.n != y->s.n) return x->s.n < y->s.n ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Tokens that have text, by their bytes. */
static struct entry *sorted(struct schema_vocab *v, size_t *n)
{
    struct entry *e = calloc((size_t)v->size + 1, sizeof *e);
    *n = 0;
    for (int32_t id = 0; e && id < v->size; id++) {
        if (tokenizer_ends(v->k, id)) v->ends[v->n_ends++] = id;
        if (tokenizer_special(v->k, id) || tokenizer_ends(v->k, id)) continue;
        struct span s = tokenizer_bytes(v->k, id);
        if (!s.n || s.n > TOKEN_MAX) continue;
        e[(*n)++] = (struct entry){ s, id };
        if (s.n == 1) v->single[(uint8_t)*s.p] = true;
        if ((int)s.n > v->longest) v->longest = (int)s.n;
    }
    if (e) qsort(e, *n, sizeof *e, by_bytes);
    return e;
}

/* Nodes in preorder; a token's new nodes are those after what it shares with the one before. */
static int build_trie(struct schema_vocab *v, const struct entry *e, size_t n)
{
    size_t most = 0;
    uint32_t *open = calloc((size_t)v->longest + 1, sizeof *open); /* nodes of the last token */
    int depth = 0;
    for (size_t i = 0; i < n; i++) most += e[i].s.n;
    v->trie = malloc((most + 1) * sizeof *v->trie);
    if (!open || !v->trie) {
        free(open);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        int share = 0;
        while (i && share < depth && share < (int)e[i].s.n &&
               e[i].s.p[share] == e[i - 1].s.p[share])
            share++;
        while (depth > share) v->trie[open[--depth]].next = v->n_trie;
        for (; depth < (int)e[i].s.n; depth++) {
            open[depth] = v->n_trie;
            v->trie[v->n_trie++] =
                (struct trie_node){ .token = -1, .byte = (uint8_t)e[i].s.p[depth] };
        }
        if (depth < 1) continue; /* no token is empty */
        struct trie_node *last = &v->trie[open[depth - 1]];
        v->same[e[i].id] = last->token;
        last->token = e[i].id;
    }
    while (depth > 0) v->trie[open[--depth]].next = v->n_trie;
    free(open);
    struct trie_node *fit = realloc(v->trie, (v->n_trie + 1) * sizeof *fit);
    if (fit) v->trie = fit;
    return 0;
}

int schema_vocab_new(const struct tokenizer *k, struct schema_vocab **out, struct err *err)
{
    *out = NULL;
    struct schema_vocab *v = calloc(1, sizeof *v);
    size_t n = 0;
    if (!v) return err_nomem(err);
    v->k = k;
    v->size = tokenizer_size(k);
    v->same = malloc((size_t)v->size * sizeof *v->same);
    v->ends = malloc((size_t)v->size * sizeof *v->ends);
    struct entry *e = v->same && v->ends ? sorted(v, &n) : NULL;
    int rc = e ? build_trie(v, e, n) : ERR_NOMEM;
    if (rc) err_nomem(err);
    for (int b = 0x20; !rc && b < 0x7F; b++)
        if (!v->single[b])
            rc = err_set(err, ERR_INVAL,
                         "the model cannot answer by a schema: it has no token for '%c' alone", b);
    free(e);
    if (rc) schema_vocab_free(v);
    else *out = v;
    return rc;
}

void schema_vocab_free(struct schema_vocab *v)
{
    if (!v) return;
    free(v->same);
    free(v->ends);
    free(v->trie);
    free(v);
}

/* ---- states ---- */

int schema_open(const struct schema_vocab *v, const char *json, size_t n, struct schema **out,
                struct err *err)
{
    *out = NULL;
    struct schema *s = calloc(1, sizeof *s);
    if (!s) return err_nomem(err);
    s->v = v;
    s->text = BUF_INIT((size_t)64 << 20);
    s->words = ((size_t)v->size + 31) / 32;
    s->tight = calloc(s->words, sizeof *s->tight);
    s->at = calloc((size_t)v->longest + 2, sizeof *s->at);
    s->last = calloc((size_t)v->longest + 2, sizeof *s->last);
    int rc = s->tight && s->at && s->last ? grammar_compile(&s->g, json, n, err) : err_nomem(err);
    if (!rc && !(s->state = state_start(&s->p, &s->g))) rc = err_nomem(err);
    if (rc) schema_free(s);
    else *out = s;
    return rc;
}

static void drop_masks(struct schema *s)
{
    for (int i = 0; i < MASKS; i++) {
        free(s->mask[i].bits);
        s->mask[i] = (struct mask){ 0 };
    }
}

void schema_free(struct schema *s)
{
    if (!s) return;
    drop_masks(s);
    pool_free(&s->p);
    grammar_free(&s->g);
    buf_free(&s->text);
    free(s->tight);
    free(s->at);
    free(s->last);
    free(s);
}

int schema_shortest(const struct schema *s) { return (int)s->g.node[s->g.root].shortest; }

int schema_start(struct schema *s, int max_tokens, struct err *err)
{
    buf_clear(&s->text);
    s->state = state_start(&s->p, &s->g);
    if (!s->state) return err_nomem(err);
    if (schema_shortest(s) > max_tokens)
        return err_set(err, ERR_LIMIT,
                       "the shortest answer by the schema may take %d tokens, and %d are allowed",
                       schema_shortest(s), max_tokens);
    return 0;
}

bool schema_whole(const struct schema *s) { return s->p.state[s->state].whole; }
bool schema_done(const struct schema *s)
{
    const struct state *st = &s->p.state[s->state];
    return st->whole && !st->n;
}

/* Too many states: keep the one we are in. 0 or ERR_NOMEM. */
static int tidy(struct schema *s)
{
    if (s->p.n_state < STATES_MAX && s->p.n_frame < FRAMES_MAX) return 0;
    struct pool fresh = { 0 };
    uint32_t state = state_move(&fresh, &s->g, &s->p, s->state);
    if (!state) {
        pool_free(&fresh);
        return ERR_NOMEM;
    }
    drop_masks(s);
    pool_free(&s->p);
    s->p = fresh;
    s->state = state;
    return 0;
}

int schema_take(struct schema *s, int32_t id)
{
    struct span b = id >= 0 && id < s->v->size ? tokenizer_bytes(s->v->k, id) : (struct span){ 0 };
    size_t had = s->text.n;
    uint32_t state = s->state;
    if (!b.n || tokenizer_special(s->v->k, id)) return ERR_INVAL;
    if (buf_reserve(&s->text, b.n)) return ERR_NOMEM;
    for (size_t i = 0; i < b.n; i++) {
        uint8_t byte = (uint8_t)b.p[i];
        state = s->v->single[byte] ? state_step(&s->p, &s->g, state, byte, &s->text) : STATE_DEAD;
        if (state <= STATE_DEAD) {
            s->text.n = had;
            return state ? ERR_INVAL : ERR_NOMEM;
        }
        buf_addc(&s->text, b.p[i]);
    }
    s->state = state;
    return 0;
}

/* ---- masks ---- */

/* Tokens that may come in `from` and leave a state that costs at most `most`. *highest: of the
 * costliest. False when memory is short. */
static bool walk(struct schema *s, uint32_t from, uint32_t most, uint32_t *bits, uint32_t *highest)
{
    const struct schema_vocab *v = s->v;
    int depth = 0;
    memset(bits, 0, s->words * sizeof *bits);
    *highest = 0;
    s->at[0] = from;
    s->last[0] = v->n_trie;
    for (uint32_t i = 0; i < v->n_trie;) {
        const struct trie_node *t = &v->trie[i];
        while (i >= s->last[depth]) depth--;
        uint32_t to = STATE_DEAD;
        const struct state *st = &s->p.state[s->at[depth]];
        if (st->edge && st->edge[t->byte]) to = st->edge[t->byte];
        else if (v->single[t->byte]) to = state_step(&s->p, &s->g, s->at[depth], t->byte, NULL);
        if (!to) return false;
        if (to == STATE_DEAD) {
            i = t->next;
            continue;
        }
        uint32_t cost = s->p.state[to].cost;
        if (t->token >= 0 && cost <= most) {
            if (cost > *highest) *highest = cost;
            for (int32_t id = t->token; id >= 0; id = v->same[id])
                bits[id / 32] |= (uint32_t)1 << id % 32;
        }
        if (t->next > ++i) {
            s->at[++depth] = to;
            s->last[depth] = t->next;
        }
    }
    if (s->p.state[from].whole)
        for (int i = 0; i < v->n_ends; i++) bits[v->ends[i] / 32] |= (uint32_t)1 << v->ends[i] % 32;
    return true;
}

static struct mask *mask_of(struct schema *s, uint32_t state)
{
    struct mask *m = &s->mask[0];
    for (int i = 0; i < MASKS; i++) {
        if (s->mask[i].state == state) {
            s->mask[i].used = ++s->clock;
            return &s->mask[i];
        }
        if (s->mask[i].used < m->used) m = &s->mask[i];
    }
    uint32_t highest, cost = s->p.state[state].cost;
    if (!m->bits && !(m->bits = malloc(s->words * sizeof *m->bits))) return NULL;
    m->state = 0;
    if (!walk(s, state, SCHEMA_INF, m->bits, &highest)) return NULL;
    m->raise = highest > cost ? highest - cost : 0;
    m->state = state;
    m->used = ++s->clock;
    return m;
}

const uint32_t *schema_mask(struct schema *s, int left)
{
    if (tidy(s)) return NULL;
    uint32_t state = state_clamp(&s->p, &s->g, s->state, s->v->longest), highest;
    if (!state) return NULL;
    struct mask *m = mask_of(s, state);
    if (!m) return NULL;
    /* Each stack's true cost is above its clamped one by the same amount before and after a token,
     * so the largest of these amounts bounds what the true cost can become. */
    uint32_t most = left > 1 ? (uint32_t)left - 1 : 0, above = 0;
    const struct state *now = &s->p.state[s->state];
    for (uint32_t i = 0; i < now->n; i++) {
        const struct frame *f = &s->p.frame[s->p.top[now->tops + i]];
        uint32_t off = f->cost - s->p.frame[f->clamped].cost;
        if (off > above) above = off;
    }
    if ((uint64_t)s->p.state[state].cost + m->raise + above <= most) return m->bits;
    return walk(s, s->state, most, s->tight, &highest) ? s->tight : NULL;
}
