/* Topics: clusters that are there are found, the same each time and with any number of threads;
 * labels; the document. */
#include "check.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "persona/topics.h"

#include <math.h>

#define DIM 48

static uint64_t rng = 1;

static float noise(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (float)(rng >> 40) / (float)(1 << 24) - 0.5f;
}

struct set {
    struct topic_item *item;
    float *v;
    struct phrase *ph;
    size_t n;
};

/* n items around `groups` directions; each has its group's two phrases, and "today" everywhere. */
static struct set make(size_t n, int groups, float spread)
{
    struct set s = { .n = n };
    s.item = calloc(n, sizeof *s.item);
    s.v = calloc(n * DIM, sizeof *s.v);
    s.ph = calloc(n * 3, sizeof *s.ph);
    rng = 1;
    for (size_t i = 0; i < n; i++) {
        int g = (int)(i * 7 % (size_t)groups);
        float *v = s.v + i * DIM, len = 0;
        struct phrase *p = s.ph + i * 3;
        for (int d = 0; d < DIM; d++) v[d] = (d == g) + spread * noise();
        for (int d = 0; d < DIM; d++) len += v[d] * v[d];
        for (int d = 0; d < DIM; d++) v[d] /= sqrtf(len);
        snprintf(p[0].text, sizeof p[0].text, i % 5 ? "old Boat %c" : "old Boats %c", 'A' + g);
        snprintf(p[1].text, sizeof p[1].text, "harbour%c", 'a' + g);
        snprintf(p[2].text, sizeof p[2].text, "today");
        p[0].key = 100 + (uint64_t)g;
        p[1].key = 200 + (uint64_t)g;
        p[2].key = 1;
        s.item[i] = (struct topic_item){ .vector = v, .phrase = p, .n_phrase = 3 };
    }
    return s;
}

static void drop(struct set *s)
{
    free(s->item);
    free(s->v);
    free(s->ph);
}

static void finds_groups(void **state)
{
    struct err err = { 0 };
    struct set s = make(400, 6, 0.3f);
    struct topics ts;
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_int(ts.n, 6);
    size_t sum = 0;
    for (size_t t = 0; t < ts.n; t++) {
        check_int(ts.t[t].id, t);
        if (t && ts.t[t].chunks > ts.t[t - 1].chunks)
            fail_msg("topic %zu is larger than the one before", t);
        sum += ts.t[t].chunks;
        check_has(ts.t[t].label, "old Boat ");
        check_has(ts.t[t].label, "harbour");
        check_hasnt(ts.t[t].label, "Boats");
        for (size_t u = 0; u < t; u++)
            if (!strcmp(ts.t[t].label, ts.t[u].label))
                fail_msg("two topics are called %s", ts.t[t].label);
        check_near(kernels.dot_f32(ts.t[t].centre, ts.t[t].centre, DIM), 1, 1e-4);
    }
    check_int(sum, s.n);
    for (size_t i = 0; i < s.n; i++) {
        check_int(s.item[i].topic, s.item[i % 6].topic);
        check_int(s.item[i].topic, topics_assign(&ts, s.item[i].vector));
    }
    topics_clear(&ts);
    drop(&s);
}

static void same_for_any_threads(void **state)
{
    struct err err = { 0 };
    struct set s = make(3000, 17, 2.5f);
    struct buf first = { 0 };
    for (int threads = 1; threads <= 4; threads++) {
        struct topics ts;
        struct buf json = { 0 };
        threads_set(threads);
        check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
        check_ok(topics_save(&ts, &json, &err), err);
        if (threads == 1) buf_add(&first, json.p, json.n);
        check_str(buf_str(&json), buf_str(&first));
        topics_clear(&ts);
        buf_free(&json);
    }
    threads_set(0);
    buf_free(&first);
    drop(&s);
}

static void small_and_empty(void **state)
{
    struct err err = { 0 };
    struct topics ts;
    struct set s = make(12, 3, 0.2f);
    check_ok(topics_cluster(NULL, 0, DIM, &ts, &err), err);
    check_int(ts.n, 0);
    check_int(topics_assign(&ts, s.v), -1);
    topics_clear(&ts);
    check_ok(topics_cluster(s.item, 5, DIM, &ts, &err), err);
    check_int(ts.n, 1);
    check_int(ts.t[0].chunks, 5);
    topics_clear(&ts);
    memset(s.v, 0, 12 * DIM * sizeof *s.v);
    check_ok(topics_cluster(s.item, 12, DIM, &ts, &err), err);
    check_int(ts.n, 0);
    check_int(s.item[3].topic, -1);
    topics_clear(&ts);
    drop(&s);
}

