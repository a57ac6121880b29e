/* Writing GGUF v3: the head grows in memory while keys are put and tensors declared, and goes to
 * the file with the first byte of data; then the data streams through a small buffer, each tensor
 * padded to the alignment.
 *
 * All goes to PATH.part. Only when every declared byte has come, and is synced, does that take the
 * name PATH; on any failure it is removed. A full disk so leaves what was there before.
 *
 * Putting cannot fail visibly: the buffers keep their first failure, and gguf_write and gguf_finish
 * report it. */
#include "base/io.h"
#include "base/str.h"
#include "model/gguf.h"
#include "model/gguf_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGNMENT 32
#define STAGE     (1u << 18) /* bytes gathered before a write */

struct gguf_writer {
    char *path, *part;
    int fd;
    struct buf keys, infos, stage;
    uint64_t n_keys, n_tensors;
    struct buf sizes;   /* u64 each: bytes of the tensors, in order */
    uint64_t offset;    /* of the next tensor to be declared */
    uint64_t now, done; /* the tensor being written, and how much of it came */
    bool head_out;
};

int gguf_create(const char *path, struct gguf_writer **out, struct err *err)
{
    struct gguf_writer *w = calloc(1, sizeof *w);
    struct buf part = BUF_INIT(0);
    *out = NULL;
    buf_printf(&part, "%s.part", path);
    if (!w || part.failed || !(w->path = str_dup(path))) {
        free(w);
        buf_free(&part);
        return err_nomem(err);
    }
    w->part = buf_take(&part);
    w->fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        int rc = err_errno(err, "cannot write %s", w->part);
        free(w->part);
        w->part = NULL;
        gguf_abandon(w);
        return rc;
    }
    *out = w;
    return 0;
}

void gguf_abandon(struct gguf_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->part) unlink(w->part);
    buf_free(&w->keys);
    buf_free(&w->infos);
    buf_free(&w->stage);
    buf_free(&w->sizes);
    free(w->path);
    free(w->part);
    free(w);
}

/* ---- the head ---- */

static void add_str(struct buf *b, const char *s, size_t n)
{
    buf_u64(b, n);
    buf_add(b, s, n);
}

static void put_key(struct gguf_writer *w, const char *key, size_t n, enum gguf_type type)
{
    add_str(&w->keys, key, n);
    buf_u32(&w->keys, type);
    w->n_keys++;
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v)
{
    put_key(w, key, strlen(key), GGUF_U32);
    buf_u32(&w->keys, v);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, float v)
{
    put_key(w, key, strlen(key), GGUF_F32);
    buf_add(&w->keys, &v, sizeof v);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool v)
{
    put_key(w, key, strlen(key), GGUF_BOOL);
    buf_u8(&w->keys, v);
}

void gguf_put_str(struct gguf_writer *w, const char *key, const char *s, size_t n)
{
    put_key(w, key, strlen(key), GGUF_STR);
    add_str(&w->keys, s, n);
}

void gguf_put_strs(struct gguf_writer *w, const char *key, const struct span *s, size_t n)
{
    put_key(w, key, strlen(key), GGUF_ARRAY);
    buf_u32(&w->keys, GGUF_STR);
    buf_u64(&w->keys, n);
    for (size_t i = 0; i < n; i++) add_str(&w->keys, s[i].p, s[i].n);
}

void gguf_put_nums(struct gguf_writer *w, const char *key, enum gguf_type of, const void *p,
                   size_t n)
{
    put_key(w, key, strlen(key), GGUF_ARRAY);
    buf_u32(&w->keys, of);
    buf_u64(&w->keys, n);
    buf_add(&w->keys, p, n * gguf_type_size(of));
}

static void copy_value(struct gguf_writer *w, const struct gguf_value *v)
{
    put_key(w, v->key.p, v->key.n, v->type);
    if (v->type == GGUF_ARRAY) {
        buf_u32(&w->keys, v->of);
        buf_u64(&w->keys, v->n);
    }
    if (v->of != GGUF_STR) buf_add(&w->keys, v->p, v->n * gguf_type_size(v->of));
    else
        for (size_t i = 0; i < v->n; i++) add_str(&w->keys, v->strs[i].p, v->strs[i].n);
}

int gguf_copy_keys(struct gguf_writer *w, const struct gguf *g, const char *const *except)
{
    for (size_t i = 0; i < g->n_values; i++) {
        const struct gguf_value *v = &g->values[i];
        bool leave = span_eq(v->key, "general.alignment"); /* ours may differ */
        for (const char *const *e = except; e && *e; e++) leave |= span_eq(v->key, *e);
        if (!leave) copy_value(w, v);
    }
    return w->keys.failed;
}

