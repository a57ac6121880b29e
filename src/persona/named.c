/* Counting who is spoken of, and keeping it.
 *
 * The sealed document "correspondents.named": {"v":1, "names":["COUNT ALONE KEY-KEY NAME"]}, a key
 * for each word as mention.h compares it, in hexadecimal; lines and not objects, as it is read for
 * each question of somebody whom the persona is shared with. It is derived like topics and
 * profile: made anew by each settling, so that it forgets whom no text names any more.
 *
 * A family's name alone ("Brandt") may be anybody's word. It is taken for the name where lists have
 * it for one and for nothing else, or where the texts write it with a capital in mid-sentence more
 * often than without. A noun of German has a capital, too, but an article before it: so a word
 * after an article counts as one without.
 *
 * Of a large persona not all is read, as finding names costs some 40 ns for each byte: all of the
 * first LOOKED bytes, then every second text until as much was read again, every fourth, and so on.
 * Of 60 MB, a million short messages, that is a quarter. */
#include "persona/named.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "text/nameword.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_DOC   "correspondents.named"
#define NAMED_KEPT  2048
#define NAMED_MAX   65536 /* that are counted */
#define WORDS_MAX   400000
#define NAME_BYTES  200
#define LOOKED      ((size_t)4 << 20)
#define DOC_MAX     ((size_t)16 << 20)
#define LARGE       ((uint64_t)1 << 32) /* in `words`: times with a capital, and times without */
#define ALONE_CHARS 3

struct named_counter {
    struct arena *mem;
    struct mentions in;
    struct map at;    /* hash of the words -> index in name, plus one */
    struct map words; /* key of a word -> how it is written */
    struct named *name;
    size_t n, cap;
    uint64_t texts, stride;
    size_t looked;
};

/* ---- counting ---- */

struct named_counter *named_counter_new(void)
{
    struct named_counter *c = calloc(1, sizeof *c);
    if (!c || !(c->mem = arena_new(0))) {
        free(c);
        return NULL;
    }
    c->stride = 1;
    return c;
}

void named_counter_free(struct named_counter *c)
{
    if (!c) return;
    map_free(&c->at);
    map_free(&c->words);
    if (c->name) explicit_bzero(c->name, c->n * sizeof *c->name);
    free(c->name);
    arena_free(c->mem);
    free(c);
}

static int keep_name(struct named_counter *c, const char *s, const struct mention *who)
{
    uint64_t key = hash64(who->word, (size_t)who->n * sizeof *who->word, 41);
    uint64_t *slot = map_slot(&c->at, key);
    if (!slot) return ERR_NOMEM;
    if (*slot) {
        c->name[*slot - 1].count++;
        return 0;
    }
    if (c->n == NAMED_MAX) return 0;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct named *grown = realloc(c->name, cap * sizeof *grown);
        if (!grown) return ERR_NOMEM;
        c->name = grown;
        c->cap = cap;
    }
    struct named *x = &c->name[c->n];
    *x = (struct named){ .n = who->n, .count = 1 };
    memcpy(x->word, who->word, sizeof x->word);
    x->name = arena_strndup(c->mem, s + who->from,
                            utf8_cut(s + who->from, who->to - who->from, NAME_BYTES));
    if (!x->name) return ERR_NOMEM;
    *slot = ++c->n;
    return 0;
}

/* How the word is written that the recogniser has just read. */
static int keep_word(struct named_counter *c)
{
    const struct mention_word *w = &c->in.before[0], *a = &c->in.before[1];
    if (!w->letter || w->chars < ALONE_CHARS || (w->large && w->first)) return 0;
    if (c->words.n >= WORDS_MAX && !map_get(&c->words, w->key)) return 0;
    uint64_t *slot = map_slot(&c->words, w->key);
    if (!slot) return ERR_NOMEM;
    bool as_noun = a->any && (a->is & NAME_ARTICLE) && w->start - a->end == 1;
    *slot += w->large && !as_noun ? LARGE : 1;
    return 0;
}

int named_count(struct named_counter *c, const char *text, size_t n)
{
    struct tokens t = tokens_of(text, n);
    struct mention who;
    int rc = 0;
    if (c->texts++ % c->stride) return 0;
    mentions_begin(&c->in, text, n);
    while (!rc && tokens_next(&t)) {
        if (mentions_next(&c->in, &t, &who)) rc = keep_name(c, text, &who);
        if (!rc && t.is_word) rc = keep_word(c);
    }
    c->looked += n;
    if (c->looked >= LOOKED) {
        c->stride *= 2;
        c->looked = 0;
    }
    return rc;
}

/* ---- what is kept ---- */

