/* docs/API.md out of the route tables: what /openapi.json says, for people. Lines are at most 120
 * characters long; a cell of a table that is longer goes on in the next row. */
#include "base/str.h"
#include "http/inside.h"

#include <string.h>

enum { WIDTH = 118 };

/* A paragraph, wrapped. */
static void wrapped(struct buf *b, const char *s)
{
    size_t column = 0;
    for (const char *w = s; *w;) {
        if (*w == '\n') { /* Markdown of the route's own: kept */
            buf_addc(b, '\n');
            column = 0;
            w++;
            continue;
        }
        size_t n = strcspn(w, " \n");
        if (column && column + 1 + n > WIDTH) {
            buf_addc(b, '\n');
            column = 0;
        }
        if (column) buf_addc(b, ' ');
        buf_add(b, w, n);
        column += n + (column > 0);
        w += n;
        w += strspn(w, " ");
    }
    buf_adds(b, "\n\n");
}

static void say_type(struct buf *b, const struct field *f, bool reply)
{
    static const char *const words[] = {
        [FIELD_NONE] = "",         [FIELD_TEXT] = "text",          [FIELD_INT] = "whole number",
        [FIELD_NUMBER] = "number", [FIELD_BOOL] = "true or false", [FIELD_TIME] = "time",
        [FIELD_UID] = "uid",       [FIELD_WORD] = "word",          [FIELD_OBJECT] = "object",
        [FIELD_LIST] = "list",     [FIELD_ANY] = "anything"
    };
    bool counts = f->type == FIELD_TEXT || f->type == FIELD_LIST;
    buf_adds(b, words[f->type]);
    if (counts && f->max > 0)
        buf_printf(b, ", at most %.0f %s", f->max, f->type == FIELD_TEXT ? "bytes" : "entries");
    else if (!counts && (f->min != 0 || f->max != 0) && f->max < 1e15)
        buf_printf(b, ", %.9g to %.9g", f->min, f->max);
    if (f->flags & FIELD_NULL) buf_adds(b, " or null");
    if (!reply && f->flags & FIELD_REQUIRED) buf_adds(b, ", required");
    if (reply && !(f->flags & FIELD_REQUIRED)) buf_adds(b, ", not always");
}

/* A row, its last cell going on below when the line would be too long. */
static void row(struct buf *b, const char *name, const char *type, const char *help)
{
    size_t used = strlen(name) + strlen(type) + 12, room = used + 30 < WIDTH ? WIDTH - used : 30;
    bool first = true;
    do {
        size_t n = strlen(help);
        if (n > room) {
            n = room;
            while (n > 0 && help[n] != ' ') n--;
            if (!n) n = strcspn(help, " ");
        }
        if (first) buf_printf(b, "| `%s` | %s | %.*s |\n", name, type, (int)n, help);
        else buf_printf(b, "| | | %.*s |\n", (int)n, help);
        help += n;
        help += strspn(help, " ");
        if (first) room = WIDTH - 9;
        first = false;
    } while (*help);
}

static void fields(struct buf *b, const struct field *list, const char *prefix, bool reply)
{
    for (const struct field *f = list; f && f->name; f++) {
        struct buf name = BUF_INIT(1024), type = BUF_INIT(1024), help = BUF_INIT(4096);
        buf_printf(&name, "%s%s", prefix, f->name);
        say_type(&type, f, reply);
        buf_adds(&help, f->help ? f->help : "");
        if (f->words) buf_printf(&help, "%sone of: %s", help.n ? "; " : "", f->words);
        row(b, buf_str(&name), buf_str(&type), buf_str(&help));
        const struct field *inner = f;
        while (inner->type == FIELD_LIST && inner->of) {
            buf_adds(&name, "[]");
            inner = inner->of;
        }
        if (inner->type == FIELD_OBJECT && inner->of) {
            buf_addc(&name, '.');
            fields(b, inner->of, buf_str(&name), reply);
        }
        buf_free(&name);
        buf_free(&type);
        buf_free(&help);
    }
}

static void table(struct buf *b, const char *what, const struct field *list, bool reply)
{
    if (!list || !list->name) return;
    buf_printf(b, "%s\n\n| Field | Type | Meaning |\n|---|---|---|\n", what);
    fields(b, list, "", reply);
    buf_addc(b, '\n');
}

