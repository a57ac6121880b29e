/* A home with the diary as a persona, made by the calls that the program makes, in a child process
 * so that its peak memory is its own. Questions are made of templates and of the diary's words,
 * common and rare: retrieval finds other passages for each, so no cache of answers could help. */
#include "pepys.h"

#include "bench.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/map.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "text/token.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OFTEN 4 /* times that a word stands in the diary, to be asked about */

bool pepys_path(char *path, size_t size)
{
    const char *d = getenv("LIKENESS_TEST_DATA");
    snprintf(path, size, "%s/corpora/pepys_diary.jsonl", d ? d : "../shared/data");
    if (io_exists(path)) return true;
    bench_note("%s is not there: name its folder in LIKENESS_TEST_DATA", path);
    return false;
}

/* ---- a home ---- */

static int make(const struct pepys_home *at, const char *corpus, struct err *err)
{
    struct secret s = { .key_file = at->key };
    struct home *h = NULL;
    struct persona *p = NULL;
    struct persona_new n = { .name = "Samuel Pepys",
                             .kind = PERSONA_LEGACY,
                             .consent_by = "public domain",
                             .consent_to = "measuring",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    struct ingest_totals t;
    int rc = home_create(at->home, &s, err);
    if (!rc) rc = home_open(at->home, &s, STORE_WRITE, &h, err);
    if (!rc) rc = persona_create(h, &n, &p, err);
    struct ingest in = { .home = h, .persona = p, .day_first = -1 };
    if (!rc && corpus) rc = ingest_paths(&in, &corpus, 1, &t, err);
    persona_close(p);
    home_close(h);
    return rc;
}

int pepys_home_make(struct pepys_home *at, bool text, double *seconds, double *peak,
                    struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char corpus[400];
    struct rusage use;
    int status;
    snprintf(at->dir, sizeof at->dir, "%s/likeness-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (text && !pepys_path(corpus, sizeof corpus))
        return err_set(err, ERR_NOTFOUND, "the diary is not there");
    if (!mkdtemp(at->dir)) return err_errno(err, "cannot make a folder in %s", tmp ? tmp : "/tmp");
    snprintf(at->home, sizeof at->home, "%s/home", at->dir);
    snprintf(at->key, sizeof at->key, "%s/home.key", at->dir);
    double start = clock_mono();
    pid_t pid = fork();
    if (pid < 0) return err_errno(err, "cannot start a process");
    if (!pid) {
        struct err e = { 0 };
        setenv("LIKENESS_KDF", "fast", 1);
        int rc = make(at, text ? corpus : NULL, &e);
        if (rc) bench_note("making a home: %s", e.msg);
        _exit(rc ? 1 : 0);
    }
    if (wait4(pid, &status, 0, &use) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(err, ERR_INTERNAL, "a home could not be made");
    if (seconds) *seconds = clock_mono() - start;
    if (peak) *peak = (double)use.ru_maxrss * 1024;
    return 0;
}

void pepys_home_remove(struct pepys_home *at) { io_remove_tree(at->dir, NULL); }

/* ---- questions ---- */

struct vocabulary {
    struct map count; /* by hash64 of the word */
    char **word;
    size_t n, cap;
};

static int add_word(struct vocabulary *v, const char *s, size_t n)
{
    char w[32];
    if (n < 4 || n >= sizeof w) return 0;
    for (size_t i = 0; i < n; i++) {
        w[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
        if (w[i] < 'a' || w[i] > 'z') return 0;
    }
    w[n] = 0;
    uint64_t *count = token_is_stop(w, n) ? NULL : map_slot(&v->count, hash64(w, n, 0));
    if (!count || ++*count != OFTEN) return 0;
    if (v->n == v->cap) {
        size_t cap = v->cap ? 2 * v->cap : 1024;
        char **grown = realloc(v->word, cap * sizeof(char *));
        if (!grown) return ERR_NOMEM;
        v->word = grown;
        v->cap = cap;
    }
    return (v->word[v->n++] = str_dup(w)) ? 0 : ERR_NOMEM;
}

static int read_words(struct vocabulary *v, struct err *err)
{
    char path[400];
    struct buf all = BUF_INIT(0);
    if (!pepys_path(path, sizeof path)) return err_set(err, ERR_NOTFOUND, "the diary is not there");
    int rc = io_read_file(path, (size_t)1 << 30, &all, err);
    const char *line = buf_str(&all), *end = line + all.n;
    while (!rc && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        json_t *j = json_loadb(line, (size_t)(stop - line), 0, NULL);
        const char *text = json_string_value(json_object_get(j, "text"));
        struct tokens t = tokens_of(text, text ? strlen(text) : 0);
        while (text && !rc && tokens_next(&t))
            if (t.is_word && add_word(v, text + t.start, t.end - t.start)) rc = err_nomem(err);
        json_decref(j);
        line = stop + 1;
    }
    buf_free(&all);
    return rc;
}

static const char *a_word(const struct vocabulary *v) { return v->word[bench_random() % v->n]; }

static int make_question(const struct vocabulary *v, struct buf *b)
{
    static const char *const about[] = {
        "What do you think of %s?",           "Do you like the %s and %s?",
        "When did you last see %s?",          "Why did you speak of %s at %s?",
        "How many %s did you buy for %s?",    "Who is %s?",
        "Where did you go with %s and %s?",   "Are you afraid of %s?",
        "What happened with the %s at %s?",   "How was the %s?",
        "Did my Lord say anything about %s?", "What did your wife say of the %s and the %s?",
    };
    const char *t = about[bench_random() % (sizeof about / sizeof *about)], *at;
    buf_clear(b);
    for (; (at = strstr(t, "%s")); t = at + 2) {
        buf_add(b, t, (size_t)(at - t));
        buf_adds(b, a_word(v));
    }
    return buf_adds(b, t);
}

int pepys_questions(size_t n, char ***out, struct err *err)
{
    struct vocabulary v = { 0 };
    struct map made = { 0 };
    struct buf b = BUF_INIT(4096);
    char **q = calloc(n, sizeof *q);
    int rc = q ? read_words(&v, err) : err_nomem(err);
    bench_seed(1660);
    for (size_t i = 0; i < n && !rc;) {
        if (!v.n || make_question(&v, &b)) rc = err_set(err, ERR_INTERNAL, "no words to ask about");
        uint64_t *seen = rc ? NULL : map_slot(&made, hash64(b.p, b.n, 0));
        if (seen && ++*seen > 1) continue;
        if (!rc && (!seen || !(q[i++] = str_dup(b.p)))) rc = err_nomem(err);
    }
    for (size_t i = 0; i < v.n; i++) free(v.word[i]);
    free(v.word);
    map_free(&v.count);
    map_free(&made);
    buf_free(&b);
    if (rc) pepys_questions_free(q, n);
    *out = rc ? NULL : q;
    return rc;
}

void pepys_questions_free(char **q, size_t n)
{
    for (size_t i = 0; q && i < n; i++) free(q[i]);
    free(q);
}
