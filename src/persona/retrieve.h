/* Retrieval: the passages of a persona that bear on a question.
 *
 *     struct retriever *r;
 *     retriever_open(h, p, &r, err);                    opens vectors and postings into memory
 *     struct query q = query_default("What did I say about boats?");
 *     struct passages ps = {0};
 *     retrieve(r, &q, &ps, err);
 *     for (i < ps.n) ps.p[i].similarity, ps.p[i].text ...
 *     passages_clear(&ps);
 *     retriever_close(r);
 *
 * Cosine over all vectors and BM25 are fused, then thinned by maximal marginal relevance. The
 * similarity that is reported is always the plain cosine: of the question and the nearest of the
 * passage's windows (windows.h). When another process changed the home,
 * the next retrieve reads it anew. */
#ifndef LK_PERSONA_RETRIEVE_H
#define LK_PERSONA_RETRIEVE_H

#include "index/bm25.h"
#include "index/vectors.h"
#include "persona/embedding.h"
#include "persona/pack.h"
#include "persona/persona.h"

enum query_mode { QUERY_HYBRID, QUERY_VECTOR, QUERY_KEYWORD };

struct query {
    const char *text;
    const char *before;            /* earlier turns, for a follow-up; counts less; NULL */
    const struct bm25_term *extra; /* further search words; NULL: everyday synonyms of its own */
    size_t n_extra;
    int k;           /* 5 */
    bool adaptive;   /* cosine > floor, at most k; fewer than 3: the best k */
    float floor;     /* a cosine; 0: that of the persona's embedder (struct scale) */
    float diversity; /* 0: relevance only .. 1; 0.1 */
    bool bare;       /* passages come without their texts */
    enum query_mode mode;
    int64_t from, to; /* written_at in [from, to); CLOCK_NONE: open. Undated only when both open */
    int64_t source;   /* 0: any */
    int32_t topic;    /* -1: any */
};
struct query query_default(const char *text);

struct passage {
    int64_t chunk, source, written_at;
    int32_t topic;
    float similarity; /* cosine of question and passage, [-1, 1] */
    float score;      /* what it was ranked by, [0, 1] */
    struct chunk_text text;
};

struct passages {
    struct passage *p;
    size_t n;
    struct arena *mem; /* owns all of it */
};

struct retriever;
struct readings;
struct profile;
struct topics;
int retriever_open(struct home *h, const struct persona *p, struct retriever **out,
                   struct err *err);
/* The same beside another retriever of the persona: what it searches is c, unless the embedder has
 * changed since; c NULL: read anew. Its holders may be asked side by side. */
struct corpus;
int retriever_open_on(struct home *h, const struct persona *p, struct corpus *c,
                      struct retriever **out, struct err *err);
struct corpus *retriever_corpus(const struct retriever *r); /* borrowed */
/* From now on it searches c, if that fits; its own goes. Before it is first asked. */
void retriever_adopt(struct retriever *r, struct corpus *c);
int retrieve(struct retriever *r, const struct query *q, struct passages *out, struct err *err);
/* Reads anew what another process changed, as retrieve does. After an error, of either, there is
 * nothing to look at (below) until one of them went well. */
int retriever_ready(struct retriever *r, struct err *err);
/* Pinned: what was read at open is what is asked, whatever happens to the store. */
void retriever_pin(struct retriever *r, bool pinned);
void passages_clear(struct passages *ps);
void retriever_close(struct retriever *r);
/* What the voices and tests look at. */
const struct bm25 *retriever_words(const struct retriever *r);
struct embedder *retriever_embedder(const struct retriever *r);
const struct embedding *retriever_embedding(const struct retriever *r);
size_t retriever_bytes(const struct retriever *r);     /* memory held */
size_t retriever_own_bytes(const struct retriever *r); /* of that, without the corpus */
/* The persona's profile, *out NULL when there is none yet. Holds until it is asked for again. */
int retriever_profile(struct retriever *r, const struct profile **out, struct err *err);
/* Its topics; none where there are none yet, or they are damaged. Holds as long as the profile. */
int retriever_topics(struct retriever *r, const struct topics **out, struct err *err);
/* Of its passages, as the quote voice reads them; NULL when out of memory. */
struct readings *retriever_readings(struct retriever *r, struct err *err);
struct home *retriever_home(const struct retriever *r);
const struct persona *retriever_persona(const struct retriever *r);
/* Titles of sources, kept in memory: "" if unknown. */
const char *retriever_title(const struct retriever *r, int64_t source);

#endif
