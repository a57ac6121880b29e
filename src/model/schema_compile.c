/* From a JSON schema to a grammar.
 *
 * A value becomes a node; sequences, choices and repetitions are nodes over nodes; a $ref is a
 * choice of one, filled in when its target is compiled, so schemas may recur. The shortest text of
 * each node follows by iteration from "not known to end"; a schema of which that stays true has no
 * finite document, and one that reaches itself before any byte has no meaning: both are refused.
 *
 * Members stand in the schema's order. Two nodes a member, one for when it would be the first
 * written and one for when it would not, settle where the commas go. */
#include "model/schema_impl.h"

#include "base/str.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 18, NODES_MAX = 20000, DEPTH_MAX = 100 };

struct compiler {
    struct grammar *g;
    struct err *err;
    json_t *root;
    struct map refs; /* json_t * -> node */
    uint32_t any, space, comma, colon, quote;
    int depth;
};

static const uint32_t BAD = UINT32_MAX; /* the error is set */

static bool room(void **p, uint32_t *cap, uint32_t n, size_t size)
{
    if (n < *cap) return true;
    uint32_t want = *cap ? *cap * 2 : 64;
    void *q = realloc(*p, want * size);
    if (!q) return false;
    *p = q;
    *cap = want;
    return true;
}

static uint32_t nomem(struct compiler *c)
{
    err_nomem(c->err);
    return BAD;
}

static uint32_t add_node(struct compiler *c, struct node v)
{
    struct grammar *g = c->g;
    if (g->n >= NODES_MAX) {
        err_set(c->err, ERR_LIMIT, "the schema is too large");
        return BAD;
    }
    if (!room((void **)&g->node, &g->cap, g->n, sizeof *g->node)) return nomem(c);
    g->node[g->n] = v;
    return g->n++;
}

