/* Counting people: who wrote, how much, where and when.
 *
 * Settling passes over all pieces for the profile, and the people are counted on the way, so that
 * the list is never behind what is stored, whatever came in, was deleted, or became voice. What is
 * counted are identities: an address, a number, an account of a service, or, where the format has
 * nothing but names, the name within that format (an address book of one phone knows one "Mum").
 * Which identities are one person is decided when the list is read (people_join.c), since people
 * change their minds about that without anything being counted anew.
 *
 * Pieces come source by source, and no thread lies in two. So what must be known of each thread
 * (who wrote in it, how often the persona) is kept for one source and then added up: memory grows
 * with the largest source, 50 bytes a thread and writer, not with all of them.
 *
 * Robots write from addresses without end. NODES_MAX identities are counted and the KEPT of them
 * with most messages stored, those that somebody said something about in any case. */
#include "persona/people.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/named.h"
#include "persona/people_impl.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX  100000
#define SPELLS_MAX 400000
#define KEPT       20000
#define NAMES_KEPT 8
#define TEXT_KEPT  200 /* bytes of a name or address */

struct node { /* an identity */
    const char *key;
    const char *format;
    uint64_t messages, answered, threads, sources;
    int64_t from, to, source; /* source: the last one it wrote in */
    bool said;
};

struct spelling { /* author and id as they stand in pieces */
    uint32_t node;
    const char *name, *id;
    uint64_t count;
};

struct pair {
    uint64_t thread;
    uint32_t node;
};

struct people_counter {
    struct arena *mem;
    const struct persona *p;
    struct node *node;
    struct spelling *spell;
    size_t n_nodes, cap_nodes, n_spells, cap_spells;
    struct map by_key, by_spelling; /* -> index + 1 */
    struct map formats;             /* source -> pointer to its format's name */
    int64_t source;                 /* the one that is being counted */
    struct pair *pair;
    size_t n_pairs, cap_pairs;
    struct map in_thread; /* hash of thread and node */
    struct map own;       /* thread -> what the persona wrote in it */
    json_t *said;
    struct named_counter *named; /* NULL: not asked for */
};

/* ---- identities ---- */

bool people_full_name(const char *folded)
{
    const char *space = strchr(folded, ' ');
    return space && space > folded && space[1];
}

/* "447911123456@s.whatsapp.net" is a number. */
static size_t number_of(const char *s, char digits[PHONE_DIGITS])
{
    char head[32];
    const char *at = strchr(s, '@');
    if (!at) return who_phone(s, digits);
    if (strcmp(at, "@s.whatsapp.net") != 0 && strcmp(at, "@c.us") != 0) return 0;
    if ((size_t)(at - s) >= sizeof head) return 0;
    memcpy(head, s, (size_t)(at - s));
    head[at - s] = 0;
    return who_phone(head, digits);
}

static bool is_mail(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at > s && !strchr(at + 1, '@') && strchr(at, '.') && !strpbrk(s, " \t:/<>");
}

