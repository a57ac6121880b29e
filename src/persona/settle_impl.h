/* What the two files of settling share: settle.c has the order of things, settle_embed.c makes
 * vectors and key phrases. */
#ifndef LK_PERSONA_SETTLE_IMPL_H
#define LK_PERSONA_SETTLE_IMPL_H

#include "base/map.h"
#include "persona/embedding.h"
#include "persona/internal.h"
#include "persona/people.h"
#include "persona/topics.h"

#define CHUNK_PHRASES 6
#define ASKED_MAX     64 /* chunks of which a sentence becomes a question for the scale */
#define ASKED_WINDOWS 8  /* of each of them */

struct settle {
    struct home *home;            /* to read */
    struct home *to;              /* to write; by: only between settle_write and settle_wrote */
    const struct home_writer *by; /* NULL: home, and one transaction for all of it */
    double since;                 /* when `to` was taken */
    struct persona *p;
    const struct progress *pr;
    struct err *err;
    struct embedding m;
    bool relearn;
    bool kept;     /* relearn, but vectors that are there hold: the embedder learns nothing */
    bool reembed;  /* p->embedder is new and to be saved */
    struct known { /* all chunks */
        int64_t id;
        int32_t topic;
    } * chunk;
    size_t n, cap;
    int64_t last; /* the highest id of them */
    struct map has_vector;
    struct arena *mem;
    struct topics topics;
    struct topic_item *item; /* when clustering: one per sampled chunk */
    float *vectors;
    struct phrase *phrases;
    size_t n_items, stride;
    struct sentences *cut;
    struct asked { /* for the scale */
        struct buf text;
        struct span question[ASKED_MAX]; /* p: offset in text, until all are there */
        size_t n;
        float *v; /* windows of those chunks */
        uint32_t of[ASKED_MAX * ASKED_WINDOWS];
        size_t n_v;
    } asked;
    struct buf profile, correspondents; /* made, and not yet stored */
    struct people_counter *people;
    uint64_t done, todo;
};

static inline const struct sealed *ps_of(const struct settle *s) { return &s->p->seal; }

/* Changes are made between these, in s->to; rc of what was done goes in and comes out. Nothing
 * where all is one transaction. settle_write where it is begun already: goes on. */
int settle_write(struct settle *s);
int settle_wrote(struct settle *s, int rc);
/* The same, but goes on for a moment where more is to be written soon. */
int settle_writes_on(struct settle *s, int rc);
/* Where others may write meanwhile, a chunk can be gone: no error then. */
static inline bool is_gone(const struct settle *s, int rc) { return s->by && rc == ERR_NOTFOUND; }

int settle_save_embedder(struct settle *s);
/* What a chunk's windows have in common: their mean, of length 1. */
void settle_mean(const float *v, size_t n, size_t dim, float *out);

/* ---- settle_embed.c ---- */
int settle_ready_sample(struct settle *s);
int settle_derive(struct settle *s); /* vectors and phrases */
int settle_scale(struct settle *s);  /* what a cosine means */

#endif