static uint32_t group(struct compiler *c, enum node_kind kind, const uint32_t *kid, uint32_t n)
{
    struct grammar *g = c->g;
    for (uint32_t i = 0; i < n; i++) {
        if (kid[i] == BAD) return BAD;
        if (!room((void **)&g->kid, &g->cap_kid, g->n_kid + i, sizeof *g->kid)) return nomem(c);
        g->kid[g->n_kid + i] = kid[i];
    }
    g->n_kid += n;
    return add_node(c, (struct node){ .kind = kind, .kids = g->n_kid - n, .n_kids = n });
}
#define SEQ(c, ...)                                                                                \
    group(c, NODE_SEQ, (const uint32_t[]){ __VA_ARGS__ },                                          \
          sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
#define ALT(c, ...)                                                                                \
    group(c, NODE_ALT, (const uint32_t[]){ __VA_ARGS__ },                                          \
          sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static uint32_t nothing(struct compiler *c) { return group(c, NODE_SEQ, NULL, 0); }

static uint32_t literal(struct compiler *c, const char *s, size_t n)
{
    uint32_t at = (uint32_t)c->g->bytes.n;
    if (buf_add(&c->g->bytes, s, n)) return nomem(c);
    return add_node(c, (struct node){ .kind = NODE_LIT, .kids = at, .n_kids = (uint32_t)n });
}
static uint32_t word(struct compiler *c, const char *s) { return literal(c, s, strlen(s)); }

static uint32_t repeat(struct compiler *c, uint32_t kid, int32_t min, int32_t max)
{
    uint32_t n = group(c, NODE_REP, &kid, 1);
    if (n == BAD) return BAD;
    c->g->node[n].min = min;
    c->g->node[n].max = max;
    return n;
}

static uint32_t string_node(struct compiler *c, int32_t min, int32_t max)
{
    uint32_t body = add_node(c, (struct node){ .kind = NODE_CHARS, .min = min, .max = max });
    return SEQ(c, c->quote, body, c->quote);
}

static uint32_t number_node(struct compiler *c, bool integer, int64_t lo, int64_t hi)
{
    struct node v = { .kind = NODE_NUM, .integer = integer, .lo = lo, .hi = hi };
    return add_node(c, v);
}
#define INTEGER_MOST ((int64_t)999999999999999)
#define NUMBER_MOST  ((int64_t)999999999999999999) /* of 10^-6 */

static uint32_t array_node(struct compiler *c, uint32_t item, int32_t min, int32_t max)
{
    uint32_t open = word(c, "["), close = word(c, "]");
    if (max == 0) return SEQ(c, open, close);
    uint32_t more =
        repeat(c, SEQ(c, c->comma, item), min > 0 ? min - 1 : 0, max < 0 ? -1 : max - 1);
    uint32_t some = SEQ(c, item, more);
    return SEQ(c, open, min > 0 ? some : ALT(c, some, nothing(c)), close);
}

/* Members beyond those of the schema; set: names that are taken; first: none stands before. */
static uint32_t extra_node(struct compiler *c, uint32_t value, uint32_t set, bool first)
{
    const uint32_t kid[] = { c->comma, c->quote, c->colon, value };
    uint32_t n = group(c, NODE_EXTRA, kid, 4);
    if (n == BAD) return BAD;
    c->g->node[n].set = set;
    c->g->node[n].max = first;
    uint32_t key = add_node(c, (struct node){ .kind = NODE_KEY, .kids = n });
    if (key == BAD) return BAD;
    c->g->node[n].lo = key; /* where its names are written */
    return n;
}

/* Any JSON value, made once. It refers to itself, so the choice comes first and is filled in. */
static uint32_t any_node(struct compiler *c)
{
    if (c->any) return c->any;
    uint32_t self = group(c, NODE_ALT, (const uint32_t[7]){ 0 }, 7);
    if (self == BAD) return BAD;
    c->any = self;
    uint32_t extra = extra_node(c, self, 0, true);
    const uint32_t kid[] = { string_node(c, 0, -1),
                             number_node(c, false, -NUMBER_MOST, NUMBER_MOST),
                             SEQ(c, word(c, "{"), extra, word(c, "}")),
                             array_node(c, self, 0, -1),
                             word(c, "true"),
                             word(c, "false"),
                             word(c, "null") };
    for (int i = 0; i < 7; i++) {
        if (kid[i] == BAD) return BAD;
        c->g->kid[c->g->node[self].kids + (uint32_t)i] = kid[i];
    }
    return self;
}

static uint32_t refuse(struct compiler *c, const char *fmt, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%.40s", what);
    utf8_valid(name, strlen(name)) ? (void)0 : (void)strcpy(name, "?");
    for (char *p = name; *p; p++)
        if ((unsigned char)*p < 32) *p = '?';
    char msg[200];
    snprintf(msg, sizeof msg, fmt, name);
    err_set(c->err, ERR_INVAL, "%s", msg);
    return BAD;
}

static uint32_t compile(struct compiler *c, json_t *s);

/* A count of the schema: 0 .. 1,000,000, or def when it is not there. */
static bool count_of(struct compiler *c, json_t *s, const char *key, int32_t def, int32_t *out)
{
    json_t *v = json_object_get(s, key);
    *out = def;
    if (!v) return true;
    double d = json_is_number(v) ? json_number_value(v) : -1;
    if (!(d >= 0 && d <= 1000000) || d != floor(d)) {
        refuse(c, "the schema's \"%s\" is not a whole number from 0 to 1000000", key);
        return false;
    }
    *out = (int32_t)d;
    return true;
}

static bool range_of(struct compiler *c, json_t *s, const char *lo, const char *hi, int32_t *min,
                     int32_t *max)
{
    if (!count_of(c, s, lo, 0, min) || !count_of(c, s, hi, -1, max)) return false;
    if (*max < 0 || *min <= *max) return true;
    refuse(c, "the schema's \"%s\" is more than its maximum", lo);
    return false;
}

/* A bound in units; exclusive ones move it by one unit where they fall on one. */
static bool bound(struct compiler *c, json_t *s, const char *key, bool low, bool exclusive,
                  double unit, int64_t *at)
{
    json_t *v = json_object_get(s, key);
    if (!v) return true;
    if (!json_is_number(v)) {
        refuse(c, "the schema's \"%s\" is not a number", key);
        return false;
    }
    double most = (double)(low ? *at : -*at), d = json_number_value(v) * unit;
    if (fabs(d) > 1e17) d = d < 0 ? -1e18 : 1e18;
    double r = round(d);
    if (fabs(d - r) > 1e-6 * (1 + fabs(d) * 1e-9)) r = low ? ceil(d) : floor(d);
    else if (exclusive) r += low ? 1 : -1;
    if (low ? r > most : -r > most)
        *at = fabs(r) >= 1e18 ? (r < 0 ? -NUMBER_MOST : NUMBER_MOST) : (int64_t)r;
    return true;
}

static uint32_t compile_number(struct compiler *c, json_t *s, bool integer)
{
    int64_t hi = integer ? INTEGER_MOST : NUMBER_MOST, lo = -hi;
    double unit = integer ? 1 : 1e6;
    if (!bound(c, s, "minimum", true, false, unit, &lo) ||
        !bound(c, s, "exclusiveMinimum", true, true, unit, &lo) ||
        !bound(c, s, "maximum", false, false, unit, &hi) ||
        !bound(c, s, "exclusiveMaximum", false, true, unit, &hi))
        return BAD;
    uint32_t n = number_node(c, integer, lo, hi);
    if (n != BAD && number_shortest(&c->g->node[n], (struct digits){ 0 }) >= SCHEMA_INF)
        return refuse(c, "no number of the schema's is within its %s", "minimum and maximum");
    return n;
}

static uint32_t compile_array(struct compiler *c, json_t *s)
{
    json_t *items = json_object_get(s, "items");
    int32_t min, max;
    if (!range_of(c, s, "minItems", "maxItems", &min, &max)) return BAD;
    uint32_t item = items ? compile(c, items) : any_node(c);
    return item == BAD ? BAD : array_node(c, item, min, max);
}

/* Names of an object, declared or required, in order. */
struct members {
    uint32_t *value; /* nodes */
    const char **name;
    bool *required;
    uint32_t n, cap;
};

static bool is_listed(json_t *required, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(required, i, v) if (!strcmp(json_string_value(v), name)) return true;
    return false;
}

static bool check_required(struct compiler *c, json_t *required)
{
    size_t i;
    json_t *v;
    bool good = !required || json_is_array(required);
    json_array_foreach(required, i, v) good = good && json_is_string(v);
    if (!good) refuse(c, "the schema's \"%s\" is not a list of names", "required");
    return good;
}

/* rest[first]: what follows member i on, when none or some stand before it. */
static uint32_t link_members(struct compiler *c, const struct members *m, uint32_t beyond,
                             uint32_t set)
{
    uint32_t rest[2];
    for (int first = 0; first < 2; first++) {
        rest[first] = beyond == BAD ? nothing(c) : extra_node(c, beyond, set, first);
        if (rest[first] == BAD) return BAD;
    }
    for (uint32_t i = m->n; i-- > 0;) {
        json_t *v = json_string(m->name[i]);
        char *name = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        json_decref(v);
        if (!name) return nomem(c);
        uint32_t key = word(c, name), next[2];
        free(name);
        for (int first = 0; first < 2; first++) {
            uint32_t sep = first ? nothing(c) : c->comma;
            next[first] = SEQ(c, sep, key, c->colon, m->value[i], rest[0]);
            if (!m->required[i]) next[first] = ALT(c, next[first], rest[first]);
            if (next[first] == BAD) return BAD;
        }
        rest[0] = next[0];
        rest[1] = next[1];
    }
    return rest[1];
}

static uint32_t compile_members(struct compiler *c, json_t *s, struct members *m)
{
    json_t *props = json_object_get(s, "properties"), *required = json_object_get(s, "required");
    json_t *more = json_object_get(s, "additionalProperties"), *v;
    const char *name;
    size_t i;
    if (props && !json_is_object(props))
        return refuse(c, "the schema's \"%s\" is not an object", "properties");
    if (!check_required(c, required)) return BAD;
    bool wanted = json_is_object(more) || json_is_true(more) || (!more && !json_object_size(props));
    uint32_t beyond = BAD, set = 0;
    if (wanted && (beyond = json_is_object(more) ? compile(c, more) : any_node(c)) == BAD)
        return BAD;
    json_object_foreach(props, name, v)
    {
        m->name[m->n] = name;
        m->required[m->n] = is_listed(required, name);
        if ((m->value[m->n++] = compile(c, v)) == BAD) return BAD;
    }
    json_array_foreach(required, i, v)
    {
        bool known = json_object_get(props, json_string_value(v));
        for (uint32_t k = 0; k < m->n; k++) known |= !strcmp(m->name[k], json_string_value(v));
        if (known) continue;
        if (json_is_false(more))
            return refuse(c, "the schema requires \"%s\", which it does not allow",
                          json_string_value(v));
        m->name[m->n] = json_string_value(v);
        m->required[m->n] = true;
        if ((m->value[m->n++] = wanted ? beyond : any_node(c)) == BAD) return BAD;
    }
    for (uint32_t k = 0; wanted && k < m->n; k++) {
        uint32_t id = grammar_name(c->g, m->name[k], strlen(m->name[k]));
        if (!id || !(set = grammar_set_add(c->g, set, id))) return nomem(c);
    }
    return link_members(c, m, beyond, set);
}

static uint32_t compile_object(struct compiler *c, json_t *s)
{
    size_t n = json_object_size(json_object_get(s, "properties")) +
               json_array_size(json_object_get(s, "required")) + 1;
    struct members m = { 0 };
    m.value = calloc(n, sizeof *m.value);
    m.name = calloc(n, sizeof *m.name);
    m.required = calloc(n, sizeof *m.required);
    uint32_t in = m.value && m.name && m.required ? compile_members(c, s, &m) : nomem(c);
    free(m.value);
    free(m.name);
    free(m.required);
    return in == BAD ? BAD : SEQ(c, word(c, "{"), in, word(c, "}"));
}

static uint32_t compile_type(struct compiler *c, json_t *s, const char *type)
{
    if (!strcmp(type, "object")) return compile_object(c, s);
    if (!strcmp(type, "array")) return compile_array(c, s);
    if (!strcmp(type, "integer")) return compile_number(c, s, true);
    if (!strcmp(type, "number")) return compile_number(c, s, false);
    if (!strcmp(type, "boolean")) return ALT(c, word(c, "true"), word(c, "false"));
    if (!strcmp(type, "null")) return word(c, "null");
    if (strcmp(type, "string") != 0) return refuse(c, "the schema's type \"%s\" is not one", type);
    int32_t min, max;
    if (!range_of(c, s, "minLength", "maxLength", &min, &max)) return BAD;
    return string_node(c, min, max);
}

static bool is_of_type(const json_t *v, const char *type)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return !strcmp(type, "object");
    case JSON_ARRAY: return !strcmp(type, "array");
    case JSON_STRING: return !strcmp(type, "string");
    case JSON_INTEGER: return !strcmp(type, "integer") || !strcmp(type, "number");
    case JSON_REAL: return !strcmp(type, "number");
    case JSON_TRUE:
    case JSON_FALSE: return !strcmp(type, "boolean");
    default: return !strcmp(type, "null");
    }
}

