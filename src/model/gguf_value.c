/* What an open GGUF answers: values by key, arrays, and short texts of values for people.
 *
 * Programs that write GGUF do not agree on the width of integers (a count may be u32, i32 or u64),
 * so any is taken that the answer fits. */
#include "base/str.h"
#include "model/gguf_impl.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [GGUF_U8] = { "u8", 1 },       [GGUF_I8] = { "i8", 1 },     [GGUF_U16] = { "u16", 2 },
    [GGUF_I16] = { "i16", 2 },     [GGUF_U32] = { "u32", 4 },   [GGUF_I32] = { "i32", 4 },
    [GGUF_F32] = { "f32", 4 },     [GGUF_BOOL] = { "bool", 1 }, [GGUF_STR] = { "string", 0 },
    [GGUF_ARRAY] = { "array", 0 }, [GGUF_U64] = { "u64", 8 },   [GGUF_I64] = { "i64", 8 },
    [GGUF_F64] = { "f64", 8 },
};

size_t gguf_type_size(enum gguf_type t) { return types[t].size; }
const char *gguf_type_name(enum gguf_type t) { return types[t].name; }

/* An integer value as i64; false when it is no integer or beyond i64. */
static bool integer(enum gguf_type of, const uint8_t *p, int64_t *out)
{
    union {
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
    } v;
    memcpy(&v, p, types[of].size);
    switch (of) {
    case GGUF_BOOL:
    case GGUF_U8: *out = *p; return true;
    case GGUF_I8: *out = (int64_t)(int8_t)*p; return true;
    case GGUF_U16: *out = v.u16; return true;
    case GGUF_I16: *out = v.i16; return true;
    case GGUF_U32: *out = v.u32; return true;
    case GGUF_I32: *out = v.i32; return true;
    case GGUF_I64: *out = v.i64; return true;
    case GGUF_U64: *out = (int64_t)v.u64; return v.u64 <= INT64_MAX;
    default: return false;
    }
}

double gguf_number(enum gguf_type of, const uint8_t *p)
{
    float f;
    double d;
    uint64_t u;
    int64_t i;
    switch (of) {
    case GGUF_F32: memcpy(&f, p, sizeof f); return f;
    case GGUF_F64: memcpy(&d, p, sizeof d); return d;
    case GGUF_U64: memcpy(&u, p, sizeof u); return (double)u;
    case GGUF_STR:
    case GGUF_ARRAY: return 0;
    default: return integer(of, p, &i) ? (double)i : 0;
    }
}

const char *gguf_path(const struct gguf *g) { return g->path; }
uint64_t gguf_size(const struct gguf *g) { return g->n; }
bool gguf_has(const struct gguf *g, const char *key) { return gguf_find(g, key) != NULL; }

/* A single number, or NULL. */
static const struct gguf_value *number_of(const struct gguf *g, const char *key)
{
    const struct gguf_value *v = gguf_find(g, key);
    return v && v->type != GGUF_ARRAY && v->p ? v : NULL;
}

int gguf_u32(const struct gguf *g, const char *key, uint32_t *out, struct err *err)
{
    const struct gguf_value *v = number_of(g, key);
    int64_t i;
    if (!gguf_has(g, key)) return err_set(err, ERR_PARSE, "%s has no key \"%s\"", g->path, key);
    if (!v || v->of == GGUF_BOOL || !integer(v->of, v->p, &i) || i < 0 || i > UINT32_MAX)
        return err_set(err, ERR_PARSE, "%s: key \"%s\" is not a whole number from 0 to 4294967295",
                       g->path, key);
    *out = (uint32_t)i;
    return 0;
}

uint32_t gguf_u32_or(const struct gguf *g, const char *key, uint32_t def)
{
    uint32_t v = def;
    return gguf_u32(g, key, &v, NULL) ? def : v;
}

float gguf_f32_or(const struct gguf *g, const char *key, float def)
{
    const struct gguf_value *v = number_of(g, key);
    return v && v->of != GGUF_BOOL ? (float)gguf_number(v->of, v->p) : def;
}

bool gguf_bool_or(const struct gguf *g, const char *key, bool def)
{
    const struct gguf_value *v = number_of(g, key);
    int64_t i;
    return v && integer(v->of, v->p, &i) ? i != 0 : def;
}

struct span gguf_str_or(const struct gguf *g, const char *key, const char *def)
{
    const struct gguf_value *v = gguf_find(g, key);
    return v && v->type == GGUF_STR ? v->one : span_of(def);
}

bool gguf_array(const struct gguf *g, const char *key, struct gguf_array *out)
{
    const struct gguf_value *v = gguf_find(g, key);
    *out = (struct gguf_array){ 0 };
    if (!v || v->type != GGUF_ARRAY) return false;
    *out = (struct gguf_array){ v->of, v->n, v->of == GGUF_STR ? (const void *)v->strs : v->p };
    return true;
}

size_t gguf_count(const struct gguf *g, const char *key, enum gguf_type *of)
{
    struct gguf_array a;
    gguf_array(g, key, &a);
    if (of) *of = a.of;
    return a.n;
}

struct span gguf_array_str(const struct gguf_array *a, size_t i)
{
    if (a->of != GGUF_STR || i >= a->n) return (struct span){ "", 0 };
    return ((const struct span *)a->p)[i];
}

double gguf_array_num(const struct gguf_array *a, size_t i)
{
    if (a->of == GGUF_STR || i >= a->n) return 0;
    return gguf_number(a->of, (const uint8_t *)a->p + i * types[a->of].size);
}

size_t gguf_tensor_count(const struct gguf *g) { return g->n_tensors; }

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i) { return &g->tensors[i]; }

size_t gguf_key_count(const struct gguf *g) { return g->n_values; }

/* ---- texts ---- */

#define TEXT_MAX 200 /* bytes of a string that are shown */
#define TEXT_FEW 6   /* elements of an array */

static void add_string(struct buf *text, struct span s)
{
    size_t n = utf8_cut(s.p, s.n, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        if (s.p[i] == '\n') buf_adds(text, "\\n");
        else buf_addc(text, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i]);
    }
    if (n < s.n) buf_adds(text, "...");
}

static void add_element(struct buf *text, const struct gguf_value *v, size_t i)
{
    if (v->of == GGUF_STR) {
        add_string(text, v->strs[i]);
        return;
    }
    const uint8_t *p = v->p + i * types[v->of].size;
    int64_t whole;
    if (v->of == GGUF_BOOL) buf_adds(text, *p ? "yes" : "no");
    else if (integer(v->of, p, &whole)) buf_printf(text, "%lld", (long long)whole);
    else buf_printf(text, "%.9g", gguf_number(v->of, p));
}

struct span gguf_key_at(const struct gguf *g, size_t i, enum gguf_type *type, struct buf *text)
{
    const struct gguf_value *v = &g->values[i];
    if (type) *type = v->type;
    if (!text) return v->key;
    if (v->type != GGUF_ARRAY) {
        add_element(text, v, 0);
        return v->key;
    }
    buf_printf(text, "%zu %s: ", v->n, types[v->of].name);
    for (size_t k = 0; k < v->n && k < TEXT_FEW; k++) {
        if (k) buf_adds(text, ", ");
        add_element(text, v, k);
    }
    if (v->n > TEXT_FEW) buf_adds(text, ", ...");
    return v->key;
}
