/* The vocabulary: tables from bytes to ids.
 *
 * Three tables, for three questions. Is this whole string a token? A hash table of open addressing
 * whose entries hold tag, length and place, so that a miss touches one cache line. What is the
 * longest (or: which are all) tokens that begin here? A trie, whose edges lie in a hash table keyed
 * by node and byte. Does an added token begin here? Lists by first byte, longest first: there are
 * few, and most bytes begin none. */
#include "model/tok_impl.h"

#include <stdlib.h>

static uint32_t room_for(size_t n) /* a power of two at least 1.5 n */
{
    uint32_t cap = 16;
    while (cap < n + n / 2) cap *= 2;
    return cap;
}

int tok_map_build(struct tokenizer *t, const bool *in, struct err *err)
{
    size_t n = 0;
    for (int i = 0; i < t->n; i++) n += in[i];
    uint32_t cap = room_for(n);
    t->map.e = malloc(cap * sizeof *t->map.e);
    if (!t->map.e) return err_nomem(err);
    memset(t->map.e, 0xFF, cap * sizeof *t->map.e);
    t->map.mask = cap - 1;
    for (int32_t id = 0; id < t->n; id++) {
        struct span s = tok_text(t, id);
        if (!in[id] || !s.n) continue;
        uint32_t h = tok_hash(s.p, s.n), i = h & t->map.mask;
        for (; t->map.e[i].id >= 0; i = (i + 1) & t->map.mask) {
            const struct tok_entry *e = &t->map.e[i];
            if (e->tag == h && e->n == s.n && !memcmp(t->text + e->at, s.p, s.n)) break;
        }
        if (t->map.e[i].id < 0) /* of equal ones the first counts */
            t->map.e[i] = (struct tok_entry){ h, id, t->at[id], (uint32_t)s.n };
    }
    return 0;
}

/* ---- trie ---- */

static int trie_resize(struct tok_trie *t, uint32_t cap)
{
    struct tok_edge *old = t->e;
    uint32_t n = old ? t->mask + 1 : 0;
    struct tok_edge *e = calloc(cap, sizeof *e);
    if (!e) return ERR_NOMEM;
    t->e = e, t->mask = cap - 1;
    for (uint32_t i = 0; i < n; i++) {
        if (!old[i].to) continue;
        uint32_t j = (old[i].key * 0x9E3779B1u) >> 7 & t->mask;
        while (e[j].to) j = (j + 1) & t->mask;
        e[j] = old[i];
    }
    free(old);
    return 0;
}

static int trie_node(struct tok_trie *t)
{
    if (t->nodes == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 1024;
        int32_t *id = realloc(t->id, cap * sizeof *id);
        if (!id) return ERR_NOMEM;
        t->id = id, t->cap = cap;
    }
    if (t->nodes >= 1u << 24) return ERR_LIMIT;
    t->id[t->nodes++] = -1;
    return 0;
}

int tok_trie_init(struct tok_trie *t, uint32_t roots)
{
    *t = (struct tok_trie){ 0 };
    int rc = trie_resize(t, 4096);
    for (uint32_t i = 0; i < roots && !rc; i++) rc = trie_node(t);
    return rc;
}

int tok_trie_add(struct tok_trie *t, uint32_t root, struct span s, int32_t id)
{
    uint32_t node = root;
    int rc;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t key = node << 8 | (unsigned char)s.p[i];
        uint32_t next = tok_step(t, node, (unsigned char)s.p[i]);
        if (!next) {
            if (t->used >= t->mask / 2 && (rc = trie_resize(t, (t->mask + 1) * 2))) return rc;
            if ((rc = trie_node(t))) return rc;
            next = t->nodes - 1;
            uint32_t j = (key * 0x9E3779B1u) >> 7 & t->mask;
            while (t->e[j].to) j = (j + 1) & t->mask;
            t->e[j] = (struct tok_edge){ key, next };
            t->used++;
        }
        node = next;
    }
    if (t->id[node] < 0) t->id[node] = id;
    return 0;
}

void tok_trie_free(struct tok_trie *t)
{
    free(t->e);
    free(t->id);
    *t = (struct tok_trie){ 0 };
}

/* ---- added tokens ---- */

static int by_first_and_length(const void *a, const void *b, void *ud)
{
    const struct tokenizer *t = ud;
    int32_t ia = *(const int32_t *)a, ib = *(const int32_t *)b;
    struct span x = tok_text(t, ia), y = tok_text(t, ib);
    int fx = (unsigned char)x.p[0], fy = (unsigned char)y.p[0];
    if (fx != fy) return fx - fy;
    if (x.n != y.n) return x.n > y.n ? -1 : 1;
    return ia - ib;
}

static int added_build(struct tokenizer *t, struct tok_added *a, bool control)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) n += t->type[i] == TOK_USER || t->type[i] == TOK_CONTROL;
    a->id = malloc(((size_t)n + 1) * sizeof *a->id);
    if (!a->id) return ERR_NOMEM;
    bool user = t->kind != TOKENIZER_UNIGRAM; /* its lattice prefers them by itself */
    for (int i = 0; i < t->n; i++)
        if (((user && t->type[i] == TOK_USER) || (control && t->type[i] == TOK_CONTROL)) &&
            tok_text(t, i).n)
            a->id[a->n++] = i;
    qsort_r(a->id, (size_t)a->n, sizeof *a->id, by_first_and_length, t);
    for (int c = 0, i = 0; c < 257; c++) {
        while (i < a->n && (unsigned char)tok_text(t, a->id[i]).p[0] < c) i++;
        a->first[c] = (uint32_t)i;
    }
    return 0;
}

int tok_added_build(struct tokenizer *t)
{
    int rc = added_build(t, &t->user, false);
    return rc ? rc : added_build(t, &t->special, true);
}

int32_t tok_added_at(const struct tokenizer *t, const struct tok_added *a, const char *s, size_t n)
{
    int c = (unsigned char)s[0];
    for (uint32_t i = a->first[c]; i < a->first[c + 1]; i++) {
        struct span x = tok_text(t, a->id[i]);
        if (x.n <= n && !memcmp(x.p, s, x.n)) return a->id[i];
    }
    return -1;
}
