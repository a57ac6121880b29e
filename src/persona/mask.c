/* Masks: a table from names to pseudonyms, made once for a question, and one pass over each text.
 *
 * The number of a pseudonym is a keyed digest of what it stands for: of a person the id that
 * people.h gives (of its addresses and names), of an address that is nobody's the address. Six
 * digits; where two fall on one number the next free one is taken, people first and in the order of
 * their ids, so that it is the same next time. Once half are taken, those to come may share one,
 * which is revealed as the first. Somebody who was several people until they were joined has the
 * pseudonym of the one that wrote first; those of the others are still revealed.
 *
 * Who is only spoken of is found by mention.h, and goes by the words of the name. A first or last
 * name alone is whoever had it in a whole name before, in the same text, when that was one person.
 *
 * Names are kept as hashes of their folded words, found by the first; the longest that fits wins.
 * Which words of a name may stand for it alone is a matter of judgement: see names_of. What the
 * persona shares with others, its family's name say, says nothing about them that is not known.
 *
 * A text may hold what looks like a pseudonym before anybody masked it. That is remembered, and
 * never revealed: nobody can have somebody else's name put into an answer. */
#include "persona/mask.h"

#include "base/str.h"
#include "persona/internal.h"
#include "persona/mask_impl.h"
#include "text/token.h"
#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define NUMBERS 900000
#define OWN     (NUMBERS / 2) /* so many things of a kind have a number of their own */

const char *const mask_befores[] = {
#define X(id, before, after) before,
    KINDS(X)
#undef X
};
const char *const mask_afters[] = {
#define X(id, before, after) after,
    KINDS(X)
#undef X
};

/* ---- pseudonyms ---- */

const char *mask_pointer(const struct map *m, uint64_t key)
{
    const uint64_t *v = map_get(m, key);
    return v ? (const char *)(uintptr_t)*v : NULL;
}

uint64_t mask_hash(const char *s, int kind) { return hash64(s, strlen(s), (uint64_t)kind + 31); }

/* The pseudonym of a thing: key says which it is, real is what it is called; NULL: no memory. */
const char *mask_pseudonym(struct mask *m, enum kind kind, const char *key, const char *real)
{
    uint64_t id = mask_hash(key, kind), number;
    const char *known = mask_pointer(&m->given, id), *copy;
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
        snprintf(shown, sizeof shown, "%s%llu%s", mask_befores[kind],
                 (unsigned long long)(number++ % NUMBERS + 100000), mask_afters[kind]);
    } while (m->numbered[kind] < OWN && map_get(&m->shown, mask_hash(shown, 0)));
    known = arena_strdup(m->mem, shown);
    copy = arena_strdup(m->mem, real);
    uint64_t *a = known ? map_slot(&m->given, id) : NULL;
    if (a) *a = (uint64_t)(uintptr_t)known;
    uint64_t *r = a && copy ? map_slot(&m->shown, mask_hash(shown, 0)) : NULL;
    if (r && !*r) {
        *r = (uint64_t)(uintptr_t)copy;
        m->numbered[kind]++;
    }
    return r && !bad ? known : NULL;
}

/* ---- names ---- */

/* Length of a word without its possessive. */
size_t mask_base(const char *s, size_t n)
{
    if (n > 2 && !memcmp(s + n - 2, "'s", 2)) return n - 2;
    if (n > 4 && !memcmp(s + n - 4, "\xe2\x80\x99s", 4)) return n - 4;
    return n;
}

uint64_t mask_word(const char *s, size_t n)
{
    char fold[256];
    size_t k = token_fold(s, mask_base(s, n), fold, sizeof fold);
    return hash64(fold, k, 5) | 1;
}

