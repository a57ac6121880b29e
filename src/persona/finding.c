/* Finding what there is to ingest: folders are walked, archives and documents opened by
 * media/media.h, which knows how to do that without harm. An entry of an archive is a file like any
 * other for ingest.c, and what it is called ("export.zip/Chats/x.txt") is its path; what an archive
 * holds that is no text is counted and told once, after its entries.
 *
 * Before the first file comes in, it must be known who of the people in them is the persona; all
 * files are surveyed for that (who.c), when the persona has no names yet. */
#include "base/io.h"
#include "base/str.h"
#include "media/media.h"
#include "persona/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TAPE_MOST ((size_t)96 << 20)

/* ---- paths and people ---- */

static int collect(void *ud, const char *path, struct err *err)
{
    struct path_list *l = ud;
    struct stat st;
    if (strcmp(path, "-") && !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVAL,
                       "%s is a pipe or a device, not a file: to read from it, give "
                       "\"-\" and let it be standard input",
                       path);
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        char **grown = realloc(l->path, cap * sizeof *grown);
        if (!grown) return err_nomem(err);
        l->path = grown;
        bool *more = realloc(l->walked, cap * sizeof *more);
        if (!more) return err_nomem(err);
        l->walked = more;
        l->cap = cap;
    }
    if (!(l->path[l->n] = str_dup(path))) return err_nomem(err);
    l->walked[l->n] = strcmp(path, l->root) != 0;
    l->bytes += io_file_size(path);
    l->n++;
    return 0;
}

/* Files that tell the names which the others need are read before them; else the order stays. */
static void names_to_front(struct path_list *l)
{
    for (size_t i = 0, k = 0; i < l->n; i++) {
        char *path = l->path[i];
        bool walked = l->walked[i];
        if (!names_first(path)) continue;
        memmove(l->path + k + 1, l->path + k, (i - k) * sizeof *l->path);
        memmove(l->walked + k + 1, l->walked + k, (i - k) * sizeof *l->walked);
        l->walked[k] = walked;
        l->path[k++] = path;
    }
}

int path_list_of(const char *const *paths, size_t n, struct path_list *out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        out->root = paths[i];
        rc = strcmp(paths[i], "-") ? io_walk(paths[i], collect, out, err) : collect(out, "-", err);
    }
    if (!rc && !out->n) rc = err_set(err, ERR_NOTFOUND, "there is no file in that folder");
    if (!rc) names_to_front(out);
    return rc;
}

void path_list_free(struct path_list *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->path[i]);
    free(l->path);
    free(l->walked);
    *l = (struct path_list){ 0 };
}

int ingest_run_begin(struct ingest *in, struct ingest_run *own, struct err *err)
{
    if (in->run) return 0;
    *own = (struct ingest_run){ .names = names_new(), .tape_most = TAPE_MOST };
    if (!own->names) return err_nomem(err);
    in->run = own;
    if (!in->dry_run || !in->on_preview) return 0;
    own->preview = preview_new(in->home, in->persona, err);
    if (own->preview) return 0;
    ingest_run_end(in, own);
    return err && err->code ? err->code : ERR_NOMEM;
}

void ingest_run_end(struct ingest *in, struct ingest_run *own)
{
    if (in->run != own) return;
    in->run = NULL;
    names_free(own->names);
    preview_free(own->preview);
    map_free(&own->parts);
    map_free(&own->dry);
    again_free(&own->again);
    batch_free(&own->batch);
}

void ingest_run_next(struct ingest_run *run, uint64_t deletions)
{
    run->files++;
    if (run->deletions == deletions) return;
    run->deletions = deletions;
    again_free(&run->again);
    map_free(&run->parts);
}

static int tell_preview(struct ingest *in, struct preview *v, struct err *err)
{
    struct ingest_preview told;
    int rc = v ? preview_end(v, &told, err) : 0;
    if (v && !rc) in->on_preview(in->ud, &told);
    return rc;
}

