/* Stacks and states of the schema automaton.
 *
 * A stack of frames says where in the grammar the text stands: what is on top, and what follows
 * when that is done. Frames are kept once (equal frames have one number), so stacks that end alike
 * share their ends and are compared by number. A state is the set of stacks that the text so far
 * allows, all with something on top that takes a byte; states too are kept once, and their
 * transitions are remembered, so walking a vocabulary over a state is mostly table look-ups.
 *
 * The cost of a frame is the length of the shortest text that completes it and all below it. By
 * construction each stack of a cost n has a byte that leads to a stack of cost n - 1.
 *
 * Frames of CHARS: c says how far within a UTF-8 character or an escape. Frames of EXTRA: a is the
 * set of names taken, c 1 when no member stands before. Frames of KEY: a = set << 32 | name so far,
 * in the trie of names that are taken; FREE when it is none of them any more; c as in CHARS. The
 * name of a free key is only known when the text is; trying a token, it is taken for new. That is
 * the one place where a mask may allow what the schema does not, a token that holds a whole name
 * and then the same name again, and schema_take finds it. */
#include "model/schema_impl.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define FREE UINT32_MAX

static bool room(struct pool *p, void **at, uint32_t *cap, uint32_t n, size_t size)
{
    if (n < *cap) return true;
    uint32_t want = *cap ? *cap * 2 : 256;
    void *q = realloc(*at, want * size);
    if (!q) {
        p->failed = true;
        return false;
    }
    *at = q;
    *cap = want;
    return true;
}

void pool_free(struct pool *p)
{
    for (uint32_t i = 0; i < p->n_state; i++) free(p->state[i].edge);
    free(p->frame);
    free(p->frame_hash);
    free(p->state);
    free(p->state_hash);
    free(p->top);
    free(p->work);
    *p = (struct pool){ 0 };
}

/* Room in a table of numbers for one more than n; put in anew by the caller when it grew. */
static bool table_room(struct pool *p, uint32_t **t, uint32_t *mask, uint32_t n, bool *grew)
{
    *grew = !*t || n * 2 > *mask;
    if (!*grew) return true;
    uint32_t size = *t ? (*mask + 1) * 2 : 1024, *q = calloc(size, sizeof *q);
    if (!q) {
        p->failed = true;
        return false;
    }
    free(*t);
    *t = q;
    *mask = size - 1;
    return true;
}

/* ---- UTF-8 and escapes ---- 0: between characters; else what may come is named by the state. */
enum { ESCAPE = 1, TAIL1, TAIL2, TAIL3, AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4 };

static int char_next(int c, uint8_t b, bool escapes)
{
    bool tail = b >= 0x80 && b <= 0xBF;
    switch (c) {
    case 0:
        if (b == '\\') return escapes ? ESCAPE : -1;
        if (b < 0x20 || b == '"') return -1;
        if (b < 0x80) return 0;
        if (b >= 0xC2 && b <= 0xDF) return TAIL1;
        if (b == 0xE0) return AFTER_E0;
        if (b == 0xED) return AFTER_ED;
        if (b >= 0xE1 && b <= 0xEF) return TAIL2;
        if (b == 0xF0) return AFTER_F0;
        if (b >= 0xF1 && b <= 0xF3) return TAIL3;
        return b == 0xF4 ? AFTER_F4 : -1;
    case ESCAPE: return b && strchr("\"\\/bfnrt", b) ? 0 : -1;
    case TAIL1: return tail ? 0 : -1;
    case TAIL2: return tail ? TAIL1 : -1;
    case TAIL3: return tail ? TAIL2 : -1;
    case AFTER_E0: return tail && b >= 0xA0 ? TAIL1 : -1;
    case AFTER_ED: return tail && b <= 0x9F ? TAIL1 : -1;
    case AFTER_F0: return tail && b >= 0x90 ? TAIL2 : -1;
    default: return tail && b <= 0x8F ? TAIL2 : -1;
    }
}

static uint32_t char_left(int c)
{
    static const uint8_t left[] = { 0, 1, 1, 2, 3, 2, 2, 3, 3 };
    return left[c];
}

