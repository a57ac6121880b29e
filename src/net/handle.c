/* Transfers begin here. Certificates are libcurl's, or those of SSL_CERT_FILE. A host counts as
 * this machine by its address, not by how its name begins: 127.example.org is somebody else's. */
#include "net/handle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static bool local_host(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    char bare[64];
    size_t n = strlen(host);
    if (!strcasecmp(host, "localhost")) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    if (n < 3 || n >= sizeof bare || host[0] != '[') return false;
    snprintf(bare, sizeof bare, "%.*s", (int)n - 2, host + 1);
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int net_host(const char *url, struct net_host *out, struct err *err)
{
    CURLU *u = curl_url();
    char *host = NULL, *scheme = NULL, *port = NULL;
    int rc = 0;
    *out = (struct net_host){ 0 };
    if (!u) return err_nomem(err);
    if (curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) || strlen(host) >= sizeof out->name ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        rc = err_set(err, ERR_INVAL, "%.300s is no http:// or https:// address", url);
        goto out;
    }
    curl_url_get(u, CURLUPART_PORT, &port, 0); /* none: the usual one, which nobody writes */
    snprintf(out->name, sizeof out->name, "%s", host);
    snprintf(out->with_port, sizeof out->with_port, "%s%s%s", host, port ? ":" : "",
             port ? port : "");
    out->plain = !strcmp(scheme, "http");
    out->local = local_host(host);
out:
    curl_free(host);
    curl_free(scheme);
    curl_free(port);
    curl_url_cleanup(u);
    return rc;
}

CURL *net_handle(const char *url, const struct net_host *h, char *problem, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *ca = getenv("SSL_CERT_FILE");
    pthread_once(&once, start_curl);
    CURL *c = curl_easy_init();
    if (!c) {
        err_nomem(err);
        return NULL;
    }
    *problem = 0;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, h->plain ? "http" : "https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, h->plain ? "http" : "https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "likeness");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, problem);
    if (ca && *ca) curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    return c;
}