/* Numbers and addresses are the same in every format; anything else is not looked at here. */
static bool public_key_of(const char *s, char key[KEY_BYTES])
{
    char digits[PHONE_DIGITS];
    size_t n = number_of(s, digits), k = n > 9 ? 9 : n;
    if (n) {
        snprintf(key, KEY_BYTES, "phone:%.*s", (int)k, digits + n - k);
        return true;
    }
    if (!is_mail(s) || strlen(s) > TEXT_KEPT) return false;
    snprintf(key, KEY_BYTES, "mail:%s", s);
    for (char *p = key; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    return true;
}

bool people_key(const char *author, const char *id, const char *format, char key[KEY_BYTES])
{
    struct buf name = BUF_INIT(16384);
    if (*id && public_key_of(id, key)) return true;
    if (*id && strcmp(id, author) != 0) {
        snprintf(key, KEY_BYTES, "id:%.40s:%.*s", format, (int)utf8_cut(id, strlen(id), TEXT_KEPT),
                 id);
        return true;
    }
    if (*author && public_key_of(author, key)) return true;
    who_name(author, &name);
    size_t n = utf8_cut(buf_str(&name), name.n, TEXT_KEPT);
    bool any = !name.failed && n > 0;
    if (any) snprintf(key, KEY_BYTES, "name:%.40s:%.*s", format, (int)n, buf_str(&name));
    buf_free(&name);
    return any;
}

/* ---- counting ---- */

int people_counter_source(struct people_counter *c, int64_t source, const char *format)
{
    uint64_t *slot = map_slot(&c->formats, (uint64_t)source);
    const char *kept = arena_strdup(c->mem, format);
    if (!slot || !kept) return ERR_NOMEM;
    *slot = (uint64_t)(uintptr_t)kept;
    return 0;
}

static int keep_format(void *ud, const struct row_source *r)
{
    json_t *o = json_loadb(r->body, r->body_n, 0, NULL);
    const char *format = json_string_value(json_object_get(o, "format"));
    int rc = people_counter_source(ud, r->id, format ? format : "");
    json_decref(o);
    return rc;
}

struct people_counter *people_counter_new(struct home *h, const struct persona *p, struct err *err)
{
    struct people_counter *c = calloc(1, sizeof *c);
    if (!c || !(c->mem = arena_new(0)) || !(c->named = named_counter_new())) {
        people_counter_free(c);
        err_nomem(err);
        return NULL;
    }
    c->p = p;
    int rc = store_source_each(h->store, &p->seal, 0, keep_format, c, err);
    if (rc == ERR_NOMEM) err_nomem(err);
    if (!rc) rc = people_said_load(h, p, &c->said, err);
    if (!rc) return c;
    people_counter_free(c);
    return NULL;
}

void people_counter_writers(struct people_counter *c)
{
    named_counter_free(c->named);
    c->named = NULL;
}

void people_counter_free(struct people_counter *c)
{
    if (!c) return;
    struct map *all[] = { &c->by_key, &c->by_spelling, &c->formats, &c->in_thread, &c->own };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) map_free(all[i]);
    free(c->node);
    free(c->spell);
    free(c->pair);
    json_decref(c->said);
    named_counter_free(c->named);
    arena_free(c->mem);
    free(c);
}

/* Room for one more of `size` bytes; false when out of memory. */
static bool grow(void *array, size_t n, size_t *cap, size_t size)
{
    void **at = array;
    if (n < *cap) return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *grown = realloc(*at, more * size);
    if (!grown) return false;
    *at = grown;
    *cap = more;
    return true;
}

static const char *format_of(const struct people_counter *c, int64_t source)
{
    const uint64_t *slot = map_get(&c->formats, (uint64_t)source);
    return slot ? (const char *)(uintptr_t)*slot : "";
}

static int node_of(struct people_counter *c, const char *key, const char *format, size_t *out)
{
    uint64_t *slot = map_slot(&c->by_key, hash64(key, strlen(key), 23));
    if (!slot) return ERR_NOMEM;
    *out = (size_t)*slot;
    if (*slot || c->n_nodes == NODES_MAX) return 0;
    const char *kept = arena_strdup(c->mem, key);
    if (!kept || !grow(&c->node, c->n_nodes, &c->cap_nodes, sizeof *c->node)) return ERR_NOMEM;
    c->node[c->n_nodes++] =
        (struct node){ .key = kept, .format = format, .from = CLOCK_NONE, .to = CLOCK_NONE };
    *slot = *out = c->n_nodes;
    return 0;
}

static const char *kept_text(struct people_counter *c, const char *s)
{
    return arena_strndup(c->mem, s, utf8_cut(s, strlen(s), TEXT_KEPT));
}

