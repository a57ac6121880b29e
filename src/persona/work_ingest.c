/* The job that brings uploaded files in, or, in a dry run, tells what would come in. Files lie in
 * spools and are read in place. A dry run takes no writer: it reads in a home of its own. */
#include "persona/work_impl.h"

#include "base/json.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/internal.h"
#include "persona/told.h"
#include "text/secrets.h"
#include "vault/spool.h"

#include <stdlib.h>
#include <string.h>

/* A result has a limit (jobs/worker.c): bytes of its lists. */
#define FILES_ROOM   (400 << 10)
#define SOURCES_ROOM (350 << 10)
#define JOINS_ROOM   (100 << 10)
#define SPEAKERS     30   /* of a source */
#define TURN         0.05 /* seconds that a file is read on for while others wait to write */

/* 1: 03/04 is 3 April; 0: 4 March; else it is for the file to say. */
static int day_first(const struct work *k)
{
    const json_t *v = json_object_get(k->args, "day_first");
    return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) > 0 : -1;
}

struct taking {
    struct work *k;
    json_t *files, *people;
    struct ingest_totals totals;
    uint64_t secrets[SECRET_KIND_COUNT]; /* left out */
    struct err first;                    /* of the files that could not be read */
    uint64_t before, total;
    size_t room; /* for what is told of files */
    uint64_t more_files;
    bool dry;
    struct home *home; /* of the file at hand; in a dry run of all, to read */
    struct persona *persona;
    double since;          /* when the writer was taken */
    struct ingest_run run; /* what the files have in common */
};

/* What became of one file. */
static json_t *file_json(const struct ingest_file *f, const char *name, const struct err *why)
{
    json_t *notes = json_array(), *o;
    for (size_t i = 0; i < f->n_notes; i++)
        json_array_append_new(notes, json_pack("{s:s, s:I, s:I}", "what", f->notes[i].what, "count",
                                               (json_int_t)f->notes[i].count, "first",
                                               (json_int_t)f->notes[i].first));
    o = json_pack("{s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "name", name,
                  "format", f->format, "bytes", (json_int_t)f->bytes, "added", (json_int_t)f->added,
                  "known", (json_int_t)f->known, "voice", (json_int_t)f->voice, "context",
                  (json_int_t)f->context, "chunks", (json_int_t)f->chunks, "from",
                  json_time(f->from), "to", json_time(f->to), "nobody", f->nobody, "notes", notes);
    if (o && f->source) json_object_set_new(o, "source", json_integer(f->source));
    if (o && why->code)
        json_object_set_new(
            o, "error", json_pack("{s:s, s:s}", "code", err_name(why->code), "message", why->msg));
    return o;
}

/* Nobody is known to be the persona: the people go into the result, likeliest first. */
static int list_people(void *ud, const struct speaker *s, size_t n, struct buf *aliases,
                       struct err *err)
{
    struct taking *t = ud;
    if (!t->people) t->people = json_array();
    for (size_t i = 0; i < n && i < 50; i++)
        json_array_append_new(t->people,
                              json_pack("{s:s%, s:s%, s:I, s:b, s:f}", "name", s[i].name,
                                        strlen(s[i].name), "id", s[i].id, strlen(s[i].id),
                                        "messages", (json_int_t)s[i].messages, "owner", s[i].owner,
                                        "likely", (double)s[i].likely));
    return err_set(err, ERR_INVAL,
                   "people write in this file and it is not known which one is the persona: see "
                   "\"people\", and send it again with \"me\" set to their names, addresses or "
                   "numbers");
}

/* Errors that another attempt may not meet, or that are about more than this file. */
static bool ends_all(int rc)
{
    return rc != ERR_PARSE && rc != ERR_INVAL && rc != ERR_LIMIT && rc != ERR_VERSION;
}

static bool same_aliases(const struct persona *a, const struct persona *b)
{
    bool same = a->n_aliases == b->n_aliases;
    for (size_t i = 0; same && i < a->n_aliases; i++) same = !strcmp(a->aliases[i], b->aliases[i]);
    return same;
}

static bool others_wait(void *ud)
{
    const struct taking *t = ud;
    return clock_mono() - t->since > TURN && pool_wanted(t->k->world->pool);
}

/* Others write. When the persona got other names meanwhile, what is voice is to be looked at anew.
 */
