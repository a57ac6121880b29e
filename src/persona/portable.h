/* A persona as one sealed portable file, and back. Format: docs/STORAGE.md, "An export".
 * The file is under its own passphrase or key file, not the home's. Import takes all of it or
 * nothing. */
#ifndef LK_PERSONA_PORTABLE_H
#define LK_PERSONA_PORTABLE_H

#include "base/progress.h"
#include "persona/persona.h"

struct portable_counts {
    uint64_t sources, pieces, chunks, vectors, docs, conversations, turns;
};
int portable_export(struct home *h, const struct persona *p, const char *path,
                    const struct secret *s, bool overwrite, const struct progress *pr,
                    struct portable_counts *n, struct err *err);
/* The same without the conversations of other accounts than this one. */
int portable_export_for(struct home *h, const struct persona *p, int64_t account, const char *path,
                        const struct secret *s, bool overwrite, const struct progress *pr,
                        struct portable_counts *n, struct err *err);
/* name NULL: as in the file. ERR_EXISTS when the same persona or another of that name is here. */
int portable_import(struct home *h, const char *path, const struct secret *s, const char *name,
                    const struct progress *pr, struct persona **out, struct portable_counts *n,
                    struct err *err);

#endif