/* The spelling's index + 1; 0: beyond what is counted. */
static int spelling_of(struct people_counter *c, const struct piece *p, size_t *out)
{
    const char *format = format_of(c, c->source);
    uint64_t h = hash64(p->author, strlen(p->author), hash64(format, strlen(format), 33));
    char key[KEY_BYTES];
    size_t node;
    *out = 0;
    h = hash64(p->author_id, strlen(p->author_id), h);
    const uint64_t *known = map_get(&c->by_spelling, h);
    if (known) {
        *out = (size_t)*known;
        return 0;
    }
    if (c->n_spells == SPELLS_MAX || !people_key(p->author, p->author_id, format, key)) return 0;
    int rc = node_of(c, key, format, &node);
    if (rc || !node) return rc;
    struct spelling s = { .node = (uint32_t)node - 1,
                          .name = kept_text(c, p->author),
                          .id = kept_text(c, p->author_id) };
    uint64_t *slot = map_slot(&c->by_spelling, h);
    if (!slot || !s.name || !s.id || !grow(&c->spell, c->n_spells, &c->cap_spells, sizeof s))
        return ERR_NOMEM;
    c->spell[c->n_spells++] = s;
    *slot = *out = c->n_spells;
    return 0;
}

/* A source is through: threads are added to those who wrote in them. */
static void end_source(struct people_counter *c)
{
    for (size_t i = 0; i < c->n_pairs; i++) {
        const uint64_t *own = map_get(&c->own, c->pair[i].thread);
        c->node[c->pair[i].node].threads++;
        if (own) c->node[c->pair[i].node].answered += *own;
    }
    c->n_pairs = 0;
    map_free(&c->in_thread);
    map_free(&c->own);
}

static int in_thread(struct people_counter *c, const char *name, uint32_t node)
{
    uint64_t thread = hash64(name, strlen(name), 29), both[2] = { thread, node };
    uint64_t *slot = map_slot(&c->in_thread, hash64(both, sizeof both, 31));
    if (!slot) return ERR_NOMEM;
    if (*slot) return 0;
    *slot = 1;
    if (!grow(&c->pair, c->n_pairs, &c->cap_pairs, sizeof *c->pair)) return ERR_NOMEM;
    c->pair[c->n_pairs++] = (struct pair){ thread, node };
    return 0;
}

int people_count(struct people_counter *c, int64_t source, bool voice, const struct piece *p)
{
    size_t s;
    if (c->named && named_count(c->named, p->text, strlen(p->text))) return ERR_NOMEM;
    if (source != c->source) end_source(c);
    c->source = source;
    if (p->kind == PIECE_DOC) return 0;
    if (voice) {
        uint64_t *own =
            *p->thread ? map_slot(&c->own, hash64(p->thread, strlen(p->thread), 29)) : NULL;
        if (own) ++*own;
        return own || !*p->thread ? 0 : ERR_NOMEM;
    }
    int rc = spelling_of(c, p, &s);
    if (rc || !s) return rc;
    c->spell[s - 1].count++;
    struct node *n = &c->node[c->spell[s - 1].node];
    n->messages++;
    if (n->source != source) n->sources++;
    n->source = source;
    if (p->written_at != CLOCK_NONE) {
        if (n->from == CLOCK_NONE || p->written_at < n->from) n->from = p->written_at;
        if (n->to == CLOCK_NONE || p->written_at > n->to) n->to = p->written_at;
    }
    return *p->thread ? in_thread(c, p->thread, c->spell[s - 1].node) : 0;
}

/* ---- the document ---- */

static int by_node(const void *a, const void *b)
{
    const struct spelling *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void add_once(json_t *list, const char *s)
{
    size_t i;
    json_t *one;
    if (!*s || json_array_size(list) == NAMES_KEPT) return;
    json_array_foreach(list, i, one) if (!strcmp(json_string_value(one), s)) return;
    json_array_append_new(list, json_string(s));
}

static json_t *node_json(const struct people_counter *c, size_t at, size_t first)
{
    const struct node *n = &c->node[at];
    json_t *names = json_array(), *ids = json_array();
    for (size_t i = first; i < c->n_spells && c->spell[i].node == at; i++) {
        const struct spelling *one = &c->spell[i];
        char key[KEY_BYTES];
        bool bare = public_key_of(one->name, key) && !strcmp(key, n->key); /* no name of its own */
        if (!bare) add_once(names, one->name);
        if (*one->id && strcmp(one->id, one->name) != 0) add_once(ids, one->id);
        else if (bare) add_once(ids, one->name);
    }
    return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "key", n->key, "names",
                     names, "ids", ids, "format", n->format, "messages", (json_int_t)n->messages,
                     "answered", (json_int_t)n->answered, "threads", (json_int_t)n->threads,
                     "sources", (json_int_t)n->sources, "from",
                     n->from == CLOCK_NONE ? json_null() : json_integer(n->from), "to",
                     n->to == CLOCK_NONE ? json_null() : json_integer(n->to));
}

