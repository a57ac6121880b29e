/* What goes wrong around service.db: strangers who read or edit the file, other versions, several
 * processes at once, full and read-only disks, kill -9. */
#include "place.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int count_accounts(void *ud, const struct row_account *r)
{
    ++*(int *)ud;
    return 0;
}

static int count_jobs(void *ud, const struct row_job *r)
{
    ++*(int *)ud;
    return 0;
}

/* One row of each kind, each with a word that must not be in the file. */
static int64_t fill(struct service *sv)
{
    uint8_t token[SERVICE_DIGEST] = { 7 }, persona[VAULT_UID] = { 9 };
    struct row_account acc = { .mail_digest = { 1 }, .body = "celandine", .body_n = 9 };
    check_ok(service_account_put(sv, &acc, &err), err);
    int64_t ann = acc.id, job = add_job(sv, ann, 9, "ingest", 0), got;
    struct row_session s = { .account = ann, .expires_at = 9e9, .body = "hellebore", .body_n = 9 };
    struct row_apikey k = { .account = ann, .body = "campion", .body_n = 7 };
    struct row_audit a = { .account = ann, .action = "persona.prompt", .body = "bryony" };
    int wait;
    a.body_n = 6;
    check_ok(service_note_put(sv, "remote.voice", "gentian", 7, &err), err);
    check_ok(service_session_new(sv, &s, token, &err), err);
    check_ok(service_apikey_put(sv, &k, &err), err);
    check_ok(service_grant_put(sv, persona, ann, LEVEL_OWNER, &err), err);
    check_ok(service_audit_put(sv, &a, true, &err), err);
    add_job(sv, ann, 10, "ingest", 0);
    check_ok(service_job_claim(sv, "ingest", 1, 30, &got, &wait, &err), err);
    check_int(got, job);
    check_ok(service_job_end(sv, job, 1, JOB_DONE, 0, "{\"r\":\"medlar\"}", 14, &err), err);
    return ann;
}

static void hold_none(const char *path)
{
    static const char *const words[] = { "celandine", "hellebore", "campion",  "bryony",
                                         "gentian",   "medlar",    "saxifrage" };
    struct buf b = BUF_INIT(0);
    check_ok(io_read_file(path, 1 << 24, &b, &err), err);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(b.p, b.n, words[i], strlen(words[i]))) fail_msg("%s holds %s", path, words[i]);
    buf_free(&b);
}

static void nothing_is_plain(void **state)
{
    struct place p;
    char wal[400];
    place_make(&p);
    fill(p.sv);
    snprintf(wal, sizeof wal, "%s-wal", p.db);
    hold_none(wal);
    service_close(p.sv);
    p.sv = NULL;
    hold_none(p.db);
    place_done(&p);
}

/* ---- damage ---- */

struct said {
    int problems;
    char last[640];
};

static void note_said(void *ud, bool problem, const char *text)
{
    struct said *s = ud;
    s->problems += problem;
    snprintf(s->last, sizeof s->last, "%s", text);
}

static void checked(void **state)
{
    struct place p;
    struct said s = { 0 };
    uint64_t rows = 0;
    place_make(&p);
    fill(p.sv);
    check_ok(service_check(p.sv, note_said, &s, &rows, &err), err);
    check_int(s.problems, 0);
    check_int(rows, 8);
    meddle(&p, "UPDATE account SET disabled=1");
    meddle(&p, "UPDATE job SET account=account+1 WHERE state=1 OR state=2");
    meddle(&p, "UPDATE audit SET persona=zeroblob(16), status=404");
    meddle(&p, "UPDATE session SET body=zeroblob(60)");
    meddle(&p, "UPDATE apikey SET created_at=0");
    meddle(&p, "UPDATE note SET name='remote.embed'");
    check_ok(service_check(p.sv, note_said, &s, &rows, &err), err);
    check_int(s.problems, 6);
    check_has(s.last, "audit");
    check_int(rows, 2);
    meddle(&p, "PRAGMA foreign_keys=OFF; DELETE FROM account");
    s.problems = 0;
    check_ok(service_check(p.sv, note_said, &s, &rows, &err), err);
    assert_true(s.problems > 5);
    place_done(&p);
}

