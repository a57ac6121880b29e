/* Finding people in running text, by rules that can be read.
 *
 * For each word that begins with a capital letter it is asked, in this order:
 *
 *  1. Does a title stand before it (Dr, Frau, aunt)? Then it is a name, whatever it is.
 *  2. Is it a given name that is nothing else (Hildegard)? Then too, unless a thing is called by it
 *     (Hildegard Street).
 *  3. Is it a given name and a word (Rose, Will)? Then it must stand large in mid-sentence, or a
 *     family name, a word of kinship, a greeting or a verb of speech must speak for it.
 *  4. Is it a given name and a place, a month or a brand (Jordan, May)? Then always one of these.
 *  5. Anything else is a name after "my neighbour", "called", an initial; as a family name that
 *     is in the lists; before "said"; or when the text had it in a whole name before.
 *
 * In German all nouns are large, so that a capital letter says little there: rules 3 and 5 ask for
 * more. Words after the first belong to the name when they are large, next to it, and not what is
 * never a name (Monday, London); "von", "de la" and initials may stand between.
 *
 * Three words before and a few after are looked at, each a bounded number of times. */
#include "text/mention.h"

#include "base/str.h"
#include "text/lang.h"
#include "text/nameword.h"

#include <string.h>
#include <unicode/uchar.h>

#define LANG_BYTES 1500
#define GAP_MAX    3

/* ---- words ---- */

/* Letters that utf8_fold leaves as they are, having no mark to lose. */
static size_t plain_letters(char *s, size_t n)
{
    static const char *const from[] = { "\xc3\xb8", "\xc5\x82", "\xc4\xb1", "\xc4\x91", "\xc3\xa6",
                                        "\xc5\x93", "\xc3\xb0", "\xc3\xbe", NULL };
    static const char *const to[] = { "o", "l", "i", "d", "ae", "oe", "d", "th" };
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int j = 0;
        while ((unsigned char)s[i] >= 0xc3 && from[j] &&
               (i + 2 > n || memcmp(s + i, from[j], 2) != 0))
            j++;
        if ((unsigned char)s[i] < 0xc3 || !from[j]) {
            s[k++] = s[i];
            continue;
        }
        for (const char *p = to[j]; *p; p++) s[k++] = *p;
        i++;
    }
    return k;
}

static size_t fold_word(const char *s, size_t n, char out[TOKEN_BYTES * 2])
{
    size_t i = 0;
    for (; i < n && !(s[i] & 0x80); i++)
        out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    return i == n ? n : plain_letters(out, token_fold(s, n, out, TOKEN_BYTES * 2));
}

uint64_t mention_key(const char *s, size_t n)
{
    char fold[TOKEN_BYTES * 2];
    if (n > TOKEN_BYTES) n = utf8_cut(s, n, TOKEN_BYTES);
    n = fold_word(s, n, fold);
    return hash64(fold, n, 5) | 1;
}

static bool upper_at(const char *s, size_t n)
{
    const char *p = s;
    if (!(*s & 0x80)) return *s >= 'A' && *s <= 'Z';
    UChar32 c = (UChar32)utf8_next(&p, s + n);
    return u_isupper(c) || u_istitle(c);
}

/* An apostrophe in the word: its bytes, and how many before it. */
static size_t apostrophe(const char *s, size_t n, size_t *width)
{
    for (size_t i = 1; i + 1 < n; i++) {
        *width = s[i] == '\'' ? 1 : i + 3 < n && !memcmp(s + i, "\xe2\x80\x99", 3) ? 3 : 0;
        if (*width) return i;
    }
    return 0;
}

/* "d'Hélène" begins at the name, "Anna's" and "Ayşe'ye" end with it; "O'Hara" and "don't" are
 * whole. */
