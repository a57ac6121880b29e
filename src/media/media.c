/* Visiting files, documents and archives.
 *
 * One `walk` for the path that was given, with the budget of all that may come out of it; in it,
 * one `unpack` for each helper: an archive in an archive is an entry like any other, lies in memory
 * as one, and gets a helper of its own while that of the outer archive waits with its pipe full.
 *
 * Entries lie in anonymous memory files, large ones in sealed temporary files (hold.h), because
 * parsers read twice and seek. Their names are cleaned before anybody sees them: "..", leading
 * slashes, backslashes and control characters are names like any other here, since nothing is ever
 * written under them, but they shall not look like paths outside of the archive in a report. Two
 * entries of one name are two entries.
 *
 * A limit that is reached ends the reading of the archive, and what came in before stays; an entry
 * that is too large is reported and passed over. What lies sealed is lent to the helper block by
 * block (lend.h), but a document is read as a whole and lies in memory then, so one that lies in an
 * archive may be less large than a file of text there. */
#include "media/media.h"

#include "base/buf.h"
#include "base/str.h"
#include "media/hold.h"
#include "media/lend.h"
#include "media/pairs.h"
#include "media/wire.h"
#include "text/charset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB          ((uint64_t)1 << 20)
#define UNKNOWN_TOLD 10 /* entries of no known format that are named; more are counted */
#define PATH_BYTES   3000

const struct media_limits media_limits_default = {
    .entry = 16 * 1024 * MIB,
    .kept = 128 * MIB,
    .inner = 512 * MIB,
    .total = 64 * 1024 * MIB,
    .free_bytes = 256 * MIB,
    .ratio = 200,
    .entries = 1000000,
    .depth = 3,
    .idle_s = 60,
    .cpu_s = 120,
    .memory = (size_t)1 << 30,
};

struct walk {
    const struct media_visit *v;
    const struct media_limits *lim;
    const char *as;   /* a text format for what is in archives; NULL: recognised */
    uint64_t size;    /* of the path that was given */
    uint64_t came;    /* bytes that came out of it */
    uint32_t n;       /* entries */
    uint32_t unknown; /* of no known format */
};

struct unpack {
    struct walk *w;
    struct format_in *in;
    const struct format *f; /* what the helper says it is */
    const char *path;
    uint32_t depth;
    struct lent lent; /* what the helper reads */
    struct helper helper;
    struct hold *hold; /* the entry that is coming */
    uint64_t got;
    bool text, too_large, some; /* some: an entry was seen */
    struct buf name;            /* its path, cleaned, with that of the archive before it */
    char title[256], author[256];
    int64_t mtime, date;
    enum fault fault; /* of the entry */
    enum fault whole; /* of the file */
    struct pairs pairs;
};

static int visit(struct walk *w, const struct format *f, struct format_in *in, FILE *journal,
                 uint32_t depth, struct err *err);

/* Says that path cannot be read. 0, or what the visitor answers. */
static int bad(struct walk *w, const char *path, const char *format, const struct err *why,
               struct err *err)
{
    if (why->code == ERR_NOMEM || why->code == ERR_CANCEL)
        return err_set(err, why->code, "%s", why->msg);
    int rc = w->v->bad ? w->v->bad(w->v->ud, path, format, why) : 0;
    return rc ? err_set(err, rc, "%s", why->msg) : 0;
}

static int bad_text(struct walk *w, const char *path, const char *format, int code,
                    const char *text, struct err *err)
{
    struct err why;
    const char *slash = strrchr(path, '/');
    err_set(&why, code, "%s %s", slash && slash[1] ? slash + 1 : path, text);
    return bad(w, path, format, &why, err);
}

static void skipped(struct unpack *u, const char *what)
{
    if (u->w->v->skipped) u->w->v->skipped(u->w->v->ud, u->path, u->f->name, what);
}

/* ---- names ---- */

/* Names from Windows and DOS are in code page 437 when they are not UTF-8. */
static void to_utf8(struct span s, struct buf *out)
{
    const char *charset = utf8_valid(s.p, s.n) ? "UTF-8" : "CP437";
    if (charset_to_utf8(out, charset, s.p, s.n, NULL)) utf8_clean(out, s.p, s.n);
}

static void clean_path(struct span raw, struct buf *out)
{
    struct buf b = BUF_INIT(8 * WIRE_NAME);
    to_utf8(raw, &b);
    for (size_t i = 0; i < b.n;) {
        size_t k = i;
        while (k < b.n && b.p[k] != '/' && b.p[k] != '\\') k++;
        struct span c = { b.p + i, k - i };
        bool up = span_eq(c, "..") || span_eq(c, ".");
        if (c.n && !up && out->n + c.n < PATH_BYTES) {
            buf_addc(out, '/');
            for (size_t j = 0; j < c.n; j++)
                buf_addc(out, c.p[j] == '\n' || c.p[j] == '\t' ? ' ' : c.p[j]);
        }
        i = k + 1;
    }
    buf_free(&b);
}

