/* likeness serve: settings become a server (http/serve.h); then the main thread waits for a signal,
 * which all other threads have blocked. The first one ends it in order, a second one at once. Under
 * systemd (Type=notify) it says when it is ready and when it stops. */
#include "cli/cli.h"

#include "base/str.h"
#include "http/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 20

/* sd_notify(3)'s protocol: a datagram to the socket that NOTIFY_SOCKET names ('@': abstract). */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    if (!n || n >= sizeof to.sun_path) return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        errno = 0; /* whoever started us does not listen any more */
    close(fd);
}

/* The settings count in MiB, and 0 means no limit where the server has a default of its own. */
static double rate(const struct cli *c, enum setting_id id)
{
    double r = set_real(c, id);
    return r > 0 ? r : -1;
}

static struct serve_opts options(struct cli *c)
{
    struct serve_opts o = {
        .server = { .address = set_str(c, SET_LISTEN),
                    .port = (int)set_int(c, SET_PORT),
                    .tls_cert = set_str(c, SET_TLS_CERT),
                    .tls_key = set_str(c, SET_TLS_KEY),
                    .plain_anywhere = set_yes(c, SET_PLAIN),
                    .origins = set_str(c, SET_ORIGINS),
                    .workers = (int)set_int(c, SET_WORKERS),
                    .idle_seconds = (int)set_int(c, SET_IDLE_SECONDS),
                    .rate_account = rate(c, SET_RATE_ACCOUNT),
                    .rate_address = rate(c, SET_RATE_ADDRESS),
                    .rate_login = rate(c, SET_RATE_LOGIN),
                    .log = c->quiet ? "none" : set_str(c, SET_LOG),
                    .trust_proxy = set_yes(c, SET_TRUST_PROXY),
                    .metrics = set_str(c, SET_METRICS),
                    .registration = set_yes(c, SET_REGISTRATION) },
        .accounts = { .access_seconds = (int)set_int(c, SET_ACCESS_SECONDS) },
        .pool = { .memory = (size_t)set_int(c, SET_MEMORY) << 20 },
        .voice = set_str(c, SET_VOICE),
        .k = (int)set_int(c, SET_K),
        .adaptive = set_yes(c, SET_ADAPTIVE),
        .floor = (float)set_real(c, SET_FLOOR),
        .upload_quota = set_int(c, SET_UPLOAD_QUOTA) << 20,
    };
    o.max_tokens = cli_sampling(c, &o.sampling);
    return o;
}

static void say_ready(const struct cli *c, const struct serve_opts *o, int port)
{
    const char *scheme = o->server.tls_cert ? "https" : "http", *host = o->server.address;
    bool six = strchr(host, ':');
    if (c->json)
        printf("{\"listening\": \"%s://%s%s%s:%d\"}\n", scheme, six ? "[" : "", host,
               six ? "]" : "", port);
    else
        ui_printf("likeness listens on %s://%s%s%s:%d\n", scheme, six ? "[" : "", host,
                  six ? "]" : "", port);
    fflush(stdout);
    notify("READY=1");
}

/* Blocks until SIGINT or SIGTERM. A third party's SIGHUP (a terminal that was closed) counts, too.
 */
static void wait_for_signal(const sigset_t *set)
{
    int sig;
    while (sigwait(set, &sig) == EINTR) continue;
}

int cmd_serve(struct cli *c, struct err *err)
{
    struct serve *s = NULL;
    struct native *model = NULL;
    struct serve_opts o = options(c);
    sigset_t set, was;
    int rc = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, &was); /* before any thread is made: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    if (set_str(c, SET_MODEL)) rc = cli_open_model(c, &model, err);
    o.model = model;
    o.remote = c->remote;
    o.remote = c->remote;
    if (!rc) rc = serve_start(c->home, &o, &s, err);
    if (rc) goto out;
    say_ready(c, &o, serve_port(s));
    wait_for_signal(&set);
    notify("STOPPING=1");
    ui_note("stopping: requests and jobs under way have %d s", STOP_SECONDS);
    pthread_sigmask(SIG_SETMASK, &was, NULL); /* the next one ends the program at once */
    serve_stop(s, STOP_SECONDS);
out:
    native_close(model);
    return rc;
}