/* The values of enum, or const, that are of a type that the schema allows. */
static uint32_t compile_values(struct compiler *c, json_t *s, json_t *values)
{
    json_t *type = json_object_get(s, "type"), *v, *t;
    size_t i, k, n = 0;
    uint32_t *kid = calloc(json_array_size(values) + 1, sizeof *kid), out = BAD;
    if (!kid) return nomem(c);
    json_array_foreach(values, i, v)
    {
        bool fits = !type || (json_is_string(type) && is_of_type(v, json_string_value(type)));
        json_array_foreach(type, k, t) fits |=
            json_is_string(t) && is_of_type(v, json_string_value(t));
        if (!fits) continue;
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        kid[n] = text ? word(c, text) : nomem(c);
        free(text);
        if (kid[n++] == BAD) goto out;
    }
    out = n ? group(c, NODE_ALT, kid, (uint32_t)n)
            : refuse(c, "the schema's %s has no value", "enum");
out:
    free(kid);
    return out;
}

static uint32_t compile_any_of(struct compiler *c, json_t *list)
{
    size_t i, n = json_array_size(list);
    json_t *v;
    if (!n) return refuse(c, "the schema's \"%s\" is not a list of schemas", "anyOf");
    uint32_t *kid = calloc(n, sizeof *kid), out = BAD;
    if (!kid) return nomem(c);
    json_array_foreach(list, i, v) if ((kid[i] = compile(c, v)) == BAD) goto out;
    out = group(c, NODE_ALT, kid, (uint32_t)n);
out:
    free(kid);
    return out;
}