static void trim_apostrophes(const struct mentions *m, struct mention_word *w)
{
    static const char *const verbs[] = { "t", "ll", "re", "ve", "m", "d", NULL };
    size_t width, at = apostrophe(m->s + w->start, w->end - w->start, &width);
    if (!at) return;
    size_t rest = w->start + at + width, tail = w->end - rest;
    if (at <= 4 && tail > 1 && m->s[w->start] >= 'a' && upper_at(m->s + rest, tail)) {
        w->start = rest;
        at = apostrophe(m->s + w->start, w->end - w->start, &width);
        if (!at) return;
        tail = w->end - (w->start + at + width);
    }
    if (at < 2 || tail > 4) return;
    for (const char *const *v = verbs; *v; v++)
        if (strlen(*v) == tail && !memcmp(m->s + w->end - tail, *v, tail)) return;
    w->base = w->start + at;
    w->owns = tail == 1;
}

static const char *language(struct mentions *m)
{
    if (!m->language) m->language = lang_of(m->s, utf8_cut(m->s, m->n, LANG_BYTES));
    return m->language;
}

static bool is_german(struct mentions *m) { return !strcmp(language(m), "de"); }

/* A name in another case: "Hildegards", "z Anną", "Markiem". */
static void other_case(struct mentions *m, struct mention_word *w, char *fold, size_t n)
{
    static const char *const cases[][2] = { { "iem", "" }, { "em", "" }, { "owi", "" },
                                            { "a", "" },   { "y", "a" }, { "i", "a" },
                                            { "e", "a" },  { "o", "a" }, { "ie", "a" },
                                            { "u", "" },   { "om", "" }, { "ou", "a" } };
    if (n > 4 && (m->s[w->base - 1] | 32) == 's' && !w->owns) { /* no sharp s, which folds to two */
        uint32_t is = nameword(fold, n - 1);
        if ((is & NAME_GIVEN) && !(is & (NAME_COMMON | NAME_PROPER))) {
            w->is = is;
            w->key = hash64(fold, n - 1, 5) | 1;
            w->base--;
        }
        return;
    }
    const char *lang = n > 4 && n < 32 && !w->first ? language(m) : "";
    if (!*lang || !strstr("pl cs sk hr sl ru uk", lang)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t k = strlen(cases[i][0]), more = strlen(cases[i][1]);
        if (n < k + 3 || memcmp(fold + n - k, cases[i][0], k) != 0) continue;
        char stem[40];
        memcpy(stem, fold, n - k);
        memcpy(stem + n - k, cases[i][1], more);
        uint32_t is = nameword(stem, n - k + more);
        if (!(is & NAME_GIVEN) || (is & (NAME_COMMON | NAME_PROPER))) continue;
        w->is = is;
        w->key = hash64(stem, n - k + more, 5) | 1;
        return;
    }
}

/* Does a sentence begin after these bytes, the last word being b? */
static bool sentence_begins(const struct mentions *m, const struct mention_word *b, size_t at)
{
    if (!b->any) return true;
    const char *s = m->s + b->end, *end = m->s + at;
    if (*s == '.' && ((b->is & NAME_HONOR) || b->chars == 1)) s++;
    for (; s < end; s++) {
        const unsigned char *u = (const unsigned char *)s;
        size_t left = (size_t)(end - s);
        if (*u < 0x80 && strchr(".!?:\n\"*", *u)) return true;
        if (*u == 0xc2 && left > 1 && u[1] != 0xa0) return true; /* a quotation mark, not a space */
        if (*u == 0xe2 && left > 2 && u[1] == 0x80 && u[2] != 0xaf) return true;
    }
    return false;
}

