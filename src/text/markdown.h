/* Inline Markdown to plain words: emphasis, links, images, code spans, HTML tags, entities,
 * escapes.
 *
 *     struct md_refs refs = {0};                     the ids of "[id]: url" lines
 *     markdown_inline(s, n, &refs, &out);            appends; out.failed tells */
#ifndef LK_TEXT_MARKDOWN_H
#define LK_TEXT_MARKDOWN_H

#include "base/buf.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_REFS 512

struct md_refs {
    uint64_t id[MD_REFS]; /* hashes of the folded ids */
    size_t n;
};

void md_refs_add(struct md_refs *r, struct span id);
bool md_refs_has(const struct md_refs *r, struct span id);
void markdown_inline(const char *s, size_t n, const struct md_refs *refs, struct buf *out);

#endif
