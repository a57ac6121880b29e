/* Comma-separated values (RFC 4180), with what people's programs make of them: a BOM, semicolons,
 * tabs or bars instead of commas, line ends inside quotes, quotes left open.
 *
 * A record is put together from lines until its quotes are closed; a record larger than a piece is
 * read to its end, cut and reported, so that an open quote costs a report and not the memory. When
 * dates are written with slashes and nobody said which way round, a first pass over the file looks
 * for a number above twelve. */
#include "text/fmt_csv.h"
#include "base/str.h"
#include "text/date.h"
#include "text/fmt_table.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAX (FORMAT_PIECE_MAX - 1)

/* ---- records ---- */

static void put(struct csv *c, const char *p, size_t n)
{
    if (c->cut || c->rec.n + n + 2 > RECORD_MAX) c->cut = true;
    else buf_add(&c->rec, p, n);
}

static void next_field(struct csv *c)
{
    if (c->cut || c->rec.n + 2 > RECORD_MAX) {
        c->cut = true;
        return;
    }
    if (c->n) buf_add(&c->rec, "", 1);
    if (c->n < CSV_COLUMNS) c->at[c->n++] = (uint32_t)c->rec.n;
}

/* One line's worth of fields. *quoted: inside quotes, before and after. */
static void take_line(struct csv *c, const struct line *ln, bool *quoted)
{
    const char *p = ln->s, *end = p + ln->n;
    bool start = !*quoted;
    if (start) next_field(c);
    while (p < end) {
        if (*quoted) {
            const char *q = memchr(p, '"', (size_t)(end - p));
            put(c, p, (size_t)((q ? q : end) - p));
            if (!q) break;
            p = q + 1;
            if (p < end && *p == '"') put(c, p++, 1);
            else *quoted = false;
            start = false;
        } else if (*p == '"' && start) {
            *quoted = true;
            p++;
        } else if (*p == c->delim) {
            next_field(c);
            start = true;
            p++;
        } else {
            const char *q = p;
            while (q < end && *q != c->delim) q++;
            put(c, p, (size_t)(q - p));
            start = false;
            p = q;
        }
    }
}

int csv_next(struct csv *c, struct err *err)
{
    struct line ln;
    bool quoted = false;
    int rc;
    buf_clear(&c->rec);
    c->n = 0;
    c->cut = c->open = false;
    do {
        if ((rc = lines_next(c->lines, &ln, err)) <= 0) return rc;
    } while (!span_trim((struct span){ ln.s, ln.n }).n);
    c->line = ln.no;
    for (;;) {
        take_line(c, &ln, &quoted);
        if (!quoted) break;
        put(c, "\n", 1);
        rc = lines_next(c->lines, &ln, err);
        if (rc < 0) return rc;
        if (!rc) {
            c->open = true;
            break;
        }
    }
    return c->rec.failed ? err_nomem(err) : 1;
}

const char *csv_field(const struct csv *c, int i)
{
    return i >= 0 && i < c->n && c->rec.n >= c->at[i] ? buf_str(&c->rec) + c->at[i] : "";
}

struct csv *csv_new(struct format_in *in, char delim, const struct piece_sink *sink,
                    struct err *err)
{
    struct csv *c = calloc(1, sizeof *c);
    if (!c) {
        err_nomem(err);
        return NULL;
    }
    c->delim = delim;
    c->rec.max = FORMAT_PIECE_MAX;
    if ((c->lines = lines_new(in, sink, err))) return c;
    free(c);
    return NULL;
}

void csv_free(struct csv *c)
{
    if (!c) return;
    lines_free(c->lines);
    buf_free(&c->rec);
    free(c);
}

/* ---- recognition ---- */

/* Delimiters in the record at *p; *p moves behind it. -1: it does not end within the sample. */
static int count_record(const char **p, const char *end, char delim)
{
    int n = 0;
    bool quoted = false;
    for (; *p < end; ++*p) {
        if (**p == '"') quoted = !quoted;
        else if (!quoted && **p == delim) n++;
        else if (!quoted && **p == '\n') return ++*p, n;
    }
    return -1;
}

/* The delimiter that cuts the header and the next records into the same number of fields. *rows:
 * how many records agree. 0: none does. */
static char sniff(const char *s, size_t n, int *rows)
{
    static const char marks[] = ",;\t|";
    char best = 0;
    int best_score = 0;
    *rows = 0;
    for (int i = 0; i < 4; i++) {
        const char *p = s, *end = s + n;
        int head = count_record(&p, end, marks[i]), same = 1, other = 0;
        for (int r = 0; r < 12 && p < end && head > 0; r++) {
            if (*p == '\n' || *p == '\r') {
                p++;
                continue;
            }
            int k = count_record(&p, end, marks[i]);
            if (k < 0) break;
            if (k == head) same++;
            else other++;
        }
        int score = head > 0 ? same * 100 - other * 150 + head : 0;
        if (score > best_score) best_score = score, best = marks[i], *rows = same;
    }
    return best;
}

/* Does the first line name a column we know as text? */
static bool known_header(const char *s, size_t n, char delim)
{
    const char *nl = memchr(s, '\n', n), *end = nl ? nl : s + n;
    for (const char *p = s; p < end;) {
        const char *q = memchr(p, delim, (size_t)(end - p));
        if (!q) q = end;
        struct span f = span_trim((struct span){ p, (size_t)(q - p) });
        if (f.n >= 2 && *f.p == '"') f.p++, f.n -= 2;
        if (table_rank(TABLE_TEXT, f)) return true;
        p = q + 1;
    }
    return false;
}

