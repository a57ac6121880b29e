/* A client of OpenAI-compatible servers, on libcurl's multi interface: between two looks at the
 * line there is time to ask whether anybody still wants the answer.
 *
 * What was asked may be somebody's words, and a key is a secret: neither ever stands in a message.
 * What a server says of an error may repeat them, so a message that shares 32 bytes with the
 * request, or 6 with the key, is passed over for words of our own. A redirect is not followed: it
 * would take both to a place that nobody agreed to.
 *
 * A try counts as void, and is made again, only while nothing of a good reply has come: nobody is
 * charged twice for an answer, and no text is said twice. Proxies are the environment's, but never
 * for this machine itself. */
#include "net/client.h"

#include "base/clock.h"
#include "base/str.h"
#include "net/handle.h"
#include "net/sse.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CONNECT     5  /* seconds */
#define QUIET       60 /* seconds without a byte */
#define TRIES       3
#define FIRST_WAIT  0.5
#define LONGEST     30 /* seconds that a server may ask us to wait */
#define POLL_MS     100
#define MAX         ((size_t)16 << 20)
#define EVENT_MAX   ((size_t)1 << 20)
#define ERROR_BYTES 8192 /* of an error's body */
#define SAID_BYTES  200  /* of these, for the reader */

struct post {
    const struct client_call *call;
    struct net_host host;
    CURL *curl;
    char problem[CURL_ERROR_SIZE];
    struct buf *reply;
    struct buf error; /* body of a reply that is not 2xx */
    struct sse sse;
    double last; /* when a byte came or went */
    size_t got;  /* bytes of a good reply */
    long status;
    int retry_after; /* seconds; -1: not said */
    bool events, quiet;
    int rc; /* of ours, from a callback */
    struct err *err;
};

/* ---- what comes ---- */

static size_t on_header(char *p, size_t one, size_t n, void *ud)
{
    struct post *t = ud;
    struct span line = { p, n };
    const char *colon = memchr(p, ':', n);
    char value[64];
    t->last = clock_mono();
    if (n > 5 && !memcmp(p, "HTTP/", 5)) { /* of the next response: 100, then 200 */
        t->events = false;
        t->retry_after = -1;
    }
    if (!colon) return n;
    struct span name = { line.p, (size_t)(colon - line.p) };
    struct span v = span_trim((struct span){ colon + 1, n - name.n - 1 });
    snprintf(value, sizeof value, "%.*s", v.n < sizeof value ? (int)v.n : 0, v.p);
    if (span_ieq(name, "content-type")) t->events = !strncasecmp(value, "text/event-stream", 17);
    if (span_ieq(name, "retry-after")) {
        char *end;
        long s = strtol(value, &end, 10);
        time_t at = *end || end == value ? curl_getdate(value, NULL) : -1;
        if (at != -1) s = (long)(at - time(NULL));
        if (at != -1 || (!*end && end > value))
            t->retry_after = s < 0 ? 0 : s > 86400 ? 86400 : (int)s;
    }
    return n;
}

static size_t on_data(char *p, size_t one, size_t n, void *ud)
{
    struct post *t = ud;
    size_t max = t->call->max ? t->call->max : MAX;
    t->last = clock_mono();
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    if (t->status < 200 || t->status > 299) {
        size_t room = ERROR_BYTES - t->error.n;
        buf_add(&t->error, p, n < room ? n : room);
        return n <= room ? n : 0;
    }
    if (n > max - t->got)
        t->rc = err_set(t->err, ERR_LIMIT, "the answer of %s is larger than %zu bytes",
                        t->host.with_port, max);
    t->got += n;
    if (!t->rc && t->events && t->call->event) {
        t->rc = sse_feed(&t->sse, p, n, t->err);
        if (t->rc == ERR_LIMIT) err_prefix(t->err, t->rc, "%s", t->host.with_port);
        else if (t->rc && t->rc != ERR_NOMEM) t->rc = err_set(t->err, ERR_CANCEL, "stopped");
    } else if (!t->rc && buf_add(t->reply, p, n)) {
        t->rc = err_nomem(t->err);
    }
    return t->rc ? 0 : n;
}

static bool asked_to_stop(struct post *t)
{
    if (t->rc || !t->call->stop || !t->call->stop(t->call->ud)) return t->rc != 0;
    t->rc = err_set(t->err, ERR_CANCEL, "stopped");
    return true;
}

/* ---- one try ---- */

