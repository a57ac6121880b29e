/* Perplexity: how surprised a model is by a text. It is the figure by which quantised weights are
 * held against exact ones.
 *
 * The text is read in windows of ctx tokens, each in a fresh context; the first half of a window
 * only gives context, the second is counted, so that every counted token has at least ctx / 2
 * before it. A window's first token is replaced by the model's beginning-of-text token where it has
 * one, as that is what models are trained to see first. */
#include "model/decoder.h"

#include <math.h>
#include <stdlib.h>

enum { SLICE = 32 }; /* rows whose logits are held at a time */

struct measure {
    struct decoder *d;
    struct timeline *t;
    float *logits; /* [SLICE, vocab] */
    int vocab;
    double nll; /* sum of -ln p */
    size_t counted;
};

/* -ln of the softmax of id. */
static double surprise(const float *logits, int vocab, int32_t id)
{
    double most = logits[0], sum = 1e-300;
    for (int i = 1; i < vocab; i++) most = fmax(most, logits[i]);
    for (int i = 0; i < vocab; i++) sum += exp(logits[i] - most);
    return log(sum) + most - logits[id];
}

/* One window of n tokens: those from n / 2 on are counted. */
static int read_window(struct measure *m, const int32_t *ids, int n, struct err *err)
{
    struct decoder_row rows[SLICE];
    const struct tokenizer *tok = decoder_tokenizer(m->d);
    int32_t bos = tok ? tokenizer_bos(tok) : -1;
    timeline_cut(m->t, 0);
    for (int from = 0; from < n - 1; from += SLICE) {
        int part = n - 1 - from < SLICE ? n - 1 - from : SLICE, asked = 0;
        for (int i = 0; i < part; i++) {
            int at = from + i;
            rows[i] =
                (struct decoder_row){ m->t, at || bos < 0 ? ids[at] : bos, at, at + 1 >= n / 2 };
        }
        int rc = decoder_step(m->d, rows, part, m->logits, err);
        if (rc) return rc;
        for (int i = 0; i < part; i++) {
            if (!rows[i].want_logits) continue;
            const float *row = m->logits + (size_t)asked++ * (size_t)m->vocab;
            m->nll += surprise(row, m->vocab, ids[from + i + 1]);
            m->counted++;
        }
    }
    return 0;
}

int decoder_perplexity(struct decoder *d, const int32_t *ids, size_t n, int ctx, double *out,
                       struct err *err)
{
    struct measure m = { .d = d, .vocab = decoder_facts(d)->vocab };
    *out = 0;
    if (ctx < 2 || n < 2) return err_set(err, ERR_INVAL, "perplexity needs two tokens at least");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= m.vocab)
            return err_set(err, ERR_INVAL, "token %d is not in the vocabulary", (int)ids[i]);
    int rc = timeline_new(d, ctx, QUANT_F16, &m.t, err);
    if (rc) return rc;
    m.logits = malloc(SLICE * (size_t)m.vocab * sizeof *m.logits);
    if (!m.logits) rc = err_nomem(err);
    for (size_t at = 0; at + 1 < n && !rc; at += (size_t)ctx)
        rc = read_window(&m, ids + at, n - at < (size_t)ctx ? (int)(n - at) : ctx, err);
    if (!rc && m.counted) *out = exp(m.nll / (double)m.counted);
    free(m.logits);
    timeline_free(m.t);
    return rc;
}
