/* Timelines: cut and grown again, copied, saved and loaded, they continue with the same bits. */
#include "tiny.h"

#include "base/threads.h"
#include "kernels/kernels.h"

static const enum quant kinds[] = { QUANT_F16, QUANT_Q8_0, QUANT_F32 };

struct lines { /* one model with a timeline read to its end, and what its last row said */
    struct tiny t;
    struct timeline *a;
    float *want, *got;
    size_t bytes;
};

static void read_all(struct lines *x, const char *name, enum quant kv)
{
    tiny_open(&x->t, name, NULL);
    x->bytes = (size_t)(x->t.n * x->t.vocab) * sizeof(float);
    x->want = malloc(x->bytes);
    x->got = malloc(x->bytes);
    x->a = tiny_timeline(&x->t, 50, kv);
    tiny_run(&x->t, x->a, x->t.ids, x->t.n, 48, x->want);
}

static void put_away(struct lines *x)
{
    timeline_free(x->a);
    free(x->want);
    free(x->got);
    tiny_close(&x->t);
}

/* Rows from `from` on, computed anew at the end of line, are what they were. */
static void continues(struct lines *x, struct timeline *line, int from)
{
    check_int(timeline_len(line), from);
    int n = x->t.n - from;
    size_t at = (size_t)from * (size_t)x->t.vocab;
    tiny_run(&x->t, line, x->t.ids + from, n, 5, x->got);
    assert_memory_equal(x->got, x->want + at, (size_t)(n * x->t.vocab) * sizeof(float));
}

static void cut_and_grown_again(void **state)
{
    for (int k = 0; k < 3; k++) {
        struct lines x;
        int32_t other[20];
        read_all(&x, "qwen3", kinds[k]);
        for (int i = 0; i < 20; i++) other[i] = 30 + i;
        for (int len = 0; len < x.t.n; len += 9) {
            timeline_cut(x.a, len);
            tiny_run(&x.t, x.a, other, x.t.n - len < 20 ? x.t.n - len : 20, 7, NULL);
            timeline_cut(x.a, len);
            continues(&x, x.a, len);
        }
        timeline_cut(x.a, 60);
        check_int(timeline_len(x.a), x.t.n);
        timeline_cut(x.a, -1);
        check_int(timeline_len(x.a), x.t.n);
        put_away(&x);
    }
}

static void common_prefix(void **state)
{
    struct lines x;
    read_all(&x, "llama", QUANT_F16);
    int32_t ids[TINY_MAX];
    memcpy(ids, x.t.ids, sizeof ids);
    check_int(timeline_common(x.a, ids, x.t.n), x.t.n);
    check_int(timeline_common(x.a, ids, 10), 10);
    ids[10]++;
    check_int(timeline_common(x.a, ids, x.t.n), 10);
    check_int(timeline_common(x.a, ids, 0), 0);
    timeline_cut(x.a, 4);
    check_int(timeline_common(x.a, ids, x.t.n), 4);
    assert_memory_equal(timeline_ids(x.a), x.t.ids, 4 * sizeof *ids);
    put_away(&x);
}

static void copied(void **state)
{
    struct err err = { 0 };
    for (int k = 0; k < 3; k++) {
        struct lines x;
        read_all(&x, "gemma3", kinds[k]);
        struct timeline *b = tiny_timeline(&x.t, 200, kinds[k]);
        const int lens[] = { 0, 1, 15, 16, 17, 33, 47 };
        for (int i = 0; i < 7; i++) {
            check_ok(timeline_copy(b, x.a, lens[i], &err), err);
            continues(&x, b, lens[i]);
        }
        struct timeline *small = tiny_timeline(&x.t, 20, kinds[k]);
        check_int(timeline_copy(small, x.a, 21, &err), ERR_LIMIT);
        check_ok(timeline_copy(small, x.a, 20, &err), err);
        check_int(timeline_copy(b, x.a, 49, &err), ERR_INVAL);
        check_ok(timeline_copy(x.a, x.a, 7, &err), err);
        continues(&x, x.a, 7);
        timeline_free(small);
        small = tiny_timeline(&x.t, 50, kinds[(k + 1) % 3]);
        check_int(timeline_copy(small, x.a, 5, &err), ERR_INVAL);
        timeline_free(small);
        timeline_free(b);
        put_away(&x);
    }
}

