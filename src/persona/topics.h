/* Topics: thematic clusters over a persona's chunks, with labels a person can read.
 *
 * Spherical k-means (Dhillon and Modha, 2001) over the chunk vectors with k-means++ seeding from a
 * fixed seed; k by size, clusters that are too small or too alike merged. A label is the two or
 * three key phrases that are frequent in the cluster and rare outside it (class-based TF-IDF). The
 * result is kept as the sealed doc "topics" (JSON), centroids included, so that a new chunk joins
 * the nearest topic without clustering again. */
#ifndef LK_PERSONA_TOPICS_H
#define LK_PERSONA_TOPICS_H

#include "base/buf.h"
#include "base/err.h"
#include "text/phrase.h"

#include <stddef.h>
#include <stdint.h>

struct topic {
    int32_t id;  /* 0 .. n-1, by size */
    char *label; /* "the boat, winter harbour" */
    char *phrases[8];
    size_t n_phrases;
    uint32_t chunks;
    float *centre; /* dim floats, unit length */
};

struct topics {
    struct topic *t;
    size_t n;
    int dim;
};

struct topic_item {      /* one chunk */
    const float *vector; /* unit length; all 0: no content, gets topic -1 */
    const struct phrase *phrase;
    size_t n_phrase;
    int32_t topic; /* result */
};

/* Cluster n items; sets item.topic and fills *out. Deterministic. n < 8: one topic or none. */
int topics_cluster(struct topic_item *item, size_t n, int dim, struct topics *out, struct err *err);
/* Nearest topic of a vector, -1 if there are none or it is all 0. */
int32_t topics_assign(const struct topics *ts, const float *v);
int topics_save(const struct topics *ts, struct buf *json, struct err *err);
int topics_load(const char *json, size_t n, struct topics *out, struct err *err);
void topics_clear(struct topics *ts);

#endif
