/* Masks: a table from names to pseudonyms, made once for a question, and one pass over each text.
 *
 * The number of a pseudonym is a keyed digest of what it stands for: of a person the id that
 * people.h gives (of its addresses and names), of an address that is nobody's the address. Six
 * digits; where two fall on one number the next free one is taken, people first and in the order of
 * their ids, so that it is the same next time.
 *
 * Names are kept as hashes of their folded words, found by the first; the longest that fits wins.
 * Which words of a name may stand for it alone is a matter of judgement: see names_of. What the
 * persona shares with others, its family's name say, says nothing about them that is not known.
 *
 * A text may hold what looks like a pseudonym before anybody masked it. That is remembered, and
 * never revealed: nobody can have somebody else's name put into an answer. */
#include "persona/mask.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/mask_impl.h"
#include "text/token.h"
#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define NAME_WORDS 8
#define GAP_MAX    4 /* bytes between two words of a name */
#define SHOWN_MAX  48
#define NUMBERS    900000

/* X(ID, before the number, after it) */
#define KINDS(X)                                                                                   \
    X(PERSON, "Person ", "")                                                                       \
    X(MAIL, "mail-", "@example.invalid")                                                           \
    X(PHONE, "[phone ", "]")                                                                       \
    X(ADDRESS, "[address ", "]")                                                                   \
    X(ACCOUNT, "[account ", "]")

enum kind {
#define X(id, before, after) KIND_##id,
    KINDS(X)
#undef X
        KIND_COUNT
};

static const char *const befores[] = {
#define X(id, before, after) before,
    KINDS(X)
#undef X
};
static const char *const afters[] = {
#define X(id, before, after) after,
    KINDS(X)
#undef X
};

struct entry { /* a name, or a part of one */
    struct entry *next;
    const char *shown; /* what stands for it */
    uint64_t word[NAME_WORDS];
    int n;
    bool large; /* only when it begins with a capital letter */
};

struct mask {
    const struct persona *p;
    struct arena *mem;
    struct map names;   /* hash of the first word -> struct entry, chained */
    struct map own;     /* hashes of the words of the persona's names */
    struct map shown;   /* hash of a pseudonym -> what it stands for */
    struct map given;   /* hash of kind and thing -> its pseudonym */
    struct map literal; /* hashes of pseudonyms that stood in a text */
};

/* ---- pseudonyms ---- */

static const char *pointer_at(const struct map *m, uint64_t key)
{
    const uint64_t *v = map_get(m, key);
    return v ? (const char *)(uintptr_t)*v : NULL;
}

static uint64_t hash_of(const char *s, int kind)
{
    return hash64(s, strlen(s), (uint64_t)kind + 31);
}

/* The pseudonym of a thing: key says which it is, real is what it is called; NULL: no memory. */
static const char *pseudonym(struct mask *m, enum kind kind, const char *key, const char *real)
{
    uint64_t id = hash_of(key, kind), number;
    const char *known = pointer_at(&m->given, id), *copy;
    uint8_t digest[16];
    struct buf b = BUF_INIT(0);
    char shown[SHOWN_MAX];
    if (known) return known;
    buf_printf(&b, "%d %s", (int)kind, key);
    vault_digest(m->p->seal.key, "mask", buf_str(&b), b.n, digest);
    bool bad = b.failed;
    buf_free(&b);
    memcpy(&number, digest, sizeof number);
    do {
        snprintf(shown, sizeof shown, "%s%llu%s", befores[kind],
                 (unsigned long long)(number++ % NUMBERS + 100000), afters[kind]);
    } while (map_get(&m->shown, hash_of(shown, 0)));
    known = arena_strdup(m->mem, shown);
    copy = arena_strdup(m->mem, real);
    uint64_t *a = known ? map_slot(&m->given, id) : NULL;
    if (a) *a = (uint64_t)(uintptr_t)known;
    uint64_t *r = a && copy ? map_slot(&m->shown, hash_of(shown, 0)) : NULL;
    if (r) *r = (uint64_t)(uintptr_t)copy;
    return r && !bad ? known : NULL;
}

/* ---- names ---- */

struct words {
    uint64_t hash[NAME_WORDS];
    char text[NAME_WORDS][64]; /* folded */
    size_t chars[NAME_WORDS];
    int n;
    bool more; /* than there is room for */
};

/* Length of a word without its possessive. */
static size_t base_length(const char *s, size_t n)
{
    if (n > 2 && !memcmp(s + n - 2, "'s", 2)) return n - 2;
    if (n > 4 && !memcmp(s + n - 4, "\xe2\x80\x99s", 4)) return n - 4;
    return n;
}

