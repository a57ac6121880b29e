/* What the files of the tokenizer share; nothing outside of them includes it.
 *
 * The vocabulary is kept as the bytes that tokens mean: "Ġthe" and "▁the" are " the". Encoders
 * write through a tok_out, which turns positions in normalised text back into positions in the
 * source. */
#ifndef LK_MODEL_TOK_IMPL_H
#define LK_MODEL_TOK_IMPL_H

#include "model/tokenizer.h"

#include <string.h>

/* ---- Unicode classes (tok_class.c) ---- */

enum { /* flags of a code point */
       TC_LETTER = 1,
       TC_NUMBER = 2,
       TC_SPACE = 4,    /* White_Space */
       TC_NL = 8,       /* \r \n */
       TC_PUNCT = 16,   /* general category P */
       TC_MN = 32,      /* nonspacing mark */
       TC_CONTROL = 64, /* general category C but Cn, \t \n \r */
       TC_CJK = 128,    /* an ideograph as BERT means it */
};

struct tok_classes {
    uint16_t page[0x1100];
    const uint8_t *of; /* [pages][256] */
};
extern struct tok_classes tok_classes;
int tok_classes_ready(void); /* 0, ERR_NOMEM; any thread, any number of times */
static inline int tok_class(uint32_t c)
{
    return tok_classes.of[(size_t)tok_classes.page[c >> 8] * 256 + (c & 255)];
}
/* The character at s: its class; *len gets its bytes. Broken bytes are of no class, one each. */
int tok_class_wide(const unsigned char *s, size_t n, int *len);
static inline int tok_class_at(const char *s, size_t n, int *len)
{
    unsigned char c = (unsigned char)s[0];
    *len = 1;
    return c < 0x80 ? tok_classes.of[(size_t)tok_classes.page[0] * 256 + c]
                    : tok_class_wide((const unsigned char *)s, n, len);
}
/* Its case, of ICU: a modifier, a letter without case and a mark are both. */
enum { TOK_UPPER = 1, TOK_LOWER = 2 };
int tok_case_at(const char *s, size_t n, int *len);
/* Bytes of the well-formed character at s (n > 0); 0 when broken. *c may be NULL. */
int tok_utf8(const unsigned char *s, size_t n, uint32_t *c);

/* ---- pre-tokenisers (tok_pre.c) ---- */

enum tok_pre {
    TOK_PRE_GPT2,
    TOK_PRE_LLAMA3,
    TOK_PRE_QWEN2,
    TOK_PRE_TEKKEN,
    TOK_PRE_DIGITS,
    TOK_PRE_DEFAULT
};
struct tok_pre_facts {
    const char *name;
    enum tok_pre pre;
    bool ignore_merges; /* a piece that is a token is that token */
    bool nfc;           /* text is brought to NFC first */
    bool bos;           /* begins with BOS where the file does not say */
};
const struct tok_pre_facts *tok_pre_by_name(struct span name); /* NULL: not known */
struct tok_cut {
    enum tok_pre pre;
    size_t limit; /* how far an outer split lets pieces reach; private, 0 at first */
};
/* Where the piece that begins at s[at] ends; at < n, and from call to call each end is the next
 * beginning. */
size_t tok_pre_next(struct tok_cut *cut, const char *s, size_t n, size_t at);

/* ---- vocabulary (tok_vocab.c) ---- */

struct tok_entry {
    uint32_t tag;
    int32_t id; /* -1: free */
    uint32_t at, n;
};
struct tok_map { /* bytes -> id */
    struct tok_entry *e;
    uint32_t mask;
};
struct tok_trie { /* edges in a hash table: node and byte -> node */
    struct tok_edge {
        uint32_t key, to; /* key: node << 8 | byte; to 0: free (no edge leads to a root) */
    } * e;
    uint32_t mask, nodes, used;
    int32_t *id; /* [nodes]: the token that ends here, or -1 */
    uint32_t cap;
};
struct tok_added { /* tokens found in text as they stand, before anything else */
    int32_t *id;   /* sorted by first byte, then longest first */
    int n;
    uint32_t first[257]; /* where those of a first byte begin */
};
struct tok_merges { /* pair -> rank and result */
    struct tok_merge {
        int32_t a, b; /* a -1: free */
        uint32_t rank;
        int32_t id;
    } * e;
    uint32_t mask;
};

enum { TOK_NORMAL = 1, TOK_UNKNOWN, TOK_CONTROL, TOK_USER, TOK_UNUSED, TOK_BYTE }; /* types */
enum { TOK_ENDS_MAX = 16 };

struct tokenizer {
    enum tokenizer_kind kind;
    enum tok_pre pre;
    bool pre_known;
    char pre_name[40];
    bool ignore_merges, nfc;
    bool space_prefix; /* a space is put before text */
    bool squeeze;      /* runs of spaces become one, none at the ends */
    bool lower;        /* lower case and no accents (WordPiece) */
    bool words;        /* no token holds a space after something else: words never join */
    bool bytes;        /* there is a token for each byte */
    bool has_unused;
    bool add_bos, add_eos;
    int n;
    char *text;   /* all tokens */
    uint32_t *at; /* [n + 1]: where each begins */
    uint8_t *type;
    float *score;
    unsigned char *whole; /* does a token's text encode to it alone? 0 not known yet, 1 yes, 2 no;
                             read and written atomically */
    struct tok_map map;   /* the tokens that text may become */
    struct tok_merges merges;
    struct tok_trie
        trie; /* unigram: one root, 0; WordPiece: 0 for begins of words, 1 for the rest */
    struct tok_added user, special; /* the latter: user and control */
    int32_t byte_id[256];
    int32_t bos, eos, unk, sep, cls, pad;
    int32_t ends[TOK_ENDS_MAX];
    int n_ends;
    float min_score, max_score; /* of normal tokens */
    unsigned char *charsmap;    /* SentencePiece's normaliser, or NULL: NFKC */
    size_t charsmap_n;
};

