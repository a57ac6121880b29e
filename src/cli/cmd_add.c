/* likeness add: files and folders come in, and what became of each is said. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/told.h"
#include "text/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_PEOPLE 15

struct adding {
    struct cli *c;
    json_t *files;
    json_t *sources, *joins; /* of a dry run */
    struct ingest *in;
    size_t nobody;
    struct ingest_file group; /* files of one folder that are told in one line: their sums */
    char group_path[4200];    /* of the first of them */
    size_t grouped, aside;    /* files of it; those that only are passed over */
    char bad_path[4200], bad_error[1024]; /* a file that could not be read, not told yet */
};

/* ---- who of them is the persona? ---- */

static void show_speaker(FILE *f, size_t i, const struct speaker *s)
{
    struct buf b = BUF_INIT(1024);
    bool both = *s->name && *s->id && strcmp(s->name, s->id) != 0;
    buf_printf(&b, "%s%s%s%s", *s->name ? s->name : s->id, both ? " <" : "", both ? s->id : "",
               both ? ">" : "");
    int pad = 48 - utf8_width(buf_str(&b), b.n);
    fprintf(f, "%3zu  %s%*s %6llu message%s%s\n", i + 1, buf_str(&b), pad > 0 ? pad : 0, "",
            (unsigned long long)s->messages, s->messages == 1 ? " " : "s",
            s->owner ? ", owner of the export" : "");
    buf_free(&b);
}

/* Commas separate aliases, so "Lee, Ann" goes in as "Ann Lee": the two are matched alike. */
static void add_alias(struct buf *list, const char *s)
{
    const char *comma = strchr(s, ',');
    if (!*s || (comma && strchr(comma + 1, ','))) return;
    if (list->n) buf_addc(list, ',');
    if (comma) buf_printf(list, "%s %.*s", comma + 1 + strspn(comma + 1, " "), (int)(comma - s), s);
    else buf_adds(list, s);
}

/* "1, 3": the names and addresses of the first and the third. */
static bool chosen(const char *line, const struct speaker *s, size_t n, struct buf *aliases)
{
    size_t picked = 0;
    for (const char *p = line; *p;) {
        size_t len = strcspn(p, ", ");
        int64_t v;
        if (len) {
            if (!str_i64((struct span){ p, len }, &v) || v < 1 || (size_t)v > n) return false;
            add_alias(aliases, s[v - 1].name);
            add_alias(aliases, s[v - 1].id);
            picked++;
        }
        p += len + strspn(p + len, ", ");
    }
    return picked > 0;
}

static int who(void *ud, const struct speaker *s, size_t n, struct buf *aliases, struct err *err)
{
    struct adding *a = ud;
    struct buf line = BUF_INIT(1024);
    char prompt[160];
    int rc = 0;
    if (!ui_interactive()) return 0;
    ui_progress_clear();
    fprintf(stderr, "These people write in the files. Which of them is %s?\n",
            a->in->persona->name);
    for (size_t i = 0; i < n && i < SHOWN_PEOPLE; i++) show_speaker(stderr, i, &s[i]);
    if (n > SHOWN_PEOPLE)
        fprintf(stderr, "     and %zu more; --me NAME names one of them\n", n - SHOWN_PEOPLE);
    snprintf(prompt, sizeof prompt, "Number, or several: 1,3 [1]: ");
    for (;;) {
        if ((rc = ui_ask(prompt, &line, err))) break;
        const char *text = span_trim((struct span){ line.p, line.n }).n ? buf_str(&line) : "1";
        buf_clear(aliases);
        if (chosen(text, s, n < SHOWN_PEOPLE ? n : SHOWN_PEOPLE, aliases)) break;
        fprintf(stderr, "Please type numbers of the list.\n");
    }
    buf_free(&line);
    return rc;
}

static int list_people(struct cli *c, struct ingest *in, struct err *err)
{
    struct speaker *s = NULL;
    size_t n = 0;
    int rc = ingest_speakers(in, c->args.pos, c->args.n_pos, &s, &n, err);
    ui_progress_end();
    if (rc) return rc;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (!c->json) show_speaker(stdout, i, &s[i]);
        else
            json_array_append_new(
                list, json_pack("{s:o, s:o, s:I, s:i, s:b, s:o, s:b}", "name",
                                json_mended(s[i].name), "id", json_mended(s[i].id), "messages",
                                (json_int_t)s[i].messages, "files", (int)s[i].files, "owner",
                                s[i].owner, "likely", jreal(s[i].likely, 3), "persona",
                                persona_is(in->persona, s[i].name, s[i].id)));
    }
    if (c->json) c->out = json_pack("{s:O}", "people", list);
    else if (!n) ui_note("Nobody is named in these files.");
    json_decref(list);
    free(s);
    return 0;
}