/* "notes.txt.gz" holds "notes.txt". */
static void name_of_single(const char *archive, struct buf *out)
{
    static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst" };
    const char *slash = strrchr(archive, '/'), *base = slash && slash[1] ? slash + 1 : archive;
    size_t n = strlen(base);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && str_ends(base, ends[i])) {
            n -= strlen(ends[i]);
            break;
        }
    buf_addc(out, '/');
    buf_add(out, base, n);
}

static void put_field(char out[256], struct span s)
{
    struct buf b = BUF_INIT(8 * WIRE_NAME);
    utf8_clean(&b, s.p, s.n);
    struct span t = span_trim((struct span){ buf_str(&b), b.n });
    size_t n = utf8_cut(t.p, t.n, 255);
    for (size_t i = 0; i < n; i++) out[i] = t.p[i] == '\n' || t.p[i] == '\t' ? ' ' : t.p[i];
    out[n] = 0;
    buf_free(&b);
}

/* ---- one entry ---- */

static int begin(struct unpack *u, const struct wire_record *r, struct err *err)
{
    const char *base = strcmp(u->path, "-") != 0 ? u->path : "standard input";
    u->text = r->text;
    u->got = 0;
    u->too_large = false;
    u->fault = FAULT_NONE;
    u->mtime = r->mtime;
    u->date = r->date;
    u->some = true;
    put_field(u->title, r->title);
    put_field(u->author, r->author);
    buf_clear(&u->name);
    buf_adds(&u->name, base);
    size_t n = u->name.n;
    if (!u->text) clean_path(r->path, &u->name);
    if (!u->text && u->name.n == n) name_of_single(base, &u->name);
    hold_free(u->hold);
    u->hold = hold_new(u->w->lim->kept);
    return u->hold && !u->name.failed ? 0 : err_nomem(err);
}

static int data(struct unpack *u, struct span bytes, struct err *err)
{
    struct walk *w = u->w;
    w->came += bytes.n;
    if (w->came > w->lim->total)
        return err_set(err, ERR_LIMIT,
                       "%s: more than %llu MiB come out of it: unpack it and give the files",
                       u->in->name, (unsigned long long)(w->lim->total / MIB));
    if (w->came > w->lim->free_bytes && w->came / w->lim->ratio > w->size)
        return err_set(err, ERR_LIMIT,
                       "%s: it grows to more than %u times its size, as files do that are made to "
                       "fill a disk: if you trust it, unpack it and give the files",
                       u->in->name, w->lim->ratio);
    u->got += bytes.n;
    if (u->got > w->lim->entry) u->too_large = true;
    if (u->too_large) return 0;
    return hold_add(u->hold, bytes.p, bytes.n, err);
}

/* The text of a document, as a file of the document's name. */
static int deliver_text(struct unpack *u, FILE *spool, bool partial, struct err *err)
{
    const struct format *text;
    struct format_in in;
    struct err why = { 0 };
    int rc = format_open_file(spool, u->in->path, u->in->mtime, "text", &text, &in, &why);
    if (rc) return bad(u->w, u->in->path, u->f->name, &why, err);
    in.date = u->date == CLOCK_NONE ? 0 : u->date;
    in.unpacked = true;
    in.partial = partial;
    snprintf(in.title, sizeof in.title, "%s", u->title);
    snprintf(in.author, sizeof in.author, "%s", u->author);
    rc = u->w->v->file(u->w->v->ud, u->f, &in, err);
    format_close(&in);
    return rc;
}

static int deliver_file(struct unpack *u, FILE *spool, bool partial, struct err *err)
{
    struct walk *w = u->w;
    const char *path = buf_str(&u->name);
    const struct format *f;
    struct format_in in;
    struct err why = { 0 };
    bool journal = pairs_is_journal(spool, path);
    if (journal && u->got > w->lim->inner) {
        fclose(spool);
        return bad_text(w, path, NULL, ERR_LIMIT,
                        "is a journal too large to be read in an archive: unpack that, and give "
                        "the database with its journal beside it",
                        err);
    }
    if (journal && pairs_keep(&u->pairs, path, NULL, spool)) return 0;
    if (pairs_is_index(spool, path)) {
        skipped(u, "index of a journal");
        fclose(spool);
        return 0;
    }
    int rc = format_open_file(spool, path, u->mtime, w->as, &f, &in, &why);
    const char *what = rc == ERR_PARSE ? format_passed_over(path) : NULL;
    if (rc == ERR_PARSE && !what && ++w->unknown > UNKNOWN_TOLD) what = "file of no known format";
    if (what) {
        skipped(u, what);
        return 0;
    }
    if (rc) return bad(w, path, NULL, &why, err);
    in.partial = partial;
    if (f == format_by_name("imessage") && pairs_wants(&in) &&
        pairs_keep(&u->pairs, path, &in, NULL))
        return 0;
    rc = visit(w, f, &in, NULL, u->depth + 1, err);
    format_close(&in);
    return rc;
}

