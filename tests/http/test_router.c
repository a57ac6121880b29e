/* The router by itself: tables that are refused, paths that lead somewhere and nowhere. And the
 * tables of the product: is each route whole? */
#include "check.h"
#include "http/inside.h"

static struct err err;

static int nothing(struct call *c, struct err *e) { return 0; }
#define ROUTE(m, p, nm)                                                                            \
    {                                                                                              \
        m, p, ACCESS_ANYONE, 0, .status = 200, .run = nothing, .name = nm, .summary = nm           \
    }

static struct router *open_table(const struct route *t)
{
    const struct route *const tables[] = { t, NULL };
    struct router *r;
    check_ok(router_open(tables, &r, &err), err);
    return r;
}

static void refuses(const struct route *t, const char *says)
{
    const struct route *const tables[] = { t, NULL };
    struct router *r;
    check_int(router_open(tables, &r, &err), ERR_INVAL);
    assert_null(r);
    check_has(err.msg, says);
}

static void leads(const struct router *r, const char *method, const char *path, const char *name)
{
    struct place p;
    check_ok(router_find(r, method, path, &p, &err), err);
    const char *got = p.route ? p.route->name : p.allow[0] ? p.allow : "";
    if (strcmp(got, name)) fail_msg("%s %s: got \"%s\", want \"%s\"", method, path, got, name);
}

static void finds(void **state)
{
    static const struct route t[] = {
        ROUTE("GET", "/", "root"),
        ROUTE("GET", "/api", "api"),
        ROUTE("POST", "/api", "post"),
        ROUTE("GET", "/api/personas/{persona}", "persona"),
        ROUTE("GET", "/api/personas/import", "import"),
        ROUTE("GET", "/api/personas/{persona}/sources/{id}", "source"),
        ROUTE("DELETE", "/api/personas/{persona}/sources/{id}", "drop"),
        ROUTE("GET", "/m/{model}", "model"),
        ROUTE("PUT", "/m/{model}/x", "inner"),
        ROUTE("PATCH", "/m/{model}/x", "patch"),
        ROUTE_END,
    };
    struct router *r = open_table(t);
    check_int(router_count(r), 10);
    leads(r, "GET", "/", "root");
    leads(r, "GET", "/api", "api");
    leads(r, "HEAD", "/api", "api");
    leads(r, "GET", "/api/", "api");
    leads(r, "GET", "/%61pi", "api");
    leads(r, "POST", "/api/", "post");
    leads(r, "PUT", "/api", "GET, POST, HEAD");
    leads(r, "OPTIONS", "/m/x/x", "PUT, PATCH");
    leads(r, "get", "/api", "GET, POST, HEAD");
    leads(r, "GET", "/API", "");
    leads(r, "GET", "/api//", "");
    leads(r, "GET", "//api", "");
    leads(r, "GET", "/ap", "");
    leads(r, "GET", "/apis", "");
    leads(r, "GET", "/api/personas", "");
    leads(r, "GET", "/api/personas/import", "import");
    leads(r, "GET", "/api/personas/imports", "");
    leads(r, "GET", "/m/", "");
    leads(r, "GET", "HTTP://host/m/a", "model");
    leads(r, "GET", "https://host", "root");
    struct place p;
    check_ok(router_find(r, "GET", "/api/personas/000102030405060708090a0b0c0d0e0F/sources/42", &p,
                         &err),
             err);
    check_str(p.route->name, "source");
    check_int(p.id, 42);
    for (int i = 0; i < VAULT_UID; i++) check_int(p.persona[i], i);
    leads(r, "GET", "/api/personas/000102030405060708090a0b0c0d0e0F/sources/-4", "");
    leads(r, "GET", "/api/personas/000102030405060708090a0b0c0d0e0F/sources/4x", "");
    leads(r, "GET", "/api/personas/000102030405060708090a0b0c0d0e0/sources/4", "");
    leads(r, "GET", "/api/personas/000102030405060708090a0b0c0d0e0g/sources/4", "");
    check_ok(router_find(r, "GET", "/m/a%2Eb%C3%A9%25", &p, &err), err);
    check_str(p.word, "a.bé%");
    router_close(r);
}

static void tricks(void **state)
{
    static const struct route t[] = { ROUTE("GET", "/f/{name}", "file"), ROUTE_END };
    static const char *const bad[] = {
        "/f/%2e%2e", "/f/..",      "/f/.",         "/f/%2E", "/f/a%2fb",
        "/f/a%2Fb",  "/f/a%5Cb",   "/f/a\\b",      "/f/%00", "/f/a%0d%0aX",
        "/f/a%7f",   "/f/%c0%af",  "/f/%ed%a0%80", "/f/%",   "/f/%1",
        "/f/%zz",    "/f/a%u002e", "f/x",          "../f/x", "/../f/x",
        "*",         "",           "ftp://h/f/x",
    };
    struct router *r = open_table(t);
    struct place p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (router_find(r, "GET", bad[i], &p, &err) != ERR_INVAL)
            fail_msg("%s: is taken, as \"%s\"", bad[i], p.word);
    char path[600] = "/f/";
    memset(path + 3, 'x', 255);
    check_ok(router_find(r, "GET", path, &p, &err), err);
    check_int(strlen(p.word), 255);
    path[3 + 255] = 'x';
    check_int(router_find(r, "GET", path, &p, &err), ERR_INVAL);
    router_close(r);
}

