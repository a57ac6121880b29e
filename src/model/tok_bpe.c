/* Byte-level BPE (GPT-2, Radford et al. 2019): text is cut into pieces by class of character, the
 * bytes of each piece are merged by rank. Every byte is a token, so any bytes can be encoded and
 * come back as they were (but for NFC, where a family asks for it).
 *
 * Files write the tokens in an alphabet that shows each byte as a printable character: those that
 * print in Latin-1 as themselves, the other 68 as U+0100 and on. We undo that when opening. */
#include "model/tok_impl.h"

#include <stdlib.h>

enum { LONGEST = 1024, GROUP = 32 };

/* Code point -> byte in that alphabet, -1 for others. cp < 0x144. */
static int byte_of(uint32_t cp)
{
    if (cp >= 0x144) return -1;
    if ((cp >= '!' && cp <= '~') || (cp >= 0xA1 && cp <= 0xAC) || (cp >= 0xAE && cp <= 0xFF))
        return (int)cp;
    if (cp < 0x100) return -1;
    int k = (int)cp - 0x100; /* the k-th of 0..32, 127..160, 173 */
    return k < 33 ? k : k < 67 ? 127 + k - 33 : 173;
}

/* s in bytes; 0 when something in it is not of the alphabet. out has room for s.n. */
static size_t unescape(struct span s, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t c = (unsigned char)s.p[i];
        if (c > ' ' && c < 127) {
            out[k++] = s.p[i++];
            continue;
        }
        int n = tok_utf8((const unsigned char *)s.p + i, s.n - i, &c), b = n ? byte_of(c) : -1;
        if (b < 0) return 0;
        out[k++] = (char)b;
        i += (size_t)n;
    }
    return k;
}

/* Tokens in place: text shrinks, never grows. Those of other alphabets stay as they are and are no
 * part of text. */
static int unescape_all(struct tokenizer *t, bool *in)
{
    char *word = malloc(t->at[t->n] + 1);
    uint32_t to = 0;
    if (!word) return ERR_NOMEM;
    for (int i = 0; i < t->n; i++) {
        struct span s = tok_text(t, i);
        bool plain = t->type[i] != TOK_CONTROL && t->type[i] != TOK_UNKNOWN;
        size_t n = plain ? unescape(s, word) : 0;
        if (n && t->type[i] == TOK_USER) n = n == s.n ? n : 0; /* these stand as they are */
        in[i] = n > 0;
        if (!n) memcpy(word, s.p, n = s.n);
        t->at[i] = to; /* the next token's text still lies at or beyond at[i + 1] */
        memcpy(t->text + to, word, n);
        to += (uint32_t)n;
    }
    t->at[t->n] = to;
    free(word);
    return 0;
}

static int bad_merge(struct err *err, size_t i, const char *why)
{
    return err_set(err, ERR_PARSE, "tokenizer.ggml.merges: entry %zu %s", i, why);
}

/* A line of the merges, "left right". Reading them is nearly all of opening a vocabulary of
 * 128,000, and nearly all of that is waiting for memory: so they are read in groups, whose
 * entries in the tables are asked for before they are needed. */
struct line {
    char s[LONGEST]; /* both, in bytes */
    size_t na, nb;
    uint32_t ha, hb, hab;
    struct tok_merge m;
};

static int parse_merge(const struct tokenizer *t, struct span line, size_t rank, struct line *l,
                       struct err *err)
{
    if (line.n > LONGEST) return bad_merge(err, rank, "is too long");
    const char *sp = line.n > 2 ? memchr(line.p + 1, ' ', line.n - 2) : NULL;
    if (!sp) return bad_merge(err, rank, "is not a pair");
    struct span a = { line.p, (size_t)(sp - line.p) }, b = { sp + 1, line.n - a.n - 1 };
    l->na = unescape(a, l->s);
    l->nb = l->na ? unescape(b, l->s + l->na) : 0;
    if (!l->nb) return bad_merge(err, rank, "is not written in the byte alphabet");
    l->ha = tok_hash(l->s, l->na);
    l->hb = tok_hash(l->s + l->na, l->nb);
    l->hab = tok_hash(l->s, l->na + l->nb);
    __builtin_prefetch(&t->map.e[l->ha & t->map.mask]);
    __builtin_prefetch(&t->map.e[l->hb & t->map.mask]);
    __builtin_prefetch(&t->map.e[l->hab & t->map.mask]);
    return 0;
}

