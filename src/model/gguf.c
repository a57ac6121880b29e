/* Opening a GGUF file: everything that can be wrong with it is found here, once.
 *
 * The file is: "GGUF", u32 version, u64 tensors, u64 key-values; the key-values; the tensors'
 * names, shapes, types and offsets; padding to the alignment; the data. docs/MODELS.md has it byte
 * by byte. The head is read with a cursor over the mapping; strings are left where they are, and
 * arrays of strings get an index of spans so that the i-th is found at once. Names are found
 * through two hash tables.
 *
 * What the head claims is compared with the bytes that are there before anything is allocated for
 * it: a count of n things that take at least k bytes each needs n * k bytes of file. So memory
 * stays within about six times the size of the head, whatever a hostile file says.
 *
 * Tensors may not overlap, nor begin off the alignment, nor end beyond the file. After gguf_open
 * nothing that reads through a struct gguf_tensor needs to look at bounds. The file must not be cut
 * shorter while it is open: pages beyond the new end would raise SIGBUS, as with any mapping. */
#include "model/gguf.h"

#include "base/str.h"
#include "model/gguf_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         0x46554747u /* "GGUF" */
#define MAX_COUNT     (1u << 20)  /* keys, tensors */
#define MAX_NAME      1024
#define MAX_ALIGNMENT (1u << 20)

/* Types that other programs write and this one does not read, for the message. */
static const struct {
    uint32_t number;
    const char *name;
} others[] = {
    { 9, "q8_1" },    { 10, "q2_k" },    { 11, "q3_k" },  { 15, "q8_k" },   { 16, "iq2_xxs" },
    { 17, "iq2_xs" }, { 18, "iq3_xxs" }, { 19, "iq1_s" }, { 20, "iq4_nl" }, { 21, "iq3_s" },
    { 22, "iq2_s" },  { 23, "iq4_xs" },  { 24, "i8" },    { 25, "i16" },    { 26, "i32" },
    { 27, "i64" },    { 28, "f64" },     { 29, "iq1_m" }, { 34, "tq1_0" },  { 35, "tq2_0" },
    { 39, "mxfp4" },
};

/* A name from the file, fit for a message. */
struct shown {
    char s[72];
};

static struct shown show(struct span name)
{
    struct shown out;
    size_t n = name.n < sizeof out.s - 4 ? name.n : sizeof out.s - 4;
    for (size_t i = 0; i < n; i++)
        out.s[i] = name.p[i] >= 0x20 && name.p[i] < 0x7f ? name.p[i] : '?';
    strcpy(out.s + n, n < name.n ? "..." : "");
    return out;
}

/* ---- names ---- */

static int index_init(struct gguf_index *x, size_t n)
{
    size_t cap = 8;
    while (cap < 2 * n) cap *= 2;
    x->slot = calloc(cap, sizeof *x->slot);
    x->mask = cap - 1;
    return x->slot ? 0 : ERR_NOMEM;
}

static struct span name_at(const struct gguf *g, const struct gguf_index *x, size_t i)
{
    return x == &g->by_key ? g->values[i].key : g->tensors[i].name;
}

/* The slot where name is or would be. */
static uint32_t *index_slot(const struct gguf *g, const struct gguf_index *x, struct span name)
{
    for (size_t at = hash64(name.p, name.n, 0) & x->mask;; at = (at + 1) & x->mask) {
        uint32_t *slot = &x->slot[at];
        if (!*slot) return slot;
        struct span have = name_at(g, x, *slot - 1);
        if (have.n == name.n && !memcmp(have.p, name.p, name.n)) return slot;
    }
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key)
{
    uint32_t at = *index_slot(g, &g->by_key, span_of(key));
    return at ? &g->values[at - 1] : NULL;
}

const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name)
{
    uint32_t at = *index_slot(g, &g->by_name, span_of(name));
    return at ? &g->tensors[at - 1] : NULL;
}

/* ---- reading the head ---- */

static struct span read_name(struct cursor *c, size_t max, const char *field)
{
    size_t at = c->at;
    uint64_t n = cursor_u64(c, field);
    if (!c->bad && (n > max || n > cursor_left(c))) c->at = at, cursor_fail(c, field);
    return cursor_bytes(c, (size_t)n, field);
}

