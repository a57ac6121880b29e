/* What remote.c and remote_embed.c share; nobody else includes it. */
#ifndef LK_PERSONA_REMOTE_IMPL_H
#define LK_PERSONA_REMOTE_IMPL_H

#include "net/client.h"
#include "persona/remote.h"

#include <jansson.h>
#include <pthread.h>

struct remote {
    char *url, *model, *key, *embed; /* url without a slash at its end */
    char host[256];
    bool local, plain;
    int quiet_seconds, tries, context, mask;
    void (*leaving)(void *ud, const char *host); /* NULL when nobody is to be told (any more) */
    void *ud;
    pthread_mutex_t lock; /* around model, when the server is asked for it, and leaving */
};

/* POST (body NULL: GET) to url + path; c: what else is to be set. */
int remote_call(struct remote *r, const char *path, json_t *body, struct client_call *c,
                struct buf *reply, struct err *err);
/* The reply as JSON; caller decrefs. */
int remote_json(struct remote *r, const char *path, json_t *body, json_t **out, struct err *err);

/* The error of a server that was asked on somebody's behalf, for that somebody: its 401 or 404 is
 * not theirs. What is of this process stays as it is. */
int remote_failed(int rc, struct err *err);

#endif
