/* Starting the server for a bench. Everything is done as a user would: by the program's own
 * commands. Only the home is made in process, since that is what other benches measure. */
#include "serving.h"

#include "load.h"

#include "base/io.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int find_program(char *path, size_t size, struct err *err)
{
    const char *named = getenv("LIKENESS_PROGRAM");
    char own[512];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    if (named) snprintf(path, size, "%s", named);
    else if (n > 0) {
        own[n] = 0;
        char *slash = strrchr(own, '/');
        if (slash) *slash = 0;
        snprintf(path, size, "%s/../src/cli/likeness", own);
    }
    return access(path, X_OK) ? err_set(err, ERR_NOTFOUND,
                                        "there is no program %s: name it in LIKENESS_PROGRAM", path)
                              : 0;
}

static void set_up(const struct pepys_home *at)
{
    static const char *const set[][2] = {
        { "LIKENESS_LOG", "none" },       { "LIKENESS_RATE_ACCOUNT", "0" },
        { "LIKENESS_RATE_ADDRESS", "0" }, { "LIKENESS_RATE_LOGIN", "0" },
        { "LIKENESS_PORT", "0" },         { "LIKENESS_UPLOAD_QUOTA", "8192" },
    };
    char config[320];
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) setenv(set[i][0], set[i][1], 1);
    snprintf(config, sizeof config, "%s/config", at->dir);
    setenv("LIKENESS_CONFIG", config, 1);
    setenv("LIKENESS_HOME", at->home, 1);
    setenv("LIKENESS_KEY_FILE", at->key, 1);
    unsetenv("LIKENESS_KDF");
}

/* Starts the program; out: its standard output. */
static pid_t start(const struct pepys_home *at, char *const *args, int *out, struct err *err)
{
    char program[600];
    int ends[2];
    if (find_program(program, sizeof program, err)) return -1;
    if (pipe2(ends, O_CLOEXEC)) {
        err_errno(err, "cannot make a pipe");
        return -1;
    }
    pid_t pid = fork();
    if (!pid) {
        set_up(at);
        dup2(ends[1], 1);
        execv(program, args);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    if (pid < 0) err_errno(err, "cannot start a process");
    return pid;
}

static int run(const struct pepys_home *at, char *const *args, struct err *err)
{
    int out = -1, status = 1;
    char some[512];
    pid_t pid = start(at, args, &out, err);
    if (pid < 0) return ERR_INTERNAL;
    while (read(out, some, sizeof some) > 0) continue;
    close(out);
    if (waitpid(pid, &status, 0) != pid || status)
        return err_set(err, ERR_INTERNAL, "likeness %s %s failed", args[1], args[2]);
    return 0;
}

static int make_account(const struct serving *s, struct err *err)
{
    char file[320], config[320];
    snprintf(file, sizeof file, "%s/password", s->at.dir);
    char *const fresh[] = { "likeness", "account",         "new", SERVING_EMAIL,
                            "--quiet",  "--password-file", file,  NULL };
    char *const give[] = { "likeness",    "account", "give", "Samuel Pepys",
                           SERVING_EMAIL, "--quiet", NULL };
    snprintf(config, sizeof config, "%s/config", s->at.dir);
    int rc = io_write_file(file, SERVING_PASSWORD, strlen(SERVING_PASSWORD), 0600, err);
    if (!rc) rc = io_write_file(config, "", 0, 0600, err);
    if (!rc) rc = run(&s->at, fresh, err);
    if (!rc) rc = run(&s->at, give, err);
    return rc;
}

/* "likeness listens on http://127.0.0.1:PORT" */
static int read_port(struct serving *s, int out, struct err *err)
{
    char line[512];
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < sizeof line - 1 && !memchr(line, '\n', n)) {
        got = read(out, line + n, sizeof line - 1 - n);
        if (got > 0) n += (size_t)got;
    }
    line[n] = 0;
    const char *colon = strrchr(line, ':');
    s->port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    return s->port ? 0 : err_set(err, ERR_INTERNAL, "the server did not start");
}

static int log_in(struct serving *s, struct err *err)
{
    struct buf answer = BUF_INIT(0);
    int status = load_ask(
        s->port, "POST", "/api/token/", NULL,
        "{\"email\": \"" SERVING_EMAIL "\", \"password\": \"" SERVING_PASSWORD "\"}", &answer, err);
    json_t *j = json_loadb(buf_str(&answer), answer.n, 0, NULL);
    const char *token = json_string_value(json_object_get(j, "access"));
    if (!token) token = json_string_value(json_object_get(j, "access_token"));
    int rc = status < 0 ? status : 0;
    if (!rc && (status != 200 || !token || strlen(token) >= sizeof s->token))
        rc = err_set(err, ERR_INTERNAL, "logging in was answered with %d", status);
    if (!rc) snprintf(s->token, sizeof s->token, "%s", token);
    json_decref(j);
    buf_free(&answer);
    return rc;
}

int serving_start(struct serving *s, bool text, struct err *err)
{
    char *const serve[] = { "likeness", "serve", NULL };
    int out = -1;
    *s = (struct serving){ .pid = -1 };
    load_files(); /* the server inherits it */
    int rc = pepys_home_make(&s->at, text, NULL, NULL, err);
    if (!rc) rc = make_account(s, err);
    if (!rc && (s->pid = start(&s->at, serve, &out, err)) < 0) rc = ERR_INTERNAL;
    if (!rc) rc = read_port(s, out, err);
    if (!rc) rc = log_in(s, err);
    if (out >= 0) close(out);
    if (rc) serving_stop(s);
    return rc;
}

void serving_stop(struct serving *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) continue;
        s->pid = -1;
    }
    if (*s->at.dir) pepys_home_remove(&s->at);
}

/* The n-th number of a file in /proc/PID, after `after`; its first is 0. */
static unsigned long proc_number(const struct serving *s, const char *file, const char *after,
                                 int n)
{
    char path[64], line[1024], *at;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)s->pid, file);
    FILE *f = fopen(path, "r");
    bool read = f && fgets(line, sizeof line, f);
    if (f) fclose(f);
    if (!read) return 0;
    at = strstr(line, after);
    for (at = at ? at + strlen(after) : NULL; at && n > 0; n--) at = strchr(at + 1, ' ');
    return at ? strtoul(at, NULL, 10) : 0;
}

double serving_rss(const struct serving *s)
{
    return (double)proc_number(s, "statm", "", 1) * (double)sysconf(_SC_PAGESIZE);
}

double serving_seconds(const struct serving *s)
{
    /* User and system time are the twelfth and thirteenth after the name. */
    unsigned long ticks = proc_number(s, "stat", ")", 11) + proc_number(s, "stat", ")", 12);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