static int read_array(struct cursor *c, struct gguf_value *v, struct err *err)
{
    size_t at = c->at;
    uint32_t of = cursor_u32(c, "element type of an array");
    uint64_t n = cursor_u64(c, "length of an array");
    if (cursor_check(c, err)) return ERR_PARSE;
    if (of > GGUF_F64 || of == GGUF_ARRAY)
        return err_set(err, ERR_PARSE, "%s: key \"%s\" at byte %zu is an array of type %u", c->what,
                       show(v->key).s, at, of);
    size_t least = of == GGUF_STR ? 8 : gguf_type_size((enum gguf_type)of);
    if (n > cursor_left(c) / least)
        return err_set(err, ERR_PARSE,
                       "%s: key \"%s\" at byte %zu has %llu elements, more than the file can hold",
                       c->what, show(v->key).s, at, (unsigned long long)n);
    v->of = (enum gguf_type)of;
    v->n = (size_t)n;
    if (of != GGUF_STR) {
        v->p = (const uint8_t *)cursor_bytes(c, v->n * least, "array").p;
        return cursor_check(c, err);
    }
    struct span *s = malloc((v->n ? v->n : 1) * sizeof *s);
    if (!s) return err_nomem(err);
    v->strs = s;
    for (size_t i = 0; i < v->n && !c->bad; i++)
        s[i] = read_name(c, SIZE_MAX, "string of an array");
    return cursor_check(c, err);
}

static int read_value(struct gguf *g, struct cursor *c, struct gguf_value *v, struct err *err)
{
    size_t at = c->at;
    v->key = read_name(c, MAX_NAME, "key");
    uint32_t type = cursor_u32(c, "type of a key");
    if (cursor_check(c, err)) return ERR_PARSE;
    uint32_t *slot = index_slot(g, &g->by_key, v->key);
    if (*slot)
        return err_set(err, ERR_PARSE, "%s: key \"%s\" at byte %zu is there twice", c->what,
                       show(v->key).s, at);
    if (type > GGUF_F64)
        return err_set(err, ERR_PARSE, "%s: key \"%s\" at byte %zu has the unknown type %u",
                       c->what, show(v->key).s, at, type);
    v->type = v->of = (enum gguf_type)type;
    v->n = 1;
    int rc = 0;
    if (type == GGUF_ARRAY) rc = read_array(c, v, err);
    else if (type == GGUF_STR) v->one = read_name(c, SIZE_MAX, "string"), v->strs = &v->one;
    else v->p = (const uint8_t *)cursor_bytes(c, gguf_type_size(v->type), "value").p;
    if (rc || cursor_check(c, err)) return ERR_PARSE;
    *slot = (uint32_t)++g->n_values;
    return 0;
}

static int unknown_type(const char *what, struct span name, uint32_t type, struct err *err)
{
    const char *known = NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].number == type) known = others[i].name;
    return err_set(
        err, ERR_PARSE,
        "%s: tensor \"%s\" has type %u%s%s%s, which this program does not read: take the "
        "Q4_0, Q4_K_M, Q5_K_M, Q6_K, Q8_0 or F16 file of the model",
        what, show(name).s, type, known ? " (" : "", known ? known : "", known ? ")" : "");
}

/* Shape and size of t; its offset from the start of the data goes to *offset. */
static int read_tensor(struct gguf *g, struct cursor *c, struct gguf_tensor *t, uint64_t *offset,
                       struct err *err)
{
    size_t at = c->at;
    t->name = read_name(c, MAX_NAME, "name of a tensor");
    uint32_t n_dims = cursor_u32(c, "dimensions of a tensor");
    if (!c->bad && n_dims > GGUF_DIMS)
        return err_set(err, ERR_PARSE, "%s: tensor \"%s\" at byte %zu has %u dimensions", c->what,
                       show(t->name).s, at, n_dims);
    t->n_dims = (int)n_dims;
    t->n = 1;
    bool fits = true;
    for (uint32_t i = 0; i < GGUF_DIMS; i++) {
        t->dim[i] = i < n_dims ? cursor_u64(c, "shape of a tensor") : 1;
        fits &= t->dim[i] > 0 && !__builtin_mul_overflow(t->n, t->dim[i], &t->n);
    }
    uint32_t type = cursor_u32(c, "type of a tensor");
    *offset = cursor_u64(c, "offset of a tensor");
    if (cursor_check(c, err)) return ERR_PARSE;
    if (!fits || t->n > INT64_MAX)
        return err_set(err, ERR_PARSE, "%s: tensor \"%s\" at byte %zu has an impossible shape",
                       c->what, show(t->name).s, at);
    if (!quant_known(type)) return unknown_type(c->what, t->name, type, err);
    t->type = (enum quant)type;
    if (t->dim[0] % (uint64_t)quant_block(t->type))
        return err_set(
            err, ERR_PARSE,
            "%s: tensor \"%s\" at byte %zu has %llu columns, not a multiple of the %d of %s",
            c->what, show(t->name).s, at, (unsigned long long)t->dim[0], quant_block(t->type),
            quant_name(t->type));
    t->bytes = quant_row_bytes(t->type, t->n);
    if (!t->bytes)
        return err_set(err, ERR_PARSE, "%s: tensor \"%s\" at byte %zu is too large", c->what,
                       show(t->name).s, at);
    uint32_t *slot = index_slot(g, &g->by_name, t->name);
    if (*slot)
        return err_set(err, ERR_PARSE, "%s: tensor \"%s\" at byte %zu is there twice", c->what,
                       show(t->name).s, at);
    *slot = (uint32_t)++g->n_tensors;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct gguf_tensor *x = *(const struct gguf_tensor *const *)a;
    const struct gguf_tensor *y = *(const struct gguf_tensor *const *)b;
    return x->data < y->data ? -1 : x->data > y->data;
}