static void read_word(struct mentions *m, const struct tokens *t, const struct mention_word *before,
                      struct mention_word *w)
{
    char fold[TOKEN_BYTES * 2];
    const char *s = m->s + t->start;
    *w = (struct mention_word){ .start = t->start, .end = t->end, .base = t->end, .any = true };
    w->letter = !(*s >= '0' && *s <= '9');
    if (w->end - w->start > 2) trim_apostrophes(m, w);
    s = m->s + w->start;
    size_t raw = w->base - w->start, n = fold_word(s, raw, fold);
    w->chars = (uint8_t)(n < 255 ? n : 255);
    w->large = upper_at(s, raw);
    w->key = hash64(fold, n, 5) | 1;
    w->is = nameword_key(w->key);
    if (!w->large) return;
    w->first = sentence_begins(m, before, w->start);
    w->caps = raw > 1;
    for (const char *p = s; p < s + raw && w->caps; p++) w->caps = !(*p >= 'a' && *p <= 'z');
    if (!w->is && n > 3) other_case(m, w, fold, n);
}

/* Nothing between them but what stands inside of names: a space, a hyphen, the dot of a title. */
static bool adjacent(const struct mentions *m, const struct mention_word *a,
                     const struct mention_word *b)
{
    if (!a->any || a->owns || b->start < a->end || b->start - a->end > GAP_MAX) return false;
    const char *s = m->s + a->end;
    size_t n = b->start - a->end;
    if (n && *s == '.' && ((a->is & NAME_HONOR) || a->chars == 1)) s++, n--;
    return (!n && s > m->s + a->end) || (n == 1 && (*s == ' ' || *s == '-')) ||
           (n == 2 && !memcmp(s, "\xc2\xa0", 2));
}

/* The next word, when it is adjacent; t goes there. */
static bool next_word(struct mentions *m, struct tokens *t, const struct mention_word *w,
                      struct mention_word *out)
{
    for (int i = 0; i < 3; i++) {
        if (!tokens_next(t)) return false;
        if (!t->is_word) continue;
        read_word(m, t, w, out);
        return adjacent(m, w, out);
    }
    return false;
}

/* ---- what speaks for a person ---- */

struct cues {
    bool title, kin, whose, called, meets, greets, spoke, with, where, article, placed,
        among;                                  /* before */
    bool says, his, thing, pair, known, beside; /* after */
};

static bool may_follow(const struct mention_word *w)
{
    uint32_t name = NAME_GIVEN | NAME_SURNAME;
    if (!w->large || !w->letter) return false;
    return (w->is & name) ||
           !(w->is & (NAME_NEVER | NAME_THING | NAME_AFTER | NAME_HONOR | NAME_KIN));
}

static bool family(const struct mentions *m, const struct mention_word *w)
{
    char fold[TOKEN_BYTES * 2];
    if (w->is & NAME_SURNAME) return true;
    size_t n = fold_word(m->s + w->start, w->base - w->start, fold);
    return nameword_family(fold, n);
}

/* Endings that German nouns have and names do not. */
static bool is_noun(const struct mentions *m, const struct mention_word *w)
{
    static const char *const ends[] = { "ung", "heit", "keit", "schaft", "tion",  "nis", "chen",
                                        "tum", "tag",  "zeit", "haus",   "ungen", NULL };
    char fold[TOKEN_BYTES * 2];
    size_t n = fold_word(m->s + w->start, w->base - w->start, fold);
    for (const char *const *e = ends; *e; e++) {
        size_t k = strlen(*e);
        if (n > k && !memcmp(fold + n - k, *e, k)) return true;
    }
    return false;
}

