/* /openapi.json: OpenAPI 3.1 out of the route tables.
 *
 * Whatever the router and the checks use is told here from the same declaration: paths and their
 * parameters, fields of queries, bodies and replies with their bounds, rights, and the errors that
 * each of these can end in. Bounds of texts count bytes; maxLength counts characters, of which
 * there are never more.
 *
 * A document is built with jansson; `failed` is set when memory runs out, and looked at once. */
#include "base/str.h"
#include "http/inside.h"

#include <stdlib.h>
#include <string.h>

enum { ERRORS = 8 };
static const struct {
    int status;
    const char *what;
} errors[ERRORS] = {
    { 400, "The request is not as it should be: the message names the field" },
    { 401, "No token, or one that is not valid (any more)" },
    { 403, "One may not do this" },
    { 404, "There is no such thing, or it is not yours to see" },
    { 413, "The body is too large" },
    { 415, "The body is of a type that is not taken" },
    { 429, "Too many requests: see Retry-After" },
    { 503, "The server has too much to do, or stops: see Retry-After" },
};

struct doc {
    bool failed;
    bool used[ERRORS][2]; /* of errors: by a route of ours, by one of OpenAI's */
};

static json_t *put(struct doc *d, json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value)) d->failed = true;
    return json_object_get(object, key);
}

static json_t *object(struct doc *d, json_t *parent, const char *key)
{
    return put(d, parent, key, json_object());
}

static void text(struct doc *d, json_t *o, const char *key, const char *s)
{
    put(d, o, key, json_string(s));
}

static void append(struct doc *d, json_t *list, json_t *value)
{
    if (!value || json_array_append_new(list, value)) d->failed = true;
}

/* ---- schemas ---- */
static const char *type_word(enum field_type t)
{
    switch (t) {
    case FIELD_INT: return "integer";
    case FIELD_NUMBER: return "number";
    case FIELD_BOOL: return "boolean";
    case FIELD_OBJECT: return "object";
    case FIELD_LIST: return "array";
    case FIELD_ANY:
    case FIELD_NONE: return NULL;
    default: return "string";
    }
}

static void number(struct doc *d, json_t *o, const char *key, double v)
{
    bool whole = v == (double)(int64_t)v;
    put(d, o, key, whole ? json_integer((json_int_t)v) : json_real(v));
}

static void bounds(struct doc *d, json_t *o, const struct field *f)
{
    static const char *const least[] = { "minLength", "minItems", "minimum" };
    static const char *const most[] = { "maxLength", "maxItems", "maximum" };
    int i = f->type == FIELD_TEXT ? 0 : f->type == FIELD_LIST ? 1 : 2;
    if (i == 2 && f->type != FIELD_INT && f->type != FIELD_NUMBER) return;
    if (f->min == 0 && f->max == 0) return;
    if (i == 2 || f->min > 0) number(d, o, least[i], i ? f->min : 1);
    if (i == 2 || f->max > 0) number(d, o, most[i], f->max);
}

static void words(struct doc *d, json_t *o, const struct field *f)
{
    json_t *list = put(d, o, "enum", json_array());
    for (const char *w = f->words; *w;) {
        size_t n = strcspn(w, " ");
        append(d, list, json_stringn(w, n));
        w += n;
        w += strspn(w, " ");
    }
    if (f->flags & FIELD_NULL) append(d, list, json_null());
}

static void fill_object(struct doc *d, json_t *o, const struct field *fields, bool closed);

static void fill(struct doc *d, json_t *o, const struct field *f, bool closed)
{
    const char *type = type_word(f->type);
    if (type && f->flags & FIELD_NULL) put(d, o, "type", json_pack("[s,s]", type, "null"));
    else if (type) text(d, o, "type", type);
    if (f->help) text(d, o, "description", f->help);
    bounds(d, o, f);
    switch (f->type) {
    case FIELD_TIME: text(d, o, "format", "date-time"); break;
    case FIELD_UID: text(d, o, "pattern", "^[0-9a-fA-F]{32}$"); break;
    case FIELD_WORD: words(d, o, f); break;
    case FIELD_OBJECT:
        if (f->of) fill_object(d, o, f->of, closed);
        break;
    case FIELD_LIST:
        if (f->of) fill(d, object(d, o, "items"), f->of, closed);
        else object(d, o, "items");
        break;
    default: break;
    }
}

