/* Archives, by libarchive: zip, tar in all its dialects, and single compressed files, which count
 * as an archive of one entry without a name.
 *
 * The file is read where it lies (supply.c), from any place, so that a zip is read by its central
 * directory whatever stands before or between its entries. Only what was asked for is compiled in
 * by name: libarchive knows many more formats, some of which it leaves to other programs.
 *
 * Entries are handed over in the archive's order with their raw names; the program cleans them.
 * Pictures, recordings and the like are known by their first bytes and never cross the pipe; a
 * photo export is mostly those. Limits on what comes out are the program's business (media.c): it
 * stops reading. Documents (docx and kin) are zips with a plan; zip_kind tells them by the names of
 * their parts, members_read brings those into memory. */
#include "media/parts.h"

#include "base/str.h"
#include "text/names.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define PEEK        4096
#define LOOK_AT     4000 /* entries, to tell what a zip is */
#define MOST_PARTS  65536
#define BLOCK_BYTES 65536

static struct archive *open_archive(const struct supply *s, bool only_zip)
{
    struct archive *a = archive_read_new();
    if (!a) return NULL;
    archive_read_support_format_zip(a); /* by its directory, or, when that is cut off, in order */
    if (!only_zip) {
        archive_read_support_format_tar(a);
        archive_read_support_format_raw(a);
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_bzip2(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_zstd(a);
    }
    if (supply_open(s, a) == ARCHIVE_OK) return a;
    archive_read_free(a);
    return NULL;
}

/* libarchive says in words what is wrong; these are the ones that a user can do something about. */
static enum fault fault_of(struct archive *a)
{
    const char *s = archive_error_string(a);
    if (!s) s = "";
    if (archive_read_has_encrypted_entries(a) > 0 || strcasestr(s, "passphrase") ||
        strcasestr(s, "encrypt"))
        return FAULT_ENCRYPTED;
    if (strcasestr(s, "truncated")) return FAULT_CUT;
    if (strcasestr(s, "unsupported") || strcasestr(s, "not supported")) return FAULT_METHOD;
    if (strcasestr(s, "allocate") || strcasestr(s, "memory")) return FAULT_NOMEM;
    return FAULT_BROKEN;
}

/* ---- what is no text ---- */

int not_text(const uint8_t *p, size_t n)
{
    static const struct {
        size_t at, n;
        const char *magic;
        enum note note;
    } known[] = {
        { 0, 4, "\x89PNG", NOTE_PICTURE },
        { 0, 3, "\xFF\xD8\xFF", NOTE_PICTURE },
        { 0, 4, "GIF8", NOTE_PICTURE },
        { 8, 4, "WEBP", NOTE_PICTURE },
        { 0, 4, "II*\0", NOTE_PICTURE },
        { 0, 4, "MM\0*", NOTE_PICTURE },
        { 4, 8, "ftypheic", NOTE_PICTURE },
        { 4, 8, "ftypmif1", NOTE_PICTURE },
        { 4, 8, "ftypavif", NOTE_PICTURE },
        { 4, 8, "ftypM4A ", NOTE_SOUND },
        { 4, 4, "ftyp", NOTE_VIDEO },
        { 0, 4, "\x1A\x45\xDF\xA3", NOTE_VIDEO },
        { 8, 4, "AVI ", NOTE_VIDEO },
        { 8, 4, "WAVE", NOTE_SOUND },
        { 0, 4, "OggS", NOTE_SOUND },
        { 0, 3, "ID3", NOTE_SOUND },
        { 0, 4, "fLaC", NOTE_SOUND },
        { 0, 6, "#!AMR\n", NOTE_SOUND },
        { 0, 2, "\xFF\xFB", NOTE_SOUND },
        { 0, 4,
          "\x7F"
          "ELF",
          NOTE_PROGRAM },
        { 0, 4, "wOFF", NOTE_PROGRAM },
        { 0, 4, "wOF2", NOTE_PROGRAM },
        { 0, 4, "OTTO", NOTE_PROGRAM },
        { 0, 5, "\0\1\0\0\0", NOTE_PROGRAM },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].at + known[i].n && !memcmp(p + known[i].at, known[i].magic, known[i].n))
            return (int)known[i].note;
    return -1;
}

/* ---- walking ---- */

/* Hidden files and folders, and what macOS adds to a zip, are passed over in silence, as in a
 * folder. */
static bool hidden(const char *path)
{
    static const char resources[] = "__MACOSX";
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
        size_t n = strcspn(p, "/");
        bool up = (n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
        if (n > 1 && *p == '.' && !up) return true;
        if (n == sizeof resources - 1 && !memcmp(p, resources, n) && p[n]) return true;
    }
    return false;
}

static ssize_t read_block(struct archive *a, void *buf, size_t want)
{
    ssize_t k;
    do k = archive_read_data(a, buf, want);
    while (k == ARCHIVE_RETRY);
    return k;
}

