/* The HTTP room's own contract: what a route is, what a handler gets, how it replies.
 *
 *     static const struct field QUESTION[] = {
 *         { "prompt", FIELD_TEXT, FIELD_REQUIRED, 1, 16384, "what to ask" }, FIELD_END };
 *     static int ask(struct call *c, struct err *err)
 *     {
 *         const char *q = call_str(c, "prompt");
 *         ... persona/ ...
 *         c->out = json_pack(...);                   sent with route->status
 *         return 0;                                  or a code of err.h, and its words
 *     }
 *     const struct route routes_persona[] = {
 *         { "POST", "/api/personas/{persona}/prompt", ACCESS_CHAT, ROUTE_AUDIT, .body = QUESTION,
 *           .status = 200, .run = ask, .name = "persona.prompt", .summary = "Ask a persona" },
 *         ROUTE_END };
 *
 * The life of a request: the router finds the route (both with and without a trailing slash);
 * limits; who is it, and what may they do with {persona} (before any of the body is read; no right
 * at all is the same 404 as no such persona); the body is read up to body_max and checked against
 * `body` and `query`; the handler runs on a worker thread (ROUTE_QUICK: on the network's), replies,
 * and the request is counted, logged and, with ROUTE_AUDIT, written to the audit log. A handler
 * does: parse, call persona/, reply; no SQL, no threads. */
#ifndef LK_HTTP_HTTP_H
#define LK_HTTP_HTTP_H

#include "account/account.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "persona/world.h"

#include <jansson.h>

/* ---- fields: what a body, a query or a reply holds; checked, and told in /openapi.json ---- */
enum field_type {
    FIELD_NONE,
    FIELD_TEXT,   /* string; min, max: bytes */
    FIELD_INT,    /* min, max */
    FIELD_NUMBER, /* min, max */
    FIELD_BOOL,
    FIELD_TIME,   /* ISO 8601 */
    FIELD_UID,    /* a persona: 32 hex digits */
    FIELD_WORD,   /* one of `words` */
    FIELD_OBJECT, /* of: its fields; NULL: any */
    FIELD_LIST,   /* of: one field (its name unused) */
    FIELD_ANY
};
enum { FIELD_REQUIRED = 1, FIELD_NULL = 2 /* may be null */ };
struct field {
    const char *name;
    enum field_type type;
    unsigned flags;
    double min, max; /* 0, 0: no bounds */
    const char *help;
    const struct field *of;
    const char *words; /* space-separated */
};
#define FIELD_END                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }

/* ---- routes ---- */
enum access {
    ACCESS_ANYONE,
    ACCESS_ACCOUNT, /* anybody with an account */
    ACCESS_CHAT,    /* on {persona}, and upwards: LEVEL_CHAT, READ, MANAGE, OWNER */
    ACCESS_READ,
    ACCESS_MANAGE,
    ACCESS_OWNER
};
enum {
    ROUTE_QUICK = 1,      /* microseconds, no disk: on the network thread */
    ROUTE_KEYS = 2,       /* programs' keys are taken as well as access tokens */
    ROUTE_AUDIT = 4,      /* goes to the audit log; a change, before it is acknowledged */
    ROUTE_FORM = 8,       /* application/x-www-form-urlencoded is taken as well as JSON */
    ROUTE_UPLOAD = 16,    /* multipart/form-data, streamed to the spool: c->upload */
    ROUTE_SOCKET = 32,    /* a WebSocket: run is called for each message, see socket_send */
    ROUTE_UNLIMITED = 64, /* health pages: no rate limit */
    ROUTE_LOGIN = 128,    /* counts against the stricter limit per address */
    ROUTE_OPENAI = 256,   /* errors in OpenAI's form: {"error": {"message", "type", "code"}} */
    ROUTE_LOOSE = 512,    /* fields that are not declared are passed over, not refused */
    ROUTE_ASK = 1024      /* asks and changes nothing, whatever the method: audited soon after */
};
struct call;
struct route {
    const char *method, *path; /* "/api/personas/{persona}/sources/{id}"; no trailing slash */
    enum access access;
    unsigned flags;
    size_t body_max;           /* bytes; 0: 1 MiB. Of an upload: of each field that is no file */
    const struct field *query; /* NULL: none */
    const struct field *body;
    const struct field *reply;
    int status; /* of success */
    int (*run)(struct call *c, struct err *err);
    const char *name;    /* "persona.prompt": for audit, metrics, operationId */
    const char *summary; /* one line */
    const char *about;   /* more, Markdown; NULL */
};
#define ROUTE_END                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }
/* routes.c: all tables, NULL-terminated; each ends with ROUTE_END. */
extern const struct route *const route_tables[];

/* ---- a request ---- */
struct upload_file {
    char name[256]; /* as the client called it, without folders */
    char spool[33]; /* in world->spool_dir, sealed; removed after the handler unless taken */
    uint64_t bytes;
    bool taken;
};
struct upload {
    struct upload_file *file;
    size_t n_files; /* fields that are no files are in c->body, as strings */
};

