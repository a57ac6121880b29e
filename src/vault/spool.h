/* A spool: bytes that wait on disk for a job, sealed block by block, so that they can be read from
 * any place.
 *
 *     struct spool *s;
 *     spool_create(path, key, &s, err);
 *     spool_write(s, p, n, err);  ...            any number of bytes: memory does not grow
 *     spool_finish(s, err);                      synced, renamed into place
 *     spool_free(s);                             without finish: nothing is left behind
 *     FILE *f = spool_fopen(path, key, &size, err);     reads, seeks; blocks open as they are
 * needed
 *
 * A block that was changed, moved, cut off or comes from another file does not open: reading fails
 * with EIO. Format: docs/STORAGE.md. */
#ifndef LK_VAULT_SPOOL_H
#define LK_VAULT_SPOOL_H

#include "vault/vault.h"

#include <stdio.h>

#define SPOOL_BLOCK 65536 /* plain bytes in each block but the last */

struct spool;
int spool_create(const char *path, const uint8_t key[VAULT_KEY], struct spool **out,
                 struct err *err);
int spool_write(struct spool *s, const void *p, size_t n, struct err *err);
uint64_t spool_bytes(const struct spool *s); /* plain bytes so far */
/* One without a name, gone when it is closed: in $TMPDIR, else /var/tmp, sealed with a key that is
 * in the memory of this process alone. spool_reread ends the writing; s is freed as usual. */
int spool_temporary(struct spool **out, struct err *err);
FILE *spool_reread(struct spool *s, uint64_t *size, struct err *err);
int spool_finish(struct spool *s, struct err *err);
void spool_free(struct spool *s); /* accepts NULL */
/* Read-only and seekable; fclose it. size may be NULL. */
FILE *spool_fopen(const char *path, const uint8_t key[VAULT_KEY], uint64_t *size, struct err *err);

#endif
