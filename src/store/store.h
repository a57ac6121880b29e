/* The store: typed rows, sealed on the way in and opened on the way out. All SQL lives behind it.
 *
 *     struct store *st;
 *     store_open(home, vault, STORE_WRITE, &st, err);
 *     store_begin(st, err);
 *     store_source_put(st, ps, &src, err);      sets src.id
 *     store_piece_put(st, ps, &piece, err);
 *     store_commit(st, err);
 *     store_close(st);
 *
 * One writer: STORE_WRITE takes a lock on HOME/lock and fails with ERR_BUSY (naming the pid) when
 * another process has it; any number of readers. Changes outside store_begin/commit are a
 * transaction each. A failed commit rolls back. Durable: WAL, synchronous=FULL, secure_delete.
 *
 * `struct sealed` is a persona's handle in the store: row id, uid and its key. Row getters call
 * back with rows whose pointers are borrowed until the callback returns; the callback returns 0 to
 * go on, any other code stops and is returned. The callback may read from the store; inside
 * store_begin/commit it may also write, but only rows of another table than the one it is called
 * for. A store is used by one thread at a time. */
#ifndef LK_STORE_STORE_H
#define LK_STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "vault/vault.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_SCHEMA 2 /* 1 is the first; migrate.c knows the way from each to the next */

enum store_mode { STORE_READ, STORE_WRITE };

struct store;
int store_create(const char *home, struct vault *v, struct err *err); /* empty database */
/* HOME/lock for longer than a store is open: to make a home. store_create_locked wants it held. */
int store_lock(const char *home, int *lock, struct err *err); /* ERR_BUSY */
void store_unlock(int *lock);                                 /* accepts -1 */
int store_create_locked(const char *home, struct vault *v, struct err *err);
/* Brings an older schema up to date, also for STORE_READ, which takes the write lock for that
 * moment. */
int store_open(const char *home, struct vault *v, enum store_mode mode, struct store **out,
               struct err *err);
void store_close(struct store *st);
int store_begin(struct store *st, struct err *err);
int store_commit(struct store *st, struct err *err);
void store_rollback(struct store *st); /* no-op outside one */
/* Truncate the log and give free pages back: after deletions. */
int store_compact(struct store *st, struct err *err);
/* A store that is open to read: everything is as it was at the first look until store_moves,
 * whatever others write. Not for hours: their log grows meanwhile. */
int store_still(struct store *st, struct err *err);
void store_moves(struct store *st); /* no-op when it does */
/* Give back the memory that keeps pages of the file at hand. */
void store_shrink(struct store *st);
/* Changes by other processes bump this (PRAGMA data_version). */
int64_t store_data_version(struct store *st);

/* ---- personas ---- */
struct sealed { /* a persona's handle */
    int64_t id;
    uint8_t uid[VAULT_UID];
    uint8_t key[VAULT_KEY]; /* zero it with store_sealed_clear */
};
void store_sealed_clear(struct sealed *ps);

struct row_persona {
    int64_t id;
    uint8_t uid[VAULT_UID];
    int64_t created_at;
    bool stale;       /* derived things (topics, profile) are behind */
    bool forgotten;   /* its key is gone, or it is being forgotten; body is empty */
    bool unreadable;  /* its key or body is damaged or of a newer version; body is empty */
    const char *body; /* JSON, sealed: name, kind, consent, aliases, settings */
    size_t body_n;
};
int store_persona_new(struct store *st, const char *body, size_t n, struct sealed *out,
                      struct err *err); /* makes key and row; ps filled */
/* The same under a uid that the caller drew from randombytes_buf. ERR_EXISTS if it is here. */
int store_persona_new_as(struct store *st, const uint8_t uid[VAULT_UID], const char *body, size_t n,
                         struct sealed *out, struct err *err);
int store_persona_import(struct store *st, const uint8_t uid[VAULT_UID],
                         const uint8_t key[VAULT_KEY], const char *body, size_t n,
                         int64_t created_at, struct sealed *out,
                         struct err *err); /* ERR_EXISTS if uid is here */