void gguf_declare(struct gguf_writer *w, const char *name, enum quant type, int n_dims,
                  const uint64_t *dim)
{
    uint64_t n = 1;
    add_str(&w->infos, name, strlen(name));
    buf_u32(&w->infos, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++) {
        buf_u64(&w->infos, dim[i]);
        n *= dim[i];
    }
    uint64_t bytes = quant_row_bytes(type, n);
    buf_u32(&w->infos, type);
    buf_u64(&w->infos, w->offset);
    buf_u64(&w->sizes, bytes);
    w->offset += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    w->n_tensors++;
}

/* ---- the data ---- */

static int out_all(struct gguf_writer *w, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    while (n) {
        ssize_t k = write(w->fd, at, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_errno(err, "cannot write %s", w->part);
        at += k, n -= (size_t)k;
    }
    return 0;
}

static int flush(struct gguf_writer *w, struct err *err)
{
    int rc = out_all(w, w->stage.p, w->stage.n, err);
    w->stage.n = 0;
    return rc;
}

static int out(struct gguf_writer *w, const void *p, size_t n, struct err *err)
{
    int rc;
    if (w->stage.n + n > STAGE && (rc = flush(w, err))) return rc;
    if (n > STAGE) return out_all(w, p, n, err);
    return buf_add(&w->stage, p, n) ? err_nomem(err) : 0;
}

static int pad(struct gguf_writer *w, uint64_t written, struct err *err)
{
    static const char zeros[ALIGNMENT];
    return out(w, zeros, (size_t)(-written % ALIGNMENT), err);
}

static uint64_t size_of(const struct gguf_writer *w, uint64_t tensor)
{
    uint64_t n;
    memcpy(&n, w->sizes.p + 8 * tensor, 8);
    return n;
}

static int write_head(struct gguf_writer *w, struct err *err)
{
    struct buf head = BUF_INIT(0);
    w->head_out = true;
    buf_add(&head, "GGUF", 4);
    buf_u32(&head, 3);
    buf_u64(&head, w->n_tensors);
    buf_u64(&head, w->n_keys);
    int rc = head.failed || w->keys.failed || w->infos.failed || w->sizes.failed
                 ? err_set(err, ERR_NOMEM, "no memory for the head of %s", w->path)
                 : 0;
    if (!rc) rc = out(w, head.p, head.n, err);
    if (!rc) rc = out(w, w->keys.p, w->keys.n, err);
    if (!rc) rc = out(w, w->infos.p, w->infos.n, err);
    if (!rc) rc = pad(w, head.n + w->keys.n + w->infos.n, err);
    buf_free(&head);
    return rc;
}

int gguf_write(struct gguf_writer *w, const void *data, size_t n, struct err *err)
{
    const char *p = data;
    int rc;
    if (!w->head_out && (rc = write_head(w, err))) return rc;
    while (n) {
        if (w->now == w->n_tensors)
            return err_set(err, ERR_INTERNAL, "%s: more data than was declared", w->path);
        uint64_t all = size_of(w, w->now), k = all - w->done < n ? all - w->done : n;
        if ((rc = out(w, p, (size_t)k, err))) return rc;
        p += k, n -= (size_t)k, w->done += k;
        if (w->done < all) continue;
        if ((rc = pad(w, all, err))) return rc;
        w->now++, w->done = 0;
    }
    return 0;
}

/* The folder of path, for its sync. */
static int sync_folder(const char *path, struct err *err)
{
    char *dir = str_dup(path), *slash = dir ? strrchr(dir, '/') : NULL;
    if (!dir) return err_nomem(err);
    if (slash) slash[slash == dir] = 0;
    int rc = io_sync_dir(slash ? dir : ".", err);
    free(dir);
    return rc;
}

int gguf_finish(struct gguf_writer *w, struct err *err)
{
    int rc = w->head_out ? 0 : write_head(w, err);
    if (!rc && w->now != w->n_tensors)
        rc = err_set(err, ERR_INTERNAL, "%s: tensor %llu of %llu did not come whole", w->path,
                     (unsigned long long)w->now + 1, (unsigned long long)w->n_tensors);
    if (!rc) rc = flush(w, err);
    if (!rc && fsync(w->fd)) rc = err_errno(err, "cannot write %s", w->part);
    if (!rc && rename(w->part, w->path)) rc = err_errno(err, "cannot write %s", w->path);
    if (!rc) {
        free(w->part);
        w->part = NULL;
        rc = sync_folder(w->path, err);
    }
    gguf_abandon(w);
    return rc;
}
