/* The corpus of a distillation and what the teacher makes of it.
 *
 * The cache: "LKDT", u32 dim, u64 key of the teacher, then for each line in order u64 hash64 of the
 * line and dim f16. What of it fits the corpus's beginning is taken, the rest is made anew and
 * appended in pieces, so that a run that was broken off loses little. A cache belongs to one
 * corpus. */
#include "base/io.h"
#include "base/str.h"
#include "model/distill_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CORPUS_MAX ((size_t)1 << 30)
#define LINE_MAX_  4096
#define PIECE      4096 /* lines between writes */
#define MAGIC      0x54444B4Cu

int distill_texts_read(const char *path, size_t most, const struct tokenizer *tok,
                       struct distill_texts *t, struct err *err)
{
    size_t lines = 0, cap = 0, used = 0;
    int rc = io_read_file(path, CORPUS_MAX, &t->bytes, err);
    if (rc) return rc;
    for (size_t i = 0; i < t->bytes.n; i++) lines += t->bytes.p[i] == '\n';
    t->line = malloc((lines + 1) * sizeof *t->line);
    t->at = malloc((lines + 2) * sizeof *t->at);
    if (!t->line || !t->at) return err_nomem(err);
    const char *s = buf_str(&t->bytes), *end = s + t->bytes.n;
    t->at[0] = 0;
    while (s < end && (!most || t->n < most)) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        if (!stop) stop = end;
        struct span line = span_trim((struct span){ s, (size_t)(stop - s) });
        s = stop + 1;
        if (!line.n || line.n > LINE_MAX_) continue;
        if (cap - used < line.n + 8) {
            cap = cap + cap / 2 + LINE_MAX_ + 65536;
            int32_t *p = realloc(t->ids, cap * sizeof *p);
            if (!p) return err_nomem(err);
            t->ids = p;
        }
        t->ids[used] = tokenizer_cls(tok);
        size_t count = tokenizer_encode(tok, line.p, line.n, 0, t->ids + used + 1, cap - used - 1);
        if (count > cap - used - 1) return err_nomem(err);
        if (!count) continue;
        t->line[t->n++] = line;
        t->at[t->n] = used += count + 1;
    }
    if (!t->n) return err_set(err, ERR_INVAL, "%s has no lines to learn from", path);
    return 0;
}

void distill_texts_free(struct distill_texts *t)
{
    free(t->line);
    free(t->said);
    free(t->ids);
    free(t->at);
    buf_free(&t->bytes);
}

/* How many rows of the file are the vectors of the first lines. */
static size_t read_cache(struct distill_texts *t, FILE *f, uint64_t key)
{
    uint32_t head[2];
    uint64_t k, h;
    size_t n = 0, dim = (size_t)t->dim;
    if (fread(head, 4, 2, f) != 2 || fread(&k, 8, 1, f) != 1) return 0;
    if (head[0] != MAGIC || head[1] != (uint32_t)t->dim || k != key) return 0;
    while (n < t->n && fread(&h, 8, 1, f) == 1 && h == hash64(t->line[n].p, t->line[n].n, 0) &&
           fread(t->said + n * dim, 2, dim, f) == dim)
        n++;
    return n;
}

static int write_rows(const struct distill_texts *t, FILE *f, size_t from, size_t n)
{
    size_t dim = (size_t)t->dim;
    for (size_t i = from; i < from + n; i++) {
        uint64_t h = hash64(t->line[i].p, t->line[i].n, 0);
        if (fwrite(&h, 8, 1, f) != 1 || fwrite(t->said + i * dim, 2, dim, f) != dim) return -1;
    }
    return fflush(f);
}

static int teach(struct distill_texts *t, struct encoder *e, size_t from, size_t n, float *out,
                 struct encoder_text *in, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        in[i] = (struct encoder_text){ t->line[from + i].p, t->line[from + i].n, ENCODER_PASSAGE };
    int rc = encoder_embed(e, in, n, out, err);
    uint16_t *to = t->said + from * (size_t)t->dim;
    for (size_t i = 0; i < n * (size_t)t->dim && !rc; i++) to[i] = f32_to_f16(out[i]);
    return rc;
}

/* *done: rows that are there already. The file is cut behind them only when more are to come: one
 * that knows more texts than this run wants stays whole. */
static FILE *open_cache(struct distill_texts *t, const char *path, uint64_t key, size_t *done)
{
    FILE *f = fopen(path, "r+b");
    if (f) *done = read_cache(t, f, key);
    else f = fopen(path, "w+b");
    if (!f || *done == t->n) return f;
    off_t keep = *done ? 16 + (off_t)*done * (8 + 2 * (off_t)t->dim) : 0;
    uint32_t head[2] = { MAGIC, (uint32_t)t->dim };
    if (ftruncate(fileno(f), keep) || fseeko(f, keep, SEEK_SET) ||
        (!keep && (fwrite(head, 4, 2, f) != 2 || fwrite(&key, 8, 1, f) != 1))) {
        fclose(f);
        return NULL;
    }
    return f;
}

int distill_texts_teach(struct distill_texts *t, struct encoder *e, const char *cache, uint64_t key,
                        struct progress *p, struct err *err)
{
    FILE *f = NULL;
    size_t done = 0;
    t->dim = encoder_facts(e)->dim;
    t->said = malloc(t->n * (size_t)t->dim * sizeof *t->said);
    float *out = malloc((size_t)PIECE * (size_t)t->dim * sizeof *out);
    struct encoder_text *in = malloc(PIECE * sizeof *in);
    int rc = 0;
    if (!t->said || !out || !in) {
        rc = err_nomem(err);
        goto out;
    }
    if (cache && !(f = open_cache(t, cache, key, &done)))
        rc = err_errno(err, "cannot use %s as a cache", cache);
    while (done < t->n && !rc) {
        size_t n = t->n - done < PIECE ? t->n - done : PIECE;
        rc = teach(t, e, done, n, out, in, err);
        if (!rc && f && write_rows(t, f, done, n)) rc = err_errno(err, "cannot write %s", cache);
        done += n;
        if (!rc) rc = progress_tick(p, "teach", done, t->n, "texts");
    }
    if (f && fclose(f) && !rc) rc = err_errno(err, "cannot write %s", cache);
out:
    free(out);
    free(in);
    return rc;
}