/* ---- frames ---- */

static uint32_t name_next(const struct grammar *g, uint32_t name, uint8_t b)
{
    const uint64_t *to = name == FREE ? NULL : map_get(&g->names, (uint64_t)name << 8 | b);
    return to && *to ? (uint32_t)*to : FREE;
}

/* Bytes that a name still needs: its quote, and one more where it is empty or taken. */
static uint32_t key_left(const struct grammar *g, const struct frame *f)
{
    uint32_t set = (uint32_t)(f->a >> 32), name = (uint32_t)f->a;
    if (f->c) return char_left(f->c) + 1;
    if (name == FREE) return 1;
    if (name != 1 && !grammar_set_has(g, set, name)) return 1;
    for (int b = '0'; b <= 'z'; b++) {
        uint32_t to = b == '\\' ? 0 : name_next(g, name, (uint8_t)b);
        if (to == FREE || (to && !grammar_set_has(g, set, to))) return 2;
    }
    return SCHEMA_INF; /* one-letter additions are all taken: not this way */
}

static uint32_t own_cost(const struct grammar *g, const struct frame *f)
{
    const struct node *v = &g->node[f->node];
    uint64_t cost = 0;
    switch (v->kind) {
    case NODE_LIT: return v->n_kids - (uint32_t)f->a;
    case NODE_SEQ:
        for (uint32_t i = (uint32_t)f->a; i < v->n_kids; i++)
            cost += g->node[g->kid[v->kids + i]].shortest;
        break;
    case NODE_REP: cost = (uint64_t)f->a * g->node[g->kid[v->kids]].shortest; break;
    case NODE_CHARS: /* the character that is being written counts as needed until it is done */
        cost = (uint64_t)f->a + char_left(f->c) - (f->c && f->a > 0);
        break;
    case NODE_NUM: return number_shortest(v, (struct digits){ f->a, f->b, f->c });
    case NODE_KEY: /* then colon and value */
        cost = (uint64_t)key_left(g, f) + 1 + g->node[g->kid[g->node[v->kids].kids + 3]].shortest;
        break;
    case NODE_ALT: return v->shortest;
    case NODE_EXTRA: return 0;
    }
    return cost < SCHEMA_INF ? (uint32_t)cost : SCHEMA_INF;
}

static bool frame_equal(const struct frame *x, const struct frame *y)
{
    return x->parent == y->parent && x->node == y->node && x->a == y->a && x->b == y->b &&
           x->c == y->c;
}

static uint32_t frame_hash(const struct frame *f)
{
    uint64_t h = f->parent * 0x9E3779B97F4A7C15u ^ (uint64_t)f->node << 32;
    h = (h ^ (uint64_t)f->a) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 29 ^ (uint64_t)(uint32_t)f->b << 8 ^ (uint32_t)f->c) * 0x94D049BB133111EBu;
    return (uint32_t)(h >> 32);
}

static void frame_put(struct pool *p, uint32_t id)
{
    uint32_t i = frame_hash(&p->frame[id]) & p->frame_mask;
    while (p->frame_hash[i]) i = (i + 1) & p->frame_mask;
    p->frame_hash[i] = id;
}

/* The number of a frame; 0, which is the bottom, when memory is short (failed says so). */
static uint32_t frame_of(struct pool *p, const struct grammar *g, struct frame f)
{
    bool grew;
    if (!p->n_frame) p->n_frame = 1;
    if (!table_room(p, &p->frame_hash, &p->frame_mask, p->n_frame, &grew)) return 0;
    for (uint32_t i = 1; grew && i < p->n_frame; i++) frame_put(p, i);
    uint32_t i = frame_hash(&f) & p->frame_mask;
    for (; p->frame_hash[i]; i = (i + 1) & p->frame_mask)
        if (frame_equal(&p->frame[p->frame_hash[i]], &f)) return p->frame_hash[i];
    if (!room(p, (void **)&p->frame, &p->cap_frame, p->n_frame, sizeof f)) return 0;
    uint64_t cost = (uint64_t)own_cost(g, &f) + (f.parent ? p->frame[f.parent].cost : 0);
    f.cost = cost < SCHEMA_INF ? (uint32_t)cost : SCHEMA_INF;
    f.clamped = 0;
    p->frame[p->n_frame] = f;
    p->frame_hash[i] = p->n_frame;
    return p->n_frame++;
}

