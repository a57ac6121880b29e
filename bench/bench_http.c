/* The server under load: the program in one process, the load in this one, both on this machine's
 * cores, over loopback.
 *
 * http_json is the least that a request can cost. Beside it, as the limit, runs a libmicrohttpd
 * server that does nothing but answer 42 bytes: with as many threads, in the same run.
 *
 * prompt_quote_http asks the diary's persona with the quote voice, and no question twice. What the
 * server has of passages it read before (persona/reading.c) it may use: WARM questions come before
 * those that count, and what they took is told, too. */
#include "bench.h"
#include "load.h"
#include "serving.h"

#include "base/buf.h"
#include "base/str.h"

#include <jansson.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 64

/* ---- the same request, always ---- */

struct one_request {
    struct buf b;
};

static const char *same(void *ud, size_t *n)
{
    struct one_request *r = ud;
    *n = r->b.n;
    return r->b.p;
}

static enum MHD_Result say(void *ud, struct MHD_Connection *c, const char *url, const char *method,
                           const char *version, const char *body, size_t *n, void **state)
{
    static char text[] = "{\"status\": \"ready\", \"since\": 1234567.8901}";
    if (!*state) { /* the head was read */
        *state = text;
        return MHD_YES;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result rc = MHD_queue_response(c, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return rc;
}

/* A process with nothing but libmicrohttpd; *port. */
static pid_t start_bare(int threads, int *port, struct err *err)
{
    int ends[2];
    if (pipe(ends)) {
        err_errno(err, "cannot make a pipe");
        return -1;
    }
    pid_t pid = fork();
    if (!pid) {
        struct MHD_Daemon *d =
            MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, say, NULL,
                             MHD_OPTION_THREAD_POOL_SIZE, (unsigned)threads, MHD_OPTION_END);
        const union MHD_DaemonInfo *i =
            d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
        int p = i ? i->port : 0;
        if (write(ends[1], &p, sizeof p) != sizeof p) _exit(1);
        for (;;) pause();
    }
    if (pid > 0 && (read(ends[0], port, sizeof *port) != sizeof *port || !*port)) {
        err_set(err, ERR_INTERNAL, "libmicrohttpd alone did not start");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static int measure_same(int port, const char *path, double seconds, struct load_result *out,
                        struct err *err)
{
    struct one_request r = { .b = BUF_INIT(0) };
    struct load l = {
        .port = port, .connections = CONNECTIONS, .seconds = seconds, .next = same, .ud = &r
    };
    load_request(&r.b, "GET", path, NULL, NULL);
    int rc = load_run(&l, out, err);
    buf_free(&r.b);
    if (!rc && out->bad)
        rc = err_set(err, ERR_INTERNAL, "%s was answered with: %.60s", path, out->first_bad);
    return rc;
}

int bench_http_json(struct bench *b, struct err *err)
{
    struct serving s = { .pid = -1 };
    struct load_result bare, ours;
    int port = 0;
    pid_t pid = start_bare(b->threads, &port, err);
    int rc = pid < 0 ? ERR_INTERNAL : measure_same(port, "/", 3, &bare, err);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (!rc) rc = serving_start(&s, false, err);
    if (!rc) rc = measure_same(s.port, "/readyz", 1, &ours, err); /* warms up */
    double before = serving_seconds(&s);
    if (!rc) rc = measure_same(s.port, "/readyz", 5, &ours, err);
    double used = serving_seconds(&s) - before;
    serving_stop(&s);
    if (rc) return rc;
    bench_report(b, "http_json", (double)ours.answers / ours.seconds, "1/s",
                 (double)bare.answers / bare.seconds, BENCH_NONE,
                 "p99 %.2f ms; server %.1f of %.1f cores; goal 80,000; limit: bare libmicrohttpd",
                 ours.p99 * 1e3, used / ours.seconds, (double)b->threads);
    return 0;
}

/* ---- questions ---- */

enum { WARM = 4000, MEASURED = 8000, QUESTIONS = WARM + MEASURED };

struct asked {
    struct buf *request;
    size_t n, at;
};

static const char *next_question(void *ud, size_t *n)
{
    struct asked *a = ud;
    const struct buf *b = &a->request[a->at++ % a->n];
    *n = b->n;
    return b->p;
}

static int make_requests(const struct serving *s, struct asked *a, struct err *err)
{
    char **q = NULL;
    int rc = pepys_questions(QUESTIONS, &q, err);
    a->request = calloc(QUESTIONS, sizeof *a->request);
    if (!rc && !a->request) rc = err_nomem(err);
    for (; a->n < QUESTIONS && !rc; a->n++) {
        json_t *j = json_pack("{s:s}", "prompt", q[a->n]);
        char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
        a->request[a->n] = BUF_INIT(0);
        if (body) load_request(&a->request[a->n], "POST", "/api/prompt/", s->token, body);
        if (!body || a->request[a->n].failed) rc = err_nomem(err);
        free(body);
        json_decref(j);
    }
    pepys_questions_free(q, QUESTIONS);
    return rc;
}

/* Is it an answer, with passages? One that is looked at stands for all. */
static int look_at_one(const struct serving *s, struct err *err)
{
    struct buf answer = BUF_INIT(0);
    int status = load_ask(s->port, "POST", "/api/prompt/", s->token,
                          "{\"prompt\": \"What do you think of the theatre?\"}", &answer, err);
    json_t *j = json_loadb(buf_str(&answer), answer.n, 0, NULL);
    bool good = status == 200 && json_is_string(json_object_get(j, "response")) &&
                json_array_size(json_object_get(j, "retrieved_docs")) > 0;
    json_decref(j);
    int rc = status < 0 ? status : 0;
    if (!rc && !good)
        rc = err_set(err, ERR_INTERNAL, "a prompt was answered with %d: %.100s", status,
                     buf_str(&answer));
    buf_free(&answer);
    return rc;
}

static int ask_some(const struct serving *s, struct asked *a, uint64_t most,
                    struct load_result *out, struct err *err)
{
    struct load l = { .port = s->port,
                      .connections = CONNECTIONS,
                      .seconds = 60,
                      .most = most,
                      .next = next_question,
                      .ud = a };
    int rc = load_run(&l, out, err);
    if (!rc && out->bad)
        rc = err_set(err, ERR_INTERNAL, "a prompt was answered with: %.60s", out->first_bad);
    return rc;
}

int bench_prompt_http(struct bench *b, struct err *err)
{
    struct serving s;
    struct asked a = { 0 };
    struct load_result warm, r;
    char path[400];
    if (!pepys_path(path, sizeof path)) return 0;
    int rc = serving_start(&s, true, err);
    if (!rc) rc = make_requests(&s, &a, err);
    if (!rc) rc = look_at_one(&s, err);
    if (!rc) rc = ask_some(&s, &a, WARM, &warm, err);
    double before = serving_seconds(&s);
    if (!rc) rc = ask_some(&s, &a, MEASURED, &r, err);
    double used = serving_seconds(&s) - before, rss = serving_rss(&s) / 1e6;
    if (!rc)
        bench_report(b, "prompt_quote_http", (double)r.answers / r.seconds, "1/s", BENCH_NONE,
                     BENCH_NONE,
                     "p99 %.0f ms (goals 1,000, 100); first %d: %.0f/s; server %.2f ms each, %.0f "
                     "MB",
                     r.p99 * 1e3, WARM, (double)warm.answers / warm.seconds,
                     used / (double)r.answers * 1e3, rss);
    serving_stop(&s);
    for (size_t i = 0; i < a.n; i++) buf_free(&a.request[i]);
    free(a.request);
    return rc;
}