static const char *access_words(const struct route *r)
{
    switch (r->access) {
    case ACCESS_ANYONE: return "Anybody";
    case ACCESS_ACCOUNT: return "Anybody with an account";
    case ACCESS_CHAT: return "Whoever may chat with the persona";
    case ACCESS_READ: return "Whoever may read the persona";
    case ACCESS_MANAGE: return "Whoever may manage the persona";
    default: return "The persona's owner";
    }
}

static void operation(struct buf *b, const struct route *r)
{
    buf_printf(b, "### %s %s\n\n", r->method, r->path);
    struct buf line = BUF_INIT(16384);
    buf_printf(&line, "%s. ", r->summary);
    if (r->about) buf_printf(&line, "%s", r->about);
    wrapped(b, buf_str(&line));
    buf_clear(&line);
    buf_printf(&line, "%s%s; %s%d%s%s%s.", access_words(r),
               r->access == ACCESS_ANYONE ? ""
               : r->flags & ROUTE_KEYS    ? ", by access token or program's key"
                                          : ", by access token",
               r->flags & ROUTE_SOCKET ? "a WebSocket, status " : "status ",
               r->flags & ROUTE_SOCKET ? 101 : r->status,
               r->flags & ROUTE_FORM ? "; a form is taken as well as JSON" : "",
               r->flags & ROUTE_UPLOAD ? "; multipart/form-data with the files" : "",
               r->flags & ROUTE_AUDIT ? "; goes to the audit log" : "");
    wrapped(b, buf_str(&line));
    buf_free(&line);
    table(b, "Query:", r->query, false);
    table(b, r->flags & ROUTE_SOCKET ? "Each message:" : "Body:", r->body, false);
    table(b, "Reply:", r->reply, true);
}

static const char intro[] =
    "This page is made from the route tables (`src/http/routes*.c`) that the server runs by;\n"
    "`/openapi.json` says the same to programs. Every path also works with a slash at its end.\n"
    "\n"
    "Requests and replies are JSON in UTF-8. Who needs to be known sends\n"
    "`Authorization: Bearer TOKEN`, where TOKEN is an access token from `POST /api/token` or, "
    "where\n"
    "that is said, a program's key. Fields that are not listed are refused. Times are ISO 8601.\n"
    "Long work answers with status 202, `{\"job\": {...}}`, and `Location: /api/jobs/N`.\n"
    "\n"
    "An error is `{\"error\": {\"code\": \"NOTFOUND\", \"message\": \"...\"}}`; below `/v1` it has "
    "the\n"
    "form that OpenAI's clients know. Every reply has `X-Request-Id`, which the log has, too.\n"
    "\n"
    "| Status | Means |\n"
    "|---|---|\n"
    "| 400 | the request is not as it should be; the message names the field |\n"
    "| 401 | no token, or one that is not valid any more |\n"
    "| 403 | one may see the persona, but not do this; or consent is missing |\n"
    "| 404 | there is no such thing, or it is not yours to see |\n"
    "| 405 | the page does not take that method; `Allow` has those it takes |\n"
    "| 409 | it exists already |\n"
    "| 413, 415 | the body is too large, or of a type that is not taken |\n"
    "| 429 | too many requests; `Retry-After` has the seconds to wait |\n"
    "| 502 | another server that was asked (a remote model) is away, or refuses |\n"
    "| 503 | the server has too much to do, or stops; `Retry-After` |\n"
    "| 507 | the server's disk is full: nothing was changed, reading still works |\n"
    "\n";

int apidoc_make(struct buf *out, struct err *err)
{
    buf_adds(out, "# The HTTP interface\n\n");
    buf_adds(out, intro);
    for (size_t t = 0; route_tables[t]; t++) {
        const struct route *r = route_tables[t];
        const char *title = "";
        for (; r->method; r++) {
            size_t n = strcspn(r->name, ".");
            if (strncmp(title, r->name, n) || title[n] != '.')
                buf_printf(out, "## %.*s\n\n", (int)n, r->name);
            title = r->name;
            operation(out, r);
        }
    }
    while (out->n && out->p[out->n - 1] == '\n' && out->n > 1 && out->p[out->n - 2] == '\n')
        out->p[--out->n] = 0;
    return out->failed ? err_nomem(err) : 0;
}
