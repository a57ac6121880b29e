/* The engine on a tiny random model: the same text alone and in company, with and without guesses;
 * what is reused, cancelled, refused, dropped; and that a heavy account does not starve a light
 * one. Run under TSan too. */
#include "counted.h"
#include "model/engine.h"
#include "tiny.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

struct bed {
    struct tiny m;
    struct engine *e;
};

static void bed_make(struct bed *b, const struct engine_opts *o)
{
    struct err err;
    tiny_open(&b->m, "llama", NULL);
    check_ok(engine_new(b->m.d, template_named("plain"), o, &b->e, &err), err);
}

static void bed_free(struct bed *b)
{
    engine_free(b->e);
    tiny_close(&b->m);
}

static struct engine_ask ask_of(const char *text, struct template_part *p, uint64_t seed)
{
    *p = (struct template_part){ TEMPLATE_USER, text, strlen(text), false, 0 };
    struct engine_ask a = { .parts = p, .n_parts = 1, .sampling = SAMPLER_DEFAULTS };
    a.sampling.seed = seed;
    a.max_tokens = 40;
    return a;
}

/* The whole answer, malloc'ed; *r filled if not NULL. */
static char *finish(struct engine_job *j, struct engine_result *r)
{
    struct buf b = BUF_INIT(1 << 20);
    while (engine_read(j, &b, -1)) {}
    if (r) *r = *engine_result(j);
    engine_job_free(j);
    buf_adds(&b, "");
    char *s = strdup(buf_str(&b));
    buf_free(&b);
    return s;
}

static char *answer(struct engine *e, const struct engine_ask *a, struct engine_result *r)
{
    struct err err;
    struct engine_job *j;
    check_ok(engine_submit(e, a, &j, &err), err);
    return finish(j, r);
}

static void same_text_alone_and_in_company(void **state)
{
    enum { N = 8 };
    struct bed b;
    struct template_part p[N];
    struct engine_job *j[N];
    char q[N][80], *alone[N];
    struct err err;
    for (int round = 0; round < 2; round++) { /* sampled, greedy */
        bed_make(&b, &(struct engine_opts){ .slots = 1, .slice = 8 });
        for (int i = 0; i < N; i++) {
            snprintf(q[i], sizeof q[i], "%.*sQuestion number %d?", i * 5,
                     "something to read before it comes to that", i);
            struct engine_ask a = ask_of(q[i], &p[i], (uint64_t)i);
            if (round) a.sampling.temperature = 0;
            a.no_lookup = true;
            alone[i] = answer(b.e, &a, NULL);
        }
        bed_free(&b);
        bed_make(&b, &(struct engine_opts){ .slots = 5, .slice = 3 });
        for (int i = 0; i < N; i++) {
            struct engine_ask a = ask_of(q[i], &p[i], (uint64_t)i);
            if (round) a.sampling.temperature = 0;
            a.account = (uint64_t)i % 3;
            check_ok(engine_submit(b.e, &a, &j[i], &err), err);
        }
        for (int i = 0; i < N; i++) {
            struct engine_result r;
            char *s = finish(j[i], &r);
            check_str(s, alone[i]);
            assert_true(r.stop == ENGINE_LENGTH || r.stop == ENGINE_END);
            assert_true(r.output_tokens > 0 && r.first > 0 && r.total >= r.first);
            free(s);
            free(alone[i]);
        }
        bed_free(&b);
    }
}

static void guesses_change_nothing(void **state)
{
    struct bed b;
    struct template_part p;
    bed_make(&b, &(struct engine_opts){ .slots = 2 });
    int right = 0;
    struct sampler_bias few[] = { { 70, 60 }, { 71, 60 }, { 72, 60 } }; /* so that it repeats */
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct engine_ask a = ask_of("one two three four one two three four one two", &p, seed);
        struct engine_result r, plain;
        a.max_tokens = 120;
        a.sampling.temperature = seed % 2 ? 0 : 0.3f;
        a.sampling.bias = few;
        a.sampling.n_bias = seed < 4 ? 3 : 0;
        a.sampling.frequency = a.sampling.presence = 0;
        a.no_lookup = true;
        char *want = answer(b.e, &a, &plain);
        a.no_lookup = false;
        char *got = answer(b.e, &a, &r);
        check_str(got, want);
        check_int(plain.guessed, 0);
        check_int(r.output_tokens, plain.output_tokens);
        assert_true(r.guessed_right <= r.guessed);
        right += r.guessed_right;
        free(got);
        free(want);
    }
    if (right < 20) fail_msg("only %d guesses were right", right);
    bed_free(&b);
}

