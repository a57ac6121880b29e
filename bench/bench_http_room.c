/* What the server does not lose its breath over: five thousand streams with nothing to say, a body
 * of a gigabyte, two hundred logins at once. */
#include "bench.h"
#include "load.h"
#include "serving.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- idle streams ---- */

enum { STREAMS = 5000, MINUTE = 60 };

struct streams {
    int epoll, *fd;
    size_t open, told; /* told: has begun its answer with 200 */
    bool *began;
};

static int open_stream(struct streams *s, const struct serving *sv, size_t i, struct err *err)
{
    struct buf request = BUF_INIT(0);
    load_request(&request, "GET", "/api/jobs/events", sv->token, NULL);
    int rc = s->fd[i] = load_connect(sv->port, err);
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = i };
    if (rc >= 0 && send(s->fd[i], request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
        rc = err_errno(err, "stream %zu was not taken", i);
    if (rc >= 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd[i], &e))
        rc = err_errno(err, "cannot watch a stream");
    buf_free(&request);
    s->open += rc >= 0;
    return rc < 0 ? rc : 0;
}

/* Takes what the streams say for so many milliseconds. */
static void listen_to(struct streams *s, int ms)
{
    struct epoll_event e[256];
    char some[4096];
    int n = epoll_wait(s->epoll, e, 256, ms);
    for (int k = 0; k < n; k++) {
        size_t i = e[k].data.u64;
        ssize_t got = recv(s->fd[i], some, sizeof some, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got > 0) {
            if (!s->began[i] && got > 12 && !memcmp(some, "HTTP/1.1 200", 12)) s->told++;
            s->began[i] = true;
            continue;
        }
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->fd[i], NULL);
        close(s->fd[i]);
        s->fd[i] = -1;
        s->open--;
    }
}

static int hold_streams(struct bench *b, const struct serving *sv, struct streams *s,
                        struct err *err)
{
    double empty = serving_rss(sv), most = 0, start = clock_mono();
    int rc = 0;
    for (size_t i = 0; i < STREAMS && !rc; i++) {
        rc = open_stream(s, sv, i, err);
        if (i % 64 == 0) listen_to(s, 0);
    }
    while (!rc && s->told < STREAMS && clock_mono() - start < 60) listen_to(s, 100);
    double opened = clock_mono() - start, used = serving_seconds(sv);
    if (!rc && s->told < STREAMS)
        return err_set(err, ERR_INTERNAL, "only %zu of %d streams began", s->told, STREAMS);
    while (!rc && clock_mono() - start < opened + MINUTE) {
        double rss = serving_rss(sv);
        if (rss > most) most = rss;
        listen_to(s, 200);
    }
    used = serving_seconds(sv) - used;
    if (!rc && s->open < STREAMS)
        rc =
            err_set(err, ERR_INTERNAL, "%zu of %d streams were closed", STREAMS - s->open, STREAMS);
    if (!rc)
        bench_report(b, "sse_idle", most / 1e6, "MB", BENCH_NONE, BENCH_NONE,
                     "%d streams for a minute; %.0f MB without, %.1f KB each; opened in %.1f s, "
                     "%.1f s of processor; goal 400",
                     STREAMS, empty / 1e6, (most - empty) / STREAMS / 1e3, opened, used);
    return rc;
}

int bench_sse_idle(struct bench *b, struct err *err)
{
    struct serving sv = { .pid = -1 };
    struct streams s = { .epoll = epoll_create1(EPOLL_CLOEXEC),
                         .fd = calloc(STREAMS, sizeof(int)),
                         .began = calloc(STREAMS, sizeof(bool)) };
    int rc = s.epoll >= 0 && s.fd && s.began ? 0 : err_nomem(err);
    for (size_t i = 0; i < STREAMS && s.fd; i++) s.fd[i] = -1;
    uint64_t files = load_files();
    if (!rc && files < STREAMS + 200)
        rc = err_set(err, ERR_LIMIT, "%llu open files are allowed: raise it (ulimit -n)",
                     (unsigned long long)files);
    if (!rc) rc = serving_start(&sv, false, err);
    if (!rc) rc = hold_streams(b, &sv, &s, err);
    for (size_t i = 0; i < STREAMS && s.fd; i++)
        if (s.fd[i] >= 0) close(s.fd[i]);
    if (s.epoll >= 0) close(s.epoll);
    free(s.fd);
    free(s.began);
    serving_stop(&sv);
    return rc;
}