/* Asks which of the speakers is the persona, unless one is so by name. Frees s. */
int speakers_choose(struct ingest *in, struct speaker *s, size_t n, struct err *err)
{
    struct buf chosen = BUF_INIT(65536);
    bool named = false, open = false; /* open: somebody in it may be the persona */
    int rc = 0;
    for (size_t i = 0; i < n; i++) named |= persona_is(in->persona, s[i].name, s[i].id);
    for (size_t i = 0; i < n; i++) open |= !s[i].other;
    if (!open || named) goto out;
    if ((rc = batch_commit(in, err))) goto out;
    if (in->who) rc = in->who(in->ud, s, n, &chosen, err);
    if (rc) goto out;
    if (!chosen.n)
        rc = err_set(err, ERR_INVAL,
                     "%zu %s in these files and it is not known which one is the "
                     "persona: say so once with --me \"NAME,MAIL,PHONE\" (`likeness add --who` "
                     "lists the people)",
                     n, n == 1 ? "person writes" : "people write");
    else if (in->dry_run) rc = persona_alias_parse(in->persona, buf_str(&chosen), err);
    else rc = persona_alias_add(in->home, in->persona, buf_str(&chosen), err);
out:
    free(s);
    buf_free(&chosen);
    return rc;
}

/* Before anything is stored: who writes in the files? */
static int settle_who(struct ingest *in, const struct path_list *l, struct err *err)
{
    struct speaker *s = NULL;
    size_t n = 0, n_files = 0;
    if (in->persona->n_aliases) return 0;
    const char **files = calloc(l->n + 1, sizeof *files);
    if (!files) return err_nomem(err);
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->path[i], "-")) files[n_files++] = l->path[i];
    int rc = n_files ? ingest_speakers(in, files, n_files, &s, &n, err) : 0;
    free(files);
    return rc ? rc : speakers_choose(in, s, n, err);
}

bool ingest_ends_all(int rc)
{
    return rc == ERR_CANCEL || rc == ERR_NOMEM || rc == ERR_FULL || rc == ERR_BUSY ||
           rc == ERR_SEAL || rc == ERR_KEY || rc == ERR_INTERNAL;
}

static void add_totals(struct ingest_totals *t, const struct ingest_file *f)
{
    t->files++;
    t->failed += f->error != NULL;
    t->added += f->added;
    t->known += f->known;
    t->voice += f->voice;
    t->context += f->context;
    t->chunks += f->chunks;
    t->bytes += f->bytes;
}

/* ---- files, and what is in them ---- */

static void note(struct ingest_file *f, const char *what)
{
    struct ingest_note n = { .count = 1 };
    snprintf(n.what, sizeof n.what, "%s", what);
    ingest_note_add(f, &n);
}

/* Files as they are found: the path itself, or what is in it. */
struct finding {
    struct ingest *in;
    uint64_t before, total, at; /* bytes: of the paths before this one, of all, of this one */
    bool survey, walked;
    struct ingest_file own; /* what was passed over in archives */
    struct err lost;        /* why a commit between two files failed */
};

/* A file is done, and with it perhaps the batch. An error of this ends the run. */
static int tell(struct finding *g, struct ingest_file *f, const struct err *why, struct err *err)
{
    struct err e = { 0 };
    int rc = batch_tell(g->in, f, why, err);
    if (rc) return rc;
    rc = batch_due(g->in, &e);
    return ingest_ends_all(rc) ? err_set(err, rc, "%s", e.msg) : 0;
}

static int found_file(void *ud, const struct format *f, struct format_in *file, struct err *err)
{
    struct finding *g = ud;
    struct err e = { 0 };
    struct ingest_file rep;
    uint64_t at = g->before + g->at;
    int rc = ingest_one(g->in, f, file, g->survey, at, g->total, &rep, &e);
    if (rc == ERR_CANCEL)
        return err_set(err, rc,
                       "stopped at %s: nothing of it was taken, what was added before stays",
                       file->path);
    if (ingest_ends_all(rc)) return err_set(err, rc, "%s", e.msg);
    return tell(g, &rep, rc ? &e : NULL, err);
}