static struct node *said_node(struct people_counter *c, const json_t *key)
{
    const char *s = json_string_value(key);
    const uint64_t *slot = s ? map_get(&c->by_key, hash64(s, strlen(s), 23)) : NULL;
    return slot && *slot ? &c->node[*slot - 1] : NULL;
}

/* What was said of people of whom nothing is left goes; the others are kept in the list. */
static void prune_said(struct people_counter *c)
{
    static const char *const lists[] = { "same", "apart" };
    for (size_t l = 0; l < 2; l++) {
        json_t *list = json_object_get(c->said, lists[l]);
        for (size_t i = json_array_size(list); i-- > 0;) {
            json_t *pair = json_array_get(list, i);
            struct node *a = said_node(c, json_array_get(pair, 0)),
                        *b = said_node(c, json_array_get(pair, 1));
            if (a && b) a->said = b->said = true;
            else json_array_remove(list, i);
        }
    }
}

static int most_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Messages that somebody must have written to be listed. */
static int threshold(const struct people_counter *c, uint64_t *least)
{
    *least = 0;
    if (c->n_nodes <= KEPT) return 0;
    uint64_t *n = malloc(c->n_nodes * sizeof *n);
    if (!n) return ERR_NOMEM;
    for (size_t i = 0; i < c->n_nodes; i++) n[i] = c->node[i].messages;
    qsort(n, c->n_nodes, sizeof *n, most_first);
    *least = n[KEPT];
    free(n);
    return 0;
}

int people_counted(struct people_counter *c, struct buf *doc)
{
    uint64_t least, left = 0;
    end_source(c);
    prune_said(c);
    int rc = threshold(c, &least);
    if (rc) return rc;
    if (c->n_spells) qsort(c->spell, c->n_spells, sizeof *c->spell, by_node);
    json_t *list = json_array();
    for (size_t i = 0, s = 0; i < c->n_nodes; i++) {
        while (s < c->n_spells && c->spell[s].node < i) s++;
        if (c->node[i].messages > least || c->node[i].said)
            json_array_append_new(list, node_json(c, i, s));
        else left++;
    }
    json_t *all = json_pack("{s:i, s:I, s:o}", "v", 1, "more", (json_int_t)left, "people", list);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    rc = text ? buf_adds(doc, text) : ERR_NOMEM;
    if (text) explicit_bzero(text, strlen(text));
    free(text);
    json_decref(all);
    return rc;
}

const struct persona *people_persona(const struct people_counter *c) { return c->p; }

int people_put(struct people_counter *c, struct home *to, const struct buf *doc, struct err *err)
{
    struct store *st = to->store;
    json_t *said = NULL;
    int rc = store_doc_put(st, &c->p->seal, PEOPLE_DOC, buf_str(doc), doc->n, err);
    if (!rc && c->named) rc = named_put(c->named, to, c->p, err);
    /* Somebody may have said more since the counting began. */
    if (!rc) rc = people_said_load(to, c->p, &said, err);
    if (rc) return rc;
    json_t *before = c->said;
    c->said = said;
    size_t had = json_array_size(json_object_get(said, "same")) +
                 json_array_size(json_object_get(said, "apart"));
    prune_said(c);
    size_t n = json_array_size(json_object_get(said, "same")) +
               json_array_size(json_object_get(said, "apart"));
    char *text = n < had ? json_dumps(said, JSON_COMPACT) : NULL;
    if (n < had)
        rc = text ? store_doc_put(st, &c->p->seal, PEOPLE_SAID, text, n ? strlen(text) : 0, err)
                  : err_nomem(err);
    if (text) explicit_bzero(text, strlen(text));
    free(text);
    json_decref(before);
    return rc;
}
