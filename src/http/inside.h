/* What the files of http/ share with each other and with nobody else: a request as the server sees
 * it, how it travels between threads, where its body goes, how workers get work.
 *
 *   network thread                           worker                             network thread
 *   headers are here
 *     route, limits, sink chosen
 *     has a body: suspended  ------------->  who is it, may they (call_admit)
 *     sink->begin, then take ... take  <---  resumed, or an error is the reply
 *   all of it is here: suspended  -------->  (call_admit when there was no body)
 *                                            sink->end, call_perform: checks, handler
 *     the reply is queued       <----------  request_answer
 *   MHD is done with it: left(), then the reference of the network goes
 *
 * A request is counted: the network holds one reference from its headers until MHD says that it is
 * over, a worker one for each trip, a kept stream or socket one more. It is logged, counted and
 * freed with the last. `mhd` and `link` may be used by the network thread, and by a worker as long
 * as the connection is suspended, that is until request_answer.
 *
 * Locks: each module has one of its own and calls nobody else's while it holds it. */
#ifndef LK_HTTP_INSIDE_H
#define LK_HTTP_INSIDE_H

#include "http/http.h"

#include <microhttpd.h>
#include <stdatomic.h>

enum {
    HTTP_MEMORY = 16384,   /* of a connection: the head of a request has to fit */
    HTTP_BODY = 1 << 20,   /* bytes of a body when the route does not say */
    HTTP_SWALLOW = 262144, /* a refused body of this size is read over, so that the reply arrives */
    HTTP_DEPTH = 64        /* of JSON */
};

/* veil.c: the same for c->out, unless it was seen to. */
int veil_reply(struct call *c, struct err *err);

/* ---- where a body goes as it comes ---- */
struct request;
struct sink {
    /* Worker, after call_admit, before the first byte: what is expected? May ask the store. An
     * error is the reply. */
    int (*begin)(struct request *q, struct err *err);
    /* Network thread. After an error the rest of the body is read over. SINK_WORK: all of it was
     * taken, and now the connection is to be suspended until a worker has run `work`. */
    int (*take)(struct request *q, const char *p, size_t n, struct err *err);
    /* Worker: all of it is here; sets call.body (not yet checked), call.upload. May wait. */
    int (*end)(struct request *q, struct err *err);
    /* Once begin was called, whatever happened: frees q->sunk. Any thread. */
    void (*drop)(struct request *q);
    /* Worker: what was taken goes to the disk. Its errors count as those of take. NULL: never asked
     * for. The request was admitted: it waits for a worker however many do. */
    int (*work)(struct request *q, struct err *err);
};
#define SINK_WORK 1
extern const struct sink sink_none;   /* call.c: no body is taken */
extern const struct sink sink_plain;  /* call.c: JSON or a form, into q->body */
extern const struct sink sink_upload; /* upload.c: files, into the spool; sets q->texts */

/* ---- a request ---- */
struct work { /* an errand for a worker */
    void (*run)(struct work *w);
    struct work *next;
};

struct link; /* a TCP connection: links.c */
struct request {
    struct call call; /* first; call.internal is the request */
    struct work work;
    struct server *server;
    atomic_int refs;
    struct MHD_Connection *mhd;
    struct link *link;
    const struct sink *sink;
    void *sunk; /* the sink's own */
    struct buf body;
    bool has_body, begun;
    bool texts;                              /* values of the body are strings: a form */
    uint64_t length;                         /* Content-Length; UINT64_MAX: chunked */
    uint64_t taken;                          /* bytes of the body so far */
    _Atomic uint64_t written;                /* bytes of the reply's body, for the log */
    struct err err;                          /* why it is refused: begin, take */
    unsigned status;                         /* of the reply */
    int phase;                               /* request.c */
    bool admitting;                          /* request.c: the first call is made again */
    size_t index;                            /* of the route; SIZE_MAX: none */
    double t_body, t_errand;                 /* when the body began; when a worker got some of it */
    double t0;                               /* clock_mono when its head was here */
    _Atomic(struct MHD_Response *) response; /* to be queued */
    /* Set by a stream or a socket before request_answer: called once, on a network thread, when MHD
     * is done with the connection. Must not wait. */
    void (*left)(void *ud);
    void *left_ud;
    struct stream *stream;     /* of call_events; the handler's thread's own */
    atomic_bool over;          /* MHD is done with it */
    atomic_bool answered;      /* mhd and link are the network's again */
    const char *(*headers)[2]; /* of the request, copied into call.mem */
    size_t n_headers;
};
static inline struct request *request_of(const struct call *c) { return c->internal; }
void request_hold(struct request *q);
void request_drop(struct request *q);
/* Another request of the same client for the same route: one message of a socket. It has one
 * reference, no connection; who, persona, level are the first one's. */
