/* One question to a persona, over whatever it came: the common way of /prompt, /chat and
 * /api/prompt. */
#ifndef LK_HTTP_ASKING_H
#define LK_HTTP_ASKING_H

#include "http/shown.h"

struct asking {
    const char *question;
    const char *voice;    /* NULL: the server's */
    int64_t conversation; /* 0: a new one */
    bool save, strict;
    bool stream;        /* as server-sent events */
    bool passages;      /* retrieve what a search would give, too */
    struct query query; /* k and filters */
};
struct asked {
    const struct asking *asking;
    const struct answer *answer;
    const struct passages *passages; /* NULL: not wanted */
    struct retriever *retriever;
    int64_t conversation; /* 0: not kept */
    bool unsaved;
};
/* show makes the reply, also the last event of a stream. */
int asking_run(struct call *c, const struct asking *a,
               json_t *(*show)(struct call *c, const struct asked *a), struct err *err);
/* k and filters of the request's fields. */
struct query asking_query(const struct call *c, const char *text);
/* The fields of these, for tables: QUERY_FIELDS, ... */
#define QUERY_FIELDS                                                                               \
    { "k", FIELD_INT, 0, 1, 100, "passages at most", NULL, NULL },                                 \
        { "from", FIELD_TIME, 0, 0, 0, "only what was written from then on", NULL, NULL },         \
        { "to", FIELD_TIME, 0, 0, 0, "only what was written before", NULL, NULL },                 \
        { "source", FIELD_INT, 0, 1, 9007199254740991.0, "only from this source", NULL, NULL },    \
    {                                                                                              \
        "topic", FIELD_INT, 0, 0, 10000, "only of this topic", NULL, NULL                          \
    }

/* What is looked for: the text; for those who are not to see other people without addresses of mail
 * and numbers of five digits and more, so that nobody can try them until one is found. In c->mem or
 * the text itself; NULL: no memory. */
const char *asking_words(struct call *c, const struct persona *p, const char *text);

#endif