/* No two tensors share a byte. */
static int check_overlaps(const struct gguf *g, struct err *err)
{
    const struct gguf_tensor **t = malloc((g->n_tensors ? g->n_tensors : 1) * sizeof *t);
    if (!t) return err_nomem(err);
    for (size_t i = 0; i < g->n_tensors; i++) t[i] = &g->tensors[i];
    qsort(t, g->n_tensors, sizeof *t, by_place);
    int rc = 0;
    for (size_t i = 1; i < g->n_tensors && !rc; i++)
        if ((const uint8_t *)t[i - 1]->data + t[i - 1]->bytes > (const uint8_t *)t[i]->data)
            rc = err_set(err, ERR_PARSE, "%s: tensors \"%s\" and \"%s\" overlap at byte %zu",
                         g->path, show(t[i - 1]->name).s, show(t[i]->name).s,
                         (size_t)((const uint8_t *)t[i]->data - g->p));
    free(t);
    return rc;
}

/* Give every tensor its data; offsets are relative to the first aligned byte after the head. */
static int place_tensors(struct gguf *g, const struct cursor *c, const uint64_t *offsets,
                         struct err *err)
{
    uint64_t start = (c->at + g->alignment - 1) / g->alignment * g->alignment;
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        if (offsets[i] % g->alignment)
            return err_set(err, ERR_PARSE,
                           "%s: tensor \"%s\" has the offset %llu, not aligned to %llu", g->path,
                           show(t->name).s, (unsigned long long)offsets[i],
                           (unsigned long long)g->alignment);
        uint64_t at, end;
        if (__builtin_add_overflow(start, offsets[i], &at) ||
            __builtin_add_overflow(at, t->bytes, &end) || end > g->n)
            return err_set(
                err, ERR_PARSE,
                "%s: tensor \"%s\" (%zu bytes at offset %llu of the data) lies beyond the "
                "end of the file: is the download complete?",
                g->path, show(t->name).s, t->bytes, (unsigned long long)offsets[i]);
        t->data = g->p + at;
    }
    return check_overlaps(g, err);
}

static int read_tensors(struct gguf *g, struct cursor *c, size_t n, struct err *err)
{
    uint64_t *offsets = malloc((n ? n : 1) * sizeof *offsets);
    int rc = offsets ? 0 : err_nomem(err);
    for (size_t i = 0; i < n && !rc; i++) rc = read_tensor(g, c, &g->tensors[i], &offsets[i], err);
    if (!rc) rc = place_tensors(g, c, offsets, err);
    free(offsets);
    return rc;
}

static int check_start(struct cursor *c, uint32_t *version, struct err *err)
{
    uint32_t magic = cursor_u32(c, "magic");
    *version = cursor_u32(c, "version");
    if (c->bad || magic != MAGIC)
        return err_set(err, ERR_PARSE, "%s is not a GGUF file (it does not begin with \"GGUF\")",
                       c->what);
    if (*version == 2 || *version == 3) return 0;
    if (!(*version & 0xffff))
        return err_set(err, ERR_PARSE,
                       "%s is a big-endian GGUF file, which this build does not read", c->what);
    return err_set(err, *version > 3 ? ERR_VERSION : ERR_PARSE,
                   "%s is GGUF version %u; versions 2 and 3 are read", c->what, *version);
}