static void fill_object(struct doc *d, json_t *o, const struct field *fields, bool closed)
{
    text(d, o, "type", "object");
    json_t *properties = object(d, o, "properties"), *required = json_array();
    for (const struct field *f = fields; f && f->name; f++) {
        fill(d, object(d, properties, f->name), f, closed);
        if (f->flags & FIELD_REQUIRED) append(d, required, json_string(f->name));
    }
    if (json_array_size(required)) put(d, o, "required", required);
    else json_decref(required);
    if (closed) put(d, o, "additionalProperties", json_false());
}

/* ---- operations ---- */
static void path_parameters(struct doc *d, json_t *list, const char *path)
{
    for (const char *p = path; (p = strchr(p, '{')); p++) {
        size_t n = strcspn(p + 1, "}");
        struct span name = { p + 1, n };
        json_t *o = json_object(), *schema;
        put(d, o, "name", json_stringn(p + 1, n));
        text(d, o, "in", "path");
        put(d, o, "required", json_true());
        schema = object(d, o, "schema");
        if (span_eq(name, "persona")) {
            text(d, o, "description", "Which persona: its uid");
            text(d, schema, "type", "string");
            text(d, schema, "pattern", "^[0-9a-fA-F]{32}$");
        } else if (span_eq(name, "id")) {
            text(d, schema, "type", "integer");
            put(d, schema, "minimum", json_integer(0));
        } else text(d, schema, "type", "string");
        append(d, list, o);
    }
}

static void query_parameters(struct doc *d, json_t *list, const struct field *fields)
{
    for (const struct field *f = fields; f && f->name; f++) {
        json_t *o = json_object();
        text(d, o, "name", f->name);
        text(d, o, "in", "query");
        if (f->flags & FIELD_REQUIRED) put(d, o, "required", json_true());
        if (f->help) text(d, o, "description", f->help);
        fill(d, object(d, o, "schema"), f, false);
        append(d, list, o);
    }
}

static void body(struct doc *d, json_t *op, const struct route *r)
{
    bool closed = !(r->flags & ROUTE_LOOSE);
    if (r->flags & ROUTE_SOCKET || (!r->body && !(r->flags & ROUTE_UPLOAD))) return;
    json_t *b = object(d, op, "requestBody"), *content = object(d, b, "content"), *schema;
    bool needed = r->flags & ROUTE_UPLOAD;
    for (const struct field *f = r->body; f && f->name; f++)
        if (f->flags & FIELD_REQUIRED) needed = true;
    put(d, b, "required", json_boolean(needed));
    if (r->flags & ROUTE_UPLOAD) {
        schema = object(d, object(d, content, "multipart/form-data"), "schema");
        fill_object(d, schema, r->body, closed);
        put(d, json_object_get(schema, "properties"), "file",
            json_pack("{s:s,s:{s:s,s:s},s:s}", "type", "array", "items", "type", "string",
                      "contentMediaType", "application/octet-stream", "description",
                      "the files, any number"));
        object(d, content, "application/octet-stream"); /* one file as it is */
        return;
    }
    fill_object(d, object(d, object(d, content, "application/json"), "schema"), r->body, closed);
    if (r->flags & ROUTE_FORM)
        fill_object(d, object(d, object(d, content, "application/x-www-form-urlencoded"), "schema"),
                    r->body, closed);
}

static void error(struct doc *d, json_t *responses, const struct route *r, int status)
{
    char code[8], ref[64];
    for (int i = 0; i < ERRORS; i++)
        if (errors[i].status == status) d->used[i][!!(r->flags & ROUTE_OPENAI)] = true;
    snprintf(code, sizeof code, "%d", status);
    snprintf(ref, sizeof ref, "#/components/responses/%s%d",
             r->flags & ROUTE_OPENAI ? "OpenAI" : "Error", status);
    put(d, responses, code, json_pack("{s:s}", "$ref", ref));
}