/* Second round: the texts that the entries point to. */
static void expect(const struct tokenizer *t, uint32_t h)
{
    const struct tok_entry *e = &t->map.e[h & t->map.mask];
    if (e->id >= 0) __builtin_prefetch(t->text + e->at);
}

static uint32_t merge_slot(const struct tok_merges *all, const struct tok_merge *m)
{
    return (uint32_t)tok_mix((uint64_t)(uint32_t)m->a << 32 | (uint32_t)m->b, 0) & all->mask;
}

static int find_merge(const struct tokenizer *t, size_t rank, struct line *l, struct err *err)
{
    l->m = (struct tok_merge){ .a = tok_find_hash(t, l->s, l->na, l->ha),
                               .b = tok_find_hash(t, l->s + l->na, l->nb, l->hb),
                               .rank = (uint32_t)rank,
                               .id = tok_find_hash(t, l->s, l->na + l->nb, l->hab) };
    if (l->m.a < 0 || l->m.b < 0) return bad_merge(err, rank, "names a token that is not there");
    __builtin_prefetch(&t->merges.e[merge_slot(&t->merges, &l->m)], 1);
    return 0;
}

static void add_merge(struct tok_merges *all, const struct tok_merge *m)
{
    uint32_t i = merge_slot(all, m);
    if (m->id < 0) return; /* it would make a special token */
    for (; all->e[i].a >= 0; i = (i + 1) & all->mask)
        if (all->e[i].a == m->a && all->e[i].b == m->b) return;
    all->e[i] = *m;
}

static int read_merges(struct tokenizer *t, const struct gguf_array *a, struct err *err)
{
    struct line *l = calloc(GROUP, sizeof *l);
    int rc = l ? 0 : err_nomem(err);
    for (size_t i = 0; i < a->n && !rc; i += GROUP) {
        size_t n = a->n - i < GROUP ? a->n - i : GROUP;
        for (size_t k = 0; k < n && !rc; k++)
            rc = parse_merge(t, gguf_array_str(a, i + k), i + k, &l[k], err);
        for (size_t k = 0; k < n && !rc; k++)
            expect(t, l[k].ha), expect(t, l[k].hb), expect(t, l[k].hab);
        for (size_t k = 0; k < n && !rc; k++) rc = find_merge(t, i + k, &l[k], err);
        for (size_t k = 0; k < n && !rc; k++) add_merge(&t->merges, &l[k].m);
    }
    free(l);
    return rc;
}

static int open_merges(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_array a;
    if (!gguf_array(g, "tokenizer.ggml.merges", &a) || a.of != GGUF_STR)
        return err_set(err, ERR_PARSE, "%s: tokenizer.ggml.merges is missing", gguf_path(g));
    if (a.n >= 1u << 26) return err_set(err, ERR_LIMIT, "tokenizer.ggml.merges: %zu entries", a.n);
    uint32_t cap = 16;
    while (cap < a.n + a.n / 2) cap *= 2;
    t->merges.e = malloc(cap * sizeof *t->merges.e);
    if (!t->merges.e) return err_nomem(err);
    memset(t->merges.e, 0xFF, cap * sizeof *t->merges.e);
    t->merges.mask = cap - 1;
    return read_merges(t, &a, err);
}

int tok_bpe_open(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    bool *in = calloc((size_t)t->n + 1, sizeof *in);
    int rc = in ? unescape_all(t, in) : ERR_NOMEM;
    if (rc) rc = err_nomem(err);
    if (!rc) rc = tok_map_build(t, in, err);
    free(in);
    for (int b = 0; b < 256 && !rc; b++) {
        char c = (char)b;
        t->byte_id[b] = tok_find(t, &c, 1);
    }
    return rc ? rc : open_merges(t, g, err);
}

void tok_bpe_encode(const struct tokenizer *t, const char *s, size_t n, struct tok_out *o)
{
    struct tok_norm m = { .want_map = o->off != NULL };
    if (t->nfc && !tok_is_nfc(s, n)) {
        tok_norm_icu(false, s, n, &m);
        if (m.failed) o->nomem = true;
        s = m.text.p, n = m.text.n, o->map = m.map;
    }
    struct tok_cut cut = { .pre = t->pre };
    for (size_t at = 0, to; at < n && !o->nomem; at = to) {
        to = tok_pre_next(&cut, s, n, at);
        tok_merge_piece(t, s, at, to - at, o);
    }
    o->map = NULL;
    tok_norm_free(&m);
}