/* Until the transfer is over, stopped, or has been quiet for too long. */
static CURLcode drive(struct post *t, CURLM *m)
{
    int running = 1, left = 0;
    curl_off_t sent = 0, was = 0;
    int quiet = t->call->quiet_seconds ? t->call->quiet_seconds : QUIET;
    t->last = clock_mono();
    while (!asked_to_stop(t)) {
        if (curl_multi_perform(m, &running)) return CURLE_FAILED_INIT;
        if (!running) break;
        curl_easy_getinfo(t->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
        if (sent > was) was = sent, t->last = clock_mono();
        t->quiet = clock_mono() - t->last > quiet;
        if (t->quiet) return CURLE_OPERATION_TIMEDOUT;
        curl_multi_poll(m, NULL, 0, POLL_MS, NULL);
    }
    CURLMsg *msg = curl_multi_info_read(m, &left);
    return t->rc ? CURLE_ABORTED_BY_CALLBACK : msg ? msg->data.result : CURLE_FAILED_INIT;
}

static CURLcode try_once(struct post *t)
{
    CURLM *m = curl_multi_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    t->status = 0;
    t->retry_after = -1;
    t->quiet = t->events = false;
    *t->problem = 0;
    buf_clear(&t->error);
    if (m && !curl_multi_add_handle(m, t->curl)) {
        code = drive(t, m);
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
        curl_multi_remove_handle(m, t->curl);
    }
    curl_multi_cleanup(m);
    return code;
}

static bool worth_another_try(const struct post *t, CURLcode code)
{
    if (t->rc || t->got || t->quiet) return false;
    if (t->status)
        return t->status == 429 || t->status == 502 || t->status == 503 || t->status == 504 ||
               (t->status < 300 && code);
    return code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
           code == CURLE_RECV_ERROR || code == CURLE_OPERATION_TIMEDOUT;
}

/* false: stopped. */
static bool wait_a_little(struct post *t, double seconds)
{
    double until = clock_mono() + seconds;
    while (clock_mono() < until) {
        if (asked_to_stop(t)) return false;
        nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L / 2 }, NULL);
    }
    return true;
}

static CURLcode try_often(struct post *t)
{
    int tries = t->call->tries ? t->call->tries : TRIES;
    double wait = FIRST_WAIT;
    for (;; wait *= 2) {
        CURLcode code = try_once(t);
        double pause = t->retry_after > wait ? t->retry_after : wait;
        if (--tries <= 0 || !worth_another_try(t, code) || pause > LONGEST) return code;
        if (!wait_a_little(t, pause)) return CURLE_ABORTED_BY_CALLBACK;
    }
}

/* ---- what to say ---- */

/* Do a and b share a run of so many bytes? */
static bool share(const char *a, size_t a_n, const char *b, size_t b_n, size_t run)
{
    for (size_t i = 0; i + run <= a_n; i++)
        if (memmem(b, b_n, a + i, run)) return true;
    return false;
}

/* ": what the server said", or nothing, into out. */
static void said_of(const struct post *t, struct buf *out)
{
    json_t *j = json_loadb(buf_str(&t->error), t->error.n, 0, NULL);
    json_t *e = json_object_get(j, "error");
    const char *s = json_string_value(json_is_string(e) ? e : json_object_get(e, "message"));
    struct buf clean = BUF_INIT(ERROR_BYTES * 4);
    if (!s) s = json_string_value(json_object_get(j, "message"));
    if (s) utf8_clean(&clean, s, strlen(s));
    for (size_t i = 0; i < clean.n; i++)
        if (clean.p[i] == '\n' || clean.p[i] == '\t') clean.p[i] = ' ';
    struct span v = span_trim((struct span){ clean.p, clean.n });
    v.n = utf8_cut(v.p, v.n, SAID_BYTES);
    const char *key = t->call->key;
    if (v.n && !(t->call->body && share(v.p, v.n, t->call->body, t->call->body_n, 32)) &&
        !(key && share(v.p, v.n, key, strlen(key), 6)))
        buf_printf(out, ": %.*s", (int)v.n, v.p);
    buf_free(&clean);
    json_decref(j);
}

static int line_error(const struct post *t, CURLcode code)
{
    const char *why = *t->problem ? t->problem : curl_easy_strerror(code), *who = t->host.with_port;
    struct err *err = t->err;
    if (t->quiet)
        return err_set(err, ERR_IO, "%s has not sent anything for %d seconds: is it overloaded?",
                       who, t->call->quiet_seconds ? t->call->quiet_seconds : QUIET);
    if (t->got) return err_set(err, ERR_IO, "the answer of %s broke off", who);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return err_set(err, ERR_IO, "cannot reach %s: there is no host of that name, or no network",
                       who);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, ERR_IO,
                       "%s could not prove who it is (%s); set SSL_CERT_FILE if its certificates "
                       "are your own",
                       who, why);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_IO, "cannot reach %s: is the server running?", who);
    return err_set(err, ERR_IO, "cannot reach %s: %s", who, why);
}