static inline struct span tok_text(const struct tokenizer *t, int32_t id)
{
    return (struct span){ t->text + t->at[id], t->at[id + 1] - t->at[id] };
}

static inline uint64_t tok_mix(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Of short strings; of no other use. */
static inline uint32_t tok_hash(const char *s, size_t n)
{
    uint64_t a = 0, b = 0, h = n;
    while (n > 16) {
        memcpy(&a, s, 8), memcpy(&b, s + 8, 8);
        h = tok_mix(a ^ h, b);
        s += 16, n -= 16;
    }
    if (n >= 8) {
        memcpy(&a, s, 8), memcpy(&b, s + n - 8, 8);
    } else if (n >= 4) {
        uint32_t x, y;
        memcpy(&x, s, 4), memcpy(&y, s + n - 4, 4);
        a = x, b = y;
    } else if (n) { /* of one character all three are the same */
        a = (unsigned char)s[0] | (uint64_t)(unsigned char)s[n / 2] << 8 |
            (uint64_t)(unsigned char)s[n - 1] << 16;
    }
    return (uint32_t)tok_mix(a ^ h, b + n);
}

/* The id of these bytes, -1 if text cannot become such a token. */
static inline int32_t tok_find_hash(const struct tokenizer *t, const char *s, size_t n, uint32_t h)
{
    for (uint32_t i = h & t->map.mask;; i = (i + 1) & t->map.mask) {
        const struct tok_entry *e = &t->map.e[i];
        if (e->id < 0) return -1;
        if (e->tag == h && e->n == n && !memcmp(t->text + e->at, s, n)) return e->id;
    }
}

static inline int32_t tok_find(const struct tokenizer *t, const char *s, size_t n)
{
    return tok_find_hash(t, s, n, tok_hash(s, n));
}

static inline uint32_t tok_step(const struct tok_trie *t, uint32_t node, unsigned char c)
{
    uint32_t key = node << 8 | c, i = (key * 0x9E3779B1u) >> 7 & t->mask;
    for (;; i = (i + 1) & t->mask) {
        if (!t->e[i].to) return 0;
        if (t->e[i].key == key) return t->e[i].to;
    }
}

int tok_map_build(struct tokenizer *t, const bool *in, struct err *err);
int tok_trie_init(struct tok_trie *t, uint32_t roots);
int tok_trie_add(struct tok_trie *t, uint32_t root, struct span s, int32_t id);
void tok_trie_free(struct tok_trie *t);
int tok_added_build(struct tokenizer *t);
/* The longest added token that s begins with: its id, or -1. */
int32_t tok_added_at(const struct tokenizer *t, const struct tok_added *a, const char *s, size_t n);

/* ---- encoding ---- */

struct tok_out {
    int32_t *ids;
    uint32_t *off; /* or NULL */
    size_t n, cap;
    const uint32_t *map; /* position in normalised text -> in the segment; NULL: the same */
    size_t base;         /* where the segment begins in the source */
    bool nomem;
};

static inline void tok_put(struct tok_out *o, int32_t id, size_t at)
{
    if (o->n < o->cap) {
        o->ids[o->n] = id;
        if (o->off) { o->off[o->n] = (uint32_t)(o->base + (o->map ? o->map[at] : at)); }
    }
    o->n++;
}

/* Text between added tokens. first: it begins a text or follows a special token. */
void tok_bpe_encode(const struct tokenizer *t, const char *s, size_t n, struct tok_out *o);
void tok_spm_encode(const struct tokenizer *t, const char *s, size_t n, bool first,
                    struct tok_out *o);
void tok_unigram_encode(const struct tokenizer *t, const char *s, size_t n, bool first,
                        struct tok_out *o);
void tok_wordpiece_encode(const struct tokenizer *t, const char *s, size_t n, struct tok_out *o);

/* One piece (BPE) or one word (SentencePiece) at s[at .. at+n): merges (tok_merge.c). */
void tok_merge_piece(const struct tokenizer *t, const char *s, size_t at, size_t n,
                     struct tok_out *o);
/* Where the word at `at` ends: words begin with their spaces. */
size_t tok_word_end(const char *s, size_t n, size_t at);
/* Bytes or the unknown token for text that is no token. */
void tok_put_bytes(const struct tokenizer *t, const char *s, size_t at, size_t n,
                   struct tok_out *o);

/* Normalisation (tok_norm.c). Text and, when asked for, where each byte came from. */
struct tok_norm {
    struct buf text;
    uint32_t *map; /* NULL unless want_map */
    size_t map_cap;
    bool want_map, failed;
    bool first; /* a space goes before it, where the model has it so */
};
/* from: of the first byte; step 1: each byte came from the next, 0: all from there. */
void tok_norm_add(struct tok_norm *m, const char *s, size_t n, size_t from, int step);
void tok_norm_free(struct tok_norm *m);
void tok_norm_charsmap(const struct tokenizer *t, const char *s, size_t n, struct tok_norm *m);
/* NFC or NFKC. */
void tok_norm_icu(bool compat, const char *s, size_t n, struct tok_norm *m);
bool tok_is_nfc(const char *s, size_t n);

/* ---- opening, by kind ---- */

int tok_bpe_open(struct tokenizer *t, const struct gguf *g, struct err *err);
int tok_sentencepiece_open(struct tokenizer *t, const struct gguf *g, struct err *err);
int tok_wordpiece_open(struct tokenizer *t, const struct gguf *g, struct err *err);

#endif
