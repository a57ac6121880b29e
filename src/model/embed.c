/* The table of embedders, and the dispatch to them. An embedder is chosen by name when a home is
 * made, and its version is stored with the vectors: vectors of different versions don't compare. */
#include "model/embed.h"

#include <string.h>

extern const struct embed_kind embed_hash; /* hash.c */

const struct embed_kind *const embed_kinds[] = { &embed_hash, NULL };

const struct embed_kind *embed_kind_by_name(const char *name)
{
    for (size_t i = 0; name && embed_kinds[i]; i++)
        if (!strcmp(embed_kinds[i]->name, name)) return embed_kinds[i];
    return NULL;
}

struct embedder *embed_open(const char *name, const void *state, size_t n, struct err *err)
{
    const struct embed_kind *k = embed_kind_by_name(name);
    if (k && (k->dim < 1 || k->dim > EMBED_DIM_MAX)) {
        err_set(err, ERR_INTERNAL, "embedder \"%s\" makes vectors of %d numbers; at most %d go",
                name, k->dim, EMBED_DIM_MAX);
        return NULL;
    }
    if (k) return k->open(state, n, err);
    struct buf known = BUF_INIT(4096);
    for (size_t i = 0; embed_kinds[i]; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", embed_kinds[i]->name);
    err_set(err, ERR_NOTFOUND, "there is no embedder \"%s\"; there is: %s", name ? name : "",
            buf_str(&known));
    buf_free(&known);
    return NULL;
}

void embed_close(struct embedder *e)
{
    if (e) e->kind->close(e);
}

int embed_text(struct embedder *e, const char *s, size_t n, float *v)
{
    return e->kind->text(e, s, n, v);
}

int embed_learn(struct embedder *e, const char *s, size_t n)
{
    return e->kind->learn ? e->kind->learn(e, s, n) : 0;
}

int embed_save(const struct embedder *e, struct buf *out)
{
    return e->kind->save ? e->kind->save(e, out) : 0;
}

uint64_t embed_learned(const struct embedder *e)
{
    return e->kind->learned ? e->kind->learned(e) : 0;
}

float embed_idf(const struct embedder *e, uint64_t stem)
{
    return e->kind->idf ? e->kind->idf(e, stem) : 1;
}
