/* Load over HTTP/1.1 from one thread: many connections that are kept open, each with one request
 * under way. And plain requests, one at a time, for what a bench needs beside it.
 *
 *     struct load l = { .port = port, .connections = 64, .seconds = 5, .next = next_request };
 *     struct load_result r;
 *     load_run(&l, &r, err);           r.answers / r.seconds; r.p99
 *
 *     struct buf answer = BUF_INIT(0);
 *     int status = load_ask(port, "GET", "/healthz", NULL, NULL, &answer, err); */
#ifndef LK_BENCH_LOAD_H
#define LK_BENCH_LOAD_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

struct load {
    int port; /* on 127.0.0.1 */
    int connections;
    double seconds;
    uint64_t most; /* answers, 0: any number; then each request is sent once */
    double pause;  /* seconds between an answer and the next request of the connection */
    /* The next request, whole, borrowed until this connection's answer has come. */
    const char *(*next)(void *ud, size_t *n);
    bool (*over)(void *ud); /* NULL: after `seconds` only */
    void *ud;
};
struct load_result {
    uint64_t answers, bad;         /* bad: of them, not 2xx */
    double seconds, p50, p99, max; /* seconds */
    char first_bad[200];           /* how the first bad one began */
};
int load_run(const struct load *l, struct load_result *out, struct err *err);

int load_connect(int port, struct err *err); /* a socket, or a negative code */
/* A request on a connection of its own; token, json: NULL for none. Returns the status; out gets
 * the body. */
int load_ask(int port, const char *method, const char *path, const char *token, const char *json,
             struct buf *out, struct err *err);
/* The same request as bytes, for load.next. */
void load_request(struct buf *out, const char *method, const char *path, const char *token,
                  const char *json);
/* Raises the limit of open files to what is allowed; returns it. */
uint64_t load_files(void);

#endif