static int let_others(void *ud, struct err *err)
{
    struct taking *t = ud;
    struct pool *pool = t->k->world->pool;
    struct persona *now = NULL;
    struct home *h = t->home;
    pool_wrote(pool, h);
    while (pool_write(pool, POOL_PATIENT, &h, NULL)) continue; /* it comes round */
    t->since = clock_mono();
    int rc = persona_open_uid(h, t->k->uid, &now, err);
    if (!rc && !same_aliases(now, t->persona))
        rc = err_set(err, ERR_BUSY, "the persona's names changed meanwhile: once more");
    persona_close(now);
    return rc;
}

static struct ingest taking_of(struct taking *t)
{
    struct work *k = t->k;
    return (struct ingest){ .home = t->home,
                            .persona = t->persona,
                            .as = work_arg(k, "as"),
                            .map = work_arg(k, "map"),
                            .by = work_arg(k, "by"),
                            .tz_offset = (long)json_integer_value(json_object_get(k->args, "tz")),
                            .day_first = day_first(k),
                            .dry_run = t->dry,
                            .keep_secrets = json_is_true(json_object_get(k->args, "keep_secrets")),
                            .who = list_people,
                            .progress = k->run->progress,
                            .ud = t,
                            .run = &t->run };
}

/* The writer is held from here to the end of the file, but for turns of others. */
static int take_file(struct taking *t, FILE *f, const char *name, struct ingest_file *rep,
                     struct err *why)
{
    struct work *k = t->k;
    const char *me = work_arg(k, "me");
    int rc = work_write_begin(k, &t->home, &t->persona);
    if (rc) {
        fclose(f);
        *why = *k->err;
        return rc;
    }
    struct ingest in = taking_of(t);
    in.wanted = others_wait;
    in.turn = let_others;
    t->since = clock_mono();
    if (me && *me) rc = persona_alias_add(t->home, t->persona, me, why);
    if (rc) fclose(f);
    else rc = ingest_opened(&in, f, name, t->before, t->total, rep, why);
    work_write_end(k, t->home, t->persona, true);
    return rc;
}

/* Nothing is stored: it is read beside others. */
static int foresee_file(struct taking *t, FILE *f, const char *name, struct ingest_file *rep,
                        struct err *why)
{
    struct ingest in = taking_of(t);
    return ingest_opened(&in, f, name, t->before, t->total, rep, why);
}

static void count_secret(struct taking *t, const struct ingest_note *n)
{
    for (int i = 0; i < SECRET_KIND_COUNT; i++)
        if (!strcmp(n->what, secret_name((enum secret_kind)i))) t->secrets[i] += n->count;
}

static int one_file(struct taking *t, const json_t *file)
{
    struct work *k = t->k;
    const char *name = json_string_value(json_object_get(file, "name")) ?: "file";
    struct ingest_file rep = { .path = name, .from = CLOCK_NONE, .to = CLOCK_NONE };
    struct err why = { 0 };
    char path[4096];
    FILE *f = NULL;
    int rc = world_spool(k->world, json_string_value(json_object_get(file, "spool")), path, &why);
    if (!rc && !(f = spool_fopen(path, k->world->spool_key, NULL, &why))) rc = why.code;
    if (rc == ERR_NOTFOUND)
        rc = err_set(&why, ERR_INVAL, "the file is not here any more: send it again");
    if (f) rc = (t->dry ? foresee_file : take_file)(t, f, name, &rep, &why);
    t->before += (uint64_t)json_integer_value(json_object_get(file, "bytes"));
    if (rc && ends_all(rc)) return err_set(k->err, rc, "%s", why.msg);
    if (rc && !t->first.code) t->first = why;
    t->totals.files++;
    t->totals.failed += rc != 0;
    t->totals.added += rep.added;
    t->totals.known += rep.known;
    t->totals.voice += rep.voice;
    t->totals.context += rep.context;
    t->totals.chunks += rep.chunks;
    for (size_t i = 0; i < rep.n_notes; i++) count_secret(t, &rep.notes[i]);
    if (told_add(t->files, file_json(&rep, name, &why), &t->room, &t->more_files))
        return err_nomem(k->err);
    return 0;
}

static json_t *secrets_json(const struct taking *t)
{
    json_t *list = json_array();
    for (int i = 0; i < SECRET_KIND_COUNT; i++)
        if (t->secrets[i])
            json_array_append_new(list,
                                  json_pack("{s:s, s:I}", "what", secret_name((enum secret_kind)i),
                                            "count", (json_int_t)t->secrets[i]));
    return list;
}