static int status_error(const struct post *t)
{
    const char *who = t->host.with_port;
    struct buf said = BUF_INIT(400);
    long s = t->status;
    int rc;
    said_of(t, &said);
    const char *more = buf_str(&said);
    if (s == 401 || s == 403)
        rc = err_set(t->err, ERR_KEY, "%s %s (status %ld)%s", who,
                     t->call->key ? "does not take this key" : "wants a key", s, more);
    else if (s == 404)
        rc = err_set(t->err, ERR_NOTFOUND,
                     "%s has no such model, or the address is not that of its API (status 404)%s",
                     who, more);
    else if (s == 429 || s == 503)
        rc = t->retry_after > 0
                 ? err_set(t->err, ERR_BUSY, "%s is busy (status %ld): try again in %d seconds%s",
                           who, s, t->retry_after, more)
                 : err_set(t->err, ERR_BUSY, "%s is busy (status %ld): try again later%s", who, s,
                           more);
    else if (s == 413) rc = err_set(t->err, ERR_LIMIT, "%s takes no request so large", who);
    else if (s >= 300 && s < 400)
        rc = err_set(t->err, ERR_INVAL,
                     "%s sends us to another address (status %ld), which is not followed: set the "
                     "address that it really has",
                     who, s);
    else if (s == 400 || s == 422)
        rc =
            err_set(t->err, ERR_INVAL, "%s does not take the request (status %ld)%s", who, s, more);
    else rc = err_set(t->err, ERR_IO, "%s failed (status %ld)%s", who, s, more);
    buf_free(&said);
    return rc;
}

/* ---- all of it ---- */

static int set_up(struct post *t, struct curl_slist **headers)
{
    const struct client_call *c = t->call;
    CURL *h = t->curl;
    *headers = curl_slist_append(NULL, c->event ? "Accept: text/event-stream, application/json"
                                                : "Accept: application/json");
    struct curl_slist *more =
        *headers ? curl_slist_append(*headers, "Content-Type: application/json") : NULL;
    if (more) more = curl_slist_append(more, "Expect:");
    if (!more) return err_nomem(t->err);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT,
                     (long)(c->connect_seconds ? c->connect_seconds : CONNECT));
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    if (t->host.local) curl_easy_setopt(h, CURLOPT_PROXY, "");
    if (c->key && *c->key) {
        curl_easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(h, CURLOPT_XOAUTH2_BEARER, c->key);
    }
    if (c->body) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_n);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, c->body);
    }
    return 0;
}

int client_post(const struct client_call *c, struct buf *reply, struct err *err)
{
    struct err ours = { 0 };
    struct post t = { .call = c, .reply = reply, .err = err ? err : &ours };
    struct curl_slist *headers = NULL;
    t.error.max = ERROR_BYTES;
    t.sse = (struct sse){ .event = c->event, .ud = c->ud, .max = EVENT_MAX };
    int rc = net_host(c->url, &t.host, t.err);
    if (rc) return rc;
    if (t.host.plain && !t.host.local && !c->plain)
        return err_set(t.err, ERR_INVAL,
                       "%s is another machine, and http:// would send your words for all on the "
                       "way to read: use https://",
                       t.host.with_port);
    if (!(t.curl = net_handle(c->url, &t.host, t.problem, t.err))) return ERR_NOMEM;
    if (!(rc = set_up(&t, &headers))) {
        CURLcode code = try_often(&t);
        if (t.rc) rc = t.rc;
        else if (t.status >= 300) rc = status_error(&t);
        else if (code) rc = line_error(&t, code);
    }
    curl_easy_cleanup(t.curl);
    curl_slist_free_all(headers);
    sse_free(&t.sse);
    buf_free(&t.error);
    return rc;
}

bool client_is_local(const char *url)
{
    struct net_host h;
    return !net_host(url, &h, NULL) && h.local;
}

int client_host(const char *url, char out[256], struct err *err)
{
    struct net_host h;
    int rc = net_host(url, &h, err);
    if (rc) *out = 0;
    else snprintf(out, 256, "%.255s", h.with_port);
    return rc;
}
