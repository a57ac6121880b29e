/* What the routes of personas have in common: their JSON, and how they get at the stores. */
#include "http/shown.h"

#include "base/clock.h"
#include "base/str.h"
#include "jobs/jobs.h"
#include "persona/converse.h"
#include "persona/topics.h"

#include <stdlib.h>
#include <string.h>

#define WRITER_MS   5000 /* how long a request waits for the writer */
#define JOBS_AT_ONE 100  /* waiting jobs of an account */

const struct field SHOWN_PERSONA[] = {
    { "id", FIELD_UID, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "name", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "kind", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, "self consented legacy fictional" },
    { "level", FIELD_WORD, FIELD_REQUIRED, 0, 0, "what you may do with it", NULL,
      "chat read manage owner" },
    { "created_at", FIELD_TIME, 0, 0, 0, "", NULL, NULL },
    { "aliases", FIELD_LIST, 0, 0, 0, "names, addresses and numbers of the person",
      &(const struct field){ "alias", FIELD_TEXT, 0, 0, 0, "", NULL, NULL }, NULL },
    { "consent", FIELD_OBJECT, 0, 0, 0, "by whom, to what, at", NULL, NULL },
    { "counts", FIELD_OBJECT, 0, 0, 0, "sources, pieces, voice, chunks, from, to", NULL, NULL },
    { "embedder", FIELD_TEXT, 0, 0, 0, "", NULL, NULL },
    { "mask_shares", FIELD_BOOL, 0, 0, 0,
      "whom it is shared with below the right to manage sees pseudonyms for other people", NULL,
      NULL },
    { "stale", FIELD_BOOL, 0, 0, 0, "topics and profile are behind the texts", NULL, NULL },
    FIELD_END
};
const struct field SHOWN_SOURCE[] = {
    { "id", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "title", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "format", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "added_at", FIELD_TIME, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "from", FIELD_TIME, FIELD_NULL, 0, 0, "of the oldest piece", NULL, NULL },
    { "to", FIELD_TIME, FIELD_NULL, 0, 0, "of the newest piece", NULL, NULL },
    { "pieces", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "voice", FIELD_INT, FIELD_REQUIRED, 0, 0, "pieces by the person", NULL, NULL },
    { "chunks", FIELD_INT, FIELD_REQUIRED, 0, 0, "passages", NULL, NULL },
    { "topics", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "up to three labels", NULL, NULL },
    { "languages", FIELD_LIST, FIELD_REQUIRED, 0, 0,
      "most pieces first: language (\"en\"; \"\": not told), pieces",
      &(const struct field){ "language", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    FIELD_END
};
const struct field SHOWN_PASSAGE[] = {
    { "chunk", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "source", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "title", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "written_at", FIELD_TIME, FIELD_NULL, 0, 0, "", NULL, NULL },
    { "similarity", FIELD_NUMBER, FIELD_REQUIRED, 0, 0, "cosine", NULL, NULL },
    { "score", FIELD_NUMBER, FIELD_REQUIRED, 0, 0, "what it was ranked by", NULL, NULL },
    { "topic", FIELD_TEXT, FIELD_NULL, 0, 0, "", NULL, NULL },
    { "text", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    FIELD_END
};
const struct field SHOWN_ANSWER[] = {
    { "question", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "answer", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "kind", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, "found changed none" },
    { "parts", FIELD_LIST, FIELD_REQUIRED, 0, 0, "which words are the person's own",
      &(const struct field){ "part", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    { "sources", FIELD_LIST, FIELD_REQUIRED, 0, 0, "what it rests on",
      &(const struct field){ "source", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    { "seconds", FIELD_NUMBER, 0, 0, 0, "", NULL, NULL },
    { "made", FIELD_OBJECT, 0, 0, 0, "what a model did, if one made it", NULL, NULL },
    { "conversation", FIELD_INT, FIELD_NULL, 0, 0, "to go on with; null: not kept", NULL, NULL },
    { "unsaved", FIELD_BOOL, 0, 0, 0, "it was to be kept, and could not be", NULL, NULL },
    FIELD_END
};
const struct field SHOWN_JOB[] = { { "job", FIELD_OBJECT, FIELD_REQUIRED, 0, 0,
                                     "ask /api/jobs/{id} how it goes", NULL, NULL },
                                   FIELD_END };

int shown_reply(struct call *c, json_t *j, struct err *err)
{
    c->out = j;
    return j ? 0 : err_nomem(err);
}

static json_t *shown_counts(const struct persona_counts *n)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "sources", (json_int_t)n->sources, "pieces",
                     (json_int_t)n->pieces, "voice", (json_int_t)n->voice, "chunks",
                     (json_int_t)n->chunks, "from", json_time(n->from), "to", json_time(n->to));
}

json_t *shown_persona(const struct persona *p, enum level level, const struct persona_counts *n)
{
    char hex[33];
    json_t *j = json_pack("{s:s, s:o, s:s, s:s}", "id", uid_hex(p->seal.uid, hex), "name",
                          json_mended(p->name), "kind", persona_kind_word(p->kind), "level",
                          level_word(level));
    if (!j || level < LEVEL_READ) return j;
    json_t *al = json_array();
    for (size_t i = 0; i < p->n_aliases; i++) json_array_append_new(al, json_mended(p->aliases[i]));
    json_object_set_new(j, "created_at", json_time(p->created_at));
    json_object_set_new(j, "aliases", al);
    if (!veil_needed(p, level)) /* GET .../consent has it, masked */
        json_object_set_new(j, "consent",
                            json_pack("{s:o, s:o, s:o}", "by", json_mended(p->consent_by), "to",
                                      json_mended(p->consent_to), "at", json_time(p->consent_at)));
    json_object_set_new(j, "embedder", json_mended(p->embedder));
    json_object_set_new(j, "mask_shares", json_boolean(p->mask_shares));
    json_object_set_new(j, "stale", json_boolean(p->stale));
    if (n) json_object_set_new(j, "counts", shown_counts(n));
    return j;
}

json_t *shown_source(const struct source *s)
{
    json_t *languages = json_array();
    for (size_t i = 0; i < s->n_languages; i++)
        json_array_append_new(languages, json_pack("{s:s, s:I}", "language", s->language[i].code,
                                                   "pieces", (json_int_t)s->language[i].pieces));
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "id",
                     (json_int_t)s->id, "title", json_mended(s->title), "format",
                     json_mended(s->format), "added_at", json_time(s->added_at), "from",
                     json_time(s->from), "to", json_time(s->to), "pieces", (json_int_t)s->pieces,
                     "voice", (json_int_t)s->voice, "chunks", (json_int_t)s->chunks, "topics",
                     json_mended(s->topics), "languages", languages);
}

json_t *shown_passage(const struct passage *p, const char *title, const char *topic)
{
    struct buf text = BUF_INIT(0);
    chunk_plain(&p->text, false, &text);
    json_t *j = json_pack("{s:I, s:I, s:o, s:o, s:f, s:f, s:o, s:o}", "chunk", (json_int_t)p->chunk,
                          "source", (json_int_t)p->source, "title", json_mended(title),
                          "written_at", json_time(p->written_at), "similarity",
                          (double)p->similarity, "score", (double)p->score, "topic",
                          json_mended(topic), "text", json_mended(buf_str(&text)));
    buf_free(&text);
    return j;
}

json_t *shown_answer(const struct answer *a, const char *question, enum level level)
{
    json_t *j = answer_json(a, question), *part;
    size_t i;
    if (!j || level >= LEVEL_READ) return j;
    json_object_set_new(j, "sources", json_array());
    json_array_foreach(json_object_get(j, "parts"), i, part) { json_object_del(part, "source"); }
    return j;
}

/* ---- topics ---- */

int labels_of(struct home *h, const struct persona *p, struct labels *out, struct err *err)
{
    struct buf doc = BUF_INIT((size_t)256 << 20);
    *out = (struct labels){ 0 };
    int rc = store_doc_get(h->store, &p->seal, "topics", &doc, err);
    if (rc == ERR_NOTFOUND) rc = 0; /* none yet */
    else if (!rc && topics_load(buf_str(&doc), doc.n, &out->topics, NULL))
        topics_clear(&out->topics); /* damaged: the doctor's */
    buf_free(&doc);
    return rc;
}

const char *label_of(const struct topics *ts, int32_t topic)
{
    return topic >= 0 && (size_t)topic < ts->n ? ts->t[topic].label : NULL;
}

void labels_clear(struct labels *l) { topics_clear(&l->topics); }

/* ---- stores ---- */

int reading_begin(struct call *c, struct home **h, struct persona **p, struct err *err)
{
    *p = NULL;
    int rc = pool_read(c->world->pool, h, err);
    if (!rc && (rc = persona_open_uid(*h, c->persona, p, err))) {
        pool_read_done(c->world->pool, *h);
        *h = NULL;
    }
    return rc;
}

void reading_end(struct call *c, struct home *h, struct persona *p)
{
    persona_close(p);
    pool_read_done(c->world->pool, h);
}

int writing_begin(struct call *c, struct home **h, struct persona **p, struct err *err)
{
    *p = NULL;
    int rc = pool_write(c->world->pool, WRITER_MS, h, err);
    if (rc == ERR_BUSY) c->retry_after = 2;
    if (!rc && (rc = persona_open_uid(*h, c->persona, p, err))) {
        pool_wrote(c->world->pool, *h);
        *h = NULL;
    }
    return rc;
}

void writing_end(struct call *c, struct home *h, struct persona *p, bool changed)
{
    persona_close(p);
    if (changed) pool_changed(c->world->pool, c->persona);
    pool_wrote(c->world->pool, h);
}

int job_accepted(struct call *c, const char *kind, json_t *args, bool once, struct err *err)
{
    int64_t id;
    char *s = args ? json_dumps(args, JSON_COMPACT) : NULL;
    struct job_ask a = { .kind = kind,
                         .account = c->who.account,
                         .persona = c->persona,
                         .args = s,
                         .once = once,
                         .max_waiting = JOBS_AT_ONE };
    int rc = s ? jobs_submit(c->world->jobs, &a, &id, err) : err_nomem(err);
    if (rc == ERR_LIMIT) c->retry_after = 30;
    if (s) explicit_bzero(s, strlen(s));
    free(s);
    json_decref(args);
    return rc ? rc : call_accepted(c, id, err);
}
