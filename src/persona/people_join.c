/* Joining identities into people, and what somebody says about that.
 *
 * First what was said to be the same is joined. Then identities of the same full name are, unless
 * that would join what was said to be apart, or two accounts of one service (two John Smiths of one
 * workspace are two). An address that many names write from, a service's that notifies of others or
 * a list's, joins nobody. A person is "likely" where it takes more than what was said to hold it
 * together; so is one who is known in several sources by a name alone.
 *
 * What was said is pairs of identities, so that it outlives every new counting and goes with the
 * last message of those it is about. */
#include "persona/people.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/people_impl.h"

#include <stdlib.h>
#include <string.h>

#define SAID_MAX     4096 /* pairs */
#define BRIDGE_NAMES 3    /* an address with more full names joins nobody */
#define DOC_MAX      ((size_t)64 << 20)

struct part { /* an identity, as counted */
    const char *key, *format;
    const char **names, **ids;
    size_t n_names, n_ids;
    uint64_t messages, answered, threads, sources;
    int64_t from, to;
    uint32_t root, said_root; /* of its person; of what was said to be the same */
    uint32_t next;            /* of the same person; itself + 1; 0: the last */
    uint32_t last;            /* at a root: the last of its chain, + 1 */
    bool sure;                /* said to be the same as itself: its name is enough */
};

struct people_parts {
    struct part *p;
    size_t n;
    json_t *said;
    struct map at; /* hash of key -> index + 1 */
};

/* ---- what was said ---- */

int people_said_load(struct home *h, const struct persona *p, json_t **out, struct err *err)
{
    struct buf doc = BUF_INIT(DOC_MAX);
    *out = NULL;
    int rc = store_doc_get(h->store, &p->seal, PEOPLE_SAID, &doc, err);
    if (!rc) *out = json_loadb(buf_str(&doc), doc.n, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&doc);
    if (rc && rc != ERR_NOTFOUND) return rc;
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = json_pack("{s:i}", "v", 1);
    }
    static const char *const lists[] = { "same", "apart" };
    for (size_t i = 0; *out && i < 2; i++)
        if (!json_is_array(json_object_get(*out, lists[i])))
            json_object_set_new(*out, lists[i], json_array());
    return *out ? 0 : err_nomem(err);
}

