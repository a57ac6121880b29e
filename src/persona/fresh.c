/* Vectors of passages that are not settled. They are cut into windows and embedded as settling does
 * it (settle_embed.c), so a passage is as near to a question before as after; only what settling
 * learns anew from the whole corpus may move it a little.
 *
 * The newest come first, because it is they that somebody has just written and asks about; while a
 * large file comes in, the rest is found by words. */
#include "persona/fresh.h"

#include "persona/internal.h"
#include "persona/remote.h"
#include "persona/windows.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BY_TABLE 512 /* windows, at some 10 microseconds each */
#define MOST_BY_MODEL 16  /* at some milliseconds */

struct fresh {
    const struct embedding *m;
    struct sentences *cut;
    struct arena *mem;
    struct buf text; /* of the windows of one chunk, one after the other */
    struct span part[WINDOWS_MAX];
    size_t n, left; /* windows of this chunk; that may still be embedded */
    float *v;
    struct err *err;
};

static int cut_chunk(void *ud, const struct row_chunk *r)
{
    struct fresh *f = ud;
    struct chunk_text t;
    struct window w[WINDOWS_MAX];
    size_t end[WINDOWS_MAX], from = 0;
    struct buf plain = BUF_INIT(0);
    arena_reset(f->mem);
    buf_clear(&f->text);
    int rc = unpack_chunk(r->body, r->body_n, f->mem, &t, f->err);
    if (rc) return rc;
    chunk_plain(&t, false, &plain);
    size_t tokens = f->m->e == f->m->words ? 0 : WINDOW_TOKENS;
    f->n = windows_of(f->cut, buf_str(&plain), plain.n, tokens, w);
    for (size_t i = 0; i < f->n; i++) {
        if (t.title && *t.title) buf_printf(&f->text, "%s\n", t.title);
        buf_add(&f->text, buf_str(&plain) + w[i].from, w[i].to - w[i].from);
        end[i] = f->text.n;
    }
    for (size_t i = 0; i < f->n; from = end[i++])
        f->part[i] = (struct span){ buf_str(&f->text) + from, end[i] - from };
    rc = plain.failed || f->text.failed ? err_nomem(f->err) : 0;
    buf_free(&plain);
    return rc;
}

static int embed_one(struct fresh *f, int64_t chunk, int (*fn)(void *, int64_t, const float *, int),
                     void *ud)
{
    struct err why = { 0 };
    size_t dim = (size_t)f->m->e->dim;
    float *v = realloc(f->v, f->n * dim * sizeof *v);
    if (!v) return err_nomem(f->err);
    f->v = v;
    int rc = embed_texts(f->m->e, EMBED_PASSAGE, f->part, f->n, v, &why);
    if (rc == ERR_NOMEM) return err_nomem(f->err);
    return rc ? 0 : fn(ud, chunk, v, (int)(f->n * dim));
}

int fresh_vectors(struct home *h, const struct persona *p, const struct embedding *m,
                  const int64_t *chunk, size_t n,
                  int (*fn)(void *ud, int64_t chunk, const float *v, int count), void *ud,
                  struct err *err)
{
    struct err local = { 0 };
    struct fresh f = { .m = m, .text = BUF_INIT(0), .err = err ? err : &local };
    if (!n || remote_embeds(m->e)) return 0;
    f.left = m->e->kind->text ? MOST_BY_TABLE : MOST_BY_MODEL;
    int rc = (f.cut = sentences_new(f.err)) && (f.mem = arena_new(0)) ? 0 : err_nomem(f.err);
    for (size_t i = n; i-- > 0 && !rc;) {
        rc = store_chunk_get(h->store, &p->seal, chunk[i], cut_chunk, &f, f.err);
        if (rc == ERR_NOTFOUND) rc = 0; /* deleted since */
        else if (!rc && f.n > f.left) break;
        else if (!rc && !(rc = embed_one(&f, chunk[i], fn, ud))) f.left -= f.n;
    }
    sentences_free(f.cut);
    arena_free(f.mem);
    buf_free(&f.text);
    free(f.v);
    return rc;
}
