/* The routes of earlier systems, exactly as their clients know them: POST and GET /api/, POST
 * /api/prompt/. They are about one persona, the account's default one, which is made when it is
 * first needed. Fields that are not known are passed over, as they were.
 *
 * `user_id` is sent by such clients to say whose texts they mean. It may name the caller, by number
 * or by uid; anybody else is refused with the same words, whether or not there is such a user. */
#include "http/asking.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/work.h"
#include "text/phrase.h"

#include <stdlib.h>
#include <string.h>

extern const struct route routes_legacy[];

#define TEXT_SHOWN 65536 /* bytes of a source's text in a list */

/* ---- whose ---- */

static int check_user(struct call *c, struct err *err)
{
    const json_t *j = call_json(c, "user_id");
    const char *s = json_string_value(j);
    char number[32], hex[33];
    snprintf(number, sizeof number, "%lld", (long long)c->who.account);
    bool mine = !j || (json_is_integer(j) && json_integer_value(j) == c->who.account) ||
                (s && (!strcmp(s, number) || !strcasecmp(s, uid_hex(c->who.uid, hex))));
    if (mine) return 0;
    c->status = 403;
    return err_set(err, ERR_KEY, "user_id: is not yours");
}

static int is_there(void *ud, const struct row_persona *r)
{
    *(bool *)ud = !r->forgotten;
    return 0;
}

