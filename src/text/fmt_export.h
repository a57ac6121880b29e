/* What exports in JSON share: a long list of things, with a few facts beside it. The list is walked
 * (jscan.h) and one thing at a time is parsed, so memory does not grow with the file.
 *
 *     struct export *x = export_new(in, o, sink, err);
 *     rc = export_walk(x, "messages", message, err);     for {"name": ..., "messages": [...]}
 *     rc = export_walk(x, NULL, message, err);           for [...]
 *     export_free(x);
 *
 * Before the first thing is handed over, x->head holds the object's other members, wherever they
 * stand: the file is read twice. Not for callers outside src/text. */
#ifndef LK_TEXT_FMT_EXPORT_H
#define LK_TEXT_FMT_EXPORT_H

#include "text/fmt.h"
#include "text/jscan.h"

#define EXPORT_ITEM_MAX ((size_t)64 << 20) /* bytes of one thing */

struct export
{
    struct format_in *in;
    const struct format_opts *o;
    const struct piece_sink *sink;
    json_t *head;                                       /* an object; {} for a bare list */
    uint64_t items;                                     /* handed over so far */
    struct buf text, quoted, author, id, thread, title; /* for the piece at hand */
    void *ud;
    struct buf item;
    struct jscan scan;
};

struct export *export_new(struct format_in *in, const struct format_opts *o,
                          const struct piece_sink *sink, struct err *err);
void export_free(struct export *x); /* accepts NULL */
/* fn gets each object of the list; what is none is reported as skipped. key may be a path of two
 * ("chats.list"). ERR_PARSE when there is no such list. */
int export_walk(struct export *x, const char *key,
                int (*fn)(struct export *x, const json_t *item, uint64_t where, struct err *err),
                int (*begin)(struct export *x, struct err *err), struct err *err);
/* A whole file that is such an export: new, walk, free. */
int export_file(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                const char *key,
                int (*fn)(struct export *x, const json_t *item, uint64_t where, struct err *err),
                int (*begin)(struct export *x, struct err *err), struct err *err);
/* A string, number or boolean, cleaned, in place of what out held; "" for anything else. Returns
 * what out holds then. */
const char *export_str(const json_t *v, struct buf *out);
/* The member of an object, by a path of keys with dots; NULL. */
const json_t *export_at(const json_t *v, const char *path);
/* A time: ISO text, or seconds or milliseconds since 1970, as text or number; CLOCK_NONE. */
int64_t export_time(const struct export *x, const json_t *v);
/* A piece with the buffers of x, ready for fmt_emit: text, quoted, author, author id, thread,
 * title. ERR_NOMEM. */
int export_piece(struct export *x, enum piece_kind kind, struct piece *p, struct err *err);
/* Does the head of the file hold these words ("\"messages\" \"author\"")? All of them. */
bool export_has(const struct format_in *in, const char *words);
/* The first visible character of the file. */
char export_first(const struct format_in *in);

#endif
