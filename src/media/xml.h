/* XML as a stream of elements and text, by libxml2, with everything off that documents do not need:
 * no entity but the five of XML itself is ever known, so none can grow; nothing is loaded.
 *
 *     struct xml_handler h = { .open = open, .close = close, .text = text, .ud = &state };
 *     if (!xml_parse(p, n, &h)) ... broken or cut off; what stood before it was handed over */
#ifndef LK_MEDIA_XML_H
#define LK_MEDIA_XML_H

#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>

struct xml_attrs {
    const void *list; /* libxml2's */
    int n;
};

/* Names are local: "p" for <w:p>. What is given lasts for the call. */
struct xml_handler {
    void (*open)(void *ud, const char *name, const struct xml_attrs *a);
    void (*close)(void *ud, const char *name);
    void (*text)(void *ud, const char *s, size_t n);
    void *ud;
};

bool xml_parse(const void *p, size_t n, const struct xml_handler *h);
/* Value of the attribute; n 0 when there is none. space: a part of its namespace's name ("" for an
 * attribute in none), or NULL for any. */
struct span xml_attr(const struct xml_attrs *a, const char *name, const char *space);

#endif
