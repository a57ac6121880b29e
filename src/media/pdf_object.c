/* Objects of a PDF.
 *
 * A PDF has a table that says where its objects stand, or several, in two kinds; in files that were
 * repaired, joined or cut they are often wrong. All objects say themselves who they are ("12 0
 * obj"), so this reader looks through the file for them and keeps the last of each number, which is
 * what the tables of an updated file would say as well. The bytes of streams are stepped over, so
 * that nothing in a picture looks like an object; streams of objects are opened on the way. In an
 * encrypted file they cannot be opened before it is known how, which may stand at its end: such a
 * file is looked through twice. */
#include "media/pdf.h"

#include "base/str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS     4000000
#define OPENED      200000
#define STREAM_MAX  ((size_t)64 << 20)
#define DECODED_MAX ((size_t)768 << 20)
#define REF_STEPS   32
#define LOOKED_MORE ((size_t)64 << 20) /* objects do not overlap, so it is never nearly as much */

/* ---- tokens ---- */

static bool white(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13) || !c; }
static bool delimiter(uint8_t c) { return c && strchr("()<>[]{}/%", c); }

static const uint8_t *skip_white(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (white(*p) || *p == '%')) {
        if (*p == '%')
            while (p < end && *p != '\n' && *p != '\r') p++;
        else p++;
    }
    return p;
}

static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end)
{
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '\\') p++;
        else if (*p == '(') depth++;
        else if (*p == ')' && !--depth) return p + 1;
    }
    return end;
}

static const uint8_t *skip_word(const uint8_t *p, const uint8_t *end)
{
    while (p < end && !white(*p) && !delimiter(*p)) p++;
    return p;
}

static const uint8_t *digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

/* Behind "12 0 R" at p; NULL when that does not stand there. */
static const uint8_t *reference(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = digits(p, end), *r;
    if (q == p || q - p > 10) return NULL;
    r = skip_white(q, end);
    if (r == q) return NULL;
    q = digits(r, end);
    if (q == r || q - r > 6) return NULL;
    r = skip_white(q, end);
    return r > q && r < end && *r == 'R' && (r + 1 == end || white(r[1]) || delimiter(r[1])) ? r + 1
                                                                                             : NULL;
}

/* Behind the token at p, which is no white space; a bracket is a token. */
static const uint8_t *skip_token(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q;
    switch (*p) {
    case '(': return skip_string(p, end);
    case '<':
        if (p + 1 < end && p[1] == '<') return p + 2;
        q = memchr(p, '>', (size_t)(end - p));
        return q ? q + 1 : end;
    case '>': return p + 1 < end && p[1] == '>' ? p + 2 : p + 1;
    case '[':
    case ']':
    case '{':
    case '}':
    case ')': return p + 1;
    case '/': return skip_word(p + 1, end);
    default: break;
    }
    if ((q = reference(p, end))) return q;
    q = skip_word(p, end);
    return q > p ? q : p + 1;
}

/* Behind the value at p, however deep it is. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end)
{
    size_t depth = 0;
    while ((p = skip_white(p, end)) < end) {
        bool dict = *p == '<' && p + 1 < end && p[1] == '<';
        bool over = *p == '>' && p + 1 < end && p[1] == '>';
        bool opens = *p == '[' || dict, closes = *p == ']' || over;
        p = skip_token(p, end);
        if (opens) depth++;
        else if (closes && depth) depth--;
        if (!depth) return p;
    }
    return end;
}

/* ---- values ---- */

static const struct pdf_value none = { NULL, NULL };

static struct pdf_value at_value(const uint8_t *p, const uint8_t *end)
{
    p = skip_white(p, end);
    return p < end ? (struct pdf_value){ p, end } : none;
}

int64_t pdf_ref(struct pdf_value v)
{
    int64_t n = 0;
    if (!v.p || !reference(v.p, v.end)) return -1;
    for (const uint8_t *p = v.p; p < v.end && *p >= '0' && *p <= '9'; p++) n = n * 10 + (*p - '0');
    return n;
}

struct pdf_value pdf_resolve(const struct pdf *d, struct pdf_value v)
{
    for (int i = 0; i < REF_STEPS; i++) {
        int64_t n = pdf_ref(v);
        if (n < 0) return v;
        const uint64_t *at = map_get(&d->objects, (uint64_t)n);
        if (!at) return none;
        v = at_value(d->object[*at - 1].p, d->object[*at - 1].end);
    }
    return none;
}