/* The frame that begins a node over parent. */
static uint32_t begin(struct pool *p, const struct grammar *g, uint32_t node, uint32_t parent)
{
    const struct node *v = &g->node[node];
    struct frame f = { .parent = parent, .node = node };
    if (v->kind == NODE_REP || v->kind == NODE_CHARS) {
        f.a = v->min;
        f.b = v->max;
    } else if (v->kind == NODE_EXTRA) {
        f.a = v->set;
        f.c = v->max;
    }
    return frame_of(p, g, f);
}

/* ---- states ---- */

static void add_top(struct pool *p, uint32_t f)
{
    if (p->frame[f].cost >= SCHEMA_INF) return;
    for (uint32_t i = 0; i < p->n_work; i++)
        if (p->work[i] == f) return;
    if (room(p, (void **)&p->work, &p->cap_work, p->n_work, sizeof *p->work))
        p->work[p->n_work++] = f;
}

static void expand(struct pool *p, const struct grammar *g, uint32_t at);

/* A further member: comma, quote, name, colon, value, and then more of them. */
static void expand_extra(struct pool *p, const struct grammar *g, struct frame f)
{
    const struct node *v = &g->node[f.node];
    const uint32_t *kid = g->kid + v->kids;
    if (g->node[kid[3]].shortest >= SCHEMA_INF) return;
    uint32_t key = frame_of(
        p, g, (struct frame){ .parent = f.parent, .node = (uint32_t)v->lo, .a = f.a << 32 | 1 });
    uint32_t top = begin(p, g, kid[1], key);
    if (!f.c) top = begin(p, g, kid[0], top);
    if (!p->failed) expand(p, g, top);
}

/* Add to the state that is being made all stacks that `at` stands for. */
static void expand(struct pool *p, const struct grammar *g, uint32_t at)
{
    if (p->failed) return;
    if (!at) {
        p->work_whole = true;
        return;
    }
    struct frame f = p->frame[at];
    const struct node *v = &g->node[f.node];
    const uint32_t *kid = g->kid + v->kids;
    switch (v->kind) {
    case NODE_LIT:
    case NODE_KEY: add_top(p, at); break;
    case NODE_NUM:
        if (number_shortest(v, (struct digits){ f.a, f.b, f.c }) == 0) expand(p, g, f.parent);
        add_top(p, at);
        break;
    case NODE_CHARS:
        if (f.a == 0 && f.c == 0) expand(p, g, f.parent);
        if (f.b != 0 || f.c) add_top(p, at);
        break;
    case NODE_SEQ:
        if (f.a >= v->n_kids) {
            expand(p, g, f.parent);
            break;
        }
        if (f.a + 1 < v->n_kids)
            f.parent =
                frame_of(p, g, (struct frame){ .parent = f.parent, .node = f.node, .a = f.a + 1 });
        if (!p->failed) expand(p, g, begin(p, g, kid[f.a], f.parent));
        break;
    case NODE_ALT:
        for (uint32_t i = 0; i < v->n_kids && !p->failed; i++)
            if (g->node[kid[i]].shortest < SCHEMA_INF) expand(p, g, begin(p, g, kid[i], f.parent));
        break;
    case NODE_REP:
        if (f.a == 0) expand(p, g, f.parent);
        if (f.b != 0 && g->node[kid[0]].shortest < SCHEMA_INF) {
            f.a -= f.a > 0;
            f.b -= f.b > 0;
            uint32_t rest = frame_of(p, g, f);
            if (!p->failed) expand(p, g, begin(p, g, kid[0], rest));
        }
        break;
    case NODE_EXTRA:
        expand(p, g, f.parent);
        expand_extra(p, g, f);
        break;
    }
}

