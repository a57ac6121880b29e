/* Jobs on personas. The queue runs one job of a persona at a time and runs it again when the
 * process died, so each kind here is written to be run twice, and what it takes from the world is
 * given back whatever happens.
 *
 * Other people's small changes (a text, a saved turn) wait for the same writer. A job therefore
 * gives it away for a moment, when somebody waits, between two pieces of a file; takes it, while it
 * settles, for a tenth of a second at a time (settle.c); and reads in a home of its own. Desks are
 * told after each step that changes what an answer would be.
 *
 * What a user can mend (a file that is no text, nobody known to be the persona) is not an error of
 * the job but a word about that file in its result, unless no file came in; what passes by itself
 * (the writer is busy, the disk is full) ends the attempt, and the queue tries again. */
#include "persona/work.h"

#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/internal.h"
#include "persona/portable.h"
#include "persona/source.h"
#include "persona/told.h"
#include "text/secrets.h"
#include "vault/spool.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A result has a limit (jobs/worker.c): bytes of its lists. */
#define FILES_ROOM   (400 << 10)
#define SOURCES_ROOM (350 << 10)
#define JOINS_ROOM   (100 << 10)
#define SPEAKERS     30   /* of a source */
#define TURN         0.05 /* seconds that a file is read on for while others wait to write */

/* ---- spools ---- */

int world_spool(const struct world *w, const char *name, char out[4096], struct err *err)
{
    bool hex = name && strlen(name) == SPOOL_NAME && strspn(name, "0123456789abcdef") == SPOOL_NAME;
    if (!hex || snprintf(out, 4096, "%s/%s", w->spool_dir, name) >= 4096)
        return err_set(err, ERR_INVAL, "that is no file that was taken in");
    return 0;
}

void world_spool_new(char name[SPOOL_NAME + 1])
{
    uint8_t r[SPOOL_NAME / 2];
    randombytes_buf(r, sizeof r);
    sodium_bin2hex(name, SPOOL_NAME + 1, r, sizeof r);
}

static void remove_spool(const struct world *w, const char *name)
{
    char path[4096];
    if (!world_spool(w, name, path, NULL)) unlink(path);
}

/* ---- what all kinds do ---- */

struct work {
    struct job_run *run;
    struct world *world;
    const uint8_t *uid;
    json_t *args;
    struct err *err;
};

static int begin(struct work *k, struct job_run *r, struct err *err)
{
    *k = (struct work){ .run = r, .world = r->world, .uid = r->job->persona, .err = err };
    k->args = json_loadb(r->job->args, r->job->args_n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(k->args)) return 0;
    json_decref(k->args);
    k->args = NULL;
    return err_set(err, ERR_INTERNAL, "the job's arguments cannot be read");
}

static int reply(struct work *k, json_t *j)
{
    char *s = j ? json_dumps(j, JSON_COMPACT) : NULL;
    int rc = s && !buf_adds(k->run->result, s) ? 0 : err_nomem(k->err);
    free(s);
    json_decref(j);
    return rc;
}

static const char *arg(const struct work *k, const char *name)
{
    return json_string_value(json_object_get(k->args, name));
}

/* 1: 03/04 is 3 April; 0: 4 March; else it is for the file to say. */
static int day_first(const struct work *k)
{
    const json_t *v = json_object_get(k->args, "day_first");
    return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) > 0 : -1;
}

/* The writer with the persona open, and back: its desks are told when something changed. */
static int write_begin(struct work *k, struct home **h, struct persona **p)
{
    int rc = pool_write(k->world->pool, POOL_PATIENT, h, k->err);
    *p = NULL;
    if (rc) return rc;
    rc = persona_open_uid(*h, k->uid, p, k->err);
    if (!rc) return 0;
    pool_wrote(k->world->pool, *h);
    *h = NULL;
    return rc;
}

static void write_end(struct work *k, struct home *h, struct persona *p, bool changed)
{
    persona_close(p);
    if (changed) pool_changed(k->world->pool, k->uid);
    pool_wrote(k->world->pool, h);
}

