/* Classes of code points, one byte of flags each, in a two-stage table.
 *
 * The table is made from ICU's character data once a process (about half a millisecond): the pages
 * of 256 code points that say the same as the page before them share its place, which leaves some
 * 400 of 4352. It follows the Unicode version of the ICU that the program runs with; code points
 * assigned after that version are of no class. */
#include "model/tok_impl.h"

#include <pthread.h>
#include <stdlib.h>
#include <unicode/uchar.h>

struct tok_classes tok_classes;

static UBool on_range(const void *ud, UChar32 from, UChar32 to, UCharCategory type)
{
    unsigned char *flat = (unsigned char *)ud;
    uint32_t bit = U_MASK(type);
    int c = (bit & U_GC_L_MASK ? TC_LETTER : 0) | (bit & U_GC_N_MASK ? TC_NUMBER : 0) |
            (bit & U_GC_P_MASK ? TC_PUNCT : 0) | (bit & U_GC_MN_MASK ? TC_MN : 0) |
            (bit & U_GC_C_MASK & ~U_GC_CN_MASK ? TC_CONTROL : 0);
    if (to > 0x110000) to = 0x110000;
    memset(flat + from, c, (size_t)(to - from));
    return 1;
}

static void add_range(unsigned char *flat, uint32_t from, uint32_t to, int flag)
{
    for (uint32_t c = from; c <= to; c++) flat[c] |= (unsigned char)flag;
}

static void build(void)
{
    static const struct {
        uint32_t from, to;
    } cjk[] = { { 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },   { 0xF900, 0xFAFF },
                { 0x20000, 0x2A6DF }, { 0x2A700, 0x2B73F }, { 0x2B740, 0x2B81F },
                { 0x2B920, 0x2CEAF }, { 0x2F800, 0x2FA1F } },
      space[] = { { 9, 13 },          { ' ', ' ' },       { 0x85, 0x85 },     { 0xA0, 0xA0 },
                  { 0x1680, 0x1680 }, { 0x2000, 0x200A }, { 0x2028, 0x2029 }, { 0x202F, 0x202F },
                  { 0x205F, 0x205F }, { 0x3000, 0x3000 } };
    unsigned char *flat = calloc(0x110000, 1);
    if (!flat) return;
    u_enumCharTypes(on_range, flat);
    for (size_t i = 0; i < sizeof cjk / sizeof *cjk; i++)
        add_range(flat, cjk[i].from, cjk[i].to, TC_CJK);
    for (size_t i = 0; i < sizeof space / sizeof *space; i++)
        add_range(flat, space[i].from, space[i].to, TC_SPACE);
    flat['\n'] |= TC_NL, flat['\r'] |= TC_NL;
    flat['\n'] &= ~TC_CONTROL, flat['\r'] &= ~TC_CONTROL, flat['\t'] &= ~TC_CONTROL;
    size_t pages = 0;
    for (size_t p = 0; p < 0x1100; p++) {
        if (!p || memcmp(flat + p * 256, flat + (pages - 1) * 256, 256) != 0)
            memmove(flat + pages++ * 256, flat + p * 256, 256);
        tok_classes.page[p] = (uint16_t)(pages - 1);
    }
    unsigned char *less = realloc(flat, pages * 256);
    tok_classes.of = less ? less : flat;
}

int tok_classes_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, build);
    return tok_classes.of ? 0 : ERR_NOMEM;
}

int tok_utf8(const unsigned char *s, size_t n, uint32_t *c)
{
    uint32_t v = s[0];
    int len = v < 0x80 ? 1 : v < 0xC2 ? 0 : v < 0xE0 ? 2 : v < 0xF0 ? 3 : v < 0xF5 ? 4 : 0;
    if (!len || (size_t)len > n) return 0;
    if (len > 1) v &= 0x7Fu >> len;
    for (int i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        v = v << 6 | (s[i] & 0x3F);
    }
    if (len == 3 && (v < 0x800 || (v >= 0xD800 && v < 0xE000))) return 0;
    if (len == 4 && (v < 0x10000 || v > 0x10FFFF)) return 0;
    if (c) *c = v;
    return len;
}

int tok_case_at(const char *s, size_t n, int *len)
{
    uint32_t c, bit;
    *len = tok_utf8((const unsigned char *)s, n, &c);
    if (!*len) {
        *len = 1;
        return 0;
    }
    bit = U_MASK(u_charType((UChar32)c));
    if (bit & (U_GC_LM_MASK | U_GC_LO_MASK | U_GC_M_MASK)) return TOK_UPPER | TOK_LOWER;
    if (bit & (U_GC_LU_MASK | U_GC_LT_MASK)) return TOK_UPPER;
    return bit & U_GC_LL_MASK ? TOK_LOWER : 0;
}

int tok_class_wide(const unsigned char *s, size_t n, int *len)
{
    uint32_t c;
    *len = tok_utf8(s, n, &c);
    if (*len) return tok_class(c);
    *len = 1;
    return 0;
}