static void prefixes_are_reused(void **state)
{
    struct bed b;
    struct err err;
    struct engine_result r;
    bed_make(&b, &(struct engine_opts){ .slots = 2 });
    const char *sys = "You are Ann, who lives by the sea and writes letters.";
    struct template_part p[4] = { { TEMPLATE_SYSTEM, sys, strlen(sys), false, 0 },
                                  { TEMPLATE_USER, "Where?", 6, false, 0 } };
    struct engine_ask a = { .parts = p, .n_parts = 2, .max_tokens = 10 };
    char *first = answer(b.e, &a, &r);
    check_int(r.reused_tokens, 0);
    int prompt = r.prompt_tokens;
    char *again = answer(b.e, &a, &r);
    check_str(again, first);
    check_int(r.reused_tokens, prompt - 1);
    p[1].s = "Since when?";
    p[1].n = 11;
    free(answer(b.e, &a, &r));
    assert_true(r.reused_tokens > 30 && r.reused_tokens < prompt);
    bed_free(&b);

    /* kept, saved, and loaded by another engine */
    struct buf state_bytes = BUF_INIT(0);
    bed_make(&b, &(struct engine_opts){ .slots = 1 });
    check_ok(engine_keep(b.e, p, 1, NULL, 0, &state_bytes, &err), err);
    assert_true(state_bytes.n > 1000);
    free(answer(b.e, &a, &r));
    int kept = r.reused_tokens;
    assert_true(kept > 30);
    bed_free(&b);
    bed_make(&b, &(struct engine_opts){ .slots = 1 });
    check_ok(engine_keep(b.e, p, 1, state_bytes.p, state_bytes.n, NULL, &err), err);
    struct engine_load load;
    engine_load(b.e, &load);
    check_int(load.prompt_tokens, 0); /* nothing was computed */
    p[1].s = "Where?";
    p[1].n = 6;
    char *from_saved = answer(b.e, &a, &r);
    check_str(from_saved, first);
    check_int(r.reused_tokens, kept);
    /* a saved state that is another's is computed anew */
    state_bytes.p[40] ^= 1;
    sys = "You are Bob, and nobody else.";
    p[0].s = sys;
    p[0].n = strlen(sys);
    check_ok(engine_keep(b.e, p, 1, state_bytes.p, state_bytes.n, NULL, &err), err);
    engine_load(b.e, &load);
    assert_true(load.prompt_tokens > 0);
    bed_free(&b);
    buf_free(&state_bytes);
    free(first);
    free(again);
    free(from_saved);
}

/* From the first token of three answers on, sampled in all ways, until the last has ended. */
static void answering_allocates_nothing(void **state)
{
    if (!allocations_are_counted()) skip();
    struct err err;
    struct bed b;
    struct template_part p[3];
    struct engine_job *j[3];
    struct buf text[3];
    const char *const stop[] = { "never said", "nor this" };
    bed_make(&b, &(struct engine_opts){ .slots = 3 });
    const struct sampler_bias bias[] = { { 70, 3 },
                                         { tokenizer_eos(decoder_tokenizer(b.m.d)), -INFINITY } };
    not_counted = true;
    for (int round = 0; round < 2; round++) { /* the first makes timelines and starts threads */
        for (int i = 0; i < 3; i++) {
            struct engine_ask a =
                ask_of("one two three four one two three four one two", &p[i], (uint64_t)i);
            text[i] = (struct buf)BUF_INIT(1 << 16);
            a.max_tokens = 200;
            a.stop = stop;
            a.n_stop = 2;
            a.sampling.bias = bias;
            a.sampling.n_bias = 2;
            a.sampling.temperature = i ? 0.8f : 0;
            a.sampling.top_k = 20;
            a.sampling.min_p = 0.01f;
            a.sampling.repeat = 1.1f;
            check_ok(engine_submit(b.e, &a, &j[i], &err), err);
        }
        for (int i = 0; i < 3; i++)
            while (!text[i].n && engine_read(j[i], &text[i], -1)) {}
        long before = allocations;
        int made = 0;
        for (int i = 0; i < 3; i++) {
            while (engine_read(j[i], &text[i], -1)) {}
            made += engine_result(j[i])->output_tokens;
        }
        assert_in_range(made, 300, 600);
        if (round) check_int(allocations - before, 0);
        for (int i = 0; i < 3; i++) {
            engine_job_free(j[i]);
            buf_free(&text[i]);
        }
    }
    not_counted = false;
    bed_free(&b);
}