static int check_settings(struct gguf *g, struct err *err)
{
    g->alignment = gguf_u32_or(g, "general.alignment", 32);
    if (!g->alignment || g->alignment > MAX_ALIGNMENT || (g->alignment & (g->alignment - 1)))
        return err_set(err, ERR_PARSE, "%s: key \"general.alignment\" is %llu, not a power of two",
                       g->path, (unsigned long long)g->alignment);
    uint32_t parts = gguf_u32_or(g, "split.count", 1);
    if (parts > 1)
        return err_set(err, ERR_INVAL,
                       "%s is part %u of %u of a model. Merge them first: llama-gguf-split --merge "
                       "FIRST-PART.gguf WHOLE.gguf",
                       g->path, gguf_u32_or(g, "split.no", 0) + 1, parts);
    return 0;
}

static int read_all(struct gguf *g, struct err *err)
{
    struct cursor c = cursor_of(g->p, g->n, g->path);
    int rc;
    if ((rc = check_start(&c, &g->version, err))) return rc;
    uint64_t n_tensors = cursor_u64(&c, "number of tensors"), n_values;
    if (n_tensors > MAX_COUNT || n_tensors > cursor_left(&c) / 24)
        c.at -= 8, cursor_fail(&c, "number of tensors");
    n_values = cursor_u64(&c, "number of keys");
    if (n_values > MAX_COUNT || n_values > cursor_left(&c) / 13)
        c.at -= 8, cursor_fail(&c, "number of keys");
    if (cursor_check(&c, err)) return ERR_PARSE;
    g->values = calloc(n_values + 1, sizeof *g->values);
    g->tensors = calloc(n_tensors + 1, sizeof *g->tensors);
    if (!g->values || !g->tensors || index_init(&g->by_key, n_values) ||
        index_init(&g->by_name, n_tensors))
        return err_nomem(err);
    for (size_t i = 0; i < n_values; i++)
        if ((rc = read_value(g, &c, &g->values[i], err))) return rc;
    if ((rc = check_settings(g, err))) return rc;
    return read_tensors(g, &c, n_tensors, err);
}

/* ---- open and close ---- */

static int open_bytes(const void *p, size_t n, bool mapped, const char *path, struct gguf **out,
                      struct err *err)
{
    struct gguf *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g || !(g->path = str_dup(path))) {
        free(g);
        if (mapped && n) munmap((void *)p, n);
        return err_nomem(err);
    }
    g->p = p, g->n = n, g->mapped = mapped;
    int rc = read_all(g, err);
    if (rc) gguf_close(g);
    else *out = g;
    return rc;
}

int gguf_open_mem(const void *p, size_t n, const char *what, struct gguf **out, struct err *err)
{
    return open_bytes(p, n, false, what, out, err);
}

int gguf_open(const char *path, struct gguf **out, struct err *err)
{
    struct stat st;
    void *p = NULL;
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *out = NULL;
    if (fd < 0) return err_errno(err, "cannot open %s", path);
    if (fstat(fd, &st)) rc = err_errno(err, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode)) rc = err_set(err, ERR_INVAL, "%s is not a file", path);
    else if (st.st_size == 0) rc = err_set(err, ERR_PARSE, "%s is empty", path);
    if (!rc) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) rc = err_errno(err, "cannot map %s", path);
    }
    close(fd);
    return rc ? rc : open_bytes(p, (size_t)st.st_size, true, path, out, err);
}

void gguf_close(struct gguf *g)
{
    if (!g) return;
    if (g->values)
        for (struct gguf_value *v = g->values; v->key.p; v++)
            if (v->type == GGUF_ARRAY) free((void *)v->strs);
    free(g->values);
    free(g->tensors);
    free(g->by_key.slot);
    free(g->by_name.slot);
    if (g->mapped && g->n) munmap((void *)g->p, g->n);
    free(g->path);
    free(g);
}

void gguf_done_with(const struct gguf *g, const void *p, size_t n)
{
    if (!g->mapped) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = ((size_t)((const uint8_t *)p - g->p) + page - 1) / page * page;
    size_t to = ((size_t)((const uint8_t *)p - g->p) + n) / page * page;
    if (to > from) madvise((void *)(g->p + from), to - from, MADV_DONTNEED);
}