static void responses(struct doc *d, json_t *op, const struct route *r)
{
    char code[8];
    bool socket = r->flags & ROUTE_SOCKET;
    snprintf(code, sizeof code, "%d", socket ? 101 : r->status);
    json_t *all = object(d, op, "responses"), *ok = object(d, all, code);
    text(d, ok, "description", socket ? "The connection becomes a WebSocket" : r->summary);
    if (r->reply && !socket) {
        json_t *content = object(d, ok, "content");
        fill_object(d, object(d, object(d, content, "application/json"), "schema"), r->reply,
                    false);
    }
    bool takes = r->body || r->query || r->flags & ROUTE_UPLOAD || strchr(r->path, '{');
    if (takes) error(d, all, r, 400);
    if (r->access != ACCESS_ANYONE || r->flags & ROUTE_LOGIN) error(d, all, r, 401);
    if (r->access > ACCESS_ACCOUNT || !(r->flags & ROUTE_KEYS)) error(d, all, r, 403);
    if (strchr(r->path, '{')) error(d, all, r, 404);
    if (r->body || r->flags & ROUTE_UPLOAD) {
        error(d, all, r, 413);
        error(d, all, r, 415);
    }
    if (!(r->flags & ROUTE_UNLIMITED)) error(d, all, r, 429);
    error(d, all, r, 503);
}

static void security(struct doc *d, json_t *op, const struct route *r)
{
    json_t *list = put(d, op, "security", json_array());
    if (r->access == ACCESS_ANYONE) return;
    append(d, list, json_pack("{s:[]}", "token"));
    append(d, list, json_pack("{s:[]}", "password"));
    if (r->flags & ROUTE_KEYS) append(d, list, json_pack("{s:[]}", "key"));
}

static size_t tag_length(const struct route *r) { return strcspn(r->name, "."); }

static void operation(struct doc *d, json_t *paths, const struct route *r)
{
    static const char *const access[] = { "anyone", "account", "chat", "read", "manage", "owner" };
    char method[8] = "", id[64];
    json_t *path = json_object_get(paths, r->path);
    if (!path) path = object(d, paths, r->path);
    for (size_t i = 0; i < sizeof method - 1 && r->method[i]; i++) {
        method[i] = (char)(r->method[i] | 32);
        method[i + 1] = 0;
    }
    json_t *op = object(d, path, method);
    snprintf(id, sizeof id, "%s", r->name);
    for (char *p = id; (p = strpbrk(p, ".-"));) *p = '_';
    text(d, op, "operationId", id);
    text(d, op, "summary", r->summary);
    if (r->about) text(d, op, "description", r->about);
    json_t *tags = put(d, op, "tags", json_array());
    append(d, tags, json_stringn(r->name, tag_length(r)));
    text(d, op, "x-access", access[r->access]);
    security(d, op, r);
    json_t *parameters = json_array();
    path_parameters(d, parameters, r->path);
    query_parameters(d, parameters, r->query);
    if (json_array_size(parameters)) put(d, op, "parameters", parameters);
    else json_decref(parameters);
    if (r->flags & ROUTE_SOCKET && r->body)
        fill_object(d, object(d, op, "x-message"), r->body, !(r->flags & ROUTE_LOOSE));
    body(d, op, r);
    responses(d, op, r);
}

