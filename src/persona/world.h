/* The world of a server: what its handlers and its jobs work with. Made once by serve_open (http/)
 * or by a test; all of it may be used from any thread. */
#ifndef LK_PERSONA_WORLD_H
#define LK_PERSONA_WORLD_H

#include "persona/pool.h"
#include "persona/voice.h"
#include "store/service.h"

struct remote;
struct jobs;

/* Notes of the service (service_note_get): the key of what is in spool_dir; and while a server runs
 * its process number, in digits. */
#define WORLD_SPOOL_KEY "spool_key"
#define WORLD_SERVER    "server"

struct world {
    struct pool *pool;
    struct service *service;
    struct jobs *jobs; /* set before the first request */
    uint8_t spool_key[VAULT_KEY];
    char *spool_dir;   /* HOME/incoming, 0700: uploads until their job has taken them in, exports */
    const char *voice; /* the default: "quote" */
    struct native *model;  /* NULL: none */
    struct remote *remote; /* NULL: none */
    struct sampler_opts sampling;
    int max_tokens;
    int k;
    bool adaptive;
    float floor;
    int64_t upload_quota; /* bytes of an account waiting in spool_dir */
};

#endif