static void saved_and_loaded(void **state)
{
    struct err err = { 0 };
    for (int k = 0; k < 3; k++) {
        struct lines x;
        read_all(&x, "gemma2", kinds[k]);
        struct timeline *b = tiny_timeline(&x.t, 64, kinds[k]);
        const int lens[] = { 0, 3, 16, 31 };
        for (int i = 0; i < 4; i++) {
            struct buf saved = BUF_INIT(0), again = BUF_INIT(0);
            check_ok(timeline_save(x.a, lens[i], &saved, &err), err);
            check_ok(timeline_load(b, saved.p, saved.n, &err), err);
            check_ok(timeline_save(b, lens[i], &again, &err), err);
            check_int(again.n, saved.n); /* nothing of what came after is in there */
            assert_memory_equal(again.p, saved.p, saved.n);
            continues(&x, b, lens[i]);
            buf_free(&saved);
            buf_free(&again);
        }
        check_int(timeline_save(b, 49, &(struct buf){ 0 }, &err), ERR_INVAL);
        struct buf tight = BUF_INIT(1000);
        check_int(timeline_save(b, 30, &tight, &err), ERR_LIMIT);
        buf_free(&tight);
        timeline_free(b);
        put_away(&x);
    }
}

static void strange_states_are_refused(void **state)
{
    struct err err = { 0 };
    struct lines x, y;
    struct buf s = BUF_INIT(0);
    read_all(&x, "qwen2", QUANT_F16);
    read_all(&y, "qwen3", QUANT_F16);
    check_ok(timeline_save(x.a, 10, &s, &err), err);
    check_int(timeline_load(y.a, s.p, s.n, &err), ERR_INVAL);
    check_has(err.msg, "another model");
    check_int(timeline_len(y.a), y.t.n);
    struct timeline *q8 = NULL, *small = tiny_timeline(&x.t, 9, QUANT_F16);
    check_int(timeline_new(x.t.d, 9, QUANT_Q8_0, &q8, &err), ERR_INVAL); /* heads of 16 */
    assert_null(q8);
    check_int(timeline_load(small, s.p, s.n, &err), ERR_LIMIT);
    for (size_t n = 0; n < s.n; n += n < 80 ? 1 : 997) {
        char *cut = malloc(n ? n : 1);
        memcpy(cut, s.p, n);
        check_int(timeline_load(x.a, cut, n, &err), ERR_PARSE);
        free(cut);
    }
    buf_u8(&s, 0);
    check_int(timeline_load(x.a, s.p, s.n, &err), ERR_PARSE);
    s.n--;
    s.p[28 + 3] = 1; /* the first token's highest byte */
    check_int(timeline_load(x.a, s.p, s.n, &err), ERR_PARSE);
    check_has(err.msg, "token");
    s.p[24] = 1; /* base, of a model without windows */
    check_int(timeline_load(x.a, s.p, s.n, &err), ERR_PARSE);
    check_has(err.msg, "begins at");
    s.p[4] = 3;
    check_int(timeline_load(x.a, s.p, s.n, &err), ERR_VERSION);
    timeline_free(small);
    buf_free(&s);
    put_away(&x);
    put_away(&y);
}

/* ---- layers with a window, of 12 or 20 positions: room for 652 or 660 ---- */

enum { LONG = 1900, TAIL = 40 };

struct windows {
    struct tiny t;
    int32_t ids[LONG];
    float *want; /* [TAIL, vocab] of the last rows, where nothing was forgotten */
};

static void read_long(struct windows *w, const char *name, enum quant kv)
{
    struct tiny all;
    tiny_open(&w->t, name, NULL);
    tiny_open(&all, name, &(struct decoder_opts){ .max_batch = 2048 }); /* room for all of them */
    for (int i = 0; i < LONG; i++) w->ids[i] = (int32_t)((i * 7919LL + i / 50) % w->t.vocab);
    w->want = malloc((size_t)(TAIL * w->t.vocab) * sizeof *w->want);
    struct timeline *line = tiny_timeline(&all, LONG, kv);
    tiny_run(&all, line, w->ids, LONG - TAIL, 256, NULL);
    tiny_run(&all, line, w->ids + LONG - TAIL, TAIL, TAIL, w->want);
    timeline_free(line);
    tiny_close(&all);
}

/* The last `n` rows, computed anew at the end of line, are those of a line that forgot nothing. */
static void ends_alike(struct windows *w, struct timeline *line, int n)
{
    size_t bytes = (size_t)(n * w->t.vocab) * sizeof *w->want;
    float *got = malloc(bytes);
    check_int(timeline_len(line), LONG - n);
    tiny_run(&w->t, line, w->ids + LONG - n, n, 3, got);
    assert_memory_equal(got, w->want + (TAIL - n) * w->t.vocab, bytes);
    free(got);
}