/* ---- what all share ---- */
#define X(name, code, text) #name " "
static const char CODES[] = ERR_LIST(X);
#undef X
static const struct field ERROR_IS[] = {
    { "code", FIELD_WORD, FIELD_REQUIRED, 0, 0, "what kind of error", NULL, CODES },
    { "message", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "a sentence for people", NULL, NULL },
    FIELD_END
};
static const struct field ERROR[] = {
    { "error", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, NULL, ERROR_IS, NULL }, FIELD_END
};
static const struct field OPENAI_IS[] = {
    { "message", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "a sentence for people", NULL, NULL },
    { "type", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what kind of error, in OpenAI's words", NULL,
      NULL },
    { "param", FIELD_TEXT, FIELD_NULL, 0, 0, "not used", NULL, NULL },
    { "code", FIELD_TEXT, FIELD_REQUIRED | FIELD_NULL, 0, 0, "what kind of error, in ours", NULL,
      NULL },
    FIELD_END
};
static const struct field OPENAI[] = {
    { "error", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, NULL, OPENAI_IS, NULL }, FIELD_END
};
static void components(struct doc *d, json_t *root)
{
    json_t *c = object(d, root, "components");
    json_t *schemas = object(d, c, "schemas"), *r = object(d, c, "responses");
    fill_object(d, object(d, schemas, "Error"), ERROR, false);
    fill_object(d, object(d, schemas, "OpenAIError"), OPENAI, false);
    for (int i = 0; i < 2 * ERRORS; i++) {
        char name[32];
        if (!d->used[i / 2][i % 2]) continue;
        const char *kind = i % 2 ? "OpenAI" : "Error";
        snprintf(name, sizeof name, "%s%d", kind, errors[i / 2].status);
        put(d, r, name,
            json_pack("{s:s,s:{s:{s:{s:s}}}}", "description", errors[i / 2].what, "content",
                      "application/json", "schema", "$ref",
                      i % 2 ? "#/components/schemas/OpenAIError" : "#/components/schemas/Error"));
    }
    json_t *s = object(d, c, "securitySchemes");
    put(d, s, "token",
        json_pack("{s:s,s:s,s:s,s:s}", "type", "http", "scheme", "bearer", "bearerFormat", "JWT",
                  "description", "An access token from /api/token, good for a quarter of an hour"));
    put(d, s, "key",
        json_pack("{s:s,s:s,s:s}", "type", "http", "scheme", "bearer", "description",
                  "A program's key (lk-...)"));
    put(d, s, "password",
        json_pack("{s:s,s:{s:{s:s,s:s,s:{}}}}", "type", "oauth2", "flows", "password", "tokenUrl",
                  "/api/token/", "refreshUrl", "/api/token/refresh/", "scopes"));
}

static void add_tag(struct doc *d, json_t *tags, const struct route *r)
{
    static const struct {
        const char *tag, *what;
    } known[] = {
        { "server", "The server itself" },
        { "account", "Accounts, logins, sessions, keys of programs" },
        { "text", "The interface of earlier systems, on the account's default persona" },
        { "persona", "Personas, asking them, and what they are made of" },
        { "source", "The texts of a persona" },
        { "conversation", "Conversations that are kept" },
        { "share", "Who else may use a persona" },
        { "job", "Long work" },
        { "openai", "What OpenAI's clients speak" },
    };
    size_t n = tag_length(r), i;
    json_t *t;
    json_array_foreach(tags, i, t)
    {
        const char *s = json_string_value(json_object_get(t, "name"));
        if (s && strlen(s) == n && !memcmp(s, r->name, n)) return;
    }
    t = json_object();
    put(d, t, "name", json_stringn(r->name, n));
    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].tag) == n && !memcmp(known[i].tag, r->name, n))
            text(d, t, "description", known[i].what);
    append(d, tags, t);
}

int openapi_make(struct buf *out, struct err *err)
{
    struct doc d = { 0 };
    json_t *root = json_object();
    if (!root) return err_nomem(err);
    text(&d, root, "openapi", "3.1.0");
    put(&d, root, "info",
        json_pack("{s:s,s:s,s:s,s:{s:s,s:s}}", "title", "Likeness", "version", "1", "description",
                  "A private persona engine. Every path also works with a slash at its end.",
                  "license", "name", "MIT", "identifier", "MIT"));
    put(&d, root, "servers", json_pack("[{s:s}]", "url", "/"));
    json_t *tags = put(&d, root, "tags", json_array());
    json_t *paths = object(&d, root, "paths");
    for (size_t t = 0; route_tables[t]; t++)
        for (const struct route *r = route_tables[t]; r->method; r++) {
            add_tag(&d, tags, r);
            operation(&d, paths, r);
        }
    components(&d, root);
    int rc = d.failed ? err_nomem(err) : json_into(out, root, err);
    json_decref(root);
    return rc;
}