static ssize_t read_some(struct archive *a, uint8_t *buf, size_t want)
{
    size_t n = 0;
    while (n < want) {
        ssize_t k = read_block(a, buf + n, want - n);
        if (k < 0) return n ? (ssize_t)n : -1;
        if (!k) break;
        n += (size_t)k;
    }
    return (ssize_t)n;
}

static uint64_t place(struct archive *a)
{
    int64_t at = archive_filter_bytes(a, -1);
    return at > 0 ? (uint64_t)at : 0;
}

/* The entry at hand, whose first bytes are in buf; its end as well. */
static int send_rest(struct archive *a, uint8_t *buf, ssize_t n, struct wire_out *out)
{
    int rc = 0;
    bool more = n == PEEK;
    uint64_t told = place(a);
    while (!rc && n > 0) {
        rc = wire_data(out, buf, (size_t)n);
        n = more && !rc ? read_block(a, buf, BLOCK_BYTES) : 0;
        if (!rc && place(a) > told + ((uint64_t)1 << 20)) rc = wire_at(out, told = place(a));
    }
    bool bad = n < 0 || archive_errno(a) != 0;
    if (!rc && bad) rc = wire_fault(out, fault_of(a));
    return rc ? rc : wire_end(out, bad);
}

static int send_entry(struct archive *a, struct archive_entry *e, uint8_t *buf,
                      struct wire_out *out)
{
    const char *path = archive_entry_pathname(e);
    if (!path || archive_format(a) == ARCHIVE_FORMAT_RAW) path = "";
    if (archive_entry_filetype(e) == AE_IFDIR || hidden(path)) return wire_at(out, place(a));
    if (archive_entry_hardlink(e) ||
        (archive_entry_filetype(e) != AE_IFREG && archive_format(a) != ARCHIVE_FORMAT_RAW))
        return wire_note(out, NOTE_LINK);
    struct wire_entry w = { .path = path,
                            .mtime =
                                archive_entry_mtime_is_set(e) ? archive_entry_mtime(e) : CLOCK_NONE,
                            .date = CLOCK_NONE,
                            .at = place(a) };
    archive_clear_error(a);
    ssize_t n = read_some(a, buf, PEEK);
    if (n == 0 && !archive_errno(a)) return wire_note(out, NOTE_EMPTY);
    int note = n > 0 ? not_text(buf, (size_t)n) : -1;
    if (note >= 0) return wire_note(out, (enum note)note);
    int rc = wire_begin(out, &w);
    return rc ? rc : send_rest(a, buf, n, out);
}

enum which { ALL, NAMES, REST };

/* stop: nobody takes any more. A zip is walked by its directory, so passing over costs little. */
static int walk(const struct supply *s, struct wire_out *out, enum which which)
{
    struct archive *a = open_archive(s, false);
    struct archive_entry *e;
    uint8_t *buf = malloc(BLOCK_BYTES);
    int rc = a && buf ? ARCHIVE_OK : ARCHIVE_FATAL, stop = 0;
    while (rc == ARCHIVE_OK && !stop) {
        do rc = archive_read_next_header(a, &e);
        while (rc == ARCHIVE_RETRY);
        if (rc == ARCHIVE_WARN) rc = ARCHIVE_OK;
        if (rc != ARCHIVE_OK) break;
        const char *path = archive_entry_pathname(e);
        bool first = path && names_first(path);
        if (which != ALL && first != (which == NAMES)) continue;
        if (archive_format(a) == ARCHIVE_FORMAT_RAW && archive_filter_count(a) < 2)
            stop = wire_fault(out, FAULT_KIND) || true; /* neither archive nor compressed */
        else stop = send_entry(a, e, buf, out);
    }
    if (!stop && rc != ARCHIVE_EOF && which != NAMES)
        wire_fault(out, a ? fault_of(a) : FAULT_BROKEN);
    if (a) archive_read_free(a);
    free(buf);
    return stop;
}

