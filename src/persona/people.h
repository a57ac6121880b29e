/* People: whom the persona writes with. Spellings, addresses and numbers of one person are one
 * entry, across all formats.
 *
 *     struct people all;
 *     people_load(h, p, &all, err);                 most messages first; empty before settling
 *     const struct person *ann = people_find(&all, "Ann Lee", err);
 *     people_free(&all);
 *     people_merge(h, p, "Ann Lee", "ann.l@example.org", err);
 *
 * The same mail address, phone number (its last 9 digits, as who.c compares) or account of one
 * service is the same person. The same name is so only likely, and only a full one, of two words or
 * more; somebody who is looked at can confirm it, or take it apart. What people say is kept for as
 * long as any message of those it is about. Made by persona_settle, like the profile. */
#ifndef LK_PERSONA_PEOPLE_H
#define LK_PERSONA_PEOPLE_H

#include "base/arena.h"
#include "persona/persona.h"
#include "text/piece.h"

struct person {
    char id[9];         /* of its addresses and names: stays while they do */
    const char *name;   /* the one used most, or an address */
    const char **names; /* most used first */
    const char **ids;   /* addresses, numbers, accounts, as written */
    const char **formats;
    size_t n_names, n_ids, n_formats;
    uint64_t messages;         /* what they wrote: chat messages and mails */
    uint64_t answered;         /* what the persona wrote in threads they wrote in */
    uint64_t threads, sources; /* where they wrote; one that two spellings share counts twice */
    int64_t from, to;          /* their first and last message; CLOCK_NONE */
    bool likely;               /* joined by the name alone, and nobody said that it is so */
    uint32_t part;             /* for people_join.c */
    size_t n_parts;            /* identities that were joined: addresses, accounts, bare names */
    const char (*part_ids)[9]; /* what the id of each would be if it were alone, oldest first */
};

struct people {
    struct person *p;
    size_t n;
    uint64_t more; /* people that are counted, but not listed: there are too many */
    bool counted;  /* somebody has looked, though there may be nobody */
    struct arena *mem;
    struct people_parts *parts;
};

int people_load(struct home *h, const struct persona *p, struct people *out, struct err *err);
void people_free(struct people *all); /* accepts a zeroed one */
/* By id, name, address or number. NULL: ERR_NOTFOUND, or ERR_INVAL when several are called that. */
const struct person *people_find(const struct people *all, const char *who, struct err *err);

/* What somebody says of them; each is a transaction. ERR_LIMIT when too much is said. */
int people_merge(struct home *h, struct persona *p, const char *a, const char *b, struct err *err);
/* Takes a name, address or number out of a person who has several: from now on somebody else. */
int people_split(struct home *h, struct persona *p, const char *who, const char *part,
                 struct err *err);
int people_confirm(struct home *h, struct persona *p, const char *who, struct err *err);

/* ---- counting, for settle.c: all pieces, source by source ---- */
struct people_counter;
struct people_counter *people_counter_new(struct home *h, const struct persona *p,
                                          struct err *err); /* NULL: err says why */
/* Who is only spoken of (named.h) is counted, too, unless this is said before the first piece. */
void people_counter_writers(struct people_counter *c);
/* A source that is not stored, for people_foretell. 0 or ERR_NOMEM. */
int people_counter_source(struct people_counter *c, int64_t source, const char *format);
/* 0 or ERR_NOMEM. */
int people_count(struct people_counter *c, int64_t source, bool voice, const struct piece *p);
int people_counted(struct people_counter *c, struct buf *doc); /* 0 or ERR_NOMEM */
/* Puts it away, with who is only spoken of, and lets go what was said of people who are no more.
 * `to`: the home to write. */
int people_put(struct people_counter *c, struct home *to, const struct buf *doc, struct err *err);
/* What was counted, joined with the people that are stored: those wrote nothing here. Ends the
 * counting. */
int people_foretell(struct people_counter *c, struct home *h, struct people *out, struct err *err);
void people_counter_free(struct people_counter *c); /* accepts NULL */

#endif
