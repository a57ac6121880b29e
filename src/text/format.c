/* The table of formats, recognition, and what the parsers share.
 *
 * Recognition asks every parser how sure it is, from the first 64 KiB and the name; the highest
 * score wins and earlier rows win ties, so the table stands in order of how particular a format is.
 * Plain text claims whatever is text and is not visibly something else. What cannot be read
 * (pictures, recordings, databases) is refused with the way out, by its magic bytes.
 *
 * Standard input and pipes are copied to an unlinked temporary file of mode 0600, because parsers
 * may read twice; a crash leaves nothing behind. */
#include "text/format.h"

#include "base/str.h"
#include "text/charset.h"
#include "text/date.h"
#include "text/fmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TWO_DAYS   172800
#define SPOOL_MAX  ((size_t)256 << 20)
#define YEAR_1     (-62135596800)
#define YEAR_10000 253402300800

const struct format *const formats[] = {
    &format_whatsapp, &format_telegram, &format_mbox,   &format_eml,    &format_html,
    &format_markdown, &format_jsonl,    &format_csv,    &format_plain,  &format_meta,
    &format_discord,  &format_chatgpt,  &format_claude, &format_x,      &format_mastodon,
    &format_keep,     &format_dayone,   &format_docx,   &format_odt,    &format_epub,
    &format_pptx,     &format_rtf,      &format_pdf,    &format_zip,    &format_tar,
    &format_gz,       &format_slack,    &format_matrix, &format_gchat,  &format_signal,
    &format_reddit,   &format_vcard,    &format_ics,    &format_notion, &format_imessage,
    &format_aside,    &format_facebook, NULL,
};

const struct format *format_by_name(const char *name)
{
    for (const struct format *const *f = formats; name && *f; f++)
        if (!strcasecmp((*f)->name, name)) return *f;
    return NULL;
}

/* ---- opening ---- */

/* What comes through a pipe is read twice, so it is kept: in memory, never in a file, since a
 * file's blocks would hold the plain text long after it is gone. */
static int spool(FILE *from, FILE **to, struct err *err)
{
    char block[65536];
    size_t n, total = 0;
    int rc = 0, fd = memfd_create("likeness", MFD_CLOEXEC);
    *to = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (!*to && fd >= 0) close(fd);
    if (!*to) return err_nomem(err);
    while (!rc && (n = fread(block, 1, sizeof block, from))) {
        if ((total += n) > SPOOL_MAX)
            rc = err_set(err, ERR_LIMIT,
                         "more than %zu MiB came through the pipe: save it as a file and add that",
                         SPOOL_MAX >> 20);
        else if (fwrite(block, 1, n, *to) != n) rc = err_nomem(err);
    }
    if (!rc && ferror(from)) rc = err_errno(err, "cannot read the input");
    if (!rc && (fflush(*to) || fseeko(*to, 0, SEEK_SET))) rc = err_nomem(err);
    explicit_bzero(block, sizeof block);
    if (rc) {
        fclose(*to);
        *to = NULL;
    }
    return rc;
}

static void name_it(struct format_in *in, const char *path)
{
    const char *base = strrchr(path, '/');
    snprintf(in->name, sizeof in->name, "%s",
             !strcmp(path, "-") ? "standard input"
             : base && base[1]  ? base + 1
                                : path);
    in->path = path;
}

static int open_file(const char *path, struct format_in *in, struct err *err)
{
    struct stat st;
    bool is_stdin = !strcmp(path, "-");
    name_it(in, path);
    FILE *f = is_stdin ? stdin : fopen(path, "rbe");
    if (!f) return err_errno(err, "cannot open %s", path);
    int rc = fstat(fileno(f), &st) ? err_errno(err, "cannot read %s", path) : 0;
    if (!rc && S_ISDIR(st.st_mode))
        rc = err_set(err, ERR_INVAL, "%s is a folder: give the files in it", path);
    if (!rc && (is_stdin || !S_ISREG(st.st_mode))) {
        rc = spool(f, &in->f, err);
        if (!is_stdin) fclose(f);
        if (!rc && fstat(fileno(in->f), &st)) rc = err_errno(err, "cannot read %s", in->name);
    } else if (!rc) {
        in->f = f;
        in->mtime = st.st_mtime;
    } else if (!is_stdin) {
        fclose(f);
    }
    if (!rc) in->size = (uint64_t)st.st_size;
    return rc;
}

static int read_head(struct format_in *in, struct err *err)
{
    in->head = malloc(FORMAT_HEAD);
    if (!in->head) return err_nomem(err);
    in->head_n = fread(in->head, 1, FORMAT_HEAD, in->f);
    if (ferror(in->f) || fseeko(in->f, 0, SEEK_SET))
        return err_errno(err, "cannot read %s", in->name);
    return 0;
}