static int persona_exists(struct call *c, const uint8_t uid[VAULT_UID], bool *is, struct err *err)
{
    struct home *h;
    *is = false;
    int rc = pool_read(c->world->pool, &h, err);
    if (rc) return rc;
    rc = store_persona_get(h->store, uid, is_there, is, err);
    pool_read_done(c->world->pool, h);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

static int make_default(struct call *c, const struct account_info *a, struct err *err)
{
    char name[100];
    uint8_t uid[VAULT_UID];
    struct persona_new n = { .name = name,
                             .kind = PERSONA_SELF,
                             .consent_by = a->email,
                             .consent_to = "use by this account",
                             .consent_at = clock_now(),
                             .chunk_overlap = -1 };
    int rc = ERR_EXISTS;
    for (int i = 1; i < 10 && rc == ERR_EXISTS; i++) {
        int cut = (int)strcspn(a->email, "@");
        if (i == 1) snprintf(name, sizeof name, "%.*s", cut < 64 ? cut : 64, a->email);
        else snprintf(name, sizeof name, "%.*s %d", cut < 64 ? cut : 64, a->email, i);
        rc = world_persona_new(c->world, a->id, &n, uid, err);
    }
    if (!rc) rc = account_default_persona(c->accounts, a->id, uid, err);
    if (!rc) memcpy(c->persona, uid, VAULT_UID);
    return rc;
}

/* Sets c->persona and c->level. make: *there is true afterwards. */
static int default_persona(struct call *c, bool make, bool *there, struct err *err)
{
    struct account_info a;
    int rc = check_user(c, err);
    if (!rc) rc = account_info(c->accounts, c->who.account, &a, err);
    if (!rc) rc = persona_exists(c, a.persona, there, err);
    if (rc) return rc;
    if (!*there && make && c->who.n_only) {
        c->status = 403;
        return err_set(err, ERR_KEY, "this key is for other personas");
    }
    if (!*there && !make) return 0;
    if (!*there && (rc = make_default(c, &a, err))) return rc;
    if (*there) memcpy(c->persona, a.persona, VAULT_UID);
    *there = true;
    rc = account_may(c->accounts, &c->who, c->persona, &c->level, err);
    if (rc || c->level >= LEVEL_MANAGE) return rc;
    c->status = 403;
    return err_set(err, ERR_KEY, "this key is for other personas");
}

/* ---- vectors and topics ---- */

static json_t *vector_json(struct desk *d, const char *text, const float **v, struct arena *mem,
                           struct err *err)
{
    struct embedder *e = retriever_embedder(d->retriever);
    struct span s = span_of(text);
    float *out = arena_alloc(mem, (size_t)e->dim * sizeof *out);
    json_t *j = json_array();
    if (!out || !j || embed_texts(e, EMBED_PASSAGE, &s, 1, out, err)) {
        json_decref(j);
        return NULL;
    }
    for (int i = 0; i < e->dim; i++) json_array_append_new(j, json_real((double)out[i]));
    *v = out;
    return j;
}

static float same_idf(void *ud, uint64_t stem) { return 1; }

/* A topic's label; where it has none yet, what the text itself is about. */
static json_t *topic_json(const struct topics *ts, int32_t topic, const char *text)
{
    struct phrase ph[2];
    struct buf b = BUF_INIT(4096);
    const char *label = label_of(ts, topic);
    if (label) return json_mended(label);
    size_t n = phrases_of(text, strlen(text), same_idf, NULL, ph, 2);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%s", i ? ", " : "", ph[i].text);
    json_t *j = json_mended(buf_str(&b));
    buf_free(&b);
    return j;
}

/* ---- POST /api/ ---- */

static int store_text(struct call *c, const char *text, int64_t now, int64_t *id, struct err *err)
{
    struct home *h;
    struct persona *p;
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = ingest_text_at(h, p, NULL, text, strlen(text), CLOCK_NONE, now, id, err);
    if (rc == ERR_LIMIT) c->status = 413;
    writing_end(c, h, p, !rc);
    return rc;
}

/* At a desk as it was before: the embedder is the same. */
static int add_at(struct call *c, struct desk *d, struct err *err)
{
    const char *text = call_str(c, "text");
    const struct topics *ts;
    const float *v = NULL;
    char hex[33];
    int64_t id = 0, now = clock_now();
    json_t *vector = vector_json(d, text, &v, c->mem, err), *topic = NULL;
    int rc = vector ? retriever_topics(d->retriever, &ts, err) : err_nomem(err);
    if (!rc) {
        /* Topics of another embedder are about to be made anew. */
        bool apply = ts->dim == retriever_embedder(d->retriever)->dim;
        topic = topic_json(ts, apply ? topics_assign(ts, v) : -1, text);
        rc = store_text(c, text, now, &id, err);
    }
    if (!rc)
        rc = call_location(c, err, "/api/personas/%s/sources/%lld", uid_hex(c->persona, hex),
                           (long long)id);
    if (!rc)
        return shown_reply(c,
                           json_pack("{s:I, s:o, s:o, s:o, s:s}", "id", (json_int_t)id,
                                     "uploaded_at", json_time(now), "topic", topic, "vector",
                                     vector, "text", text),
                           err);
    json_decref(vector);
    json_decref(topic);
    return rc;
}

static int add(struct call *c, struct err *err)
{
    struct desk *d;
    bool there;
    int rc = default_persona(c, true, &there, err);
    if (!rc && !span_trim(span_of(call_str(c, "text"))).n)
        rc = err_set(err, ERR_INVAL, "text: is empty");
    if (rc) return rc;
    rc = pool_take(c->world->pool, c->persona, 10000, &d, err);
    if (rc == ERR_BUSY) c->retry_after = 1;
    if (rc) return rc;
    rc = add_at(c, d, err);
    pool_give(c->world->pool, d);
    return rc ? rc : work_settle(c->world, c->persona, c->who.account, err);
}

/* ---- GET /api/ ---- */

struct entry {
    int64_t id, added_at;
};

static int keep_entry(void *ud, const struct row_source *r)
{
    struct entry e = { r->id, r->added_at };
    return buf_add(ud, &e, sizeof e);
}

static int newest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->id < y->id ? 1 : x->id > y->id ? -1 : 0;
}

struct text_of {
    struct buf text;
    struct arena *mem;
    int32_t topic;
    struct err *err;
};

static int keep_text(void *ud, const struct row_piece *r)
{
    struct text_of *t = ud;
    struct piece p;
    if (t->text.n >= TEXT_SHOWN) return ERR_LIMIT;
    arena_reset(t->mem);
    int rc = unpack_piece(r->body, r->body_n, t->mem, &p, t->err);
    if (!rc) buf_printf(&t->text, "%s%s", t->text.n ? "\n" : "", p.text);
    return rc;
}

static int keep_topic(void *ud, const struct row_chunk *r)
{
    *(int32_t *)ud = r->topic;
    return ERR_LIMIT; /* the first one is enough */
}

