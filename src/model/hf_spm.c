/* SentencePiece models: a protocol buffer, of which few fields matter.
 *
 *   ModelProto      1 pieces (repeated)   2 trainer_spec   3 normalizer_spec
 *   SentencePiece   1 piece: string   2 score: float   3 type: enum, numbered as GGUF's token types
 *   TrainerSpec     3 model_type: 1 unigram, 2 BPE   40, 41, 42, 43 ids of unk, bos, eos, pad
 *   NormalizerSpec  2 precompiled_charsmap: bytes   3 add_dummy_prefix   4 remove_extra_whitespaces
 *
 * A field is a varint (number << 3 | wire type), then a varint, 8 bytes, a length and bytes, or 4
 * bytes. Unknown fields are passed over; groups, long gone, are refused. See
 * https://protobuf.dev/programming-guides/encoding/ */
#include "base/str.h"
#include "model/hf_impl.h"

#include <math.h>
#include <string.h>

struct field {
    uint32_t number;
    int wire;          /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;    /* of 0, 1 and 5 */
    struct span bytes; /* of 2 */
};

static uint64_t read_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b = cursor_u8(c, "number");
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) return v;
    }
    cursor_fail(c, "number");
    return 0;
}

static bool next_field(struct cursor *c, struct field *f)
{
    *f = (struct field){ 0 };
    if (c->bad || !cursor_left(c)) return false;
    uint64_t tag = read_varint(c);
    f->number = tag >> 3 <= UINT32_MAX ? (uint32_t)(tag >> 3) : 0;
    f->wire = (int)(tag & 7);
    switch (f->wire) {
    case 0: f->value = read_varint(c); break;
    case 1: f->value = cursor_u64(c, "fixed64"); break;
    case 2: {
        uint64_t n = read_varint(c);
        if (n > cursor_left(c)) cursor_fail(c, "length of a field");
        f->bytes = cursor_bytes(c, (size_t)n, "field");
        break;
    }
    case 5: f->value = cursor_u32(c, "fixed32"); break;
    default: cursor_fail(c, "wire type");
    }
    return !c->bad;
}

static struct cursor inside(const struct field *f, const char *what)
{
    return cursor_of(f->bytes.p, f->wire == 2 ? f->bytes.n : 0, what);
}

static int read_piece(struct hf_vocab *v, const struct field *in, const char *what, struct err *err)
{
    struct cursor c = inside(in, what);
    struct field f;
    struct span piece = { "", 0 };
    uint64_t type = HF_NORMAL;
    float score = 0;
    while (next_field(&c, &f)) {
        uint32_t bits = (uint32_t)f.value;
        if (f.number == 1) piece = f.bytes;
        if (f.number == 2 && f.wire == 5) memcpy(&score, &bits, sizeof score);
        if (f.number == 3) type = f.value;
    }
    if (cursor_check(&c, err)) return ERR_PARSE;
    if (type < HF_NORMAL || type > HF_BYTE || !isfinite(score))
        return err_set(err, ERR_PARSE, "%s: piece %zu has no usable type or score", what, v->n);
    int rc = hf_vocab_size(v, v->n + 1, err);
    if (rc) return rc;
    v->scores[v->n - 1] = score;
    if (hf_vocab_set(v, v->n - 1, piece.p ? piece.p : "", piece.n, (int32_t)type))
        return err_nomem(err);
    return 0;
}

static int read_trainer(struct hf_vocab *v, const struct field *in, const char *what,
                        struct err *err)
{
    struct cursor c = inside(in, what);
    struct field f;
    uint64_t kind = 1;
    while (next_field(&c, &f)) {
        int id = f.value <= INT32_MAX ? (int)f.value : -1; /* absent ones are -1, in ten bytes */
        if (f.number == 3) kind = f.value;
        if (f.number == 40) v->unk = id;
        if (f.number == 41) v->bos = id;
        if (f.number == 42) v->eos = id;
        if (f.number == 43) v->pad = id;
    }
    if (cursor_check(&c, err)) return ERR_PARSE;
    if (kind != 1 && kind != 2)
        return err_set(err, ERR_INVAL, "%s: a SentencePiece model of words or characters", what);
    v->model = kind == 1 ? "t5" : "llama";
    return 0;
}

static int read_normaliser(struct hf_vocab *v, const struct field *in, const char *what,
                           struct err *err)
{
    struct cursor c = inside(in, what);
    struct field f;
    while (next_field(&c, &f)) {
        if (f.number == 2 && f.wire == 2) {
            char *copy = arena_strndup(v->a, f.bytes.p ? f.bytes.p : "", f.bytes.n);
            if (!copy) return err_nomem(err);
            v->charsmap = (struct span){ copy, f.bytes.n };
        }
        if (f.number == 3) v->space_prefix = f.value != 0;
        if (f.number == 4) v->squeeze = f.value != 0;
    }
    return cursor_check(&c, err);
}

int hf_vocab_spm(struct hf_vocab *v, const void *p, size_t n, const char *what, struct err *err)
{
    struct cursor c = cursor_of(p, n, what);
    struct field f;
    int rc = 0;
    v->model = "t5", v->unk = 0, v->bos = 1, v->eos = 2; /* the format's defaults */
    v->space_prefix = v->squeeze = 1;
    v->pre = "default";
    while (!rc && next_field(&c, &f)) {
        if (f.number == 1) rc = read_piece(v, &f, what, err);
        if (f.number == 2) rc = read_trainer(v, &f, what, err);
        if (f.number == 3) rc = read_normaliser(v, &f, what, err);
    }
    if (rc || (rc = cursor_check(&c, err))) return rc;
    if (!v->n) return err_set(err, ERR_PARSE, "%s has no pieces", what);
    int *ids[] = { &v->unk, &v->bos, &v->eos, &v->pad };
    for (int i = 0; i < 4; i++)
        if (*ids[i] >= (int)v->n) *ids[i] = -1;
    if (!strcmp(v->model, "llama")) v->charsmap.n = 0; /* identity in practice; GGUF has none */
    return 0;
}
