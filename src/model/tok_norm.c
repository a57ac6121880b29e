/* Normalisation of text before it is tokenised, with the way back: for each byte that comes out,
 * the byte of the source it came from.
 *
 * NFC and NFKC are ICU's, stretch by stretch: a character before which there is a boundary begins a
 * stretch, a stretch comes from where it began. SentencePiece models bring their own table: a
 * double-array trie (Aoe 1989, in the layout of Darts-clone) from sequences to offsets of
 * NUL-terminated replacements; the longest match is replaced. The table is a stranger's: every step
 * in it is checked against its length. */
#include "model/tok_impl.h"

#include <stdlib.h>
#include <unicode/unorm2.h>

enum { STRETCH = 512 }; /* UTF-16 units; longer ones are cut, which no language needs */

void tok_norm_add(struct tok_norm *m, const char *s, size_t n, size_t from, int step)
{
    if (m->failed) return;
    size_t at = m->text.n;
    if (!m->text.max) m->text.max = (size_t)1 << 33;
    if (buf_add(&m->text, s, n)) {
        m->failed = true;
        return;
    }
    if (!m->want_map) return;
    if (m->text.n > m->map_cap) {
        size_t cap = m->text.n * 2 + 64;
        uint32_t *map = realloc(m->map, cap * sizeof *map);
        if (!map) {
            m->failed = true;
            return;
        }
        m->map = map, m->map_cap = cap;
    }
    for (size_t i = 0; i < n; i++) m->map[at + i] = (uint32_t)(from + (step ? i : 0));
}

void tok_norm_free(struct tok_norm *m)
{
    buf_free(&m->text);
    free(m->map);
    *m = (struct tok_norm){ 0 };
}

bool tok_is_nfc(const char *s, size_t n)
{
    UErrorCode e = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&e);
    uint32_t c;
    if (U_FAILURE(e)) return true;
    for (size_t i = 0; i < n;) {
        unsigned char b = (unsigned char)s[i];
        int k = b < 0xCC ? 1 : tok_utf8((const unsigned char *)s + i, n - i, &c);
        if (b >= 0xCC && k && !unorm2_isInert(nfc, (UChar32)c)) return false;
        i += k ? (size_t)k : 1;
    }
    return true;
}

static void put_stretch(const UNormalizer2 *nf, const UChar *u, int n, size_t from,
                        struct tok_norm *m)
{
    UErrorCode e = U_ZERO_ERROR;
    UChar out[STRETCH * 18]; /* no character becomes more than 18 */
    int k = unorm2_normalize(nf, u, n, out, STRETCH * 18, &e);
    if (U_FAILURE(e)) m->failed = true;
    for (int i = 0; i < k && !m->failed;) {
        UChar32 c;
        char b[4];
        int len = 0;
        UBool bad = false;
        U16_NEXT(out, i, k, c);
        U8_APPEND((uint8_t *)b, len, 4, c, bad);
        if (!bad) tok_norm_add(m, b, (size_t)len, from, 0);
    }
}

void tok_norm_icu(bool compat, const char *s, size_t n, struct tok_norm *m)
{
    UErrorCode e = U_ZERO_ERROR;
    const UNormalizer2 *nf = compat ? unorm2_getNFKCInstance(&e) : unorm2_getNFCInstance(&e);
    UChar u[STRETCH];
    int k = 0;
    size_t from = 0;
    if (U_FAILURE(e)) {
        m->failed = true;
        return;
    }
    for (size_t i = 0; i < n;) {
        uint32_t c;
        int len = tok_utf8((const unsigned char *)s + i, n - i, &c);
        if (k && (!len || k + 2 > STRETCH || c < 0x80 || unorm2_hasBoundaryBefore(nf, (UChar32)c)))
            put_stretch(nf, u, k, from, m), k = 0;
        if (!k) from = i;
        if (!len) {
            tok_norm_add(m, s + i, 1, i, 1);
            i++;
            continue;
        }
        U16_APPEND_UNSAFE(u, k, c); /* there is room for two */
        i += (size_t)len;
    }
    if (k) put_stretch(nf, u, k, from, m);
}

/* ---- SentencePiece's table ---- */

static uint32_t unit(const struct tokenizer *t, uint32_t i)
{
    uint32_t trie, u;
    memcpy(&trie, t->charsmap, 4);
    if (i >= trie / 4) return 0x80000000u; /* of no label, and no leaf */
    memcpy(&u, t->charsmap + 4 + (size_t)i * 4, 4);
    return u;
}

static uint32_t unit_offset(uint32_t u) { return (u >> 10) << ((u & 1u << 9) >> 6); }

/* The replacement of the longest sequence that s begins with; its length, 0 if there is none. */
static size_t replace(const struct tokenizer *t, const char *s, size_t n, struct span *to)
{
    uint32_t at = unit_offset(unit(t, 0)), trie;
    size_t best = 0;
    memcpy(&trie, t->charsmap, 4);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        at ^= c;
        uint32_t u = unit(t, at);
        if ((u & 0x800000FFu) != c) break;
        at ^= unit_offset(u);
        if (!(u >> 8 & 1)) continue;
        size_t where = (size_t)4 + trie + (unit(t, at) & 0x7FFFFFFFu);
        if (where >= t->charsmap_n) continue;
        best = i + 1;
        to->p = (const char *)t->charsmap + where;
        to->n = strlen(to->p);
    }
    return best;
}

void tok_norm_charsmap(const struct tokenizer *t, const char *s, size_t n, struct tok_norm *m)
{
    bool was_space = t->squeeze;
    for (size_t i = 0, k; i < n && !m->failed; i += k) {
        struct span to = { s + i, 1 };
        bool blank = false; /* U+2581 itself counts as a space, but none that is squeezed */
        k = t->charsmap ? replace(t, s + i, n - i, &to) : 0;
        if (!k) {
            k = to.n = (size_t)tok_utf8((const unsigned char *)s + i, n - i, NULL);
            if (!k) to = t->bytes ? (struct span){ s + i, 1 } : (struct span){ "\xEF\xBF\xBD", 3 };
            blank = k == 3 && !memcmp(s + i, "\xE2\x96\x81", 3);
            if (blank) to = (struct span){ " ", 1 };
            if (!k) k = 1;
        }
        while (was_space && !blank && to.n && to.p[0] == ' ') to.p++, to.n--;
        if (!to.n) continue;
        if (!m->text.n && t->space_prefix && m->first) tok_norm_add(m, " ", 1, i, 0);
        tok_norm_add(m, to.p, to.n, i, to.p == s + i);
        was_space = t->squeeze && !blank && to.p[to.n - 1] == ' ';
    }
    while (t->squeeze && m->text.n && m->text.p[m->text.n - 1] == ' ') m->text.n--;
}
