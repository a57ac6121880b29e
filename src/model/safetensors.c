/* Reading safetensors: u64 length of a JSON object, the object, the data.
 *
 *     {"model.norm.weight": {"dtype": "F32", "shape": [128], "data_offsets": [0, 512]},
 *      "__metadata__": {...}}
 *
 * Offsets count from the end of the object. A model in several files has an index beside them,
 * model.safetensors.index.json, whose "weight_map" says which tensor is in which. File names out of
 * the index may not leave the folder.
 *
 * jansson refuses duplicate names, numbers that are not, and depth beyond 2048; the head is limited
 * to 64 MiB (that of a model with 100,000 tensors has 15). Types other than F32, F16 and BF16 are
 * let pass (BERT files carry I64 positions) and refused only when somebody wants to read them. */
#include "model/safetensors.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_HEAD  ((size_t)64 << 20)
#define MAX_PARTS 1024

struct part {
    const uint8_t *p;
    size_t n;
    bool mapped;
    json_t *head; /* owns the names */
};

struct safetensors {
    struct part *parts;
    size_t n_parts;
    struct st_tensor *tensors; /* by name */
    size_t n, cap;
};

static const struct {
    const char *name;
    int bytes; /* of a number */
    bool readable;
    enum quant type;
} dtypes[] = {
    { "F32", 4, true, QUANT_F32 }, { "F16", 2, true, QUANT_F16 }, { "BF16", 2, true, QUANT_BF16 },
    { "F64", 8, false, 0 },        { "I64", 8, false, 0 },        { "I32", 4, false, 0 },
    { "I16", 2, false, 0 },        { "I8", 1, false, 0 },         { "U8", 1, false, 0 },
    { "U16", 2, false, 0 },        { "U32", 4, false, 0 },        { "U64", 8, false, 0 },
    { "BOOL", 1, false, 0 },       { "F8_E4M3", 1, false, 0 },    { "F8_E5M2", 1, false, 0 },
};

static int bad(const char *what, const char *name, const char *how, struct err *err)
{
    return err_set(err, ERR_PARSE, "%s: tensor \"%.80s\" %s", what, name, how);
}

static bool get_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static int read_shape(const json_t *shape, struct st_tensor *t)
{
    if (!json_is_array(shape) || json_array_size(shape) > ST_DIMS) return -1;
    t->n_dims = (int)json_array_size(shape);
    t->n = 1;
    for (int i = 0; i < ST_DIMS; i++) {
        t->dim[i] = 1;
        if (i < t->n_dims && !get_u64(json_array_get(shape, (size_t)i), &t->dim[i])) return -1;
        if (__builtin_mul_overflow(t->n, t->dim[i], &t->n)) return -1;
    }
    return 0;
}

