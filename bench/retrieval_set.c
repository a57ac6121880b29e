/* The questions of tests/retrieval, judged against the passages of a persona. A passage is right
 * when its folded text holds an anchor, wherever it was cut: as passages overlap, an anchor may
 * stand in two, and one passage may hold several.
 *
 * So that neither is counted twice, anchors are what is found, not passages: a second passage with
 * the same anchor gains nothing, and what a perfect ranking could reach is worked out by taking, at
 * each rank, the passage with the most anchors that are new (greedy cover). */
#include "retrieval_set.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 2000

/* ---- folding ---- */

/* A typographic quotation mark of three bytes is made straight; white space, a no-break space too,
 * becomes one blank. */
static void fold(struct buf *out, const char *s)
{
    bool blank = true;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char put = *s;
        size_t skip = 0;
        if (c == 0xe2 && (unsigned char)s[1] == 0x80 && s[2]) {
            unsigned char last = (unsigned char)s[2];
            if (last == 0x98 || last == 0x99) put = '\'', skip = 2;
            if (last == 0x9c || last == 0x9d) put = '"', skip = 2;
        }
        if (c == 0xc2 && (unsigned char)s[1] == 0xa0) put = ' ', skip = 1;
        if (c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r') put = ' ';
        if (put >= 'A' && put <= 'Z') put = (char)(put + 'a' - 'A');
        s += skip;
        if (put == ' ' && blank) continue;
        blank = put == ' ';
        buf_addc(out, put);
    }
    while (out->n && out->p[out->n - 1] == ' ') out->n--;
}

static const char *folded(struct eval_set *s, const char *text)
{
    struct buf b = BUF_INIT(0);
    fold(&b, text);
    const char *copy = b.failed ? NULL : arena_strndup(s->mem, buf_str(&b), b.n);
    buf_free(&b);
    return copy;
}

/* ---- reading ---- */

static int kind_of(const char *word)
{
    static const char *const words[EVAL_KINDS] = { "other", "same", "keyword" };
    int k = 0;
    while (k < EVAL_KINDS && strcmp(words[k], word)) k++;
    return k;
}

static int read_anchors(struct eval_set *s, struct eval_question *q, char *cell, struct err *err)
{
    static const char apart[] = " || ";
    for (char *next; cell; cell = next) {
        next = strstr(cell, apart);
        if (next) {
            *next = 0;
            next += strlen(apart);
        }
        char *times = strstr(cell, " @");
        if (times) *times = 0;
        if (q->n_anchors == EVAL_ANCHORS)
            return err_set(err, ERR_LIMIT, "%s has more than %d anchors", q->id, EVAL_ANCHORS);
        if (!(q->anchor[q->n_anchors++] = folded(s, cell))) return err_nomem(err);
    }
    return 0;
}

/* One line: id, half, corpus, kind, question, anchors. */
static int read_line(struct eval_set *s, char *line, const char *corpus, struct err *err)
{
    char *cell[6];
    for (size_t i = 0; i < 6; i++) {
        char *tab = strchr(line, '\t');
        cell[i] = line;
        if (!tab != (i == 5)) return err_set(err, ERR_PARSE, "\"%.40s\": not six columns", cell[0]);
        if (!tab) break;
        *tab = 0;
        line = tab + 1;
    }
    if (strcmp(cell[2], corpus)) return 0;
    struct eval_question *q = &s->q[s->n_q++];
    q->id = cell[0];
    q->kept = !strcmp(cell[1], "kept");
    q->kind = kind_of(cell[3]);
    q->text = cell[4];
    if (q->kind == EVAL_KINDS || (!q->kept && strcmp(cell[1], "tune")))
        return err_set(err, ERR_PARSE, "%s: half \"%s\", kind \"%s\"", q->id, cell[1], cell[3]);
    return read_anchors(s, q, cell[5], err);
}

int eval_set_open(struct eval_set *s, const char *path, const char *corpus, struct err *err)
{
    struct buf file = BUF_INIT(0);
    *s = (struct eval_set){ .mem = arena_new(0) };
    int rc = s->mem ? io_read_file(path, 1 << 24, &file, err) : err_nomem(err);
    char *text = rc ? NULL : arena_strndup(s->mem, buf_str(&file), file.n);
    size_t lines = 1;
    for (char *p = text; p && (p = strchr(p, '\n')); p++) lines++;
    if (!rc) s->q = calloc(lines, sizeof *s->q);
    if (!rc && (!text || !s->q)) rc = err_nomem(err);
    char *line = rc ? NULL : strchr(text, '\n'); /* after the names of the columns */
    while (line && *++line && !rc) {
        char *end = strchr(line, '\n');
        if (end) *end = 0;
        rc = read_line(s, line, corpus, err);
        line = end;
    }
    buf_free(&file);
    return rc;
}

