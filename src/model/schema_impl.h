/* What the files of the schema automaton share: the grammar that a schema becomes, stacks and
 * states of the automaton over it, and the trie of the vocabulary. schema.c explains them. */
#ifndef LK_MODEL_SCHEMA_IMPL_H
#define LK_MODEL_SCHEMA_IMPL_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "model/schema.h"

#define SCHEMA_INF ((uint32_t)1 << 28) /* bytes: never */

enum node_kind {
    NODE_LIT,   /* these bytes */
    NODE_SEQ,   /* kids, one after the other; none: nothing */
    NODE_ALT,   /* one of the kids */
    NODE_REP,   /* kid 0, min to max times */
    NODE_CHARS, /* min to max characters of a string */
    NODE_NUM,   /* a number from lo to hi, in units of 1 (integer) or 10^-6 */
    NODE_EXTRA, /* further members of an object. Kids: comma, quote, colon, value */
    NODE_KEY,   /* the rest of such a member's name with its closing quote; node of its EXTRA */
};

struct node {
    enum node_kind kind;
    uint32_t kids, n_kids; /* in grammar.kid; LIT: in grammar.bytes */
    int32_t min, max;      /* max -1: no end; EXTRA: max 1 when no member stands before */
    int64_t lo, hi;
    bool integer;
    uint32_t set;      /* EXTRA: names that are taken */
    uint32_t shortest; /* bytes */
};

struct grammar {
    struct node *node;
    uint32_t n, cap;
    uint32_t *kid;
    uint32_t n_kid, cap_kid;
    struct buf bytes;
    uint32_t root;
    /* Names taken in objects: a trie of their bytes, and lists that share their ends. */
    struct map names; /* (trie node << 8 | byte) -> trie node; the root is 1 */
    uint32_t n_names;
    struct name_set {
        uint32_t name, rest; /* rest 0: no more */
    } * set;
    uint32_t n_set, cap_set;
};

/* One element of a stack, shared by all stacks that end alike. */
struct frame {
    uint32_t parent; /* 0: the bottom */
    uint32_t node;
    int64_t a;        /* LIT, SEQ: next; REP, CHARS: still needed; NUM: digits; EXTRA, KEY: set */
    int32_t b, c;     /* REP, CHARS: b still allowed (-1: any); see schema_state.c */
    uint32_t cost;    /* bytes of the shortest end from here down to the bottom */
    uint32_t clamped; /* the same for one token; 0: not known yet */
};
struct state {
    uint32_t tops, n; /* in pool.top: the stacks that may go on, ascending */
    uint32_t cost;    /* of the cheapest */
    bool whole;       /* may end here */
    bool free_key;    /* an object's further name is being written that is no known one */
    uint32_t *edge;   /* [256] next state, 0: not known yet; or NULL */
};
enum { STATE_DEAD = 1 };

struct pool { /* all that is derived while stepping; thrown away when large */
    struct frame *frame;
    uint32_t n_frame, cap_frame, *frame_hash, frame_mask;
    struct state *state;
    uint32_t n_state, cap_state, *state_hash, state_mask;
    uint32_t *top;
    uint32_t n_top, cap_top;
    uint32_t *work; /* the state that is being made */
    uint32_t n_work, cap_work;
    bool work_whole, failed; /* failed: out of memory */
};

struct trie_node {
    int32_t token; /* -1: none ends here */
    uint32_t next; /* node after this one's descendants */
    uint8_t byte;
};
struct schema_vocab {
    const struct tokenizer *k;
    int size, longest, n_ends;
    int32_t *same; /* [size] another token of the same bytes, -1 */
    int32_t *ends; /* tokens that end an answer */
    struct trie_node *trie;
    uint32_t n_trie;
    bool single[256]; /* there is a token of just this byte */
};

/* schema_compile.c */
int grammar_compile(struct grammar *g, const char *json, size_t n, struct err *err);
void grammar_free(struct grammar *g);
uint32_t grammar_name(struct grammar *g, const char *s, size_t n); /* 0: out of memory */
uint32_t grammar_set_add(struct grammar *g, uint32_t set, uint32_t name);
bool grammar_set_has(const struct grammar *g, uint32_t set, uint32_t name);

/* schema_number.c: a NUM frame's a, b, c. */
struct digits {
    int64_t v;
    int32_t n;    /* digits of the part that is being written */
    int32_t part; /* 0 nothing, 1 "-", 2 whole, 3 fraction; + 4 when negative */
};
uint32_t number_shortest(const struct node *num, struct digits d); /* bytes to a valid end */
bool number_take(const struct node *num, struct digits *d, uint8_t byte);

/* schema_state.c. Schemas are stepped in two ways: for real (text: what was written, for names),
 * and to see what a token would do (text NULL). */
void pool_free(struct pool *p);
uint32_t state_start(struct pool *p, struct grammar *g);
uint32_t state_step(struct pool *p, struct grammar *g, uint32_t state, uint8_t byte,
                    const struct buf *text);
/* The state in which counters that one token cannot exhaust are forgotten: equal masks. */
uint32_t state_clamp(struct pool *p, const struct grammar *g, uint32_t state, int longest);
/* The same state in another pool. */
uint32_t state_move(struct pool *to, const struct grammar *g, const struct pool *from,
                    uint32_t state);

#endif
