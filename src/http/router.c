/* The router: which route does a path belong to?
 *
 * At start the tables are made into a tree of segments. A node has fixed children, sorted, and at
 * most one child that takes any segment, {persona}, {id} or another name. A fixed child is tried
 * first and there is no going back: "/api/personas/{persona}" and "/api/personas/import" may stand
 * side by side, "/a/{x}/c" and "/a/b/d" would hide "/a/b/c", so tables that need going back are
 * refused at start. At a node hang the routes for each method.
 *
 * A path is taken apart as it came and each segment decoded by itself, so that an escaped slash can
 * never make a second segment: %2F and %5C, %00, control characters, "." and "..", broken escapes
 * and broken UTF-8 are refused (RFC 3986, section 6.2.2, says what equals what; a path that could
 * be taken for another by somebody in between is not worth serving). One trailing slash is passed
 * over, empty segments are no path of ours. HEAD is GET. */
#include "base/str.h"
#include "http/inside.h"

#include <stdlib.h>
#include <string.h>

enum { METHODS = 6, SEGMENT = 256 };
static const char *const methods[METHODS] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" };

enum kind { WORD, PERSONA, ID };

struct node {
    const char *text; /* of the segment, borrowed from the table */
    size_t n;
    enum kind kind; /* what {..} this is, if it is */
    struct node **child;
    size_t n_children;
    struct node *any;
    const struct route *route[METHODS]; /* HEAD's place is unused */
    size_t index[METHODS];
};

struct router {
    struct node *root;
    const struct route **all;
    size_t n;
};

static int method_of(const char *m)
{
    for (int i = 0; i < METHODS; i++)
        if (!strcmp(methods[i], m)) return i;
    return -1;
}

static void node_free(struct node *n)
{
    if (!n) return;
    for (size_t i = 0; i < n->n_children; i++) node_free(n->child[i]);
    node_free(n->any);
    free(n->child);
    free(n);
}

static int compare(const struct node *n, const char *s, size_t len)
{
    int c = memcmp(n->text, s, n->n < len ? n->n : len);
    return c ? c : (n->n > len) - (n->n < len);
}

/* The child called s; NULL: there is none, and *place is where it would be put. */
static struct node *child_of(const struct node *n, const char *s, size_t len, size_t *place)
{
    size_t lo = 0, hi = n->n_children;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        struct node *child = n->child[mid];
        int c = compare(child, s, len);
        if (!c) return child;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    *place = lo;
    return NULL;
}

static struct node *node_new(const char *s, size_t n)
{
    struct node *k = calloc(1, sizeof *k);
    if (k) {
        k->text = s;
        k->n = n;
    }
    return k;
}

static struct node *any_child(struct node *at, const char *s, size_t n)
{
    if (!at->any && (at->any = node_new(s, n))) {
        if (n == 9 && !memcmp(s, "{persona}", 9)) at->any->kind = PERSONA;
        if (n == 4 && !memcmp(s, "{id}", 4)) at->any->kind = ID;
    }
    return at->any;
}

static struct node *fixed_child(struct node *at, const char *s, size_t n)
{
    size_t i = 0;
    struct node *k = child_of(at, s, n, &i);
    if (k) return k;
    k = node_new(s, n);
    struct node **more = k ? realloc(at->child, (at->n_children + 1) * sizeof *more) : NULL;
    if (!more) {
        free(k);
        return NULL;
    }
    at->child = more;
    memmove(more + i + 1, more + i, (at->n_children - i) * sizeof *more);
    more[i] = k;
    at->n_children++;
    return k;
}

static int router_add(struct router *r, const struct route *route, struct err *err)
{
    int m = method_of(route->method);
    if (m < 0 || m == METHODS - 1 || route->path[0] != '/')
        return err_set(err, ERR_INVAL, "route %s: no method or path that can be served",
                       route->name);
    struct node *at = r->root;
    for (const char *s = route->path + 1; *s;) {
        size_t n = strcspn(s, "/");
        struct node *next = s[0] == '{' ? any_child(at, s, n) : fixed_child(at, s, n);
        if (!next) return err_nomem(err);
        if (next->n != n || memcmp(next->text, s, n))
            return err_set(err, ERR_INVAL, "route %s: %.*s and %.*s in one place", route->name,
                           (int)n, s, (int)next->n, next->text);
        at = next;
        s += n;
        if (*s == '/') s++;
    }
    if (at->route[m])
        return err_set(err, ERR_INVAL, "route %s: %s %s is %s already", route->name, route->method,
                       route->path, at->route[m]->name);
    const struct route **all = realloc(r->all, (r->n + 1) * sizeof *all);
    if (!all) return err_nomem(err);
    r->all = all;
    at->route[m] = route;
    at->index[m] = r->n;
    all[r->n++] = route;
    return 0;
}

