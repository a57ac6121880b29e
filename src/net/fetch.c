/* Fetching, on libcurl. One file is fetched by as many transfers as it takes: each asks for the
 * bytes from the end of PATH.part on (RFC 9110, section 14), on condition that the file is still
 * the one that PATH.part.from names (If-Range); a server that cannot do that sends all of it, and
 * we begin anew. A try that brought something does not count against the tries, so a line that
 * drops every minute still gets there.
 *
 * The SHA-256 runs along as bytes come; what an earlier process had fetched is read once. PATH.part
 * is locked while we write it. */
#include "net/fetch.h"

#include "base/io.h"
#include "base/str.h"
#include "net/handle.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define TRIES       6           /* without a byte in between */
#define FIRST_WAIT  400         /* ms; doubles */
#define STALL       45          /* seconds without a byte end a transfer */
#define CONNECT     20          /* seconds */
#define LEAVE_FREE  (64u << 20) /* bytes of disk that stay */
#define ETAG_BYTES  200
#define ERROR_BYTES 4096 /* of an error's body; nobody reads it */

struct transfer {
    struct fetch *f;
    CURL *curl;
    char part[PATH_MAX], from[PATH_MAX];
    int fd;
    uint64_t have;         /* bytes in PATH.part */
    uint64_t asked, total; /* where this transfer began; size of the whole file, 0: unknown */
    char etag[ETAG_BYTES]; /* of what is in PATH.part; "" when it cannot be gone on with */
    char now[ETAG_BYTES];  /* of the present response */
    char linked[65];       /* SHA-256 that the server promises */
    char host[256], problem[CURL_ERROR_SIZE];
    long status;
    uint64_t range_from;
    bool ranged, begun, cancelled;
    bool mine; /* PATH.part is locked by us */
    crypto_hash_sha256_state sha;
    struct err *err;
    int rc; /* of ours, from a callback */
};

static CURL *handle_for(const char *url, const char *token, char host[256], char *problem,
                        struct err *err)
{
    struct net_host h;
    *host = 0;
    if (net_host(url, &h, NULL) || (h.plain && !h.local)) {
        err_set(err, ERR_INVAL, "%.300s is no https:// address", url);
        return NULL;
    }
    snprintf(host, 256, "%s", h.name);
    CURL *c = net_handle(url, &h, problem, err);
    if (!c) return NULL;
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 8L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL);
    if (token && *token) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, token);
    }
    return c;
}

static int status_error(long status, const char *host, bool token, struct err *err)
{
    if (status == 404 || status == 410)
        return err_set(err, ERR_NOTFOUND, "%s has no such file: look whether the name is right",
                       host);
    if (status == 401 || status == 403)
        return err_set(err, ERR_KEY,
                       "%s does not give this file to %s: agree to its licence there, then set "
                       "HF_TOKEN to a token of your account",
                       host, token ? "your token" : "strangers");
    return err_set(err, ERR_IO, "%s answered with status %ld: try again later", host, status);
}

static bool worth_another_try(CURLcode code, long status)
{
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        return status == 408 || status == 425 || status == 429 || status >= 500;
    return code != CURLE_SSL_CERTPROBLEM && code != CURLE_PEER_FAILED_VERIFICATION &&
           code != CURLE_SSL_CACERT_BADFILE && code != CURLE_TOO_MANY_REDIRECTS &&
           code != CURLE_UNSUPPORTED_PROTOCOL && code != CURLE_URL_MALFORMAT;
}

static int line_error(const struct transfer *t, CURLcode code, struct err *err)
{
    const char *why = *t->problem ? t->problem : curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, ERR_IO,
                       "%s could not prove who it is (%s); set SSL_CERT_FILE if its certificates "
                       "are your own",
                       t->host, why);
    if (t->have)
        return err_set(err, ERR_IO,
                       "the line to %s broke (%s); what came is kept, and the same command goes "
                       "on from there",
                       t->host, why);
    return err_set(err, ERR_IO, "%s cannot be reached: %s", t->host, why);
}

/* ---- what stands in PATH.part ---- */

static void forget_part(struct transfer *t)
{
    unlink(t->from);
    unlink(t->part);
}

