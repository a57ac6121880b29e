/* Sealed rows: what binds a sealed column to its place, and one way in and out for every table.
 *
 * Columns that stay plain because the store sorts or joins by them, and that do not change by
 * themselves (times, kinds, the voice flag, the source), are bound into the additional data of the
 * row's body. So an edit of the file that would, say, turn another person's words into the
 * persona's own is seen as soon as the row is read. */
#include "store/sql.h"

#include <sodium.h>
#include <string.h>

void bound_i64(struct bound *b, int64_t v)
{
    for (int i = 0; i < 8; i++) b->p[b->n++] = (uint8_t)((uint64_t)v >> 8 * i);
}

void bound_bytes(struct bound *b, const void *p, size_t n)
{
    bound_i64(b, (int64_t)n);
    if (n > sizeof b->p - b->n) n = sizeof b->p - b->n;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static struct vault_ad place(const struct sealed *ps, const char *table, int64_t id,
                             const char *column, const struct bound *b)
{
    return (struct vault_ad){ .table = table,
                              .row = id,
                              .column = column,
                              .uid = ps ? ps->uid : NULL,
                              .bound = b ? b->p : NULL,
                              .bound_n = b ? b->n : 0 };
}

int row_seal(struct store *st, const struct sealed *ps, const char *table, int64_t id,
             const char *column, const struct bound *b, const void *p, size_t n, struct buf *out,
             struct err *err)
{
    struct vault_ad ad = place(ps, table, id, column, b);
    return vault_seal(ps ? ps->key : vault_account_key(st->v), &ad, p, n, out, err);
}

int row_open(struct store *st, const struct sealed *ps, const char *table, int64_t id,
             const char *column, const struct bound *b, sqlite3_stmt *s, int col, struct buf *out,
             struct err *err)
{
    struct vault_ad ad = place(ps, table, id, column, b);
    struct span sealed = sql_blob(s, col);
    buf_clear(out);
    return vault_open(ps ? ps->key : vault_account_key(st->v), &ad, sealed.p, sealed.n, out, err);
}

void store_sealed_clear(struct sealed *ps)
{
    if (ps) sodium_memzero(ps, sizeof *ps);
}
