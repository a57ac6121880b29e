/* Uploads: a body of any size goes through here into the spool, sealed, and never into memory.
 *
 * The network thread only copies what came into a buffer of 128 KiB (upload_take); when that is
 * full the connection is suspended and a worker parses, seals and writes it (upload_work). So a
 * slow disk holds up the one client that writes to it, and TCP tells that client to wait. Fields
 * that are no files become strings of call.body; all of them together have the route's body_max.
 *
 * A file's name in the spool is 32 hex digits. The first eight are made from the account with the
 * spool's key, and tell nobody else anything; the rest is random. So what an account has waiting
 * there can be counted by looking, whoever put it there and whoever took it away, also while it is
 * still being written (NAME.tmp-XXXXXX). That is done before the body is read, when Content-Length
 * already says that it is too much, and again every 16 MiB, so several uploads at once go little
 * over the quota.
 *
 * What the handler does not take, and all of an upload that ended early, is removed: upload_drop.
 * Not in multipart form, a body is one file, called by ?name=: for `curl --data-binary` and
 * programs.
 *
 * A request's upload is used by one thread at a time, by turns (inside.h); there is no lock. */
#include "base/io.h"
#include "base/str.h"
#include "http/inside.h"
#include "http/multipart.h"
#include "vault/spool.h"

#include <dirent.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 131072, COUNT_AGAIN = 16 << 20, FIELDS = 64, MARK = 8 };

struct incoming {
    struct multipart *parts; /* NULL: the body is one file */
    struct spool *spool;     /* of the file that is coming in */
    struct upload up;
    size_t file_cap;
    struct buf piece, field;
    char field_name[128];
    size_t n_fields, field_bytes;
    int64_t quota;          /* < 0: none */
    uint64_t room, counted; /* bytes that may still come; since they were last counted */
    char mark[MARK + 1];    /* of the account */
};

static struct incoming *incoming_of(struct request *q) { return q->sunk; }

/* ---- room ---- */

static void account_mark(const struct call *c, char mark[MARK + 1])
{
    uint8_t digest[16];
    vault_digest(c->world->spool_key, "account", &c->who.account, sizeof c->who.account, digest);
    sodium_bin2hex(mark, MARK + 1, digest, MARK / 2);
}

static int count_waiting(const char *dir, const char *mark, uint64_t *bytes, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;
    DIR *d = opendir(dir);
    *bytes = 0;
    if (!d) return err_set(err, ERR_IO, "the folder for uploads cannot be read");
    for (struct dirent *e; (e = readdir(d));) {
        if (!str_starts(e->d_name, mark)) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!stat(path, &st)) *bytes += (uint64_t)st.st_size;
    }
    closedir(d);
    return 0;
}

static int no_room(struct request *q, struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "this is more than the %lld MiB that may wait to be taken in: wait for the jobs "
                   "under way, or send less at once",
                   (long long)(incoming_of(q)->quota >> 20));
}

static int count_room(struct request *q, struct err *err)
{
    struct incoming *in = incoming_of(q);
    uint64_t waiting = 0;
    in->counted = 0;
    in->room = UINT64_MAX;
    if (in->quota < 0) return 0;
    int rc = count_waiting(q->call.world->spool_dir, in->mark, &waiting, err);
    uint64_t quota = (uint64_t)in->quota;
    in->room = waiting < quota ? quota - waiting : 0;
    return rc;
}

/* ---- files ---- */

static int file_begin(struct request *q, const char *name, struct err *err)
{
    struct incoming *in = incoming_of(q);
    char path[PATH_MAX];
    uint8_t random[12];
    if (in->up.n_files == in->file_cap) {
        size_t cap = in->file_cap ? 2 * in->file_cap : 4;
        struct upload_file *more = arena_alloc(q->call.mem, cap * sizeof *more);
        if (!more) return err_nomem(err);
        if (in->file_cap) memcpy(more, in->up.file, in->up.n_files * sizeof *more);
        in->up.file = more;
        in->file_cap = cap;
    }
    struct upload_file *f = &in->up.file[in->up.n_files];
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    randombytes_buf(random, sizeof random);
    memcpy(f->spool, in->mark, MARK);
    sodium_bin2hex(f->spool + MARK, sizeof f->spool - MARK, random, sizeof random);
    snprintf(path, sizeof path, "%s/%s", q->call.world->spool_dir, f->spool);
    int rc = spool_create(path, q->call.world->spool_key, &in->spool, err);
    return rc == ERR_NOTFOUND ? err_set(err, ERR_IO, "the folder for uploads is gone") : rc;
}

static int file_data(struct request *q, const char *p, size_t n, struct err *err)
{
    struct incoming *in = incoming_of(q);
    int rc = in->counted + n > COUNT_AGAIN ? count_room(q, err) : 0;
    if (rc) return rc;
    if (n > in->room) return no_room(q, err);
    in->room -= in->room == UINT64_MAX ? 0 : n;
    in->counted += n;
    return spool_write(in->spool, p, n, err);
}

/* A form that was sent without a file chosen has a file of no name and no bytes. */
static int file_end(struct request *q, struct err *err)
{
    struct incoming *in = incoming_of(q);
    struct upload_file *f = &in->up.file[in->up.n_files];
    int rc = 0;
    f->bytes = spool_bytes(in->spool);
    if (f->name[0] || f->bytes) {
        rc = spool_finish(in->spool, err);
        in->up.n_files++; /* after an error, too: what there is of it is to be removed */
        if (!f->name[0]) snprintf(f->name, sizeof f->name, "upload");
    }
    spool_free(in->spool);
    in->spool = NULL;
    return rc;
}

/* ---- parts ---- */