/* What nobody recognised in a folder that was named is no error when pictures and the data of
 * programs are called so: it is told with the others of its folder. */
static int found_bad(void *ud, const char *path, const char *format, const struct err *why)
{
    struct finding *g = ud;
    struct ingest_file f = { .path = path, .format = format, .from = CLOCK_NONE, .to = CLOCK_NONE };
    const char *what = format || !g->walked ? NULL : format_passed_over(path);
    if (what && why->code == ERR_PARSE) {
        f.format = "aside";
        f.part = true;
        note(&f, what);
        return tell(g, &f, NULL, &g->lost);
    }
    return ingest_ends_all(why->code) ? why->code : tell(g, &f, why, &g->lost);
}

static void found_skipped(void *ud, const char *archive, const char *format, const char *what)
{
    struct finding *g = ud;
    bool itself = !strcmp(archive, g->own.path);
    if (itself || !g->own.format) g->own.format = itself ? format : "archive";
    note(&g->own, what);
}

static int found_consumed(void *ud, uint64_t bytes)
{
    struct finding *g = ud;
    struct err e = { 0 };
    if (bytes != UINT64_MAX) g->at = bytes;
    if (ingest_ends_all(batch_due(g->in, &e))) {
        g->lost = e;
        return e.code;
    }
    return progress_tick(g->in->progress, "read", g->before + g->at, g->total, "bytes");
}

/* What is at path, or in f when that is open already. */
static int find(struct finding *g, FILE *f, const char *path, struct err *err)
{
    struct media_visit v = { .file = found_file,
                             .bad = found_bad,
                             .skipped = found_skipped,
                             .consumed = found_consumed,
                             .ud = g };
    int rc = f ? media_each_file(f, path, CLOCK_NONE, g->in->as, &v, err)
               : media_each(path, g->in->as, &v, err);
    return g->lost.code ? err_set(err, g->lost.code, "%s", g->lost.msg) : rc;
}

/* The last files are committed whatever came after them. Who cancelled is not told that they stay
 * when they do not. */
static int find_end(struct ingest *in, int rc, struct err *err)
{
    struct err why = { 0 };
    int end = batch_commit(in, &why);
    bool heard = rc && rc != ERR_CANCEL;
    return heard || !ingest_ends_all(end) ? rc : err_set(err, end, "%s", why.msg);
}

static void add_counts(struct ingest_file *to, const struct ingest_file *f)
{
    to->added += f->added;
    to->known += f->known;
    to->voice += f->voice;
    to->context += f->context;
    to->chunks += f->chunks;
    to->bytes += f->bytes;
    to->sources_new += f->sources_new;
    to->sources_grown += f->sources_grown;
    if (f->source) to->source = f->source;
    if (f->from != CLOCK_NONE && (to->from == CLOCK_NONE || f->from < to->from)) to->from = f->from;
    if (f->to != CLOCK_NONE && (to->to == CLOCK_NONE || f->to > to->to)) to->to = f->to;
    for (size_t i = 0; i < f->n_notes; i++) ingest_note_add(to, &f->notes[i]);
}

struct sum {
    struct ingest_file all;
    struct err first;
    uint64_t read, failed;
    bool somebody, authors;
};

static void sum_up(void *ud, struct ingest_file *f, const struct err *e)
{
    struct sum *s = ud;
    if (!s->all.format) s->all.format = f->format;
    else if (f->format && strcmp(s->all.format, f->format) != 0) s->all.format = "several formats";
    add_counts(&s->all, f);
    s->authors |= f->nobody;
    s->somebody |= f->voice && !f->nobody;
    if (!e) s->read++;
    else if (!s->failed++) s->first = *e;
    if (e) note(&s->all, "file that could not be read");
}