static int said_save(struct home *h, struct persona *p, const json_t *said, struct err *err)
{
    size_t n = json_array_size(json_object_get(said, "same")) +
               json_array_size(json_object_get(said, "apart"));
    if (n > SAID_MAX)
        return err_set(err, ERR_LIMIT, "so much cannot be kept of who is who: %d pairs at most",
                       SAID_MAX);
    char *text = json_dumps(said, JSON_COMPACT);
    int rc = text ? store_doc_put(h->store, &p->seal, PEOPLE_SAID, text, n ? strlen(text) : 0, err)
                  : err_nomem(err);
    if (text) explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

static struct part *part_named(const struct people_parts *all, const json_t *key)
{
    const char *s = json_string_value(key);
    const uint64_t *slot = s ? map_get(&all->at, hash64(s, strlen(s), 23)) : NULL;
    return slot && *slot ? &all->p[*slot - 1] : NULL;
}

/* The two of the i-th pair of a list, where both are there. */
static bool said_pair(const struct people_parts *all, const char *list, size_t i, struct part **a,
                      struct part **b)
{
    const json_t *pair = json_array_get(json_object_get(all->said, list), i);
    *a = part_named(all, json_array_get(pair, 0));
    *b = part_named(all, json_array_get(pair, 1));
    return *a && *b;
}

static size_t said_count(const struct people_parts *all, const char *list)
{
    return json_array_size(json_object_get(all->said, list));
}

/* ---- reading ---- */

static const char **texts(struct arena *a, const json_t *list, size_t *n)
{
    const char **out = arena_alloc(a, (json_array_size(list) + 1) * sizeof *out);
    size_t i;
    json_t *s;
    *n = 0;
    if (!out) return NULL;
    json_array_foreach(list, i, s) if (json_is_string(s) &&
                                       (out[*n] = arena_strdup(a, json_string_value(s))))++ *n;
    return out;
}

static int64_t time_or_none(const json_t *t)
{
    return json_is_integer(t) ? json_integer_value(t) : CLOCK_NONE;
}

static uint64_t number(const json_t *o, const char *name)
{
    json_int_t v = json_integer_value(json_object_get(o, name));
    return v > 0 ? (uint64_t)v : 0;
}

static int read_part(struct people *out, const json_t *o)
{
    struct people_parts *all = out->parts;
    const char *key = json_string_value(json_object_get(o, "key")),
               *format = json_string_value(json_object_get(o, "format"));
    uint32_t at = (uint32_t)all->n;
    if (!key || !*key) return 0;
    uint64_t *slot = map_slot(&all->at, hash64(key, strlen(key), 23));
    if (!slot) return ERR_NOMEM;
    if (*slot) return 0;
    struct part *p = &all->p[at];
    *p = (struct part){ .key = arena_strdup(out->mem, key),
                        .format = arena_strdup(out->mem, format ? format : ""),
                        .messages = number(o, "messages"),
                        .answered = number(o, "answered"),
                        .threads = number(o, "threads"),
                        .sources = number(o, "sources"),
                        .from = time_or_none(json_object_get(o, "from")),
                        .to = time_or_none(json_object_get(o, "to")),
                        .root = at,
                        .said_root = at,
                        .last = at + 1 };
    p->names = texts(out->mem, json_object_get(o, "names"), &p->n_names);
    p->ids = texts(out->mem, json_object_get(o, "ids"), &p->n_ids);
    if (!p->key || !p->format || !p->names || !p->ids) return ERR_NOMEM;
    *slot = ++all->n;
    return 0;
}

/* silent: what they wrote does not count. Those that are there already stay as they are. */
static int read_parts(struct people *out, const struct buf *doc, bool silent)
{
    json_t *o = json_loadb(buf_str(doc), doc->n, JSON_REJECT_DUPLICATES, NULL), *one;
    const json_t *list = json_object_get(o, "people");
    struct people_parts *all = out->parts;
    struct part *grown = realloc(all->p, (all->n + json_array_size(list) + 1) * sizeof *all->p);
    size_t i, before = all->n;
    int rc = grown ? 0 : ERR_NOMEM;
    if (grown) all->p = grown;
    out->more += number(o, "more");
    json_array_foreach(list, i, one)
    {
        if (!rc) rc = read_part(out, one);
    }
    for (i = before; silent && i < all->n; i++) all->p[i].messages = all->p[i].answered = 0;
    json_decref(o);
    return rc;
}

/* ---- joining ---- */

static void join(struct people_parts *all, uint32_t a, uint32_t b)
{
    uint32_t keep = all->p[a].root, gone = all->p[b].root;
    if (keep == gone) return;
    for (uint32_t i = gone + 1; i; i = all->p[i - 1].next) all->p[i - 1].root = keep;
    all->p[all->p[keep].last - 1].next = gone + 1;
    all->p[keep].last = all->p[gone].last;
}

/* Bytes of "id:SERVICE:" of an account, else 0. */
static size_t account_prefix(const char *key)
{
    const char *colon = strncmp(key, "id:", 3) ? NULL : strchr(key + 3, ':');
    return colon ? (size_t)(colon - key) + 1 : 0;
}

/* May the name alone make one person of these two? */
static bool may_join(const struct people_parts *all, uint32_t a, uint32_t b)
{
    struct part *x, *y;
    for (uint32_t i = a + 1; i; i = all->p[i - 1].next) {
        size_t n = account_prefix(all->p[i - 1].key);
        for (uint32_t k = n ? b + 1 : 0; k; k = all->p[k - 1].next)
            if (!strncmp(all->p[i - 1].key, all->p[k - 1].key, n)) return false;
    }
    for (size_t i = 0; i < said_count(all, "apart"); i++)
        if (said_pair(all, "apart", i, &x, &y) &&
            ((x->root == a && y->root == b) || (x->root == b && y->root == a)))
            return false;
    return true;
}

/* One that has a name, in the chain of those of the same name. */
struct namesake {
    uint32_t part, before; /* before: the one before of that name, + 1 */
};

static int join_named(struct people_parts *all, struct map *last, struct namesake *list, size_t *n,
                      uint32_t part, uint64_t name)
{
    uint64_t *slot = map_slot(last, name);
    if (!slot) return ERR_NOMEM;
    for (uint32_t i = (uint32_t)*slot; i; i = list[i - 1].before) {
        uint32_t a = all->p[list[i - 1].part].root, b = all->p[part].root;
        if (a == b) return 0;
        if (!may_join(all, a, b)) continue;
        join(all, a, b);
        return 0;
    }
    list[*n] = (struct namesake){ part, (uint32_t)*slot }; /* the first, or another of it */
    *slot = ++*n;
    return 0;
}

static uint64_t full_name(const char *name)
{
    struct buf folded = BUF_INIT(16384);
    who_name(name, &folded);
    uint64_t h =
        people_full_name(buf_str(&folded)) ? hash64(buf_str(&folded), folded.n, 37) | 1 : 0;
    buf_free(&folded);
    return h;
}

static int join_by_name(struct people_parts *all)
{
    struct map last = { 0 };
    struct namesake *list = calloc(all->n * BRIDGE_NAMES + 1, sizeof *list);
    size_t n = 0;
    int rc = list ? 0 : ERR_NOMEM;
    for (size_t i = 0; !rc && i < all->n; i++) {
        const struct part *p = &all->p[i];
        uint64_t have[BRIDGE_NAMES + 1];
        size_t k = 0;
        for (size_t j = 0; j < p->n_names && k <= BRIDGE_NAMES; j++) {
            uint64_t name = full_name(p->names[j]);
            bool twice = !name;
            for (size_t m = 0; m < k; m++) twice |= have[m] == name;
            if (!twice) have[k++] = name;
        }
        for (size_t j = 0; !rc && k <= BRIDGE_NAMES && j < k; j++)
            rc = join_named(all, &last, list, &n, (uint32_t)i, have[j]);
    }
    free(list);
    map_free(&last);
    return rc;
}

static int join_all(struct people_parts *all)
{
    struct part *a, *b;
    for (size_t i = 0; i < said_count(all, "same"); i++) {
        if (!said_pair(all, "same", i, &a, &b)) continue;
        a->sure = b->sure = true;
        join(all, (uint32_t)(a - all->p), (uint32_t)(b - all->p));
    }
    for (size_t i = 0; i < all->n; i++) all->p[i].said_root = all->p[i].root;
    return join_by_name(all);
}

/* ---- people ---- */

static void add_text(const char **list, size_t *n, const char *s)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp(list[i], s)) return;
    list[(*n)++] = s;
}

