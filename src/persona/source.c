/* Sources for people: what the store counts, with the title that was sealed and the topics of its
 * chunks.
 *
 * A deletion takes the topics, the profile and the list of people with it, since they are made of
 * all sources and quote them; persona_settle makes them anew, and because the topics are missing it
 * also learns the embedder's word counts anew. So nothing derived remembers a source that is gone.
 */
#include "persona/source.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"
#include "persona/pack.h"
#include "persona/people_impl.h"
#include "persona/topics.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    int (*fn)(void *ud, const struct source *s);
    void *ud;
    const struct topics *topics;
    struct map counts; /* source << 8 | topic -> chunks */
    int64_t newest;
    struct row_source *row; /* bodies are copies */
    size_t n, cap;
    struct err *err;
};

static int count_topic(void *ud, const struct row_chunk *r)
{
    struct listing *l = ud;
    if (r->topic < 0 || r->topic > 255) return 0;
    uint64_t *n = map_slot(&l->counts, (uint64_t)r->source << 8 | (uint64_t)r->topic);
    if (!n) return err_nomem(l->err);
    ++*n;
    return 0;
}

/* Labels of the (up to) three topics that most chunks of a source belong to. */
static void top_topics(const struct listing *l, int64_t source, struct buf *out)
{
    bool used[256] = { false };
    for (int round = 0; round < 3; round++) {
        uint64_t most = 0;
        size_t which = 0;
        for (size_t t = 0; t < l->topics->n && t < 256; t++) {
            const uint64_t *n = map_get(&l->counts, (uint64_t)source << 8 | t);
            if (n && !used[t] && *n > most) most = *n, which = t;
        }
        if (!most) break;
        used[which] = true;
        buf_printf(out, "%s%s", out->n ? "; " : "", l->topics->t[which].label);
    }
}

static int keep_row(void *ud, const struct row_source *r)
{
    struct listing *l = ud;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct row_source *grown = realloc(l->row, cap * sizeof *grown);
        if (!grown) return err_nomem(l->err);
        l->row = grown;
        l->cap = cap;
    }
    l->row[l->n] = *r;
    if (!(l->row[l->n].body = mem_dup(r->body, r->body_n))) return err_nomem(l->err);
    l->n++;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct row_source *x = a, *y = b;
    return x->id < y->id ? 1 : -1;
}

static int tell(struct listing *l, const struct row_source *r)
{
    struct buf topics = BUF_INIT(4096);
    struct tongue_count tongues[TONGUES_MAX];
    json_t *j = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    const char *title = json_string_value(json_object_get(j, "title"));
    const char *format = json_string_value(json_object_get(j, "format"));
    const char *path = json_string_value(json_object_get(j, "path"));
    top_topics(l, r->id, &topics);
    struct source s = { .id = r->id,
                        .title = title ? title : "",
                        .format = format ? format : "",
                        .path = path ? path : "",
                        .added_at = r->added_at,
                        .from = r->from,
                        .to = r->to,
                        .pieces = r->n_pieces,
                        .voice = r->n_voice,
                        .chunks = r->n_chunks,
                        .topics = buf_str(&topics),
                        .language = tongues,
                        .n_languages = tongues_read(j, tongues) };
    int rc = l->fn(l->ud, &s);
    json_decref(j);
    buf_free(&topics);
    return rc;
}

int source_each(struct home *h, const struct persona *p, int64_t id,
                int (*fn)(void *, const struct source *), void *ud, struct err *err)
{
    struct topics ts = { 0 };
    struct buf doc = BUF_INIT((size_t)256 << 20);
    struct listing l = { .fn = fn, .ud = ud, .topics = &ts, .err = err };
    int rc = store_doc_get(h->store, &p->seal, "topics", &doc, err);
    /* A damaged list of topics is the doctor's; sources are listed without. */
    if (!rc && topics_load(buf_str(&doc), doc.n, &ts, NULL)) topics_clear(&ts);
    if (rc == ERR_NOTFOUND) rc = 0;
    if (!rc && ts.n) rc = store_chunk_each(h->store, &p->seal, id, count_topic, &l, err);
    if (!rc) rc = store_source_each(h->store, &p->seal, id, keep_row, &l, err);
    if (!rc && l.n) qsort(l.row, l.n, sizeof *l.row, newest_first);
    for (size_t i = 0; i < l.n; i++) {
        if (!rc) rc = tell(&l, &l.row[i]);
        free((char *)l.row[i].body);
    }
    free(l.row);
    map_free(&l.counts);
    topics_clear(&ts);
    buf_free(&doc);
    if (!rc && id && !l.n)
        rc = err_set(err, ERR_NOTFOUND, "there is no source %lld: `likeness sources` lists them",
                     (long long)id);
    return rc;
}

/* Key phrases that no other source has. */
struct lost {
    int64_t source;
    struct map state; /* key of a phrase -> 1: in this source, 2: in others too */
    struct arena *mem;
    struct err *err;
};

static int note_phrases(void *ud, const struct row_chunk *r)
{
    struct lost *l = ud;
    struct chunk_text t;
    arena_reset(l->mem);
    if (unpack_chunk(r->body, r->body_n, l->mem, &t, NULL)) return 0;
    for (size_t i = 0; i < t.n_phrase; i++) {
        uint64_t *state = map_slot(&l->state, t.phrase[i].key);
        if (!state) return err_nomem(l->err);
        *state |= r->source == l->source ? 1 : 2;
    }
    return 0;
}

static int count_phrases(struct home *h, const struct persona *p, int64_t id, uint64_t *n,
                         struct err *err)
{
    struct lost l = { .source = id, .mem = arena_new(0), .err = err };
    *n = 0;
    int rc =
        l.mem ? store_chunk_each(h->store, &p->seal, 0, note_phrases, &l, err) : err_nomem(err);
    for (size_t i = 0; !rc && l.state.e && (i = map_iter(&l.state, i));)
        *n += l.state.e[i - 1].value == 1;
    map_free(&l.state);
    arena_free(l.mem);
    return rc;
}

int source_delete(struct home *h, struct persona *p, int64_t id, struct gone *gone, struct err *err)
{
    uint64_t phrases = 0;
    struct gone g = { 0 };
    int rc = store_begin(h->store, err);
    if (rc) return rc;
    rc = count_phrases(h, p, id, &phrases, err);
    if (!rc) rc = store_source_delete(h->store, &p->seal, id, &g, err);
    if (!rc) rc = store_doc_put(h->store, &p->seal, "topics", "", 0, err);
    if (!rc) rc = store_doc_put(h->store, &p->seal, "profile", "", 0, err);
    if (!rc) rc = store_doc_put(h->store, &p->seal, PEOPLE_DOC, "", 0, err);
    if (!rc) rc = store_commit(h->store, err);
    if (rc) store_rollback(h->store);
    else p->stale = true;
    g.phrases = phrases;
    if (rc) memset(&g, 0, sizeof g);
    if (gone) *gone = g;
    if (!rc) store_compact(h->store, NULL); /* a reader may hold it up: done another time */
    return rc;
}