int eval_set_chunk(struct eval_set *s, int64_t id, const char *embed, const char *plain,
                   struct err *err)
{
    if (s->n_chunks == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        struct eval_chunk *grown = realloc(s->chunk, cap * sizeof *grown);
        if (!grown) return err_nomem(err);
        s->chunk = grown;
        s->cap = cap;
    }
    struct eval_chunk *c = &s->chunk[s->n_chunks++];
    *c = (struct eval_chunk){ id, arena_strdup(s->mem, embed), folded(s, plain) };
    return c->embed && c->folded ? 0 : err_nomem(err);
}

void eval_set_close(struct eval_set *s)
{
    for (size_t i = 0; i < s->n_q; i++) free(s->q[i].right);
    free(s->q);
    free(s->chunk);
    arena_free(s->mem);
    *s = (struct eval_set){ 0 };
}

/* ---- judging ---- */

static void greedy_cover(struct eval_question *q)
{
    uint32_t held = 0;
    for (;;) {
        uint32_t best = 0;
        for (size_t i = 0; i < q->n_right; i++) {
            uint32_t gain = q->right[i].anchors & ~held;
            if (__builtin_popcount(gain) > __builtin_popcount(best)) best = gain;
        }
        if (!best) return;
        q->cover[q->n_cover++] = best;
        held |= best;
    }
}

int eval_set_judge(struct eval_set *s, struct err *err)
{
    for (size_t i = 0; i < s->n_q; i++) {
        struct eval_question *q = &s->q[i];
        uint32_t placed = 0;
        for (size_t c = 0; c < s->n_chunks; c++) {
            uint32_t held = 0;
            for (size_t a = 0; a < q->n_anchors; a++)
                if (strstr(s->chunk[c].folded, q->anchor[a])) held |= 1u << a;
            if (!held) continue;
            struct eval_right *grown = realloc(q->right, (q->n_right + 1) * sizeof *grown);
            if (!grown) return err_nomem(err);
            q->right = grown;
            q->right[q->n_right++] = (struct eval_right){ s->chunk[c].id, held };
            placed |= held;
        }
        s->unplaced += q->n_anchors - (size_t)__builtin_popcount(placed);
        greedy_cover(q);
    }
    return 0;
}

static uint32_t anchors_in(const struct eval_question *q, int64_t chunk)
{
    for (size_t i = 0; i < q->n_right; i++)
        if (q->right[i].chunk == chunk) return q->right[i].anchors;
    return 0;
}

bool eval_is_right(const struct eval_question *q, int64_t chunk)
{
    return anchors_in(q, chunk) != 0;
}

static double recall(const struct eval_question *q, uint32_t held, size_t k)
{
    int most = 0;
    for (size_t i = 0; i < q->n_cover && i < k; i++) most += __builtin_popcount(q->cover[i]);
    int n = __builtin_popcount(held);
    return most ? fmin(1, (double)n / most) : 0;
}

struct eval_score eval_score(const struct eval_question *q, const int64_t *ids, size_t n)
{
    struct eval_score out = { .placed = q->n_right > 0 };
    uint32_t held = 0, held5 = 0, held10 = 0;
    double gain = 0, ideal = 0;
    for (size_t i = 0; i < n && i < EVAL_DEPTH; i++) {
        uint32_t here = anchors_in(q, ids[i]);
        if (here && out.rr == 0) out.rr = 1 / (double)(i + 1);
        if ((here & ~held) && i < 10) gain += 1 / log2((double)i + 2);
        held |= here;
        if (i < 5) held5 = held;
        if (i < 10) held10 = held;
    }
    for (size_t i = 0; i < q->n_cover && i < 10; i++) ideal += 1 / log2((double)i + 2);
    out.recall5 = recall(q, held5, 5);
    out.recall10 = recall(q, held10, 10);
    out.ndcg10 = ideal > 0 ? fmin(1, gain / ideal) : 0;
    return out;
}

/* ---- how sure ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void eval_interval(const double *v, size_t n, double *lo, double *hi)
{
    static double mean[DRAWS];
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t d = 0; d < DRAWS && n; d++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t z = hash64(&state, sizeof state, 1);
            state += 0x9e3779b97f4a7c15u;
            sum += v[z % n];
        }
        mean[d] = sum / (double)n;
    }
    *lo = *hi = 0;
    if (!n) return;
    qsort(mean, DRAWS, sizeof *mean, by_size);
    *lo = mean[DRAWS / 40];
    *hi = mean[DRAWS - 1 - DRAWS / 40];
}
