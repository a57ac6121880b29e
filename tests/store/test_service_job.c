/* Rows of jobs: put, claimed fairly, kept by beats, ended, cancelled, taken over. */
#include "place.h"

#define ALL "ingest,embed"

static int64_t claim(struct service *sv, int64_t worker)
{
    int64_t id;
    int wait;
    check_ok(service_job_claim(sv, ALL, worker, 30, &id, &wait, &err), err);
    return id;
}

static int wait_of(struct service *sv)
{
    int64_t id;
    int wait;
    check_ok(service_job_claim(sv, ALL, 1, 30, &id, &wait, &err), err);
    check_int(id, 0);
    return wait;
}

static void end(struct service *sv, int64_t id, int64_t worker, enum job_state state)
{
    check_ok(service_job_end(sv, id, worker, state, test_time, "{\"n\":1}", 7, &err), err);
}

static void put_and_look(void **state)
{
    struct place p;
    struct seen_job s = { 0 };
    uint8_t x[VAULT_UID] = { 3 };
    uint64_t n[5];
    place_make(&p);
    int64_t before = service_jobs_version(p.sv), a = add_job(p.sv, 1, 3, "ingest", 2);
    assert_true(service_jobs_version(p.sv) > before);
    s = job_at(p.sv, a);
    check_str(s.args, "{\"file\":\"saxifrage\"}");
    check_str(s.result, "");
    check_str(s.r.kind, "ingest");
    check_int(s.r.state, JOB_WAITING);
    check_int(s.r.priority, 2);
    check_int(s.r.started_at, CLOCK_NONE);
    check_int(service_job_get(p.sv, a + 1, see_job, &s, &err), ERR_NOTFOUND);
    int64_t b = add_job(p.sv, 2, 4, "embed", 0), c = add_job(p.sv, 1, 3, "embed", 0);
    s.n = 0;
    check_ok(service_job_each(p.sv, 1, NULL, false, 0, 10, see_job, &s, &err), err);
    check_int(s.n, 2);
    check_int(s.r.id, a);
    s.n = 0;
    check_ok(service_job_each(p.sv, -1, x, true, c, 10, see_job, &s, &err), err);
    check_int(s.n, 1);
    s.n = 0;
    check_ok(service_job_each(p.sv, -1, NULL, false, 0, 2, see_job, &s, &err), err);
    check_int(s.n, 2);
    check_int(s.r.id, b);
    s.n = 0;
    check_ok(service_jobs_since(p.sv, s.r.version, see_job, &s, &err), err);
    check_int(s.n, 1);
    check_int(s.r.id, c);
    check_int(s.r.version, service_jobs_version(p.sv));
    check_ok(service_job_counts(p.sv, n, &err), err);
    check_int(n[JOB_WAITING], 3);
    check_int(n[JOB_DONE], 0);
    place_done(&p);
}

static void once_and_limits(void **state)
{
    struct place p;
    struct row_job r = { .account = 1, .kind = "embed", .args = "{}", .args_n = 2 }, s = r;
    place_make(&p);
    check_ok(service_job_put(p.sv, &r, true, 2, &err), err);
    check_ok(service_job_put(p.sv, &s, true, 1, &err), err); /* nothing is added: no limit */
    check_int(s.id, r.id);
    s.id = 0;
    check_ok(service_job_put(p.sv, &s, false, 2, &err), err);
    assert_true(s.id != r.id);
    s.id = 0;
    check_int(service_job_put(p.sv, &s, false, 2, &err), ERR_LIMIT);
    s.account = 2;
    check_ok(service_job_put(p.sv, &s, false, 2, &err), err);
    /* A running one is not waiting: what comes in meanwhile needs another. */
    while (claim(p.sv, 5)) continue;
    int64_t had = s.id;
    s.account = 1;
    s.id = 0;
    check_ok(service_job_put(p.sv, &s, true, 2, &err), err);
    assert_true(s.id > had);
    place_done(&p);
}

