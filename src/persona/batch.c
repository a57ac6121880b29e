/* One transaction for several files.
 *
 * SQLite's savepoints would let one file be undone alone, at the price of a copy of every page that
 * changes, in a list that each statement walks. So a file that joins others is parsed whole first
 * (tape.c): what fails for what is in it has stored nothing. What can fail after that, the disk,
 * takes the others along. The first file of a transaction needs none of this, large files come
 * alone, and after a commit in the midst of a file (give_way in ingest.c) that file is the first
 * again.
 *
 * Where a commit fails, the ids that were given in it are given again: what the run remembers of
 * sources is forgotten. */
#include "persona/batch.h"

#include "base/str.h"
#include "persona/internal.h"

#include <stdlib.h>
#include <string.h>

#define PIECES_MOST  2000
#define BYTES_MOST   ((uint64_t)8 << 20)
#define SECONDS_MOST 0.5
#define TOLD_MOST    1000

struct told_later {
    struct ingest_file file;
    struct err why;
    char *path;
};

static void clear_told(struct ingest_batch *b)
{
    for (size_t i = 0; i < b->n_told; i++) free(b->told[i].path);
    b->n_told = 0;
}

/* lost: why those are not in that seemed to be. What stored nothing, and met nothing that was
 * stored, is told as it was. */
static void tell_all(struct ingest_batch *b, const struct err *lost)
{
    for (size_t i = 0; i < b->n_told; i++) {
        struct told_later *t = &b->told[i];
        bool gone = lost && !t->why.code && (t->file.added || t->file.known);
        struct ingest_file *f = &t->file, none = { .path = t->path,
                                                   .format = f->format,
                                                   .bytes = f->bytes,
                                                   .from = CLOCK_NONE,
                                                   .to = CLOCK_NONE };
        if (gone) b->tell(b->ud, &none, lost);
        else b->tell(b->ud, f, t->why.code ? &t->why : NULL);
    }
    clear_told(b);
}

/* The transaction is gone without a commit. */
static void lose(struct ingest *in, const struct err *why)
{
    struct ingest_batch *b = &in->run->batch;
    store_rollback(in->home->store);
    b->open = b->joined = false;
    again_free(&in->run->again);
    map_free(&in->run->parts);
    if (ingest_ends_all(why->code)) clear_told(b);
    else tell_all(b, why);
}

int batch_commit(struct ingest *in, struct err *err)
{
    struct ingest_batch *b = &in->run->batch;
    struct err why = { 0 };
    int rc = b->open ? store_commit(in->home->store, &why) : 0;
    b->open = b->joined = false;
    if (rc) lose(in, &why);
    else tell_all(b, NULL);
    return rc ? err_set(err, rc, "%s", why.msg) : 0;
}

int batch_due(struct ingest *in, struct err *err)
{
    const struct ingest_batch *b = &in->run->batch;
    bool due = b->pieces >= PIECES_MOST || b->bytes >= BYTES_MOST || b->n_told >= TOLD_MOST ||
               clock_mono() - b->since >= SECONDS_MOST;
    return b->open && due ? batch_commit(in, err) : 0;
}

int batch_begin(struct ingest *in, uint64_t bytes, struct err *err)
{
    struct ingest_batch *b = &in->run->batch;
    struct store *st = in->home->store;
    int rc = b->open && bytes >= BYTES_MOST ? batch_commit(in, err) : 0;
    if (rc) return rc;
    b->joined = b->open;
    if (!b->open) {
        if ((rc = store_begin(st, err))) return rc;
        b->since = clock_mono();
        b->bytes = b->pieces = 0;
    }
    b->open = true;
    b->bytes += bytes;
    return 0;
}

void batch_end(struct ingest *in, bool begun, uint64_t pieces, int rc, const struct err *why)
{
    struct ingest_batch *b = &in->run->batch;
    b->pieces += pieces;
    if (b->open && !b->joined && (rc || !begun)) {
        store_rollback(in->home->store);
        b->open = false;
    } else if (b->open && rc && begun) {
        lose(in, why);
    }
    b->joined = false;
}

int batch_tell(struct ingest *in, struct ingest_file *f, const struct err *e, struct err *err)
{
    struct ingest_batch *b = &in->run->batch;
    if (!b->open) {
        b->tell(b->ud, f, e);
        return 0;
    }
    if (b->n_told == b->cap_told) {
        size_t cap = b->cap_told ? b->cap_told * 2 : 16;
        struct told_later *grown = realloc(b->told, cap * sizeof *grown);
        if (!grown) return err_nomem(err);
        b->told = grown;
        b->cap_told = cap;
    }
    struct told_later *t = &b->told[b->n_told];
    *t = (struct told_later){ .file = *f, .path = str_dup(f->path) };
    if (e) t->why = *e;
    if (!t->path) return err_nomem(err);
    t->file.path = t->path;
    b->n_told++;
    return 0;
}

void batch_free(struct ingest_batch *b)
{
    clear_told(b);
    free(b->told);
    b->told = NULL;
    b->cap_told = 0;
}