static void cues_before(const struct mentions *m, const struct mention_word *w, struct cues *c)
{
    const struct mention_word *a = &m->before[0], *b = &m->before[1], *d = &m->before[2];
    if (w->first) {
        /* "Hi Zelda" may be all there is of a sentence; so may "my boss: Zelda". */
        return;
    }
    bool next = adjacent(m, a, w);
    bool far = adjacent(m, b, a);
    c->title = next && (a->is & NAME_HONOR);
    c->kin = next && (a->is & NAME_KIN) && (!a->large || a->first || !(a->is & NAME_HONOR));
    c->whose = c->kin && ((far && (b->is & NAME_ARTICLE)) || a->chars > 4);
    c->called = next && ((a->is & NAME_CALLED) ||
                         (far && a->chars <= 3 && (b->is & NAME_CALLED) && !(a->is & NAME_GIVEN)));
    if (far && ((b->is & NAME_THING) || (adjacent(m, d, b) && (d->is & NAME_THING))))
        c->called = false;
    c->meets = next && (a->is & NAME_MEETS);
    c->greets = c->meets && a->first;
    c->with = next && (a->is & NAME_WITH) && !a->large;
    c->spoke =
        next && far && a->chars <= 4 && (b->is & NAME_SPEAKS) && (a->is & (NAME_WHERE | NAME_WITH));
    c->where = next && (a->is & NAME_WHERE) && !c->spoke;
    c->among = next && far && (a->is & NAME_AND) && (b->is & NAME_GIVEN) && b->large;
    c->article = next && (a->is & NAME_ARTICLE);
    c->placed = next && (a->is & NAME_PLACED) && !(a->is & NAME_GIVEN);
}

static void cues_after(struct mentions *m, const struct tokens *t, const struct mention_word *w,
                       struct cues *c)
{
    struct tokens u = *t;
    struct mention_word x, y;
    if (w->owns) {
        struct mention_word whole = *w;
        whole.owns = false;
        c->his = next_word(m, &u, &whole, &x) && !x.large && (x.is & (NAME_KIN | NAME_OWNED));
        return;
    }
    if (!next_word(m, &u, w, &x)) return;
    c->says = !x.large && (x.is & NAME_SAYS);
    if (!x.large && (x.is & NAME_AND) && next_word(m, &u, &x, &y))
        c->beside = (y.is & (NAME_GIVEN | NAME_ARTICLE)) || y.chars == 1;
    if (!x.large || m->s[w->end] == '-') return;
    uint32_t name = NAME_GIVEN | NAME_SURNAME;
    c->thing = (x.is & NAME_THING) && !(x.is & name);
    c->pair = may_follow(&x) && x.chars > 1;
    c->known = c->pair && family(m, &x);
    if (c->pair && next_word(m, &u, &x, &y)) {
        c->thing |= y.large && (y.is & NAME_THING) && !(y.is & name);
        if (c->pair && !y.large && (y.is & NAME_SAYS)) c->says = true;
    }
}

static bool was_seen(const struct mentions *m, uint64_t key)
{
    for (size_t i = key >> 8 & (MENTION_SEEN - 1); m->seen[i]; i = (i + 1) & (MENTION_SEEN - 1))
        if (m->seen[i] == key) return true;
    return false;
}

/* ---- the rules ---- */

/* A single letter and a dot before a name: "J. Alvarez". */
static bool is_initial(struct mentions *m, const struct tokens *t, const struct mention_word *w)
{
    const struct mention_word *a = &m->before[0];
    struct tokens u = *t;
    struct mention_word x;
    size_t n = w->end - w->start;
    if (n > 4 || w->end >= m->n || m->s[w->end] != '.' || w->owns) return false;
    if (a->any && !w->first && (a->is & NAME_LETTER)) return false;
    if (a->any && w->start - a->end <= 2 && a->chars == 1) return false; /* z. B., U. S. */
    if (!next_word(m, &u, w, &x) || !x.large || (x.is & NAME_THING)) return false;
    if (x.chars == 1) {
        struct mention_word y;
        if (x.end >= m->n || m->s[x.end] != '.' || !next_word(m, &u, &x, &y) || !y.large)
            return false;
        char two[2] = { m->s[w->start], m->s[x.start] };
        if (!memcmp(two, "US", 2) || !memcmp(two, "UK", 2) || !memcmp(two, "EU", 2) ||
            !memcmp(two, "UN", 2) || !memcmp(two, "PS", 2) || !memcmp(two, "DC", 2))
            return false;
        x = y;
    }
    if (x.chars < 3 || !may_follow(&x) || (x.is & (NAME_ARTICLE | NAME_MEETS))) return false;
    bool sure = x.is & NAME_SURNAME;
    if (*(m->s + w->start) == 'I' && !sure) return false;
    /* "... chapter B. Then" ends a sentence. */
    return sure || w->first || !a->any || a->large ||
           (a->is & (NAME_WITH | NAME_WHERE | NAME_MEETS | NAME_KIN | NAME_CALLED)) ||
           nameword_family(m->s + x.start, x.base - x.start) || !(x.is);
}