static uint32_t state_hash(const uint32_t *top, uint32_t n, bool whole)
{
    return (uint32_t)(hash64(top, n * sizeof *top, whole) >> 32);
}

static void state_put(struct pool *p, uint32_t id)
{
    const struct state *s = &p->state[id];
    uint32_t i = state_hash(p->top + s->tops, s->n, s->whole) & p->state_mask;
    while (p->state_hash[i]) i = (i + 1) & p->state_mask;
    p->state_hash[i] = id;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void begin_state(struct pool *p)
{
    p->n_work = 0;
    p->work_whole = false;
}

/* The number of the state that was made; 0 when memory is short. */
static uint32_t end_state(struct pool *p, const struct grammar *g)
{
    bool grew;
    if (p->failed) return 0;
    if (!p->n_work && !p->work_whole) return STATE_DEAD;
    if (p->n_state < 2) {
        if (!room(p, (void **)&p->state, &p->cap_state, 2, sizeof *p->state)) return 0;
        memset(p->state, 0, 2 * sizeof *p->state);
        p->n_state = 2;
    }
    if (p->n_work) qsort(p->work, p->n_work, sizeof *p->work, by_number);
    if (!table_room(p, &p->state_hash, &p->state_mask, p->n_state, &grew)) return 0;
    for (uint32_t i = 2; grew && i < p->n_state; i++) state_put(p, i);
    uint32_t i = state_hash(p->work, p->n_work, p->work_whole) & p->state_mask, id;
    for (; (id = p->state_hash[i]); i = (i + 1) & p->state_mask) {
        const struct state *s = &p->state[id];
        if (s->n == p->n_work && s->whole == p->work_whole &&
            (!s->n || !memcmp(p->top + s->tops, p->work, s->n * sizeof *p->work)))
            return id;
    }
    struct state s = { .tops = p->n_top, .n = p->n_work, .whole = p->work_whole };
    s.cost = s.whole ? 0 : SCHEMA_INF;
    for (uint32_t k = 0; k < p->n_work; k++) {
        const struct frame *f = &p->frame[p->work[k]];
        if (f->cost < s.cost) s.cost = f->cost;
        s.free_key |= g->node[f->node].kind == NODE_KEY && (uint32_t)f->a == FREE;
        if (!room(p, (void **)&p->top, &p->cap_top, p->n_top, sizeof *p->top)) return 0;
        p->top[p->n_top++] = p->work[k];
    }
    if (!room(p, (void **)&p->state, &p->cap_state, p->n_state, sizeof s)) return 0;
    p->state[p->n_state] = s;
    p->state_hash[i] = p->n_state;
    return p->n_state++;
}

uint32_t state_start(struct pool *p, struct grammar *g)
{
    begin_state(p);
    expand(p, g, begin(p, g, g->root, 0));
    return end_state(p, g);
}

/* The quote that ends a name: the name is taken, colon and value follow. */
static void end_key(struct pool *p, struct grammar *g, struct frame f, const struct buf *text)
{
    uint32_t set = (uint32_t)(f.a >> 32), name = (uint32_t)f.a;
    const struct node *key = &g->node[f.node], *extra = &g->node[key->kids];
    const uint32_t *kid = g->kid + extra->kids;
    if (name == 1) return; /* empty */
    if (name == FREE && text) {
        size_t from = text->n;
        while (from && text->p[from - 1] != '"') from--;
        name = grammar_name(g, text->p + from, text->n - from);
        if (!name) p->failed = true;
    }
    if (name != FREE && grammar_set_has(g, set, name)) return;
    if (name != FREE && !(set = grammar_set_add(g, set, name))) p->failed = true;
    if (p->failed) return;
    uint32_t more =
        frame_of(p, g, (struct frame){ .parent = f.parent, .node = key->kids, .a = set });
    if (!p->failed) more = begin(p, g, kid[3], more);
    if (!p->failed) more = begin(p, g, kid[2], more);
    if (!p->failed) expand(p, g, more);
}

static void step_top(struct pool *p, struct grammar *g, uint32_t at, uint8_t b,
                     const struct buf *text)
{
    struct frame f = p->frame[at];
    const struct node *v = &g->node[f.node];
    if (v->kind == NODE_LIT) {
        if ((uint8_t)g->bytes.p[v->kids + (uint32_t)f.a] != b) return;
        f.a++;
        if (f.a == v->n_kids) {
            expand(p, g, f.parent);
            return;
        }
    } else if (v->kind == NODE_NUM) {
        struct digits d = { f.a, f.b, f.c };
        if (!number_take(v, &d, b)) return;
        f.a = d.v;
        f.b = d.n;
        f.c = d.part;
    } else if (v->kind == NODE_KEY && b == '"' && !f.c) {
        end_key(p, g, f, text);
        return;
    } else {
        bool chars = v->kind == NODE_CHARS;
        if (chars && !f.c && f.b == 0) return;
        f.c = char_next(f.c, b, chars);
        if (f.c < 0) return;
        if (!chars) f.a = (f.a >> 32) * ((int64_t)1 << 32) | name_next(g, (uint32_t)f.a, b);
        if (chars && !f.c) {
            f.a -= f.a > 0;
            f.b -= f.b > 0;
        }
    }
    uint32_t to = frame_of(p, g, f);
    if (!p->failed) expand(p, g, to);
}

uint32_t state_step(struct pool *p, struct grammar *g, uint32_t state, uint8_t b,
                    const struct buf *text)
{
    struct state *s = &p->state[state];
    if (state == STATE_DEAD) return STATE_DEAD;
    bool named = s->free_key && b == '"' && text; /* depends on more than the state */
    if (!s->edge && !(s->edge = calloc(256, sizeof *s->edge))) {
        p->failed = true;
        return 0;
    }
    if (!named && s->edge[b]) return s->edge[b];
    begin_state(p);
    for (uint32_t i = 0, n = s->n, tops = s->tops; i < n; i++)
        step_top(p, g, p->top[tops + i], b, text);
    uint32_t to = end_state(p, g);
    if (!named && to) p->state[state].edge[b] = to;
    return to;
}

/* Frames below the top too: a token may end several things. */
static uint32_t clamp_frame(struct pool *p, const struct grammar *g, uint32_t at, int longest)
{
    if (!at || p->failed) return 0;
    if (p->frame[at].clamped) return p->frame[at].clamped;
    struct frame f = p->frame[at];
    enum node_kind kind = g->node[f.node].kind;
    f.parent = clamp_frame(p, g, f.parent, longest);
    if (kind == NODE_REP || kind == NODE_CHARS) {
        if (f.a > longest) f.a = longest;
        if (f.b > longest) f.b = -1;
    }
    uint32_t to = p->failed ? 0 : frame_of(p, g, f);
    if (to) p->frame[at].clamped = to;
    return to;
}

uint32_t state_clamp(struct pool *p, const struct grammar *g, uint32_t state, int longest)
{
    begin_state(p);
    p->work_whole = p->state[state].whole;
    for (uint32_t i = 0; i < p->state[state].n && !p->failed; i++) {
        uint32_t f = clamp_frame(p, g, p->top[p->state[state].tops + i], longest);
        if (!p->failed) add_top(p, f);
    }
    return end_state(p, g);
}

static uint32_t move_frame(struct pool *to, const struct grammar *g, const struct pool *from,
                           uint32_t at)
{
    if (!at || to->failed) return 0;
    struct frame f = from->frame[at];
    f.parent = move_frame(to, g, from, f.parent);
    return to->failed ? 0 : frame_of(to, g, f);
}

uint32_t state_move(struct pool *to, const struct grammar *g, const struct pool *from,
                    uint32_t state)
{
    const struct state *s = &from->state[state];
    begin_state(to);
    to->work_whole = s->whole;
    for (uint32_t i = 0; i < s->n && !to->failed; i++) {
        uint32_t f = move_frame(to, g, from, from->top[s->tops + i]);
        if (!to->failed) add_top(to, f);
    }
    return end_state(to, g);
}
