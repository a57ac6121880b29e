/* The queue: ends, retries, cancelling, fairness, one of a persona, watching, closing, recovery. */
#include "base/str.h"
#include "jobs/jobs.h"
#include "store/place.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

struct world {
    pthread_mutex_t mu;
    pthread_cond_t turn;
    int running, most, begun, open; /* open: gates that may be passed */
    int64_t order[64];              /* jobs as they began */
    int per_persona[8], clash;
    int over[5]; /* by state */
    int fail_times;
    char args[64];
};

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->turn, NULL);
}

static void begin(struct world *w, const struct row_job *j)
{
    pthread_mutex_lock(&w->mu);
    w->order[w->begun++ % 64] = j->id;
    if (++w->running > w->most) w->most = w->running;
    if (j->persona[0] && ++w->per_persona[j->persona[0]] > 1) w->clash++;
    snprintf(w->args, sizeof w->args, "%s", j->args);
    pthread_cond_broadcast(&w->turn);
    pthread_mutex_unlock(&w->mu);
}

static void finish(struct world *w, const struct row_job *j)
{
    pthread_mutex_lock(&w->mu);
    w->running--;
    if (j->persona[0]) w->per_persona[j->persona[0]]--;
    pthread_cond_broadcast(&w->turn);
    pthread_mutex_unlock(&w->mu);
}

static void wait_begun(struct world *w, int n)
{
    pthread_mutex_lock(&w->mu);
    while (w->begun < n) pthread_cond_wait(&w->turn, &w->mu);
    pthread_mutex_unlock(&w->mu);
}

static void open_gates(struct world *w, int n)
{
    pthread_mutex_lock(&w->mu);
    w->open += n;
    pthread_mutex_unlock(&w->mu);
}

/* Runs until it may pass, or is to stop. */
static int run_gate(struct job_run *r, struct err *e)
{
    struct world *w = r->world;
    int rc = 0;
    begin(w, r->job);
    for (uint64_t i = 0; !rc; i++) {
        pthread_mutex_lock(&w->mu);
        bool pass = w->open > 0;
        if (pass) w->open--;
        pthread_mutex_unlock(&w->mu);
        if (pass) break;
        rc = progress_tick(r->progress, "wait", i, 0, "looks");
        usleep(1000);
    }
    if (!rc) buf_adds(r->result, "{\"passed\":true}");
    finish(w, r->job);
    return rc;
}

static int run_fail(struct job_run *r, struct err *e)
{
    return err_set(e, ERR_PARSE, "line 3 of the file is not JSON");
}

static int run_flaky(struct job_run *r, struct err *e)
{
    struct world *w = r->world;
    begin(w, r->job);
    finish(w, r->job);
    if (w->fail_times-- > 0) return err_set(e, ERR_BUSY, "somebody else is writing");
    return 0;
}

static int run_nonsense(struct job_run *r, struct err *e)
{
    buf_adds(r->result, "[1");
    return 0;
}

static void count_over(void *world, const struct row_job *job, enum job_state state)
{
    struct world *w = world;
    pthread_mutex_lock(&w->mu);
    w->over[state]++;
    snprintf(w->args, sizeof w->args, "%s", job->args);
    pthread_cond_broadcast(&w->turn);
    pthread_mutex_unlock(&w->mu);
}

static void wait_over(struct world *w, enum job_state state, int n)
{
    pthread_mutex_lock(&w->mu);
    while (w->over[state] < n) pthread_cond_wait(&w->turn, &w->mu);
    check_int(w->over[state], n);
    pthread_mutex_unlock(&w->mu);
}

static const struct job_kind GATE = { "gate", "waits", run_gate, count_over, 3, 0 };
static const struct job_kind FAIL = { "fail", "fails", run_fail, count_over, 3, 0 };
static const struct job_kind FLAKY = { "flaky", "is busy at first", run_flaky, count_over, 2, 0 };
static const struct job_kind NONSENSE = { "nonsense", "says nonsense", run_nonsense, NULL, 0, 0 };
static const struct job_kind *const KINDS[] = { &GATE, &FAIL, &FLAKY, &NONSENSE, NULL };

static int64_t submit(struct jobs *q, const char *kind, int64_t account, int persona)
{
    uint8_t uid[VAULT_UID] = { (uint8_t)persona };
    int64_t id = 0;
    check_ok(jobs_submit(q,
                         &(struct job_ask){ .kind = kind,
                                            .account = account,
                                            .persona = persona ? uid : NULL,
                                            .args = "{\"file\":\"medlar\"}" },
                         &id, &err),
             err);
    return id;
}

