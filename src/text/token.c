/* Tokens. A diary of a million words is read several times on its way in (counted, cut, learnt
 * from, embedded, indexed), so the common case is a table look-up a byte: ASCII needs no Unicode at
 * all, and ICU is asked about other characters only.
 *
 * A token never depends on what came before its first byte, and never reaches beyond TOKEN_BYTES.
 * Sentences and chunks cut between tokens and rely on the first; memory bounds rely on the second.
 *
 * Stemming costs about a microsecond a word, and words repeat: each thread keeps one stemmer and a
 * direct-mapped cache of what it made of recent words, freed when the thread ends. Without memory
 * for the cache the same answers are computed each time; without memory for the stemmer words stay
 * unstemmed. */
#include "text/token.h"

#include "base/str.h"
#include "text/stopwords.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

enum ascii_class { BLANK, WORD, MARK, HIGH };

/* Class of every byte: letters and digits, visible marks, the rest; HIGH asks ICU. */
static const unsigned char class_of[256] = {
    ['!' ... '/'] = MARK, ['0' ... '9'] = WORD, [':' ... '@'] = MARK, ['A' ... 'Z'] = WORD,
    ['[' ... '`'] = MARK, ['a' ... 'z'] = WORD, ['{' ... '~'] = MARK, [0x80 ... 0xFF] = HIGH,
};

enum kind {
    K_BLANK,  /* white space, controls */
    K_FORMAT, /* invisible: joiners, soft hyphen, bidi marks */
    K_LETTER,
    K_IDEO, /* a word by itself */
    K_COMBINING,
    K_MODIFIER, /* emoji skin tones and variation selectors: part of the mark before */
    K_MARK,
};

static bool is_ideo(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) ||
           (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF66 && c <= 0xFF9F) ||
           (c >= 0x20000 && c <= 0x3FFFF);
}

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80) {
        unsigned char k = class_of[c];
        return k == WORD ? K_LETTER : k == MARK ? K_MARK : K_BLANK;
    }
    if (c == 0x2019) return K_MARK;
    if ((c >= 0xFE00 && c <= 0xFE0F) || (c >= 0x1F3FB && c <= 0x1F3FF) ||
        (c >= 0xE0020 && c <= 0xE007F))
        return K_MODIFIER;
    uint32_t gc = U_GET_GC_MASK((UChar32)c);
    if (gc & (U_GC_L_MASK | U_GC_N_MASK)) return is_ideo(c) ? K_IDEO : K_LETTER;
    if (gc & U_GC_M_MASK) return K_COMBINING;
    if (gc & U_GC_CF_MASK) return K_FORMAT;
    if (gc & (U_GC_Z_MASK | U_GC_CC_MASK | U_GC_CS_MASK | U_GC_CN_MASK)) return K_BLANK;
    return K_MARK;
}

struct tokens tokens_of(const char *s, size_t n) { return (struct tokens){ .s = s, .n = n }; }

/* After an apostrophe or an invisible character: does a letter follow, so that the word goes on? */
static bool letter_follows(const char *p, const char *end)
{
    if (p >= end) return false;
    if ((unsigned char)*p < 0x80) return ((*p | 32) >= 'a' && (*p | 32) <= 'z');
    uint32_t c = utf8_next(&p, end);
    return kind_of(c) == K_LETTER && !u_isdigit((UChar32)c);
}

/* End of the word whose first character ends at p. */
static const char *word_end(const char *p, const char *end, const char *limit)
{
    while (p < end) {
        unsigned char k = class_of[(unsigned char)*p];
        const char *next = p + 1;
        if (k == WORD) {
            if (next > limit) return p;
        } else if (*p == '\'') {
            if (next > limit || !letter_follows(next, end)) return p;
        } else if (k == HIGH) {
            next = p;
            uint32_t c = utf8_next(&next, end);
            if (next > limit) return p;
            if (c == 0x2019) {
                if (!letter_follows(next, end)) return p;
            } else {
                enum kind kind = kind_of(c);
                if (kind == K_FORMAT) {
                    if (!letter_follows(next, end)) return p;
                } else if (kind != K_LETTER && kind != K_COMBINING) {
                    return p;
                }
            }
        } else {
            return p;
        }
        p = next;
    }
    return p;
}

/* End of a mark or ideograph: what changes its look, and what a joiner ties to it, belongs to
 * it. */