/* In a dry run: what would come in, and who of the people would be taken for one. */
static int foretell(struct taking *t, json_t *to)
{
    struct ingest_preview v;
    size_t room = SOURCES_ROOM, join_room = JOINS_ROOM;
    uint64_t more_sources = 0, more_joins = 0;
    int rc = preview_end(t->run.preview, &v, t->k->err);
    json_t *j = rc ? NULL
                   : json_pack("{s:b, s:o, s:o}", "dry_run", true, "sources",
                               told_sources(&v, SPEAKERS, &room, &more_sources), "joins",
                               told_joins(&v, &join_room, &more_joins));
    if (!rc && (!j || json_object_update(to, j) ||
                json_object_set_new(to, "more_sources", json_integer((json_int_t)more_sources)) ||
                json_object_set_new(to, "more_joins", json_integer((json_int_t)more_joins))))
        rc = err_nomem(t->k->err);
    json_decref(j);
    return rc;
}

static int reply_taken(struct taking *t)
{
    const struct ingest_totals *n = &t->totals;
    json_t *j = json_pack("{s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:O*}", "files", t->files,
                          "more_files", (json_int_t)t->more_files, "failed", (json_int_t)n->failed,
                          "added", (json_int_t)n->added, "known", (json_int_t)n->known, "voice",
                          (json_int_t)n->voice, "context", (json_int_t)n->context, "chunks",
                          (json_int_t)n->chunks, "secrets", secrets_json(t), "people", t->people);
    int rc = j && t->dry ? foretell(t, j) : 0;
    if (!rc) return work_reply(t->k, j);
    json_decref(j);
    return rc;
}

static int each_file(struct taking *t, const json_t *files)
{
    int rc = 0;
    for (int rest = 0; rest < 2; rest++)
        for (size_t i = 0; !rc && i < json_array_size(files); i++) {
            const json_t *file = json_array_get(files, i);
            const char *name = json_string_value(json_object_get(file, "name"));
            bool first = name && names_first(name); /* they tell names that the others need */
            if (first == !rest) rc = one_file(t, file);
        }
    return rc;
}

static int take_all(struct taking *t, const json_t *files)
{
    struct ingest all = { .run = NULL };
    int rc = ingest_run_begin(&all, &t->run, t->k->err);
    if (!rc) rc = each_file(t, files);
    ingest_run_end(&all, &t->run);
    if (!rc && t->totals.files == t->totals.failed && !t->people)
        return err_set(t->k->err, t->first.code ? t->first.code : ERR_INVAL, "%s",
                       t->first.code ? t->first.msg : "there is no file to bring in");
    if (!rc) rc = work_settle_now(t->k, NULL);
    return rc ? rc : reply_taken(t);
}

/* What is told of a preview is told before the run ends. */
static void on_preview(void *ud, const struct ingest_preview *v) {}

static int foresee_all(struct taking *t, const json_t *files)
{
    struct work *k = t->k;
    const char *me = work_arg(k, "me");
    int rc = pool_read(k->world->pool, &t->home, k->err);
    if (rc) return rc;
    rc = persona_open_uid(t->home, k->uid, &t->persona, k->err);
    if (!rc && me && *me) rc = persona_alias_parse(t->persona, me, k->err);
    struct ingest all = {
        .home = t->home, .persona = t->persona, .dry_run = true, .on_preview = on_preview
    };
    if (!rc) rc = ingest_run_begin(&all, &t->run, k->err);
    if (!rc) rc = each_file(t, files);
    if (!rc) rc = reply_taken(t);
    ingest_run_end(&all, &t->run);
    persona_close(t->persona);
    pool_read_done(k->world->pool, t->home);
    return rc;
}

int work_run_ingest(struct job_run *r, struct err *err)
{
    struct work k;
    struct taking t = { .k = &k, .room = FILES_ROOM };
    const json_t *file, *files;
    size_t i;
    int rc = work_begin(&k, r, err);
    if (rc) return rc;
    files = json_object_get(k.args, "files");
    t.dry = json_is_true(json_object_get(k.args, "dry_run"));
    t.files = json_array();
    json_array_foreach(files, i, file)
    {
        t.total += (uint64_t)json_integer_value(json_object_get(file, "bytes"));
    }
    rc = t.files ? (t.dry ? foresee_all : take_all)(&t, files) : err_nomem(err);
    if (rc && !t.dry && t.totals.added)
        work_settle(r->world, k.uid, r->job->account, NULL); /* what came in */
    json_decref(t.files);
    json_decref(t.people);
    json_decref(k.args);
    return rc;
}

void work_over_ingest(void *world, const struct row_job *job, enum job_state state)
{
    json_t *a = json_loadb(job->args, job->args_n, 0, NULL), *file;
    size_t i;
    json_array_foreach(json_object_get(a, "files"), i, file)
    {
        work_remove_spool(world, json_string_value(json_object_get(file, "spool")));
    }
    json_decref(a);
}
