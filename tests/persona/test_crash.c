/* kill -9 at random points of ingest, deletion and forget. A child does the work on a copy of a
 * home and writes a line down a pipe for everything it has acknowledged; the parent kills it
 * after a random time, opens the home again, lets the doctor repair it and look again, and
 * checks: what was acknowledged is there, nothing is half there, the doctor is content. Files
 * share commits, and are acknowledged one by one after them, so more of them may be in than were
 * acknowledged; but what is in are the first so many, each as it is after work that nothing
 * disturbed. CRASH_POINTS (200) says how many times in all; the seed is fixed. The span that the
 * times are drawn from follows the machine: it shrinks when the work was done before the kill and
 * grows when it was not, so that about two in three are killed at work, however fast or busy the
 * machine is. */
#include "persona_home.h"

#include "persona/doctor.h"
#include "persona/source.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum work { INGEST, DELETE, FORGET, N_WORKS };

static struct test_home base;
static int64_t doomed;              /* the source that is deleted */
static struct persona_counts whole; /* of the base home */
static double takes[N_WORKS];       /* seconds; at first what the undisturbed work took */
static unsigned seed = 20240229;
static int points_killed, points_late, points_acked;

#define JOURNALS 31
static struct journal { /* one of the files that come in */
    char path[300];
    uint64_t pieces, voice, chunks;
} journals[JOURNALS]; /* by path, as they are after undisturbed work */

static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / 16777216.0;
}

