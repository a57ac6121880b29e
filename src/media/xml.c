/* XML by libxml2's SAX2 interface.
 *
 * Documents are hostile until they are not. Entities: the handler keeps no declaration, and the
 * only ones it answers with are the predefined five, so "billion laughs" and external entities find
 * nothing to expand, although replacing (XML_PARSE_NOENT) is on; that is needed to get "&amp;" in
 * attribute values as "&". Depth: libxml2 stops at 256 elements, and its parser keeps a table, not
 * a stack of calls. Size: the caller bounds what it gives. XML_PARSE_RECOVER goes on after small
 * faults, as office programs do. */
#include "media/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#define PIECE (1 << 20) /* handed to the parser at a time */

static void on_open(void *ud, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                    int n_ns, const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
    const struct xml_handler *h = ud;
    struct xml_attrs a = { .list = attr, .n = n_attr };
    if (h->open) h->open(h->ud, (const char *)name, &a);
}

static void on_close(void *ud, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    const struct xml_handler *h = ud;
    if (h->close) h->close(h->ud, (const char *)name);
}

static void on_text(void *ud, const xmlChar *s, int n)
{
    const struct xml_handler *h = ud;
    if (h->text) h->text(h->ud, (const char *)s, (size_t)n);
}

static xmlEntityPtr on_entity(void *ud, const xmlChar *name)
{
    return xmlGetPredefinedEntity(name);
}

static void on_error(void *ud, xmlErrorPtr e) {}

bool xml_parse(const void *p, size_t n, const struct xml_handler *h)
{
    struct xml_handler own = *h;
    xmlSAXHandler sax = { .initialized = XML_SAX2_MAGIC,
                          .startElementNs = on_open,
                          .endElementNs = on_close,
                          .characters = on_text,
                          .ignorableWhitespace = on_text,
                          .cdataBlock = on_text,
                          .getEntity = on_entity,
                          .serror = on_error };
    const char *s = p;
    xmlParserCtxtPtr c = xmlCreatePushParserCtxt(&sax, &own, NULL, 0, NULL);
    if (!c) return false;
    xmlCtxtUseOptions(c, XML_PARSE_NONET | XML_PARSE_RECOVER | XML_PARSE_NOENT);
    int rc = 0;
    while (n && rc != XML_ERR_NO_MEMORY) {
        int k = n < PIECE ? (int)n : PIECE;
        rc = xmlParseChunk(c, s, k, 0);
        s += k;
        n -= (size_t)k;
    }
    xmlParseChunk(c, "", 0, 1);
    bool well = c->wellFormed != 0;
    if (c->myDoc) xmlFreeDoc(c->myDoc);
    xmlFreeParserCtxt(c);
    return well;
}

struct span xml_attr(const struct xml_attrs *a, const char *name, const char *space)
{
    const xmlChar *const *at = a->list; /* name, prefix, namespace, value, its end */
    for (int i = 0; i < a->n; i++, at += 5) {
        const char *uri = at[2] ? (const char *)at[2] : "";
        if (strcmp((const char *)at[0], name) != 0) continue;
        if (space && (*space ? !strstr(uri, space) : *uri)) continue;
        return (struct span){ (const char *)at[3], (size_t)(at[4] - at[3]) };
    }
    return (struct span){ "", 0 };
}