/* Every row, also those that do not open: see forgotten and unreadable. */
int store_persona_each(struct store *st, int (*fn)(void *ud, const struct row_persona *r), void *ud,
                       struct err *err);
/* One row, as _each gives it. ERR_NOTFOUND. */
int store_persona_get(struct store *st, const uint8_t uid[VAULT_UID],
                      int (*fn)(void *ud, const struct row_persona *r), void *ud, struct err *err);
int store_persona_handle(struct store *st, int64_t id, struct sealed *out, struct err *err);
int store_persona_set(struct store *st, const struct sealed *ps, const char *body, size_t n,
                      struct err *err);
int store_persona_stale(struct store *st, const struct sealed *ps, bool stale, struct err *err);
/* Key first, then rows, then compaction. Needs neither key nor body to open. Safe to repeat;
 * store_open(WRITE) finishes interrupted ones. ERR_FULL, ERR_BUSY: the key is destroyed, and the
 * rows go when there is room, or when the other process is done; the message says so. */
int store_persona_forget(struct store *st, int64_t id, struct err *err);

/* ---- sources and pieces ---- */
struct row_source {
    int64_t id;
    int64_t added_at;                     /* put: 0 is now; never changed later */
    int64_t from, to;                     /* written_at of oldest and newest piece; CLOCK_NONE */
    uint64_t n_pieces, n_voice, n_chunks; /* kept by the store */
    const char *body;                     /* JSON, sealed: title, format, path, ... */
    size_t body_n;
};
int store_source_put(struct store *st, const struct sealed *ps, struct row_source *r,
                     struct err *err); /* id 0: new */
int store_source_each(struct store *st, const struct sealed *ps, int64_t id /* 0: all */,
                      int (*fn)(void *ud, const struct row_source *r), void *ud, struct err *err);
struct gone { /* what a deletion took with it */
    uint64_t pieces, chunks, vectors, turns;
    uint64_t phrases; /* 0 from the store, which cannot know; persona/ fills it */
};
/* Source with its pieces, chunks, vectors, and the conversation turns that quoted it. Marks the
 * persona stale. One transaction. */
int store_source_delete(struct store *st, const struct sealed *ps, int64_t id, struct gone *gone,
                        struct err *err);
/* How many were deleted through `st` since it was opened to write: who has let others write looks
 * here whether what it knew of the sources still holds. A deletion that was undone counts, too. */
uint64_t store_deletions(const struct store *st, const struct sealed *ps);

struct row_piece {
    int64_t id, source;
    int64_t written_at;
    int64_t seq; /* order in the source */
    int kind;    /* enum piece_kind */
    bool voice;
    uint8_t digest[16]; /* vault_digest of what makes it itself */
    const char *body;   /* packed by persona/pack.h, sealed */
    size_t body_n;
};
int store_piece_put(struct store *st, const struct sealed *ps, struct row_piece *r,
                    struct err *err); /* id 0: new; else body, voice replaced */
/* The piece with this digest: its id and source, or *id = 0. */
int store_piece_find(struct store *st, const struct sealed *ps, const uint8_t digest[16],
                     int64_t *id, int64_t *source, struct err *err);
enum { PIECE_BY_SEQ, PIECE_BY_TIME }; /* by time: undated ones first */
int store_piece_each(struct store *st, const struct sealed *ps, int64_t source /* 0: all */,
                     int order, int (*fn)(void *ud, const struct row_piece *r), void *ud,
                     struct err *err);

/* ---- chunks and vectors ---- */
struct row_chunk {
    int64_t id, source;
    int64_t written_at;
    int32_t n_tokens;
    int32_t topic;    /* -1: none */
    const char *body; /* packed segments + key phrases (persona/pack.h), sealed */
    size_t body_n;
};
int store_chunk_put(struct store *st, const struct sealed *ps, struct row_chunk *r,
                    struct err *err);
int store_chunk_get(struct store *st, const struct sealed *ps, int64_t id,
                    int (*fn)(void *ud, const struct row_chunk *r), void *ud,
                    struct err *err); /* ERR_NOTFOUND */
int store_chunk_each(struct store *st, const struct sealed *ps, int64_t source /* 0: all */,
                     int (*fn)(void *ud, const struct row_chunk *r), void *ud, struct err *err);
