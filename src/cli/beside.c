/* Beside a server. While `likeness serve` holds a home, nobody else may write to it; what a command
 * would have changed becomes one of the server's jobs, and the command follows it to its end. The
 * server says that it is there by a note in service.db with its process number, which has to be the
 * one in HOME/lock: another program that happens to write takes no jobs.
 *
 * Files are copied into the server's spool first, sealed as uploads are (vault/spool.h), so the job
 * needs nothing of this process. Ctrl-C stops the following, not the job. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"
#include "jobs/jobs.h"
#include "persona/work.h"
#include "vault/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 100

static bool same_process(const char *home, const struct buf *note)
{
    struct buf path = BUF_INIT(0), lock = BUF_INIT(64);
    int64_t a = -1, b = -2;
    buf_printf(&path, "%s/lock", home);
    bool ok = !io_read_file(buf_str(&path), 64, &lock, NULL) &&
              str_i64(span_trim((struct span){ buf_str(&lock), lock.n }), &a) &&
              str_i64((struct span){ buf_str(note), note->n }, &b) && a == b;
    buf_free(&path);
    buf_free(&lock);
    return ok;
}

bool beside_likely(const char *home)
{
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/service.db", home);
    bool held = false;
    if (io_exists(buf_str(&path))) {
        buf_clear(&path);
        buf_printf(&path, "%s/lock", home);
        int fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
        if (fd >= 0) close(fd);
    }
    buf_free(&path);
    return held;
}

bool beside_open(struct cli *c)
{
    struct buf note = BUF_INIT(64);
    bool there = !service_open(c->home->path, c->home->vault, &c->service, NULL) &&
                 !service_note_get(c->service, WORLD_SERVER, &note, NULL) &&
                 same_process(c->home->path, &note);
    buf_free(&note);
    if (there) return true;
    service_close(c->service);
    c->service = NULL;
    return false;
}

int beside_spool(struct cli *c, const char *path, char name[SPOOL_NAME + 1], uint64_t *bytes,
                 struct err *err)
{
    struct buf dir = BUF_INIT(0);
    uint8_t key[VAULT_KEY], block[SPOOL_BLOCK];
    struct spool *s = NULL;
    FILE *f = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
    size_t n;
    int rc = f ? 0 : err_errno(err, "cannot open %s", path);
    world_spool_new(name);
    buf_printf(&dir, "%s/incoming/%s", c->home->path, name);
    if (!rc) rc = service_note_key(c->service, WORLD_SPOOL_KEY, key, err);
    if (!rc) rc = spool_create(buf_str(&dir), key, &s, err);
    while (!rc && (n = fread(block, 1, sizeof block, f))) rc = spool_write(s, block, n, err);
    if (!rc && ferror(f)) rc = err_errno(err, "cannot read %s", path);
    if (!rc) {
        *bytes = spool_bytes(s);
        rc = spool_finish(s, err);
    }
    spool_free(s);
    sodium_memzero(key, sizeof key);
    sodium_memzero(block, sizeof block);
    if (f && f != stdin) fclose(f);
    buf_free(&dir);
    return rc;
}

void beside_unspool(struct cli *c, const char *name)
{
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/incoming/%s", c->home->path, name);
    unlink(buf_str(&path));
    buf_free(&path);
}

struct looked {
    enum job_state state;
    char stage[16], unit[16];
    uint64_t done, total;
    json_t *result;
};

static int look_at(void *ud, const struct row_job *r)
{
    struct looked *l = ud;
    l->state = r->state;
    l->done = r->done;
    l->total = r->total;
    memcpy(l->stage, r->stage, sizeof l->stage);
    memcpy(l->unit, r->unit, sizeof l->unit);
    if (job_is_over(r->state)) l->result = json_loadb(r->result, r->result_n, 0, NULL);
    return 0;
}

/* What a job said when it failed, with its code. */
static int job_error(const struct looked *l, int64_t id, struct err *err)
{
    const json_t *e = json_object_get(l->result, "error");
    const char *code = json_string_value(json_object_get(e, "code")),
               *text = json_string_value(json_object_get(e, "message"));
    int rc = ERR_INTERNAL;
    if (l->state == JOB_CANCELLED)
        return err_set(err, ERR_CANCEL, "job %lld was cancelled", (long long)id);
    for (int i = ERR_NOMEM; code && i >= ERR_INTERNAL; i--)
        if (!strcmp(code, err_name(i))) rc = i;
    return err_set(err, rc, "%s", text ? text : "the job failed");
}

static int follow(struct cli *c, int64_t id, struct looked *l, struct err *err)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    const struct progress *p = ui_progress_begin();
    int rc = 0;
    while (!rc && !(rc = service_job_get(c->service, id, look_at, l, err)) &&
           !job_is_over(l->state)) {
        if (*l->stage) rc = progress_tick(p, l->stage, l->done, l->total, l->unit);
        if (rc || ui_interrupted(false))
            rc = err_set(err, ERR_CANCEL,
                         "the server goes on with job %lld: `likeness jobs --cancel %lld` stops it",
                         (long long)id, (long long)id);
        else nanosleep(&pause, NULL);
    }
    ui_progress_end();
    return rc;
}

int beside_run(struct cli *c, const char *kind, json_t *args, json_t **result, struct err *err)
{
    char *s = args ? json_dumps(args, JSON_COMPACT) : NULL;
    struct row_job r = { .priority = 1, .args = s, .args_n = s ? strlen(s) : 0 };
    struct looked l = { 0 };
    int rc = s ? 0 : err_nomem(err);
    *result = NULL;
    snprintf(r.kind, sizeof r.kind, "%s", kind);
    memcpy(r.persona, c->persona->seal.uid, VAULT_UID);
    if (!rc) rc = service_job_put(c->service, &r, false, 0, err);
    if (!rc) ui_note("A server has this home: it does this as job %lld.", (long long)r.id);
    if (!rc) rc = follow(c, r.id, &l, err);
    if (!rc && l.state != JOB_DONE) rc = job_error(&l, r.id, err);
    if (!rc) *result = json_incref(l.result);
    json_decref(l.result);
    json_decref(args);
    free(s);
    return rc;
}