static const char *mark_end(const char *p, const char *end, const char *limit, bool joins)
{
    while (p < end && (unsigned char)*p >= 0x80) {
        const char *next = p;
        uint32_t c = utf8_next(&next, end);
        enum kind kind = kind_of(c);
        if (c == 0x200D && joins) {
            if (next >= end || (unsigned char)*next < 0x80 ||
                kind_of(utf8_next(&next, end)) != K_MARK)
                return p;
        } else if (kind != K_COMBINING && kind != K_MODIFIER) {
            return p;
        }
        if (next > limit) return p;
        p = next;
    }
    return p;
}

bool tokens_next(struct tokens *t)
{
    const char *s = t->s, *end = s + t->n, *p = s + t->at;
    enum kind kind = K_BLANK;
    const char *from = p;
    for (; p < end; from = p) {
        unsigned char k = class_of[(unsigned char)*p];
        if (k == BLANK) {
            p++;
            continue;
        }
        if (k == HIGH) {
            uint32_t c = utf8_next(&p, end);
            kind = kind_of(c);
            if (kind == K_BLANK || kind == K_FORMAT) continue;
        } else {
            kind = k == WORD ? K_LETTER : K_MARK;
            p++;
        }
        break;
    }
    if (from >= end) {
        t->at = t->n;
        return false;
    }
    const char *limit = from + TOKEN_BYTES;
    t->is_word = kind == K_LETTER || kind == K_IDEO;
    if (kind == K_LETTER) p = word_end(p, end, limit);
    else if (p < end && (unsigned char)*p >= 0x80) p = mark_end(p, end, limit, kind == K_MARK);
    t->start = (size_t)(from - s);
    t->end = t->at = (size_t)(p - s);
    return true;
}

size_t tokens_count(const char *s, size_t n)
{
    struct tokens t = tokens_of(s, n);
    size_t k = 0;
    while (tokens_next(&t)) k++;
    return k;
}

/* ---- words made ready for matching ---- */

#define FOLD_CAP   (TOKEN_BYTES * 2) /* folding may lengthen a character */
#define SLOT_BYTES 24
#define SLOTS      8192 /* a power of two */

struct slot {
    uint8_t raw_n, fold_n, stem_n; /* raw_n 0: empty */
    bool stop;
    char raw[SLOT_BYTES], fold[SLOT_BYTES], stem[SLOT_BYTES];
    uint64_t key;
};

struct memory { /* of one thread */
    struct sb_stemmer *stemmer;
    char fold[FOLD_CAP], stem[FOLD_CAP]; /* of a word too long for a slot */
    struct slot slot[SLOTS];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t memory_key;
static bool have_key;
static __thread struct memory *mine;

static void memory_free(void *p)
{
    struct memory *m = p;
    sb_stemmer_delete(m->stemmer);
    explicit_bzero(m, sizeof *m); /* the words are personal */
    free(m);
    mine = NULL;
}

static void make_key(void) { have_key = pthread_key_create(&memory_key, memory_free) == 0; }

static struct memory *memory_of_thread(void)
{
    if (mine) return mine;
    pthread_once(&once, make_key);
    struct memory *m = have_key ? calloc(1, sizeof *m) : NULL;
    if (!m) return NULL;
    m->stemmer = sb_stemmer_new("english", "UTF_8");
    if (pthread_setspecific(memory_key, m)) {
        sb_stemmer_delete(m->stemmer);
        free(m);
        return NULL;
    }
    return mine = m;
}

/* Beyond utf8_fold: case of the remaining scripts, Vietnamese and other letters with marks reduced
 * to their plain letter, invisible characters dropped. */
static size_t fold_rest(const char *s, size_t n, char *out, size_t cap)
{
    UErrorCode uerr = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&uerr);
    size_t k = 0;
    for (const char *p = s, *end = s + n; p < end;) {
        uint32_t c = utf8_next(&p, end);
        if (c >= 0x80) {
            if (kind_of(c) == K_FORMAT) continue;
            UChar d[8];
            if (c >= 0x1E00 && c <= 0x1EFF && U_SUCCESS(uerr)) {
                int32_t got = unorm2_getDecomposition(nfc, (UChar32)c, d, 8, &uerr);
                if (U_SUCCESS(uerr) && got > 0) c = d[0];
            }
            c = (uint32_t)u_foldCase((UChar32)c, U_FOLD_CASE_DEFAULT);
        }
        char t[4];
        int w = utf8_put(t, c);
        if (k + (size_t)w >= cap) break;
        memcpy(out + k, t, (size_t)w);
        k += (size_t)w;
    }
    return k;
}

