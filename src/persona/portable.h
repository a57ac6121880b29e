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
/* For others to have: other people are pseudonyms (mask.h), and nothing is in it but the texts
 * under their sources, without the paths of files: no conversations, and nothing that was derived,
 * which is made anew where it is imported. It is another persona, with a key of its own, so that
 * nobody who has it can try whose pseudonym is whose. */
int portable_export_masked(struct home *h, const struct persona *p, const char *path,
                           const struct secret *s, bool overwrite, const struct progress *pr,
                           struct portable_counts *n, struct err *err);
/* name NULL: as in the file. ERR_EXISTS when the same persona or another of that name is here. */
int portable_import(struct home *h, const char *path, const struct secret *s, const char *name,
                    const struct progress *pr, struct persona **out, struct portable_counts *n,
                    struct err *err);

#endif