void mask_words_of(const char *name, struct mask_words *w)
{
    struct tokens t = tokens_of(name, strlen(name));
    *w = (struct mask_words){ 0 };
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        if (w->n == NAME_WORDS) {
            w->more = true;
            return;
        }
        const char *s = name + t.start, *end = name + t.end;
        w->hash[w->n] = mask_word(s, t.end - t.start);
        token_fold(s, mask_base(s, t.end - t.start), w->text[w->n], sizeof w->text[0]);
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

static bool is_firm(const struct mask_words *w)
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

const char *mask_entry(const struct mask *m, const uint64_t *word, int n)
{
    const uint64_t *v = map_get(&m->names, word[0]);
    const struct entry *e = v ? (const struct entry *)(uintptr_t)*v : NULL;
    while (e && (e->n != n || memcmp(e->word, word, (size_t)n * sizeof *word) != 0)) e = e->next;
    return e ? e->shown : NULL;
}

int mask_entry_add(struct mask *m, const uint64_t *word, int n, unsigned only, const char *shown)
{
    struct entry *e = arena_alloc(m->mem, sizeof *e);
    uint64_t *slot = e ? map_slot(&m->names, word[0]) : NULL;
    if (!slot) return ERR_NOMEM;
    *e = (struct entry){ .shown = shown, .n = n, .only = only };
    memcpy(e->word, word, (size_t)n * sizeof *word);
    /* At the end: of two with the same name, the first. */
    struct entry *last = (struct entry *)(uintptr_t)*slot;
    if (!last) *slot = (uint64_t)(uintptr_t)e;
    for (; last && last->next; last = last->next) continue;
    if (last) last->next = e;
    return 0;
}

static int add_single(struct mask *m, const struct mask_words *w, int i, bool first,
                      const char *shown)
{
    const char *s = w->text[i];
    bool common = is_common(s);
    if (w->chars[i] < 2 || map_get(&m->own, w->hash[i]) || is_nobody(s) || (*s >= '0' && *s <= '9'))
        return 0;
    if (common && token_is_stop(s, strlen(s)) && w->chars[i] < 3) return 0;
    bool large = common || !first || w->chars[i] < 4;
    return mask_entry_add(m, w->hash + i, 1, large ? MASK_LARGE : 0, shown);
}

static int add_name(struct mask *m, const char *name, const char *shown)
{
    struct mask_words w;
    mask_words_of(name, &w);
    if (!w.n || w.more) return 0;
    if (w.n == 1) return add_single(m, &w, 0, true, shown);
    uint64_t turned[NAME_WORDS] = { w.hash[w.n - 1] };
    memcpy(turned + 1, w.hash, (size_t)(w.n - 1) * sizeof *turned);
    int rc = mask_entry_add(m, w.hash, w.n, 0, shown);
    if (!rc) rc = mask_entry_add(m, turned, w.n, 0, shown);
    if (rc || is_firm(&w)) return rc;
    const char *comma = strchr(name, ',');
    int first = comma ? w.n - 1 : 0, last = comma ? 0 : w.n - 1;
    rc = add_single(m, &w, first, true, shown);
    return rc ? rc : add_single(m, &w, last, false, shown);
}

static int own_words(struct mask *m, const char *name)
{
    struct mask_words w;
    mask_words_of(name, &w);
    for (int i = 0; i < w.n; i++)
        if (!map_slot(&m->own, w.hash[i])) return ERR_NOMEM;
    return 0;
}

/* ---- people ---- */

/* Ends of numbers are compared, as who.c does. */
bool mask_phone_key(const char *s, char out[16])
{
    char digits[PHONE_DIGITS];
    size_t n = who_phone(s, digits), k = n > 9 ? 9 : n;
    if (!n) return false;
    memcpy(out, digits + n - k, k);
    out[k] = 0;
    return true;
}

void mask_mail_key(const char *s, char out[320])
{
    size_t n = strlen(s) < 319 ? strlen(s) : 319;
    for (size_t i = 0; i < n; i++) out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    out[n] = 0;
}

static int add_id(struct mask *m, const char *id)
{
    char key[320];
    struct mask_words w;
    const char *shown;
    if (mask_mail_at(id, strlen(id), 0) == strlen(id)) return 0; /* found by its looks */
    if (mask_phone_key(id, key)) return mask_pseudonym(m, KIND_PHONE, key, id) ? 0 : ERR_NOMEM;
    mask_words_of(id, &w);
    if (!w.n || w.more || strlen(id) < 4 ||
        (w.n == 1 && (is_common(w.text[0]) || is_nobody(w.text[0]))))
        return 0;
    shown = mask_pseudonym(m, KIND_ACCOUNT, id, id);
    return shown ? mask_entry_add(m, w.hash, w.n, 0, shown) : ERR_NOMEM;
}

static const char *first_id(const struct person *who)
{
    return who->part_ids ? who->part_ids[0] : who->id;
}

static int add_person(struct mask *m, const struct person *who)
{
    int rc = 0;
    if (persona_is(m->p, who->name, who->n_ids ? who->ids[0] : "")) return 0;
    const char *shown = mask_pseudonym(m, KIND_PERSON, first_id(who), who->name);
    if (!shown) return ERR_NOMEM;
    for (size_t i = 0; i < who->n_names && !rc; i++)
        if (!strchr(who->names[i], '@')) rc = add_name(m, who->names[i], shown);
    for (size_t i = 0; i < who->n_ids && !rc; i++) rc = add_id(m, who->ids[i]);
    return rc;
}

struct numbered { /* who gets a number */
    const char *id, *name;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct numbered *)a)->id, ((const struct numbered *)b)->id);
}

