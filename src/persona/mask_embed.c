/* Masks for an embedder that asks another machine: what a persona's texts and questions become
 * before they leave. The same mask for both, so that their vectors go together. It is made when the
 * embedder is opened; a retriever opens its own anew when the store has changed. */
#include "persona/mask.h"
#include "persona/remote.h"

#include <pthread.h>
#include <stdlib.h>

struct veil {
    struct mask *mask;
    pthread_mutex_t lock; /* texts may come from any thread */
};

static int veil_text(void *ud, const char *s, size_t n, struct buf *out)
{
    struct veil *v = ud;
    pthread_mutex_lock(&v->lock);
    int rc = mask_text(v->mask, s, n, out);
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static void veil_close(void *ud)
{
    struct veil *v = ud;
    pthread_mutex_destroy(&v->lock);
    mask_close(v->mask);
    free(v);
}

int mask_embedder(struct home *h, const struct persona *p, struct embedder *e, struct err *err)
{
    if (!e || e->veil.text || !remote_embeds(e)) return 0;
    struct veil *v = calloc(1, sizeof *v);
    if (!v) return err_nomem(err);
    int rc = mask_open(h, p, &v->mask, err);
    if (rc) {
        free(v);
        return rc;
    }
    pthread_mutex_init(&v->lock, NULL);
    e->veil = (struct embed_veil){ veil_text, veil_close, v };
    return 0;
}