/* Is there a zip in which a file tells names that those before it need? */
static bool names_behind(const struct supply *s)
{
    struct archive *a = open_archive(s, true);
    struct archive_entry *e;
    bool others = false, behind = false;
    int rc;
    while (a && !behind && (rc = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
        if (rc < ARCHIVE_WARN) break;
        const char *path = archive_entry_pathname(e);
        if (!path || archive_format(a) != ARCHIVE_FORMAT_ZIP) break;
        bool first = names_first(path);
        behind = first && others;
        others |= !first && archive_entry_filetype(e) != AE_IFDIR;
    }
    if (a) archive_read_free(a);
    return behind;
}

void archive_walk(const struct supply *s, struct wire_out *out)
{
    bool twice = names_behind(s);
    int stop = twice ? walk(s, out, NAMES) : 0;
    if (!stop) walk(s, out, twice ? REST : ALL);
}

/* ---- documents in a zip ---- */

static enum fault member_add(struct archive *a, const char *name, struct members *out)
{
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 64;
        struct member *grown = realloc(out->m, cap * sizeof *grown);
        if (!grown) return FAULT_NOMEM;
        out->m = grown;
        out->cap = cap;
    }
    struct member *m = &out->m[out->n];
    *m = (struct member){ .name = str_dup(name), .b = BUF_INIT(MEMBERS_MAX - out->bytes) };
    if (!m->name) return FAULT_NOMEM;
    out->n++;
    for (;;) {
        if (buf_reserve(&m->b, BLOCK_BYTES) == ERR_NOMEM) return FAULT_NOMEM;
        if (m->b.failed) return FAULT_NOMEM;
        ssize_t k = read_block(a, m->b.p + m->b.n, BLOCK_BYTES);
        if (k <= 0) {
            out->bytes += m->b.n;
            return k ? fault_of(a) : FAULT_NONE;
        }
        m->b.n += (size_t)k;
        m->b.p[m->b.n] = 0;
    }
}

static bool wanted(const char *name, const char *suffixes)
{
    char one[16];
    for (const char *p = suffixes; *p;) {
        size_t n = strcspn(p, " ");
        snprintf(one, sizeof one, "%.*s", (int)n, p);
        if (n && str_ends(name, one)) return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

enum fault members_read(const struct supply *s, const char *suffixes, struct members *out)
{
    struct archive *a = open_archive(s, true);
    struct archive_entry *e;
    *out = (struct members){ 0 };
    int rc = a ? ARCHIVE_OK : ARCHIVE_FATAL;
    enum fault f = a ? FAULT_NONE : FAULT_BROKEN;
    while (!f && rc == ARCHIVE_OK && out->n < MOST_PARTS) {
        rc = archive_read_next_header(a, &e);
        if (rc == ARCHIVE_WARN || rc == ARCHIVE_RETRY) rc = ARCHIVE_OK;
        if (rc != ARCHIVE_OK) break;
        const char *name = archive_entry_pathname(e);
        if (name && archive_entry_filetype(e) == AE_IFREG && wanted(name, suffixes))
            f = member_add(a, name, out);
    }
    if (!f && rc != ARCHIVE_EOF && rc != ARCHIVE_OK) f = a ? fault_of(a) : FAULT_BROKEN;
    if (a) archive_read_free(a);
    out->fault = f;
    return out->n && f != FAULT_NOMEM && f != FAULT_ENCRYPTED ? FAULT_NONE : f;
}

const struct buf *member_find(const struct members *m, const char *name, size_t n)
{
    for (size_t i = 0; i < m->n; i++)
        if (strlen(m->m[i].name) == n && !strncasecmp(m->m[i].name, name, n)) return &m->m[i].b;
    return NULL;
}

void members_free(struct members *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->m[i].name);
        buf_free(&m->m[i].b);
    }
    free(m->m);
    *m = (struct members){ 0 };
}

/* By the value of the entry "mimetype", which OpenDocument and EPUB put first. */
static const char *by_mimetype(struct archive *a)
{
    char type[128] = "";
    ssize_t n = archive_read_data(a, type, sizeof type - 1);
    type[n > 0 ? n : 0] = 0;
    if (str_starts(type, "application/epub+zip")) return "epub";
    if (str_starts(type, "application/vnd.oasis.opendocument.text") ||
        str_starts(type, "application/vnd.oasis.opendocument.presentation"))
        return "odt";
    return NULL;
}

const char *zip_kind(const struct supply *s)
{
    struct archive *a = open_archive(s, true);
    struct archive_entry *e;
    const char *kind = "zip";
    bool package = false;
    int rc = ARCHIVE_OK;
    if (!a) return kind;
    for (int i = 0; i < LOOK_AT && (rc = archive_read_next_header(a, &e)) >= ARCHIVE_WARN; i++) {
        if (rc == ARCHIVE_EOF) break;
        const char *name = archive_entry_pathname(e);
        if (!name) continue;
        package |= !strcmp(name, "[Content_Types].xml");
        if (!strcmp(name, "mimetype")) kind = by_mimetype(a);
        else if (str_starts(name, "word/document") && str_ends(name, ".xml")) kind = "docx";
        else if (str_starts(name, "ppt/presentation") && str_ends(name, ".xml")) kind = "pptx";
        else if (!strcasecmp(name, "META-INF/container.xml")) kind = "epub";
        else if (!strcasecmp(name, "xl/workbook.xml") || !strcasecmp(name, "xl/workbook.bin") ||
                 str_starts(name, "Index/Document.iwa") || !strcmp(name, "classes.dex"))
            kind = NULL;
        else continue;
        break;
    }
    archive_read_free(a);
    if (!package || !kind || strcmp(kind, "zip") != 0) return kind;
    return rc < ARCHIVE_WARN ? "docx" : NULL; /* cut off before its main part, or another kind */
}
