/* Packed bodies. Pieces and chunks are read by the thousand at every start, so they are not JSON: a
 * version byte, then length-prefixed strings in a fixed order. What was sealed can still be damaged
 * before sealing by a bug or come from a hostile export file, so reading goes through the
 * cursor. */
#include "persona/pack.h"

#include "base/cursor.h"

#include <math.h>
#include <string.h>

#define PACK_VERSION 1

static const size_t piece_fields[] = {
    offsetof(struct piece, author), offsetof(struct piece, author_id),
    offsetof(struct piece, title),  offsetof(struct piece, thread),
    offsetof(struct piece, id),     offsetof(struct piece, reply_to),
    offsetof(struct piece, quoted), offsetof(struct piece, text),
};
#define N_FIELDS (sizeof piece_fields / sizeof piece_fields[0])

static const char **field(const struct piece *p, size_t i)
{
    return (const char **)((const char *)p + piece_fields[i]);
}

int pack_piece(struct buf *out, const struct piece *p)
{
    buf_u8(out, PACK_VERSION);
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *s = *field(p, i);
        buf_lstr(out, s, s ? strlen(s) : 0);
    }
    if (p->lang && *p->lang) buf_lstr(out, p->lang, strlen(p->lang)); /* absent: not told */
    return out->failed;
}

/* A NUL-terminated copy of the next string. */
static const char *copied(struct cursor *c, struct arena *a, const char *what)
{
    struct span s = cursor_lstr(c, what);
    const char *p = arena_strndup(a, s.p, s.n);
    if (!p) cursor_fail(c, "memory");
    return p ? p : "";
}

static void check_version(struct cursor *c)
{
    if (cursor_u8(c, "version") != PACK_VERSION) cursor_fail(c, "version");
}

int unpack_piece(const char *body, size_t n, struct arena *a, struct piece *out, struct err *err)
{
    struct cursor c = cursor_of(body, n, "stored piece");
    *out = (struct piece){ .written_at = CLOCK_NONE };
    check_version(&c);
    for (size_t i = 0; i < N_FIELDS; i++) *field(out, i) = copied(&c, a, "string");
    out->lang = cursor_left(&c) ? copied(&c, a, "language") : "";
    return cursor_check(&c, err);
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return isfinite(f) ? f : 0;
}

int pack_chunk(struct buf *out, const struct chunk_text *c)
{
    buf_u8(out, PACK_VERSION);
    buf_lstr(out, c->title, c->title ? strlen(c->title) : 0);
    buf_u32(out, (uint32_t)c->n_seg);
    for (size_t i = 0; i < c->n_seg; i++) {
        const struct chunk_seg *s = &c->seg[i];
        buf_u64(out, (uint64_t)s->piece);
        buf_u8(out, (uint8_t)((s->voice ? 1 : 0) | (s->overlap ? 2 : 0)));
        buf_u64(out, (uint64_t)s->written_at);
        buf_u32(out, (uint32_t)s->offset);
        buf_lstr(out, s->author, s->author ? strlen(s->author) : 0);
        buf_lstr(out, s->text, s->text_n);
    }
    buf_u32(out, (uint32_t)c->n_phrase);
    for (size_t i = 0; i < c->n_phrase; i++) {
        buf_lstr(out, c->phrase[i].text, strlen(c->phrase[i].text));
        buf_u64(out, c->phrase[i].key);
        buf_u32(out, bits_of(c->phrase[i].weight));
    }
    return out->failed;
}

static void unpack_segments(struct cursor *c, struct arena *a, struct chunk_text *out)
{
    size_t n = cursor_u32(c, "segment count");
    if (n > cursor_left(c) / 29) cursor_fail(c, "segment count");
    if (c->bad || !(out->seg = arena_alloc(a, n * sizeof *out->seg))) return;
    for (size_t i = 0; i < n && !c->bad; i++) {
        struct chunk_seg *s = &out->seg[i];
        s->piece = (int64_t)cursor_u64(c, "segment piece");
        uint8_t flags = cursor_u8(c, "segment flags");
        s->voice = flags & 1;
        s->overlap = flags & 2;
        s->written_at = (int64_t)cursor_u64(c, "segment time");
        s->offset = cursor_u32(c, "segment offset");
        s->author = copied(c, a, "segment author");
        s->text = copied(c, a, "segment text");
        s->text_n = strlen(s->text);
        out->n_seg = i + 1;
    }
}

static void unpack_phrases(struct cursor *c, struct arena *a, struct chunk_text *out)
{
    size_t n = cursor_u32(c, "phrase count");
    if (n > cursor_left(c) / 16) cursor_fail(c, "phrase count");
    if (c->bad || !(out->phrase = arena_alloc(a, n * sizeof *out->phrase))) return;
    for (size_t i = 0; i < n && !c->bad; i++) {
        struct span s = cursor_lstr(c, "phrase");
        if (s.n >= PHRASE_BYTES) cursor_fail(c, "phrase");
        else if (s.n) memcpy(out->phrase[i].text, s.p, s.n);
        out->phrase[i].key = cursor_u64(c, "phrase key");
        out->phrase[i].weight = float_of(cursor_u32(c, "phrase weight"));
        out->n_phrase = i + 1;
    }
}

int unpack_chunk(const char *body, size_t n, struct arena *a, struct chunk_text *out,
                 struct err *err)
{
    struct cursor c = cursor_of(body, n, "stored chunk");
    memset(out, 0, sizeof *out);
    check_version(&c);
    out->title = copied(&c, a, "title");
    unpack_segments(&c, a, out);
    unpack_phrases(&c, a, out);
    if (!c.bad && (!out->seg || !out->phrase)) return err_nomem(err);
    return cursor_check(&c, err);
}

void chunk_plain(const struct chunk_text *c, bool voice_only, struct buf *out)
{
    for (size_t i = 0; i < c->n_seg; i++) {
        if (voice_only && !c->seg[i].voice) continue;
        if (out->n) buf_addc(out, '\n');
        buf_add(out, c->seg[i].text, c->seg[i].text_n);
    }
}
