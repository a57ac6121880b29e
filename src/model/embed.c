/* The table of embedders, and the dispatch to them. An embedder is chosen by name when a home is
 * made, and its version is stored with the vectors: vectors of different versions don't compare. */
#include "model/embed.h"

#include "base/str.h"
#include "base/threads.h"
#include "text/token.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const struct embed_kind embed_hash;   /* hash.c */
extern const struct embed_kind embed_static; /* static.c */
extern const struct embed_kind embed_model;  /* embed_model.c */

const struct embed_kind *const embed_kinds[] = { &embed_hash, &embed_static, &embed_model, NULL };

static struct {
    int (*find)(void *ud, const char *name, struct buf *out, struct err *err);
    void *ud;
} finder;

void embed_set_finder(int (*find)(void *, const char *, struct buf *, struct err *), void *ud)
{
    finder.find = find;
    finder.ud = ud;
}

static const struct embed_kind *remote;

void embed_set_remote(const struct embed_kind *kind) { remote = kind; }

int embed_find(const char *what, struct buf *out, struct err *err)
{
    if (!str_starts(what, "model:")) return buf_adds(out, what) ? err_nomem(err) : 0;
    if (finder.find) return finder.find(finder.ud, what + 6, out, err);
    return err_set(err, ERR_NOTFOUND, "there is no shelf of models to look for \"%s\" on",
                   what + 6);
}

const struct embed_kind *embed_kind_by_name(const char *name)
{
    if (!name) return NULL;
    if (str_starts(name, "remote:")) return remote;
    if (str_starts(name, "model:") || strchr(name, '/') || str_ends(name, ".gguf"))
        return &embed_model;
    for (size_t i = 0; embed_kinds[i]; i++)
        if (!strcmp(embed_kinds[i]->name, name)) return embed_kinds[i];
    return NULL;
}

static int check_open(struct embedder *e, const char *name, struct err *err)
{
    const struct embed_kind *k = e->kind;
    if (k->dim) e->dim = k->dim;
    if (!e->floor) e->floor = k->floor;
    if (k->version) {
        size_t n = strlen(k->version);
        if (n >= sizeof e->version) n = sizeof e->version - 1;
        memcpy(e->version, k->version, n);
        e->version[n] = 0;
    }
    if (e->dim < 1 || e->dim > EMBED_DIM_MAX)
        return err_set(err, ERR_INVAL, "embedder \"%s\" makes vectors of %d numbers; at most %d go",
                       name, e->dim, EMBED_DIM_MAX);
    e->name = str_dup(name);
    return e->name ? 0 : err_nomem(err);
}

struct embedder *embed_open(const char *name, const void *state, size_t n, struct err *err)
{
    const struct embed_kind *k = embed_kind_by_name(name);
    if (k) {
        struct embedder *e = k->open(name, state, n, err);
        if (e && check_open(e, name, err)) {
            embed_close(e);
            e = NULL;
        }
        return e;
    }
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
    if (!e) return;
    if (e->veil.close) e->veil.close(e->veil.ud);
    free(e->name);
    e->kind->close(e);
}

static int one(struct embedder *e, enum embed_role role, const char *s, size_t n, float *v)
{
    if (e->kind->text) return e->kind->text(e, role, s, n, v);
    return e->kind->texts(e, role, &(struct span){ s, n }, 1, v, NULL);
}

int embed_text(struct embedder *e, const char *s, size_t n, float *v)
{
    return one(e, EMBED_PASSAGE, s, n, v);
}

int embed_query(struct embedder *e, const char *s, size_t n, float *v)
{
    return one(e, EMBED_QUERY, s, n, v);
}

#define PART 32 /* texts that a thread takes at once */

struct batch {
    struct embedder *e;
    enum embed_role role;
    const struct span *s;
    size_t n;
    float *out;
    atomic_int rc;
};

static void embed_part(void *ud, int part)
{
    struct batch *b = ud;
    size_t dim = (size_t)b->e->dim, end = ((size_t)part + 1) * PART;
    for (size_t i = (size_t)part * PART; i < end && i < b->n; i++) {
        int rc = b->e->kind->text(b->e, b->role, b->s[i].p, b->s[i].n, b->out + i * dim);
        if (rc) atomic_store(&b->rc, rc);
    }
}

int embed_texts(struct embedder *e, enum embed_role role, const struct span *s, size_t n,
                float *out, struct err *err)
{
    if (e->kind->texts) return e->kind->texts(e, role, s, n, out, err);
    struct batch b = { .e = e, .role = role, .out = out };
    const size_t most = (size_t)1 << 24;
    for (size_t at = 0; at < n && !atomic_load(&b.rc); at += b.n) {
        b.s = s + at;
        b.out = out + at * (size_t)e->dim;
        b.n = n - at < most ? n - at : most;
        threads_run((int)((b.n + PART - 1) / PART), embed_part, &b);
    }
    int rc = atomic_load(&b.rc);
    return rc == ERR_NOMEM ? err_nomem(err)
           : rc            ? err_set(err, rc, "a text could not be embedded")
                           : 0;
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

size_t embed_tokens(const struct embedder *e, const char *s, size_t n, uint32_t *off, size_t cap)
{
    if (e->kind->tokens) return e->kind->tokens(e, s, n, off, cap);
    struct tokens t = tokens_of(s, n);
    size_t count = 0;
    for (; tokens_next(&t); count++)
        if (off && count < cap) off[count] = (uint32_t)t.start;
    return count;
}