static void fair_between_accounts(void **state)
{
    struct place p;
    int64_t a[4], b, c;
    place_make(&p);
    for (int i = 0; i < 4; i++) a[i] = add_job(p.sv, 1, 10 + i, "ingest", 5);
    b = add_job(p.sv, 2, 20, "ingest", 0);
    c = add_job(p.sv, 1, 15, "ingest", 9);
    check_int(claim(p.sv, 1), c); /* none runs: priority */
    check_int(claim(p.sv, 2), b); /* 2 has none running, 1 has one: whatever the priority */
    check_int(claim(p.sv, 3), a[0]);
    end(p.sv, b, 2, JOB_DONE);
    int64_t b2 = add_job(p.sv, 2, 20, "ingest", -3);
    check_int(claim(p.sv, 2), b2);
    check_int(claim(p.sv, 4), a[1]);
    place_done(&p);
}

static void one_of_a_persona(void **state)
{
    struct place p;
    place_make(&p);
    int64_t a = add_job(p.sv, 1, 7, "ingest", 0), b = add_job(p.sv, 2, 7, "ingest", 9),
            c = add_job(p.sv, 1, 0, "embed", 0), d = add_job(p.sv, 2, 0, "embed", 0);
    check_int(claim(p.sv, 1), b);
    check_int(claim(p.sv, 2), c); /* of no persona */
    check_int(claim(p.sv, 3), d); /* any number of those run */
    check_int(wait_of(p.sv), 30); /* until a lease runs out */
    end(p.sv, b, 1, JOB_FAILED);
    check_int(claim(p.sv, 1), a);
    place_done(&p);
}

static void kinds_it_knows(void **state)
{
    struct place p;
    int64_t id;
    int wait;
    place_make(&p);
    int64_t a = add_job(p.sv, 1, 1, "embed", 0);
    check_ok(service_job_claim(p.sv, "bed,ingest,embedded", 1, 30, &id, &wait, &err), err);
    check_int(id, 0);
    check_int(wait, 60);
    check_ok(service_job_claim(p.sv, "ingest,embed", 1, 30, &id, &wait, &err), err);
    check_int(id, a);
    place_done(&p);
}