static size_t fold_high(const char *word, size_t n, char *out, size_t cap)
{
    struct buf b = BUF_INIT(n * 4 + 16);
    utf8_fold(&b, word, n);
    size_t k = b.failed ? 0 : fold_rest(b.p ? b.p : "", b.n, out, cap);
    buf_free(&b);
    return k;
}

size_t token_fold(const char *word, size_t n, char *out, size_t cap)
{
    size_t k = 0, i = 0;
    if (!cap) return 0;
    for (; i < n && (unsigned char)word[i] < 0x80 && k + 1 < cap; i++) {
        char c = word[i];
        out[k++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    /* A phone writes don’t: not worth the long way round. */
    if (i + 3 <= n && k + 1 < cap && !memcmp(word + i, "\xE2\x80\x99", 3)) {
        out[k++] = '\'';
        for (i += 3; i < n && (unsigned char)word[i] < 0x80 && k + 1 < cap; i++) {
            char c = word[i];
            out[k++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    if (i < n && (unsigned char)word[i] >= 0x80 && k + 1 < cap) k = fold_high(word, n, out, cap);
    if (k > 2 && out[k - 1] == 's' && out[k - 2] == '\'') k -= 2;
    out[k] = 0;
    return k;
}

/* Stem of folded word f; returns its length. */
static size_t stem_of(struct memory *m, const char *f, size_t n, char *out, size_t cap)
{
    const char *p = f;
    bool plain = n > 0;
    for (size_t i = 0; i < n && plain; i++) plain = f[i] >= 'a' && f[i] <= 'z';
    if (plain && m && m->stemmer) {
        const sb_symbol *q = sb_stemmer_stem(m->stemmer, (const sb_symbol *)f, (int)n);
        if (q) {
            p = (const char *)q;
            n = (size_t)sb_stemmer_length(m->stemmer);
        }
    }
    if (!cap) return 0;
    n = utf8_cut(p, n, cap - 1);
    memcpy(out, p, n);
    out[n] = 0;
    return n;
}

static struct token_word word_of_slot(const struct slot *s)
{
    return (struct token_word){ s->fold, s->stem, s->fold_n, s->stem_n, s->key, s->stop };
}

struct token_word token_word(const char *word, size_t n)
{
    static __thread char last_fold[FOLD_CAP], last_stem[FOLD_CAP]; /* when there is no memory */
    struct memory *m = memory_of_thread();
    struct slot *s = NULL;
    if (m && n && n < SLOT_BYTES) {
        s = &m->slot[hash64(word, n, 1) & (SLOTS - 1)];
        if (s->raw_n == n && !memcmp(s->raw, word, n)) return word_of_slot(s);
    }
    struct token_word w = { .fold = m ? m->fold : last_fold, .stem = m ? m->stem : last_stem };
    w.fold_n = token_fold(word, n, (char *)w.fold, FOLD_CAP);
    w.stem_n = stem_of(m, w.fold, w.fold_n, (char *)w.stem, FOLD_CAP);
    w.stop = token_is_stop(w.fold, w.fold_n);
    w.key = hash64(w.stem, w.stem_n, 0);
    if (!s || w.fold_n >= SLOT_BYTES || w.stem_n >= SLOT_BYTES) return w;
    s->raw_n = (uint8_t)n;
    s->fold_n = (uint8_t)w.fold_n;
    s->stem_n = (uint8_t)w.stem_n;
    s->stop = w.stop;
    s->key = w.key;
    memcpy(s->raw, word, n);
    memcpy(s->fold, w.fold, w.fold_n + 1);
    memcpy(s->stem, w.stem, w.stem_n + 1);
    return word_of_slot(s);
}

size_t token_stem(const char *word, size_t n, char *out, size_t cap)
{
    if (!cap) return 0;
    struct token_word w = token_word(word, n);
    size_t k = utf8_cut(w.stem, w.stem_n, cap - 1);
    memcpy(out, w.stem, k);
    out[k] = 0;
    return k;
}

bool token_is_stop(const char *folded, size_t n) { return stopword(folded, n); }
