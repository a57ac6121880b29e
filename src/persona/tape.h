/* What a parser says of a file, read ahead: the parser works in a thread of its own while the
 * pieces before are stored, and what it said can be kept, so that a file that is looked at before
 * it is stored is parsed once.
 *
 *     struct tape_user u = { .ready = prepare, .piece = store, .skipped = note, .ud = &job };
 *     struct tape *t = NULL;
 *     tape_parse(format, &in, &opts, &u, 96 << 20, &t, err);
 *     if (t) tape_play(t, &u, err);                 the same again, without the parser
 *     tape_free(t);
 *
 * `ready` is called in the parser's thread, all else in the caller's, in the order of the file. */
#ifndef LK_PERSONA_TAPE_H
#define LK_PERSONA_TAPE_H

#include "base/arena.h"
#include "text/format.h"
#include "text/secrets.h"

#define TAPE_TEXTS 3 /* text, quotation, title */

struct tape_piece {
    struct piece p;
    uint8_t digest[16];
    const char *known;             /* the author's name by an address book, or NULL */
    const char *cut[TAPE_TEXTS];   /* without secrets; NULL: nothing was left out */
    const struct secrets *secrets; /* what was; NULL: nothing */
};

struct tape_user {
    /* A piece before it is handed over: fills what is not the parser's. What it allocates in mem
     * lives as long as the piece. 0 or an error that ends the parsing. */
    int (*ready)(void *ud, struct tape_piece *t, struct arena *mem, struct err *err);
    int (*piece)(void *ud, const struct tape_piece *t, struct err *err);
    void (*skipped)(void *ud, const char *what, uint64_t where);
    int (*consumed)(void *ud, uint64_t bytes); /* as in struct piece_sink */
    void *ud;
};

struct tape;
/* As format_parse. What was said is kept in *keep, if that takes at most so many bytes; else *keep
 * is NULL. */
int tape_parse(const struct format *f, struct format_in *in, const struct format_opts *o,
               const struct tape_user *u, size_t most, struct tape **keep, struct err *err);
int tape_play(struct tape *t, const struct tape_user *u, struct err *err);
void tape_free(struct tape *t); /* accepts NULL; zeroes what it held */

#endif