/* Begin anew: the file is another one, or cannot be gone on with. */
static int empty_part(struct transfer *t)
{
    if (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET))
        return err_errno(t->err, "cannot write %s", t->part);
    unlink(t->from);
    t->have = 0;
    *t->etag = 0;
    crypto_hash_sha256_init(&t->sha);
    return 0;
}

static int hash_part(struct transfer *t, struct err *err)
{
    static const size_t step = 1 << 20;
    uint8_t *b = malloc(step);
    uint64_t at = 0;
    ssize_t n = 1;
    int rc = b ? 0 : err_nomem(err);
    while (!rc && at < t->have && (n = pread(t->fd, b, step, (off_t)at)) > 0) {
        crypto_hash_sha256_update(&t->sha, b, (size_t)n);
        at += (uint64_t)n;
        rc = progress_tick(t->f->progress, "check", at, t->have, "bytes");
    }
    if (n < 0) rc = err_errno(err, "cannot read %s", t->part);
    free(b);
    return rc;
}

/* PATH.part.from: the address, then the ETag, a line each. */
static void read_from(struct transfer *t)
{
    struct buf b = BUF_INIT(8192);
    size_t n = strlen(t->f->url);
    if (io_exists(t->from) && !io_read_file(t->from, 8000, &b, NULL) && b.n > n + 2 &&
        !memcmp(b.p, t->f->url, n) && b.p[n] == '\n' && b.p[b.n - 1] == '\n')
        snprintf(t->etag, sizeof t->etag, "%.*s", (int)(b.n - n - 2), b.p + n + 1);
    buf_free(&b);
}

static int open_part(struct transfer *t, struct err *err)
{
    struct stat st;
    const char *path = t->f->path;
    if (snprintf(t->part, sizeof t->part, "%s.part", path) >= (int)sizeof t->part - 8)
        return err_set(err, ERR_INVAL, "the path %s is too long", path);
    snprintf(t->from, sizeof t->from, "%s.part.from", path);
    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (t->fd < 0) return err_errno(err, "cannot write %s", t->part);
    if (flock(t->fd, LOCK_EX | LOCK_NB))
        return err_set(err, ERR_BUSY, "another process is fetching %s", path);
    t->mine = true;
    if (fstat(t->fd, &st)) return err_errno(err, "cannot read %s", t->part);
    crypto_hash_sha256_init(&t->sha);
    t->err = err;
    t->have = (uint64_t)st.st_size;
    read_from(t);
    if (!*t->etag && t->have) return empty_part(t);
    t->f->resumed = t->have;
    return hash_part(t, err);
}

/* ---- one transfer ---- */

static size_t on_header(char *p, size_t one, size_t n, void *ud)
{
    struct transfer *t = ud;
    struct span line = span_trim((struct span){ p, n });
    const char *colon = memchr(line.p, ':', line.n);
    if (line.n > 5 && !memcmp(line.p, "HTTP/", 5)) { /* of the next hop */
        *t->now = 0;
        t->ranged = false;
    }
    if (!colon) return n;
    struct span name = { line.p, (size_t)(colon - line.p) };
    struct span v = span_trim((struct span){ colon + 1, line.n - name.n - 1 });
    char value[ETAG_BYTES], *end;
    snprintf(value, sizeof value, "%.*s", v.n < sizeof value ? (int)v.n : 0, v.p);
    if (span_ieq(name, "etag") && !str_starts(value, "W/")) memcpy(t->now, value, sizeof value);
    else if (span_ieq(name, "x-linked-etag") && strlen(value) == 66 && value[0] == '"')
        snprintf(t->linked, sizeof t->linked, "%.64s", value + 1);
    else if (span_ieq(name, "content-range") && str_starts(value, "bytes ")) {
        t->range_from = strtoull(value + 6, &end, 10);
        t->ranged = *end == '-';
        const char *slash = strchr(value, '/');
        if (slash && slash[1] != '*') t->total = strtoull(slash + 1, NULL, 10);
    }
    return n;
}

static int enough_room(struct transfer *t, uint64_t more)
{
    struct statvfs v;
    if (fstatvfs(t->fd, &v)) return 0;
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    if (room >= more && room - more >= LEAVE_FREE) return 0;
    return err_set(t->err, ERR_FULL,
                   "the file needs %llu MB more, and the disk has %llu MB free: make room, or "
                   "choose another folder with the setting models",
                   (unsigned long long)(more >> 20), (unsigned long long)(room >> 20));
}

