/* What the parts of the helper share. Nothing here runs in the main program (but for tests).
 *
 * A part takes bytes and makes text of them, or says what is wrong; it knows nothing of pipes and
 * cells:
 *
 *     struct doctext d;
 *     doctext_init(&d);
 *     enum fault f = rtf_text(p, n, &d);        FAULT_NONE: d.text holds UTF-8 in paragraphs
 *     doctext_clear(&d); */
#ifndef LK_MEDIA_PARTS_H
#define LK_MEDIA_PARTS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "media/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX    ((size_t)64 << 20)  /* text of a document */
#define MEMBERS_MAX ((size_t)192 << 20) /* XML parts of a document, together */

/* ---- text that grows in paragraphs ---- */

struct doctext {
    struct buf text, title, author;
    int64_t date; /* of the document, as it says; CLOCK_NONE */
    bool partial; /* there was more, which could not be read */
    int breaks;   /* line ends owed before the next word: 0, 1 or 2 */
};

void doctext_init(struct doctext *d);
void doctext_clear(struct doctext *d);
void doctext_add(struct doctext *d, const char *s, size_t n); /* inside a paragraph */
void doctext_line(struct doctext *d);                         /* the next word begins a line */
void doctext_para(struct doctext *d);                         /* the next word begins a paragraph */
/* FAULT_NONE, FAULT_EMPTY when there is no word in it, FAULT_NOMEM. */
enum fault doctext_finish(struct doctext *d);
/* A metadata field: trimmed, one line. Keeps the first that is not blank. */
void doctext_field(struct buf *field, const char *s, size_t n);
/* Names that office programs put in by themselves ("Microsoft Office User") become none. */
void doctext_author(struct doctext *d, const char *s, size_t n);

/* ---- what an archive is read from ---- */

/* Bytes in memory, or, where p is NULL, fetched block by block: 0, or not 0 when they cannot be. */
struct supply {
    const uint8_t *p;
    uint64_t n;
    int (*fetch)(void *ud, uint64_t at, void *out, size_t n);
    void *ud;
};

struct archive; /* libarchive's */

struct supply supply_of(const void *p, size_t n); /* borrows */
/* Opens a for reading from s, which stays as long as a does: ARCHIVE_OK, or not. */
int supply_open(const struct supply *s, struct archive *a);

/* ---- a document that is a zip of XML parts ---- */

struct member {
    char *name; /* as in the archive; owned */
    struct buf b;
};

struct members {
    struct member *m; /* in the archive's order */
    size_t n, cap, bytes;
    enum fault fault; /* of the archive: what stands before it was read */
};

/* All parts whose names end in one of `suffixes` (".xml .rels"), which are not more than 65536. */
enum fault members_read(const struct supply *s, const char *suffixes, struct members *out);
/* NULL when there is none; ASCII case counts not. n: length of name. */
const struct buf *member_find(const struct members *m, const char *name, size_t n);
void members_free(struct members *m);

/* What a zip holds, by the names in it: "docx", "pptx", "odt", "epub", "zip", or NULL for a
 * document of a kind that is not read here. */
const char *zip_kind(const struct supply *s);

/* ---- archives ---- */

/* A database of Apple Messages, as one text of JSON lines. p is changed. */
void imessage_walk(uint8_t *p, size_t n, struct wire_out *out);
/* Once before each walk, and before the cell is shut. */
void imessage_prepare(void);
/* Puts what a SQLite database's journal holds into the database, which may grow to `room` bytes;
 * returns its size. A journal that does not belong to it changes nothing. */
size_t wal_apply(uint8_t *db, size_t n, size_t room, const uint8_t *journal, size_t journal_n);
/* The characters of an attributedBody, appended. */
enum fault imessage_body(const uint8_t *p, size_t n, struct buf *out);
/* Every entry to out, as records. */
void archive_walk(const struct supply *s, struct wire_out *out);
/* What a file is that holds no text, by its first bytes: a note, or -1. */
int not_text(const uint8_t *p, size_t n);

/* ---- documents ---- */

enum fault docx_text(const struct members *m, struct doctext *d);
enum fault pptx_text(const struct members *m, struct doctext *d);
enum fault odt_text(const struct members *m, struct doctext *d);
enum fault epub_text(const struct members *m, struct doctext *d);
/* Once before the cell is shut: opens the charsets that RTF may name. */
void rtf_prepare(void);
enum fault rtf_text(const uint8_t *p, size_t n, struct doctext *d);
enum fault pdf_text(const uint8_t *p, size_t n, struct doctext *d);

#endif