bool pdf_is_dict(struct pdf_value v) { return v.p && v.end - v.p > 1 && !memcmp(v.p, "<<", 2); }
bool pdf_is_array(struct pdf_value v) { return v.p && *v.p == '['; }
bool pdf_is_string(struct pdf_value v)
{
    return v.p && (*v.p == '(' || (*v.p == '<' && !pdf_is_dict(v)));
}

struct span pdf_name(struct pdf_value v)
{
    if (!v.p || *v.p != '/') return (struct span){ "", 0 };
    return (struct span){ (const char *)v.p + 1, (size_t)(skip_word(v.p + 1, v.end) - v.p - 1) };
}

bool pdf_is_name(struct pdf_value v, const char *name) { return span_eq(pdf_name(v), name); }

double pdf_number(struct pdf_value v, double otherwise)
{
    double whole = 0, part = 0, scale = 1;
    bool minus = false, any = false;
    const uint8_t *p = v.p;
    if (!p) return otherwise;
    for (; p < v.end && (*p == '-' || *p == '+'); p++) minus |= *p == '-';
    for (; p < v.end && *p >= '0' && *p <= '9' && whole < 1e15; p++, any = true)
        whole = whole * 10 + (*p - '0');
    if (p < v.end && *p == '.')
        for (p++; p < v.end && *p >= '0' && *p <= '9'; p++, any = true)
            if (scale < 1e9) part = part * 10 + (*p - '0'), scale *= 10;
    if (!any) return otherwise;
    return (minus ? -1 : 1) * (whole + part / scale);
}

int pdf_int(struct pdf_value v, int otherwise)
{
    double d = pdf_number(v, otherwise);
    return d > INT_MAX / 2 ? INT_MAX / 2 : d < INT_MIN / 2 ? INT_MIN / 2 : (int)d;
}

struct pdf_value pdf_inside(struct pdf_value v)
{
    if (pdf_is_dict(v)) return (struct pdf_value){ v.p + 2, v.end };
    if (pdf_is_array(v)) return (struct pdf_value){ v.p + 1, v.end };
    return none;
}

bool pdf_next(struct pdf_value *at, struct pdf_value *out)
{
    if (!at->p) return false;
    const uint8_t *p = skip_white(at->p, at->end);
    if (p >= at->end || *p == ']' || (*p == '>' && p + 1 < at->end && p[1] == '>')) return false;
    *out = (struct pdf_value){ p, at->end };
    at->p = skip_value(p, at->end);
    return true;
}

struct pdf_value pdf_get(const struct pdf *d, struct pdf_value dict, const char *key)
{
    struct pdf_value in = pdf_resolve(d, dict), k, v;
    if (!pdf_is_dict(in)) return none;
    for (in = pdf_inside(in); pdf_next(&in, &k) && pdf_next(&in, &v);)
        if (pdf_is_name(k, key)) return pdf_resolve(d, v);
    return none;
}

int pdf_token(struct pdf_value *at, struct pdf_value *out)
{
    const uint8_t *p = at->p ? skip_white(at->p, at->end) : at->end;
    if (p >= at->end) return 0;
    bool value = *p == '(' || *p == '<' || *p == '[' || *p == '/' || *p == '+' || *p == '-' ||
                 *p == '.' || (*p >= '0' && *p <= '9');
    at->p = value ? skip_value(p, at->end) : skip_token(p, at->end);
    *out = (struct pdf_value){ p, at->p };
    return value ? 1 : 2;
}

/* ---- strings ---- */

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void hex_string(const uint8_t *p, const uint8_t *end, struct buf *out)
{
    int half = -1;
    for (p++; p < end && *p != '>'; p++) {
        int h = hex(*p);
        if (h < 0) continue;
        if (half >= 0) buf_addc(out, (char)(half << 4 | h));
        half = half >= 0 ? -1 : h;
    }
    if (half >= 0) buf_addc(out, (char)(half << 4));
}

