/* The sealed bodies of pieces and chunks, as bytes. Formats: docs/STORAGE.md, "Packed bodies".
 *
 * Piece: u8 version 1, then lstr author, author_id, title, thread, id, reply_to, quoted, text;
 * then, when it is known, lstr language. Chunk: u8 version 1, lstr title, u32 n_seg, per segment {
 * u64 piece, u8 flags (1 voice, 2 overlap), u64 written_at, u32 offset, lstr author, lstr text },
 * u32 n_phrase, per phrase { lstr text, u64 key, u32 weight as float bits }. Integers are
 * little-endian; lstr is u32 length and bytes. */
#ifndef LK_PERSONA_PACK_H
#define LK_PERSONA_PACK_H

#include "base/arena.h"
#include "base/buf.h"
#include "text/chunk.h"
#include "text/phrase.h"
#include "text/piece.h"

struct chunk_text { /* a chunk opened */
    const char *title;
    struct chunk_seg *seg;
    size_t n_seg;
    struct phrase *phrase;
    size_t n_phrase;
};

int pack_piece(struct buf *out, const struct piece *p);
/* Strings are copied into a; kind and written_at are the row's and not set here. */
int unpack_piece(const char *body, size_t n, struct arena *a, struct piece *out, struct err *err);
int pack_chunk(struct buf *out, const struct chunk_text *c);
int unpack_chunk(const char *body, size_t n, struct arena *a, struct chunk_text *out,
                 struct err *err);
/* The text a chunk is embedded and searched by: voice and context, with no names. voice_only:
 * without the others. */
void chunk_plain(const struct chunk_text *c, bool voice_only, struct buf *out);

#endif
