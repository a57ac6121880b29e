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
#include "persona/work_impl.h"

#include "base/io.h"
#include "persona/ingest.h"
#include "persona/portable.h"
#include "persona/source.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void work_remove_spool(const struct world *w, const char *name)
{
    char path[4096];
    if (!world_spool(w, name, path, NULL)) unlink(path);
}

/* ---- what all kinds do ---- */

int work_begin(struct work *k, struct job_run *r, struct err *err)
{
    *k = (struct work){ .run = r, .world = r->world, .uid = r->job->persona, .err = err };
    k->args = json_loadb(r->job->args, r->job->args_n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(k->args)) return 0;
    json_decref(k->args);
    k->args = NULL;
    return err_set(err, ERR_INTERNAL, "the job's arguments cannot be read");
}

int work_reply(struct work *k, json_t *j)
{
    char *s = j ? json_dumps(j, JSON_COMPACT) : NULL;
    int rc = s && !buf_adds(k->run->result, s) ? 0 : err_nomem(k->err);
    free(s);
    json_decref(j);
    return rc;
}

const char *work_arg(const struct work *k, const char *name)
{
    return json_string_value(json_object_get(k->args, name));
}

int work_write_begin(struct work *k, struct home **h, struct persona **p)
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

void work_write_end(struct work *k, struct home *h, struct persona *p, bool changed)
{
    persona_close(p);
    if (changed) pool_changed(k->world->pool, k->uid);
    pool_wrote(k->world->pool, h);
}

int work_settle_now(struct work *k, const char *embedder)
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

/* ---- settle, embed ---- */

static int run_settle(struct job_run *r, struct err *err)
{
    struct work k;
    int rc = work_begin(&k, r, err);
    if (!rc) rc = work_settle_now(&k, NULL);
    json_decref(k.args);
    return rc;
}

static int run_embed(struct job_run *r, struct err *err)
{
    struct work k;
    int rc = work_begin(&k, r, err);
    const char *name = rc ? NULL : work_arg(&k, "embedder");
    if (!rc && !name) rc = err_set(err, ERR_INVAL, "say which embedder");
    if (!rc) rc = work_settle_now(&k, name);
    if (!rc) rc = work_reply(&k, json_pack("{s:s}", "embedder", name));
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
    int rc = work_begin(&k, r, err);
    if (rc) return rc;
    int64_t id = json_integer_value(json_object_get(k.args, "source"));
    if (!(rc = work_write_begin(&k, &h, &p))) {
        rc = source_delete(h, p, id, &gone, err);
        work_write_end(&k, h, p, !rc);
    }
    if (rc == ERR_NOTFOUND) rc = 0; /* an earlier attempt did it */
    if (!rc) rc = work_settle_now(&k, NULL);
    if (!rc)
        rc = work_reply(&k, json_pack("{s:I, s:I, s:I, s:I, s:I}", "pieces",
                                      (json_int_t)gone.pieces, "chunks", (json_int_t)gone.chunks,
                                      "vectors", (json_int_t)gone.vectors, "turns",
                                      (json_int_t)gone.turns, "phrases", (json_int_t)gone.phrases));
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
    int rc = work_begin(&k, r, err);
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
    const char *pass = work_arg(k, "passphrase");
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
    int rc = work_begin(&k, r, err);
    if (rc) return rc;
    const char *name = work_arg(&k, "spool");
    work_sweep(k.world);
    rc = world_spool(k.world, name, path, err);
    if (!rc) rc = write_export(&k, path);
    if (!rc)
        rc = work_reply(&k, json_pack("{s:s, s:I, s:b}", "spool", name, "bytes",
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
    work_remove_spool(world, json_string_value(json_object_get(a, "spool")));
    json_decref(a);
}

/* ---- the table ---- */

static const struct job_kind ingest = {
    "ingest", "brings files in", work_run_ingest, work_over_ingest, 4, 0
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