static bool titled(const struct mentions *m, const struct mention_word *w)
{
    return w->is & (NAME_GIVEN | NAME_SURNAME)
               ? true
               : !(w->is & (NAME_NEVER | NAME_THING | NAME_HONOR | NAME_PLACED | NAME_KIN)) &&
                     w->chars > 1 && !is_noun(m, w);
}

/* Rose, Will: also words. */
static bool common_name(struct mentions *m, const struct mention_word *w, const struct cues *c)
{
    const struct mention_word *a = &m->before[0];
    bool strong = c->kin || c->called || c->meets || c->spoke || c->says || c->his;
    if (w->first) {
        if (w->is & NAME_NEVER) return c->known && c->says;
        return c->says || c->his || c->known || c->beside || w->owns || (c->pair && !is_german(m));
    }
    if (strong) return true;
    if (c->article && !c->known) return false;
    if ((w->is & NAME_NOUN) && is_german(m)) return c->known;
    if (a->large && !a->first && adjacent(m, a, w) && !(a->is & NAME_GIVEN)) return false;
    return true;
}

/* Jordan, May: also places and months. */
static bool proper_name(struct mentions *m, const struct mention_word *w, const struct cues *c)
{
    bool strong = c->kin || c->called || c->meets || c->spoke || c->says || c->his || c->with;
    if (c->where) return c->known || (c->pair && c->says);
    if (w->first && (w->is & NAME_NEVER)) return c->known;
    return strong || c->known || (c->pair && !c->article && !is_german(m));
}

static bool other_word(struct mentions *m, const struct tokens *t, const struct mention_word *w,
                       const struct cues *c)
{
    uint32_t no = NAME_NEVER | NAME_THING | NAME_HONOR | NAME_KIN | NAME_PLACED | NAME_ARTICLE |
                  NAME_MEETS | NAME_CALLED;
    bool surname = w->is & NAME_SURNAME;
    if (w->chars == 1) return is_initial(m, t, w);
    if (!surname && (w->is & no)) return false;
    if (w->caps || w->chars < 3) return false;
    if (c->called || (c->kin && c->whose)) return !is_noun(m, w);
    if (w->first)
        return (surname && (c->says || c->known)) || (c->known && !w->is && !is_german(m));
    bool german = is_german(m);
    if (surname) {
        if (c->says || c->spoke || c->with) return true;
        if (c->article || c->where) return c->known && !german;
        return !german;
    }
    if (c->article || is_noun(m, w)) return false;
    if ((c->known || c->among) && !w->is && !german) return true;
    if (c->says) return !(w->is & ~(uint32_t)NAME_SAYS);
    if (c->greets) return w->end < m->n && strchr(",!\n", m->s[w->end]) != NULL;
    return (c->meets || c->spoke) && !german && !w->is;
}

static bool is_person(struct mentions *m, const struct tokens *t, const struct mention_word *w)
{
    struct cues c = { 0 };
    cues_before(m, w, &c);
    if (c.placed) return false;
    if (c.title) return titled(m, w);
    cues_after(m, t, w, &c);
    if ((w->is & NAME_HONOR) && c.pair) return false;
    if (c.thing && !c.kin && !c.called) return false;
    if (!(w->is & NAME_GIVEN)) {
        bool again = !w->caps && was_seen(m, w->key) &&
                     !(w->is & (NAME_HONOR | NAME_THING | (w->first ? NAME_NEVER : 0)));
        return again || other_word(m, t, w, &c);
    }
    if (!(w->is & (NAME_COMMON | NAME_PROPER))) return !w->caps || w->chars > 2;
    if (w->caps && w->chars < 5) return false;
    if (was_seen(m, w->key) && !(w->first && (w->is & NAME_NEVER)) && !c.where && !c.article)
        return true;
    return w->is & NAME_PROPER ? proper_name(m, w, &c) : common_name(m, w, &c);
}