static uint64_t word_hash(const char *s, size_t n)
{
    char fold[256];
    size_t k = token_fold(s, base_length(s, n), fold, sizeof fold);
    return hash64(fold, k, 5) | 1;
}

static void words_of(const char *name, struct words *w)
{
    struct tokens t = tokens_of(name, strlen(name));
    *w = (struct words){ 0 };
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        if (w->n == NAME_WORDS) {
            w->more = true;
            return;
        }
        const char *s = name + t.start, *end = name + t.end;
        w->hash[w->n] = word_hash(s, t.end - t.start);
        token_fold(s, base_length(s, t.end - t.start), w->text[w->n], sizeof w->text[0]);
        while (s < end) utf8_next(&s, end), w->chars[w->n]++;
        w->n++;
    }
}

static bool in_list(const char *s, const char *const *list)
{
    while (*list && strcmp(*list, s) != 0) list++;
    return *list != NULL;
}

/* Also words of the language. */
static bool is_common(const char *s)
{
    static const char *const list[] = {
        "will",  "mark",    "rose",   "hope",      "grace",   "faith",    "bill",     "rob",
        "art",   "jack",    "grant",  "chase",     "april",   "may",      "june",     "august",
        "dawn",  "eve",     "joy",    "ivy",       "lily",    "daisy",    "heather",  "olive",
        "ruby",  "pearl",   "amber",  "summer",    "autumn",  "frank",    "ernest",   "earnest",
        "rich",  "drew",    "dean",   "duke",      "earl",    "king",     "miles",    "max",
        "gene",  "wade",    "reed",   "cliff",     "dale",    "glen",     "forest",   "sandy",
        "misty", "stormy",  "angel",  "christian", "jean",    "robin",    "jay",      "ray",
        "sky",   "brook",   "penny",  "violet",    "iris",    "patience", "prudence", "victor",
        "major", "harry",   "peter",  "mike",      "buck",    "chip",     "skip",     "bob",
        "nick",  "rusty",   "dusty",  "hazel",     "ginger",  "rosemary", "basil",    "charity",
        "carol", "harmony", "melody", "crystal",   "destiny", "trinity",  "star",     "stern",
        "wolf",  "bell",    "rock",   "stone",     "page",    "cook",     "bishop",   "hunter",
        "mason", "carter",  "cooper", "piper",     NULL
    };
    return in_list(s, list) || token_is_stop(s, strlen(s));
}

/* What everybody calls somebody, and words of firms: alone they say nothing. */
static bool is_nobody(const char *s)
{
    static const char *const list[] = {
        "mum",    "mom",     "mama",    "mummy",  "mommy",   "mother", "dad",       "papa",
        "daddy",  "father",  "mutti",   "mutter", "vati",    "vater",  "oma",       "opa",
        "granny", "grandma", "grandpa", "nan",    "nana",    "boss",   "uncle",     "aunt",
        "auntie", "sis",     "bro",     "sister", "brother", "home",   "work",      "me",
        "you",    "unknown", "user",    "system", "admin",   "owner",  "assistant", NULL
    };
    return in_list(s, list);
}

static bool is_firm(const struct words *w)
{
    static const char *const list[] = {
        "the",       "and",       "und",      "of",      "shop",          "support",
        "team",      "service",   "services", "info",    "news",          "newsletter",
        "customer",  "customers", "ltd",      "limited", "gmbh",          "inc",
        "bank",      "club",      "group",    "office",  "noreply",       "reply",
        "store",     "online",    "company",  "verein",  "society",       "council",
        "committee", "library",   "hotel",    "list",    "notifications", NULL
    };
    for (int i = 0; i < w->n; i++)
        if (in_list(w->text[i], list)) return true;
    return false;
}

static int add_entry(struct mask *m, const uint64_t *word, int n, bool large, const char *shown)
{
    struct entry *e = arena_alloc(m->mem, sizeof *e);
    uint64_t *slot = e ? map_slot(&m->names, word[0]) : NULL;
    if (!slot) return ERR_NOMEM;
    *e = (struct entry){ .shown = shown, .n = n, .large = large };
    memcpy(e->word, word, (size_t)n * sizeof *word);
    /* At the end: of two with the same name, the first. */
    struct entry *last = (struct entry *)(uintptr_t)*slot;
    if (!last) *slot = (uint64_t)(uintptr_t)e;
    for (; last && last->next; last = last->next) continue;
    if (last) last->next = e;
    return 0;
}