static int most_written(const void *a, const void *b)
{
    const struct part *x = *(const struct part *const *)a, *y = *(const struct part *const *)b;
    if (x->messages != y->messages) return x->messages > y->messages ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* The parts of a person, those that wrote most first. */
static const struct part **parts_of(struct arena *mem, const struct people_parts *all,
                                    uint32_t root, size_t *n)
{
    *n = 0;
    for (uint32_t i = root + 1; i; i = all->p[i - 1].next) ++*n;
    const struct part **list = arena_alloc(mem, *n * sizeof *list);
    size_t k = 0;
    for (uint32_t i = root + 1; list && i; i = all->p[i - 1].next) list[k++] = &all->p[i - 1];
    if (list) qsort(list, *n, sizeof *list, most_written);
    return list;
}

static int oldest_first(const void *a, const void *b)
{
    const struct part *x = *(const struct part *const *)a, *y = *(const struct part *const *)b;
    bool dated = x->from != CLOCK_NONE, also = y->from != CLOCK_NONE;
    if (dated != also) return dated ? -1 : 1;
    if (dated && x->from != y->from) return x->from < y->from ? -1 : 1;
    return strcmp(x->key, y->key);
}

static void id_of(const struct persona *who, const char *key, char out[9])
{
    uint8_t d[16];
    vault_digest(who->seal.key, "person", key, strlen(key), d);
    snprintf(out, 9, "%02x%02x%02x%02x", d[0], d[1], d[2], d[3]);
}

/* So that who was given a pseudonym before two were joined keeps it. Reorders the parts. */
static int part_ids(struct people *out, const struct persona *who, const struct part **part,
                    struct person *p)
{
    char(*ids)[9] = arena_alloc(out->mem, p->n_parts * sizeof *ids);
    if (!ids) return ERR_NOMEM;
    qsort(part, p->n_parts, sizeof *part, oldest_first);
    for (size_t i = 0; i < p->n_parts; i++) id_of(who, part[i]->key, ids[i]);
    p->part_ids = (const char(*)[9])ids;
    return 0;
}

static int person_of(struct people *out, const struct persona *who, uint32_t root)
{
    const struct people_parts *all = out->parts;
    struct person p = { .from = CLOCK_NONE, .to = CLOCK_NONE, .part = root };
    size_t n, names = 0, ids = 0;
    const struct part **part = parts_of(out->mem, all, root, &n);
    if (!part) return ERR_NOMEM;
    const char *least = part[0]->key;
    p.n_parts = n;
    for (size_t i = 0; i < n; i++) names += part[i]->n_names, ids += part[i]->n_ids;
    p.names = arena_alloc(out->mem, (names + 1) * sizeof *p.names);
    p.ids = arena_alloc(out->mem, (ids + 1) * sizeof *p.ids);
    p.formats = arena_alloc(out->mem, n * sizeof *p.formats);
    if (!p.names || !p.ids || !p.formats) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct part *q = part[i];
        for (size_t j = 0; j < q->n_names; j++) add_text(p.names, &p.n_names, q->names[j]);
        for (size_t j = 0; j < q->n_ids; j++) add_text(p.ids, &p.n_ids, q->ids[j]);
        add_text(p.formats, &p.n_formats, q->format);
        p.messages += q->messages;
        p.answered += q->answered;
        p.threads += q->threads;
        p.sources += q->sources;
        if (q->from != CLOCK_NONE && (p.from == CLOCK_NONE || q->from < p.from)) p.from = q->from;
        if (q->to != CLOCK_NONE && (p.to == CLOCK_NONE || q->to > p.to)) p.to = q->to;
        p.likely |= q->said_root != part[0]->said_root ||
                    (!q->sure && q->sources > 1 && !strncmp(q->key, "name:", 5));
        if (strcmp(q->key, least) < 0) least = q->key;
    }
    p.name = p.n_names ? p.names[0] : p.n_ids ? p.ids[0] : "";
    id_of(who, least, p.id);
    int rc = part_ids(out, who, part, &p);
    out->p[out->n++] = p;
    return rc;
}