static void cancelling_frees_the_slot(void **state)
{
    struct bed b;
    struct err err;
    struct template_part p[3];
    struct engine_job *j[3];
    struct engine_load load;
    bed_make(&b, &(struct engine_opts){ .slots = 1 });
    for (int i = 0; i < 3; i++) {
        struct engine_ask a = ask_of("Tell me a very long story.", &p[i], 1);
        a.max_tokens = 200;
        a.sampling.bias = &(struct sampler_bias){ 2, -INFINITY }; /* never ends */
        a.sampling.n_bias = 1;
        if (i == 2) a.max_tokens = 3;
        check_ok(engine_submit(b.e, &a, &j[i], &err), err);
    }
    struct buf t = BUF_INIT(0);
    check_int(engine_read(j[0], &t, -1), 1);
    engine_cancel(j[0]);
    engine_cancel(j[1]); /* still waits */
    while (engine_read(j[0], &t, -1)) {}
    while (engine_read(j[1], &t, -1)) {}
    check_int(engine_result(j[0])->stop, ENGINE_CANCELLED);
    check_int(engine_result(j[1])->stop, ENGINE_CANCELLED);
    assert_true(engine_result(j[0])->output_tokens < 200);
    check_int(engine_result(j[1])->output_tokens, 0);
    free(finish(j[2], NULL));
    engine_load(b.e, &load);
    check_int(load.running + load.waiting, 0);
    buf_free(&t);
    engine_job_free(j[0]);
    /* jobs may outlive the engine, and end with it */
    struct engine_ask a = ask_of("Another long story.", &p[0], 1);
    a.max_tokens = 200;
    check_ok(engine_submit(b.e, &a, &j[0], &err), err);
    bed_free(&b);
    free(finish(j[0], NULL));
    engine_job_free(j[1]);
}

static void a_full_queue_says_when_to_come_again(void **state)
{
    enum { N = 12 };
    struct bed b;
    struct err err;
    struct template_part p[N];
    struct engine_job *j[N] = { 0 };
    int busy = 0;
    bed_make(&b, &(struct engine_opts){ .slots = 1, .queue = 6, .queue_account = 3 });
    for (int i = 0; i < N; i++) {
        struct engine_ask a = ask_of("A question that takes a while.", &p[i], 1);
        a.account = i < 8 ? 1 : 2;
        a.max_tokens = 150;
        int rc = engine_submit(b.e, &a, &j[i], &err);
        if (!rc) continue;
        check_int(rc, ERR_BUSY);
        check_has(err.msg, "try again in");
        busy++;
    }
    assert_true(busy >= 3 && busy < N); /* account 1: one runs, three wait */
    for (int i = 0; i < N; i++) engine_job_free(j[i]);
    bed_free(&b);
}

struct order {
    pthread_mutex_t lock;
    int n, who[32];
};
struct waker {
    struct order *o;
    int who;
    atomic_bool told;
};

static void note_first(void *ud)
{
    struct waker *w = ud;
    if (atomic_exchange(&w->told, true)) return;
    pthread_mutex_lock(&w->o->lock);
    w->o->who[w->o->n++] = w->who;
    pthread_mutex_unlock(&w->o->lock);
}

