/* What comes from the network and is taken apart by our own code: a path with its query, JSON
 * against a route's fields, a form, a media type. The first byte chooses; paths and forms go
 * against every route of the product's tables, since these differ in nothing but their fields. */
#include "http/inside.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct router *router;
static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS" };

static void path(const char *s, size_t n, const char *method)
{
    char *text = malloc(n + 1);
    struct place place;
    struct err err = { 0 };
    if (!text) return;
    memcpy(text, s, n);
    text[n] = 0;
    int rc = router_find(router, method, text, &place, &err);
    if (rc && (place.route || !err.msg[0])) abort();
    if (place.route) {
        if (strchr(place.route->path, '{') == NULL && place.word[0]) abort();
        if (strchr(place.word, '/') || !strcmp(place.word, "..")) abort();
        if (place.id < 0) abort();
    }
    free(text);
}

static void checked(json_t *doc, unsigned which, bool texts)
{
    const struct route *r = router_at(router, which % router_count(router));
    struct err err = { 0 };
    if (fields_check(r->body, doc, texts, r->flags & ROUTE_LOOSE, &err)) {
        if (!err.code || !err.msg[0]) abort();
        return;
    }
    /* What was let through is what the fields say. */
    for (const struct field *f = r->body; f && f->name; f++) {
        const json_t *v = json_object_get(doc, f->name);
        if (!v && f->flags & FIELD_REQUIRED) abort();
        if (!v || (json_is_null(v) && f->flags & FIELD_NULL)) continue;
        if (f->type == FIELD_TEXT && !json_is_string(v)) abort();
        if (f->type == FIELD_INT && !json_is_integer(v)) abort();
        if (f->type == FIELD_OBJECT && !json_is_object(v)) abort();
        if (f->type == FIELD_LIST && !json_is_array(v)) abort();
    }
}

static void body(const char *s, size_t n, unsigned which, bool form)
{
    json_t *doc = NULL;
    struct buf out = BUF_INIT(1 << 20);
    int rc = form ? form_read(s, n, &doc, NULL) : json_read(s, n, &doc, NULL);
    if (!rc != !!doc) abort();
    if (doc) {
        json_into(&out, doc, NULL);
        checked(doc, which, form);
    }
    json_decref(doc);
    buf_free(&out);
}

static void decoded(const char *s, size_t n)
{
    char *text = malloc(n + 1);
    size_t left = n;
    if (!text) return;
    memcpy(text, s, n);
    if (percent_decode(text, &left) && (left > n || memchr(text, 0, left))) abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!router && router_open(route_tables, &router, NULL)) abort();
    if (n < 2) return 0;
    const char *s = (const char *)p + 2;
    switch (p[0] % 4) {
    case 0: path(s, n - 2, methods[p[1] % (sizeof methods / sizeof *methods)]); break;
    case 1: body(s, n - 2, p[1], false); break;
    case 2: body(s, n - 2, p[1], true); break;
    default: decoded(s, n - 2);
    }
    return 0;
}
