/* The same message in another dress: what tells that a piece is stored already when its digest does
 * not, because another program exported it, or another mailbox holds it.
 *
 *     struct again a = { 0 };
 *     again_load(&a, h, p, err);                        all that is stored
 *     if (again_source(&a, &piece, voice) == source) ...
 *     again_put(&a, &piece, voice, source, &hit);       what comes in meanwhile
 *     again_free(&a);
 *
 * Chat messages are alike by text, minute and whether the persona wrote them: exports give seconds
 * or minutes, and spell names as they like. That is much too little for one message, so a caller
 * believes it only of a chat most of whose messages are alike (ingest.c). Mails are alike by
 * sender, minute and text, where one of the two has no Message-ID. White space does not count, nor
 * marks without width. */
#ifndef LK_PERSONA_AGAIN_H
#define LK_PERSONA_AGAIN_H

#include "base/map.h"
#include "persona/persona.h"
#include "text/piece.h"

struct again {
    struct map at; /* of a message -> source << 20 | how many alike are in it */
    bool loaded;
};

struct again_hit {
    uint64_t key;   /* 0: nothing is alike */
    int64_t source; /* where the alike ones are */
    uint64_t count; /* how many */
};

int again_load(struct again *a, struct home *h, const struct persona *p, struct err *err);
/* 0 or ERR_NOMEM; out: what is there of its kind now. */
int again_put(struct again *a, const struct piece *p, bool voice, int64_t source,
              struct again_hit *out);
struct again_hit again_find(const struct again *a, const struct piece *p, bool voice);
void again_free(struct again *a); /* accepts a zeroed one */

#endif
