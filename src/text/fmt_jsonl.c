/* JSON lines: one object a line; or one array of objects, which many programs write instead.
 *
 * Keys are mapped like the columns of a table; "meta.date" reaches into nested objects. Broken
 * lines are passed over and reported, unless most of the first ones are broken: then this is no
 * such file, and saying so before anything is taken in is kinder than a long report. */
#include "base/str.h"
#include "text/date.h"
#include "text/fmt_table.h"
#include "text/jscan.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_LINES   20
#define PROBE_UNDATED 1000 /* rows without a date, after which none is looked for */

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (!s.n) return 0;
    if (*s.p == '[') {
        struct span in_list = span_trim((struct span){ s.p + 1, s.n - 1 });
        return in_list.n && *in_list.p == '{' ? 65 : 0;
    }
    if (*s.p != '{') return fmt_named(in, ".jsonl .ndjson") ? 60 : 0;
    if (fmt_named(in, ".jsonl .ndjson")) return 90;
    const char *nl = memchr(s.p, '\n', s.n);
    size_t n = nl ? (size_t)(nl - s.p) : s.n;
    json_t *v = n < 60000 ? json_of(s.p, n) : NULL;
    bool object = json_is_object(v);
    json_decref(v);
    if (!object) return 0;
    struct span rest = nl ? span_trim((struct span){ nl, s.n - n }) : (struct span){ s.p, 0 };
    return rest.n ? (*rest.p == '{' ? 80 : 0) : 45;
}

/* The value at a key, or at a path of keys with dots. */
static const json_t *look_up(const json_t *row, const char *path)
{
    const json_t *v = json_object_get(row, path);
    char key[128];
    for (int depth = 0; !v && json_is_object(row) && depth < 16; depth++) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof key) return NULL;
        memcpy(key, path, n);
        key[n] = 0;
        row = json_object_get(row, key);
        if (!path[n]) return row;
        path += n + 1;
        v = json_object_get(row, path);
    }
    return v;
}

static const json_t *find(const json_t *row, enum table_role role, const struct table_map *m)
{
    const char *key;
    json_t *v;
    const json_t *best = NULL;
    int best_rank = 0;
    if (m->want[role]) return look_up(row, m->want[role]);
    json_object_foreach((json_t *)(uintptr_t)row, key, v)
    {
        int rank = table_rank(role, span_of(key));
        if (role == TABLE_AUTHOR && json_is_object(v)) v = json_object_get(v, "name");
        bool scalar = v && !json_is_object(v) && !json_is_null(v);
        if (rank && scalar && (!best || rank < best_rank)) best = v, best_rank = rank;
    }
    return best;
}

/* Text of a value; a list of strings becomes paragraphs. */
static bool value_text(const json_t *v, struct buf *out)
{
    size_t i;
    json_t *item;
    if (!json_is_array(v)) return json_text(v, out);
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item)) continue;
        if (out->n) buf_addc(out, '\n');
        json_text(item, out);
    }
    return out->n > 0;
}

struct jsonl {
    const struct format_opts *o;
    const struct piece_sink *sink;
    struct table_map map;
    struct buf value[TABLE_ROLES];
    struct date_order order;
    int undated;  /* rows seen so far */
    bool solving; /* a first pass: is the day first in 03/04/2019? */
    int day_first;
};

/* Enough was seen when this is not 0. */
static int solve_row(struct jsonl *s, const json_t *row)
{
    struct buf *b = &s->value[TABLE_DATE];
    const json_t *v = find(row, TABLE_DATE, &s->map);
    buf_clear(b);
    if (!v || !value_text(v, b) || !b->n)
        return !s->order.seen && ++s->undated == PROBE_UNDATED ? ERR_CANCEL : 0;
    if (!date_order_read(&s->order, span_of(buf_str(b))) && !s->order.seen) return ERR_CANCEL;
    return date_order_sure(&s->order) ? ERR_CANCEL : 0;
}

static int emit_row(struct jsonl *s, const json_t *row, uint64_t where, struct err *err)
{
    const char *value[TABLE_ROLES];
    if (s->solving) return solve_row(s, row);
    for (int r = 0; r < TABLE_ROLES; r++) {
        buf_clear(&s->value[r]);
        const json_t *v = find(row, r, &s->map);
        if (v) value_text(v, &s->value[r]);
        if (s->value[r].failed == ERR_NOMEM) return err_nomem(err);
        value[r] = buf_str(&s->value[r]);
    }
    if (!s->value[TABLE_TEXT].n) {
        fmt_skip(s->sink, "row without text", where);
        return 0;
    }
    return table_emit(s->o, s->sink, s->day_first, value, where, err);
}