static int add_single(struct mask *m, const struct words *w, int i, bool first, const char *shown)
{
    const char *s = w->text[i];
    bool common = is_common(s);
    if (w->chars[i] < 2 || map_get(&m->own, w->hash[i]) || is_nobody(s) || (*s >= '0' && *s <= '9'))
        return 0;
    if (common && token_is_stop(s, strlen(s)) && w->chars[i] < 3) return 0;
    return add_entry(m, w->hash + i, 1, common || !first || w->chars[i] < 4, shown);
}

static int add_name(struct mask *m, const char *name, const char *shown)
{
    struct words w;
    words_of(name, &w);
    if (!w.n || w.more) return 0;
    if (w.n == 1) return add_single(m, &w, 0, true, shown);
    uint64_t turned[NAME_WORDS] = { w.hash[w.n - 1] };
    memcpy(turned + 1, w.hash, (size_t)(w.n - 1) * sizeof *turned);
    int rc = add_entry(m, w.hash, w.n, false, shown);
    if (!rc) rc = add_entry(m, turned, w.n, false, shown);
    if (rc || is_firm(&w)) return rc;
    const char *comma = strchr(name, ',');
    int first = comma ? w.n - 1 : 0, last = comma ? 0 : w.n - 1;
    rc = add_single(m, &w, first, true, shown);
    return rc ? rc : add_single(m, &w, last, false, shown);
}

static int own_words(struct mask *m, const char *name)
{
    struct words w;
    words_of(name, &w);
    for (int i = 0; i < w.n; i++)
        if (!map_slot(&m->own, w.hash[i])) return ERR_NOMEM;
    return 0;
}

/* ---- people ---- */

/* Ends of numbers are compared, as who.c does. */
static bool phone_key(const char *s, char out[16])
{
    char digits[PHONE_DIGITS];
    size_t n = who_phone(s, digits), k = n > 9 ? 9 : n;
    if (!n) return false;
    memcpy(out, digits + n - k, k);
    out[k] = 0;
    return true;
}

static void mail_key(const char *s, char out[320])
{
    size_t n = strlen(s) < 319 ? strlen(s) : 319;
    for (size_t i = 0; i < n; i++) out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    out[n] = 0;
}

static int add_id(struct mask *m, const char *id)
{
    char key[320];
    struct words w;
    const char *shown;
    if (mask_mail_at(id, strlen(id), 0) == strlen(id)) return 0; /* found by its looks */
    if (phone_key(id, key)) return pseudonym(m, KIND_PHONE, key, id) ? 0 : ERR_NOMEM;
    words_of(id, &w);
    if (!w.n || w.more || strlen(id) < 4 ||
        (w.n == 1 && (is_common(w.text[0]) || is_nobody(w.text[0]))))
        return 0;
    shown = pseudonym(m, KIND_ACCOUNT, id, id);
    return shown ? add_entry(m, w.hash, w.n, false, shown) : ERR_NOMEM;
}

static int add_person(struct mask *m, const struct person *who)
{
    int rc = 0;
    if (persona_is(m->p, who->name, who->n_ids ? who->ids[0] : "")) return 0;
    const char *shown = pseudonym(m, KIND_PERSON, who->id, who->name);
    if (!shown) return ERR_NOMEM;
    for (size_t i = 0; i < who->n_names && !rc; i++)
        if (!strchr(who->names[i], '@')) rc = add_name(m, who->names[i], shown);
    for (size_t i = 0; i < who->n_ids && !rc; i++) rc = add_id(m, who->ids[i]);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct person *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

int mask_of(const struct persona *p, const struct person *list, size_t n, struct mask **out,
            struct err *err)
{
    struct mask *m = calloc(1, sizeof *m);
    const struct person **order = calloc(n + 1, sizeof *order);
    int rc = m && order && (m->mem = arena_new(0)) ? 0 : ERR_NOMEM;
    if (!rc) {
        m->p = p;
        rc = own_words(m, p->name);
    }
    for (size_t i = 0; i < n && !rc; i++) order[i] = &list[i];
    if (!rc && n) qsort(order, n, sizeof *order, by_id);
    for (size_t i = 0; !rc && i < p->n_aliases; i++) rc = own_words(m, p->aliases[i]);
    for (size_t i = 0; i < n && !rc; i++) /* numbers, in the order of ids */
        rc = pseudonym(m, KIND_PERSON, order[i]->id, order[i]->name) ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < n && !rc; i++) rc = add_person(m, &list[i]);
    free(order);
    if (rc) {
        mask_close(m);
        m = NULL;
    }
    *out = m;
    return rc ? err_nomem(err) : 0;
}