struct request *request_again(struct request *first);
/* Worker, once for each request: the reply. Takes r (which may be NULL: the connection is closed).
 * The connection goes on; mhd and link are no longer the caller's. */
void request_answer(struct request *q, unsigned status, struct MHD_Response *r);
/* Content-Type and friends, call.header[], CORS, the request's id. */
void reply_headers(struct request *q, struct MHD_Response *r, const char *type);
void safe_headers(struct MHD_Response *r, const char *type); /* those without a request */
struct MHD_Response *reply_make(struct request *q);          /* of what the handler left */
struct MHD_Response *reply_error(struct request *q, unsigned status, const struct err *err);
struct MHD_Response *reply_preflight(struct request *q, const char *allow); /* OPTIONS */
/* {"error": {...}} in the form the route wants; caller decrefs. */
json_t *error_json(const struct route *r, int status, const struct err *err);
/* The JSON of an error or a reply, compact; floats with nine digits. */
int json_into(struct buf *out, const json_t *j, struct err *err);
/* The audit log: ROUTE_AUDIT routes. */
int call_audit(struct call *c, int status, struct err *err);
/* The token that a request came with, in c->mem; NULL: none. */
const char *call_bearer(struct call *c);
bool origin_allowed(const char *origins, const char *origin);
/* Who is it, what may they do: fills who, level. token NULL: none was sent. */
int call_admit(struct call *c, const char *token, struct err *err);
/* Check c->body against the route, run the handler, write the audit log: 0 with c->out and
 * c->status set, or an error. Used for each message of a socket as well. */
int call_perform(struct call *c, struct err *err);

/* ---- connections (links.c) ---- */
struct links;
int links_open(struct server *s, struct links **out, struct err *err);
void links_close(struct links *l); /* after the daemon has ended */
/* A new connection; NULL: it is refused. */
struct link *link_new(struct links *l, int fd, const struct sockaddr *from);
void link_free(struct links *l, struct link *k); /* before its descriptor is closed */
const char *link_address(const struct link *k);
int64_t links_now(const struct links *l);         /* seconds, monotonic, of the last tick */
void link_until(struct link *k, int64_t seconds); /* it is cut then; 0: never */
void link_linger(struct link *k); /* the client is still sending what nobody will read */
/* Has the other end closed? Only while the connection is suspended. */
bool link_gone(const struct link *k);

/* ---- checks ---- */
/* Is `doc` an object as `fields` say? texts: values are strings as in a form or a query, and are
 * made what the fields want, in place. loose: more fields are passed over. ERR_INVAL names the
 * field. */
int fields_check(const struct field *fields, json_t *doc, bool texts, bool loose, struct err *err);
/* JSON of a request: UTF-8, no duplicates, not too deep, an object. */
int json_read(const char *p, size_t n, json_t **out, struct err *err);
/* a=b&c=d into an object of strings; + is a space. Refuses what is no UTF-8, NUL, a name twice. */
int form_read(const char *p, size_t n, json_t **out, struct err *err);
/* One pair of it, pluses being spaces already. */
int form_add(json_t *doc, const char *key, size_t kn, const char *value, size_t vn,
             struct err *err);
/* Percent-decoding, in place; false for broken escapes, %00 and what is no UTF-8. */
bool percent_decode(char *s, size_t *n);

/* ---- routes ---- */
struct router;
int router_open(const struct route *const *tables, struct router **out, struct err *err);
void router_close(struct router *r);
struct place {                 /* where a path leads */
    const struct route *route; /* NULL: see allow */
    size_t index;              /* of the route: for counters */
    char allow[64];            /* methods there are for this path, "GET, POST"; "": no such path */
    bool has_persona;
    uint8_t persona[VAULT_UID];
    int64_t id;
    char word[256];
};
/* path: as it came, still encoded. ERR_INVAL: it is no path. */
int router_find(const struct router *r, const char *method, const char *path, struct place *out,
                struct err *err);
size_t router_count(const struct router *r);
const struct route *router_at(const struct router *r, size_t i);

