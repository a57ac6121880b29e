/* Arbitrary bytes, made clean, as a thread of pieces: tokens, sentences, chunks and phrases keep
 * their invariants. The first bytes choose the options; '\x1e' (dropped by utf8_clean, so split
 * first) separates pieces, whose first byte says whose they are. */
#include "base/buf.h"
#include "base/str.h"
#include "text/chunk.h"
#include "text/phrase.h"
#include "text/sentence.h"
#include "text/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) abort();                                                                         \
    } while (0)
#define MAX_PIECES 64

struct thread {
    struct chunk_opts o;
    struct buf text[MAX_PIECES];
    int64_t fresh[MAX_PIECES]; /* tokens of the persona that came new */
    int n;
};

static int on_chunk(void *ud, const struct chunk_out *c, struct err *err)
{
    struct thread *t = ud;
    int tokens = 0, overlap = 0;
    bool fresh = false, voice = false;
    for (size_t i = 0; i < c->n_seg; i++) {
        const struct chunk_seg *g = &c->seg[i];
        MUST(g->piece >= 0 && g->piece < t->n);
        const struct buf *b = &t->text[g->piece];
        MUST(g->text_n > 0 && g->offset + g->text_n <= b->n &&
             !memcmp(b->p + g->offset, g->text, g->text_n));
        int k = (int)tokens_count(g->text, g->text_n);
        tokens += k;
        MUST(!g->overlap || !fresh);
        if (g->overlap) overlap += k;
        else fresh = true;
        if (g->voice && !g->overlap) t->fresh[g->piece] += k, voice = true;
    }
    MUST(voice && tokens == c->n_tokens && tokens <= t->o.max_tokens && overlap <= t->o.overlap);
    return 0;
}

static void check_sentences(const char *s, size_t n)
{
    struct sentences *it = sentences_new(NULL);
    struct tokens all = tokens_of(s, n);
    size_t from, to, before = 0;
    if (!it) return;
    MUST(!sentences_text(it, s, n));
    while (sentences_next(it, &from, &to)) {
        struct tokens t = tokens_of(s, to);
        size_t k = 0;
        MUST(from >= before && from < to && to <= n);
        for (t.at = before = from; tokens_next(&t); k++) {
            MUST(tokens_next(&all) && all.start == t.start && all.end == t.end &&
                 all.is_word == t.is_word);
            MUST(t.end - t.start <= TOKEN_BYTES);
            struct token_word w = token_word(s + t.start, t.end - t.start);
            MUST(w.key == hash64(w.stem, w.stem_n, 0) && w.fold[w.fold_n] == 0);
        }
        MUST(k && k <= SENTENCE_MAX && t.end == to);
        before = to;
    }
    MUST(!tokens_next(&all));
    sentences_free(it);
}

static void check_phrases(const char *s, size_t n)
{
    struct phrase out[8];
    size_t got = phrases_of(s, n, NULL, NULL, out, 8);
    MUST(got <= 8);
    for (size_t i = 0; i < got; i++) {
        size_t k = strlen(out[i].text);
        MUST(k > 0 && k < PHRASE_BYTES && utf8_valid(out[i].text, k) && out[i].weight > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct thread t;
    if (n < 3) return 0;
    t = (struct thread){ 0 };
    t.o.max_tokens = 16 + data[0] % 128;
    t.o.overlap = data[1] % (t.o.max_tokens / 2 + 1);
    t.o.gap_seconds = data[2];
    const char *p = (const char *)data + 3, *end = (const char *)data + n;
    struct chunker *c = chunker_new(&t.o, on_chunk, &t, NULL);
    if (!c) return 0;
    int64_t at = 0, want[MAX_PIECES] = { 0 };
    while (p < end && t.n < MAX_PIECES) {
        unsigned char flags = (unsigned char)*p++;
        const char *q = memchr(p, 0x1E, (size_t)(end - p));
        if (!q) q = end;
        struct buf *b = &t.text[t.n];
        utf8_clean(b, p, (size_t)(q - p));
        p = q < end ? q + 1 : end;
        check_sentences(buf_str(b), b->n);
        check_phrases(buf_str(b), b->n);
        at += flags >> 3;
        struct chunk_piece piece = { .piece = t.n,
                                     .voice = flags & 1,
                                     .alone = (flags & 6) == 6,
                                     .written_at = at,
                                     .author = "",
                                     .text = buf_str(b),
                                     .text_n = b->n };
        if (piece.voice) want[t.n] = (int64_t)tokens_count(piece.text, piece.text_n);
        t.n++;
        MUST(!chunker_add(c, &piece, NULL));
    }
    MUST(!chunker_flush(c, NULL));
    chunker_free(c);
    for (int i = 0; i < t.n; i++) {
        MUST(t.fresh[i] == want[i]);
        buf_free(&t.text[i]);
    }
    return 0;
}