struct server;
struct socket;
struct stream;
struct call {
    const struct route *route;
    struct server *server;
    struct world *world;
    struct accounts *accounts;
    struct principal who;
    uint8_t persona[VAULT_UID]; /* of {persona} */
    enum level level;           /* what `who` may do with it */
    bool veiled;                /* other people in the reply were seen to (veil.c) */
    int64_t id;                 /* of {id} */
    const char *word;           /* of any other {name}: at most 255 bytes, decoded; NULL */
    json_t *body;               /* an object, checked; NULL: the route takes none */
    json_t *query;              /* an object, checked: numbers are numbers */
    struct upload *upload;
    struct socket *socket; /* ROUTE_SOCKET: c->body is the message */
    const char *address;   /* of the client */
    char request_id[17];
    struct arena *mem; /* until the reply was sent */
    /* the reply */
    int status;       /* 0: route->status, or that of the error */
    json_t *out;      /* decref'd by the server */
    struct span text; /* or bytes, in mem, of this type */
    const char *type; /* "text/plain; charset=utf-8" */
    struct {
        const char *name, *value; /* in mem, or literals */
    } header[8];
    size_t n_headers;
    struct { /* or a file, sent as it is read: the part asked for; closed by the server */
        FILE *f;
        uint64_t n;
        const char *tag; /* an ETag: what changes when the file does */
    } file;
    int retry_after; /* seconds; with 429 and 503 */
    void *internal;  /* the server's own */
};
/* Of body or query, after the checks: NULL, dflt when it is not there. */
const char *call_str(const struct call *c, const char *name);
int64_t call_int(const struct call *c, const char *name, int64_t dflt);
double call_num(const struct call *c, const char *name, double dflt);
bool call_bool(const struct call *c, const char *name, bool dflt);
int64_t call_time(const struct call *c, const char *name);       /* CLOCK_NONE */
json_t *call_json(const struct call *c, const char *name);       /* borrowed; NULL */
const char *call_header(const struct call *c, const char *name); /* of the request; NULL */
void call_reply_header(struct call *c, const char *name, const char *value);
/* With 201: where what was made is. */
int call_location(struct call *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Has the client left, or is time up for a server that stops? Asks the system: some microseconds. A
 * handler that takes long without streaming asks now and then, and returns ERR_CANCEL. */
bool call_gone(struct call *c);
/* 202 with {"job": {...}} and Location: /api/jobs/N. */
int call_accepted(struct call *c, int64_t job, struct err *err);
int status_of(int code); /* HTTP status of an err.h code */
char *uid_hex(const uint8_t uid[VAULT_UID], char out[33]);
bool uid_parse(const char *hex, uint8_t uid[VAULT_UID]); /* 32 hex digits */

/* ---- server-sent events (stream.c) ---- */
/* The reply becomes text/event-stream and its head is sent; call it once, from a handler that is
 * not ROUTE_QUICK. The stream ends when the handler returns (an error is sent as `event: error`),
 * unless it was kept. */
int call_events(struct call *c, struct stream **out, struct err *err);
/* event NULL: data only. Waits while the client is slow. ERR_CANCEL: it has left, or is too slow.
 */
int stream_send(struct stream *s, const char *event, const char *data, size_t n);
/* The same, but never waits: a client whose buffer is full is let go. For callbacks of jobs_watch.
 */
int stream_offer(struct stream *s, const char *event, const char *data, size_t n);
bool stream_gone(struct stream *s); /* has the client left? */
/* The stream outlives the handler, until stream_end. gone is called once, from a network thread,
 * when the client leaves first; it must not block; afterwards stream_end is still due. When
 * stream_end has returned, gone is not called any more and no call of it is under way. */
void stream_keep(struct stream *s, void (*gone)(void *ud), void *ud);
void stream_end(struct stream *s);

/* ---- WebSockets (socket.c, RFC 6455) ---- */
/* Handlers of one socket run one at a time. The token comes as Authorization, or from browsers as
 * the subprotocol "bearer.TOKEN" beside "likeness". */
int socket_send(struct socket *s, const char *text, size_t n); /* ERR_CANCEL: it has left */
bool socket_gone(struct socket *s);

/* ---- the server ---- */
struct server_opts {
    const char *address;            /* "127.0.0.1" */
    int port;                       /* 0: any; see server_port */
    const char *tls_cert, *tls_key; /* PEM files; NULL: plain */
    bool plain_anywhere;            /* plain HTTP on an address that is not loopback */
    const char *origins;            /* CORS: space-separated; NULL: none */
    int threads, workers;           /* network, handlers; 0: one per core, twice the cores */
    int queue;         /* requests that wait for a worker; 0: 1024; more: 503 with Retry-After */
    int connections;   /* 0: 16384, or what the limit of files allows */
    int idle_seconds;  /* 0: 60 */
    int quiet_seconds; /* until a silent stream says a comment, and is asked for its token; 0: 15 */
    int slow_seconds;  /* for a head, and before a body must come at 32 KiB/s; 0: 30 */
    double rate_account, rate_address,
        rate_login;                    /* requests a second; 0: 200, 400, 1; < 0: none */
    const char *log;                   /* "json", "text", "none"; to stderr */
    bool trust_proxy;                  /* the address is X-Forwarded-For's last one */
    const char *metrics;               /* who may read them: "open", "off"; NULL: "loopback" */
    bool registration;                 /* may anybody make an account? */
    const struct route *const *tables; /* NULL: route_tables */
};
int server_start(const struct server_opts *o, struct world *w, struct accounts *as,
                 struct server **out, struct err *err);
int server_port(const struct server *s);
/* New connections are refused, /readyz says 503, requests under way have `seconds` to end. */
void server_stop(struct server *s, int seconds);

/* ---- made from the tables ---- */
int openapi_make(struct buf *out, struct err *err); /* openapi.c: JSON, 3.1 */
int apidoc_make(struct buf *out, struct err *err);  /* apidoc.c: docs/API.md */

#endif