/* ---- an upload ---- */

#define UPLOAD_BYTES ((size_t)1 << 30)
#define PIECE_BYTES  ((size_t)1 << 20)

/* Plain text, a megabyte of it. */
static char *make_piece(void)
{
    char *p = malloc(PIECE_BYTES);
    for (size_t i = 0; p && i < PIECE_BYTES; i++) {
        uint64_t r = bench_random();
        p[i] = (char)(i % 80 == 79 ? '\n' : r % 6 == 0 ? ' ' : 'a' + (char)(r >> 8) % 26);
        if (p[i] < ' ' && p[i] != '\n') p[i] = 'e';
    }
    return p;
}

static int send_all(int fd, const char *p, size_t n, struct err *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(fd, p + at, n - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return err_errno(err, "the server left during the upload");
        at += (size_t)sent;
    }
    return 0;
}

/* The status of what comes back; the connection ends with it. */
static int read_status(int fd, char *line, size_t size, struct err *err)
{
    ssize_t n = recv(fd, line, size - 1, 0);
    if (n <= 0) return err_set(err, ERR_IO, "the upload was not answered");
    line[n] = 0;
    return n > 12 ? (int)strtol(line + 9, NULL, 10) : 0;
}

static int upload(const struct serving *sv, const char *persona, double *most, double *seconds,
                  struct err *err)
{
    static const char head[] = "--piece\r\nContent-Disposition: form-data; name=\"file\"; "
                               "filename=\"made.txt\"\r\nContent-Type: text/plain\r\n\r\n",
                      tail[] = "\r\n--piece--\r\n";
    struct buf request = BUF_INIT(0);
    char *piece = make_piece(), line[600];
    int fd = piece ? load_connect(sv->port, err) : err_nomem(err), rc = fd < 0 ? fd : 0;
    buf_printf(&request,
               "POST /api/personas/%s/sources HTTP/1.1\r\nHost: 127.0.0.1\r\n"
               "Authorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=piece\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               persona, sv->token, strlen(head) + UPLOAD_BYTES + strlen(tail), head);
    double start = clock_mono();
    if (!rc) rc = send_all(fd, request.p, request.n, err);
    for (size_t at = 0; at < UPLOAD_BYTES && !rc; at += PIECE_BYTES) {
        rc = send_all(fd, piece, PIECE_BYTES, err);
        double rss = serving_rss(sv);
        if (rss > *most) *most = rss;
    }
    if (!rc) rc = send_all(fd, tail, strlen(tail), err);
    int status = rc ? rc : read_status(fd, line, sizeof line, err);
    *seconds = clock_mono() - start;
    if (!rc && status != 202)
        rc = status < 0 ? status
                        : err_set(err, ERR_INTERNAL, "the upload was answered with: %.200s", line);
    if (fd >= 0) close(fd);
    buf_free(&request);
    free(piece);
    return rc;
}

/* The id of the account's one persona. */
static int find_persona(const struct serving *sv, char id[33], struct err *err)
{
    struct buf answer = BUF_INIT(0);
    int status = load_ask(sv->port, "GET", "/api/personas", sv->token, NULL, &answer, err);
    json_t *j = json_loadb(buf_str(&answer), answer.n, 0, NULL);
    const char *found =
        json_string_value(json_object_get(json_array_get(json_object_get(j, "personas"), 0), "id"));
    int rc = status < 0 ? status : 0;
    if (!rc && (status != 200 || !found || strlen(found) != 32))
        rc = err_set(err, ERR_INTERNAL, "the list of personas was answered with %d: %.100s", status,
                     buf_str(&answer));
    if (!rc && found) memcpy(id, found, 33);
    json_decref(j);
    buf_free(&answer);
    return rc;
}

int bench_upload_1gb(struct bench *b, struct err *err)
{
    struct serving sv;
    char persona[33];
    double most = 0, seconds = 0;
    bench_seed(1);
    int rc = serving_start(&sv, false, err);
    if (!rc) rc = find_persona(&sv, persona, err);
    double before = rc ? 0 : serving_rss(&sv), used = serving_seconds(&sv);
    if (!rc) rc = upload(&sv, persona, &most, &seconds, err);
    used = serving_seconds(&sv) - used;
    if (!rc)
        bench_report(b, "upload_1gb", (most - before) / 1e6, "MB", BENCH_NONE, BENCH_NONE,
                     "growth of the server's memory; %.0f MB/s, %.1f s of processor; goal 20",
                     (double)UPLOAD_BYTES / seconds / 1e6, used);
    serving_stop(&sv);
    return rc;
}

/* ---- logins ---- */

enum { LOGINS = 200 };

struct storm {
    int port;
    struct buf login;
    struct load_result result;
    struct err err;
    int rc;
    atomic_bool over;
};

static const char *next_login(void *ud, size_t *n)
{
    struct storm *s = ud;
    *n = s->login.n;
    return s->login.p;
}

static void *storm(void *ud)
{
    struct storm *s = ud;
    struct load l = { .port = s->port,
                      .connections = LOGINS,
                      .seconds = 120,
                      .most = LOGINS,
                      .next = next_login,
                      .ud = s };
    s->rc = load_run(&l, &s->result, &s->err);
    atomic_store(&s->over, true);
    return NULL;
}

struct poll {
    struct storm *s;
    struct buf b;
};

static const char *next_poll(void *ud, size_t *n)
{
    struct poll *p = ud;
    *n = p->b.n;
    return p->b.p;
}

static bool storm_over(void *ud) { return atomic_load(&((struct poll *)ud)->s->over); }

static int poll_health(struct storm *s, struct load_result *out, struct err *err)
{
    struct poll p = { s, BUF_INIT(0) };
    struct load l = { .port = s->port,
                      .connections = 1,
                      .seconds = 120,
                      .pause = 0.002,
                      .over = storm_over,
                      .next = next_poll,
                      .ud = &p };
    load_request(&p.b, "GET", "/healthz", NULL, NULL);
    int rc = load_run(&l, out, err);
    buf_free(&p.b);
    return rc;
}

int bench_login_storm(struct bench *b, struct err *err)
{
    struct serving sv;
    struct load_result health;
    struct storm s = { .login = BUF_INIT(0) };
    pthread_t thread;
    int rc = serving_start(&sv, false, err);
    s.port = sv.port;
    load_request(&s.login, "POST", "/api/token/", NULL,
                 "{\"email\": \"" SERVING_EMAIL "\", \"password\": \"" SERVING_PASSWORD "\"}");
    if (!rc && pthread_create(&thread, NULL, storm, &s)) rc = err_nomem(err);
    if (!rc) {
        rc = poll_health(&s, &health, err);
        pthread_join(thread, NULL);
    }
    if (!rc && s.rc) rc = err_set(err, s.rc, "%s", s.err.msg);
    if (!rc && (s.result.bad || health.bad))
        rc = err_set(err, ERR_INTERNAL, "%llu logins failed: %.100s",
                     (unsigned long long)s.result.bad, s.result.first_bad);
    if (!rc)
        bench_report(b, "login_storm", health.p99 * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                     "p99 of /healthz (%llu asked, longest %.0f ms); %d logins in %.1f s; goal 50",
                     (unsigned long long)health.answers, health.max * 1e3, LOGINS,
                     s.result.seconds);
    buf_free(&s.login);
    serving_stop(&sv);
    return rc;
}