static void zero_vectors_stay_out(void **state)
{
    struct err err = { 0 };
    struct set s = make(60, 2, 0.2f);
    struct topics ts;
    memset(s.v + 10 * DIM, 0, DIM * sizeof *s.v);
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_int(s.item[10].topic, -1);
    check_int(topics_assign(&ts, s.item[10].vector), -1);
    check_int(ts.t[0].chunks + ts.t[1].chunks, 59);
    topics_clear(&ts);
    drop(&s);
}

static void alike_is_merged(void **state)
{
    struct err err = { 0 };
    struct set s = make(200, 1, 0.3f);
    struct topics ts;
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_int(ts.n, 1);
    check_int(ts.t[0].chunks, 200);
    topics_clear(&ts);
    drop(&s);
}

static void without_phrases(void **state)
{
    struct err err = { 0 };
    struct set s = make(40, 2, 0.2f);
    struct topics ts;
    for (size_t i = 0; i < s.n; i++) s.item[i].n_phrase = 0;
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_int(ts.n, 2);
    check_str(ts.t[0].label, "topic 1");
    check_str(ts.t[1].label, "topic 2");
    topics_clear(&ts);
    drop(&s);
}

static void many_are_sampled(void **state)
{
    struct err err = { 0 };
    struct set s = make(45000, 5, 0.4f);
    struct topics ts;
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_int(ts.n, 5);
    for (size_t i = 0; i < s.n; i++) check_int(s.item[i].topic, s.item[i % 5].topic);
    topics_clear(&ts);
    drop(&s);
}

static void saves_and_loads(void **state)
{
    struct err err = { 0 };
    struct set s = make(100, 3, 0.5f);
    struct topics ts, back;
    struct buf json = { 0 }, again = { 0 };
    snprintf(s.ph[0].text, sizeof s.ph[0].text, "a \"quoted\" \xC3\xA9");
    check_ok(topics_cluster(s.item, s.n, DIM, &ts, &err), err);
    check_ok(topics_save(&ts, &json, &err), err);
    check_ok(topics_load(json.p, json.n, &back, &err), err);
    check_int(back.n, ts.n);
    check_int(back.dim, DIM);
    for (size_t t = 0; t < ts.n; t++) {
        check_str(back.t[t].label, ts.t[t].label);
        check_int(back.t[t].chunks, ts.t[t].chunks);
        check_int(back.t[t].n_phrases, ts.t[t].n_phrases);
        check_int(memcmp(back.t[t].centre, ts.t[t].centre, DIM * sizeof(float)), 0);
    }
    check_ok(topics_save(&back, &again, &err), err);
    check_str(buf_str(&again), buf_str(&json));
    topics_clear(&back);
    topics_clear(&ts);
    buf_free(&json);
    buf_free(&again);
    drop(&s);
}

static void damage_is_told(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"dim\":2}",
        "{\"dim\":-1,\"topics\":[]}",
        "{\"dim\":2,\"topics\":[1]}",
        "{\"dim\":2,\"topics\":[{\"id\":0,\"label\":\"x\",\"chunks\":1,\"centre\":[1]}]}",
        "{\"dim\":2,\"topics\":[{\"id\":0,\"label\":\"x\",\"chunks\":1,\"centre\":[1,\"a\"]}]}",
        "{\"dim\":2,\"topics\":[{\"id\":7,\"label\":\"x\",\"chunks\":1,\"centre\":[1,0]}]}",
        "{\"dim\":2,\"topics\":[{\"id\":0,\"label\":\"x\",\"chunks\":1,\"centre\":[1e300,0]}]}",
        NULL
    };
    for (int i = 0; bad[i]; i++) {
        struct err err = { 0 };
        struct topics ts;
        check_int(topics_load(bad[i], strlen(bad[i]), &ts, &err), ERR_PARSE);
        check_has(err.msg, "doctor");
        check_int(ts.n, 0);
    }
    struct err err = { 0 };
    struct topics ts;
    static const char good[] = "{\"v\":1,\"dim\":0,\"topics\":[]}";
    check_ok(topics_load(good, sizeof good - 1, &ts, &err), err);
    topics_clear(&ts);
}

static int start(void **state)
{
    struct err err = { 0 };
    check_ok(kernels_init(NULL, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup(finds_groups, start),
        cmocka_unit_test(same_for_any_threads),
        cmocka_unit_test(small_and_empty),
        cmocka_unit_test(zero_vectors_stay_out),
        cmocka_unit_test(alike_is_merged),
        cmocka_unit_test(without_phrases),
        cmocka_unit_test(many_are_sampled),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(damage_is_told),
    };
    return check_run("persona/topics", t);
}