/* The escape at p, behind the backslash; returns its last byte. */
static const uint8_t *escape(const uint8_t *p, const uint8_t *end, struct buf *out)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *k = *p ? strchr(from, *p) : NULL;
    if (k) buf_addc(out, to[k - from]);
    else if (*p >= '0' && *p <= '7') {
        int v = 0, i = 0;
        for (; i < 3 && p < end && *p >= '0' && *p <= '7'; i++) v = v * 8 + (*p++ - '0');
        buf_addc(out, (char)v);
        p--;
    } else if (*p == '\r') {
        if (p + 1 < end && p[1] == '\n') p++;
    } else if (*p != '\n') buf_addc(out, (char)*p);
    return p;
}

void pdf_string(struct pdf_value v, struct buf *out)
{
    int depth = 0;
    if (!pdf_is_string(v)) return;
    if (*v.p == '<') {
        hex_string(v.p, v.end, out);
        return;
    }
    for (const uint8_t *p = v.p; p < v.end; p++) {
        if (*p == '\\' && p + 1 < v.end) p = escape(p + 1, v.end, out);
        else if (*p == '(' && depth++) buf_addc(out, '(');
        else if (*p == ')' && !--depth) return;
        else if (*p != '(' || !depth) buf_addc(out, (char)*p);
    }
}

/* The object of the file in which v stands; NULL: in an object stream. */
static const struct pdf_place *place_of(const struct pdf *d, struct pdf_value v)
{
    size_t from = 0, to = d->n_places;
    if (!d->crypt || v.p < d->p || v.p >= d->p + d->n) return NULL;
    while (from < to) {
        size_t half = from + (to - from) / 2;
        if (d->place[half].p <= v.p) from = half + 1;
        else to = half;
    }
    return from ? &d->place[from - 1] : NULL;
}

void pdf_said(const struct pdf *d, struct pdf_value v, struct buf *out)
{
    pdf_string(v, out);
    pdf_decrypt(d, place_of(d, v), true, out);
}

/* ---- streams ---- */

/* The bytes between "stream" and "endstream"; p stands behind the dictionary. */
static bool raw_stream(const struct pdf *d, struct pdf_value dict, struct span *out,
                       const uint8_t **after)
{
    const uint8_t *end = dict.end, *p = skip_white(skip_value(dict.p, end), end), *q;
    if (end - p < 6 || memcmp(p, "stream", 6) != 0) return false;
    p += 6;
    if (p < end && *p == '\r') p++;
    if (p < end && *p == '\n') p++;
    double n = pdf_number(pdf_get(d, dict, "Length"), -1);
    if (n >= 0 && n <= (double)(end - p)) {
        q = skip_white(p + (size_t)n, end);
        if (end - q >= 9 && !memcmp(q, "endstream", 9)) {
            *out = (struct span){ (const char *)p, (size_t)n };
            *after = q + 9;
            return true;
        }
    }
    q = memmem(p, (size_t)(end - p), "endstream", 9);
    *out = (struct span){ (const char *)p, (size_t)((q ? q : end) - p) };
    *after = q ? q + 9 : end;
    return true;
}

/* Streams that stay as they are in an encrypted file. */
static bool plain_stream(const struct pdf *d, struct pdf_value v)
{
    struct pdf_value filter = pdf_get(d, v, "Filter"), parms = pdf_get(d, v, "DecodeParms"), in,
                     one;
    if (!d->crypt || pdf_is_name(pdf_get(d, v, "Type"), "XRef")) return true;
    in = pdf_inside(filter);
    if (pdf_is_array(filter) && pdf_next(&in, &one)) filter = pdf_resolve(d, one);
    in = pdf_inside(parms);
    if (pdf_is_array(parms) && pdf_next(&in, &one)) parms = pdf_resolve(d, one);
    struct span name = pdf_name(pdf_get(d, parms, "Name"));
    return pdf_is_name(filter, "Crypt") && (!name.n || span_eq(name, "Identity"));
}