/* "#", "#/$defs/name", "#/definitions/name"; any path of plain names from the root. */
static json_t *ref_target(json_t *root, const char *ref)
{
    char name[256];
    if (*ref++ != '#') return NULL;
    while (root && *ref == '/') {
        size_t n = strcspn(++ref, "/"), k = 0;
        if (n >= sizeof name || memchr(ref, '%', n)) return NULL;
        for (size_t i = 0; i < n; i++) {
            if (ref[i] == '~' && i + 1 < n && (ref[i + 1] == '0' || ref[i + 1] == '1'))
                name[k++] = ref[++i] == '0' ? '~' : '/';
            else name[k++] = ref[i];
        }
        name[k] = 0;
        ref += n;
        root = json_object_get(root, name);
    }
    return *ref ? NULL : root;
}

static uint32_t compile_ref(struct compiler *c, json_t *ref)
{
    const char *text = json_is_string(ref) ? json_string_value(ref) : "";
    json_t *to = ref_target(c->root, text);
    if (!to) return refuse(c, "the schema's $ref \"%s\" leads nowhere in it", text);
    uint64_t *slot = map_slot(&c->refs, (uint64_t)(uintptr_t)to);
    if (!slot) return nomem(c);
    if (*slot) return (uint32_t)*slot - 1;
    uint32_t self = group(c, NODE_ALT, (const uint32_t[1]){ 0 }, 1);
    if (self == BAD) return BAD;
    *slot = (uint64_t)self + 1;
    uint32_t node = compile(c, to);
    if (node == BAD) return BAD;
    c->g->kid[c->g->node[self].kids] = node;
    return self;
}

