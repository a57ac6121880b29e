/* Who a pseudonym stands for, asked later: of an export, or by somebody whom a persona is shared
 * with.
 *
 * People who write and those who are spoken of have their pseudonyms whenever a mask is made. An
 * address that stands in a text, or a name beyond what named.h keeps, has one only once the text is
 * masked: so, where one is not known, all texts are, until it is. That takes seconds for a large
 * persona, and nothing need be kept for it: what is forgotten cannot be found this way, either. */
#include "base/arena.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/mask_impl.h"

#include <string.h>

/* Texts after which it is asked whether all are known: the question may be long. */
#define LOOK_EACH 64

struct looking {
    struct mask *mask;
    const char *s;
    size_t n;
    struct arena *mem;
    struct buf masked;
    size_t texts;
    struct err *err;
};

/* The pseudonyms in the text that are somebody's, or nobody's so far. */
static size_t count(const struct looking *k, bool known)
{
    size_t all = 0;
    for (size_t i = 0; i < k->n;) {
        bool cut;
        size_t n = mask_pseudonym_at(k->s + i, k->n - i, &cut);
        uint64_t h = n ? hash64(k->s + i, n, 31) : 0;
        if (n) all += (map_get(&k->mask->shown, h) && !map_get(&k->mask->literal, h)) == known;
        i += n ? n : 1;
    }
    return all;
}

static int look_at(void *ud, const struct row_piece *r)
{
    struct looking *k = ud;
    struct piece p;
    arena_reset(k->mem);
    int rc = unpack_piece(r->body, r->body_n, k->mem, &p, k->err);
    if (rc) return rc;
    const char *text[] = { p.text, p.quoted, p.title, p.thread };
    for (size_t i = 0; i < sizeof text / sizeof *text && !rc; i++) {
        buf_clear(&k->masked);
        rc = mask_text(k->mask, text[i], strlen(text[i]), &k->masked);
    }
    buf_clear(&k->masked);
    if (!rc && !r->voice) rc = mask_author(k->mask, p.author, false, &k->masked);
    if (!rc && !r->voice) rc = mask_author(k->mask, p.author_id, true, &k->masked);
    if (rc) return err_nomem(k->err);
    return ++k->texts % LOOK_EACH || count(k, false) ? 0 : ERR_CANCEL;
}

int mask_who(struct home *h, const struct persona *p, const char *s, size_t n, struct buf *out,
             struct err *err)
{
    struct looking k = { .s = s, .n = n, .mem = arena_new(0), .err = err };
    int rc = k.mem ? mask_open(h, p, &k.mask, err) : err_nomem(err);
    if (!rc && count(&k, false)) {
        rc = store_piece_each(h->store, &p->seal, 0, PIECE_BY_SEQ, look_at, &k, err);
        if (rc == ERR_CANCEL) rc = 0;
    }
    if (!rc && !count(&k, true))
        rc = err_set(err, ERR_NOTFOUND,
                     "there is no pseudonym in it that this persona gave to anybody");
    if (!rc && mask_reveal(k.mask, s, n, out)) rc = err_nomem(err);
    mask_close(k.mask);
    arena_free(k.mem);
    buf_free(&k.masked);
    return rc;
}
