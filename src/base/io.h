/* Files, folders, randomness and terminals. Paths are UTF-8 byte strings. */
#ifndef LK_BASE_IO_H
#define LK_BASE_IO_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whole file into out; ERR_LIMIT if it is larger than max bytes. path "-" reads standard input.
 * A pipe is read too, when something comes out of it within seconds. */
int io_read_file(const char *path, size_t max, struct buf *out, struct err *err);

/* Replace path as one step: temporary file beside it, fsync, rename, fsync of the folder. After a
 * crash there is the old file or the new one, whole. After an error the old one stands, but for the
 * last step: when the folder cannot be synced the new one is in place, and only a power cut can
 * bring the old one back. mode e.g. 0600. */
int io_write_file(const char *path, const void *p, size_t n, unsigned mode, struct err *err);
/* The same; *replaced says whether the new file is in place, also after an error. */
int io_replace_file(const char *path, const void *p, size_t n, unsigned mode, bool *replaced,
                    struct err *err);
/* The same for a path where nothing is yet: ERR_EXISTS, also when another process comes first.
 * After any error nothing of it is there. */
int io_create_file(const char *path, const void *p, size_t n, unsigned mode, struct err *err);

int io_mkdirs(const char *path, unsigned mode, struct err *err); /* like mkdir -p */
int io_sync_dir(const char *path, struct err *err);
bool io_exists(const char *path);
bool io_is_dir(const char *path);
uint64_t io_file_size(const char *path); /* 0 if it is not there or not a file */

/* Walk a file or folder in order of the names' bytes; hidden entries, and what is in a folder but
 * no file, are passed over. Links are followed; no folder is entered twice. A folder that cannot be
 * listed is given to fn like a file, whose attempt to read it then tells why. fn returns 0 to go
 * on. */
int io_walk(const char *path, int (*fn)(void *ud, const char *path, struct err *err), void *ud,
            struct err *err);

/* Remove a file or a whole folder below and including path. */
int io_remove_tree(const char *path, struct err *err);

bool io_on_terminal(FILE *f);
int io_columns(void); /* terminal width, 80 if unknown */
/* Ask on the terminal (not stdin) without echo; ERR_INVAL when there is no terminal, ERR_CANCEL
 * when nothing was typed. Ctrl-C acts as ever, but after the terminal was set back. Main thread
 * only. */
int io_ask_secret(const char *prompt, struct buf *out, struct err *err);

#endif