static void a_light_account_is_not_starved(void **state)
{
    enum { HEAVY = 14, N = HEAVY + 2 };
    struct bed b;
    struct err err;
    struct template_part p[N];
    struct engine_job *j[N];
    struct order o = { .n = 0 };
    struct waker w[N];
    pthread_mutex_init(&o.lock, NULL);
    bed_make(&b, &(struct engine_opts){ .slots = 2, .queue_account = 64 });
    for (int i = 0; i < N; i++) {
        struct engine_ask a = ask_of("A question.", &p[i], (uint64_t)i);
        a.account = i < HEAVY ? 7 : 8;
        a.max_tokens = 60;
        w[i] = (struct waker){ .o = &o, .who = (int)a.account };
        a.wake = note_first;
        a.wake_ud = &w[i];
        check_ok(engine_submit(b.e, &a, &j[i], &err), err);
    }
    for (int i = 0; i < N; i++) free(finish(j[i], NULL));
    bed_free(&b);
    int last = 0;
    for (int i = 0; i < o.n; i++)
        if (o.who[i] == 8) last = i;
    check_int(o.n, N);
    if (last > 7) fail_msg("the light account's last answer began as number %d", last + 1);
    pthread_mutex_destroy(&o.lock);
}

static void stops_and_limits(void **state)
{
    struct bed b;
    struct err err;
    struct engine_result r;
    struct engine_job *j;
    struct template_part p;
    bed_make(&b, NULL);
    struct engine_ask a = ask_of("Say something.", &p, 5);
    a.max_tokens = 60;
    char *whole = answer(b.e, &a, &r), part[16] = { 0 };
    size_t n = strlen(whole);
    assert_true(n > 30);
    memcpy(part, whole + n / 2, 6); /* some six bytes of it: tokens are shorter */
    const char *stop[] = { "never said at all", part };
    a.stop = stop;
    a.n_stop = 2;
    char *cut = answer(b.e, &a, &r);
    check_int(r.stop, ENGINE_STOPPED);
    check_int(strlen(cut), (size_t)(strstr(whole, part) - whole));
    assert_true(!strncmp(cut, whole, strlen(cut)));
    free(cut);
    free(whole);
    a.n_stop = 0;
    a.max_tokens = 10000; /* as many as the context holds */
    free(answer(b.e, &a, &r));
    assert_true(r.stop == ENGINE_END || r.prompt_tokens + r.output_tokens == engine_ctx(b.e));
    a.sampling.top_p = 2;
    check_int(engine_submit(b.e, &a, &j, &err), ERR_INVAL);
    check_has(err.msg, "top_p");
    a.sampling.top_p = 1;
    a.parts = NULL;
    a.n_parts = 0;
    check_int(engine_submit(b.e, &a, &j, &err), ERR_INVAL);
    int32_t bad = 1 << 30;
    a.ids = &bad;
    a.n_ids = 1;
    check_int(engine_submit(b.e, &a, &j, &err), ERR_INVAL);
    bed_free(&b);
    tiny_open(&b.m, "llama", NULL);
    check_int(engine_new(b.m.d, NULL, &(struct engine_opts){ .memory = 100 }, &b.e, &err),
              ERR_LIMIT);
    check_has(err.msg, "shorter context");
    assert_null(b.e);
    tiny_close(&b.m);
}

static void old_text_goes_first(void **state)
{
    struct bed b;
    struct engine_result r;
    struct err err;
    struct engine_job *j;
    char text[4][100];
    struct template_part p[6] = { { TEMPLATE_SYSTEM, "Be kind.", 8, false, 0 } };
    bed_make(&b, NULL);
    for (int i = 0; i < 4; i++) {
        memset(text[i], 'a' + i, sizeof text[i]);
        p[i + 1] = (struct template_part){ TEMPLATE_USER, text[i], sizeof text[i], i > 0, i + 1 };
    }
    p[5] = (struct template_part){ TEMPLATE_USER, "Why?", 4, true, 0 };
    struct engine_ask a = { .parts = p, .n_parts = 6, .max_tokens = 20 };
    free(answer(b.e, &a, &r));
    assert_true(r.prompt_tokens + 20 <= 256);
    assert_true(r.dropped_parts > 0 && r.dropped_parts < 4);
    p[0].s = text[0];
    p[0].n = sizeof text[0];
    p[1].drop = p[2].drop = p[3].drop = p[4].drop = 0;
    check_int(engine_submit(b.e, &a, &j, &err), ERR_LIMIT);
    check_has(err.msg, "tokens");
    bed_free(&b);
}

