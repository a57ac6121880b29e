/* The pool: personas that are open to be asked, shared by many threads.
 *
 *     pool_open(home, &(struct pool_opts){ .memory = 1 << 30 }, &pool, err);    home: to write
 *     struct desk *d;
 *     pool_take(pool, uid, 5000, &d, err);         a retriever of this persona, yours alone
 *     retrieve(d->retriever, ...); conversation_open(d->retriever, ...);
 *     pool_give(pool, d);
 *     struct home *w;
 *     pool_write(pool, 5000, &w, err);             the one writer
 *     ... ; pool_changed(pool, uid);               when the persona or its texts changed
 *     pool_wrote(pool, w);
 *
 * A retriever and a store belong to one thread at a time, so a persona that is asked by several
 * threads has several desks, up to `desks`, each with a home of its own to read from. Idle ones
 * stay warm, least recently used out first, within `memory`. All desks of a persona search one
 * corpus (corpus.h), which is read once and freed with the last desk that has it; what they read of
 * passages, the persona with its key and the home are each desk's own. A desk is pinned: it does
 * not look whether the store has changed; pool_changed says so instead, and desks of that persona
 * are opened anew when they are next taken. The pool holds HOME/lock as long as it is open. */
#ifndef LK_PERSONA_POOL_H
#define LK_PERSONA_POOL_H

#include "persona/converse.h"

struct pool_opts {
    size_t memory; /* bytes of indexes kept open; 0: a quarter of the machine's memory */
    int desks;     /* of one persona; 0: one per core, at least 2 */
};

struct desk {
    struct home *home; /* to read */
    struct persona *persona;
    struct retriever *retriever;
};

struct pool;
/* h: opened STORE_WRITE, borrowed; becomes the writer. */
int pool_open(struct home *h, const struct pool_opts *o, struct pool **out, struct err *err);
void pool_close(struct pool *pool); /* accepts NULL; when everything was given back */
/* ERR_NOTFOUND: no such persona (or forgotten); ERR_BUSY after ms milliseconds. */
int pool_take(struct pool *pool, const uint8_t uid[VAULT_UID], int ms, struct desk **out,
              struct err *err);
void pool_give(struct pool *pool, struct desk *d); /* accepts NULL */
/* The writer, for one caller at a time. ERR_BUSY after ms milliseconds. Its transactions are the
 * caller's; none may be open when it is given back. */
int pool_write(struct pool *pool, int ms, struct home **out, struct err *err);
void pool_wrote(struct pool *pool, struct home *w); /* accepts NULL */
/* The same, for what takes the writer now and then and can wait: jobs. */
#define POOL_PATIENT 60000
struct home_writer pool_writer(struct pool *pool);
bool pool_wanted(struct pool *pool); /* does somebody wait for the writer? */
/* The turns of a conversation at a desk are saved through the writer; when that is not to be had
 * within ten seconds, conversation_ask says `unsaved`. */
void pool_keep(struct pool *pool, struct conversation *c);
void pool_changed(struct pool *pool, const uint8_t uid[VAULT_UID]);
/* To read without a persona's indexes: a home of the caller's own until it is given back. */
int pool_read(struct pool *pool, struct home **out, struct err *err);
void pool_read_done(struct pool *pool, struct home *h);
struct vault *pool_vault(const struct pool *pool);
struct pool_load {
    uint64_t desks, busy, opened, bytes;
};
void pool_load(struct pool *pool, struct pool_load *out);

#endif
