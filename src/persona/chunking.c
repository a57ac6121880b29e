/* From the stored pieces of one source to its chunks.
 *
 * Pieces come in order of time. A document is cut alone. A mail stands alone too, led by what it
 * answers: its own quotation, or else the beginning of the mail that it replies to. The chat
 * messages of a source are one thread (ingest.c makes a source of each, whatever later exports of
 * it call the chat), so they go to one chunker, which groups them into exchanges.
 *
 * Chunks are written while the pieces are being read: both happen in the caller's transaction, and
 * the tables are different ones, so the reading cursor is not disturbed. */
#include "persona/internal.h"

#include "base/map.h"
#include "base/str.h"
#include "text/chunk.h"
#include "text/token.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_HEAD  320   /* bytes of an earlier mail kept as the question */
#define REPLY_MAILS 20000 /* of so many, the newest */
#define GAP         (4 * 3600)

struct work {
    struct home *home;
    const struct persona *p;
    int64_t source;
    uint64_t n_chunks;
    int64_t from, to; /* written_at of oldest and newest piece */
    struct chunk_opts opts;
    int32_t *ids; /* scratch of count_tokens */
    size_t n_ids;
    struct chunker *chat;
    struct chunker *alone;        /* for documents and mails */
    struct arena *mem;            /* of the piece at hand */
    const char *title;            /* of the piece at hand */
    struct map reply;             /* hash of a mail's id -> its number, from 1 */
    char (*head)[REPLY_HEAD + 1]; /* mail n at (n - 1) % REPLY_MAILS */
    uint64_t n_head;
    struct err *err;
};

static int put_chunk(void *ud, const struct chunk_out *c, struct err *err)
{
    struct work *w = ud;
    struct buf body = BUF_INIT((size_t)64 << 20);
    struct chunk_text t = { .title = w->title,
                            .seg = (struct chunk_seg *)c->seg,
                            .n_seg = c->n_seg };
    struct row_chunk r = {
        .source = w->source, .written_at = c->written_at, .n_tokens = c->n_tokens, .topic = -1
    };
    int rc = pack_chunk(&body, &t) ? err_nomem(err) : 0;
    if (!rc) {
        r.body = buf_str(&body);
        r.body_n = body.n;
        rc = store_chunk_put(w->home->store, &w->p->seal, &r, err);
        w->n_chunks++;
    }
    buf_free(&body);
    return rc;
}

/* The head of a text: at most REPLY_HEAD bytes, ending at a word. */
static size_t head_of(const char *s, size_t n)
{
    size_t k = utf8_cut(s, n, REPLY_HEAD), at = k;
    if (k == n) return n;
    while (at && s[at] != ' ' && s[at] != '\n') at--;
    return at ? at : k;
}

static void remember(struct work *w, const struct piece *p)
{
    if (!*p->id || !*p->text) return;
    if (!w->head && !(w->head = calloc(REPLY_MAILS, sizeof *w->head))) return;
    uint64_t *at = map_slot(&w->reply, hash64(p->id, strlen(p->id), 0));
    if (!at) return;
    size_t slot = w->n_head % REPLY_MAILS, n = head_of(p->text, strlen(p->text));
    memcpy(w->head[slot], p->text, n);
    w->head[slot][n] = 0;
    *at = ++w->n_head;
}

/* What a mail answers: its own quotation, or the head of the mail it names. "" if neither is
 * known. */
static const char *answered(struct work *w, const struct piece *p)
{
    struct span q = span_trim(span_of(p->quoted));
    if (q.n) return arena_strndup(w->mem, q.p, head_of(q.p, q.n));
    if (!*p->reply_to) return "";
    const uint64_t *at = map_get(&w->reply, hash64(p->reply_to, strlen(p->reply_to), 0));
    bool kept = at && w->n_head - *at < REPLY_MAILS;
    return kept ? w->head[(*at - 1) % REPLY_MAILS] : "";
}

static int add_alone(struct work *w, const struct row_piece *r, const struct piece *p)
{
    struct chunk_piece cp = { .piece = r->id,
                              .voice = r->voice,
                              .alone = r->kind == PIECE_DOC,
                              .written_at = r->written_at,
                              .author = r->voice ? "" : p->author,
                              .text = p->text,
                              .text_n = strlen(p->text) };
    int rc = 0;
    if (r->kind == PIECE_MAIL && r->voice) {
        const char *q = answered(w, p);
        struct chunk_piece ctx = { .piece = r->id,
                                   .written_at = r->written_at,
                                   .author = "",
                                   .text = q ? q : "",
                                   .text_n = q ? strlen(q) : 0 };
        if (ctx.text_n) rc = chunker_add(w->alone, &ctx, w->err);
    }
    if (!rc && (r->voice || r->kind == PIECE_DOC)) rc = chunker_add(w->alone, &cp, w->err);
    if (!rc) rc = chunker_flush(w->alone, w->err);
    if (!rc && r->kind == PIECE_MAIL) remember(w, p);
    return rc;
}

