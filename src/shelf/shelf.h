/* The shelf: the folder where this machine's models lie, a GGUF file each, called NAME.gguf.
 *
 *     struct buf path = BUF_INIT(0);
 *     shelf_find(dir, "smollm2-135m", &path, err);      a name on the shelf, or a path to a file
 *     shelf_each(dir, on_model, ud, err);
 *
 * Models hold nothing personal, so the shelf is no part of the sealed home and may be shared. */
#ifndef LK_SHELF_SHELF_H
#define LK_SHELF_SHELF_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Letters, digits, dots, hyphens and underscores, beginning with a letter or digit, at most 100. */
bool shelf_name_ok(const char *name);
/* Makes a good name from what a file or repository is called: "Llama 3.gguf" -> "llama-3". */
void shelf_name_from(const char *path, char out[101]);
/* DIR/NAME.gguf; ERR_INVAL for a bad name. Makes the folder when `make`. */
int shelf_path(const char *dir, const char *name, bool make, struct buf *out, struct err *err);
/* What the user calls a model, as the path of its file: a name on the shelf (case ignored), else a
 * path that exists. ERR_NOTFOUND says what to do. */
int shelf_find(const char *dir, const char *what, struct buf *path, struct err *err);

struct shelf_model {
    const char *name, *path;
    uint64_t bytes;
    bool part; /* a download that was not finished */
};
/* In order of the names. An absent folder is an empty shelf. */
int shelf_each(const char *dir, int (*fn)(void *ud, const struct shelf_model *m, struct err *err),
               void *ud, struct err *err);

/* Models worth having, with what they need; sizes are those that were published, rounded. */
struct shelf_entry {
    const char *name;
    bool embeds;      /* an encoder; else it answers */
    const char *repo; /* "OWNER/REPO" at the hub */
    const char *file; /* in it; NULL: a folder of several files, imported */
    int mb;           /* to fetch */
    int memory_mb;    /* to run, with 8,192 tokens of context */
    const char *licence, *about;
};
extern const struct shelf_entry shelf_catalogue[];               /* name NULL ends it */
const struct shelf_entry *shelf_entry_by_name(const char *name); /* NULL: not there */

#endif