/* Files that people try, with the way out. */
static int refuse(const struct format_in *in, struct err *err)
{
    static const struct {
        const char *magic;
        const char *what;
    } known[] = {
        { "\xD0\xCF\x11\xE0", "is an old office document: save it as text and try again" },
        { "\x37\x7F\x06\x82",
          "is the journal of a database: add that, with its journal beside it" },
        { "\x37\x7F\x06\x83",
          "is the journal of a database: add that, with its journal beside it" },
        { "\x89PNG", "is a picture: only text can be read" },
        { "\xFF\xD8\xFF", "is a picture: only text can be read" },
        { "OggS", "is a recording: only text can be read" },
        { "RIFF", "is a recording: only text can be read" },
        { "ID3", "is a recording: only text can be read" },
    };
    struct span head = { (const char *)in->head, in->head_n };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_starts(head, known[i].magic))
            return err_set(err, ERR_PARSE, "%s %s", in->name, known[i].what);
    return 0;
}

static bool blank_head(const struct format_in *in)
{
    struct span s = { (const char *)in->head, in->head_n };
    return in->head_n < FORMAT_HEAD && !span_trim(s).n;
}

static bool is_mail(const struct format *f)
{
    return !strcmp(f->name, "mbox") || !strcmp(f->name, "eml");
}

/* The best of the table; only_archives: among those. */
static const struct format *best_of(const struct format_in *in, bool only_archives)
{
    const struct format *f = NULL;
    int most = 0;
    for (const struct format *const *g = formats; *g; g++) {
        int score = only_archives && (*g)->packed != FORMAT_ARCHIVE ? 0 : (*g)->score(in);
        if (score > most) most = score, f = *g;
    }
    return f;
}

static int choose(const struct format_in *in, const char *as, const struct format **f,
                  struct err *err)
{
    *f = NULL;
    if (as) {
        *f = format_by_name(as);
        if (!*f)
            return err_set(err, ERR_INVAL,
                           "there is no format of that name: see the list of formats");
    }
    if (!in->head_n || blank_head(in))
        return err_set(err, ERR_PARSE,
                       "%s is empty: check that it was saved or exported completely", in->name);
    if (!as && format_aside.score(in) > 97) {
        *f = &format_aside; /* whatever is in it */
        return 0;
    }
    int rc = refuse(in, err);
    if (rc) return rc;
    if (!as) *f = best_of(in, false);
    else if (!(*f)->packed && best_of(in, true)) *f = best_of(in, true);
    bool binary = *f && ((*f)->packed || is_mail(*f));
    if (!binary && !charset_detect(in->head, in->head_n))
        return err_set(err, ERR_PARSE,
                       "%s is a binary file: give a text file, or export it as text", in->name);
    if (!*f)
        return err_set(err, ERR_PARSE,
                       "%s: format not recognised: name one with --as, or save it "
                       "as plain text (.txt)",
                       in->name);
    return 0;
}

int format_open(const char *path, const char *as, const struct format **f, struct format_in *in,
                struct err *err)
{
    *in = (struct format_in){ .mtime = CLOCK_NONE };
    int rc = open_file(path, in, err);
    if (!rc) rc = read_head(in, err);
    if (!rc) rc = choose(in, as, f, err);
    if (rc) format_close(in);
    return rc;
}

int format_open_file(FILE *file, const char *path, int64_t mtime, const char *as,
                     const struct format **f, struct format_in *in, struct err *err)
{
    *in = (struct format_in){ .f = file, .mtime = mtime };
    name_it(in, path);
    off_t size = fseeko(file, 0, SEEK_END) ? -1 : ftello(file);
    int rc = size < 0 || fseeko(file, 0, SEEK_SET) ? err_errno(err, "cannot read %s", in->name) : 0;
    in->size = rc ? 0 : (uint64_t)size;
    if (!rc) rc = read_head(in, err);
    if (!rc) rc = choose(in, as, f, err);
    if (rc) format_close(in);
    return rc;
}

int format_parse(const struct format *f, struct format_in *in, const struct format_opts *o,
                 const struct piece_sink *sink, struct err *err)
{
    if (f->packed && !in->unpacked)
        return err_set(err, ERR_PARSE, "%s is packed: give the files that are in it", in->name);
    int rc = f->parse(in, o, sink, err);
    if (!rc && in->partial) fmt_skip(sink, "rest of a damaged file", 0);
    return rc;
}

void format_close(struct format_in *in)
{
    if (!in) return;
    if (in->head) {
        explicit_bzero(in->head, in->head_n);
        free(in->head);
    }
    if (in->f && in->f != stdin) fclose(in->f);
    in->head = NULL;
    in->f = NULL;
}

/* ---- shared by parsers ---- */

struct piece fmt_piece(enum piece_kind kind)
{
    return (struct piece){ .kind = kind,
                           .text = "",
                           .author = "",
                           .author_id = "",
                           .title = "",
                           .thread = "",
                           .id = "",
                           .reply_to = "",
                           .quoted = "",
                           .written_at = CLOCK_NONE };
}

static bool blank(const char *s) { return !span_trim(span_of(s)).n; }