/* The highest id of a chunk, 0 when there is none. */
int store_chunk_last(struct store *st, const struct sealed *ps, int64_t *id, struct err *err);
int store_chunk_topic(struct store *st, const struct sealed *ps, int64_t id, int32_t topic,
                      struct err *err);
/* Remove the chunks (and vectors) of a source, e.g. before re-chunking. Turns are left. */
int store_chunks_clear(struct store *st, const struct sealed *ps, int64_t source, struct err *err);

struct row_embedder {
    int64_t id;
    int32_t dim;
    bool current;
    const char *body; /* sealed: name, version, learnt state (IDF table) */
    size_t body_n;
};
int store_embedder_put(struct store *st, const struct sealed *ps, struct row_embedder *r,
                       struct err *err);
int store_embedder_each(struct store *st, const struct sealed *ps,
                        int (*fn)(void *ud, const struct row_embedder *r), void *ud,
                        struct err *err);
/* Make this embedder the current one and remove the others with their vectors: one transaction. */
int store_embedder_switch(struct store *st, const struct sealed *ps, int64_t id, struct err *err);
int store_vector_put(struct store *st, const struct sealed *ps, int64_t embedder, int64_t chunk,
                     const float *v, int dim, struct err *err);
/* n vectors of a chunk, in place of what it has: v: [n, dim]. */
int store_vectors_put(struct store *st, const struct sealed *ps, int64_t embedder, int64_t chunk,
                      const float *v, int dim, size_t n, struct err *err);
/* count: how many numbers; the embedder's dim times the chunk's vectors. */
int store_vector_each(struct store *st, const struct sealed *ps, int64_t embedder,
                      int (*fn)(void *ud, int64_t chunk, const float *v, int count), void *ud,
                      struct err *err);

/* ---- named sealed documents of a persona: profile, topics, prompt templates ---- */
int store_doc_put(struct store *st, const struct sealed *ps, const char *name, const char *body,
                  size_t n, struct err *err); /* n 0: delete. name is not personal: "profile" */
int store_doc_get(struct store *st, const struct sealed *ps, const char *name, struct buf *out,
                  struct err *err); /* ERR_NOTFOUND */
int store_doc_each(struct store *st, const struct sealed *ps,
                   int (*fn)(void *ud, const char *name, const char *body, size_t n), void *ud,
                   struct err *err);

/* ---- conversations ---- */
struct row_turn {
    int64_t id, conversation, created_at; /* put: id 0; created_at 0 is now */
    const int64_t *sources;               /* sources the answer rests on */
    size_t n_sources;
    const char *body; /* JSON, sealed: question, answer, citations */
    size_t body_n;
};
/* created_at 0: now. */
int store_conversation_new(struct store *st, const struct sealed *ps, const char *body, size_t n,
                           int64_t created_at, int64_t *id, struct err *err);
int store_conversation_each(struct store *st, const struct sealed *ps,
                            int (*fn)(void *ud, int64_t id, int64_t created_at, uint64_t n_turns,
                                      const char *body, size_t n),
                            void *ud, struct err *err);
int store_conversation_delete(struct store *st, const struct sealed *ps, int64_t id,
                              struct err *err);
int store_turn_put(struct store *st, const struct sealed *ps, struct row_turn *r, struct err *err);
int store_turn_each(struct store *st, const struct sealed *ps, int64_t conversation,
                    int (*fn)(void *ud, const struct row_turn *r), void *ud, struct err *err);

/* ---- checking ---- */
struct store_report { /* counts; problems go to `say` as sentences */
    uint64_t personas, sources, pieces, chunks, vectors, turns, rows_opened;
    uint64_t problems, repaired;
};
/* Integrity of the database file, foreign keys, every sealed row opened, counts kept by the store,
 * keys without persona, personas without key, vectors without chunk, leftover temporary files.
 * repair: mend what loses nothing. say(ud, is_problem, sentence). */
int store_check(struct store *st, bool repair,
                void (*say)(void *ud, bool problem, const char *text), void *ud,
                struct store_report *rep, struct err *err);

#endif