static struct seen_job wait_for(struct jobs *q, int64_t id)
{
    check_ok(jobs_wait(q, id, -1, &err), err);
    return job_at(jobs_service(q), id);
}

static void ends(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    struct seen_job s;
    struct job_ask ask = { .kind = "unknown" };
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 2, &q, &err), err);
    check_int(jobs_submit(q, &ask, NULL, &err), ERR_INVAL);
    ask = (struct job_ask){ .kind = "gate", .args = "[]" };
    check_int(jobs_submit(q, &ask, NULL, &err), ERR_INVAL);
    open_gates(&w, 1);
    s = wait_for(q, submit(q, "gate", 1, 1));
    check_int(s.r.state, JOB_DONE);
    check_str(s.result, "{\"passed\":true}");
    check_int(s.r.attempts, 1);
    s = wait_for(q, submit(q, "fail", 1, 1));
    check_int(s.r.state, JOB_FAILED);
    check_has(s.result, "\"PARSE\"");
    check_has(s.result, "line 3");
    check_int(s.r.attempts, 1); /* no use in trying again */
    s = wait_for(q, submit(q, "nonsense", 1, 1));
    check_int(s.r.state, JOB_FAILED);
    check_has(s.result, "INTERNAL");
    wait_over(&w, JOB_FAILED, 1);
    wait_over(&w, JOB_DONE, 1);
    check_str(w.args, "{\"file\":\"medlar\"}");
    check_int(jobs_wait(q, 999, 0, &err), ERR_NOTFOUND);
    jobs_close(q);
    place_done(&p);
}

static void busy_is_tried_again(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    struct seen_job s;
    place_make(&p);
    service_clock(p.sv, test_now);
    world_init(&w);
    w.fail_times = 1;
    int64_t due = test_time + 2;
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    int64_t id = submit(q, "flaky", 1, 1);
    wait_begun(&w, 1);
    while ((s = job_at(p.sv, id)).r.state != JOB_WAITING) usleep(1000);
    check_int(s.r.run_at, due);
    check_int(jobs_wait(q, id, 0, &err), ERR_BUSY);
    jobs_close(q); /* nobody reads the clock while it is moved */
    test_time += 2;
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    s = wait_for(q, id);
    check_int(s.r.state, JOB_DONE);
    check_int(s.r.attempts, 2);
    check_str(s.result, "{}");
    jobs_close(q);
    /* As often as its kind says, and no more. */
    w.fail_times = 2;
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    id = submit(q, "flaky", 1, 1);
    wait_begun(&w, 3);
    while (job_at(p.sv, id).r.state != JOB_WAITING) usleep(1000);
    jobs_close(q);
    test_time += 2;
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    s = wait_for(q, id);
    check_int(s.r.state, JOB_FAILED);
    check_has(s.result, "BUSY");
    jobs_close(q);
    place_done(&p);
}

static void cancelled_waiting_and_running(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q, *other;
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    int64_t a = submit(q, "gate", 1, 1), b = submit(q, "gate", 1, 1), c = submit(q, "gate", 1, 2);
    wait_begun(&w, 1);
    check_ok(jobs_cancel(q, b, &err), err);
    check_int(job_at(p.sv, b).r.state, JOB_CANCELLED);
    wait_over(&w, JOB_CANCELLED, 1);
    check_str(w.args, "{\"file\":\"medlar\"}");
    check_ok(jobs_cancel(q, a, &err), err);
    check_int(wait_for(q, a).r.state, JOB_CANCELLED);
    wait_over(&w, JOB_CANCELLED, 2);
    check_ok(jobs_cancel(q, a, &err), err); /* over: nothing */
    check_int(jobs_cancel(q, 999, &err), ERR_NOTFOUND);
    /* By another queue, as of another process. */
    struct service *sv;
    wait_begun(&w, 2);
    check_ok(service_open(p.home, p.v, &sv, &err), err);
    check_ok(jobs_open(sv, NULL, NULL, 0, &other, &err), err);
    check_ok(jobs_cancel(other, c, &err), err);
    check_int(wait_for(other, c).r.state, JOB_CANCELLED);
    wait_over(&w, JOB_CANCELLED, 3);
    int64_t d = submit(q, "gate", 1, 1), e = submit(q, "gate", 1, 1);
    wait_begun(&w, 3);
    check_ok(jobs_cancel(other, e, &err), err); /* waiting: what it kept goes in our process */
    wait_over(&w, JOB_CANCELLED, 4);
    while (*job_at(p.sv, e).args) usleep(1000);
    check_ok(jobs_cancel(other, d, &err), err);
    wait_over(&w, JOB_CANCELLED, 5);
    jobs_close(other);
    service_close(sv);
    jobs_close(q);
    place_done(&p);
}