static int read_tensor(const char *what, const char *name, const json_t *v, struct span data,
                       struct st_tensor *t, struct err *err)
{
    const char *dtype = json_string_value(json_object_get(v, "dtype"));
    const json_t *at = json_object_get(v, "data_offsets");
    uint64_t from, to, bytes;
    size_t d = 0;
    *t = (struct st_tensor){ .name = name };
    while (dtype && d < sizeof dtypes / sizeof *dtypes && strcmp(dtypes[d].name, dtype)) d++;
    if (!dtype || d == sizeof dtypes / sizeof *dtypes)
        return bad(what, name, "has a \"dtype\" that is not known", err);
    if (read_shape(json_object_get(v, "shape"), t))
        return bad(what, name, "has an impossible \"shape\"", err);
    if (json_array_size(at) != 2 || !get_u64(json_array_get(at, 0), &from) ||
        !get_u64(json_array_get(at, 1), &to) || to < from || to > data.n)
        return bad(what, name, "has \"data_offsets\" beyond the file: is the download complete?",
                   err);
    if (__builtin_mul_overflow(t->n, (uint64_t)dtypes[d].bytes, &bytes) || bytes != to - from)
        return bad(what, name, "has another number of bytes than its shape needs", err);
    t->readable = dtypes[d].readable;
    t->type = dtypes[d].type;
    t->data = data.p ? data.p + from : NULL;
    t->bytes = (size_t)bytes;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct st_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

/* The tensors of one part, whose head is parsed. */
static int read_tensors(struct safetensors *s, const char *what, json_t *head, struct span data,
                        struct err *err)
{
    size_t first = s->n, want = s->n + json_object_size(head);
    struct st_tensor *more = realloc(s->tensors, (want + 1) * sizeof *more);
    const char *name;
    json_t *v;
    int rc;
    if (!more) return err_nomem(err);
    s->tensors = more;
    json_object_foreach(head, name, v)
    {
        if (!strcmp(name, "__metadata__")) continue;
        if ((rc = read_tensor(what, name, v, data, &s->tensors[s->n], err))) return rc;
        s->n++;
    }
    qsort(s->tensors + first, s->n - first, sizeof *s->tensors, by_place);
    for (size_t i = first + 1; i < s->n; i++) {
        const struct st_tensor *a = &s->tensors[i - 1], *b = &s->tensors[i];
        if ((const char *)a->data + a->bytes > (const char *)b->data)
            return bad(what, b->name, "shares bytes with another", err);
    }
    return 0;
}

static int read_part(struct safetensors *s, struct part *part, const char *what, struct err *err)
{
    struct cursor c = cursor_of(part->p, part->n, what);
    uint64_t n = cursor_u64(&c, "length of the head");
    json_error_t e;
    if (c.bad || n > cursor_left(&c) || n > MAX_HEAD)
        return err_set(
            err, ERR_PARSE,
            "%s is not a safetensors file: the length of its head, in the first 8 bytes, "
            "is beyond %s",
            what, n > MAX_HEAD ? "64 MiB" : "the end");
    struct span head = cursor_bytes(&c, (size_t)n, "head");
    part->head = json_loadb(head.p, head.n, JSON_REJECT_DUPLICATES, &e);
    if (!part->head)
        return err_set(err, ERR_PARSE, "%s: its head is no JSON at byte %d: %s", what,
                       e.position + 8, e.text);
    if (!json_is_object(part->head))
        return err_set(err, ERR_PARSE, "%s: its head is no JSON object", what);
    struct span data = cursor_bytes(&c, cursor_left(&c), "data");
    return read_tensors(s, what, part->head, data, err);
}

static int finish(struct safetensors *s, const char *what, struct err *err)
{
    if (s->n) qsort(s->tensors, s->n, sizeof *s->tensors, by_name);
    for (size_t i = 1; i < s->n; i++)
        if (!strcmp(s->tensors[i - 1].name, s->tensors[i].name))
            return bad(what, s->tensors[i].name, "is in two files", err);
    return 0;
}

/* ---- files ---- */

static int map_part(struct safetensors *s, const char *path, struct err *err)
{
    struct part *more = realloc(s->parts, (s->n_parts + 1) * sizeof *more);
    struct stat st;
    if (!more) return err_nomem(err);
    s->parts = more;
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    void *p = NULL;
    if (fd < 0) return err_errno(err, "cannot open %s", path);
    if (fstat(fd, &st)) rc = err_errno(err, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode)) rc = err_set(err, ERR_INVAL, "%s is not a file", path);
    else if (st.st_size == 0) rc = err_set(err, ERR_PARSE, "%s is empty", path);
    if (!rc) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) rc = err_errno(err, "cannot map %s", path);
    }
    close(fd);
    if (rc) return rc;
    struct part *part = &s->parts[s->n_parts++];
    *part = (struct part){ .p = p, .n = (size_t)st.st_size, .mapped = true };
    return read_part(s, part, path, err);
}

