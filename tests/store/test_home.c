/* A home as a whole: made by two at once, and with one persona that does not open. */
#include "persona/persona_home.h"

#include "persona/doctor.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static struct err err;
static const struct secret ANN = { .passphrase = "quince", .passphrase_n = 6 };
static const struct secret BOB = { .passphrase = "medlar", .passphrase_n = 6 };

/* B is stopped while it makes the home; A makes the same; B goes on. One of them has a home at the
 * end, whole, and the other was told so. */
static void two_inits_at_once(void **state)
{
    char path[400], keys[420];
    struct home *h = NULL;
    int status;
    struct timespec ms = { .tv_nsec = 1000000 };
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(path, sizeof path, "%s/a/home", check_tmp_dir());
    snprintf(keys, sizeof keys, "%s/keys", path);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        unsetenv("LIKENESS_KDF"); /* long enough to be stopped in */
        int rc = home_create(path, &BOB, &err);
        _exit(!rc ? 0 : rc == ERR_EXISTS || rc == ERR_BUSY ? 1 : 2);
    }
    while (!io_exists(keys)) nanosleep(&ms, NULL);
    kill(pid, SIGSTOP);
    int a = home_create(path, &ANN, &err);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    int b = WEXITSTATUS(status);
    if (a) assert_true(a == ERR_BUSY || a == ERR_EXISTS);
    check_int(!a + !b, 1);
    check_ok(home_open(path, a ? &BOB : &ANN, STORE_WRITE, &h, &err), err);
    home_close(h);
}

/* Many at once, without being stopped. */
static void many_inits_at_once(void **state)
{
    char path[400];
    struct home *h = NULL;
    pid_t pid[8];
    int made = 0, status;
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(path, sizeof path, "%s/a/home", check_tmp_dir());
    fflush(NULL);
    for (int i = 0; i < 8; i++)
        if (!(pid[i] = fork())) _exit(home_create(path, &ANN, &err) ? 1 : 0);
    for (int i = 0; i < 8; i++) {
        waitpid(pid[i], &status, 0);
        made += !status;
    }
    check_int(made, 1);
    check_ok(home_open(path, &ANN, STORE_WRITE, &h, &err), err);
    home_close(h);
}

/* A folder of the user's own stays as it was, but for what a failed creation cannot know. */
static void failing_beside_a_home(void **state)
{
    char path[400], file[420];
    struct home *h = NULL;
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(path, sizeof path, "%s", check_tmp_dir());
    snprintf(file, sizeof file, "%s/letter", path);
    check_ok(io_write_file(file, "mine", 4, 0600, &err), err);
    struct secret taken = { .key_file = file };
    check_int(home_create(path, &taken, &err), ERR_EXISTS);
    check_int(io_file_size(file), 4);
    check_ok(home_create(path, &ANN, &err), err);
    check_int(home_create(path, &BOB, &err), ERR_EXISTS);
    check_ok(home_open(path, &ANN, STORE_WRITE, &h, &err), err);
    home_close(h);
}

static void remember(void *ud, bool problem, const char *text)
{
    size_t n = strlen(ud);
    snprintf((char *)ud + n, 4096 - n, "%s\n", text);
}

static int count(void *ud, const struct persona *p)
{
    ++*(int *)ud;
    return 0;
}

static void spoil_key(const struct test_home *t, const struct persona *p)
{
    char cmd[900];
    snprintf(cmd, sizeof cmd, "for f in '%s'/keys/%s*.key; do echo damaged >\"$f\"; done", t->path,
             p->id);
    assert_int_equal(system(cmd), 0);
}

/* how 0: a damaged key; 1: a missing one; 2: a body that opens and is no JSON. */
static void a_persona_that_does_not_open(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct test_home t;
        struct persona *zoe = NULL, *p = NULL;
        struct persona_new n = { .name = "Zoe",
                                 .kind = PERSONA_FICTIONAL,
                                 .consent_by = "the authors",
                                 .consent_to = "tests",
                                 .chunk_overlap = -1 };
        struct doctor_report rep;
        char said[4096] = "", want[40], id[9], cmd[900];
        int seen = 0;
        test_home_open(&t);
        check_ok(persona_create(t.home, &n, &zoe, &err), err);
        memcpy(id, zoe->id, sizeof id);
        if (how == 0) spoil_key(&t, zoe);
        snprintf(cmd, sizeof cmd, "rm '%s'/keys/%s*.key", t.path, id);
        if (how == 1) assert_int_equal(system(cmd), 0);
        if (how == 2) check_ok(store_persona_set(t.home->store, &zoe->seal, "[", 1, &err), err);
        persona_close(zoe);
        check_ok(persona_each(t.home, count, &seen, &err), err);
        check_int(seen, 1);
        check_ok(persona_open(t.home, "Marit", &p, &err), err);
        persona_close(p);
        check_int(persona_open(t.home, "Zoe", &p, &err), ERR_NOTFOUND);
        check_ok(doctor_run(t.home, true, remember, said, &rep, &err), err);
        snprintf(want, sizeof want, "likeness forget %s", id);
        check_has(said, want);
        check_int(persona_forget(t.home, "Zoe", &err), ERR_NOTFOUND);
        check_has(err.msg, "no persona of that name");
        id[7] ^= 1;
        check_int(persona_forget(t.home, id, &err), ERR_NOTFOUND);
        id[7] ^= 1;
        check_ok(persona_forget(t.home, id, &err), err);
        check_int(persona_forget(t.home, id, &err), ERR_NOTFOUND);
        *said = 0;
        check_ok(doctor_run(t.home, false, remember, said, &rep, &err), err);
        check_str(said, "");
        test_home_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(two_inits_at_once),
        cmocka_unit_test(many_inits_at_once),
        cmocka_unit_test(failing_beside_a_home),
        cmocka_unit_test(a_persona_that_does_not_open),
    };
    return check_run("store/home", t);
}
