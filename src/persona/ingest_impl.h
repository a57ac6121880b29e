/* What the files of ingest share: ingest.c takes one file, ingest_piece.c what is in it, piece by
 * piece, ingest_source.c finds the source that each belongs to. */
#ifndef LK_PERSONA_INGEST_IMPL_H
#define LK_PERSONA_INGEST_IMPL_H

#include "base/map.h"
#include "persona/internal.h"
#include "persona/tape.h"
#include "persona/tongues.h"

struct job {
    struct ingest *in;
    struct format_in file;
    const struct format *format;
    struct ingest_file rep;
    bool survey;      /* nobody looked yet who writes in it */
    bool storing;     /* second pass (or the only one): store what is new */
    bool begun;       /* to be stored */
    bool thorough;    /* what is read in this pass may be stored */
    struct map seen;  /* digest of a piece -> how many of it so far in this pass */
    struct map votes; /* hash(thread, source) -> known pieces there */
    struct map best;  /* thread -> source with most votes, then the one in use */
    struct map best_votes;
    struct map thread_size; /* thread -> its pieces in this file */
    struct map thread_name; /* thread -> hash of the title a source of it would get */
    struct map voices;      /* hash of author -> 1 not the persona, 2 the persona */
    struct map exact;       /* thread -> its pieces that are known by their digest */
    struct map alike;       /* key of messages alike -> how many of those stored are spoken for */
    struct map sources; /* sources that grew: id -> 1 new, 2 grown, 3 grown and its chunks gone */
    bool in_parts;      /* others have written: what came before that is in */
    uint64_t deletions; /* of sources of the persona, before this file */
    uint64_t title;     /* hash of the title of the first document of a source made here */
    int64_t many;       /* that source, once its documents differ in title; 0: not so */
    struct tongues tongues; /* of what was stored */
    int64_t seq;
    uint64_t consumed;     /* bytes of this file */
    uint64_t bytes_before; /* of the files before this one, for progress */
    uint64_t bytes_total;
    struct err *err;
};

static inline uint64_t ingest_value(const struct map *m, uint64_t key)
{
    const uint64_t *v = map_get(m, key);
    return v ? *v : 0;
}

/* ---- ingest.c ---- */
/* Between two pieces: where others wait to write, lets them. */
int ingest_give_way(struct job *j);

/* ---- ingest_piece.c ---- */
/* ud: the job. Before a piece is handed over, perhaps in another thread: what it is known by, and
 * what does not depend on what is stored. Touches nothing of the job but `seen`. */
int ingest_ready(void *ud, struct tape_piece *t, struct arena *mem, struct err *err);
int ingest_piece(void *ud, const struct tape_piece *t, struct err *err);

/* ---- ingest_source.c ---- */
uint64_t ingest_thread_key(const struct job *j, const struct piece *p);
/* What tells a chat in many files from others, where they lie. */
uint64_t ingest_part_key(const struct job *j, uint64_t thread);
/* What a source made for this piece is called, and how much of that is shown. */
const char *ingest_title(const struct job *j, const struct piece *p);
size_t ingest_title_shown(const struct job *j, const char *title);
/* Is this source there; id 0: any at all? */
int ingest_has_source(struct job *j, int64_t id, bool *there);
/* In the first pass: the piece is counted, and votes for its source when it is known (source 0: it
 * is not). */
int ingest_vote(struct job *j, const struct piece *p, int64_t source);
/* After the first pass: which threads go on in a source that is there. */
int ingest_confirm(struct job *j);
/* The source a new piece of this thread goes to; made when there is none. */
int ingest_source_for(struct job *j, const struct piece *p, int64_t *id);
/* After all pieces. */
int ingest_retitle(struct job *j);
/* The file is in: where its chats went holds for the files after it. */
void ingest_keep_parts(struct job *j);

#endif