/* embedder NULL: as it is. */
static int settle_now(struct work *k, const char *embedder)
{
    struct world *w = k->world;
    struct home_writer by = pool_writer(w->pool);
    struct home *h;
    struct persona *p = NULL;
    bool more = false;
    int rc = pool_read(w->pool, &h, k->err);
    if (rc) return rc;
    rc = persona_open_uid(h, k->uid, &p, k->err);
    bool needed = !rc && (p->stale || embedder);
    if (needed)
        rc = embedder ? persona_reembed_by(h, p, embedder, &by, k->run->progress, k->err)
                      : persona_settle_by(h, p, &by, k->run->progress, k->err);
    if (!rc) more = p->stale;
    persona_close(p);
    pool_read_done(w->pool, h);
    if (needed) pool_changed(w->pool, k->uid);
    if (!rc && more) rc = work_settle(w, k->uid, k->run->job->account, k->err);
    return rc;
}

/* ---- ingest ---- */

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
                            .as = arg(k, "as"),
                            .map = arg(k, "map"),
                            .by = arg(k, "by"),
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
    const char *me = arg(k, "me");
    int rc = write_begin(k, &t->home, &t->persona);
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
    write_end(k, t->home, t->persona, true);
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
    if (!rc) return reply(t->k, j);
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
    if (!rc) rc = settle_now(t->k, NULL);
    return rc ? rc : reply_taken(t);
}

/* What is told of a preview is told before the run ends. */
static void on_preview(void *ud, const struct ingest_preview *v) {}