static int entry_json(struct call *c, struct desk *d, const struct topics *ts,
                      const struct entry *e, json_t *list, struct err *err)
{
    struct text_of t = { BUF_INIT(0), arena_new(0), -1, err };
    const float *v = NULL;
    json_t *vector = NULL;
    int rc = t.mem ? store_piece_each(d->home->store, &d->persona->seal, e->id, PIECE_BY_SEQ,
                                      keep_text, &t, err)
                   : err_nomem(err);
    if (rc == ERR_LIMIT) rc = 0;
    if (!rc) {
        rc = store_chunk_each(d->home->store, &d->persona->seal, e->id, keep_topic, &t.topic, err);
        if (rc == ERR_LIMIT) rc = 0;
    }
    if (!rc && t.text.n > TEXT_SHOWN) t.text.p[utf8_cut(t.text.p, t.text.n, TEXT_SHOWN)] = 0;
    if (!rc && call_bool(c, "vectors", false) &&
        !(vector = vector_json(d, buf_str(&t.text), &v, c->mem, err)))
        rc = err_nomem(err);
    json_t *j =
        rc ? NULL
           : json_pack("{s:I, s:o, s:o, s:o, s:o*}", "id", (json_int_t)e->id, "uploaded_at",
                       json_time(e->added_at), "topic", topic_json(ts, t.topic, buf_str(&t.text)),
                       "text", json_mended(buf_str(&t.text)), "vector", vector);
    if (!rc && json_array_append_new(list, j)) rc = err_nomem(err);
    buf_free(&t.text);
    arena_free(t.mem);
    return rc;
}

static json_t *page_link(const struct call *c, int64_t page, int64_t size)
{
    bool vectors = call_bool(c, "vectors", false);
    char s[120];
    snprintf(s, sizeof s, "/api/?page=%lld&page_size=%lld%s", (long long)page, (long long)size,
             vectors ? "&vectors=1" : "");
    return json_string(s);
}

static int page_at(struct call *c, struct desk *d, struct err *err)
{
    int64_t page = call_int(c, "page", 1), size = call_int(c, "page_size", 20);
    struct buf all = BUF_INIT(0);
    const struct topics *ts = NULL;
    json_t *list = json_array();
    int rc = list ? store_source_each(d->home->store, &d->persona->seal, 0, keep_entry, &all, err)
                  : err_nomem(err);
    if (!rc && all.failed) rc = err_nomem(err);
    if (!rc) rc = retriever_topics(d->retriever, &ts, err);
    struct entry *e = (struct entry *)(void *)all.p;
    int64_t n = (int64_t)(all.n / sizeof *e), from = (page - 1) * size;
    if (!rc && n) qsort(e, (size_t)n, sizeof *e, newest_first);
    if (!rc && page > 1 && from >= n)
        rc = err_set(err, ERR_NOTFOUND, "page: there are not so many");
    for (int64_t i = from; !rc && i < n && i < from + size; i++)
        rc = entry_json(c, d, ts, &e[i], list, err);
    buf_free(&all);
    if (!rc)
        return shown_reply(
            c,
            json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)n, "next",
                      from + size < n ? page_link(c, page + 1, size) : json_null(), "previous",
                      page > 1 ? page_link(c, page - 1, size) : json_null(), "results", list),
            err);
    json_decref(list);
    return rc;
}

static int page(struct call *c, struct err *err)
{
    struct desk *d;
    bool there;
    int rc = default_persona(c, false, &there, err);
    if (rc) return rc;
    if (!there)
        return shown_reply(
            c, json_pack("{s:i, s:n, s:n, s:[]}", "count", 0, "next", "previous", "results"), err);
    rc = pool_take(c->world->pool, c->persona, 10000, &d, err);
    if (rc == ERR_BUSY) c->retry_after = 1;
    if (rc) return rc;
    rc = page_at(c, d, err);
    pool_give(c->world->pool, d);
    return rc;
}

/* ---- POST /api/prompt/ ---- */

static const char *const kinds[] = { "found", "changed", "none" };

static json_t *answered(struct call *c, const struct asked *a)
{
    json_t *docs = json_array();
    for (size_t i = 0; i < a->passages->n; i++) {
        const struct passage *p = &a->passages->p[i];
        struct buf b = BUF_INIT(0);
        chunk_plain(&p->text, false, &b);
        json_array_append_new(docs,
                              json_pack("{s:o, s:f, s:o, s:o}", "text", json_mended(buf_str(&b)),
                                        "similarity", (double)p->similarity, "source",
                                        json_mended(retriever_title(a->retriever, p->source)),
                                        "written_at", json_time(p->written_at)));
        buf_free(&b);
    }
    return json_pack("{s:s, s:o, s:s}", "response", a->answer->text, "retrieved_docs", docs, "kind",
                     kinds[a->answer->kind]);
}

