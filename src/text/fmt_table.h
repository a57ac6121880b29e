/* Tables (CSV, JSON lines): which column is the text, the author, the date ...
 *
 *     struct table_map m;
 *     if (table_map_init(&m, o->map, err)) return err->code;
 *     m.want[TABLE_TEXT] is the column named by --map, or NULL: then table_role(name) tells. */
#ifndef LK_TEXT_FMT_TABLE_H
#define LK_TEXT_FMT_TABLE_H

#include "text/fmt.h"

enum table_role {
    TABLE_TEXT,
    TABLE_AUTHOR,
    TABLE_DATE,
    TABLE_TITLE,
    TABLE_ID,
    TABLE_THREAD,
    TABLE_REPLY,
    TABLE_ROLES
};

struct table_map {
    char *store;                   /* copy of the map; want[] points into it */
    const char *want[TABLE_ROLES]; /* NULL: by common names */
};

/* ERR_INVAL names the part of the map that is wrong. map may be NULL. */
int table_map_init(struct table_map *m, const char *map, struct err *err);
void table_map_clear(struct table_map *m);
/* Roles that have several names known ("body", "message"): rank 1 is the best, 0: not this role. */
int table_rank(enum table_role role, struct span name);
/* Build and hand over a piece from values by role (NULL or "" where unknown). */
int table_emit(const struct format_opts *o, const struct piece_sink *sink, int day_first,
               const char *const value[TABLE_ROLES], uint64_t line, struct err *err);

#endif