/* ---- what became of each file ---- */

static json_t *json_file(const struct ingest_file *f)
{
    json_t *notes = json_array();
    for (size_t i = 0; i < f->n_notes; i++)
        json_array_append_new(notes,
                              json_pack("{s:o, s:I, s:I}", "what", json_mended(f->notes[i].what),
                                        "count", (json_int_t)f->notes[i].count, "first",
                                        (json_int_t)f->notes[i].first));
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "path",
        json_mended(f->path), "format", json_mended(f->format), "error", json_mended(f->error),
        "added", (json_int_t)f->added, "known", (json_int_t)f->known, "voice", (json_int_t)f->voice,
        "context", (json_int_t)f->context, "chunks", (json_int_t)f->chunks, "bytes",
        (json_int_t)f->bytes, "source", f->source ? json_integer(f->source) : json_null(), "from",
        json_time(f->from), "to", json_time(f->to), "passed_over", notes, "nobody", f->nobody);
}

/* Lists without a date or an author column are easily taken for something else than they are. */
static void say_missing_columns(const struct ingest *in, const struct ingest_file *f)
{
    bool table = f->format && (!strcmp(f->format, "csv") || !strcmp(f->format, "jsonl"));
    if (!table || !f->added) return;
    if (f->from == CLOCK_NONE && !in->dry_run)
        ui_line(UI_WARN, 4, "    no dates in it; if a column has them: --map date=COLUMN");
    if (!f->context && !in->by)
        ui_line(UI_WARN, 4,
                "    all of it counts as the persona's own; if a column names who wrote: "
                "--map author=COLUMN");
}

static void say_file(const struct ingest *in, const struct ingest_file *f)
{
    struct buf b = BUF_INIT(0);
    char n[64], v[32], span[64];
    if (f->error) {
        ui_line(UI_BAD, 4, "%s: not read: %s", f->path, f->error);
        return;
    }
    buf_printf(&b, "%s (%s): ", f->path, f->format);
    if (f->archive) {
        buf_adds(&b, "not all of it was taken");
    } else if (f->added) {
        buf_printf(&b, "%s, %s own", ui_count(f->added, "piece", "pieces", n),
                   ui_number(f->voice, v));
        if (f->from != CLOCK_NONE) buf_printf(&b, ", %s", ui_span(f->from, f->to, span));
        if (f->known) buf_printf(&b, "; %s known already", ui_number(f->known, v));
    } else if (f->known)
        buf_printf(&b, "nothing new, %s known already", ui_count(f->known, "piece", "pieces", n));
    else buf_adds(&b, "nothing to take in");
    ui_line(UI_PLAIN, 4, "%s", buf_str(&b));
    buf_clear(&b);
    for (size_t i = 0; i < f->n_notes; i++) {
        buf_printf(&b, "%s%s", i ? ", " : "", f->notes[i].what);
        if (f->notes[i].count > 1) buf_printf(&b, " (%s)", ui_number(f->notes[i].count, v));
    }
    if (f->n_notes) ui_line(UI_DIM, 6, "    passed over: %s", buf_str(&b));
    if (f->nobody)
        ui_line(UI_WARN, 4,
                "    nobody in it is the persona; if somebody is: likeness me \"NAME\"");
    say_missing_columns(in, f);
    buf_free(&b);
}

/* ---- a folder of small files is one line ---- */

/* Length of the folder part of a path, without the slash. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static bool nothing_to_note(const struct ingest_file *f)
{
    bool alone = !f->n_notes && !f->nobody && f->added + f->known == 1;
    return !f->error && (f->part || alone) && folder_length(f->path);
}

static void add_notes(struct ingest_file *to, const struct ingest_file *f)
{
    for (size_t i = 0; i < f->n_notes; i++) {
        size_t k = 0;
        while (k < to->n_notes && strcmp(to->notes[k].what, f->notes[i].what) != 0) k++;
        if (k < to->n_notes) to->notes[k].count += f->notes[i].count;
        else if (k < INGEST_NOTES) to->notes[to->n_notes++] = f->notes[i];
    }
}

static void say_group(struct adding *a)
{
    struct ingest_file all = a->group;
    char path[4200], n[64];
    size_t shown = a->aside < a->grouped ? a->grouped - a->aside : a->grouped;
    snprintf(path, sizeof path, "%.*s: %s", (int)folder_length(a->group_path), a->group_path,
             ui_count(shown, "file", "files", n));
    all.path = a->grouped == 1 ? a->group_path : path;
    if (a->grouped) say_file(a->in, &all);
    a->grouped = a->aside = 0;
}

/* A picture in a folder, and what else comes along and says nothing: text/fmt_aside.c. */
static bool is_aside(const struct ingest_file *f) { return !strcmp(f->format, "aside"); }