/* The first byte of a good response: is it what we asked for, and where does it go? */
static int begin(struct transfer *t)
{
    curl_off_t length = -1;
    struct buf b = BUF_INIT(0);
    int rc = 0;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    t->begun = true;
    if (t->status == 206 && (!t->ranged || t->range_from != t->have))
        return err_set(t->err, ERR_IO, "%s sent another part of the file than was asked for",
                       t->host);
    if (t->status == 200 && t->have) rc = empty_part(t);
    if (t->status == 200) {
        t->f->resumed = 0;
        t->total = length > 0 ? (uint64_t)length : 0;
    }
    if (!rc && length > 0) rc = enough_room(t, (uint64_t)length);
    if (rc || t->status != 200 || !*t->now) return rc;
    memcpy(t->etag, t->now, sizeof t->etag);
    buf_printf(&b, "%s\n%s\n", t->f->url, t->etag);
    if (io_write_file(t->from, buf_str(&b), b.n, 0644, NULL)) *t->etag = 0;
    buf_free(&b);
    return 0;
}

static size_t on_data(char *p, size_t one, size_t n, void *ud)
{
    struct transfer *t = ud;
    size_t done = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    if (t->status != 200 && t->status != 206) return (t->asked += n) < ERROR_BYTES ? n : 0;
    if (!t->begun && (t->rc = begin(t))) return 0;
    while (done < n) {
        ssize_t w = pwrite(t->fd, p + done, n - done, (off_t)(t->have + done));
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) {
            t->rc = err_errno(t->err, "cannot write %s", t->part);
            return 0;
        }
        done += (size_t)w;
    }
    crypto_hash_sha256_update(&t->sha, (const uint8_t *)p, n);
    t->have += n;
    return n;
}

static int on_progress(void *ud, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *t = ud;
    t->cancelled = progress_tick(t->f->progress, "fetch", t->have, t->total, "bytes") != 0;
    return t->cancelled;
}

static CURLcode transfer_once(struct transfer *t)
{
    char range[64], cond[ETAG_BYTES + 16];
    struct curl_slist *headers = NULL;
    t->begun = t->ranged = false;
    t->status = 0;
    t->asked = 0;
    *t->problem = 0;
    snprintf(range, sizeof range, "%llu-", (unsigned long long)t->have);
    snprintf(cond, sizeof cond, "If-Range: %s", t->etag);
    if (t->have) headers = curl_slist_append(NULL, cond);
    curl_easy_setopt(t->curl, CURLOPT_RANGE, t->have ? range : NULL);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(t->curl);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code;
}

static int wait_a_little(struct transfer *t, int ms)
{
    for (; ms > 0; ms -= 100) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        if (progress_tick(t->f->progress, "fetch", t->have, t->total, "bytes")) return ERR_CANCEL;
    }
    return 0;
}

static int fetch_all(struct transfer *t, struct err *err)
{
    int wait = FIRST_WAIT;
    for (int tries = TRIES; tries > 0; tries--) {
        uint64_t before = t->have;
        CURLcode code = transfer_once(t);
        if (t->rc) return t->rc;
        if (t->cancelled) return err_set(err, ERR_CANCEL, "stopped; the same command goes on here");
        if (t->status == 416 && t->have) { /* shorter than what we have, so another file */
            if ((t->rc = empty_part(t))) return t->rc;
            continue;
        }
        bool good = t->status == 200 || t->status == 206;
        if (!code && good && !t->begun) t->rc = begin(t); /* an empty file */
        if (!code && good && (!t->total || t->have == t->total)) return t->rc;
        if (!worth_another_try(code, t->status) && !(good && !code)) {
            if (code && code != CURLE_WRITE_ERROR) return line_error(t, code, err);
            return status_error(t->status, t->host, t->f->token, err);
        }
        if (t->have > before) tries = TRIES + 1, wait = FIRST_WAIT;
        else if (tries == 1)
            return code && code != CURLE_WRITE_ERROR
                       ? line_error(t, code, err)
                       : status_error(t->status, t->host, t->f->token, err);
        if (!*t->etag && t->have && (t->rc = empty_part(t))) return t->rc;
        if (wait_a_little(t, wait))
            return err_set(err, ERR_CANCEL, "stopped; the same command goes on here");
        wait *= 2;
    }
    return err_set(err, ERR_IO, "%s does not send the file", t->host);
}