static void fair_and_one_of_a_persona(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    int64_t last = 0;
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 0, &q, &err), err);
    for (int i = 0; i < 6; i++) submit(q, "gate", 1, 1 + i % 3); /* much work of one account */
    int64_t other = submit(q, "gate", 2, 5);
    jobs_close(q);
    check_ok(jobs_open(p.sv, KINDS, &w, 3, &q, &err), err);
    wait_begun(&w, 3);
    pthread_mutex_lock(&w.mu);
    bool early = w.order[0] == other || w.order[1] == other || w.order[2] == other;
    pthread_mutex_unlock(&w.mu);
    assert_true(early); /* claimed second, though it came last */
    open_gates(&w, 20);
    for (int i = 0; i < 6; i++) last = submit(q, "gate", 1, 1);
    check_int(wait_for(q, last).r.state, JOB_DONE);
    wait_over(&w, JOB_DONE, 13);
    check_int(w.clash, 0);
    assert_true(w.most > 1);
    jobs_close(q);
    place_done(&p);
}

/* ---- watching ---- */

struct watch {
    pthread_mutex_t mu;
    pthread_cond_t turn;
    int rows, states, overs;
    enum job_state last;
    int64_t last_id;
    bool progress;
    struct jobs *q;
    struct jobs_watch *w;
};

static void watch_init(struct watch *w)
{
    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->turn, NULL);
}

static void on_change(void *ud, const struct row_job *r)
{
    struct watch *w = ud;
    pthread_mutex_lock(&w->mu);
    if (!r) w->states++;
    else {
        w->rows++;
        w->last = r->state;
        w->last_id = r->id;
        w->progress |= r->state == JOB_RUNNING && !strcmp(r->stage, "wait");
        if (w->w && job_is_over(r->state)) jobs_watch_end(w->q, w->w);
    }
    pthread_cond_broadcast(&w->turn);
    pthread_mutex_unlock(&w->mu);
}

static void on_over(void *ud)
{
    struct watch *w = ud;
    pthread_mutex_lock(&w->mu);
    w->overs++;
    pthread_cond_broadcast(&w->turn);
    pthread_mutex_unlock(&w->mu);
}

#define WAIT_UNTIL(w, what)                                                                        \
    do {                                                                                           \
        pthread_mutex_lock(&(w)->mu);                                                              \
        while (!(what)) pthread_cond_wait(&(w)->turn, &(w)->mu);                                   \
        pthread_mutex_unlock(&(w)->mu);                                                            \
    } while (0)

static void watching(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    struct watch one, all, mine, theirs;
    struct jobs_watch *w1, *w2, *w3;
    place_make(&p);
    world_init(&w);
    watch_init(&one), watch_init(&all), watch_init(&mine), watch_init(&theirs);
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    int64_t id = submit(q, "gate", 4, 1);
    check_ok(jobs_watch(q, id, 4, on_change, &one, &w1, &err), err);
    check_ok(jobs_watch(q, 0, -1, on_change, &all, &w2, &err), err);
    check_ok(jobs_watch(q, 0, 4, on_change, &mine, &w3, &err), err);
    theirs.q = q;
    check_ok(jobs_watch_new(q, 0, 5, on_change, on_over, &theirs, &theirs.w, &err), err);
    jobs_watch_begin(q, theirs.w);
    WAIT_UNTIL(&one, one.states == 1 && one.rows >= 1);
    WAIT_UNTIL(&mine, mine.states == 1 && mine.rows >= 1);
    WAIT_UNTIL(&theirs, theirs.states == 1 && theirs.rows == 0); /* only the state: nothing */
    WAIT_UNTIL(&one, one.progress);
    open_gates(&w, 1);
    WAIT_UNTIL(&one, one.last == JOB_DONE);
    WAIT_UNTIL(&all, all.last == JOB_DONE && all.last_id == id);
    WAIT_UNTIL(&mine, mine.last == JOB_DONE);
    jobs_unwatch(q, w1);
    one.rows = 0;
    int64_t next = submit(q, "fail", 5, 1);
    WAIT_UNTIL(&all, all.last == JOB_FAILED && all.last_id == next);
    WAIT_UNTIL(&theirs, theirs.overs == 1); /* ended itself, from its own callback */
    check_int(theirs.last, JOB_FAILED);
    check_int(one.rows, 0);
    check_int(mine.last_id, id);
    jobs_unwatch(q, w2);
    jobs_unwatch(q, w3);
    /* One that is ended before it began is told nothing; one that is left is ended by closing. */
    struct watch early, left;
    watch_init(&early), watch_init(&left);
    check_ok(jobs_watch_new(q, 0, 4, on_change, on_over, &early, &w1, &err), err);
    jobs_watch_end(q, w1);
    jobs_watch_end(q, w1);
    jobs_watch_begin(q, w1);
    WAIT_UNTIL(&early, early.overs == 1);
    check_int(early.states, 0);
    check_ok(jobs_watch_new(q, 0, 4, on_change, on_over, &left, &w1, &err), err);
    jobs_watch_begin(q, w1);
    jobs_close(q);
    check_int(left.overs, 1);
    for (int i = 2; i < 40; i++) { /* whether or not its turn had come */
        check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
        check_ok(jobs_watch_new(q, 0, 4, on_change, on_over, &left, &w1, &err), err);
        jobs_watch_begin(q, w1);
        jobs_close(q);
        check_int(left.overs, i);
    }
    place_done(&p);
}