static void tables_that_cannot_be(void **state)
{
    static const struct route twice[] = { ROUTE("GET", "/a/{id}", "a"),
                                          ROUTE("GET", "/a/{id}", "b"), ROUTE_END };
    static const struct route names[] = { ROUTE("GET", "/a/{id}", "a"),
                                          ROUTE("PUT", "/a/{name}", "b"), ROUTE_END };
    static const struct route method[] = { ROUTE("BREW", "/a", "a"), ROUTE_END };
    static const struct route path[] = { ROUTE("GET", "a", "a"), ROUTE_END };
    refuses(twice, "is a already");
    refuses(names, "in one place");
    refuses(method, "no method");
    refuses(path, "no method or path");
}

/* ---- the product's own tables ---- */
static void field_is_whole(const struct route *r, const struct field *f, bool named, bool help)
{
    if (named && (!f->name || !f->name[0])) fail_msg("%s: a field without a name", r->name);
    const char *name = f->name ? f->name : "an entry";
    if (f->type <= FIELD_NONE || f->type > FIELD_ANY) fail_msg("%s: %s: no type", r->name, name);
    if (named && help && f->type != FIELD_OBJECT && (!f->help || !f->help[0]))
        fail_msg("%s: %s: no help", r->name, name);
    if (f->max < f->min && f->max != 0) fail_msg("%s: %s: max < min", r->name, name);
    if ((f->type == FIELD_WORD) != (f->words != NULL))
        fail_msg("%s: %s: words are for FIELD_WORD", r->name, name);
    if (f->of && f->type != FIELD_OBJECT && f->type != FIELD_LIST)
        fail_msg("%s: %s: holds no others", r->name, name);
    if (f->of && f->type == FIELD_LIST) field_is_whole(r, f->of, false, help);
    for (const struct field *g = f->type == FIELD_OBJECT ? f->of : NULL; g && g->name; g++)
        field_is_whole(r, g, true, help);
}

static void fields_are_whole(const struct route *r, const struct field *list, bool help)
{
    for (const struct field *f = list; f && f->name; f++) {
        field_is_whole(r, f, true, help);
        for (const struct field *g = list; g != f; g++)
            if (!strcmp(f->name, g->name)) fail_msg("%s: %s stands twice", r->name, f->name);
    }
}

static void route_is_whole(const struct route *r)
{
    assert_non_null(r->name);
    assert_non_null(r->summary);
    if (!strchr(r->name, '.')) fail_msg("%s %s: no name", r->method, r->path);
    if (strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(r->name))
        fail_msg("%s: not a plain name", r->name);
    if (!r->summary[0]) fail_msg("%s: no summary", r->name);
    size_t n = strlen(r->summary);
    if (strchr(r->summary, '\n') || r->summary[n - 1] == '.' || n > 100)
        fail_msg("%s: a summary is one short line without a full stop", r->name);
    if (!r->run) fail_msg("%s: no handler", r->name);
    if (r->status < 200 || r->status > 299) fail_msg("%s: status %d", r->name, r->status);
    n = strlen(r->path);
    if (n > 1 && r->path[n - 1] == '/') fail_msg("%s: ends with a slash", r->name);
    bool persona = strstr(r->path, "{persona}");
    if (r->access >= ACCESS_CHAT && !persona) fail_msg("%s: rights on no persona", r->name);
    if (persona && r->access < ACCESS_CHAT && r->access != ACCESS_ACCOUNT)
        fail_msg("%s: a persona for anybody", r->name);
    if (persona && strcmp(r->method, "GET") && !(r->flags & ROUTE_AUDIT))
        fail_msg("%s: a change that is not in the audit log", r->name);
    if (!strcmp(r->method, "GET") && r->body && !(r->flags & ROUTE_SOCKET))
        fail_msg("%s: a GET with a body", r->name);
    fields_are_whole(r, r->query, true);
    fields_are_whole(r, r->body, true);
    fields_are_whole(r, r->reply, false);
}

static void product(void **state)
{
    struct router *r;
    check_ok(router_open(route_tables, &r, &err), err);
    size_t n = router_count(r);
    assert_true(n >= 5);
    for (size_t i = 0; i < n; i++) {
        const struct route *a = router_at(r, i);
        route_is_whole(a);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(a->name, router_at(r, k)->name)) fail_msg("%s stands twice", a->name);
    }
    router_close(r);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(tricks),
        cmocka_unit_test(tables_that_cannot_be),
        cmocka_unit_test(product),
    };
    return check_run("http/router", t);
}