static void add_to_group(struct adding *a, const struct ingest_file *f)
{
    struct ingest_file *g = &a->group;
    size_t n = folder_length(f->path);
    bool aside = is_aside(f);
    bool same =
        a->grouped && n == folder_length(a->group_path) && !memcmp(f->path, a->group_path, n);
    if (!same) {
        say_group(a);
        *g = *f;
        snprintf(a->group_path, sizeof a->group_path, "%s", f->path);
    } else {
        if (is_aside(g)) g->format = f->format;
        else if (!aside && strcmp(g->format, f->format) != 0) g->format = "several formats";
        g->added += f->added;
        g->known += f->known;
        g->voice += f->voice;
        g->context += f->context;
        g->nobody &= f->nobody;
        add_notes(g, f);
        if (f->from != CLOCK_NONE && (g->from == CLOCK_NONE || f->from < g->from))
            g->from = f->from;
        if (f->to != CLOCK_NONE && (g->to == CLOCK_NONE || f->to > g->to)) g->to = f->to;
    }
    a->grouped++;
    a->aside += aside;
}

/* What could not be read is told one file late: the only one is the error of the command, and then
 * not told twice. */
static void say_error(struct adding *a)
{
    struct ingest_file f = { .path = a->bad_path, .error = a->bad_error };
    if (*a->bad_path) say_file(a->in, &f);
    *a->bad_path = 0;
}

static void hold_error(struct adding *a, const struct ingest_file *f)
{
    snprintf(a->bad_path, sizeof a->bad_path, "%s", f->path);
    snprintf(a->bad_error, sizeof a->bad_error, "%s", f->error);
}

static void on_file(void *ud, const struct ingest_file *f)
{
    struct adding *a = ud;
    a->nobody += f->nobody;
    if (a->files) {
        json_array_append_new(a->files, json_file(f));
        return;
    }
    ui_progress_clear();
    say_error(a);
    if (nothing_to_note(f)) {
        add_to_group(a, f);
        return;
    }
    if (f->error) {
        hold_error(a, f); /* the line of its folder goes on */
        return;
    }
    say_group(a);
    say_file(a->in, f);
    fflush(stdout);
}

static void on_preview(void *ud, const struct ingest_preview *v)
{
    struct adding *a = ud;
    if (a->files) {
        size_t room = SIZE_MAX;
        uint64_t more = 0;
        a->sources = told_sources(v, SIZE_MAX, &room, &more);
        a->joins = told_joins(v, &room, &more);
        return;
    }
    ui_progress_clear();
    say_group(a);
    print_coming(v);
}

static json_t *json_totals(const struct ingest_totals *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)t->files,
                     "failed", (json_int_t)t->failed, "added", (json_int_t)t->added, "known",
                     (json_int_t)t->known, "voice", (json_int_t)t->voice, "context",
                     (json_int_t)t->context, "chunks", (json_int_t)t->chunks, "bytes",
                     (json_int_t)t->bytes);
}

static void say_totals(const struct ingest_totals *t, bool dry, double seconds)
{
    char f[64], p[64], v[32], ctx[32], bad[32];
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "%s%s: %s in, %s in the persona's voice, %s by others as context",
               dry ? "(dry run) " : "", ui_count(t->files, "file", "files", f),
               ui_count(t->added, "piece", "pieces", p), ui_number(t->voice, v),
               ui_number(t->context, ctx));
    if (t->known) buf_printf(&b, ", %s known already", ui_number(t->known, v));
    if (t->failed) buf_printf(&b, ", %s not read", ui_number(t->failed, bad));
    ui_line(UI_BOLD, 2, "%s, %.1f s", buf_str(&b), seconds);
    buf_free(&b);
}

static void say_next(struct cli *c)
{
    char q[3][HINT_BYTES];
    if (c->quiet) return;
    size_t n = hint_questions(c, NULL, q, 3);
    if (!n) {
        if (!hint_nothing(c)) ui_note("Next: likeness ask QUESTION, or likeness chat");
        return;
    }
    ui_note("Next: likeness chat, or a question, such as");
    for (size_t i = 0; i < n; i++) ui_note("  likeness ask \"%s\"", q[i]);
}