/* Many watchers, while jobs run and watchers come and go. */
static void many_watchers(void **state)
{
    enum { N = 500 };
    static struct watch each[N];
    static struct jobs_watch *h[N];
    struct place p;
    struct world w;
    struct jobs *q;
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 2, &q, &err), err);
    for (int i = 0; i < N; i++) {
        watch_init(&each[i]);
        check_ok(jobs_watch(q, 0, 1 + i % 50, on_change, &each[i], &h[i], &err), err);
    }
    open_gates(&w, 50);
    for (int i = 0; i < 50; i++) submit(q, "gate", 1 + i, 1 + i % 7);
    for (int i = 0; i < N; i++) {
        WAIT_UNTIL(&each[i], each[i].last == JOB_DONE);
        jobs_unwatch(q, h[i]);
        check_int(each[i].states, 1);
    }
    jobs_close(q);
    place_done(&p);
}

/* ---- closing, other processes, killed ones ---- */

static void closing_costs_no_attempt(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    int64_t id = submit(q, "gate", 1, 1);
    wait_begun(&w, 1);
    jobs_close(q);
    check_int(job_at(p.sv, id).r.state, JOB_WAITING);
    check_int(job_at(p.sv, id).r.attempts, 0);
    open_gates(&w, 1);
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    check_int(wait_for(q, id).r.attempts, 1);
    jobs_close(q);
    place_done(&p);
}

/* Put in by another process, while this one's worker idles. */
static void submitted_elsewhere(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    struct watch all;
    struct jobs_watch *h;
    int status, to[2];
    char c = 'g';
    place_make(&p);
    world_init(&w);
    watch_init(&all);
    assert_int_equal(pipe(to), 0);
    pid_t pid = fork(); /* before there are threads */
    if (!pid) {
        struct service *sv;
        struct jobs *child;
        if (read(to[0], &c, 1) != 1 || service_open(p.home, p.v, &sv, NULL)) _exit(1);
        if (jobs_open(sv, NULL, NULL, 0, &child, NULL)) _exit(2);
        if (jobs_submit(child, &(struct job_ask){ .kind = "gate", .account = 3 }, NULL, NULL))
            _exit(3);
        jobs_close(child);
        service_close(sv);
        _exit(0);
    }
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    check_ok(jobs_watch(q, 0, 3, on_change, &all, &h, &err), err);
    open_gates(&w, 1);
    assert_int_equal(write(to[1], &c, 1), 1);
    waitpid(pid, &status, 0);
    check_int(WEXITSTATUS(status), 0);
    WAIT_UNTIL(&all, all.last == JOB_DONE);
    jobs_unwatch(q, h);
    jobs_close(q);
    place_done(&p);
}

static int run_die(struct job_run *r, struct err *e)
{
    kill(getpid(), SIGKILL);
    return 0;
}
static const struct job_kind DIE = { "gate", "kills its process", run_die, NULL, 1, 0 };
static const struct job_kind *const DEADLY[] = { &DIE, NULL };

/* A worker process that is killed: the job is taken up by the next, also of a kind that is tried
 * only once; one that kills whoever runs it is given up in the end. */