static void beats_and_ends(void **state)
{
    struct place p;
    struct seen_job s;
    bool cancel;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t a = add_job(p.sv, 1, 1, "ingest", 0);
    check_int(claim(p.sv, 5), a);
    check_int(job_at(p.sv, a).r.attempts, 1);
    check_int(service_job_beat(p.sv, a, 6, 30, "read", 1, 2, "bytes", &cancel, &err), ERR_NOTFOUND);
    check_ok(service_job_beat(p.sv, a, 5, 30, "read", 1, 2, "bytes", &cancel, &err), err);
    check_int(cancel, 0);
    s = job_at(p.sv, a);
    check_str(s.r.stage, "read");
    check_str(s.r.unit, "bytes");
    check_int(s.r.done * 10 + s.r.total, 12);
    int64_t v = service_jobs_version(p.sv);
    test_time += 25;
    check_ok(service_job_beat(p.sv, a, 5, 30, NULL, 0, 0, NULL, &cancel, &err), err);
    check_int(service_jobs_version(p.sv), v); /* only the lease */
    test_time += 25;
    check_int(claim(p.sv, 6), 0);
    check_int(service_job_end(p.sv, a, 6, JOB_DONE, 0, "{}", 2, &err), ERR_NOTFOUND);
    end(p.sv, a, 5, JOB_DONE);
    s = job_at(p.sv, a);
    check_str(s.result, "{\"n\":1}");
    check_str(s.args, "{\"file\":\"saxifrage\"}"); /* for who takes away what it had kept */
    s.n = 0;
    check_ok(service_jobs_unsettled(p.sv, see_job, &s, &err), err);
    check_int(s.n, 1);
    check_ok(service_job_settled(p.sv, a, &err), err);
    s.n = 0;
    check_ok(service_jobs_unsettled(p.sv, see_job, &s, &err), err);
    check_int(s.n, 0);
    s = job_at(p.sv, a);
    check_str(s.args, "");
    check_int(s.r.state, JOB_DONE);
    check_int(s.r.finished_at, test_time);
    check_int(service_job_end(p.sv, a, 5, JOB_FAILED, 0, "{}", 2, &err), ERR_NOTFOUND);
    check_ok(service_jobs_tidy(p.sv, test_time, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM job"), 1);
    check_ok(service_jobs_tidy(p.sv, test_time + 1, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM job"), 0);
    place_done(&p);
}

static void again_later(void **state)
{
    struct place p;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t a = add_job(p.sv, 1, 1, "ingest", 0);
    check_int(claim(p.sv, 5), a);
    check_ok(service_job_end(p.sv, a, 5, JOB_WAITING, test_time + 8, NULL, 0, &err), err);
    check_int(wait_of(p.sv), 8);
    check_str(job_at(p.sv, a).args, "{\"file\":\"saxifrage\"}");
    test_time += 8;
    check_int(claim(p.sv, 5), a);
    check_int(job_at(p.sv, a).r.attempts, 2);
    check_ok(service_job_release(p.sv, a, 5, &err), err);
    check_int(service_job_release(p.sv, a, 5, &err), ERR_NOTFOUND);
    check_int(job_at(p.sv, a).r.attempts, 1);
    check_int(claim(p.sv, 6), a);
    place_done(&p);
}

static void leases_run_out(void **state)
{
    struct place p;
    bool cancel;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t a = add_job(p.sv, 1, 1, "ingest", 0), b = add_job(p.sv, 2, 1, "ingest", 0);
    check_int(claim(p.sv, 5), a);
    test_time += 30;
    check_int(claim(p.sv, 6), b); /* a waits its two seconds */
    check_int(service_job_beat(p.sv, a, 5, 30, NULL, 0, 0, NULL, &cancel, &err), ERR_NOTFOUND);
    end(p.sv, b, 6, JOB_DONE);
    check_int(wait_of(p.sv), 2);
    test_time += 2;
    check_int(claim(p.sv, 6), a);
    check_int(job_at(p.sv, a).r.attempts, 2);
    test_time += 30;
    check_int(wait_of(p.sv), 8);
    place_done(&p);
}

/* Nobody else can be left: at once, but not in a circle for ever. */
static void recovered_at_start(void **state)
{
    struct place p;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t a = add_job(p.sv, 1, 1, "ingest", 0);
    for (int i = 1; i <= 3; i++) {
        check_int(claim(p.sv, i), a);
        check_ok(service_jobs_recover(p.sv, &err), err);
        check_int(job_at(p.sv, a).r.attempts, i);
    }
    check_int(wait_of(p.sv), 2);
    test_time += 2;
    check_int(claim(p.sv, 9), a);
    place_done(&p);
}

static void cancelling(void **state)
{
    struct place p;
    struct seen_job s;
    bool cancel = false, at_once;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t a = add_job(p.sv, 1, 1, "ingest", 0), b = add_job(p.sv, 1, 2, "ingest", 0);
    check_int(claim(p.sv, 5), a);
    check_ok(service_job_cancel(p.sv, a, &at_once, &err), err);
    check_int(at_once, 0);
    check_ok(service_job_cancel(p.sv, b, &at_once, &err), err);
    check_int(at_once, 1);
    check_ok(service_job_cancel(p.sv, b, &at_once, &err), err);
    check_int(at_once, 0);
    check_int(service_job_cancel(p.sv, 99, NULL, &err), ERR_NOTFOUND);
    s = job_at(p.sv, b);
    check_int(s.r.state, JOB_CANCELLED);
    check_ok(service_job_beat(p.sv, a, 5, 30, NULL, 0, 0, NULL, &cancel, &err), err);
    check_int(cancel, 1);
    /* Its worker dies: the next one is told to end it, at once. */
    test_time += 30;
    check_int(claim(p.sv, 6), a);
    check_int(job_at(p.sv, a).r.cancel, 1);
    end(p.sv, a, 6, JOB_CANCELLED);
    check_int(job_at(p.sv, a).r.state, JOB_CANCELLED);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(put_and_look),          cmocka_unit_test(once_and_limits),
        cmocka_unit_test(fair_between_accounts), cmocka_unit_test(one_of_a_persona),
        cmocka_unit_test(kinds_it_knows),        cmocka_unit_test(beats_and_ends),
        cmocka_unit_test(again_later),           cmocka_unit_test(leases_run_out),
        cmocka_unit_test(recovered_at_start),    cmocka_unit_test(cancelling),
    };
    return check_run("store/service_job", t);
}