bool pdf_stream(struct pdf *d, struct pdf_value dict, struct buf *out)
{
    struct span raw;
    const uint8_t *after;
    struct pdf_value v = pdf_resolve(d, dict);
    if (!pdf_is_dict(v) || !raw_stream(d, v, &raw, &after)) return false;
    struct pdf_value filter = pdf_get(d, v, "Filter"), parms = pdf_get(d, v, "DecodeParms"), one;
    struct pdf_value filters = pdf_inside(filter), all_parms = pdf_inside(parms);
    struct buf a = BUF_INIT(STREAM_MAX), b = BUF_INIT(STREAM_MAX);
    bool list = pdf_is_array(filter), ok = d->decoded < DECODED_MAX;
    buf_add(&a, raw.p, raw.n < STREAM_MAX ? raw.n : STREAM_MAX - 1);
    if (!plain_stream(d, v)) pdf_decrypt(d, place_of(d, v), false, &a);
    for (int i = 0; ok && i < 8; i++) {
        struct pdf_value p = parms, name = filter;
        if (list && !pdf_next(&filters, &name)) break;
        if (list && pdf_is_array(parms)) p = pdf_next(&all_parms, &one) ? one : none;
        name = pdf_resolve(d, name);
        if (!pdf_name(name).n) break;
        ok = pdf_filter(d, pdf_name(name), pdf_resolve(d, p), &a, &b);
        struct buf t = a;
        a = b;
        b = t;
        buf_clear(&b);
        if (!list) break;
    }
    d->decoded += a.n;
    if (ok) buf_add(out, buf_str(&a), a.n);
    buf_free(&a);
    buf_free(&b);
    return ok;
}

/* ---- the file ---- */

static bool put_object(struct pdf *d, uint64_t number, const uint8_t *p, const uint8_t *end)
{
    if (d->n_objects == OBJECTS) return true;
    if (d->n_objects == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 1024;
        struct pdf_value *grown = realloc(d->object, cap * sizeof *grown);
        if (!grown) return false;
        d->object = grown;
        d->cap = cap;
    }
    uint64_t *at = map_slot(&d->objects, number);
    if (!at) return false;
    d->object[d->n_objects++] = (struct pdf_value){ p, end };
    *at = d->n_objects;
    return true;
}

/* An object stream: pairs of number and offset, then the objects. */
static bool open_objects(struct pdf *d, struct pdf_value dict)
{
    struct buf *b = calloc(1, sizeof *b), **grown;
    if (!b || d->n_opened == OPENED) {
        free(b);
        return d->n_opened == OPENED;
    }
    b->max = STREAM_MAX;
    grown = realloc(d->opened, (d->n_opened + 1) * sizeof *grown);
    if (!grown) {
        free(b);
        return false;
    }
    d->opened = grown;
    d->opened[d->n_opened++] = b;
    if (!pdf_stream(d, dict, b) || !b->n) return true;
    double n = pdf_number(pdf_get(d, dict, "N"), 0),
           first = pdf_number(pdf_get(d, dict, "First"), 0);
    const uint8_t *p = (const uint8_t *)b->p, *end = p + b->n;
    struct pdf_value at = { p, end }, number, offset;
    for (int i = 0; i < n && pdf_token(&at, &number) == 1 && pdf_token(&at, &offset) == 1; i++) {
        double k = pdf_number(number, -1), o = pdf_number(offset, -1) + first;
        if (k < 0 || o < 0 || o >= (double)b->n) continue;
        if (!put_object(d, (uint64_t)k, p + (size_t)o, end)) return false;
    }
    return true;
}

/* Objects in objects, trailers in trailers, or none that ends. */
static bool looked_enough(const struct pdf *d) { return d->looked > 4 * d->n + LOOKED_MORE; }

static void trailer(struct pdf *d, struct pdf_value dict)
{
    struct pdf_value in = pdf_inside(dict), k, v;
    if (!pdf_is_dict(dict) || looked_enough(d)) return;
    d->looked += (size_t)(skip_value(dict.p, dict.end) - dict.p);
    while (pdf_next(&in, &k) && pdf_next(&in, &v)) {
        if (pdf_is_name(k, "Root")) d->root = v;
        else if (pdf_is_name(k, "Info")) d->info = v;
        else if (pdf_is_name(k, "Encrypt")) d->encrypt = v;
        else if (pdf_is_name(k, "ID")) d->id = v;
    }
}