static void killed_worker(void **state)
{
    struct place p;
    struct world w;
    struct jobs *q;
    struct seen_job s;
    int status;
    place_make(&p);
    world_init(&w);
    check_ok(jobs_open(p.sv, KINDS, &w, 0, &q, &err), err);
    int64_t id = submit(q, "gate", 1, 1);
    jobs_close(q);
    service_close(p.sv);
    for (int i = 1; i <= 10; i++) {
        pid_t pid = fork();
        if (!pid) {
            struct service *sv;
            if (service_open(p.home, p.v, &sv, NULL)) _exit(1);
            service_clock(sv, test_now);
            test_time = clock_now() + 1000L * i;
            if (service_jobs_recover(sv, NULL)) _exit(2);
            test_time += 100;
            if (jobs_open(sv, DEADLY, NULL, 1, &q, NULL)) _exit(3);
            jobs_wait(q, id, -1, NULL);
            _exit(4);
        }
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    check_ok(service_open(p.home, p.v, &p.sv, &err), err);
    s = job_at(p.sv, id);
    check_int(s.r.state, JOB_RUNNING);
    check_int(s.r.attempts, 10);
    test_time = clock_now() + 20000;
    service_clock(p.sv, test_now);
    check_ok(service_jobs_recover(p.sv, &err), err);
    test_time += 100;
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    s = wait_for(q, id);
    check_int(s.r.state, JOB_FAILED);
    check_has(s.result, "given up");
    check_int(w.begun, 0);
    wait_over(&w, JOB_FAILED, 1);
    jobs_close(q);
    check_str(job_at(p.sv, id).args, "");
    /* Killed between the end and what comes after it: the next start does that. */
    int64_t claimed, ended = add_job(p.sv, 1, 1, "gate", 0);
    int wait;
    check_ok(service_job_claim(p.sv, "gate", 77, 30, &claimed, &wait, &err), err);
    check_ok(service_job_end(p.sv, ended, 77, JOB_DONE, 0, "{}", 2, &err), err);
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    wait_over(&w, JOB_DONE, 1);
    jobs_close(q);
    test_time += 40L * 86400; /* long over: gone at the next start */
    check_ok(jobs_open(p.sv, KINDS, &w, 1, &q, &err), err);
    while (peek(&p, "SELECT count(*) FROM job")) usleep(1000);
    jobs_close(q);
    place_done(&p);
}

/* ---- JSON ---- */

static void as_json(void **state)
{
    struct row_job r = { .id = 7,
                         .account = 1,
                         .kind = "ingest",
                         .state = JOB_RUNNING,
                         .created_at = 0,
                         .started_at = 60,
                         .finished_at = CLOCK_NONE,
                         .stage = "read",
                         .done = 3,
                         .total = 0,
                         .unit = "bytes",
                         .args = "",
                         .result = "" };
    json_t *j = job_json(&r), *pr = json_object_get(j, "progress");
    check_int(json_integer_value(json_object_get(j, "id")), 7);
    check_str(json_string_value(json_object_get(j, "state")), "running");
    check_str(json_string_value(json_object_get(j, "created_at")), "1970-01-01T00:00:00Z");
    assert_true(json_is_null(json_object_get(j, "finished_at")));
    assert_true(json_is_null(json_object_get(j, "persona")));
    check_int(json_integer_value(json_object_get(pr, "done")), 3);
    assert_true(json_is_null(json_object_get(pr, "total")));
    assert_null(json_object_get(j, "args"));
    json_decref(j);
    r.state = JOB_FAILED;
    r.result = "{\"error\":{\"code\":\"IO\",\"message\":\"m\"}}";
    r.result_n = strlen(r.result);
    r.persona[15] = 0xab;
    j = job_json(&r);
    check_str(json_string_value(json_object_get(j, "persona")), "000000000000000000000000000000ab");
    check_str(json_string_value(json_object_get(json_object_get(j, "error"), "code")), "IO");
    assert_null(json_object_get(j, "progress"));
    json_decref(j);
    r.state = JOB_DONE;
    r.result = "{\"n\":1}";
    r.result_n = 7;
    j = job_json(&r);
    check_int(json_integer_value(json_object_get(json_object_get(j, "result"), "n")), 1);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(busy_is_tried_again),
        cmocka_unit_test(cancelled_waiting_and_running),
        cmocka_unit_test(fair_and_one_of_a_persona),
        cmocka_unit_test(watching),
        cmocka_unit_test(many_watchers),
        cmocka_unit_test(closing_costs_no_attempt),
        cmocka_unit_test(submitted_elsewhere),
        cmocka_unit_test(killed_worker),
        cmocka_unit_test(as_json),
    };
    return check_run("jobs/jobs", t);
}