/* Databases and their journals, after all of the archive was seen. */
static int deliver_pairs(struct unpack *u, struct err *err)
{
    const struct format *f = format_by_name("imessage");
    struct pair *one;
    FILE *journal;
    const char *path;
    int rc = 0;
    while (!rc && (one = pairs_next(&u->pairs, &journal))) {
        if (journal) skipped(u, "journal, read with its database");
        rc = visit(u->w, f, &one->in, journal, u->depth + 1, err);
    }
    while (!rc && (path = pairs_lonely(&u->pairs)))
        rc = bad_text(u->w, path, NULL, ERR_PARSE,
                      "is the journal of a database that is not beside it: add them together", err);
    return rc;
}

static int end(struct unpack *u, bool partial, struct err *err)
{
    struct walk *w = u->w;
    const char *path = buf_str(&u->name), *format = u->text ? u->f->name : NULL;
    struct err why = { 0 };
    struct hold *hold = u->hold;
    FILE *f = u->too_large || !u->got ? NULL : hold_file(hold, &why);
    int rc;
    u->hold = NULL;
    hold_free(hold);
    if (u->too_large) {
        err_set(&why, ERR_LIMIT, "it is larger than %llu MiB: unpack it and give the file",
                (unsigned long long)(w->lim->entry / MIB));
        rc = bad(w, path, format, &why, err);
    } else if (!u->got) {
        enum fault no = u->fault ? u->fault : FAULT_EMPTY;
        rc = bad_text(w, path, format, fault_code(no), fault_text(no), err);
    } else if (!f) {
        rc = bad(w, path, format, &why, err);
    } else if (u->text) {
        rc = deliver_text(u, f, partial || u->fault, err);
    } else {
        rc = deliver_file(u, f, partial || u->fault, err);
    }
    return rc;
}

/* ---- one helper ---- */

static int count_entry(struct unpack *u, struct err *err)
{
    if (++u->w->n <= u->w->lim->entries) return 0;
    return err_set(err, ERR_LIMIT,
                   "%s: more than %u files are in it: unpack it and give the folder", u->in->name,
                   u->w->lim->entries);
}

static int kind(struct unpack *u, struct span name, struct err *err)
{
    char s[32];
    snprintf(s, sizeof s, "%.*s", (int)(name.n < 31 ? name.n : 31), name.p ? name.p : "");
    const struct format *f = format_by_name(s);
    if (!f || !f->packed) return err_set(err, ERR_PARSE, "the helper's answer: an unknown kind");
    u->f = f;
    return 0;
}

static int tick(void *ud)
{
    const struct walk *w = ud;
    return w->v->consumed ? w->v->consumed(w->v->ud, UINT64_MAX) : 0;
}

static int at(struct unpack *u, uint64_t bytes, struct err *err)
{
    const struct media_visit *v = u->w->v;
    if (u->depth || !v->consumed) return 0;
    if (bytes > u->w->size) bytes = u->w->size;
    return v->consumed(v->ud, bytes) ? err_set(err, ERR_CANCEL, "cancelled") : 0;
}

/* One record. *ours: the error is about this file, not an answer of the visitor. */
static int take(struct unpack *u, const struct wire_record *r, bool *ours, struct err *err)
{
    bool inside = u->hold != NULL;
    *ours = true;
    switch (r->type) {
    case WIRE_KIND: return kind(u, r->kind, err);
    case WIRE_BEGIN: {
        int rc = count_entry(u, err);
        if (!rc) rc = at(u, r->at, err);
        return rc ? rc : begin(u, r, err);
    }
    case WIRE_DATA: return data(u, r->bytes, err);
    case WIRE_END: *ours = false; return end(u, r->partial, err);
    case WIRE_NOTE:
        u->some = true;
        skipped(u, note_text(r->note));
        return count_entry(u, err);
    case WIRE_AT: return at(u, r->at, err);
    case WIRE_WANT: return lend_piece(&u->lent, &u->helper, r->at, r->want, err);
    case WIRE_FAULT:
        if (inside) u->fault = r->fault;
        else u->whole = r->fault;
        return 0;
    case WIRE_DONE: break;
    }
    return 0;
}

