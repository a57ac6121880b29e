/* What comes from outside and has a form: JSON, forms, queries, each checked against the fields
 * that a route declares. The same declaration is printed in /openapi.json, so what is told and what
 * is done cannot differ.
 *
 * JSON is read with three fences of our own around jansson: broken UTF-8 is looked for first, since
 * the message can then say so; a pass over the bytes counts brackets outside of strings, so that
 * depth is known before anything is allocated for it (jansson's own limit is 2048); a name twice
 * is refused (RFC 8259, section 4: what receivers do with it differs, and attacks live on that).
 * Integers beyond 64 bits and numbers beyond a double are the parser's errors.
 *
 * Messages name the field by its path ("messages[3].role") and never repeat a value. */
#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */
static bool too_deep(const char *p, size_t n)
{
    int depth = 0;
    bool text = false;
    for (size_t i = 0; i < n; i++) {
        if (text) {
            if (p[i] == '\\') i++;
            else if (p[i] == '"') text = false;
        } else if (p[i] == '"') text = true;
        else if (p[i] == '{' || p[i] == '[') {
            if (++depth > HTTP_DEPTH) return true;
        } else if (p[i] == '}' || p[i] == ']') depth--;
    }
    return false;
}

int json_read(const char *p, size_t n, json_t **out, struct err *err)
{
    json_error_t e;
    *out = NULL;
    if (!n) return err_set(err, ERR_PARSE, "the body is empty: a JSON object was expected");
    if (!utf8_valid(p, n)) return err_set(err, ERR_PARSE, "the body is not valid UTF-8");
    if (too_deep(p, n))
        return err_set(err, ERR_PARSE, "the JSON is nested more than %d levels deep", HTTP_DEPTH);
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);
    if (!j) {
        if (json_error_code(&e) == json_error_out_of_memory) return err_nomem(err);
        if (json_error_code(&e) == json_error_duplicate_key)
            return err_set(err, ERR_PARSE, "a name stands twice in one JSON object (line %d)",
                           e.line);
        return err_set(err, ERR_PARSE, "the body is not JSON (line %d, column %d)", e.line,
                       e.column);
    }
    if (!json_is_object(j)) {
        json_decref(j);
        return err_set(err, ERR_PARSE, "the JSON should be an object");
    }
    *out = j;
    return 0;
}

int form_add(json_t *doc, const char *key, size_t kn, const char *value, size_t vn, struct err *err)
{
    char *copy = malloc(kn + vn + 2);
    if (!copy) return err_nomem(err);
    char *v = copy + kn + 1;
    memcpy(copy, key, kn);
    if (vn) memcpy(v, value, vn);
    int rc = 0;
    if (!percent_decode(copy, &kn) || !percent_decode(v, &vn))
        rc = err_set(err, ERR_PARSE,
                     "a form or query holds a broken escape, a zero byte or broken UTF-8");
    else if (!kn) rc = err_set(err, ERR_PARSE, "a form or query holds a value without a name");
    copy[kn] = 0;
    if (!rc && json_object_get(doc, copy))
        rc = err_set(err, ERR_PARSE, "a name stands twice in the form or query");
    if (!rc && json_object_set_new(doc, copy, json_stringn(v, vn))) rc = err_nomem(err);
    free(copy);
    return rc;
}

int form_read(const char *p, size_t n, json_t **out, struct err *err)
{
    json_t *doc = json_object();
    char *copy = malloc(n + 1);
    int rc = doc && copy ? 0 : err_nomem(err);
    *out = NULL;
    for (size_t i = 0; !rc && i < n; i++) copy[i] = p[i] == '+' ? ' ' : p[i];
    for (size_t at = 0; !rc && at < n;) {
        const char *pair = copy + at;
        const char *end = memchr(pair, '&', n - at);
        size_t len = end ? (size_t)(end - pair) : n - at;
        const char *eq = memchr(pair, '=', len);
        size_t kn = eq ? (size_t)(eq - pair) : len;
        if (len) rc = form_add(doc, pair, kn, eq ? eq + 1 : NULL, eq ? len - kn - 1 : 0, err);
        at += len + 1;
    }
    free(copy);
    if (rc) json_decref(doc);
    else *out = doc;
    return rc;
}

/* ---- checking ---- */
struct check {
    bool texts, loose;
    struct err *err;
    char path[160]; /* of the value that is looked at */
};

static int refuse(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct check *c, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(c->err, ERR_INVAL, "%s: %s", c->path[0] ? c->path : "the body", what);
}

/* A value that came as text, as what the field wants; NULL: stays as it is. */
static json_t *from_text(const struct field *f, const char *s, size_t n)
{
    int64_t i;
    double d;
    struct span t = { s, n };
    switch (f->type) {
    case FIELD_INT: return str_i64(t, &i) ? json_integer(i) : NULL;
    case FIELD_NUMBER: return str_f64(t, &d) && isfinite(d) ? json_real(d) : NULL;
    case FIELD_BOOL:
        if (span_eq(t, "true") || span_eq(t, "1")) return json_true();
        return span_eq(t, "false") || span_eq(t, "0") ? json_false() : NULL;
    default: return NULL;
    }
}