/* ---- options ---- */

/* "+05:30", "-08", "Z" */
static int zone(const char *s, long *out, struct err *err)
{
    int64_t h = 0, m = 0;
    size_t n = s ? strlen(s) : 0;
    if (!s || !strcmp(s, "Z")) return 0;
    bool ok = (n == 3 || (n == 6 && s[3] == ':')) && (*s == '+' || *s == '-') &&
              str_i64((struct span){ s + 1, 2 }, &h) &&
              (n == 3 || str_i64((struct span){ s + 4, 2 }, &m));
    if (!ok || h < 0 || h > 14 || m < 0 || m > 59)
        return err_set(err, ERR_INVAL, "--tz takes +HH:MM or -HH:MM");
    *out = (*s == '-' ? -1L : 1L) * (long)(h * 3600 + m * 60);
    return 0;
}

static int known_format(const char *name, struct err *err)
{
    struct buf list = BUF_INIT(400);
    if (!name || format_by_name(name)) return 0;
    for (const struct format *const *f = formats; *f; f++)
        buf_printf(&list, "%s%s", f == formats ? "" : ", ", (*f)->name);
    int rc = err_set(err, ERR_INVAL, "there is no format \"%.40s\"; --as takes one of %s", name,
                     buf_str(&list));
    buf_free(&list);
    return rc;
}

/* In a dry run nothing may be stored, so the names are known to this process alone. */
static int aliases_for_now(struct persona *p, const char *list, struct err *err)
{
    for (const char *s = list; *s;) {
        size_t n = strcspn(s, ",");
        struct span one = span_trim((struct span){ s, n });
        char **grown = realloc(p->aliases, (p->n_aliases + 1) * sizeof *grown);
        if (!grown) return err_nomem(err);
        p->aliases = grown;
        if (one.n) {
            char *copy = strndup(one.p, one.n);
            if (!copy) return err_nomem(err);
            grown[p->n_aliases++] = copy;
        }
        s += n + (s[n] == ',');
    }
    return 0;
}

static int prepare(struct cli *c, struct ingest *in, struct err *err)
{
    const char *me = arg_str(c, "me");
    bool day = arg_flag(c, "day-first"), month = arg_flag(c, "month-first");
    in->as = arg_str(c, "as");
    in->map = arg_str(c, "map");
    in->by = arg_str(c, "by");
    in->dry_run = arg_flag(c, "dry-run");
    in->keep_secrets = arg_flag(c, "keep-secrets");
    in->day_first = day ? 1 : month ? 0 : -1;
    if (day && month)
        return err_set(err, ERR_INVAL, "--day-first and --month-first cannot both hold");
    for (size_t i = 0; i < c->args.n_pos; i++)
        if (!strcmp(c->args.pos[i], "-")) ui_stdin_is_data();
    int rc = known_format(in->as, err);
    if (!rc) rc = zone(arg_str(c, "tz"), &in->tz_offset, err);
    if (!rc && me && (in->dry_run || arg_flag(c, "who") || c->service))
        rc = aliases_for_now(c->persona, me, err);
    else if (!rc && me) rc = persona_alias_add(c->home, c->persona, me, err);
    return rc;
}

/* ---- beside a server ---- */

struct handing {
    struct cli *c;
    json_t *files;
};

static int hand_over(void *ud, const char *path, struct err *err)
{
    struct handing *h = ud;
    char name[33];
    uint64_t bytes;
    int rc = beside_spool(h->c, path, name, &bytes, err);
    if (!rc &&
        json_array_append_new(h->files, json_pack("{s:s, s:o, s:I}", "spool", name, "name",
                                                  json_mended(path), "bytes", (json_int_t)bytes)))
        rc = err_nomem(err);
    return rc;
}

static uint64_t number_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static int64_t time_of(const json_t *o, const char *key)
{
    int64_t t;
    const char *s = json_string_value(json_object_get(o, key));
    return s && clock_parse_iso(span_of(s), &t) ? t : CLOCK_NONE;
}

