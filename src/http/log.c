/* The log of requests, on stderr: a line for each when it is over.
 *
 * json:
 * {"time":"2026-01-02T03:04:05.678Z","request":"9f...","method":"POST","route":"persona.prompt",
 *        "status":200,"ms":12.3,"in":120,"out":810,"account":7}
 * text: the same for people. A line names the route, not the path, since paths hold ids; it has no
 * address, no query, nothing of a body. What went wrong in here (status 5xx) has "error": the
 * sentence, which names files and rows of ours, never somebody's text.
 *
 * Lines are gathered in memory and written five times a second by the keeper of connections, or
 * when there are many: a terminal or a pipe that is slow must not hold a request up. When it is
 * very slow, lines are left out, and a line says how many. Lock: `m` for the buffer; writing is
 * done with a second one, so that a slow stderr only holds the keeper. Health pages are not logged.
 */
#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum form { NONE, JSON, TEXT };
enum { FULL = 1 << 20 };

struct log {
    enum form form;
    pthread_mutex_t m, writing;
    struct buf lines;
    uint64_t lost;
};

int log_open(const char *form, struct log **out, struct err *err)
{
    static const char *const words[] = { "none", "json", "text" };
    struct log *l = calloc(1, sizeof *l);
    int i = form ? 2 : 1;
    *out = NULL;
    if (!l) return err_nomem(err);
    while (form && i >= 0 && strcmp(words[i], form)) i--;
    if (i < 0) {
        free(l);
        return err_set(err, ERR_INVAL, "the log can be json, text or none");
    }
    l->form = (enum form)i;
    l->lines.max = FULL;
    pthread_mutex_init(&l->m, NULL);
    pthread_mutex_init(&l->writing, NULL);
    *out = l;
    return 0;
}

static void stamp(char out[32])
{
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 32 - n, ".%03ldZ", t.tv_nsec / 1000000);
}

static void line_json(struct buf *b, const struct request *q, double ms)
{
    const struct call *c = &q->call;
    const struct route *r = c->route;
    char at[32];
    stamp(at);
    buf_printf(b, "{\"time\":\"%s\",\"request\":\"%s\"", at, c->request_id);
    if (r) buf_printf(b, ",\"method\":\"%s\",\"route\":\"%s\"", r->method, r->name);
    buf_printf(b, ",\"status\":%u,\"ms\":%.1f,\"in\":%llu,\"out\":%llu", q->status, ms,
               (unsigned long long)q->taken, (unsigned long long)atomic_load(&q->written));
    if (c->who.account) buf_printf(b, ",\"account\":%lld", (long long)c->who.account);
    if (q->status >= 500 && q->err.code) {
        json_t *s = json_string(q->err.msg);
        buf_adds(b, ",\"error\":");
        json_into(b, s, NULL);
        json_decref(s);
    }
    buf_adds(b, "}\n");
}

static void line_text(struct buf *b, const struct request *q, double ms)
{
    const struct call *c = &q->call;
    const struct route *r = c->route;
    char at[32];
    stamp(at);
    buf_printf(b, "%.19s  %-3u %8.1f ms  %-6s %-28s", at, q->status, ms, r ? r->method : "-",
               r ? r->name : "-");
    if (c->who.account) buf_printf(b, "  account %lld", (long long)c->who.account);
    buf_printf(b, "  %s", c->request_id);
    if (q->status >= 500 && q->err.code) buf_printf(b, "  %s", q->err.msg);
    buf_addc(b, '\n');
}

void log_request(struct log *l, const struct request *q, double seconds)
{
    const struct route *r = q->call.route;
    if (l->form == NONE || (r && r->flags & ROUTE_UNLIMITED && q->status < 500)) return;
    struct buf b = BUF_INIT(4096);
    if (l->form == JSON) line_json(&b, q, seconds * 1e3);
    else line_text(&b, q, seconds * 1e3);
    pthread_mutex_lock(&l->m);
    if (b.failed || l->lines.n + b.n > FULL || buf_add(&l->lines, b.p, b.n)) l->lost++;
    bool many = l->lines.n > FULL / 4;
    pthread_mutex_unlock(&l->m);
    buf_free(&b);
    if (many && !pthread_mutex_trylock(&l->writing)) {
        pthread_mutex_unlock(&l->writing);
        log_flush(l);
    }
}

/* All of it, but no longer than a second for somebody who does not read. */
static void write_all(const char *p, size_t n)
{
    for (int tries = 0; n && tries < 10;) {
        struct pollfd f = { .fd = STDERR_FILENO, .events = POLLOUT };
        if (poll(&f, 1, 100) <= 0) {
            tries++;
            continue;
        }
        ssize_t w = write(STDERR_FILENO, p, n < 4096 ? n : 4096);
        if (w < 0 && errno != EINTR && errno != EAGAIN) return;
        if (w <= 0) tries++;
        else {
            p += w;
            n -= (size_t)w;
        }
    }
}

void log_flush(struct log *l)
{
    if (!l || l->form == NONE) return;
    struct buf b = BUF_INIT(FULL);
    pthread_mutex_lock(&l->writing);
    pthread_mutex_lock(&l->m);
    struct buf mine = l->lines;
    uint64_t lost = l->lost;
    l->lines = b;
    l->lost = 0;
    pthread_mutex_unlock(&l->m);
    write_all(mine.p, mine.n);
    if (lost) {
        char line[80];
        int n = snprintf(line, sizeof line,
                         l->form == JSON ? "{\"lost\":%llu}\n" : "%llu lines were left out\n",
                         (unsigned long long)lost);
        write_all(line, (size_t)n);
    }
    buf_free(&mine);
    pthread_mutex_unlock(&l->writing);
}

void log_close(struct log *l)
{
    if (!l) return;
    log_flush(l);
    buf_free(&l->lines);
    pthread_mutex_destroy(&l->m);
    pthread_mutex_destroy(&l->writing);
    free(l);
}