static int part_begin(void *ud, const struct multipart_part *part, struct err *err)
{
    struct request *q = ud;
    struct incoming *in = incoming_of(q);
    if (part->is_file) return file_begin(q, part->file, err);
    if (++in->n_fields > FIELDS)
        return err_set(err, ERR_LIMIT, "more than %d fields in one upload", FIELDS);
    snprintf(in->field_name, sizeof in->field_name, "%s", part->name);
    return 0;
}

static int part_data(void *ud, const char *p, size_t n, struct err *err)
{
    struct request *q = ud;
    struct incoming *in = incoming_of(q);
    size_t max = q->call.route->body_max ? q->call.route->body_max : HTTP_BODY;
    if (in->spool) return file_data(q, p, n, err);
    if ((in->field_bytes += n) > max)
        return err_set(err, ERR_LIMIT, "the fields beside the files are longer than %zu bytes",
                       max);
    return buf_add(&in->field, p, n) ? err_nomem(err) : 0;
}

static int part_end(void *ud, struct err *err)
{
    struct request *q = ud;
    struct incoming *in = incoming_of(q);
    if (in->spool) return file_end(q, err);
    if (json_object_get(q->call.body, in->field_name))
        return err_set(err, ERR_INVAL, "the field %s is there twice", in->field_name);
    const char *s = buf_str(&in->field);
    size_t n = in->field.n;
    if (!utf8_valid(s, n) || memchr(s, 0, n))
        return err_set(err, ERR_INVAL, "the field %s is not UTF-8", in->field_name);
    int rc = json_object_set_new(q->call.body, in->field_name, json_stringn(s, n));
    buf_clear(&in->field);
    return rc ? err_nomem(err) : 0;
}

/* ---- the sink ---- */

static int not_a_file(struct request *q, struct err *err)
{
    q->call.status = 415;
    return err_set(err, ERR_INVAL,
                   "send files as multipart/form-data, or one file as the body with ?name=FILE");
}

/* One file as the body: what it is called. */
static int raw_begin(struct request *q, const char *type, struct err *err)
{
    char name[sizeof((struct upload_file *)0)->name] = "";
    const char *given = json_string_value(json_object_get(q->call.query, "name"));
    bool bytes = !type || str_starts(type, "application/octet-stream") || str_starts(type, "text/");
    /* curl calls all it sends a form, unless it is told otherwise. */
    bool parts = type && str_starts(type, "multipart/");
    if (parts || (!given && !bytes)) return not_a_file(q, err);
    if (given) multipart_file_name(given, strlen(given), name, sizeof name);
    return file_begin(q, name[0] ? name : "upload", err);
}

/* Limits of an upload are of size, not of how often. */
static int told(struct request *q, int rc)
{
    if (rc == ERR_LIMIT) q->call.status = 413;
    return rc;
}

static int upload_begin(struct request *q, struct err *err)
{
    struct call *c = &q->call;
    const char *type = call_header(c, "Content-Type");
    struct multipart_sink sink = { part_begin, part_data, part_end, q };
    struct account_info info;
    struct incoming *in = calloc(1, sizeof *in);
    if (!in) return err_nomem(err);
    q->sunk = in;
    q->texts = true;
    in->quota = c->world->upload_quota > 0 ? c->world->upload_quota : -1;
    if (c->who.account && !account_info(c->accounts, c->who.account, &info, NULL) &&
        info.quota_bytes > 0)
        in->quota = info.quota_bytes;
    account_mark(c, in->mark);
    int rc = count_room(q, err);
    if (rc) return rc;
    if (!in->room || (q->length != UINT64_MAX && q->length > in->room))
        return told(q, no_room(q, err));
    if (!c->body && !(c->body = json_object())) return err_nomem(err);
    if (buf_reserve(&in->piece, PIECE)) return err_nomem(err);
    if (!type || strncasecmp(type, "multipart/form-data", 19) != 0) return raw_begin(q, type, err);
    return multipart_new(type, &sink, &in->parts, err);
}

static int upload_work(struct request *q, struct err *err)
{
    struct incoming *in = incoming_of(q);
    int rc = in->parts ? multipart_feed(in->parts, in->piece.p, in->piece.n, err)
                       : file_data(q, in->piece.p, in->piece.n, err);
    buf_clear(&in->piece);
    return told(q, rc);
}

static int upload_take(struct request *q, const char *p, size_t n, struct err *err)
{
    struct incoming *in = incoming_of(q);
    if (buf_add(&in->piece, p, n)) return err_nomem(err);
    return in->piece.n >= PIECE - HTTP_MEMORY ? SINK_WORK : 0;
}

static int upload_end(struct request *q, struct err *err)
{
    struct incoming *in = incoming_of(q);
    int rc = in->piece.n ? upload_work(q, err) : 0;
    if (!rc) rc = in->parts ? multipart_finish(in->parts, err) : file_end(q, err);
    if (!rc) q->call.upload = &in->up;
    return rc;
}

static void upload_drop(struct request *q)
{
    struct incoming *in = incoming_of(q);
    char path[PATH_MAX];
    if (!in) return;
    multipart_free(in->parts);
    spool_free(in->spool);
    for (size_t i = 0; i < in->up.n_files; i++) {
        const struct upload_file *f = &in->up.file[i];
        if (f->taken) continue;
        snprintf(path, sizeof path, "%s/%s", q->call.world->spool_dir, f->spool);
        unlink(path);
    }
    buf_free(&in->piece);
    buf_free(&in->field);
    free(in);
    q->sunk = NULL;
}

const struct sink sink_upload = { upload_begin, upload_take, upload_end, upload_drop, upload_work };
