/* An HTTP client for servers that speak the OpenAI API: one request, its reply whole or as it
 * comes.
 *
 *     struct client_call c = { .url = "http://127.0.0.1:11434/v1/chat/completions", .body = json,
 *                              .body_n = n, .key = key, .event = on_event, .ud = &x };
 *     client_post(&c, &reply, err);
 *
 * libcurl does lines, TLS and proxies. Retries only where nothing of the reply has come: connection
 * refused or lost, 429, 502, 503, 504; after 0.5, 1, 2 ... seconds or what Retry-After says, at
 * most `tries`. https with verified certificates; plain http is taken anywhere that client_is_local
 * says is this machine, elsewhere only when `plain` is set. */
#ifndef LK_NET_CLIENT_H
#define LK_NET_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct client_call {
    const char *url;
    const char *body; /* JSON; NULL: GET */
    size_t body_n;
    const char *key;     /* bearer token; NULL: none. Never in a message or log */
    int connect_seconds; /* 0: 5 */
    int quiet_seconds;   /* no byte for so long: give up; 0: 60 */
    int tries;           /* 0: 3 */
    bool plain;          /* http to other machines, too */
    size_t max;          /* bytes of the reply; 0: 16 MiB */
    /* Server-sent events as they come (data lines joined); non-0 stops: ERR_CANCEL. NULL: the reply
     * is one document. */
    int (*event)(void *ud, const char *data, size_t n);
    /* Asked several times a second while waiting: non-0 stops. NULL: nobody asks. */
    int (*stop)(void *ud);
    void *ud;
};

/* reply: the document, or nothing when events were given. ERR_IO: away ("cannot reach HOST: is the
 * server running?"), ERR_KEY: 401, 403; ERR_NOTFOUND: 404; ERR_BUSY: 429 or 503 after all tries;
 * ERR_LIMIT; ERR_PARSE; ERR_CANCEL. Messages name host and status, with what the server said of a
 * model or key (its error.message, at most 200 bytes, cleaned) and never what was sent. */
int client_post(const struct client_call *c, struct buf *reply, struct err *err);
/* Is the host of this URL this very machine (localhost, 127/8, ::1)? */
bool client_is_local(const char *url);
/* "api.example.org:8443" into out; ERR_INVAL for what is no http(s) URL. */
int client_host(const char *url, char out[256], struct err *err);

#endif