int fmt_emit(const struct format_opts *o, const struct piece_sink *sink, struct piece *p,
             uint64_t where, struct err *err)
{
    const char **str[] = { &p->text,   &p->author, &p->author_id, &p->title,
                           &p->thread, &p->id,     &p->reply_to,  &p->quoted };
    for (size_t i = 0; i < sizeof str / sizeof *str; i++)
        if (!*str[i]) *str[i] = "";
    if (blank(p->text) && blank(p->quoted)) return 0;
    if (p->written_at != CLOCK_NONE && (p->written_at < YEAR_1 || p->written_at >= YEAR_10000)) {
        p->written_at = CLOCK_NONE;
        fmt_skip(sink, "date out of range", where);
    }
    if (p->written_at != CLOCK_NONE && o->now > 0 && p->written_at > o->now + TWO_DAYS) {
        p->written_at = CLOCK_NONE;
        fmt_skip(sink, "date in the future", where);
    }
    return sink->piece(sink->ud, p, err);
}

void fmt_skip(const struct piece_sink *sink, const char *what, uint64_t where)
{
    if (sink && sink->skipped) sink->skipped(sink->ud, what, where);
}

int fmt_consumed(const struct piece_sink *sink, uint64_t bytes, struct err *err)
{
    if (!sink || !sink->consumed || !sink->consumed(sink->ud, bytes)) return 0;
    return err_set(err, ERR_CANCEL, "cancelled");
}

const char *fmt_author(const struct format_opts *o)
{
    return o->default_author ? o->default_author : "";
}

/* Seconds, milliseconds or microseconds since 1970 by their size; fractions are dropped. */
static bool epoch(struct span s, int64_t *out)
{
    int64_t v;
    const char *dot = memchr(s.p, '.', s.n);
    struct span whole = { s.p, dot ? (size_t)(dot - s.p) : s.n };
    for (const char *p = dot ? dot + 1 : s.p + s.n; p < s.p + s.n; p++)
        if (*p < '0' || *p > '9') return false;
    if (!str_i64(whole, &v)) return false;
    int64_t size = v < 0 ? -v : v;
    if (size > 100000000000000) v /= 1000000;
    else if (size > 100000000000) v /= 1000;
    else if (whole.n < 9 && !(v < 0)) return false;
    *out = v;
    return true;
}

static bool iso_has_zone(struct span s)
{
    if (s.n <= 10) return true; /* a bare day: nothing to shift */
    for (size_t i = 11; i < s.n; i++)
        if (strchr("Zz+-", s.p[i])) return true;
    return false;
}

bool fmt_when(const struct format_opts *o, int day_first, struct span s, int64_t *out)
{
    bool zoned = true;
    s = span_trim(s);
    if (!s.n) return false;
    if (clock_parse_iso(s, out)) zoned = iso_has_zone(s);
    else if (epoch(s, out)) zoned = true;
    else if (!date_parse_zone(s, day_first, out, &zoned)) return false;
    if (!zoned) *out -= o->tz_offset;
    return true;
}

int fmt_read_all(struct format_in *in, const char *charset, const struct piece_sink *sink,
                 struct buf *out, struct err *err)
{
    struct line ln;
    int rc = 0;
    bool over = false;
    out->max = FORMAT_PIECE_MAX;
    struct lines *l = lines_new_charset(in, charset, sink, err);
    if (!l) return ERR_PARSE;
    while ((rc = lines_next(l, &ln, err)) > 0) {
        if (!over && out->n + ln.n + 2 >= FORMAT_PIECE_MAX) {
            fmt_skip(sink, "rest of an over-long text", ln.no);
            over = true;
        }
        if (over) continue;
        buf_add(out, ln.s, ln.n);
        buf_addc(out, '\n');
    }
    lines_free(l);
    if (!rc && out->failed) rc = err_nomem(err);
    return rc;
}

size_t fmt_notion_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t end = dot ? (size_t)(dot - name) : strlen(name), k = 0;
    if (end > 4 && !memcmp(name + end - 4, "_all", 4)) end -= 4; /* all rows of a database */
    while (k < 32 && k < end &&
           ((name[end - k - 1] >= '0' && name[end - k - 1] <= '9') ||
            (name[end - k - 1] >= 'a' && name[end - k - 1] <= 'f')))
        k++;
    return k == 32 && end > 33 && name[end - 33] == ' ' ? end - 33 : 0;
}

void fmt_stem(const struct format_in *in, struct buf *out)
{
    const char *dot = strrchr(in->name, '.');
    size_t n = strlen(in->name);
    if (dot && dot > in->name && strlen(dot) <= 10) n = (size_t)(dot - in->name);
    if (fmt_notion_name(in->name)) n = fmt_notion_name(in->name);
    utf8_clean(out, in->name, n);
}

bool fmt_named(const struct format_in *in, const char *suffixes)
{
    char one[16];
    for (const char *p = suffixes; *p;) {
        size_t n = strcspn(p, " ");
        snprintf(one, sizeof one, "%.*s", (int)n, p);
        if (n && str_ends(in->name, one)) return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

void fmt_head_utf8(const struct format_in *in, struct buf *out)
{
    const char *cs = charset_detect(in->head, in->head_n);
    if (cs) charset_to_utf8(out, cs, (const char *)in->head, in->head_n, NULL);
}