/* ---- everybody ---- */

struct counting {
    struct people_counter *c;
    struct arena *mem;
    struct err *err;
};

static int count_piece(void *ud, const struct row_piece *r)
{
    struct counting *k = ud;
    struct piece p;
    if (!r->voice && r->kind == PIECE_DOC) return 0;
    arena_reset(k->mem);
    int rc = unpack_piece(r->body, r->body_n, k->mem, &p, k->err);
    p.kind = (enum piece_kind)r->kind;
    p.written_at = r->written_at;
    if (!rc && people_count(k->c, r->source, r->voice, &p)) rc = err_nomem(k->err);
    return rc;
}

/* Before a persona is settled nobody has counted whom it writes with: what it takes is a look at
 * all its pieces. */
static int count_people(struct home *h, const struct persona *p, struct people *all,
                        struct err *err)
{
    struct counting k = { .mem = arena_new(0), .err = err };
    int rc = 0;
    if (!k.mem) return err_nomem(err);
    if (!(k.c = people_counter_new(h, p, err))) rc = err ? err->code : ERR_NOMEM;
    if (!rc) rc = store_piece_each(h->store, &p->seal, 0, PIECE_BY_SEQ, count_piece, &k, err);
    if (!rc) rc = people_foretell(k.c, h, all, err);
    people_counter_free(k.c);
    arena_free(k.mem);
    return rc;
}

int mask_open(struct home *h, const struct persona *p, struct mask **out, struct err *err)
{
    struct people all = { 0 };
    *out = NULL;
    int rc = p->stale ? 0 : people_load(h, p, &all, err);
    if (!rc && !all.n) {
        people_free(&all);
        all = (struct people){ 0 };
        rc = count_people(h, p, &all, err);
    }
    if (!rc) rc = mask_of(p, all.p, all.n, out, err);
    people_free(&all);
    return rc;
}

void mask_close(struct mask *m)
{
    if (!m) return;
    map_free(&m->names);
    map_free(&m->own);
    map_free(&m->shown);
    map_free(&m->given);
    map_free(&m->literal);
    arena_free(m->mem);
    free(m);
}

/* ---- masking ---- */

static bool begins_large(const char *s, const char *end)
{
    UChar32 c = (UChar32)utf8_next(&s, end);
    return u_toupper(c) == c; /* also letters that have no case */
}

/* Only what may stand between two words of a name. */
static bool is_gap(const char *s, size_t n)
{
    if (n > GAP_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(" ,.-_#\n\t\xc2\xa0", s[i]) || !s[i]) return false;
    return true;
}

/* The longest name that begins with the word at t; *to: where it ends. */
static const char *name_at(const struct mask *m, const char *s, const struct tokens *t, size_t *to)
{
    const uint64_t *v = map_get(&m->names, word_hash(s + t->start, t->end - t->start));
    const struct entry *best = NULL;
    for (const struct entry *e = v ? (const struct entry *)(uintptr_t)*v : NULL; e; e = e->next) {
        struct tokens u = *t;
        size_t end = t->start + base_length(s + t->start, t->end - t->start), at = t->end;
        int i = 1;
        if (e->large && !begins_large(s + t->start, s + t->end)) continue;
        while (i < e->n && tokens_next(&u)) {
            if (!u.is_word) continue;
            if (!is_gap(s + at, u.start - at) ||
                word_hash(s + u.start, u.end - u.start) != e->word[i])
                break;
            end = u.start + base_length(s + u.start, u.end - u.start);
            at = u.end;
            i++;
        }
        if (i < e->n || (best && best->n >= e->n)) continue;
        best = e;
        *to = end;
    }
    return best ? best->shown : NULL;
}

static const char *looks_at(struct mask *m, const char *s, size_t n, size_t i, size_t *to, int *rc)
{
    char text[400], key[320];
    enum kind kind = KIND_MAIL;
    *to = mask_mail_at(s, n, i);
    if (*to == i) kind = KIND_PHONE, *to = mask_phone_at(s, n, i);
    if (*to == i && (*to = mask_number_at(s, n, i)) > i && *to - i < sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)(*to - i), s + i);
        if (!phone_key(text, key) || !pointer_at(&m->given, hash_of(key, KIND_PHONE))) *to = i;
    }
    if (*to == i) kind = KIND_ADDRESS, *to = mask_address_at(s, n, i);
    if (*to == i || *to - i >= sizeof text) return NULL;
    snprintf(text, sizeof text, "%.*s", (int)(*to - i), s + i);
    if (persona_is(m->p, "", text)) {
        *rc = 1; /* stays, as a whole */
        return NULL;
    }
    if (kind == KIND_PHONE && !phone_key(text, key)) return NULL;
    if (kind != KIND_PHONE) mail_key(text, key);
    const char *shown = pseudonym(m, kind, key, text);
    if (!shown) *rc = ERR_NOMEM;
    return shown;
}