static int score(const struct format_in *in)
{
    struct buf head = BUF_INIT(FORMAT_HEAD * 4);
    int rows = 0, points = 0;
    fmt_head_utf8(in, &head);
    char d = head.n ? sniff(buf_str(&head), head.n, &rows) : 0;
    bool known = d && known_header(buf_str(&head), head.n, d);
    if (fmt_named(in, ".csv .tsv .tab")) points = d ? 80 : 50;
    else if (known && rows >= 2 && !fmt_named(in, ".md .txt .html .htm")) points = 60;
    else if (known && rows >= 4) points = 45;
    buf_free(&head);
    return points;
}

/* ---- parsing ---- */

static int no_text_column(const struct csv *c, const char *name, bool mapped, struct err *err)
{
    if (mapped)
        return err_set(err, ERR_PARSE,
                       "%s, line %llu: the header has %d columns, and one that --map "
                       "names is not among them: check its spelling",
                       name, (unsigned long long)c->line, c->n);
    return err_set(err, ERR_PARSE,
                   "%s, line %llu: none of the columns 1 to %d is known to hold the "
                   "text: name it with --map text=COLUMN (by name, or by number)",
                   name, (unsigned long long)c->line, c->n);
}

/* Columns of the roles from the header row. */
static int map_columns(const struct csv *c, const struct table_map *m, const char *name,
                       int col[TABLE_ROLES], struct err *err)
{
    for (int r = 0; r < TABLE_ROLES; r++) {
        int best = 0;
        int64_t number;
        col[r] = -1;
        for (int i = 0; i < c->n; i++) {
            struct span f = span_trim(span_of(csv_field(c, i)));
            if (m->want[r]) {
                if (span_ieq(f, m->want[r]) && col[r] < 0) col[r] = i;
                continue;
            }
            int rank = table_rank(r, f);
            if (rank && (!best || rank < best)) best = rank, col[r] = i;
        }
        if (m->want[r] && col[r] < 0 && str_i64(span_of(m->want[r]), &number) && number >= 1 &&
            number <= c->n)
            col[r] = (int)number - 1;
        if (m->want[r] && col[r] < 0) return no_text_column(c, name, true, err);
    }
    /* A column that --map gives one role does not keep another by its name. */
    for (int r = 0; r < TABLE_ROLES; r++)
        for (int q = 0; q < TABLE_ROLES && !m->want[r]; q++)
            if (q != r && m->want[q] && col[q] == col[r]) col[r] = -1;
    return col[TABLE_TEXT] < 0 ? no_text_column(c, name, false, err) : 0;
}

/* First pass: is the day first in 03/04/2019? Leaves the file where it was found. */
static int solve_dates(struct format_in *in, char delim, int column, struct err *err)
{
    struct csv *c = csv_new(in, delim, NULL, err);
    struct date_order order = { 0 };
    for (bool header = true; c && csv_next(c, err) > 0; header = false) {
        const char *date = csv_field(c, column);
        if (header || !*date) continue;
        if (!date_order_read(&order, span_of(date)) && !order.seen)
            break; /* not that kind of date at all */
        if (date_order_sure(&order)) break;
    }
    csv_free(c);
    rewind(in->f);
    return date_order_day_first(&order);
}

static int parse_rows(struct csv *c, struct format_in *in, const struct format_opts *o,
                      const struct piece_sink *sink, const int col[TABLE_ROLES], int day_first,
                      struct err *err)
{
    int rc;
    while ((rc = csv_next(c, err)) > 0) {
        const char *value[TABLE_ROLES];
        if (c->cut) fmt_skip(sink, "rest of an over-long text", c->line);
        if (c->open) {
            fmt_skip(sink, "row with an open quote", c->line);
            if (strchr(csv_field(c, c->n - 1), '\n')) continue;
        }
        if (c->n <= col[TABLE_TEXT]) {
            fmt_skip(sink, "row with too few columns", c->line);
            continue;
        }
        for (int r = 0; r < TABLE_ROLES; r++) value[r] = csv_field(c, col[r]);
        rc = table_emit(o, sink, day_first, value, c->line, err);
        if (rc) return rc;
    }
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct table_map map = { 0 };
    struct buf head = BUF_INIT(FORMAT_HEAD * 4);
    struct csv *c = NULL;
    int rows, col[TABLE_ROLES] = { 0 }, day_first = o->day_first;
    int rc = table_map_init(&map, o->map, err);
    if (rc) goto out;
    fmt_head_utf8(in, &head);
    char delim = sniff(buf_str(&head), head.n, &rows);
    if (!delim) delim = ','; /* a single column */
    if (!(c = csv_new(in, delim, sink, err))) {
        rc = ERR_PARSE;
        goto out;
    }
    rc = csv_next(c, err);
    if (!rc)
        rc = err_set(err, ERR_PARSE, "%s has no header row: put the columns' names into line 1",
                     in->name);
    if (rc < 0 || (rc = map_columns(c, &map, in->name, col, err))) goto out;
    if (day_first < 0 && col[TABLE_DATE] >= 0) {
        csv_free(c);
        rewind(in->f);
        day_first = solve_dates(in, delim, col[TABLE_DATE], err);
        if (!(c = csv_new(in, delim, sink, err))) {
            rc = ERR_PARSE;
            goto out;
        }
        if ((rc = csv_next(c, err)) < 0) goto out;
    }
    rc = parse_rows(c, in, o, sink, col, day_first, err);
out:
    csv_free(c);
    buf_free(&head);
    table_map_clear(&map);
    return rc;
}

const struct format format_csv = {
    .name = "csv",
    .help = "a table with a header row; columns by common names or --map",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
