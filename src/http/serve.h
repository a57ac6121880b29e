/* A whole server over one home: its pool, accounts, jobs and routes, put together.
 *
 *     struct serve *s;
 *     serve_start(home, &(struct serve_opts){ .server = { .port = 8600 } }, &s, err);
 *     ... until told to stop ...
 *     serve_stop(s, 20);          requests and jobs under way have so many seconds to end
 *
 * The home was opened to write and stays the caller's; nobody else may use it meanwhile. */
#ifndef LK_HTTP_SERVE_H
#define LK_HTTP_SERVE_H

#include "http/http.h"

struct serve_opts {
    struct server_opts server;
    struct account_opts accounts;
    struct pool_opts pool;
    const char *voice;     /* "quote" */
    struct native *model;  /* borrowed; NULL: no native voice, no plain models */
    struct remote *remote; /* borrowed; NULL: no remote voice */
    struct sampler_opts sampling;
    int max_tokens, k;
    bool adaptive;
    float floor;
    int64_t upload_quota; /* bytes */
    int job_workers;      /* 0: one */
};

struct serve;
int serve_start(struct home *h, const struct serve_opts *o, struct serve **out, struct err *err);
int serve_port(const struct serve *s);
struct world *serve_world(struct serve *s);
struct accounts *serve_accounts(struct serve *s);
void serve_stop(struct serve *s, int seconds); /* accepts NULL */

#endif