static bool stands_alone(const struct named_counter *c, uint64_t key)
{
    const uint32_t name = NAME_GIVEN | NAME_SURNAME, other = NAME_COMMON | NAME_PROPER | NAME_NOUN,
                   never = NAME_NEVER | NAME_THING | NAME_HONOR | NAME_AFTER | NAME_KIN |
                           NAME_PLACED | NAME_ARTICLE | NAME_PARTICLE;
    uint32_t is = nameword_key(key);
    const uint64_t *v = map_get(&c->words, key);
    uint64_t large = v ? *v / LARGE : 0, small = v ? *v % LARGE : 0;
    if (is & name) return !(is & (other | never)) || large > small;
    return !(is & never) && large >= small;
}

static int most_spoken_of(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return memcmp(x->word, y->word, sizeof x->word);
}

static int by_words(const void *a, const void *b)
{
    return memcmp(((const struct named *)a)->word, ((const struct named *)b)->word,
                  sizeof((const struct named *)a)->word);
}

static json_t *name_json(const struct named_counter *c, const struct named *x)
{
    struct buf b = BUF_INIT(1024);
    unsigned alone = 0;
    if (stands_alone(c, x->word[0])) alone |= NAMED_FIRST;
    if (stands_alone(c, x->word[x->n - 1])) alone |= NAMED_LAST;
    buf_printf(&b, "%llu %u ", (unsigned long long)x->count, alone);
    for (int i = 0; i < x->n; i++)
        buf_printf(&b, "%s%016llx", i ? "-" : "", (unsigned long long)x->word[i]);
    buf_printf(&b, " %s", x->name);
    json_t *j = b.failed ? NULL : json_stringn(b.p, b.n);
    buf_free(&b);
    return j;
}

int named_put(const struct named_counter *c, struct home *to, const struct persona *p,
              struct err *err)
{
    size_t n = c->n < NAMED_KEPT ? c->n : NAMED_KEPT;
    struct named *best = malloc((c->n + 1) * sizeof *best);
    json_t *list = json_array(), *all = json_pack("{s:i, s:O*}", "v", 1, "names", list);
    int rc = best && list && all ? 0 : err_nomem(err);
    if (!rc && c->n) {
        memcpy(best, c->name, c->n * sizeof *best);
        qsort(best, c->n, sizeof *best, most_spoken_of);
        qsort(best, n, sizeof *best, by_words);
    }
    for (size_t i = 0; !rc && i < n; i++)
        if (json_array_append_new(list, name_json(c, &best[i]))) rc = err_nomem(err);
    char *text = rc || !n ? NULL : json_dumps(all, JSON_COMPACT);
    if (!rc && n && !text) rc = err_nomem(err);
    if (!rc)
        rc = store_doc_put(to->store, &p->seal, NAMED_DOC, text ? text : "",
                           text ? strlen(text) : 0, err);
    if (text) explicit_bzero(text, strlen(text));
    free(text);
    json_decref(list);
    json_decref(all);
    free(best);
    return rc;
}

/* ---- reading ---- */

static int read_name(struct named_list *out, const char *s)
{
    struct named x = { 0 };
    char *end;
    x.count = strtoull(s, &end, 10);
    if (*end != ' ') return 0;
    x.alone = (unsigned)strtoul(end, &end, 10);
    while (*end == (x.n ? '-' : ' ') && x.n < MENTION_WORDS)
        x.word[x.n++] = strtoull(end + 1, &end, 16);
    if (!x.n || *end != ' ' || !end[1]) return 0;
    x.name = arena_strdup(out->mem, end + 1);
    if (!x.name) return ERR_NOMEM;
    out->p[out->n++] = x;
    return 0;
}

int named_load(struct home *h, const struct persona *p, struct named_list *out, struct err *err)
{
    struct buf doc = BUF_INIT(DOC_MAX);
    json_t *all = NULL, *list, *one;
    size_t i;
    *out = (struct named_list){ .mem = arena_new(0) };
    int rc = out->mem ? store_doc_get(h->store, &p->seal, NAMED_DOC, &doc, err) : err_nomem(err);
    if (!rc) all = json_loadb(buf_str(&doc), doc.n, JSON_REJECT_DUPLICATES, NULL);
    if (rc == ERR_NOTFOUND) rc = 0;
    list = json_object_get(all, "names");
    if (!rc) out->p = arena_alloc(out->mem, (json_array_size(list) + 1) * sizeof *out->p);
    if (!rc && !out->p) rc = err_nomem(err);
    json_array_foreach(list, i, one)
    {
        if (!rc && json_is_string(one) && read_name(out, json_string_value(one)))
            rc = err_nomem(err);
    }
    json_decref(all);
    buf_free(&doc);
    if (rc) named_free(out);
    return rc;
}

void named_free(struct named_list *l)
{
    if (!l) return;
    arena_free(l->mem);
    *l = (struct named_list){ 0 };
}
