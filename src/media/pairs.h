/* Databases and their journals: chat.db with chat.db-wal and chat.db-shm beside it.
 *
 *     if (pairs_beside(path)) ...                   is read with its database: not by itself
 *     FILE *j = pairs_journal(path);                of a file on disk; NULL: none. fclose it
 *
 * In an archive either may come first, so they wait until all of it was seen:
 *
 *     if (pairs_wants(&in)) rc = pairs_keep(&p, path, &in, err);        takes in->f and the head
 *     while ((one = pairs_next(&p, &journal))) ... one->in, journal;    NULL: it has none
 *     pairs_clear(&p); */
#ifndef LK_MEDIA_PAIRS_H
#define LK_MEDIA_PAIRS_H

#include "text/format.h"

/* Two databases with their journals. Of each so much lies in memory as media_limits.kept says, so
 * all that wait take half a gigabyte at most. A database for which there is no room is read without
 * its journal, and the journal is told to be lonely, or of no known format. */
#define PAIRS_MOST 4

struct pair {
    struct format_in in; /* a database that is in WAL mode */
    char *path;          /* that of `in` */
    FILE *journal;       /* or a journal, and then no `in` */
    bool told;
};

struct pairs {
    struct pair p[PAIRS_MOST];
    size_t n;
};

bool pairs_beside(const char *path);
FILE *pairs_journal(const char *path);

/* Is it a database that says it has a journal? Of a file that was recognised. */
bool pairs_wants(const struct format_in *in);
/* Is it a journal? f is at its beginning before and afterwards. */
bool pairs_is_journal(FILE *f, const char *path);
/* The same of the index of a journal, which says nothing. */
bool pairs_is_index(FILE *f, const char *path);
/* Takes in, or f when in is NULL. False: there is no room for more, and nothing was taken. */
bool pairs_keep(struct pairs *p, const char *path, struct format_in *in, FILE *f);
/* The next database, or NULL; *journal: borrowed. */
struct pair *pairs_next(struct pairs *p, FILE **journal);
/* A journal without a database that nobody asked about yet, or NULL. */
const char *pairs_lonely(struct pairs *p);
void pairs_clear(struct pairs *p);

#endif