/* Numbers for all, in the order of ids: the same whoever was joined with whom. */
static int give_numbers(struct mask *m, const struct person *list, size_t n)
{
    size_t all = 0, k = 0;
    for (size_t i = 0; i < n; i++) all += list[i].part_ids ? list[i].n_parts : 1;
    struct numbered *who = calloc(all + 1, sizeof *who);
    int rc = who ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < n && !rc; i++) {
        size_t parts = list[i].part_ids ? list[i].n_parts : 1;
        for (size_t j = 0; j < parts; j++)
            who[k++] = (struct numbered){ list[i].part_ids ? list[i].part_ids[j] : list[i].id,
                                          list[i].name };
    }
    if (!rc && k) qsort(who, k, sizeof *who, by_id);
    for (size_t i = 0; i < k && !rc; i++)
        rc = mask_pseudonym(m, KIND_PERSON, who[i].id, who[i].name) ? 0 : ERR_NOMEM;
    free(who);
    return rc;
}

int mask_of(const struct persona *p, const struct person *list, size_t n, struct mask **out,
            struct err *err)
{
    struct mask *m = calloc(1, sizeof *m);
    int rc = m && (m->mem = arena_new(0)) ? 0 : ERR_NOMEM;
    if (!rc) {
        m->p = p;
        rc = own_words(m, p->name);
    }
    for (size_t i = 0; !rc && i < p->n_aliases; i++) rc = own_words(m, p->aliases[i]);
    if (!rc) rc = give_numbers(m, list, n);
    for (size_t i = 0; i < n && !rc; i++) rc = add_person(m, &list[i]);
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
    else people_counter_writers(k.c);
    if (!rc) rc = store_piece_each(h->store, &p->seal, 0, PIECE_BY_SEQ, count_piece, &k, err);
    if (!rc) rc = people_foretell(k.c, h, all, err);
    people_counter_free(k.c);
    arena_free(k.mem);
    return rc;
}

int mask_open(struct home *h, const struct persona *p, struct mask **out, struct err *err)
{
    struct people all = { 0 };
    struct named_list named = { 0 };
    *out = NULL;
    int rc = p->stale ? 0 : people_load(h, p, &all, err);
    if (!rc && !all.counted) {
        people_free(&all);
        all = (struct people){ 0 };
        rc = count_people(h, p, &all, err);
    }
    if (!rc) rc = mask_of(p, all.p, all.n, out, err);
    if (!rc) rc = named_load(h, p, &named, err);
    if (!rc && mask_named(*out, &named)) rc = err_nomem(err);
    if (rc) {
        mask_close(*out);
        *out = NULL;
    }
    named_free(&named);
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
    map_free(&m->vouched);
    map_free(&m->alone);
    arena_free(m->mem);
    free(m);
}