/* What the job says of a file, told as if it had been read here. */
static void tell_file(struct adding *a, const json_t *o)
{
    size_t i;
    json_t *note;
    struct ingest_file f = {
        .path = json_string_value(json_object_get(o, "name")) ?: "",
        .format = json_string_value(json_object_get(o, "format")),
        .error = json_string_value(json_object_get(json_object_get(o, "error"), "message")),
        .added = number_of(o, "added"),
        .known = number_of(o, "known"),
        .voice = number_of(o, "voice"),
        .context = number_of(o, "context"),
        .chunks = number_of(o, "chunks"),
        .bytes = number_of(o, "bytes"),
        .source = (int64_t)number_of(o, "source"),
        .from = time_of(o, "from"),
        .to = time_of(o, "to"),
        .nobody = json_is_true(json_object_get(o, "nobody")),
    };
    json_array_foreach(json_object_get(o, "notes"), i, note)
    {
        const char *what = json_string_value(json_object_get(note, "what"));
        if (f.n_notes == INGEST_NOTES || !what) break;
        struct ingest_note *n = &f.notes[f.n_notes++];
        snprintf(n->what, sizeof n->what, "%s", what);
        n->count = number_of(note, "count");
        n->first = number_of(note, "first");
    }
    on_file(a, &f);
}

static void unspool(struct cli *c, const json_t *files)
{
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file)
    {
        beside_unspool(c, json_string_value(json_object_get(file, "spool")));
    }
}

static int add_beside(struct cli *c, struct adding *a, struct ingest_totals *t, struct err *err)
{
    struct handing h = { c, json_array() };
    json_t *args = NULL, *done = NULL, *file;
    size_t i;
    int rc = 0;
    for (i = 0; i < c->args.n_pos && !rc; i++)
        rc = strcmp(c->args.pos[i], "-") ? io_walk(c->args.pos[i], hand_over, &h, err)
                                         : hand_over(&h, "-", err);
    if (!rc) {
        args = json_pack("{s:O, s:s*, s:s*, s:s*, s:s*, s:b, s:I, s:i}", "files", h.files, "as",
                         a->in->as, "by", a->in->by, "map", a->in->map, "me", arg_str(c, "me"),
                         "keep_secrets", a->in->keep_secrets, "tz", (json_int_t)a->in->tz_offset,
                         "day_first", a->in->day_first);
        rc = args ? 0 : err_nomem(err);
    }
    if (!rc) rc = beside_run(c, "ingest", args, &done, err);
    else unspool(c, h.files);
    json_array_foreach(json_object_get(done, "files"), i, file) { tell_file(a, file); }
    say_group(a); /* while what it borrows of `done` is there */
    *t = (struct ingest_totals){ .files = i + number_of(done, "more_files"),
                                 .failed = number_of(done, "failed"),
                                 .added = number_of(done, "added"),
                                 .known = number_of(done, "known"),
                                 .voice = number_of(done, "voice"),
                                 .context = number_of(done, "context"),
                                 .chunks = number_of(done, "chunks") };
    if (!rc && t->files && t->failed == t->files) {
        json_t *e = json_object_get(json_array_get(json_object_get(done, "files"), 0), "error");
        const char *text = json_string_value(json_object_get(e, "message"));
        rc = err_set(err, ERR_PARSE, "%s", text ? text : "no file could be read");
    }
    json_decref(h.files);
    json_decref(done);
    return rc;
}

int cmd_add(struct cli *c, struct err *err)
{
    struct ingest in = { .home = c->home, .persona = c->persona };
    struct adding a = { .c = c, .in = &in };
    struct ingest_totals t = { 0 };
    double began = clock_mono();
    int rc = prepare(c, &in, err);
    if (rc) return rc;
    in.who = who;
    in.on_file = on_file;
    in.on_preview = on_preview;
    in.ud = &a;
    in.progress = ui_progress_begin();
    if (arg_flag(c, "who")) return list_people(c, &in, err);
    if (c->json) a.files = json_array();
    if (c->service && !in.dry_run) rc = add_beside(c, &a, &t, err);
    else rc = ingest_paths(&in, c->args.pos, c->args.n_pos, &t, err);
    ui_progress_end();
    say_group(&a);
    if (!rc || t.files > 1) say_error(&a);
    if (c->json)
        c->out = json_pack("{s:o, s:o, s:b, s:o, s:o*, s:o*}", "files", a.files, "totals",
                           json_totals(&t), "dry_run", in.dry_run, "seconds",
                           jreal(clock_mono() - began, 3), "sources", a.sources, "joins", a.joins);
    else if (!rc) {
        say_totals(&t, in.dry_run, clock_mono() - began);
        if (!in.dry_run && t.added) say_next(c);
    } else if (t.added) {
        char n[64];
        ui_note("What came in before stays: %s.", ui_count(t.added, "piece", "pieces", n));
    }
    return rc;
}
