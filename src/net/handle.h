/* What every transfer of this room has in common: who is asked, and the settings of libcurl. */
#ifndef LK_NET_HANDLE_H
#define LK_NET_HANDLE_H

#include "base/err.h"

#include <curl/curl.h>
#include <stdbool.h>

struct net_host {
    char name[256]; /* "api.example.org", "[::1]" */
    char with_port[264];
    bool plain; /* http */
    bool local; /* this very machine */
};
/* ERR_INVAL: no http or https address. */
int net_host(const char *url, struct net_host *out, struct err *err);
/* A handle for this address, no other protocol and no signals; problem: CURL_ERROR_SIZE bytes,
 * which live as long as the handle. Caller cleans up. NULL when out of memory. */
CURL *net_handle(const char *url, const struct net_host *h, char *problem, struct err *err);

#endif