/* Are the first lines what they should be? Leaves the file at its start. */
static int probe(struct jsonl *s, struct format_in *in, struct err *err)
{
    struct line ln;
    int rc, seen = 0, bad = 0, texts = 0;
    uint64_t first_bad = 0, first_good = 0;
    struct lines *l = lines_new(in, NULL, err);
    if (!l) return ERR_PARSE;
    while (seen < PROBE_LINES && (rc = lines_next(l, &ln, err)) > 0) {
        if (!span_trim((struct span){ ln.s, ln.n }).n) continue;
        json_t *row = ln.dropped ? NULL : json_of(ln.s, ln.n);
        seen++;
        if (!json_is_object(row)) {
            if (!bad++) first_bad = ln.no;
        } else {
            if (!first_good) first_good = ln.no;
            texts += find(row, TABLE_TEXT, &s->map) != NULL;
        }
        json_decref(row);
    }
    lines_free(l);
    rewind(in->f);
    if (seen < PROBE_LINES && rc < 0) return rc;
    if (bad * 2 > seen)
        return err_set(err, ERR_PARSE,
                       "%s, line %llu: not a JSON object: this format wants one object "
                       "on each line, or one list of objects",
                       in->name, (unsigned long long)first_bad);
    if (seen && !texts)
        return err_set(err, ERR_PARSE,
                       "%s, line %llu: none of the keys %s: name the one that holds the "
                       "text with --map text=KEY (KEY.INNER for nested ones)",
                       in->name, (unsigned long long)first_good,
                       s->map.want[TABLE_TEXT] ? "is the one --map names"
                                               : "is known to hold the text");
    return 0;
}

static int parse_lines(struct jsonl *s, struct format_in *in, struct err *err)
{
    struct line ln;
    int rc = probe(s, in, err);
    if (rc) return rc;
    struct lines *l = lines_new(in, s->sink, err);
    if (!l) return ERR_PARSE;
    while ((rc = lines_next(l, &ln, err)) > 0) {
        rc = 0;
        if (!span_trim((struct span){ ln.s, ln.n }).n) continue;
        json_t *row = ln.dropped ? NULL : json_of(ln.s, ln.n);
        if (!json_is_object(row)) fmt_skip(s->sink, "broken line", ln.no);
        else rc = emit_row(s, row, ln.no, err);
        json_decref(row);
        if (rc) break;
    }
    lines_free(l);
    return rc;
}

static int parse_list(struct jsonl *s, struct format_in *in, struct err *err)
{
    struct buf item = BUF_INIT(FORMAT_PIECE_MAX);
    struct jscan *j = malloc(sizeof *j);
    uint64_t rows = 0, texts = 0;
    if (!j) return err_nomem(err);
    int rc = jscan_init(j, in, s->sink, err);
    if (!rc) rc = jscan_enter(j, '[', err);
    while (!rc && (rc = jscan_item(j, err)) > 0) {
        if ((rc = jscan_value(j, &item, err))) break;
        json_t *row = j->cut ? NULL : json_of(buf_str(&item), item.n);
        rows++;
        if (!json_is_object(row)) {
            fmt_skip(s->sink, "broken object", j->value_at);
        } else {
            texts += find(row, TABLE_TEXT, &s->map) != NULL;
            if (rows == PROBE_LINES && !texts)
                rc = err_set(err, ERR_PARSE,
                             "%s: no key of its first objects is known to hold the text: "
                             "name it with --map text=KEY",
                             in->name);
            else rc = emit_row(s, row, j->value_at, err);
        }
        json_decref(row);
    }
    if (!rc && rows && !texts)
        rc = err_set(err, ERR_PARSE,
                     "%s: no key of its objects is known to hold the text: name it with "
                     "--map text=KEY",
                     in->name);
    buf_free(&item);
    free(j);
    return rc;
}

/* Dates such as 03/04/2019 are read as the whole file has them. What is wrong with the file is said
 * by the pass that takes it in. */
static void solve_dates(struct jsonl *s, struct format_in *in, bool list)
{
    static const struct piece_sink silent;
    const struct piece_sink *sink = s->sink;
    s->sink = &silent;
    s->solving = true;
    if (list) parse_list(s, in, NULL);
    else parse_lines(s, in, NULL);
    s->solving = false;
    s->sink = sink;
    s->day_first = date_order_day_first(&s->order);
    rewind(in->f);
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct jsonl s = { .o = o, .sink = sink, .day_first = o->day_first };
    struct span head = span_trim((struct span){ (const char *)in->head, in->head_n });
    int rc = table_map_init(&s.map, o->map, err);
    for (int r = 0; r < TABLE_ROLES; r++) s.value[r].max = FORMAT_PIECE_MAX * 3;
    bool list = head.n && *head.p == '[';
    if (!rc && s.day_first < 0) solve_dates(&s, in, list);
    if (!rc) rc = list ? parse_list(&s, in, err) : parse_lines(&s, in, err);
    for (int r = 0; r < TABLE_ROLES; r++) buf_free(&s.value[r]);
    table_map_clear(&s.map);
    return rc;
}

const struct format format_jsonl = {
    .name = "jsonl",
    .help = "one JSON object a line (or a list of them); keys by common names or --map",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