/* ---- the end ---- */

static int check_sum(struct transfer *t, struct err *err)
{
    uint8_t sum[crypto_hash_sha256_BYTES];
    const char *want = t->f->sha256 ? t->f->sha256 : *t->linked ? t->linked : NULL;
    crypto_hash_sha256_final(&t->sha, sum);
    sodium_bin2hex(t->f->got, sizeof t->f->got, sum, sizeof sum);
    t->f->checked = want != NULL;
    if (!want || !strcasecmp(want, t->f->got)) return 0;
    forget_part(t);
    return err_set(err, ERR_PARSE,
                   "what %s sent is not the file that was promised: its SHA-256 is %s instead of "
                   "%.64s; nothing was kept",
                   t->host, t->f->got, want);
}

static int put_in_place(struct transfer *t, struct err *err)
{
    char dir[PATH_MAX];
    unsigned flags = t->f->replace ? 0 : RENAME_NOREPLACE;
    if (fsync(t->fd)) return err_errno(err, "cannot write %s", t->part);
    if (renameat2(AT_FDCWD, t->part, AT_FDCWD, t->f->path, flags)) {
        if (errno != EEXIST) return err_errno(err, "cannot rename %s", t->part);
        return err_set(err, ERR_EXISTS, "%s is there already", t->f->path);
    }
    unlink(t->from);
    snprintf(dir, sizeof dir, "%s", t->f->path);
    char *slash = strrchr(dir, '/');
    if (slash) *slash = 0;
    t->f->size = t->have;
    return slash ? io_sync_dir(*dir ? dir : "/", err) : 0;
}

int fetch_file(struct fetch *f, struct err *err)
{
    struct transfer t = { .f = f, .fd = -1 };
    f->size = f->resumed = 0;
    f->checked = false;
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    if (!(t.curl = handle_for(f->url, f->token, t.host, t.problem, err))) return ERR_INVAL;
    curl_easy_setopt(t.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t.curl, CURLOPT_HEADERDATA, &t);
    curl_easy_setopt(t.curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t.curl, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(t.curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t.curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t.curl, CURLOPT_XFERINFODATA, &t);
    int rc = 0;
    if (!f->replace && io_exists(f->path))
        rc = err_set(err, ERR_EXISTS, "%s is there already", f->path);
    if (!rc) rc = open_part(&t, err);
    if (!rc) rc = fetch_all(&t, err);
    if (!rc) rc = check_sum(&t, err);
    if (!rc) rc = put_in_place(&t, err);
    if (rc && t.mine && !t.have) forget_part(&t);
    if (t.fd >= 0) close(t.fd);
    curl_easy_cleanup(t.curl);
    return rc;
}

/* ---- a small document ---- */

struct text {
    struct buf *out;
    size_t left;
};

static size_t on_text(char *p, size_t one, size_t n, void *ud)
{
    struct text *t = ud;
    if (n > t->left || buf_add(t->out, p, n)) return 0;
    t->left -= n;
    return n;
}

int fetch_text(const char *url, const char *token, size_t max, struct buf *out, struct err *err)
{
    struct transfer t = { .have = 0 };
    struct text text = { out, max };
    CURLcode code = CURLE_OK;
    if (!(t.curl = handle_for(url, token, t.host, t.problem, err))) return ERR_INVAL;
    curl_easy_setopt(t.curl, CURLOPT_WRITEFUNCTION, on_text);
    curl_easy_setopt(t.curl, CURLOPT_WRITEDATA, &text);
    for (int tries = 3, wait = FIRST_WAIT; tries > 0; tries--, wait *= 2) {
        code = curl_easy_perform(t.curl);
        curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &t.status);
        if (text.left < max || !worth_another_try(code, t.status) || tries == 1) break;
        nanosleep(&(struct timespec){ .tv_nsec = wait * 1000000L }, NULL);
    }
    int rc = 0;
    if (code == CURLE_WRITE_ERROR)
        rc = err_set(err, ERR_LIMIT, "the answer of %s is larger than %zu bytes", t.host, max);
    else if (code) rc = line_error(&t, code, err);
    else if (t.status != 200) rc = status_error(t.status, t.host, token != NULL, err);
    curl_easy_cleanup(t.curl);
    return rc;
}