static int foresee_all(struct taking *t, const json_t *files)
{
    struct work *k = t->k;
    const char *me = arg(k, "me");
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

static int run_ingest(struct job_run *r, struct err *err)
{
    struct work k;
    struct taking t = { .k = &k, .room = FILES_ROOM };
    const json_t *file, *files;
    size_t i;
    int rc = begin(&k, r, err);
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

static void over_ingest(void *world, const struct row_job *job, enum job_state state)
{
    json_t *a = json_loadb(job->args, job->args_n, 0, NULL), *file;
    size_t i;
    json_array_foreach(json_object_get(a, "files"), i, file)
    {
        remove_spool(world, json_string_value(json_object_get(file, "spool")));
    }
    json_decref(a);
}

/* ---- settle, embed ---- */

static int run_settle(struct job_run *r, struct err *err)
{
    struct work k;
    int rc = begin(&k, r, err);
    if (!rc) rc = settle_now(&k, NULL);
    json_decref(k.args);
    return rc;
}

static int run_embed(struct job_run *r, struct err *err)
{
    struct work k;
    int rc = begin(&k, r, err);
    const char *name = rc ? NULL : arg(&k, "embedder");
    if (!rc && !name) rc = err_set(err, ERR_INVAL, "say which embedder");
    if (!rc) rc = settle_now(&k, name);
    if (!rc) rc = reply(&k, json_pack("{s:s}", "embedder", name));
    json_decref(k.args);
    return rc;
}

/* ---- delete, forget ---- */

static int run_delete(struct job_run *r, struct err *err)
{
    struct work k;
    struct home *h;
    struct persona *p;
    struct gone gone = { 0 };
    int rc = begin(&k, r, err);
    if (rc) return rc;
    int64_t id = json_integer_value(json_object_get(k.args, "source"));
    if (!(rc = write_begin(&k, &h, &p))) {
        rc = source_delete(h, p, id, &gone, err);
        write_end(&k, h, p, !rc);
    }
    if (rc == ERR_NOTFOUND) rc = 0; /* an earlier attempt did it */
    if (!rc) rc = settle_now(&k, NULL);
    if (!rc)
        rc = reply(&k,
                   json_pack("{s:I, s:I, s:I, s:I, s:I}", "pieces", (json_int_t)gone.pieces,
                             "chunks", (json_int_t)gone.chunks, "vectors", (json_int_t)gone.vectors,
                             "turns", (json_int_t)gone.turns, "phrases", (json_int_t)gone.phrases));
    json_decref(k.args);
    return rc;
}

static int persona_there(void *ud, const struct row_persona *r) { return 0; }

/* The key goes first, then the rights, then what cannot be opened any more: when a reader holds the
 * last up, only that is tried again. */
static int run_forget(struct job_run *r, struct err *err)
{
    struct work k;
    struct home *h;
    int rc = begin(&k, r, err);
    if (rc) return rc;
    if (!(rc = pool_write(k.world->pool, POOL_PATIENT, &h, err))) {
        rc = persona_forget_uid(h, k.uid, err);
        if (rc == ERR_NOTFOUND) rc = store_compact(h->store, err);
        bool gone = store_persona_get(h->store, k.uid, persona_there, NULL, NULL) == ERR_NOTFOUND;
        pool_changed(k.world->pool, k.uid);
        pool_wrote(k.world->pool, h);
        if (gone) {
            char shares[64];
            int dropped = service_grant_drop(k.world->service, k.uid, rc ? NULL : err);
            if (!dropped)
                dropped = service_note_put(k.world->service, world_shares(k.uid, shares), NULL, 0,
                                           rc ? NULL : err);
            if (!rc) rc = dropped;
        }
    }
    json_decref(k.args);
    return rc;
}

/* ---- export ---- */

/* Others become pseudonyms unless it is said that they are to stay. */
static bool masked(const struct work *k)
{
    return !json_is_false(json_object_get(k->args, "mask_others"));
}

static int write_export(struct work *k, const char *path)
{
    const char *pass = arg(k, "passphrase");
    struct secret s = { .passphrase = pass, .passphrase_n = pass ? strlen(pass) : 0 };
    struct home *h;
    struct persona *p = NULL;
    if (!pass || !*pass) return err_set(k->err, ERR_INVAL, "an export needs a passphrase");
    int rc = pool_read(k->world->pool, &h, k->err);
    if (rc) return rc;
    rc = store_still(h->store, k->err);
    if (!rc) rc = persona_open_uid(h, k->uid, &p, k->err);
    if (!rc && masked(k))
        rc = portable_export_masked(h, p, path, &s, true, k->run->progress, NULL, k->err);
    else if (!rc)
        rc = portable_export_for(h, p, k->run->job->account, path, &s, true, k->run->progress, NULL,
                                 k->err);
    store_moves(h->store);
    persona_close(p);
    pool_read_done(k->world->pool, h);
    return rc;
}

static int run_export(struct job_run *r, struct err *err)
{
    struct work k;
    char path[4096];
    int rc = begin(&k, r, err);
    if (rc) return rc;
    const char *name = arg(&k, "spool");
    work_sweep(k.world);
    rc = world_spool(k.world, name, path, err);
    if (!rc) rc = write_export(&k, path);
    if (!rc)
        rc = reply(&k, json_pack("{s:s, s:I, s:b}", "spool", name, "bytes",
                                 (json_int_t)io_file_size(path), "masked", masked(&k)));
    json_t *pass = json_object_get(k.args, "passphrase");
    if (json_is_string(pass))
        sodium_memzero((char *)json_string_value(pass), json_string_length(pass));
    json_decref(k.args);
    return rc;
}

static void over_export(void *world, const struct row_job *job, enum job_state state)
{
    if (state == JOB_DONE) return; /* until it is a day old */
    json_t *a = json_loadb(job->args, job->args_n, 0, NULL);
    remove_spool(world, json_string_value(json_object_get(a, "spool")));
    json_decref(a);
}

/* ---- the table ---- */

static const struct job_kind ingest = {
    "ingest", "brings files in", run_ingest, over_ingest, 4, 0
};
static const struct job_kind settle = { "settle",   "brings vectors, topics and profile up to date",
                                        run_settle, NULL,
                                        4,          -1 };
static const struct job_kind embed = { "embed",   "makes vectors with another embedder",
                                       run_embed, NULL,
                                       3,         -1 };
static const struct job_kind delete_source = {
    "delete", "deletes a source and all that came from it", run_delete, NULL, 6, 1
};
static const struct job_kind forget = { "forget", "forgets a persona", run_forget, NULL, 8, 2 };
static const struct job_kind export = { "export",   "writes a persona into one sealed file",
                                        run_export, over_export,
                                        3,          0 };
const struct job_kind *const work_kinds[] = {
    &ingest, &settle, &embed, &delete_source, &forget, &export, NULL,
};

int work_settle(struct world *w, const uint8_t persona[VAULT_UID], int64_t account, struct err *err)
{
    int64_t id;
    struct job_ask a = {
        .kind = "settle", .account = account, .persona = persona, .once = true, .delay = 1
    };
    return jobs_submit(w->jobs, &a, &id, err);
}