/* The helper has ended well or not, rc is how the reading went; 0 when that is all told. */
static int conclude(struct unpack *u, int rc, bool done, enum helper_end how, struct err *why,
                    struct err *err)
{
    const char *name = u->f->name;
    if (rc < 0) return bad(u->w, u->in->path, name, why, err);
    if (!done && how != HELPER_WELL)
        return bad_text(u->w, u->in->path, name,
                        how == HELPER_TOOK_TOO_LONG ? ERR_LIMIT : ERR_PARSE, helper_end_text(how),
                        err);
    if (!done) u->whole = FAULT_BROKEN;
    if (u->whole)
        return bad_text(u->w, u->in->path, name, fault_code(u->whole), fault_text(u->whole), err);
    if (!u->some) return bad_text(u->w, u->in->path, name, ERR_PARSE, "holds no files", err);
    return 0;
}

static int read_all(struct unpack *u, struct err *err)
{
    const struct media_limits *lim = u->w->lim;
    struct helper *h = &u->helper;
    struct err why = { 0 };
    uint64_t cpu = lim->cpu_s + u->in->size / MIB;
    bool ours = true;
    *h = (struct helper){ .idle_s = lim->idle_s, .tick = tick, .ud = u->w };
    int rc = helper_start(h, &u->lent.in, u->f->name, lim->memory, cpu, &why);
    if (rc) return bad(u->w, u->in->path, u->f->name, &why, err);
    struct wire_in wire = { .fd = h->fd, .wait = helper_wait, .ud = h };
    struct wire_record r;
    while ((rc = wire_next(&wire, &r, &why)) > 0) {
        struct err *into = r.type == WIRE_END ? err : &why;
        rc = take(u, &r, &ours, into);
        if (rc || wire.done) break;
        ours = true;
    }
    enum helper_end how = helper_stop(h, !rc && !wire.done);
    bool done = wire.done;
    wire_clear(&wire);
    hold_free(u->hold);
    u->hold = NULL;
    if (rc && !ours) return rc;
    int told = conclude(u, rc, done, how, &why, err);
    return told ? told : deliver_pairs(u, err);
}

static int unpack(struct walk *w, const struct format *f, struct format_in *in, FILE *journal,
                  uint32_t depth, struct err *err)
{
    struct unpack u = {
        .w = w, .in = in, .f = f, .path = in->path, .depth = depth, .name = BUF_INIT(16384)
    };
    struct err why = { 0 };
    if (depth >= w->lim->depth) {
        err_set(&why, ERR_LIMIT, "%s lies in more than %u archives, one in the other: unpack them",
                in->name, w->lim->depth);
        return bad(w, in->path, f->name, &why, err);
    }
    if (depth && in->size > w->lim->inner) {
        err_set(&why, ERR_LIMIT,
                "%s is larger than %llu MiB and lies in an archive: unpack that and give this",
                in->name, (unsigned long long)(w->lim->inner / MIB));
        return bad(w, in->path, f->name, &why, err);
    }
    int rc = lend_open(&u.lent, in->f, in->name, journal, f->name, &why);
    if (rc) rc = bad(w, in->path, f->name, &why, err);
    else rc = read_all(&u, err);
    lend_close(&u.lent);
    pairs_clear(&u.pairs);
    buf_free(&u.name);
    return rc;
}

static int visit(struct walk *w, const struct format *f, struct format_in *in, FILE *journal,
                 uint32_t depth, struct err *err)
{
    return f->packed ? unpack(w, f, in, journal, depth, err) : w->v->file(w->v->ud, f, in, err);
}

static int visit_opened(int rc, const char *path, bool on_disk, const char *as,
                        const struct format *f, struct format_in *in, const struct media_visit *v,
                        const struct err *why, struct err *err)
{
    const struct format *named = format_by_name(as);
    struct walk w = { .v = v,
                      .lim = v->limits ? v->limits : &media_limits_default,
                      .as = named && !named->packed ? as : NULL,
                      .size = rc ? 0 : in->size };
    if (rc) return bad(&w, path, NULL, why, err);
    FILE *journal = on_disk && !strcmp(f->name, "imessage") ? pairs_journal(path) : NULL;
    rc = visit(&w, f, in, journal, 0, err);
    if (journal) fclose(journal);
    format_close(in);
    return rc;
}

int media_each(const char *path, const char *as, const struct media_visit *v, struct err *err)
{
    const struct format *f = NULL;
    struct format_in in;
    struct err why = { 0 };
    if (pairs_beside(path)) {
        if (v->skipped) v->skipped(v->ud, path, "imessage", "journal, read with its database");
        return 0;
    }
    int rc = format_open(path, as, &f, &in, &why);
    return visit_opened(rc, path, strcmp(path, "-") != 0, as, f, &in, v, &why, err);
}

int media_each_file(FILE *file, const char *path, int64_t mtime, const char *as,
                    const struct media_visit *v, struct err *err)
{
    const struct format *f = NULL;
    struct format_in in;
    struct err why = { 0 };
    int rc = format_open_file(file, path, mtime, as, &f, &in, &why);
    return visit_opened(rc, path, false, as, f, &in, v, &why, err);
}