static void damaged_rows_hide_no_others(void **state)
{
    struct place p;
    struct seen_job s = { 0 };
    int n = 0;
    place_make(&p);
    int64_t a = add_account(p.sv, "ann"), b = add_account(p.sv, "bob");
    int64_t x = add_job(p.sv, a, 1, "ingest", 0), y = add_job(p.sv, b, 2, "ingest", 0);
    meddle(
        &p,
        "UPDATE account SET body=CAST(substr(body, 1, length(body)-1)||x'00' AS BLOB) WHERE id=1");
    meddle(&p, "UPDATE job SET args=zeroblob(length(args)) WHERE id=1");
    check_int(service_account_get(p.sv, a, NULL, NULL, count_accounts, &n, &err), ERR_SEAL);
    check_has(err.msg, "account");
    check_hasnt(err.msg, "ann");
    check_ok(service_account_get(p.sv, b, NULL, NULL, count_accounts, &n, &err), err);
    n = 0;
    check_ok(service_account_each(p.sv, count_accounts, &n, &err), err);
    check_int(n, 1);
    assert_true(service_job_get(p.sv, x, see_job, &s, &err) < 0);
    check_ok(service_job_each(p.sv, -1, NULL, false, 0, 10, see_job, &s, &err), err);
    check_int(s.n, 1);
    check_int(s.r.id, y);
    place_done(&p);
}

/* ---- other versions, other vaults ---- */

static void other_files(void **state)
{
    struct place p, q;
    struct buf b = BUF_INIT(0);
    struct service *sv;
    place_make(&p);
    place_make(&q);
    service_close(p.sv);
    p.sv = NULL;
    meddle(&p, "PRAGMA user_version=99");
    check_int(service_open(p.home, p.v, &sv, &err), ERR_VERSION);
    check_has(err.msg, "service.db");
    check_has(err.msg, "update the program");
    assert_null(sv);
    meddle(&p, "PRAGMA user_version=1; PRAGMA application_id=5");
    check_int(service_open(p.home, p.v, &sv, &err), ERR_PARSE);
    assert_int_equal(truncate(p.db, 0), 0);
    check_int(service_open(p.home, p.v, &sv, &err), ERR_PARSE);
    check_has(err.msg, "empty");
    service_close(q.sv);
    q.sv = NULL;
    check_ok(io_read_file(q.db, 1 << 24, &b, &err), err);
    check_ok(io_write_file(p.db, b.p, b.n, 0600, &err), err);
    check_int(service_open(p.home, p.v, &sv, &err), ERR_KEY);
    check_has(err.msg, "do not belong together");
    buf_free(&b);
    place_done(&p);
    place_done(&q);
}

/* ---- several processes ---- */

static void made_by_many_at_once(void **state)
{
    enum { N = 8 };
    struct place p;
    uint8_t key[N][32], mine[32];
    char c;
    int go[2], out[2], status;
    place_make(&p);
    service_close(p.sv);
    p.sv = NULL;
    assert_int_equal(unlink(p.db), 0);
    assert_int_equal(pipe(go) | pipe(out), 0);
    for (int i = 0; i < N; i++)
        if (!fork()) {
            close(go[1]);
            if (read(go[0], &c, 1) != 0) _exit(1);
            if (service_open(p.home, p.v, &p.sv, &err)) _exit(2);
            if (service_note_key(p.sv, "token_key", mine, &err)) _exit(3);
            add_account(p.sv, (char[]){ 'a', (char)('0' + i), 0 });
            service_close(p.sv);
            _exit(write(out[1], mine, 32) != 32);
        }
    close(go[0]);
    close(go[1]);
    for (int i = 0; i < N; i++) assert_int_equal(read(out[0], key[i], 32), 32);
    for (int i = 0; i < N; i++) {
        wait(&status);
        check_int(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
        assert_memory_equal(key[i], key[0], 32);
    }
    check_ok(service_open(p.home, p.v, &p.sv, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM account"), N);
    char cmd[400];
    snprintf(cmd, sizeof cmd, "test -z \"$(ls '%s' | grep tmp-)\"", p.home);
    check_int(system(cmd), 0); /* NOLINT(concurrency-mt-unsafe): nothing else runs */
    place_done(&p);
}

/* ---- no room, no right ---- */

static int full_child(struct place *p)
{
    struct stat s;
    char wal[400];
    char big[20000];
    int n = 0;
    struct row_account a = { .body = big, .body_n = sizeof big };
    struct row_audit r = { .action = "persona.search", .body = "" };
    memset(big, 'x', sizeof big);
    if (service_open(p->home, p->v, &p->sv, &err)) return 1;
    snprintf(wal, sizeof wal, "%s-wal", p->db);
    if (stat(wal, &s)) return 2;
    rlim_t room = (rlim_t)s.st_size + 65536; /* the db itself is smaller than its log here */
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){ room, RLIM_INFINITY })) return 3;
    int rc = 0, stored = 1;
    for (int i = 0; !rc && i < 100; i++) {
        a.id = 0;
        a.mail_digest[1] = (uint8_t)(i + 1);
        if (!(rc = service_account_put(p->sv, &a, &err))) stored++;
    }
    if (rc != ERR_FULL || !strstr(err.msg, "disk is full")) return 4;
    if (service_audit_put(p->sv, &r, false, &err)) return 5; /* waits in memory */
    if (service_account_each(p->sv, count_accounts, &n, &err) || n != stored) return 6;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY })) return 7;
    if (service_account_put(p->sv, &a, &err)) return 8;
    service_close(p->sv);
    return 0;
}

