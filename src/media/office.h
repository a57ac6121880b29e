/* What documents in Office Open XML and EPUB share: parts that point to each other. */
#ifndef LK_MEDIA_OFFICE_H
#define LK_MEDIA_OFFICE_H

#include "media/parts.h"

/* A name relative to the part `base` ("ppt/presentation.xml", "../media/x") made one from the root:
 * "media/x". %20 and kin are decoded, what follows '#' is cut. Appends. */
void part_path(const char *base, size_t n, struct span target, struct buf *out);

/* The part that `base` points to with a relation of this id, or, when id.n is 0, of a type that
 * ends in `type`. NULL when there is none; *name (may be NULL) becomes its name, appended. */
const struct buf *part_related(const struct members *m, const char *base, struct span id,
                               const char *type, struct buf *name);

/* Title, author and dates of docProps/core.xml or of OpenDocument's meta.xml. */
void part_properties(const struct members *m, const char *name, struct doctext *d);

#endif
