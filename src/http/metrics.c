/* What /metrics says, in Prometheus's text format 0.0.4.
 *
 * Requests are counted by route and class of status, with a histogram of their duration: buckets
 * that double, from half a millisecond to two minutes. Counters are atomic and each thread has its
 * own set (threads beyond SHARDS share), so that two cores never write the same cache line for a
 * request; whoever asks adds them up. Pages whose reply is made before have no duration worth
 * measuring and are only counted. Nothing here names an account or a persona. */
#include "http/inside.h"
#include "jobs/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS = 16, CLASSES = 6, BUCKETS = 19 };

struct counts { /* of a route */
    _Atomic uint64_t by_class[CLASSES];
    _Atomic uint64_t bucket[BUCKETS + 1];
    _Atomic uint64_t micros, bytes;
};

struct metrics {
    const struct router *router;
    size_t n; /* routes, and one for requests without one */
    struct counts *shard[SHARDS];
};

struct metrics *metrics_new(const struct router *r)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->router = r;
    m->n = router_count(r) + 1;
    for (int i = 0; i < SHARDS; i++) {
        size_t size = (m->n * sizeof(struct counts) + 63) & ~(size_t)63;
        m->shard[i] = aligned_alloc(64, size);
        if (!m->shard[i]) {
            metrics_free(m);
            return NULL;
        }
        memset(m->shard[i], 0, size);
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m) return;
    for (int i = 0; i < SHARDS; i++) free(m->shard[i]);
    free(m);
}

static unsigned my_shard(void)
{
    static atomic_uint next;
    static _Thread_local unsigned mine; /* plus one */
    if (!mine) mine = atomic_fetch_add(&next, 1) % SHARDS + 1;
    return mine - 1;
}

static double bound(int bucket) { return 0.0005 * (double)((uint64_t)1 << bucket); }

static void add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

void metrics_count(struct metrics *m, size_t route, unsigned status, double seconds, uint64_t out)
{
    struct counts *c = &m->shard[my_shard()][route < m->n ? route : m->n - 1];
    unsigned class = status / 100;
    add(&c->by_class[class < CLASSES ? class : 0], 1);
    add(&c->bytes, out);
    if (seconds < 0) return;
    int b = 0;
    while (b < BUCKETS && seconds > bound(b)) b++;
    add(&c->bucket[b], 1);
    add(&c->micros, (uint64_t)(seconds * 1e6));
}

static uint64_t total(const struct metrics *m, size_t route, size_t offset)
{
    uint64_t n = 0;
    for (int i = 0; i < SHARDS; i++) {
        const char *at = (const char *)&m->shard[i][route] + offset;
        n += atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)at, memory_order_relaxed);
    }
    return n;
}

static const char *name_of(const struct metrics *m, size_t i)
{
    return i + 1 < m->n ? router_at(m->router, i)->name : "none";
}

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP likeness_%s %s\n# TYPE likeness_%s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    head(b, name, type, help);
    buf_printf(b, "likeness_%s %llu\n", name, (unsigned long long)v);
}

static void write_requests(const struct metrics *m, struct buf *b)
{
    head(b, "http_requests_total", "counter", "Requests by route and class of status.");
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < CLASSES; k++) {
            uint64_t n = total(m, i, offsetof(struct counts, by_class) + k * sizeof(uint64_t));
            if (n)
                buf_printf(b, "likeness_http_requests_total{route=\"%s\",status=\"%zuxx\"} %llu\n",
                           name_of(m, i), k, (unsigned long long)n);
        }
    head(b, "http_reply_bytes_total", "counter", "Bytes of replies by route, without heads.");
    for (size_t i = 0; i < m->n; i++) {
        uint64_t n = total(m, i, offsetof(struct counts, bytes));
        if (n)
            buf_printf(b, "likeness_http_reply_bytes_total{route=\"%s\"} %llu\n", name_of(m, i),
                       (unsigned long long)n);
    }
}

static void write_durations(const struct metrics *m, struct buf *b)
{
    head(b, "http_request_seconds", "histogram", "From the head of a request to its reply's end.");
    for (size_t i = 0; i < m->n; i++) {
        uint64_t n[BUCKETS + 1], sum = 0;
        for (size_t k = 0; k <= BUCKETS; k++) {
            n[k] = total(m, i, offsetof(struct counts, bucket) + k * sizeof(uint64_t));
            sum += n[k];
        }
        if (!sum) continue;
        const char *name = name_of(m, i);
        sum = 0;
        for (int k = 0; k <= BUCKETS; k++) {
            char le[24] = "+Inf";
            if (k < BUCKETS) snprintf(le, sizeof le, "%g", bound(k));
            sum += n[k];
            buf_printf(b, "likeness_http_request_seconds_bucket{route=\"%s\",le=\"%s\"} %llu\n",
                       name, le, (unsigned long long)sum);
        }
        buf_printf(b, "likeness_http_request_seconds_sum{route=\"%s\"} %.6f\n", name,
                   (double)total(m, i, offsetof(struct counts, micros)) / 1e6);
        buf_printf(b, "likeness_http_request_seconds_count{route=\"%s\"} %llu\n", name,
                   (unsigned long long)sum);
    }
}

static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128] = "";
    if (f) {
        if (!fgets(line, sizeof line, f)) line[0] = 0;
        fclose(f);
    }
    const char *second = strchr(line, ' ');
    uint64_t pages = second ? strtoull(second, NULL, 10) : 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int write_jobs(struct service *sv, struct buf *b, struct err *err)
{
    uint64_t n[5] = { 0 };
    int rc = service_job_counts(sv, n, err);
    if (rc) return rc;
    head(b, "jobs", "gauge", "Jobs by state.");
    for (int i = 0; i < 5; i++)
        buf_printf(b, "likeness_jobs{state=\"%s\"} %llu\n", job_state_word((enum job_state)i),
                   (unsigned long long)n[i]);
    return 0;
}

int metrics_write(struct server *s, struct buf *out, struct err *err)
{
    const struct world *w = s->world;
    write_requests(s->metrics, out);
    write_durations(s->metrics, out);
    one(out, "http_requests_in_flight", "gauge", "Requests that are not over.",
        atomic_load(&s->in_flight));
    one(out, "workers_running", "gauge", "Handlers that run.", workers_running(s->workers));
    one(out, "workers_waiting", "gauge", "Requests that wait for a worker.",
        workers_waiting(s->workers));
    one(out, "process_resident_bytes", "gauge", "Memory of the process.", resident_bytes());
    if (w && w->pool) {
        struct pool_load l;
        pool_load(w->pool, &l);
        one(out, "pool_desks", "gauge", "Personas open to be asked.", l.desks);
        one(out, "pool_desks_busy", "gauge", "Of these, being asked.", l.busy);
        one(out, "pool_opened_total", "counter", "Personas opened since the start.", l.opened);
        one(out, "pool_bytes", "gauge", "Memory of open personas.", l.bytes);
    }
    int rc = w && w->service ? write_jobs(w->service, out, err) : 0;
    if (rc) return rc;
    return out->failed ? err_nomem(err) : 0;
}
