/* /openapi.json and docs/API.md: each route is there, everything that is pointed at exists, and the
 * page in the repository is the one that the tables make. tests/http/test_openapi.py asks a public
 * linter. */
#include "check.h"
#include "http/inside.h"

#include "base/io.h"

#include <ctype.h>

static struct err err;
static json_t *doc;

static int begin(void **state)
{
    struct buf b = BUF_INIT(0);
    check_ok(openapi_make(&b, &err), err);
    doc = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&b);
    return doc ? 0 : -1;
}

static int end(void **state)
{
    json_decref(doc);
    return 0;
}

/* "#/a/b" in the document. */
static json_t *pointed(const char *ref)
{
    json_t *at = doc;
    if (strncmp(ref, "#/", 2)) return NULL;
    for (const char *p = ref + 2; at && *p;) {
        char name[100];
        size_t n = strcspn(p, "/");
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        at = json_object_get(at, name);
        p += n + (p[n] == '/');
    }
    return at;
}

static void refs_lead_somewhere(json_t *j, int *seen)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_array(j)) json_array_foreach(j, i, v) refs_lead_somewhere(v, seen);
    json_object_foreach(j, key, v)
    {
        if (!strcmp(key, "$ref")) {
            ++*seen;
            if (!pointed(json_string_value(v))) fail_msg("%s leads nowhere", json_string_value(v));
        } else refs_lead_somewhere(v, seen);
    }
}

static void refs(void **state)
{
    int seen = 0;
    refs_lead_somewhere(doc, &seen);
    assert_true(seen > 4);
}

static bool has_parameter(json_t *op, const char *in, const char *name, size_t n)
{
    json_t *p;
    size_t i;
    json_array_foreach(json_object_get(op, "parameters"), i, p)
    {
        const char *got = json_string_value(json_object_get(p, "name"));
        if (!strcmp(json_string_value(json_object_get(p, "in")), in) && strlen(got) == n &&
            !memcmp(got, name, n))
            return true;
    }
    return false;
}

static void route_is_told(const struct route *r)
{
    char method[8] = "";
    for (size_t i = 0; r->method[i]; i++) method[i] = (char)tolower(r->method[i]);
    json_t *op = json_object_get(json_object_get(json_object_get(doc, "paths"), r->path), method);
    if (!op) fail_msg("%s is not told", r->name);
    const char *id = json_string_value(json_object_get(op, "operationId"));
    if (!id || strpbrk(id, ".-") || strlen(id) != strlen(r->name))
        fail_msg("%s: id %s", r->name, id);
    for (const char *p = r->path; (p = strchr(p, '{')); p++)
        if (!has_parameter(op, "path", p + 1, strcspn(p + 1, "}")))
            fail_msg("%s: a path parameter is missing", r->name);
    for (const struct field *f = r->query; f && f->name; f++)
        if (!has_parameter(op, "query", f->name, strlen(f->name)))
            fail_msg("%s: %s is missing", r->name, f->name);
    bool safe = json_array_size(json_object_get(op, "security")) == 0;
    if (safe != (r->access == ACCESS_ANYONE)) fail_msg("%s: security", r->name);
    char code[8];
    snprintf(code, sizeof code, "%d", r->flags & ROUTE_SOCKET ? 101 : r->status);
    if (!json_object_get(json_object_get(op, "responses"), code))
        fail_msg("%s: no %s", r->name, code);
    bool takes = r->body && !(r->flags & ROUTE_SOCKET);
    if (takes && !json_object_get(op, "requestBody")) fail_msg("%s: no body", r->name);
}

static void routes(void **state)
{
    check_str(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
    for (size_t t = 0; route_tables[t]; t++)
        for (const struct route *r = route_tables[t]; r->method; r++) route_is_told(r);
}

static void page(void **state)
{
    struct buf b = BUF_INIT(0);
    check_ok(apidoc_make(&b, &err), err);
    for (size_t t = 0; route_tables[t]; t++)
        for (const struct route *r = route_tables[t]; r->method; r++) {
            char head[256];
            snprintf(head, sizeof head, "\n### %s %s\n", r->method, r->path);
            check_has(buf_str(&b), head);
        }
    for (const char *s = buf_str(&b); *s;) {
        size_t n = strcspn(s, "\n");
        if (n > 120) fail_msg("too long: %.*s", (int)n, s);
        s += n + (s[n] == '\n');
    }
    buf_free(&b);
}

static void page_is_the_latest(void **state)
{
    struct buf made = BUF_INIT(0), there = BUF_INIT(0);
    check_ok(apidoc_make(&made, &err), err);
    check_ok(io_read_file("docs/API.md", 1 << 20, &there, &err), err);
    if (strcmp(buf_str(&made), buf_str(&there)))
        fail_msg("docs/API.md is not what the tables make: %s",
                 "likeness help --api markdown > docs/API.md");
    buf_free(&made);
    buf_free(&there);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(refs, begin, end),
        cmocka_unit_test_setup_teardown(routes, begin, end),
        cmocka_unit_test(page),
        cmocka_unit_test(page_is_the_latest),
    };
    return check_run("http/openapi", t);
}