static int add_piece(void *ud, const struct row_piece *r)
{
    struct work *w = ud;
    struct piece p;
    arena_reset(w->mem);
    if (r->written_at != CLOCK_NONE) {
        if (w->from == CLOCK_NONE || r->written_at < w->from) w->from = r->written_at;
        if (w->to == CLOCK_NONE || r->written_at > w->to) w->to = r->written_at;
    }
    int rc = unpack_piece(r->body, r->body_n, w->mem, &p, w->err);
    if (rc) return rc;
    if (r->kind != PIECE_CHAT) {
        w->title = p.title;
        rc = add_alone(w, r, &p);
        w->title = "";
        return rc;
    }
    struct chunk_piece cp = { .piece = r->id,
                              .voice = r->voice,
                              .written_at = r->written_at,
                              .author = r->voice ? "" : p.author,
                              .text = p.text,
                              .text_n = strlen(p.text) };
    return chunker_add(w->chat, &cp, w->err);
}

struct dating {
    struct work *w;
    struct row_source row;
    char *body;
};

static int copy_source(void *ud, const struct row_source *r)
{
    struct dating *d = ud;
    d->row = *r;
    d->row.body = d->body = mem_dup(r->body, r->body_n);
    return d->body ? 0 : err_nomem(d->w->err);
}

/* The source's own dates are those of its oldest and newest piece. */
static int date_source(struct work *w)
{
    struct dating d = { .w = w };
    struct store *st = w->home->store;
    int rc = store_source_each(st, &w->p->seal, w->source, copy_source, &d, w->err);
    if (!rc && d.body && (d.row.from != w->from || d.row.to != w->to)) {
        d.row.from = w->from;
        d.row.to = w->to;
        rc = store_source_put(st, &w->p->seal, &d.row, w->err);
    }
    free(d.body);
    return rc;
}

/* ---- counting with a model's tokenizer ---- */

int persona_counter(struct persona *p, struct err *err)
{
    struct buf path = BUF_INIT(0);
    struct gguf *g = NULL;
    if (!*p->tokenizer || p->counter) return 0;
    int rc = embed_find(p->tokenizer, &path, err);
    if (!rc) rc = gguf_open(buf_str(&path), &g, err);
    if (!rc) rc = tokenizer_open(g, &p->counter, err);
    gguf_close(g);
    buf_free(&path);
    return rc ? err_prefix(err, rc, "the model whose tokenizer counts chunks") : 0;
}

static size_t count_tokens(void *ud, const char *s, size_t n, uint32_t *off, size_t cap)
{
    struct work *w = ud;
    if (cap > w->n_ids) {
        int32_t *grown = realloc(w->ids, cap * sizeof *grown);
        if (!grown) return SIZE_MAX;
        w->ids = grown;
        w->n_ids = cap;
    }
    return tokenizer_encode_at(w->p->counter, s, n, 0, w->ids, off, cap);
}

int chunk_source(struct home *h, struct persona *p, int64_t source, uint64_t *n_chunks,
                 struct err *err)
{
    struct err local = { 0 };
    struct work w = { .home = h,
                      .p = p,
                      .source = source,
                      .title = "",
                      .from = CLOCK_NONE,
                      .to = CLOCK_NONE,
                      .err = err ? err : &local };
    w.opts = (struct chunk_opts){ .max_tokens = p->chunk_tokens,
                                  .overlap = p->chunk_overlap,
                                  .gap_seconds = GAP,
                                  .tokens = *p->tokenizer ? count_tokens : NULL,
                                  .tokens_ud = &w };
    int rc = persona_counter(p, w.err);
    if (!rc) rc = store_chunks_clear(h->store, &p->seal, source, w.err);
    if (rc) goto out;
    w.mem = arena_new(0);
    w.alone = w.mem ? chunker_new(&w.opts, put_chunk, &w, w.err) : NULL;
    w.chat = w.alone ? chunker_new(&w.opts, put_chunk, &w, w.err) : NULL;
    if (!w.chat) {
        rc = w.err->code ? w.err->code : err_nomem(w.err);
        goto out;
    }
    rc = store_piece_each(h->store, &p->seal, source, PIECE_BY_TIME, add_piece, &w, w.err);
    if (!rc) rc = chunker_flush(w.chat, w.err);
    if (!rc) rc = date_source(&w);
out:
    chunker_free(w.chat);
    chunker_free(w.alone);
    map_free(&w.reply);
    if (w.head) explicit_bzero(w.head, REPLY_MAILS * sizeof *w.head);
    free(w.head);
    free(w.ids);
    arena_free(w.mem);
    *n_chunks = w.n_chunks;
    return rc;
}
