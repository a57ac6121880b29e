/* What goes through the pipe between the helper and the program: a stream of records.
 *
 *     record   u8 type, u32 n, n bytes (n <= WIRE_MAX); integers little-endian
 *     KIND     lstr               what the input turned out to be: "zip", "docx"
 *     BEGIN    u8 text, i64 mtime, i64 date, u64 at, lstr path, lstr title, lstr author
 *     DATA     bytes of the entry that was begun
 *     END      u8 partial         1: there was more, which could not be read
 *     NOTE     u8 note            an entry was passed over
 *     AT       u64                bytes of the input that were read so far
 *     WANT     u64 at, u32 n      bytes of the input (n <= WIRE_MAX), where it is lent (lend.h)
 *     FAULT    u8 fault           the entry that was begun, or else the whole input, cannot be read
 *     DONE                        the last record
 *
 * The helper is not believed: no sentence of its own reaches the user, only numbers of sentences
 * that stand here; names and texts are cleaned before they are used; an order of records other than
 * KIND (BEGIN DATA* END | NOTE | AT | FAULT)* DONE ends the reading. WANT may come anywhere. */
#ifndef LK_MEDIA_WIRE_H
#define LK_MEDIA_WIRE_H

#include "base/cursor.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAX  65536 /* payload of a record */
#define WIRE_NAME 4096  /* a name or title in one */

enum wire_type {
    WIRE_KIND = 'K',
    WIRE_BEGIN = 'B',
    WIRE_DATA = 'D',
    WIRE_END = 'E',
    WIRE_NOTE = 'N',
    WIRE_AT = 'A',
    WIRE_WANT = 'W',
    WIRE_FAULT = 'F',
    WIRE_DONE = 'Z',
};

/* X(NAME, error code, "what follows the file's name"); add at the end. */
#define FAULT_LIST(X)                                                                              \
    X(NONE, 0, "")                                                                                 \
    X(BROKEN, ERR_PARSE, "is damaged: copy or download it again, or save it anew")                 \
    X(CUT, ERR_PARSE, "ends too early: copy or download it again")                                 \
    X(ENCRYPTED, ERR_PARSE, "is protected by a password: save it without one and try again")       \
    X(KIND, ERR_PARSE, "is not in the format it was said to be: leave --as out, or name another")  \
    X(OTHER, ERR_PARSE,                                                                            \
      "is a document of a kind that cannot be read here: save it as PDF, DOCX, CSV or plain text") \
    X(EMPTY, ERR_PARSE, "holds no text")                                                           \
    X(SCANNED, ERR_PARSE,                                                                          \
      "holds pictures of pages and no text: run a text recognition (OCR) over it first")           \
    X(NOMEM, ERR_LIMIT, "needs more memory than the part that reads it may take")                  \
    X(METHOD, ERR_PARSE,                                                                           \
      "is packed in a way that cannot be read here: pack it anew as zip or tar")                   \
    X(DATABASE, ERR_PARSE, "is a database: export its content as text, CSV or JSON")

enum fault {
#define X(name, code, text) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_COUNT
};

/* X(NAME, "what was passed over") */
#define NOTE_LIST(X)                                                                               \
    X(PICTURE, "picture")                                                                          \
    X(SOUND, "recording")                                                                          \
    X(VIDEO, "video")                                                                              \
    X(LINK, "link or device")                                                                      \
    X(PROGRAM, "program or font")                                                                  \
    X(EMPTY, "empty file")

enum note {
#define X(name, text) NOTE_##name,
    NOTE_LIST(X)
#undef X
        NOTE_COUNT
};

int fault_code(enum fault f);
const char *fault_text(enum fault f);
const char *note_text(enum note n);

/* ---- reading, in the program ---- */

struct wire_record {
    enum wire_type type;
    struct span bytes, path, title, author, kind; /* borrowed until the next wire_next */
    int64_t mtime, date;
    uint64_t at;
    uint32_t want;
    bool text, partial;
    enum fault fault;
    enum note note;
};

struct wire_in {
    int fd;
    int (*wait)(void *ud, struct err *err); /* until fd can be read; 0, or an error. May be NULL */
    void *ud;
    uint8_t *buf; /* owned */
    size_t at, n;
    bool begun, known, done;
};

/* 1: a record; 0: the stream has ended, w->done says whether properly; < 0: ERR_PARSE, ERR_IO, or
 * what wait returned. */
int wire_next(struct wire_in *w, struct wire_record *out, struct err *err);
void wire_clear(struct wire_in *w); /* accepts a zeroed one; does not close fd */

/* ---- writing, in the helper ---- */

struct wire_out {
    /* Takes n bytes; 0, or not 0 to stop. */
    int (*put)(void *ud, const void *p, size_t n);
    void *ud;
    uint8_t buf[WIRE_MAX + 5]; /* DATA that is gathered; the first 5 bytes are its record's head */
    size_t n;
    int failed;
};

struct wire_entry {
    const char *path, *title, *author; /* NULL: "" */
    int64_t mtime, date;               /* CLOCK_NONE: not known */
    uint64_t at;
    bool text;
};

/* All return 0, or non-zero when nobody takes it any more. */
int wire_kind(struct wire_out *w, const char *kind);
int wire_begin(struct wire_out *w, const struct wire_entry *e);
int wire_data(struct wire_out *w, const void *p, size_t n);
int wire_end(struct wire_out *w, bool partial);
int wire_note(struct wire_out *w, enum note n);
int wire_at(struct wire_out *w, uint64_t at);
int wire_want(struct wire_out *w, uint64_t at, uint32_t n);
int wire_fault(struct wire_out *w, enum fault f);
int wire_done(struct wire_out *w);

#endif
