/* What files of this room share and no other room needs. */
#ifndef LK_PERSONA_INTERNAL_H
#define LK_PERSONA_INTERNAL_H

#include "base/map.h"
#include "model/embed.h"
#include "model/tokenizer.h"
#include "persona/again.h"
#include "persona/batch.h"
#include "persona/ingest.h"
#include "persona/pack.h"
#include "persona/persona.h"
#include "text/format.h"

struct path_list {
    char **path;
    bool *walked; /* found in a folder, not named */
    const char *root;
    size_t n, cap;
    uint64_t bytes;
};
/* Files named, and those below folders named, in order; "-" stays. What is neither file nor folder
 * is ERR_INVAL. Free also after an error. */
int path_list_of(const char *const *paths, size_t n, struct path_list *out, struct err *err);
void path_list_free(struct path_list *l);

/* What the files of one call have in common: names that some tell and others need, and the source
 * that a chat goes to whose parts lie in many files. */
struct ingest_run {
    struct names *names;
    struct map parts;          /* hash of format, folder and thread -> source */
    struct preview *preview;   /* in a dry run that tells it */
    struct map dry;            /* in a dry run: digests of what was seen */
    uint64_t files;            /* read so far */
    struct again again;        /* what is stored, as other exports would have it */
    uint64_t deletions;        /* as they were when `again` and `parts` held */
    uint64_t pieces;           /* looked at so far */
    struct ingest_batch batch; /* the transaction that files share */
    size_t tape_most;          /* bytes that are kept of a file between looking and storing */
};
/* in->run, made if there is none: then *own is it, and ingest_run_end takes it away again. */
int ingest_run_begin(struct ingest *in, struct ingest_run *own, struct err *err);
void ingest_run_end(struct ingest *in, struct ingest_run *own);
/* A file more: what those before it left holds as long as no source has gone since. */
void ingest_run_next(struct ingest_run *run, uint64_t deletions);

/* Errors that end the whole run; any other costs its file alone. */
bool ingest_ends_all(int rc);

/* One file that is open; in->run is set. What was taken holds from the next batch_commit on. rep is
 * filled also after an error, with nothing taken. */
int ingest_one(struct ingest *in, const struct format *f, const struct format_in *file, bool survey,
               uint64_t before, uint64_t total, struct ingest_file *rep, struct err *err);
void ingest_note_add(struct ingest_file *f, const struct ingest_note *n);

/* Asks which of the speakers is the persona, unless one is so by name. Frees s. */
int speakers_choose(struct ingest *in, struct speaker *s, size_t n, struct err *err);

/* ingest_speakers of one file that is open; it is back at its beginning afterwards. */
int speakers_of_open(struct ingest *in, const struct format *f, struct format_in *file,
                     struct speaker **out, size_t *n_out, struct err *err);

/* ---- who.c: what two spellings of one person have in common ---- */
#define PHONE_DIGITS 15 /* E.164: no number is longer */
/* Digits of a phone number without the zeros or "+" before it; how many, 0 if it is none. */
size_t who_phone(const char *s, char out[PHONE_DIGITS]);
/* Folded name with "Last, First" turned round, marks as spaces, one space between words. */
void who_name(const char *s, struct buf *out);

/* Cut all pieces of a source into chunks anew (inside the caller's transaction). */
int chunk_source(struct home *h, struct persona *p, int64_t source, uint64_t *n_chunks,
                 struct err *err);

/* Opens p->counter, where p->tokenizer names one and it is not open yet. */
int persona_counter(struct persona *p, struct err *err);

/* What a chunk is embedded and searched by: its title, then its text. */
void chunk_embed_text(const struct chunk_text *t, struct buf *out);

/* Aliases of a comma-separated list, put into p and nowhere else; what was added stays after an
 * error and is taken back with persona_alias_cut(p, the number there was before). */
int persona_alias_parse(struct persona *p, const char *list, struct err *err);
void persona_alias_cut(struct persona *p, size_t keep);

/* A body that came from elsewhere, checked as persona_create checks what it is given and written
 * anew; name replaces the one in it, or NULL. The caller wipes and frees *out. */
int persona_adopt(struct home *h, const char *body, size_t n, const char *name, char **out,
                  struct err *err);
int persona_load(struct home *h, int64_t id, struct persona **out, struct err *err);

/* Write the persona's body (name, consent, aliases, settings) back. */
int persona_save(struct home *h, const struct persona *p, struct err *err);

#endif