static void full_disk(void **state)
{
    struct place p;
    int status;
    place_make(&p);
    add_account(p.sv, "ann");
    service_close(p.sv);
    p.sv = NULL;
    pid_t pid = fork();
    if (!pid) _exit(full_child(&p));
    waitpid(pid, &status, 0);
    check_int(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
    check_ok(service_open(p.home, p.v, &p.sv, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM audit"), 1);
    check_ok(service_check(p.sv, NULL, NULL, NULL, &err), err);
    place_done(&p);
}

static int read_only_child(struct place *p)
{
    uint8_t key[32];
    int n = 0;
    if (!geteuid() && setresuid(65534, 65534, 65534)) return 1;
    if (service_open(p->home, p->v, &p->sv, &err)) return 2;
    if (service_account_each(p->sv, count_accounts, &n, &err) || n != 1) return 3;
    struct row_account a = { .body = "" };
    if (service_account_put(p->sv, &a, &err) != ERR_FULL) return 4;
    if (!strstr(err.msg, "cannot be written")) return 5;
    if (service_note_key(p->sv, "token_key", key, &err)) return 6; /* it is there */
    if (service_note_key(p->sv, "other", key, &err) != ERR_FULL) return 7;
    service_close(p->sv);
    return 0;
}

static void read_only_home(void **state)
{
    struct place p;
    char cmd[1200];
    uint8_t key[32];
    int status;
    place_make(&p);
    add_account(p.sv, "ann");
    check_ok(service_note_key(p.sv, "token_key", key, &err), err);
    service_close(p.sv);
    p.sv = NULL;
    snprintf(cmd, sizeof cmd, "chmod 755 '%s/..' && chmod -R a+rX '%s' && chmod a-w '%s'", p.home,
             p.home, p.home);
    check_int(system(cmd), 0); /* NOLINT(concurrency-mt-unsafe) */
    pid_t pid = fork();
    if (!pid) _exit(read_only_child(&p));
    waitpid(pid, &status, 0);
    check_int(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
    chmod(p.home, 0700);
    place_done(&p);
}

/* ---- kill -9 ---- */

/* Puts jobs in as fast as they are done; each id goes into the pipe once it is acknowledged. */
static void submitter(struct place *p, int out)
{
    if (service_open(p->home, p->v, &p->sv, NULL)) _exit(1);
    for (int i = 0;; i++) {
        struct row_job r = { .account = i % 3, .kind = "ingest", .args = "{}", .args_n = 2 };
        r.persona[0] = (uint8_t)(i % 5);
        int rc = service_job_put(p->sv, &r, false, 20, NULL);
        if (rc && rc != ERR_LIMIT) _exit(2);
        if (!rc && write(out, &r.id, sizeof r.id) != sizeof r.id) _exit(3);
        if (rc) usleep(1000);
    }
}

/* Takes jobs up and ends them, each ended one into the pipe before its end is written: at least
 * once. */
static void worker(struct place *p, int out, int64_t token)
{
    int64_t id;
    int wait;
    if (service_open(p->home, p->v, &p->sv, NULL)) _exit(1);
    for (;;) {
        if (service_job_claim(p->sv, "ingest", token, 30, &id, &wait, NULL)) _exit(2);
        if (!id) {
            usleep(500);
            continue;
        }
        if (write(out, &id, sizeof id) != sizeof id) _exit(3);
        if (service_job_end(p->sv, id, token, JOB_DONE, 0, "{}", 2, NULL)) _exit(4);
    }
}

#define JOBS_MAX 20000
struct tally {
    bool put[JOBS_MAX], run[JOBS_MAX];
    int n_put, n_run, clash;
};

static void drain(int fd, bool *seen, int *n)
{
    int64_t id;
    while (read(fd, &id, sizeof id) == sizeof id)
        if (id > 0 && id < JOBS_MAX && !seen[id]) {
            seen[id] = true;
            ++*n;
        }
}

static void one_round(struct place *p, struct tally *t, int round)
{
    int put[2], run[2], status;
    pid_t pid[3];
    check_ok(service_open(p->home, p->v, &p->sv, &err), err);
    check_ok(service_jobs_recover(p->sv, &err), err);
    service_close(p->sv);
    assert_int_equal(pipe2(put, O_NONBLOCK) | pipe2(run, O_NONBLOCK), 0);
    for (int i = 0; i < 3; i++) {
        pid[i] = fork();
        if (pid[i]) continue;
        fcntl(put[1], F_SETFL, 0);
        fcntl(run[1], F_SETFL, 0);
        if (!i) submitter(p, put[1]);
        worker(p, run[1], round * 10 + i);
    }
    int want = t->n_run + 5 + 7 * (round % 4); /* another moment each time */
    while (t->n_run < want) {
        drain(put[0], t->put, &t->n_put);
        drain(run[0], t->run, &t->n_run);
        t->clash += peek(p, "SELECT count(*) FROM (SELECT persona FROM job WHERE state=1"
                            " AND persona<>zeroblob(16) GROUP BY persona HAVING count(*)>1)") != 0;
    }
    for (int i = 0; i < 3; i++) kill(pid[i], SIGKILL);
    for (int i = 0; i < 3; i++) {
        waitpid(pid[i], &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    drain(put[0], t->put, &t->n_put);
    drain(run[0], t->run, &t->n_run);
    for (int i = 0; i < 2; i++) close(put[i]), close(run[i]);
}

static void killed_again_and_again(void **state)
{
    static struct tally t;
    struct place p;
    struct seen_job s = { 0 };
    int64_t id = 1;
    int wait, n = 0;
    place_make(&p);
    service_close(p.sv);
    p.sv = NULL;
    for (int round = 0; round < 12; round++) one_round(&p, &t, round);
    check_int(t.clash, 0);
    check_ok(service_open(p.home, p.v, &p.sv, &err), err);
    check_ok(service_check(p.sv, NULL, NULL, NULL, &err), err);
    for (int i = 1; i < JOBS_MAX; i++)
        if (t.put[i]) check_ok(service_job_get(p.sv, i, see_job, &s, &err), err);
    check_ok(service_jobs_recover(p.sv, &err), err);
    service_clock(p.sv, test_now);
    test_time = clock_now() + 10000;
    while (id) {
        check_ok(service_job_claim(p.sv, "ingest", 5, 30, &id, &wait, &err), err);
        if (!id) break;
        if (id < JOBS_MAX) t.run[id] = true;
        check_ok(service_job_end(p.sv, id, 5, JOB_DONE, 0, "{}", 2, &err), err);
    }
    check_ok(service_job_each(p.sv, -1, NULL, true, 0, JOBS_MAX, count_jobs, &n, &err), err);
    check_int(n, 0);
    check_int(peek(&p, "SELECT count(*) FROM job WHERE state<>2"), 0);
    for (int i = 1; i < JOBS_MAX; i++)
        if (t.put[i] && !t.run[i]) fail_msg("job %d was acknowledged and never ran", i);
    assert_true(t.n_put > 0);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(nothing_is_plain),
        cmocka_unit_test(checked),
        cmocka_unit_test(damaged_rows_hide_no_others),
        cmocka_unit_test(other_files),
        cmocka_unit_test(made_by_many_at_once),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(read_only_home),
        cmocka_unit_test(killed_again_and_again),
    };
    return check_run("store/service_faults", t);
}