/* Keywords: what each goes with. */
static const struct keyword {
    const char *name;
    unsigned char
        use; /* '-' passed over, 't' type, 'a' anyOf, 'r' $ref, 'e' enum, const; the types': */
} keywords[] = {
    { "title", '-' },
    { "description", '-' },
    { "default", '-' },
    { "examples", '-' },
    { "$schema", '-' },
    { "$id", '-' },
    { "$comment", '-' },
    { "$defs", '-' },
    { "deprecated", '-' },
    { "definitions", '-' },
    { "readOnly", '-' },
    { "writeOnly", '-' },
    { "type", 't' },
    { "anyOf", 'a' },
    { "$ref", 'r' },
    { "enum", 'e' },
    { "const", 'e' },
    { "properties", 'o' },
    { "required", 'o' },
    { "additionalProperties", 'o' },
    { "items", 'l' },
    { "minItems", 'l' },
    { "maxItems", 'l' },
    { "minLength", 's' },
    { "maxLength", 's' },
    { "minimum", 'n' },
    { "maximum", 'n' },
    { "exclusiveMinimum", 'n' },
    { "exclusiveMaximum", 'n' },
};

/* What of the schema decides: 'a', 'r', 'e', 't', a type's letter, 0 for any value; or -1. */
static int decide(struct compiler *c, json_t *s)
{
    const char *name, *first = NULL;
    json_t *v;
    int use = 0;
    json_object_foreach(s, name, v)
    {
        int kind = 0;
        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
            if (!strcmp(keywords[i].name, name)) kind = keywords[i].use;
        if (!kind) {
            refuse(c, "the schema's keyword \"%s\" is not supported", name);
            return -1;
        }
        if (kind == '-') continue;
        bool alone = strchr("are", kind), was_alone = use && strchr("are", use);
        bool type_of_value = (kind == 't' && use == 'e') || (kind == 'e' && use == 't');
        if (use && (alone || was_alone) && !type_of_value) {
            char both[80];
            snprintf(both, sizeof both, "%.15s\" beside \"%.20s", was_alone ? first : name,
                     was_alone ? name : first);
            refuse(c, "the schema's \"%s\" is not supported", both);
            return -1;
        }
        if (!use || kind == 'e' || (kind == 't' && use != 'e')) use = kind;
        if (!first) first = name;
    }
    return use;
}