static size_t pseudonym_at(const char *s, size_t n, bool *cut);

/* What looks like a pseudonym already. */
static int note_literals(struct mask *m, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool cut;
        size_t k = pseudonym_at(s + i, n - i, &cut);
        if (k && !map_slot(&m->literal, hash64(s + i, k, 31))) return ERR_NOMEM;
    }
    return 0;
}

int mask_text(struct mask *m, const char *s, size_t n, struct buf *out)
{
    if (!n) return 0;
    struct tokens t = tokens_of(s, n);
    size_t done = 0, to;
    int rc = note_literals(m, s, n);
    while (!rc && tokens_next(&t)) {
        int stays = 0;
        if (t.start < done) continue;
        const char *shown = looks_at(m, s, n, t.start, &to, &stays);
        if (stays == ERR_NOMEM) rc = ERR_NOMEM;
        if (!shown && !stays && t.is_word) shown = name_at(m, s, &t, &to);
        if (!shown && !stays) continue;
        buf_add(out, s + done, t.start - done);
        if (shown) buf_adds(out, shown);
        else buf_add(out, s + t.start, to - t.start);
        done = to;
    }
    if (!rc) buf_add(out, s + done, n - done);
    return rc || out->failed ? ERR_NOMEM : 0;
}

int mask_author(struct mask *m, const char *name, bool account, struct buf *out)
{
    struct buf b = BUF_INIT(0);
    size_t n = strlen(name);
    int rc = mask_text(m, name, n, &b);
    bool same = b.n == n && (!n || !memcmp(b.p, name, n));
    if (!rc && same && n) {
        const char *shown = pseudonym(m, account ? KIND_ACCOUNT : KIND_PERSON, name, name);
        rc = shown ? buf_adds(out, shown) : ERR_NOMEM;
    } else if (!rc) {
        rc = buf_add(out, buf_str(&b), b.n);
    }
    buf_free(&b);
    return rc ? ERR_NOMEM : 0;
}

/* ---- revealing ---- */

/* Length of the pseudonym that s begins with, 0: none; *cut: s ends before that is certain. */
static size_t pseudonym_at(const char *s, size_t n, bool *cut)
{
    *cut = false;
    for (int k = 0; k < KIND_COUNT; k++) {
        const char *before = befores[k], *after = afters[k];
        size_t b = strlen(before), a = strlen(after), i = n < b ? n : b;
        if (!n || memcmp(s, before, i) != 0) continue;
        while (i < n && i < b + 6 && s[i] >= '0' && s[i] <= '9') i++;
        if (i == n && i < b + 6) *cut = true;
        if (i != b + 6) continue;
        size_t left = n - i < a ? n - i : a;
        if (memcmp(s + i, after, left) != 0) continue;
        if (left < a) *cut = true;
        else if (a) return i + a;
        else if (i == n) *cut = true; /* another digit may come */
        if (!a && (i == n || !(s[i] >= '0' && s[i] <= '9'))) return i;
    }
    return 0;
}

int mask_reveal_some(struct mask *m, struct buf *held, const char *s, size_t n, bool end,
                     struct buf *out)
{
    size_t i = 0, done = 0;
    if (n && buf_add(held, s, n)) return ERR_NOMEM;
    for (; i < held->n; i++) {
        bool cut;
        size_t k = pseudonym_at(held->p + i, held->n - i, &cut);
        if (cut && !end) break;
        uint64_t h = k ? hash64(held->p + i, k, 31) : 0;
        const char *real = k && !map_get(&m->literal, h) ? pointer_at(&m->shown, h) : NULL;
        if (!real) continue;
        buf_add(out, held->p + done, i - done);
        buf_adds(out, real);
        done = i + k;
        i = done - 1;
    }
    buf_add(out, held->p ? held->p + done : "", i - done);
    size_t rest = held->n - i;
    if (rest && held->p) memmove(held->p, held->p + i, rest);
    held->n = rest;
    return out->failed ? ERR_NOMEM : 0;
}

int mask_reveal(struct mask *m, const char *s, size_t n, struct buf *out)
{
    struct buf held = BUF_INIT(0);
    int rc = mask_reveal_some(m, &held, s, n, true, out);
    buf_free(&held);
    return rc;
}