static int most_messages(const void *a, const void *b)
{
    const struct person *x = a, *y = b;
    if (x->messages != y->messages) return x->messages > y->messages ? -1 : 1;
    if (x->answered != y->answered) return x->answered > y->answered ? -1 : 1;
    int c = strcmp(x->name, y->name);
    return c ? c : strcmp(x->id, y->id);
}

/* What a document holds, or two, where the people of the second wrote nothing that counts. */
static int load(struct home *h, const struct persona *p, const struct buf *doc,
                const struct buf *second, struct people *out, struct err *err)
{
    *out = (struct people){ .mem = arena_new(0), .parts = calloc(1, sizeof *out->parts) };
    int rc = out->mem && out->parts ? 0 : err_nomem(err);
    if (!rc) rc = people_said_load(h, p, &out->parts->said, err);
    if (!rc && read_parts(out, doc, false)) rc = err_nomem(err);
    if (!rc && second && read_parts(out, second, true)) rc = err_nomem(err);
    if (!rc && join_all(out->parts)) rc = err_nomem(err);
    if (!rc && !(out->p = calloc(out->parts->n + 1, sizeof *out->p))) rc = err_nomem(err);
    for (uint32_t i = 0; !rc && i < out->parts->n; i++)
        if (out->parts->p[i].root == i && person_of(out, p, i)) rc = err_nomem(err);
    if (!rc) qsort(out->p, out->n, sizeof *out->p, most_messages);
    else people_free(out);
    return rc;
}