/* Number of the object whose "obj" stands at p, or -1. */
static int64_t number_before(const uint8_t *from, const uint8_t *p, uint32_t *generation)
{
    int64_t n = 0, scale = 1;
    const uint8_t *q = p;
    while (q > from && white(q[-1])) q--;
    const uint8_t *g = q;
    while (q > from && q[-1] >= '0' && q[-1] <= '9') q--;
    if (q == g || q == from || !white(q[-1])) return -1;
    *generation = 0;
    for (const uint8_t *k = q; k < g; k++) *generation = *generation * 10 + (uint32_t)(*k - '0');
    while (q > from && white(q[-1])) q--;
    g = q;
    while (q > from && q[-1] >= '0' && q[-1] <= '9' && scale < 100000000000) {
        n += (*--q - '0') * scale;
        scale *= 10;
    }
    return q == g ? -1 : n;
}

static bool put_place(struct pdf *d, struct pdf_place at)
{
    if (d->n_places == d->place_cap) {
        size_t cap = d->place_cap ? d->place_cap * 2 : 1024;
        struct pdf_place *grown = realloc(d->place, cap * sizeof *grown);
        if (!grown) return false;
        d->place = grown;
        d->place_cap = cap;
    }
    d->place[d->n_places++] = at;
    return true;
}

/* The object whose value stands at `at`. Returns where to look for the next. */
static const uint8_t *object(struct pdf *d, struct pdf_place at, bool *memory)
{
    const uint8_t *p = at.p, *end = d->p + d->n, *after;
    struct span raw;
    struct pdf_value v = at_value(p, end);
    if (!put_object(d, at.number, p, end)) *memory = false;
    if (d->crypt && d->n_places < OBJECTS && !put_place(d, at)) *memory = false;
    if (!pdf_is_dict(v)) return p;
    d->looked += (size_t)(skip_value(v.p, end) - v.p);
    if (looked_enough(d)) return end;
    if (!raw_stream(d, v, &raw, &after)) return p;
    struct pdf_value type = pdf_get(d, v, "Type");
    if (pdf_is_name(type, "XRef")) trailer(d, v);
    if (pdf_is_name(type, "ObjStm") && !d->closed && !open_objects(d, v)) *memory = false;
    return after;
}

/* Looks through the file for objects; false when out of memory. */
static bool find_objects(struct pdf *d)
{
    const uint8_t *p = d->p, *end = p + d->n, *q = p;
    bool memory = true;
    while (memory && q < end) {
        const uint8_t *o = memchr(q, 'o', (size_t)(end - q)), *t;
        uint32_t generation;
        if (!o) break;
        /* "trailer" has no o: it is looked for in what is passed over */
        for (t = q; t < o && (t = memmem(t, (size_t)(o - t), "trailer", 7)); t += 7)
            trailer(d, at_value(t + 7, end));
        bool is = end - o >= 3 && o > p && o[1] == 'b' && o[2] == 'j' &&
                  (white(o[-1]) || (o[-1] >= '0' && o[-1] <= '9'));
        int64_t number = is ? number_before(p, o, &generation) : -1;
        q = number >= 0
                ? object(d, (struct pdf_place){ o + 3, (uint64_t)number, generation }, &memory)
                : o + 1;
    }
    return memory;
}

enum fault pdf_open(struct pdf *d, const uint8_t *p, size_t n)
{
    enum fault f = FAULT_NONE;
    *d = (struct pdf){ .p = p, .n = n };
    if (!memmem(p, n < 1024 ? n : 1024, "%PDF-", 5)) return FAULT_KIND;
    d->closed = memmem(p, n, "/Encrypt", 8) != NULL;
    if (!find_objects(d)) return FAULT_NOMEM;
    if (d->encrypt.p) f = pdf_crypt_open(d);
    if (!f && d->closed) { /* once more, now that streams can be read */
        map_free(&d->objects);
        d->n_objects = d->decoded = d->looked = 0;
        d->closed = false;
        if (!find_objects(d)) return FAULT_NOMEM;
    }
    if (f) return f;
    return d->n_objects ? FAULT_NONE : FAULT_CUT;
}

void pdf_close(struct pdf *d)
{
    for (size_t i = 0; i < d->n_opened; i++) {
        buf_free(d->opened[i]);
        free(d->opened[i]);
    }
    for (size_t i = 0; i < d->n_fonts; i++) pdf_font_free(d->fonts[i].font);
    pdf_crypt_close(d->crypt);
    free(d->place);
    free(d->fonts);
    free(d->opened);
    free(d->object);
    map_free(&d->objects);
}