static void answers_by_a_schema(void **state)
{
    static const char schema[] =
        "{\"properties\":{\"mood\":{\"enum\":[\"glad\",\"sad\"]},\"why\":{\"type\":\"string\"},"
        "\"age\":{\"type\":\"integer\",\"minimum\":18}},\"required\":[\"mood\",\"why\",\"age\"]}";
    enum { N = 6 };
    struct bed b;
    struct err err;
    struct template_part p[N];
    struct engine_job *j[N];
    bed_make(&b, &(struct engine_opts){ .slots = 3 });
    for (int i = 0; i < N; i++) {
        struct engine_ask a = ask_of("What are you like?", &p[i], (uint64_t)i / 2);
        a.schema = schema;
        a.n_schema = strlen(schema);
        a.max_tokens = 45 + i / 2 * 30;
        a.no_lookup = i % 2;
        check_ok(engine_submit(b.e, &a, &j[i], &err), err);
    }
    char *last = NULL;
    for (int i = 0; i < N; i++) {
        struct engine_result r;
        char *s = finish(j[i], &r);
        json_t *v = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
        if (!v || json_object_size(v) != 3) fail_msg("not of the schema: %s", s);
        check_int(r.stop, ENGINE_END);
        assert_true(json_integer_value(json_object_get(v, "age")) >= 18);
        json_decref(v);
        if (i % 2) check_str(s, last); /* with guesses and without */
        free(last);
        last = s;
    }
    free(last);
    struct engine_ask a = ask_of("What are you like?", &p[0], 1);
    a.schema = "{\"pattern\":\"x\"}";
    a.n_schema = strlen(a.schema);
    check_int(engine_submit(b.e, &a, &j[0], &err), ERR_INVAL);
    check_has(err.msg, "pattern");
    bed_free(&b);
}

static struct engine *shared;
static void *visitor(void *ud)
{
    for (int i = 0; i < 6; i++) {
        struct template_part p;
        struct engine_job *j;
        struct err err;
        struct buf t = BUF_INIT(0);
        struct engine_ask a = ask_of("Many at once.", &p, (uint64_t)i);
        a.account = (uint64_t)(uintptr_t)ud;
        a.max_tokens = 12;
        if (engine_submit(shared, &a, &j, &err)) continue;
        engine_read(j, &t, 1);
        if (i % 3 == 1) engine_cancel(j);
        else if (i % 3 == 0)
            while (engine_read(j, &t, 50)) {}
        engine_result(j);
        engine_job_free(j);
        buf_free(&t);
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { N = 6 };
    struct bed b;
    struct engine_load load;
    pthread_t t[N];
    bed_make(&b, &(struct engine_opts){ .slots = 3 });
    shared = b.e;
    for (int i = 0; i < N; i++) pthread_create(&t[i], NULL, visitor, (void *)(uintptr_t)i);
    for (int i = 0; i < N; i++) pthread_join(t[i], NULL);
    engine_load(b.e, &load);
    assert_true(load.jobs > 0 && load.jobs <= 36);
    bed_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(same_text_alone_and_in_company),
        cmocka_unit_test(guesses_change_nothing),
        cmocka_unit_test(prefixes_are_reused),
        cmocka_unit_test(answering_allocates_nothing),
        cmocka_unit_test(cancelling_frees_the_slot),
        cmocka_unit_test(a_full_queue_says_when_to_come_again),
        cmocka_unit_test(a_light_account_is_not_starved),
        cmocka_unit_test(stops_and_limits),
        cmocka_unit_test(old_text_goes_first),
        cmocka_unit_test(answers_by_a_schema),
        cmocka_unit_test(many_threads),
    };
    return check_run("model/engine", t);
}