static uint32_t compile_types(struct compiler *c, json_t *s, json_t *type)
{
    uint32_t kid[7];
    size_t i, n = 0;
    json_t *t;
    if (json_is_string(type)) return compile_type(c, s, json_string_value(type));
    if (!json_array_size(type) || json_array_size(type) > 7)
        return refuse(c, "the schema's \"%s\" is not a type or list of types", "type");
    json_array_foreach(type, i, t)
    {
        kid[n] = compile_type(c, s, json_is_string(t) ? json_string_value(t) : "");
        if (kid[n++] == BAD) return BAD;
    }
    return group(c, NODE_ALT, kid, (uint32_t)n);
}

static uint32_t compile_decided(struct compiler *c, json_t *s)
{
    json_t *v = json_object_get(s, "const");
    switch (decide(c, s)) {
    case -1: return BAD;
    case 0: return any_node(c);
    case 'a': return compile_any_of(c, json_object_get(s, "anyOf"));
    case 'r': return compile_ref(c, json_object_get(s, "$ref"));
    case 'e':
        if (!v) return compile_values(c, s, json_object_get(s, "enum"));
        json_t *one = json_pack("[O]", v);
        uint32_t n = one ? compile_values(c, s, one) : nomem(c);
        json_decref(one);
        return n;
    case 't': return compile_types(c, s, json_object_get(s, "type"));
    case 'o': return compile_object(c, s);
    case 'l': return compile_array(c, s);
    case 's': return compile_type(c, s, "string");
    default: return compile_number(c, s, false);
    }
}

static uint32_t compile(struct compiler *c, json_t *s)
{
    if (json_is_true(s)) return any_node(c);
    if (json_is_false(s)) return refuse(c, "the schema allows nothing: it is %s", "false");
    if (!json_is_object(s)) return refuse(c, "the schema is not %s", "an object");
    if (++c->depth > DEPTH_MAX) return refuse(c, "the schema is nested too %s", "deeply");
    uint32_t n = compile_decided(c, s);
    c->depth--;
    return n;
}

static uint32_t add_cost(uint32_t a, uint32_t b) { return a + b < SCHEMA_INF ? a + b : SCHEMA_INF; }

static uint32_t shortest(const struct grammar *g, const struct node *v)
{
    uint32_t cost = v->kind == NODE_ALT ? SCHEMA_INF : 0;
    const uint32_t *kid = g->kid + v->kids;
    switch (v->kind) {
    case NODE_LIT: return v->n_kids;
    case NODE_CHARS: return (uint32_t)v->min;
    case NODE_NUM: return number_shortest(v, (struct digits){ 0 });
    case NODE_SEQ:
        for (uint32_t i = 0; i < v->n_kids; i++) cost = add_cost(cost, g->node[kid[i]].shortest);
        return cost;
    case NODE_ALT:
        for (uint32_t i = 0; i < v->n_kids; i++)
            if (g->node[kid[i]].shortest < cost) cost = g->node[kid[i]].shortest;
        return cost;
    case NODE_REP: {
        uint64_t all = (uint64_t)g->node[kid[0]].shortest * (uint64_t)v->min;
        return all < SCHEMA_INF ? (uint32_t)all : SCHEMA_INF;
    }
    default: return 0;
    }
}

