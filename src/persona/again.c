/* Messages alike. One number is kept of each message that is stored, so that a look costs nothing
 * and a million messages 50 MB; where two sources hold messages alike, the first of them is known.
 * That errs on the side of taking a message in twice. */
#include "persona/again.h"

#include "base/str.h"
#include "persona/internal.h"

#include <string.h>

#define COUNT_BITS 20
#define COUNT_MAX  (((uint64_t)1 << COUNT_BITS) - 1)
#define TEXT_MOST  1024 /* bytes of a text that are looked at */
#define MAIL_LEAST 20   /* bytes of a mail's text: a shorter one says too little */

static bool blank(uint32_t c)
{
    return c <= ' ' || c == 0xA0 || c == 0xAD || c == 0xFEFF || (c >= 0x2000 && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202F) || (c >= 0x2060 && c <= 0x206F);
}

/* Hash of the beginning of a text without white space; *n: its bytes. */
static uint64_t text_key(const char *s, size_t *n)
{
    char block[TEXT_MOST];
    size_t k = 0;
    for (const char *end = s + strlen(s); s < end && k < sizeof block - 4;) {
        const char *from = s;
        if (*s > ' ') {
            block[k++] = *s++;
            continue;
        }
        if (blank(utf8_next(&s, end))) continue;
        memcpy(block + k, from, (size_t)(s - from));
        k += (size_t)(s - from);
    }
    *n = k;
    return hash64(block, k, 41);
}

/* 0: nothing to go by. with_id: as if the mail had a Message-ID, or had none. */
static uint64_t key_of(const struct piece *p, bool voice, bool with_id)
{
    size_t n;
    if (p->kind == PIECE_DOC || p->written_at == CLOCK_NONE) return 0;
    int64_t minute = p->written_at / 60 - (p->written_at % 60 < 0);
    uint64_t parts[3] = { text_key(p->text, &n), (uint64_t)minute, voice };
    if (!n) return 0;
    if (p->kind == PIECE_CHAT) return hash64(parts, sizeof parts, 43) | 1;
    const char *who = *p->author_id ? p->author_id : p->author;
    struct buf folded = BUF_INIT(8192);
    utf8_fold(&folded, who, strlen(who));
    parts[2] = hash64(buf_str(&folded), folded.n, with_id);
    buf_free(&folded);
    return n < MAIL_LEAST || !*who ? 0 : hash64(parts, sizeof parts, 47) | 1;
}

int again_put(struct again *a, const struct piece *p, bool voice, int64_t source,
              struct again_hit *out)
{
    uint64_t key = key_of(p, voice, *p->id != 0);
    *out = (struct again_hit){ 0 };
    if (!key) return 0;
    uint64_t *slot = map_slot(&a->at, key);
    if (!slot) return ERR_NOMEM;
    if (!*slot) *slot = (uint64_t)source << COUNT_BITS;
    if (*slot >> COUNT_BITS == (uint64_t)source && (*slot & COUNT_MAX) < COUNT_MAX) ++*slot;
    *out = (struct again_hit){ key, (int64_t)(*slot >> COUNT_BITS), *slot & COUNT_MAX };
    return 0;
}

static bool look(const struct again *a, uint64_t key, struct again_hit *out)
{
    const uint64_t *slot = key ? map_get(&a->at, key) : NULL;
    if (!slot || !*slot) return false;
    *out = (struct again_hit){ key, (int64_t)(*slot >> COUNT_BITS), *slot & COUNT_MAX };
    return true;
}

/* Mails that have different ids are different mails. */
struct again_hit again_find(const struct again *a, const struct piece *p, bool voice)
{
    struct again_hit hit = { 0 };
    if (p->kind == PIECE_CHAT) look(a, key_of(p, voice, *p->id != 0), &hit);
    else if (!look(a, key_of(p, voice, false), &hit) && !*p->id)
        look(a, key_of(p, voice, true), &hit);
    return hit;
}

struct loading {
    struct again *a;
    struct arena *mem;
    struct err *err;
};

static int load_piece(void *ud, const struct row_piece *r)
{
    struct loading *l = ud;
    struct piece p;
    struct again_hit hit;
    if (r->kind == PIECE_DOC || r->written_at == CLOCK_NONE) return 0;
    arena_reset(l->mem);
    int rc = unpack_piece(r->body, r->body_n, l->mem, &p, l->err);
    p.kind = (enum piece_kind)r->kind;
    p.written_at = r->written_at;
    if (!rc && again_put(l->a, &p, r->voice, r->source, &hit)) rc = err_nomem(l->err);
    return rc;
}

int again_load(struct again *a, struct home *h, const struct persona *p, struct err *err)
{
    struct loading l = { a, arena_new(0), err };
    int rc = l.mem ? store_piece_each(h->store, &p->seal, 0, PIECE_BY_SEQ, load_piece, &l, err)
                   : err_nomem(err);
    arena_free(l.mem);
    a->loaded = !rc;
    if (rc) again_free(a);
    return rc;
}

void again_free(struct again *a)
{
    map_free(&a->at);
    a->loaded = false;
}