static int copy_home(const char *to)
{
    pid_t pid = fork();
    int status;
    if (!pid) {
        execlp("cp", "cp", "-a", base.path, to, (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

/* ---- the child ---- */

static int ack_fd;

static void acknowledge(void *ud, const struct ingest_file *f)
{
    if (f->added && write(ack_fd, "a", 1) != 1) _exit(3);
}

static void work(enum work w, const char *path)
{
    struct err err = { 0 };
    struct home *h;
    struct persona *p;
    struct gone gone;
    struct ingest_totals t;
    const char *journal = "examples/person/journal";
    int rc = home_open(path, &base.secret, STORE_WRITE, &h, &err);
    if (!rc) rc = persona_open(h, "", &p, &err);
    if (rc) _exit(1);
    struct ingest in = { .home = h, .persona = p, .day_first = -1, .on_file = acknowledge };
    if (w == INGEST) rc = ingest_paths(&in, &journal, 1, &t, &err);
    if (w == DELETE) rc = source_delete(h, p, doomed, &gone, &err);
    if (w == DELETE && !rc) acknowledge(NULL, &(struct ingest_file){ .added = 1 });
    if (w == DELETE && !rc) rc = persona_settle(h, p, NULL, &err);
    if (w == FORGET) rc = store_persona_forget(h->store, p->seal.id, &err);
    if (w == FORGET && !rc) acknowledge(NULL, &(struct ingest_file){ .added = 1 });
    home_close(h);
    _exit(rc ? 2 : 0);
}

/* Does the work in a child that is killed after `after` seconds (< 0: never). How much it
 * acknowledged. */
static int run(enum work w, const char *path, double after)
{
    int fd[2], status, acks = 0;
    char c;
    if (pipe(fd)) return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        close(fd[0]);
        ack_fd = fd[1];
        work(w, path);
    }
    close(fd[1]);
    if (after >= 0) {
        struct timespec t = { (time_t)after, (long)((after - (double)(time_t)after) * 1e9) };
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    if (after >= 0 && WIFSIGNALED(status)) points_killed++;
    else points_late++;
    if (after < 0) check_int(status, 0);
    while (read(fd[0], &c, 1) == 1) acks++;
    close(fd[0]);
    return acks;
}

/* ---- the parent looks ---- */

struct seen {
    struct journal journals[JOURNALS];
    int n, broken;
    bool doomed;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct journal *)a)->path, ((const struct journal *)b)->path);
}

static int look(void *ud, const struct source *s)
{
    struct seen *x = ud;
    x->doomed |= s->id == doomed;
    if (strstr(s->path, "/journal/")) {
        assert_true(x->n < JOURNALS);
        struct journal *j = &x->journals[x->n++];
        snprintf(j->path, sizeof j->path, "%s", s->path);
        j->pieces = s->pieces;
        j->voice = s->voice;
        j->chunks = s->chunks;
        if (s->pieces < 1 || s->voice < 1 || s->chunks < 1) x->broken++;
    } else if (!s->pieces || (s->voice && !s->chunks)) {
        x->broken++;
    }
    return 0;
}

static void complain(void *ud, bool problem, const char *text)
{
    if (problem && *(int *)ud) print_message("# doctor: %s\n", text);
}

/* The first so many of them, none less than whole. */
static void check_journals(struct seen *s, int acks)
{
    if (s->n < acks) fail_msg("%d acknowledged, %d there", acks, s->n);
    qsort(s->journals, (size_t)s->n, sizeof *s->journals, by_path);
    for (int i = 0; i < s->n; i++) {
        const struct journal *a = &s->journals[i], *b = &journals[i];
        check_str(a->path, b->path);
        check_int(a->pieces, b->pieces);
        check_int(a->voice, b->voice);
        check_int(a->chunks, b->chunks);
    }
}

static void content(const char *path, struct home *h)
{
    struct err err = { 0 };
    struct doctor_report rep;
    int loud = 0;
    check_ok(doctor_run(h, true, complain, &loud, &rep, &err), err);
    check_int(rep.store.problems - rep.store.repaired, 0);
    loud = 1;
    check_ok(doctor_run(h, false, complain, &loud, &rep, &err), err);
    check_int(rep.store.problems, 0);
    check_int(rep.stale_personas, 0);
    check_int(rep.unreadable_bodies, 0);
}

static void check_forgotten(struct home *h, int acks)
{
    struct err err = { 0 };
    struct persona *p = NULL;
    struct persona_counts now;
    int rc = persona_open(h, "", &p, &err);
    if (acks) check_int(rc, ERR_NOTFOUND);
    if (rc) {
        check_int(rc, ERR_NOTFOUND);
        return;
    }
    check_ok(persona_counts(h, p, &now, &err), err); /* not begun: all of it is there */
    check_int(now.pieces, whole.pieces);
    check_int(now.chunks, whole.chunks);
    persona_close(p);
}

static void after_crash(enum work w, const char *path, int acks)
{
    struct err err = { 0 };
    struct home *h;
    struct persona *p;
    struct seen s = { 0 };
    check_ok(home_open(path, &base.secret, STORE_WRITE, &h, &err), err);
    content(path, h);
    if (w == FORGET) {
        check_forgotten(h, acks);
        home_close(h);
        return;
    }
    check_ok(persona_open(h, "", &p, &err), err);
    check_ok(source_each(h, p, 0, look, &s, &err), err);
    check_int(s.broken, 0);
    if (w == INGEST && !*journals[0].path) { /* undisturbed */
        check_int(s.n, JOURNALS);
        qsort(s.journals, JOURNALS, sizeof *s.journals, by_path);
        memcpy(journals, s.journals, sizeof journals);
    }
    if (w == INGEST) check_journals(&s, acks);
    if (w == DELETE && acks) check_int(s.doomed, false);
    persona_close(p);
    home_close(h);
}

static int pick_doomed(void *ud, const struct source *s)
{
    if (!strcmp(s->format, "mbox")) doomed = s->id;
    return 0;
}

static void make_base(void)
{
    struct err err = { 0 };
    struct ingest_totals tot;
    test_home_open(&base);
    check_ok(persona_alias_add(base.home, base.persona, SAMPLE_ME, &err), err);
    check_int(test_home_add(&base, "examples/person/mail.mbox", &tot), 0);
    check_int(test_home_add(&base, "examples/person/notes", &tot), 0);
    check_ok(source_each(base.home, base.persona, 0, pick_doomed, NULL, &err), err);
    check_ok(persona_counts(base.home, base.persona, &whole, &err), err);
    assert_true(doomed > 0);
    persona_close(base.persona);
    home_close(base.home);
    base.persona = NULL;
    base.home = NULL;
}

static void killed_anywhere(void **state)
{
    const char *env = getenv("CRASH_POINTS");
    int points = env ? atoi(env) : 200;
    make_base();
    for (int w = 0; w < N_WORKS; w++) {
        char path[500];
        struct timespec a, b;
        snprintf(path, sizeof path, "%s/whole-%d", base.dir, w);
        assert_int_equal(copy_home(path), 0);
        clock_gettime(CLOCK_MONOTONIC, &a);
        assert_true(run((enum work)w, path, -1) > 0);
        clock_gettime(CLOCK_MONOTONIC, &b);
        takes[w] = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
        after_crash((enum work)w, path, w == INGEST ? JOURNALS : 1);
        io_remove_tree(path, NULL);
    }
    points_killed = points_late = 0;
    for (int i = 0; i < points; i++) {
        enum work w = (enum work)(i % N_WORKS);
        char path[500];
        snprintf(path, sizeof path, "%s/crash-%d", base.dir, i);
        assert_int_equal(copy_home(path), 0);
        int killed = points_killed;
        int acks = run(w, path, uniform() * takes[w]);
        takes[w] *= points_killed > killed ? 1.1 : 0.8;
        points_acked += acks > 0;
        after_crash(w, path, acks);
        io_remove_tree(path, NULL);
    }
    print_message(
        "# %d killed at work, %d of them after something was acknowledged; %d had finished\n",
        points_killed, points_acked, points_late);
    if (points >= 50) assert_true(points_killed * 2 > points && points_acked * 8 > points);
    io_remove_tree(base.dir, NULL);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(killed_anywhere) };
    return check_run("persona/crash", t);
}
