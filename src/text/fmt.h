/* What the parsers behind format.h share: the list of them, a line reader of constant memory, and
 * the handing over of pieces. Not for callers outside src/text.
 *
 *     struct lines *l = lines_new(in, sink, err);              charset, BOM, CRLF are its business
 *     struct line ln;
 *     while ((rc = lines_next(l, &ln, err)) > 0) use(ln.s, ln.n, ln.no);
 *     lines_free(l); */
#ifndef LK_TEXT_FMT_H
#define LK_TEXT_FMT_H

#include "base/buf.h"
#include "base/cursor.h"
#include "text/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct format format_whatsapp, format_telegram, format_mbox, format_eml, format_html,
    format_markdown, format_jsonl, format_csv, format_plain, format_meta, format_discord,
    format_chatgpt, format_claude, format_x, format_mastodon, format_keep, format_dayone,
    format_docx, format_odt, format_epub, format_pptx, format_rtf, format_pdf, format_zip,
    format_tar, format_gz, format_slack, format_matrix, format_gchat, format_signal, format_reddit,
    format_vcard, format_ics, format_notion, format_imessage, format_facebook, format_aside;

/* ---- lines ---- */

struct lines;

struct line {
    const char *s; /* UTF-8 (cleaned), without line end; NUL-terminated; until the next call */
    size_t n;
    uint64_t no;      /* 1-based line number */
    uint64_t at;      /* byte offset of its start in the file */
    uint64_t dropped; /* bytes of the line beyond FORMAT_PIECE_MAX, read and left out */
    bool eol;         /* ended by a line end; false for an unfinished last line */
};

/* Reads in->f from its present offset. Charset: from in->head. Reports consumed bytes to sink (may
 * be NULL) now and then; dropped text as skipped("rest of an over-long text", line). */
struct lines *lines_new(struct format_in *in, const struct piece_sink *sink, struct err *err);
/* The same with a charset known beforehand ("UTF-8", ...); NULL: detected from in->head. */
struct lines *lines_new_charset(struct format_in *in, const char *charset,
                                const struct piece_sink *sink, struct err *err);
/* 1: a line; 0: end of file; < 0: error (IO, or the sink's cancel). */
int lines_next(struct lines *l, struct line *out, struct err *err);
/* Give the last line back: the next lines_next returns it again. Once. */
void lines_unread(struct lines *l);
void lines_free(struct lines *l); /* accepts NULL */

/* ---- pieces ---- */

/* A piece with all strings "" and no time. */
struct piece fmt_piece(enum piece_kind kind);
/* Hand p to the sink: NULL strings become "", a date in the future or outside of the years 1 to
 * 9999 becomes CLOCK_NONE and is reported with `where`; a piece whose text and quoted are both
 * blank is passed over in silence. */
int fmt_emit(const struct format_opts *o, const struct piece_sink *sink, struct piece *p,
             uint64_t where, struct err *err);
void fmt_skip(const struct piece_sink *sink, const char *what, uint64_t where);
/* Progress: non-zero (ERR_CANCEL) to stop. */
int fmt_consumed(const struct piece_sink *sink, uint64_t bytes, struct err *err);
/* Author of formats that have none: o->default_author or "". */
const char *fmt_author(const struct format_opts *o);
/* A time as tables and exports write it: ISO, seconds, milliseconds or microseconds since 1970,
 * yyyymmdd, or date_parse. Local times without a zone are shifted by o->tz_offset; bare days are
 * not. */
bool fmt_when(const struct format_opts *o, int day_first, struct span s, int64_t *out);

/* ---- files ---- */

/* All of in->f, as cleaned UTF-8, at most FORMAT_PIECE_MAX bytes of it; more is reported skipped.
 * charset: as for lines_new_charset. */
int fmt_read_all(struct format_in *in, const char *charset, const struct piece_sink *sink,
                 struct buf *out, struct err *err);
/* Bytes of the name before Notion's id, "Title 0123456789abcdef0123456789abcdef.md"; 0: none there.
 */
size_t fmt_notion_name(const char *name);
/* File name without extension and Notion's id, for titles. Appends. */
void fmt_stem(const struct format_in *in, struct buf *out);
/* Does in->name end in one of the space-separated suffixes (".md .markdown")? */
bool fmt_named(const struct format_in *in, const char *suffixes);
/* Copy of the head as UTF-8 (first FORMAT_HEAD bytes at most), for score functions. Appends. */
void fmt_head_utf8(const struct format_in *in, struct buf *out);

/* ---- documents in dated entries (plain text, Markdown) ---- */

/* Collects the text of a document and hands it over entry by entry. A document too long for one
 * piece is continued in another with the same title and date. */
struct doc {
    struct format_in *in;
    const struct format_opts *o;
    const struct piece_sink *sink;
    struct buf text, quoted, title, author, stem;
    int64_t date, file_date; /* of the entry; of the file (name, then mtime) */
    bool split;              /* dated headings begin a new entry */
    uint64_t line;           /* where the entry began */
};

void doc_init(struct doc *d, struct format_in *in, const struct format_opts *o,
              const struct piece_sink *sink);
int doc_entry(struct doc *d, struct span title, int64_t date, uint64_t line, struct err *err);
int doc_add(struct doc *d, bool quoted, const char *s, size_t n, struct err *err); /* s and '\n' */
int doc_end(struct doc *d, struct err *err); /* hands over the last entry */
void doc_clear(struct doc *d);
/* Does the head hold a dated heading as its first line, or two of them? `marked`: "# " before. */
bool doc_is_dated(const struct format_in *in, int day_first);
/* Is the day first in the headings "03/04/2019" of a journal? o->day_first, or as the whole file
 * has it; -1: nothing decides. The file is at its beginning afterwards. */
int doc_day_first(struct format_in *in, const struct format_opts *o);
/* A heading with a date: alone, or at its front before a dash or colon. *rest: what follows. */
bool doc_dated_heading(struct span s, int day_first, bool marked, int64_t *date, struct span *rest);
/* A date anywhere inside a heading ("BERGEN, August 2024"). */
bool doc_date_inside(struct span s, int day_first, int64_t *date);

#endif