static int compare_str(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every distinct file of the weight map, then every tensor it promises. */
static int open_parts(struct safetensors *s, const char *folder, const char *index,
                      const json_t *map, struct err *err)
{
    const char **files = calloc(json_object_size(map) + 1, sizeof *files), *name;
    size_t n = 0, opened = 0;
    json_t *v;
    int rc = files ? 0 : err_nomem(err);
    json_object_foreach((json_t *)map, name, v)
    {
        if (rc) break;
        files[n] = json_string_value(v);
        if (!files[n] || !*files[n] || strchr(files[n], '/') || *files[n] == '.')
            rc = err_set(err, ERR_PARSE, "%s: tensor \"%.80s\" has no usable file name", index,
                         name);
        n++;
    }
    if (!rc) qsort(files, n, sizeof *files, compare_str);
    for (size_t i = 0; i < n && !rc; i++) {
        if (i && !strcmp(files[i], files[i - 1])) continue;
        struct buf path = BUF_INIT(0);
        buf_printf(&path, "%s/%s", folder, files[i]);
        if (path.failed) rc = err_nomem(err);
        else if (++opened > MAX_PARTS) rc = err_set(err, ERR_LIMIT, "%s: too many files", index);
        else rc = map_part(s, path.p, err);
        buf_free(&path);
    }
    free(files);
    if (!rc) rc = finish(s, folder, err);
    json_object_foreach((json_t *)map, name, v)
    {
        if (!rc && !safetensors_find(s, name))
            rc = err_set(err, ERR_PARSE, "%s: tensor \"%.80s\" is not in %.80s", index, name,
                         json_string_value(v));
    }
    return rc;
}

static int open_index(struct safetensors *s, const char *folder, const char *index, struct err *err)
{
    struct buf text = BUF_INIT(0);
    json_error_t e;
    int rc = io_read_file(index, MAX_HEAD, &text, err);
    if (rc) return rc;
    json_t *root = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &e);
    const json_t *map = json_object_get(root, "weight_map");
    if (!root) rc = err_set(err, ERR_PARSE, "%s line %d: %s", index, e.line, e.text);
    else if (!json_is_object(map)) rc = err_set(err, ERR_PARSE, "%s has no \"weight_map\"", index);
    else rc = open_parts(s, folder, index, map, err);
    json_decref(root);
    buf_free(&text);
    return rc;
}

static int open_folder(struct safetensors *s, const char *folder, struct err *err)
{
    struct buf index = BUF_INIT(0), one = BUF_INIT(0);
    buf_printf(&index, "%s/model.safetensors.index.json", folder);
    buf_printf(&one, "%s/model.safetensors", folder);
    int rc = index.failed || one.failed ? err_nomem(err) : 0;
    if (rc) goto out;
    if (io_exists(index.p)) rc = open_index(s, folder, index.p, err);
    else if (io_exists(one.p)) rc = map_part(s, one.p, err);
    else
        rc = err_set(err, ERR_NOTFOUND,
                     "%s has no model.safetensors; weights in other formats (.bin, .pt) are not "
                     "read: get the safetensors version of the model",
                     folder);
    if (!rc) rc = finish(s, folder, err);
out:
    buf_free(&index);
    buf_free(&one);
    return rc;
}

int safetensors_open(const char *path, struct safetensors **out, struct err *err)
{
    struct safetensors *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return err_nomem(err);
    int rc = io_is_dir(path) ? open_folder(s, path, err) : map_part(s, path, err);
    if (!rc) rc = finish(s, path, err);
    if (rc) safetensors_close(s);
    else *out = s;
    return rc;
}

int safetensors_open_mem(const void *p, size_t n, const char *what, struct safetensors **out,
                         struct err *err)
{
    struct safetensors *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || !(s->parts = calloc(1, sizeof *s->parts))) {
        free(s);
        return err_nomem(err);
    }
    s->parts[s->n_parts++] = (struct part){ .p = p, .n = n };
    int rc = read_part(s, s->parts, what, err);
    if (!rc) rc = finish(s, what, err);
    if (rc) safetensors_close(s);
    else *out = s;
    return rc;
}

void safetensors_close(struct safetensors *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_parts; i++) {
        json_decref(s->parts[i].head);
        if (s->parts[i].mapped) munmap((void *)s->parts[i].p, s->parts[i].n);
    }
    free(s->parts);
    free(s->tensors);
    free(s);
}

size_t safetensors_count(const struct safetensors *s) { return s->n; }
const struct st_tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    return &s->tensors[i];
}

const struct st_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct st_tensor key = { .name = name };
    return s->n ? bsearch(&key, s->tensors, s->n, sizeof key, by_name) : NULL;
}

void safetensors_done_with(const struct safetensors *s, const struct st_tensor *t)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct part *p = &s->parts[i];
        if (!p->mapped || (const uint8_t *)t->data < p->p ||
            (const uint8_t *)t->data >= p->p + p->n)
            continue;
        size_t at = (size_t)((const uint8_t *)t->data - p->p);
        size_t from = (at + page - 1) / page * page, to = (at + t->bytes) / page * page;
        if (to > from) madvise((void *)(p->p + from), to - from, MADV_DONTNEED);
    }
}