static int stored(struct home *h, const struct persona *p, struct buf *doc, struct err *err)
{
    int rc = store_doc_get(h->store, &p->seal, PEOPLE_DOC, doc, err);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

int people_load(struct home *h, const struct persona *p, struct people *out, struct err *err)
{
    struct buf doc = BUF_INIT(DOC_MAX);
    *out = (struct people){ 0 };
    int rc = stored(h, p, &doc, err);
    if (!rc) rc = load(h, p, &doc, NULL, out, err);
    out->counted = doc.n > 0;
    buf_free(&doc);
    return rc;
}

int people_foretell(struct people_counter *c, struct home *h, struct people *out, struct err *err)
{
    struct buf doc = BUF_INIT(DOC_MAX), there = BUF_INIT(DOC_MAX);
    *out = (struct people){ 0 };
    int rc = people_counted(c, &doc) ? err_nomem(err) : 0;
    if (!rc) rc = stored(h, people_persona(c), &there, err);
    if (!rc) rc = load(h, people_persona(c), &doc, &there, out, err);
    buf_free(&doc);
    buf_free(&there);
    return rc;
}

void people_free(struct people *all)
{
    if (!all) return;
    if (all->parts) {
        json_decref(all->parts->said);
        map_free(&all->parts->at);
        free(all->parts->p);
    }
    free(all->parts);
    free(all->p);
    arena_free(all->mem);
    *all = (struct people){ 0 };
}

/* ---- finding ---- */

/* As written, folded as a name, or as a number or an address. */
static bool called(const char *const *list, size_t n, const char *who, const char *folded)
{
    char a[KEY_BYTES], b[KEY_BYTES];
    bool is = false;
    for (size_t i = 0; i < n && !is; i++) {
        struct buf name = BUF_INIT(16384);
        who_name(list[i], &name);
        is = !strcmp(list[i], who) || (*folded && !strcmp(buf_str(&name), folded));
        buf_free(&name);
        is = is || (people_key("", who, "", a) && strncmp(a, "id:", 3) != 0 &&
                    people_key("", list[i], "", b) && !strcmp(a, b));
    }
    return is;
}

const struct person *people_find(const struct people *all, const char *who, struct err *err)
{
    const struct person *found = NULL;
    struct buf folded = BUF_INIT(16384);
    size_t n = 0;
    who_name(who, &folded);
    for (size_t i = 0; i < all->n; i++) {
        const struct person *p = &all->p[i];
        if (!strcmp(p->id, who)) {
            found = p;
            n = 1;
            break;
        }
        if (!called(p->names, p->n_names, who, buf_str(&folded)) &&
            !called(p->ids, p->n_ids, who, ""))
            continue;
        found = p;
        n++;
    }
    buf_free(&folded);
    if (n == 1) return found;
    if (n) err_set(err, ERR_INVAL, "%zu people are called that: say which by the id", n);
    else err_set(err, ERR_NOTFOUND, "there is nobody of that name or address");
    return NULL;
}

/* ---- saying ---- */

struct saying {
    struct home *h;
    struct persona *p;
    struct people all;
    struct err *err;
};

static int say_begin(struct saying *s)
{
    int rc = store_begin(s->h->store, s->err);
    if (rc) return rc;
    rc = people_load(s->h, s->p, &s->all, s->err);
    if (rc) store_rollback(s->h->store);
    return rc;
}

static int say_end(struct saying *s, int rc)
{
    if (!rc) rc = said_save(s->h, s->p, s->all.parts->said, s->err);
    if (!rc) rc = store_commit(s->h->store, s->err);
    if (rc) store_rollback(s->h->store);
    people_free(&s->all);
    return rc;
}

static int say(struct saying *s, const char *list, const struct part *a, const struct part *b)
{
    json_t *pairs = json_object_get(s->all.parts->said, list);
    struct part *x, *y;
    for (size_t i = 0; i < json_array_size(pairs); i++)
        if (said_pair(s->all.parts, list, i, &x, &y) && x == a && y == b) return 0;
    return json_array_append_new(pairs, json_pack("[s, s]", a->key, b->key)) ? err_nomem(s->err)
                                                                             : 0;
}

/* Takes back what was said of two, of whom one is picked and the other is not. */
static void unsay(struct saying *s, const char *list, const bool *picked, uint32_t x, uint32_t y)
{
    const struct people_parts *all = s->all.parts;
    for (size_t i = said_count(all, list); i-- > 0;) {
        struct part *a, *b;
        if (!said_pair(all, list, i, &a, &b)) continue;
        bool across = picked
                          ? a->root == x && b->root == x && picked[a - all->p] != picked[b - all->p]
                          : (a->root == x && b->root == y) || (a->root == y && b->root == x);
        if (across) json_array_remove(json_object_get(all->said, list), i);
    }
}

int people_merge(struct home *h, struct persona *p, const char *a, const char *b, struct err *err)
{
    struct saying s = { .h = h, .p = p, .err = err };
    int rc = say_begin(&s);
    if (rc) return rc;
    const struct person *x = people_find(&s.all, a, err),
                        *y = x ? people_find(&s.all, b, err) : NULL;
    if (!y) rc = err ? err->code : ERR_NOTFOUND;
    else if (x == y) rc = err_set(err, ERR_EXISTS, "these two are one person already");
    if (!rc && y) {
        uint32_t rx = x->part, ry = y->part;
        unsay(&s, "apart", NULL, rx, ry);
        rc = say(&s, "same", &s.all.parts->p[rx], &s.all.parts->p[ry]);
    }
    return say_end(&s, rc);
}

/* Of the parts of a person: those that are meant by a name or address. How many are not. */
static size_t pick(const struct people_parts *all, uint32_t root, const char *what, bool *picked,
                   size_t *n)
{
    struct buf folded = BUF_INIT(16384);
    size_t others = 0;
    who_name(what, &folded);
    *n = 0;
    for (uint32_t i = root + 1; i; i = all->p[i - 1].next) {
        const struct part *q = &all->p[i - 1];
        picked[i - 1] = called(q->ids, q->n_ids, what, "");
        *n += picked[i - 1];
    }
    for (uint32_t i = *n ? 0 : root + 1; i; i = all->p[i - 1].next) {
        const struct part *q = &all->p[i - 1];
        picked[i - 1] = called(q->names, q->n_names, what, buf_str(&folded));
        *n += picked[i - 1];
    }
    for (uint32_t i = root + 1; i; i = all->p[i - 1].next) others += !picked[i - 1];
    buf_free(&folded);
    return others;
}

static int set_apart(struct saying *s, uint32_t root, const char *what)
{
    const struct people_parts *all = s->all.parts;
    bool *picked = calloc(all->n, sizeof *picked);
    size_t n = 0;
    int rc = picked ? 0 : err_nomem(s->err);
    size_t others = picked ? pick(all, root, what, picked, &n) : 0;
    if (!rc && !n) rc = err_set(s->err, ERR_NOTFOUND, "that person has no such name or address");
    else if (!rc && !others)
        rc = err_set(s->err, ERR_INVAL,
                     "all that is known of that person is called so: name an address or number "
                     "that only a part has");
    if (!rc) unsay(s, "same", picked, root, root);
    for (uint32_t i = rc ? 0 : root + 1; !rc && i; i = all->p[i - 1].next)
        for (uint32_t k = root + 1; !rc && picked[i - 1] && k; k = all->p[k - 1].next)
            if (!picked[k - 1]) rc = say(s, "apart", &all->p[i - 1], &all->p[k - 1]);
    free(picked);
    return rc;
}

int people_split(struct home *h, struct persona *p, const char *who, const char *part,
                 struct err *err)
{
    struct saying s = { .h = h, .p = p, .err = err };
    int rc = say_begin(&s);
    if (rc) return rc;
    const struct person *x = people_find(&s.all, who, err);
    rc = x ? set_apart(&s, x->part, part) : err ? err->code : ERR_NOTFOUND;
    return say_end(&s, rc);
}

int people_confirm(struct home *h, struct persona *p, const char *who, struct err *err)
{
    struct saying s = { .h = h, .p = p, .err = err };
    int rc = say_begin(&s);
    if (rc) return rc;
    const struct person *x = people_find(&s.all, who, err);
    if (!x) rc = err ? err->code : ERR_NOTFOUND;
    if (x && x->likely) {
        const struct people_parts *all = s.all.parts;
        uint32_t root = x->part;
        for (uint32_t i = root + 1; !rc && i; i = all->p[i - 1].next)
            rc = say(&s, "same", &all->p[root], &all->p[i - 1]);
    }
    return say_end(&s, rc);
}