static int prompt(struct call *c, struct err *err)
{
    const char *q = call_str(c, "prompt");
    bool there;
    if (!q) q = call_str(c, "query");
    if (!q) return err_set(err, ERR_INVAL, "prompt: is missing");
    int rc = default_persona(c, true, &there, err);
    if (rc) return rc;
    struct asking a = { .question = q,
                        .stream = call_bool(c, "stream", false),
                        .passages = true,
                        .query = asking_query(c, q) };
    return asking_run(c, &a, answered, err);
}

/* ---- the table ---- */

static const struct field ADD[] = {
    { "text", FIELD_TEXT, FIELD_REQUIRED, 1, 4194304, "by you", NULL, NULL },
    { "user_id", FIELD_ANY, FIELD_NULL, 0, 0, "yours, or left out", NULL, NULL },
    FIELD_END
};
static const struct field ENTRY[] = {
    { "id", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "uploaded_at", FIELD_TIME, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "topic", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what it is about; may be empty", NULL, NULL },
    { "vector", FIELD_LIST, 0, 0, 0, "its embedding",
      &(const struct field){ "x", FIELD_NUMBER, 0, 0, 0, "", NULL, NULL }, NULL },
    { "text", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    FIELD_END
};
static const struct field PAGE[] = { { "page", FIELD_INT, 0, 1, 1000000000, "1", NULL, NULL },
                                     { "page_size", FIELD_INT, 0, 1, 100, "20", NULL, NULL },
                                     { "vectors", FIELD_BOOL, 0, 0, 0, "with vectors", NULL, NULL },
                                     { "user_id", FIELD_TEXT, 0, 0, 64, "yours, or left out", NULL,
                                       NULL },
                                     FIELD_END };
static const struct field PAGED[] = {
    { "count", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "next", FIELD_TEXT, FIELD_NULL, 0, 0, "", NULL, NULL },
    { "previous", FIELD_TEXT, FIELD_NULL, 0, 0, "", NULL, NULL },
    { "results", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first",
      &(const struct field){ "entry", FIELD_OBJECT, 0, 0, 0, "", ENTRY, NULL }, NULL },
    FIELD_END
};
static const struct field PROMPT[] = {
    { "prompt", FIELD_TEXT, 0, 1, 16384, "what to ask", NULL, NULL },
    { "query", FIELD_TEXT, 0, 1, 16384, "the same, by its other name", NULL, NULL },
    { "user_id", FIELD_ANY, FIELD_NULL, 0, 0, "yours, or left out", NULL, NULL },
    { "k", FIELD_INT, 0, 1, 100, "texts at most", NULL, NULL },
    { "stream", FIELD_BOOL, 0, 0, 0, "as server-sent events", NULL, NULL },
    FIELD_END
};
static const struct field DOC[] = { { "text", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
                                    { "similarity", FIELD_NUMBER, FIELD_REQUIRED, 0, 0, "cosine",
                                      NULL, NULL },
                                    { "source", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
                                    { "written_at", FIELD_TIME, FIELD_NULL, 0, 0, "", NULL, NULL },
                                    FIELD_END };
static const struct field PROMPTED[] = {
    { "response", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "retrieved_docs", FIELD_LIST, FIELD_REQUIRED, 0, 0, "best first",
      &(const struct field){ "doc", FIELD_OBJECT, 0, 0, 0, "", DOC, NULL }, NULL },
    { "kind", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, "found changed none" },
    FIELD_END
};

const struct route routes_legacy[] = {
    { "POST", "/api", ACCESS_ACCOUNT, ROUTE_KEYS | ROUTE_AUDIT | ROUTE_LOOSE, .body_max = 5 << 20,
      .body = ADD, .reply = ENTRY, .status = 201, .run = add, .name = "text.add",
      .summary = "Add a text to your own persona" },
    { "GET", "/api", ACCESS_ACCOUNT, ROUTE_KEYS | ROUTE_AUDIT | ROUTE_LOOSE, .query = PAGE,
      .reply = PAGED, .status = 200, .run = page, .name = "text.list",
      .summary = "What your own persona is made of" },
    { "POST", "/api/prompt", ACCESS_ACCOUNT, ROUTE_KEYS | ROUTE_AUDIT | ROUTE_ASK | ROUTE_LOOSE,
      .body = PROMPT, .reply = PROMPTED, .status = 200, .run = prompt, .name = "text.prompt",
      .summary = "Ask your own persona" },
    ROUTE_END
};