int router_open(const struct route *const *tables, struct router **out, struct err *err)
{
    struct router *r = calloc(1, sizeof *r);
    *out = NULL;
    int rc = r && (r->root = node_new("", 0)) ? 0 : err_nomem(err);
    for (size_t t = 0; !rc && tables[t]; t++)
        for (const struct route *x = tables[t]; !rc && x->method; x++) rc = router_add(r, x, err);
    if (rc) router_close(r);
    else *out = r;
    return rc;
}

void router_close(struct router *r)
{
    if (!r) return;
    node_free(r->root);
    free(r->all);
    free(r);
}

size_t router_count(const struct router *r) { return r->n; }
const struct route *router_at(const struct router *r, size_t i) { return r->all[i]; }

static int hex(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(char *s, size_t *n)
{
    size_t to = 0;
    for (size_t i = 0; i < *n; i++) {
        int c = (unsigned char)s[i];
        if (c == '%') {
            int a = i + 1 < *n ? hex((unsigned char)s[i + 1]) : -1;
            int b = i + 2 < *n ? hex((unsigned char)s[i + 2]) : -1;
            if (a < 0 || b < 0) return false;
            c = a << 4 | b;
            i += 2;
        }
        if (!c) return false;
        s[to++] = (char)c;
    }
    *n = to;
    return utf8_valid(s, to);
}

/* One segment, decoded into out; false when it is none that may be served. */
static bool segment(const char *s, size_t n, char out[SEGMENT], size_t *len)
{
    if (n >= SEGMENT) return false;
    memcpy(out, s, n);
    if (!percent_decode(out, &n)) return false;
    out[n] = 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < 32 || out[i] == 127 || out[i] == '/' || out[i] == '\\')
            return false;
    *len = n;
    return strcmp(out, ".") && strcmp(out, "..");
}

static bool take_any(const struct node *n, const char *s, size_t len, struct place *out)
{
    struct span digits = { s, len };
    switch (n->kind) {
    case PERSONA: /* what is no uid is the name of no persona: 404, like any other stranger's */
        out->has_persona = len == 32 && uid_parse(s, out->persona);
        return out->has_persona;
    case ID: return len && len < 19 && s[0] >= '0' && s[0] <= '9' && str_i64(digits, &out->id);
    default: memcpy(out->word, s, len + 1); return len > 0;
    }
}

static void say_allow(const struct node *at, char *out, size_t cap)
{
    size_t n = 0;
    for (int i = 0; i < METHODS; i++) {
        bool there = at->route[i] || (i == METHODS - 1 && at->route[0]);
        if (there && n < cap)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? ", " : "", methods[i]);
    }
}

/* Of an absolute URI (RFC 9112, section 3.2.2) its path. */
static const char *path_of(const char *p)
{
    if (*p == '/') return p;
    size_t scheme = !strncasecmp(p, "http://", 7) ? 7 : !strncasecmp(p, "https://", 8) ? 8 : 0;
    if (!scheme) return p;
    p += scheme;
    p += strcspn(p, "/");
    return *p ? p : "/";
}

int router_find(const struct router *r, const char *method, const char *path, struct place *out,
                struct err *err)
{
    memset(out, 0, offsetof(struct place, word));
    out->word[0] = 0;
    const struct node *at = r->root;
    const char *p = path_of(path);
    if (*p++ != '/') return err_set(err, ERR_INVAL, "the path of a request begins with a slash");
    char text[SEGMENT];
    while (at && *p) {
        size_t n = strcspn(p, "/"), len, place;
        if (!segment(p, n, text, &len))
            return err_set(err, ERR_INVAL,
                           "the path holds what no path here can: a broken escape, an "
                           "escaped slash, a control character, \"..\", or a very long name");
        const struct node *fixed = child_of(at, text, len, &place), *any = at->any;
        at = fixed ? fixed : any && take_any(any, text, len, out) ? any : NULL;
        p += n;
        if (*p) p++;
    }
    if (!at) return 0;
    int m = method_of(method);
    if (m == METHODS - 1) m = 0;
    if (m >= 0 && at->route[m]) {
        out->route = at->route[m];
        out->index = at->index[m];
    }
    say_allow(at, out->allow, sizeof out->allow);
    return 0;
}
