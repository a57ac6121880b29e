/* Ingest: files, folders and standard input become sources, pieces, chunks and vectors of a
 * persona.
 *
 *     struct ingest in = { .home = h, .persona = p, .on_file = show, .ud = &ui };
 *     ingest_paths(&in, paths, n_paths, &totals, err);
 *
 * One file, or one entry of an archive, is in whole or not at all; small ones share a commit. What
 * on_file was called for stays, whatever comes after. The same piece twice (same author, time and
 * text) adds nothing; a longer export of a known chat extends its source. When all files are in,
 * persona_settle brings vectors, key phrases, topics and profile up to date in a transaction of
 * their own; until then keyword search finds the new text. */
#ifndef LK_PERSONA_INGEST_H
#define LK_PERSONA_INGEST_H

#include "base/progress.h"
#include "persona/persona.h"
#include "persona/preview.h"

#include <stdio.h>

#define INGEST_NOTES 16

/* Somebody who wrote in the files, for "which of these are you?". */
struct speaker {
    char name[128], id[128];
    uint64_t messages;
    uint32_t files; /* how many files, or chats, they appear in */
    bool owner;     /* the format says this is the owner of the export */
    bool other;     /* it always says that the owner is somebody else, who is not named */
    float likely;   /* 0..1 that this is the owner; the list is sorted by it */
};

struct ingest_note { /* a kind of thing that was passed over */
    char what[48];
    uint64_t count, first; /* how often; line or byte of the first, or near it */
};

struct ingest_file { /* what became of one file */
    const char *path;
    const char *format; /* NULL when it could not be read: then error says why */
    const char *error;
    uint64_t added, known, voice, context, chunks, bytes;
    int64_t source; /* the (last) source it went to; 0: none */
    uint32_t sources_new, sources_grown;
    int64_t from, to; /* written_at of oldest and newest added piece */
    struct ingest_note notes[INGEST_NOTES];
    size_t n_notes;
    bool nobody;  /* it has authors, and none of them is the persona */
    bool part;    /* one of many files of a chat: more is told of them together */
    bool archive; /* what was passed over in an archive; its entries were told one by one */
};

struct ingest_totals {
    uint64_t files, failed, added, known, voice, context, chunks, bytes;
};

struct ingest {
    struct home *home;
    struct persona *persona;
    const char *as;  /* format name, or NULL */
    const char *map; /* CSV/JSONL columns */
    const char *by;  /* author of texts that name none; NULL: the persona */
    int day_first;   /* -1: solved from the file */
    long tz_offset;
    bool dry_run;      /* look, count, report; store nothing */
    bool keep_secrets; /* else they are left out, and noted: text/secrets.h */
    /* Where others share the writer: does somebody wait? Then, between two pieces, what came in so
     * far is committed and `turn` lets them; it returns with the writer in hand again, whatever it
     * returns. A file is then one transaction no more: a cancelled one leaves what it added to
     * sources that were there before. NULL: nobody. */
    bool (*wanted)(void *ud);
    int (*turn)(void *ud, struct err *err);
    /* Called once when the persona has no alias yet and the files hold messages of people of whom
     * none has its name: choose, and append a comma-separated list to aliases. NULL, or nothing
     * chosen: ERR_INVAL with remedy. In a dry run the choice is forgotten afterwards. */
    int (*who)(void *ud, const struct speaker *s, size_t n, struct buf *aliases, struct err *err);
    void (*on_file)(void *ud, const struct ingest_file *f);
    /* In a dry run, after all files: what would come in, source by source. */
    void (*on_preview)(void *ud, const struct ingest_preview *v);
    const struct progress *progress;
    void *ud;
    struct ingest_run *run; /* what the files of one call have in common; set and freed by it */
};

/* 0 when at least one file came in or was known whole; the first error when all failed. Cancelled
 * through progress: ERR_CANCEL; the file at hand is not taken, the files before it stay. */
int ingest_paths(struct ingest *in, const char *const *paths, size_t n, struct ingest_totals *out,
                 struct err *err);
/* One file that is open and seekable, called `name` in titles and messages; it is closed. before,
 * total: bytes of all files, for progress. Nothing is settled. rep->error stays NULL; for an
 * archive rep has the sums of its entries, and those that could not be read are in its notes. */
int ingest_opened(struct ingest *in, FILE *f, const char *name, uint64_t before, uint64_t total,
                  struct ingest_file *rep, struct err *err);
/* One text given in memory (API, tests): a document by the persona. title may be NULL. ERR_INVAL
 * when it is empty, ERR_LIMIT when it is longer than FORMAT_PIECE_MAX. */
int ingest_text(struct home *h, struct persona *p, const char *title, const char *text, size_t n,
                int64_t written_at, struct err *err);
/* The same; source (may be NULL): where it is, also when it was known. written_at CLOCK_NONE:
 * `now`, which does not make the same text another. */
int ingest_text_at(struct home *h, struct persona *p, const char *title, const char *text, size_t n,
                   int64_t written_at, int64_t now, int64_t *source, struct err *err);
/* Who writes in these files, likeliest owner first; *out is malloc'ed. */
int ingest_speakers(struct ingest *in, const char *const *paths, size_t n, struct speaker **out,
                    size_t *n_out, struct err *err);

/* Bring all that is derived up to date: vectors (re-learning the embedder when the corpus grew by a
 * quarter or more), key phrases, topics, profile. One transaction. */
int persona_settle(struct home *h, struct persona *p, const struct progress *pr, struct err *err);
/* The same for a persona that others may add texts to meanwhile: reads in h, takes the writer for
 * short moments only, and may leave p->stale set, when there is more to settle by now. A reader
 * sees vectors of new chunks early, everything else in one step. Nobody else settles this persona
 * or deletes from it meanwhile. */
int persona_settle_by(struct home *h, struct persona *p, const struct home_writer *by,
                      const struct progress *pr, struct err *err);
int persona_reembed_by(struct home *h, struct persona *p, const char *embedder,
                       const struct home_writer *by, const struct progress *pr, struct err *err);
/* Make vectors anew with another embedder; searches use the old ones until it is done. */
int persona_reembed(struct home *h, struct persona *p, const char *embedder,
                    const struct progress *pr, struct err *err);

#endif