static bool one_of(const char *words, const char *s, size_t n)
{
    for (const char *w = words; *w;) {
        size_t len = strcspn(w, " ");
        if (len == n && !memcmp(w, s, n)) return true;
        w += len;
        w += strspn(w, " ");
    }
    return false;
}

static int check_text(struct check *c, const struct field *f, const json_t *v)
{
    int64_t at;
    uint8_t uid[VAULT_UID];
    if (!json_is_string(v)) return refuse(c, "should be a string");
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    if (memchr(s, 0, n)) return refuse(c, "holds a zero character");
    switch (f->type) {
    case FIELD_TIME:
        if (!clock_parse_iso((struct span){ s, n }, &at))
            return refuse(c, "should be a time like 2024-05-01T12:00:00Z");
        return 0;
    case FIELD_UID:
        return n == 32 && uid_parse(s, uid) ? 0 : refuse(c, "should be 32 hexadecimal digits");
    case FIELD_WORD:
        return one_of(f->words, s, n) ? 0 : refuse(c, "should be one of: %s", f->words);
    default:
        if (f->max > 0 && (double)n > f->max)
            return refuse(c, "is %zu bytes long, at most %.0f are taken", n, f->max);
        if ((double)n < f->min)
            return n ? refuse(c, "should have at least %.0f bytes", f->min)
                     : refuse(c, "should not be empty");
        return 0;
    }
}

static int check_number(struct check *c, const struct field *f, const json_t *v)
{
    if (f->type == FIELD_INT && !json_is_integer(v)) return refuse(c, "should be a whole number");
    if (!json_is_number(v)) return refuse(c, "should be a number");
    double d = json_number_value(v);
    bool bounds = f->min != 0 || f->max != 0;
    if (bounds && f->min == f->max && d != f->min) return refuse(c, "should be %.9g", f->min);
    if (bounds && (d < f->min || d > f->max))
        return refuse(c, "should be between %.9g and %.9g", f->min, f->max);
    return 0;
}

static int check_object(struct check *c, const struct field *fields, json_t *doc);

static int check_value(struct check *c, const struct field *f, json_t *v)
{
    if (json_is_null(v) && f->flags & FIELD_NULL) return 0;
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_TIME:
    case FIELD_UID:
    case FIELD_WORD: return check_text(c, f, v);
    case FIELD_INT:
    case FIELD_NUMBER: return check_number(c, f, v);
    case FIELD_BOOL: return json_is_boolean(v) ? 0 : refuse(c, "should be true or false");
    case FIELD_OBJECT:
        if (!json_is_object(v)) return refuse(c, "should be an object");
        return f->of ? check_object(c, f->of, v) : 0;
    case FIELD_LIST: {
        if (!json_is_array(v)) return refuse(c, "should be a list");
        size_t n = json_array_size(v), len = strlen(c->path);
        if (f->max > 0 && (double)n > f->max)
            return refuse(c, "has %zu entries, at most %.0f are taken", n, f->max);
        if ((double)n < f->min) return refuse(c, "should have at least %.0f entries", f->min);
        for (size_t i = 0; f->of && i < n; i++) {
            snprintf(c->path + len, sizeof c->path - len, "[%zu]", i);
            int rc = check_value(c, f->of, json_array_get(v, i));
            if (rc) return rc;
        }
        c->path[len] = 0;
        return 0;
    }
    default: return 0;
    }
}

/* The name of what is not declared, as far as it can be shown. */
static int refuse_name(struct check *c, const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (name[n] || n > 40) return refuse(c, "holds a field that is not known here");
    return refuse(c, "the field \"%s\" is not known here", name);
}

static const struct field *field_named(const struct field *fields, const char *name)
{
    for (const struct field *f = fields; f && f->name; f++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

static int check_object(struct check *c, const struct field *fields, json_t *doc)
{
    size_t len = strlen(c->path);
    const char *name;
    json_t *v;
    int rc = 0;
    if (!c->loose)
        json_object_foreach(doc, name, v) if (!field_named(fields, name)) return refuse_name(c,
                                                                                             name);
    for (const struct field *f = fields; !rc && f && f->name; f++) {
        snprintf(c->path + len, sizeof c->path - len, "%s%s", len ? "." : "", f->name);
        v = json_object_get(doc, f->name);
        if (!v) {
            if (f->flags & FIELD_REQUIRED) rc = refuse(c, "is required");
            continue;
        }
        if (c->texts && json_is_string(v)) {
            json_t *made = from_text(f, json_string_value(v), json_string_length(v));
            if (made && json_object_set_new(doc, f->name, made)) return err_nomem(c->err);
            if (made) v = made;
        }
        rc = check_value(c, f, v);
    }
    if (!rc) c->path[len] = 0;
    return rc;
}

int fields_check(const struct field *fields, json_t *doc, bool texts, bool loose, struct err *err)
{
    struct check c = { .texts = texts, .loose = loose, .err = err };
    return check_object(&c, fields, doc);
}