static void windows_move_along(void **state)
{
    static const char *const names[] = { "gemma2", "gemma3", "llama-scaled" }; /* as Mistral has */
    for (int i = 0; i < 9; i++) {
        if (i % 3 == 2 && kinds[i / 3] == QUANT_Q8_0) continue; /* heads of 16 */
        struct err err = { 0 };
        struct windows w;
        enum quant kv = kinds[i / 3];
        read_long(&w, names[i % 3], kv);
        struct timeline *a = tiny_timeline(&w.t, LONG, kv), *b = tiny_timeline(&w.t, LONG + 9, kv);
        const int steps[] = { 1, 7, 64, 256 };
        for (int k = 0, at = 0; at < LONG - TAIL; k++) { /* slices of all lengths */
            int n = steps[k % 4] < LONG - TAIL - at ? steps[k % 4] : LONG - TAIL - at;
            tiny_run(&w.t, a, w.ids + at, n, n, NULL);
            at += n;
        }
        ends_alike(&w, a, TAIL);
        timeline_cut(a, LONG - 24); /* guesses that were wrong */
        tiny_run(&w.t, a, w.ids, 24, 24, NULL);
        timeline_cut(a, LONG - 24);
        ends_alike(&w, a, 24);

        timeline_cut(a, LONG - 10);
        check_ok(timeline_copy(b, a, LONG - 20, &err), err);
        ends_alike(&w, b, 20);
        struct buf saved = BUF_INIT(0), again = BUF_INIT(0);
        check_ok(timeline_save(a, LONG - 10, &saved, &err), err);
        timeline_cut(b, 0);
        check_ok(timeline_load(b, saved.p, saved.n, &err), err);
        check_ok(timeline_save(b, LONG - 10, &again, &err), err);
        check_int(again.n, saved.n);
        assert_memory_equal(again.p, saved.p, saved.n);
        ends_alike(&w, b, 10);
        saved.p[24] ^= 1; /* where the windows begin */
        check_int(timeline_load(b, saved.p, saved.n, &err), ERR_PARSE);
        buf_free(&saved);
        buf_free(&again);
        timeline_free(a);
        timeline_free(b);
        free(w.want);
        tiny_close(&w.t);
    }
}

static void what_windows_forgot_does_not_come_back(void **state)
{
    struct err err = { 0 };
    struct windows w;
    read_long(&w, "gemma3", QUANT_F16);
    struct timeline *a = tiny_timeline(&w.t, LONG, QUANT_F16), *b;
    tiny_run(&w.t, a, w.ids, 600, 200, NULL);
    check_int(timeline_common(a, w.ids, 100), 100); /* nothing has moved yet */
    tiny_run(&w.t, a, w.ids + 600, LONG - 600, 200, NULL);
    check_int(timeline_common(a, w.ids, LONG), LONG);
    check_int(timeline_common(a, w.ids, LONG - 200), LONG - 200);
    check_int(timeline_common(a, w.ids, 100), 0);
    b = tiny_timeline(&w.t, LONG, QUANT_F16);
    check_int(timeline_copy(b, a, 100, &err), ERR_INVAL);
    check_has(err.msg, "forgotten");
    timeline_cut(a, 100);
    check_int(timeline_len(a), 0);
    tiny_run(&w.t, a, w.ids, LONG - TAIL, 250, NULL);
    ends_alike(&w, a, TAIL);
    size_t less = decoder_cache_bytes(w.t.d, LONG, QUANT_F16),
           more = decoder_facts(w.t.d)->kv_bytes_token * LONG;
    if (less > more * 2 / 3) fail_msg("%zu bytes of %zu", less, more);
    timeline_free(a);
    timeline_free(b);
    free(w.want);
    tiny_close(&w.t);
}

static void limits(void **state)
{
    struct err err = { 0 };
    struct tiny t;
    struct timeline *line = NULL;
    tiny_open(&t, "qwen3", NULL);
    check_int(timeline_new(t.d, 0, QUANT_F16, &line, &err), ERR_INVAL);
    check_int(timeline_new(t.d, 1 << 25, QUANT_F16, &line, &err), ERR_INVAL);
    check_int(timeline_new(t.d, 100, QUANT_Q4_0, &line, &err), ERR_INVAL);
    assert_null(line);
    timeline_free(NULL);
    line = tiny_timeline(&t, 33, QUANT_F16);
    check_int(timeline_cap(line), 33);
    check_int(timeline_len(line), 0);
    timeline_free(line);
    tiny_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(cut_and_grown_again),
        cmocka_unit_test(common_prefix),
        cmocka_unit_test(copied),
        cmocka_unit_test(saved_and_loaded),
        cmocka_unit_test(windows_move_along),
        cmocka_unit_test(what_windows_forgot_does_not_come_back),
        cmocka_unit_test(limits),
        cmocka_unit_test(strange_states_are_refused),
    };
    threads_set(2);
    if (kernels_init(NULL, NULL)) return 1;
    return check_run("model/timeline", t);
}