/* ---- the whole name ---- */

static void remember(struct mentions *m, uint64_t key)
{
    if (m->n_seen > MENTION_SEEN / 2) return;
    size_t i = key >> 8 & (MENTION_SEEN - 1);
    while (m->seen[i] && m->seen[i] != key) i = (i + 1) & (MENTION_SEEN - 1);
    m->n_seen += !m->seen[i];
    m->seen[i] = key;
}

static void add_word(struct mention *out, const struct mention_word *w)
{
    out->to = w->base;
    out->word[out->n++] = w->key;
}

/* May x, large and next to the name so far, be of it? */
static bool goes_on(struct mentions *m, const struct mention_word *last,
                    const struct mention_word *x, bool led)
{
    if (!may_follow(x)) return false;
    if (m->s[last->end] == '-') return true;
    if (x->caps && !last->caps && x->chars > 1) return false;
    if (x->chars == 1) return x->end < m->n && m->s[x->end] == '.';
    if ((x->is & NAME_GIVEN) || family(m, x) || last->chars == 1) return true;
    return !is_german(m) || (led && !is_noun(m, x));
}

/* The words after the first. */
static void whole_name(struct mentions *m, const struct tokens *t, const struct mention_word *w,
                       struct mention *out)
{
    struct tokens u = *t;
    struct mention_word last = *w, x, y;
    const struct mention_word *a = &m->before[0];
    bool led = w->first || (a->is & (NAME_HONOR | NAME_KIN | NAME_CALLED | NAME_WITH));
    while (out->n < MENTION_WORDS && next_word(m, &u, &last, &x)) {
        if (!x.large && (x.is & NAME_PARTICLE) && out->n + 1 < MENTION_WORDS) {
            struct tokens v = u;
            bool two = next_word(m, &v, &x, &y);
            if (two && !y.large && (y.is & NAME_PARTICLE) && out->n + 2 < MENTION_WORDS) {
                struct mention_word z;
                if (!next_word(m, &v, &y, &z) || !z.large || !may_follow(&z)) return;
                add_word(out, &x);
                x = y;
                y = z;
            }
            if (!two || !y.large || !may_follow(&y)) return;
            add_word(out, &x);
            x = y;
            u = v;
        } else if (!goes_on(m, &last, &x, led)) {
            return;
        }
        add_word(out, &x);
        last = x;
    }
}

static void shift(struct mentions *m, const struct mention_word *w)
{
    m->before[2] = m->before[1];
    m->before[1] = m->before[0];
    m->before[0] = *w;
}

void mentions_begin(struct mentions *m, const char *s, size_t n)
{
    *m = (struct mentions){ .s = s, .n = n };
}

void mentions_known(struct mentions *m, const struct tokens *t)
{
    struct mention_word w;
    if (!t->is_word) return;
    read_word(m, t, &m->before[0], &w);
    w.is |= NAME_GIVEN;
    shift(m, &w);
    m->done = t->end;
}

bool mentions_next(struct mentions *m, const struct tokens *t, struct mention *out)
{
    struct mention_word w;
    if (!t->is_word) return false;
    read_word(m, t, &m->before[0], &w);
    bool found = w.large && w.letter && t->start >= m->done && is_person(m, t, &w);
    if (found) {
        *out = (struct mention){ .from = w.start, .first = w.base - w.start };
        add_word(out, &w);
        whole_name(m, t, &w, out);
        m->done = out->to;
        for (int i = 0; i < out->n; i++) remember(m, out->word[i]);
    }
    shift(m, &w);
    return found;
}
