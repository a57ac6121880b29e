/* A sealed stream of records in one file: the portable form of a persona.
 *
 *     struct stream *s;
 *     stream_create(path, &secret, &s, err);
 *     stream_put(s, 'P', bytes, n, err);  ...
 *     stream_finish(s, err);                    final tag, fsync, rename into place
 *     stream_free(s);                           without finish: nothing is left behind
 *
 * Under a passphrase (Argon2id, parameters in the header) or a 32-byte key file. A cut, reordered
 * or changed file does not open: every record is authenticated in order, and the end is marked. */
#ifndef LK_VAULT_STREAM_H
#define LK_VAULT_STREAM_H

#include "vault/vault.h"

#define STREAM_RECORD_MAX ((size_t)64 << 20)

struct stream;
/* ERR_EXISTS if path is there and !overwrite. */
int stream_create(const char *path, const struct secret *s, int overwrite, struct stream **out,
                  struct err *err);
int stream_put(struct stream *s, uint8_t type, const void *p, size_t n, struct err *err);
int stream_finish(struct stream *s, struct err *err);
int stream_open(const char *path, const struct secret *s, struct stream **out, struct err *err);
/* Next record into body (cleared first). *type 0 at the authenticated end of the file. */
int stream_next(struct stream *s, uint8_t *type, struct buf *body, struct err *err);
void stream_free(struct stream *s);

#endif
