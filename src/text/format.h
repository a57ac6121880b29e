/* Formats: one static table of parsers, recognition by content, one call to parse a file.
 *
 *     const struct format *f;
 *     struct format_opts o = { .now = clock_now(), .day_first = -1 };
 *     if (format_open(path, NULL, &f, &in, err)) return err->code;   recognises by content and name
 *     rc = format_parse(f, &in, &o, &sink, err);
 *     format_close(&in);
 *
 * Parsers stream: memory does not grow with the file (a single message or line is capped at
 * FORMAT_PIECE_MAX bytes: the rest of it is skipped and reported through sink->skipped). They never
 * abort on input; broken parts are skipped and reported where that is safe, and a file that is not
 * what it claims ends in ERR_PARSE naming file, line or byte, and remedy. */
#ifndef LK_TEXT_FORMAT_H
#define LK_TEXT_FORMAT_H

#include "base/err.h"
#include "text/names.h"
#include "text/piece.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FORMAT_PIECE_MAX ((size_t)4 << 20)
#define FORMAT_HEAD      65536 /* bytes looked at for recognition */

struct format_opts {
    int64_t now;     /* times after now + 2 days are treated as not known, and reported */
    const char *map; /* CSV/JSONL columns: "text=body,author=from,date=when,title=...,
                        id=...,thread=..."; NULL: recognised by common names */
    const char *default_author; /* author for formats that have none (--by); NULL or "" = owner */
    int day_first;              /* 1: 03/04 is 3 April; 0: month first; -1: solved from the file */
    long tz_offset;             /* seconds east of UTC of local times without zone; 0 = UTC */
    struct names *names; /* what other files of the same run said, and this one says; or NULL */
};

struct format_in {
    FILE *f;             /* seekable, or a spooled copy of stdin; at offset 0 */
    char name[256];      /* file name without folders: format hints, titles, errors */
    uint64_t size;       /* bytes */
    int64_t mtime;       /* file's own time, CLOCK_NONE for stdin */
    const char *path;    /* borrowed, for messages; "-" for stdin */
    unsigned char *head; /* first head_n bytes; owned */
    size_t head_n;
    /* What a document says of the text that was taken out of it; "" and 0: nothing. */
    char title[256], author[256];
    int64_t date;
    bool unpacked; /* f holds that text */
    bool partial;  /* there was more, which could not be read; reported by format_parse */
};

/* Formats that are not text as they lie: media/ takes out what is in them, see media/media.h. */
enum format_packed { FORMAT_TEXT, FORMAT_DOCUMENT, FORMAT_ARCHIVE };

struct format {
    const char *name; /* "whatsapp", as in --as */
    const char *help; /* one line */
    int has_authors;  /* messages of several people: aliases are needed */
    int parts;        /* one chat lies in many files, a day or a page in each */
    enum format_packed packed;
    /* How sure this parser is that the input is its own, 0 (not mine) .. 100, from in->head,
     * in->head_n, in->name. Must not read in->f. */
    int (*score)(const struct format_in *in);
    int (*parse)(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err);
};

/* NULL-terminated, in the order shown in help. */
extern const struct format *const formats[];
const struct format *format_by_name(const char *name); /* NULL if unknown */

/* Open path ("-" = stdin, kept in memory, at most 256 MiB) and choose the format: `as` names one,
 * or NULL recognises; an archive is one whatever text format `as` names. Empty, binary and
 * unrecognised files are ERR_PARSE with a remedy. On success *in must be closed with format_close;
 * on failure there is nothing to close. */
int format_open(const char *path, const char *as, const struct format **f, struct format_in *in,
                struct err *err);
/* The same for a file that is open and seekable; it is taken: format_close closes it, or this does
 * when it fails. path: what it is called, for messages and, by its last part, for name; borrowed
 * like that of format_open. */
int format_open_file(FILE *file, const char *path, int64_t mtime, const char *as,
                     const struct format **f, struct format_in *in, struct err *err);
/* ERR_PARSE for a packed format whose text was not taken out (in->unpacked). */
int format_parse(const struct format *f, struct format_in *in, const struct format_opts *o,
                 const struct piece_sink *sink, struct err *err);
/* What a file that nobody recognised is by the end of its name ("picture"); NULL: it may be one
 * that somebody meant to be read. */
const char *format_passed_over(const char *path);
void format_close(struct format_in *in); /* accepts a zeroed one */

#endif