int ingest_opened(struct ingest *in, FILE *f, const char *name, uint64_t before, uint64_t total,
                  struct ingest_file *rep, struct err *err)
{
    struct sum s = { .all = { .path = name, .from = CLOCK_NONE, .to = CLOCK_NONE } };
    struct finding g = { .in = in, .survey = true, .before = before, .total = total };
    g.own.path = name;
    struct ingest_run own = { 0 };
    int rc = ingest_run_begin(in, &own, err);
    if (!rc) {
        in->run->batch.tell = sum_up;
        in->run->batch.ud = &s;
        rc = find_end(in, find(&g, f, name, err), err);
    } else {
        fclose(f);
    }
    ingest_run_end(in, &own);
    if (!rc && s.failed && !s.read) rc = err_set(err, s.first.code, "%s", s.first.msg);
    for (size_t i = 0; i < g.own.n_notes; i++) ingest_note_add(&s.all, &g.own.notes[i]);
    s.all.nobody = s.authors && !s.somebody;
    *rep = s.all;
    return rc;
}

/* ---- a run ---- */

struct run {
    struct ingest *in;
    struct ingest_totals *out;
    struct err *first; /* of all files; code 0: none */
};

static void report(void *ud, struct ingest_file *f, const struct err *e)
{
    struct run *r = ud;
    if (e) f->error = e->msg;
    if (e && !r->first->code) *r->first = *e;
    if (!f->archive) add_totals(r->out, f);
    if (r->in->on_file) r->in->on_file(r->in->ud, f);
}

/* All files of the list; an error of this function means that the run ended early. */
static int ingest_list(struct ingest *in, const struct path_list *l, struct ingest_totals *out,
                       struct err *first, struct err *err)
{
    struct run r = { .in = in, .out = out, .first = first };
    struct finding g = { .in = in, .total = l->bytes };
    int rc = 0;
    in->run->batch.tell = report;
    in->run->batch.ud = &r;
    for (size_t i = 0; i < l->n && !rc; i++) {
        const char *path = l->path[i];
        g.at = 0;
        g.survey = !strcmp(path, "-");
        g.walked = l->walked[i];
        g.own = (struct ingest_file){
            .path = path, .archive = true, .from = CLOCK_NONE, .to = CLOCK_NONE
        };
        rc = find(&g, NULL, path, err);
        if (!rc && g.own.n_notes) rc = batch_tell(in, &g.own, NULL, err);
        g.before += strcmp(path, "-") ? io_file_size(path) : 0;
    }
    return find_end(in, rc, err);
}

int ingest_paths(struct ingest *in, const char *const *paths, size_t n, struct ingest_totals *out,
                 struct err *err)
{
    struct path_list l = { 0 };
    struct err first = { 0 };
    size_t aliases = in->persona->n_aliases;
    *out = (struct ingest_totals){ 0 };
    struct ingest_run own = { 0 };
    int rc = ingest_run_begin(in, &own, err);
    if (!rc) rc = path_list_of(paths, n, &l, err);
    if (!rc) rc = settle_who(in, &l, err);
    bool begun = !rc;
    if (!rc) rc = ingest_list(in, &l, out, &first, err);
    bool ended = rc != 0;
    if (!rc) rc = tell_preview(in, own.preview, err);
    ingest_run_end(in, &own);
    if (!rc && out->failed == out->files && out->files)
        rc = err_set(err, first.code, "%s", first.msg);
    if (begun && !ended && !in->dry_run && in->persona->stale) {
        int settled = persona_settle(in->home, in->persona, in->progress, rc ? NULL : err);
        if (!rc) rc = settled;
    }
    if (in->dry_run) persona_alias_cut(in->persona, aliases);
    path_list_free(&l);
    return rc;
}

void ingest_note_add(struct ingest_file *f, const struct ingest_note *n)
{
    size_t i = 0;
    while (i < f->n_notes && strcmp(f->notes[i].what, n->what)) i++;
    if (i == INGEST_NOTES) return;
    if (i == f->n_notes) {
        f->notes[f->n_notes++] = *n;
        return;
    }
    f->notes[i].count += n->count;
}