/* Least fixed point, from above. */
static void settle_costs(struct grammar *g)
{
    for (uint32_t i = 0; i < g->n; i++) g->node[i].shortest = SCHEMA_INF;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < g->n; i++) {
            uint32_t cost = shortest(g, &g->node[i]);
            again |= cost < g->node[i].shortest;
            if (cost < g->node[i].shortest) g->node[i].shortest = cost;
        }
    }
}

/* Can node i be reached from itself before any byte? mark: 1 on the way, 2 done. */
static bool loops(const struct grammar *g, uint32_t i, uint8_t *mark)
{
    const struct node *v = &g->node[i];
    if (mark[i]) return mark[i] == 1;
    mark[i] = 1;
    bool bad = false;
    if (v->kind == NODE_SEQ || v->kind == NODE_ALT || v->kind == NODE_REP)
        for (uint32_t k = 0; k < v->n_kids && !bad; k++) {
            uint32_t kid = g->kid[v->kids + k];
            bad = loops(g, kid, mark);
            if (v->kind == NODE_SEQ && g->node[kid].shortest > 0) break;
        }
    mark[i] = 2;
    return bad;
}

int grammar_compile(struct grammar *g, const char *json, size_t n, struct err *err)
{
    json_error_t bad;
    struct err own = { 0 };
    *g = (struct grammar){ .n_names = 1 };
    if (n > TEXT_MAX) return err_set(err, ERR_LIMIT, "the schema has more than %d bytes", TEXT_MAX);
    struct compiler c = { .g = g, .err = err ? err : &own };
    c.root = json_loadb(json, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &bad);
    if (!c.root)
        return err_set(err, ERR_INVAL, "the schema is not JSON: line %d: %.100s", bad.line,
                       bad.text);
    uint8_t *mark = NULL;
    int rc = 0;
    nothing(&c); /* node 0 means none */
    c.space = ALT(&c, word(&c, " "), nothing(&c));
    c.comma = SEQ(&c, word(&c, ","), c.space);
    c.colon = SEQ(&c, word(&c, ":"), c.space);
    c.quote = word(&c, "\"");
    g->root = compile(&c, c.root);
    if (g->root == BAD) {
        rc = c.err->code;
        goto out;
    }
    settle_costs(g);
    mark = calloc(g->n, 1);
    if (!mark) rc = err_nomem(err);
    else if (g->node[g->root].shortest >= SCHEMA_INF)
        rc = err_set(err, ERR_INVAL, "no finite document fits the schema");
    for (uint32_t i = 0; !rc && i < g->n; i++)
        if (loops(g, i, mark))
            rc = err_set(err, ERR_INVAL, "the schema refers to itself without anything between");
out:
    free(mark);
    map_free(&c.refs);
    json_decref(c.root);
    return rc;
}

void grammar_free(struct grammar *g)
{
    free(g->node);
    free(g->kid);
    free(g->set);
    map_free(&g->names);
    buf_free(&g->bytes);
    *g = (struct grammar){ 0 };
}

uint32_t grammar_name(struct grammar *g, const char *s, size_t n)
{
    uint32_t at = 1;
    for (size_t i = 0; i < n; i++) {
        uint64_t *to = map_slot(&g->names, (uint64_t)at << 8 | (uint8_t)s[i]);
        if (!to) return 0;
        if (!*to) *to = ++g->n_names;
        at = (uint32_t)*to;
    }
    return at;
}

bool grammar_set_has(const struct grammar *g, uint32_t set, uint32_t name)
{
    for (; set; set = g->set[set].rest)
        if (g->set[set].name == name) return true;
    return false;
}

uint32_t grammar_set_add(struct grammar *g, uint32_t set, uint32_t name)
{
    if (!g->n_set) g->n_set = 1; /* 0 is the empty one */
    if (!room((void **)&g->set, &g->cap_set, g->n_set, sizeof *g->set)) return 0;
    g->set[g->n_set] = (struct name_set){ name, set };
    return g->n_set++;
}