/* ---- workers ---- */
enum lane { LANE_CALLS, LANE_LOGIN /* slow on purpose: never in the way of the others */, LANES };
struct workers;
int workers_open(int threads, int queue, struct workers **out, struct err *err);
/* ERR_BUSY: the queue is full. */
int workers_put(struct workers *w, enum lane lane, struct work *item);
/* For what was admitted long ago: waits in the queue even when that is full. */
void workers_must(struct workers *w, enum lane lane, struct work *item);
/* The calling worker will be long (a stream): another takes its place, up to a limit. */
void workers_long(struct workers *w);
size_t workers_waiting(struct workers *w);
size_t workers_running(struct workers *w);
void workers_close(struct workers *w); /* what waits is still run; then all threads have ended */

/* ---- limits ---- */
struct limits;
struct limits *limits_new(double account, double address, double login);
void limits_free(struct limits *l);
/* 0, or the seconds to wait. address: as text; IPv6 counts by its first 64 bits. */
int limit_address(struct limits *l, const char *address, bool login);
int limit_account(struct limits *l, int64_t account);

/* ---- sight ---- */
struct metrics;
struct metrics *metrics_new(const struct router *r);
void metrics_free(struct metrics *m);
void metrics_count(struct metrics *m, size_t route, unsigned status, double seconds, uint64_t out);
int metrics_write(struct server *s, struct buf *out, struct err *err);

struct log;
int log_open(const char *form, struct log **out, struct err *err); /* "json", "text", "none" */
void log_request(struct log *l, const struct request *q, double seconds);
void log_flush(struct log *l);
void log_close(struct log *l);

/* ---- the server ---- */
struct streams; /* stream.c */
struct sockets; /* socket.c */
struct server {
    struct server_opts o; /* strings are the server's own */
    struct world *world;
    struct accounts *accounts;
    struct router *router;
    struct workers *workers;
    struct limits *limits;
    struct metrics *metrics;
    struct log *log;
    struct MHD_Daemon *daemon;
    struct streams *streams;
    struct sockets *sockets;
    struct links *links;        /* all connections, and who cuts slow ones */
    atomic_bool stopping;       /* /readyz says 503; nothing long is begun */
    atomic_bool closing;        /* time is up: call_gone, stream_gone, socket_gone say yes */
    _Atomic uint64_t in_flight; /* requests that are not over */
    _Atomic uint64_t errands;   /* requests that a worker has, or will have */
    struct arena *mem;
    struct health *health; /* routes_health.c: replies made before */
    uint64_t seed;
    _Atomic uint64_t serial; /* of request ids */
};
/* request.c: MHD's callbacks; cls is the server. */
enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                           const char *method, const char *version, const char *data, size_t *size,
                           void **con);
void on_completed(void *cls, struct MHD_Connection *mhd, void **con,
                  enum MHD_RequestTerminationCode how);
/* routes_health.c */
int health_open(struct server *s, struct err *err);
void health_close(struct server *s);
/* Pages that are asked all the time have replies made before. 0: the route is none of them. */
int health_page(const struct route *r);
enum MHD_Result health_queue(struct server *s, int page, struct MHD_Connection *mhd);

/* stream.c: all streams of a server. stop: every kept stream is told `gone`, and ends. */
int streams_open(struct server *s, struct err *err);
void streams_stop(struct server *s);
void streams_close(struct server *s); /* after the daemon has ended */
/* Worker, when q->stream is set and the handler has returned rc: an error is sent as an event, and
 * the stream ends unless it was kept. The reply was given already: no request_answer. */
void stream_over(struct request *q, int rc, const struct err *err);
/* socket.c. An upgrade: the reply to a GET of a ROUTE_SOCKET route, after call_admit, on a worker.
 * The socket holds the request; messages are run by workers, each as a struct call of its own. */
int sockets_open(struct server *s, struct err *err);
int socket_upgrade(struct request *q, struct MHD_Response **out, struct err *err);
/* The token among the subprotocols; NULL: none. */
const char *socket_token(const char *protocols, char *out, size_t n);
/* handshake.c: is it one of RFC 6455 (else 426, 400, 403)? accept: for Sec-WebSocket-Accept. */
int handshake(struct call *c, char accept[29], bool *likeness, struct err *err);
void sockets_stop(struct server *s); /* closes all with 1001 */
void sockets_close(struct server *s);

#endif
