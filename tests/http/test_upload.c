/* Uploads: what comes in lies sealed in the spool until the handler has it, and nothing is left of
 * what was refused, broken off, or not taken. */
#include "local.h"
#include "vault/spool.h"

#include <dirent.h>

static struct local l;
static char spool[400];
static struct buf seen; /* what the last handler saw */
static bool take;       /* it takes the files */

static void see_file(const struct call *c, const struct upload_file *f)
{
    char path[500];
    uint64_t size = 0, sum = 0;
    snprintf(path, sizeof path, "%s/%s", c->world->spool_dir, f->spool);
    FILE *in = spool_fopen(path, c->world->spool_key, &size, NULL);
    if (!in) fail_msg("the spool does not open");
    for (int ch; (ch = fgetc(in)) != EOF;) sum = sum * 31 + (uint64_t)ch;
    fclose(in);
    check_int(size, f->bytes);
    buf_printf(&seen, "[%s %llu %llx]", f->name, (unsigned long long)size, (unsigned long long)sum);
}

static int bring(struct call *c, struct err *e)
{
    buf_clear(&seen);
    for (size_t i = 0; i < c->upload->n_files; i++) {
        see_file(c, &c->upload->file[i]);
        c->upload->file[i].taken = take;
    }
    const char *as = call_str(c, "as");
    if (as) buf_printf(&seen, "as=%s;", as);
    if (call_int(c, "count", -1) >= 0) buf_printf(&seen, "count=%d;", (int)call_int(c, "count", 0));
    c->out = json_pack("{s:i}", "files", (int)c->upload->n_files);
    return 0;
}

static int find_nothing(struct call *c, struct err *e)
{
    return err_set(e, ERR_NOTFOUND, "not here");
}

static const struct field body[] = { { "as", FIELD_TEXT, 0, 0, 100, "who", NULL, NULL },
                                     { "count", FIELD_INT, 0, 0, 100, "n", NULL, NULL },
                                     FIELD_END };
static const struct field query[] = { { "name", FIELD_TEXT, 0, 1, 255, "of the file", NULL, NULL },
                                      FIELD_END };
static const struct route routes[] = { { "POST", "/bring", ACCESS_ACCOUNT, ROUTE_UPLOAD, 5000,
                                         query, body, NULL, 201, bring, "bring", "", NULL },
                                       { "POST", "/fail", ACCESS_ACCOUNT, ROUTE_UPLOAD, 0, NULL,
                                         NULL, NULL, 201, find_nothing, "fail", "", NULL },
                                       ROUTE_END };
static const struct route *const tables[] = { routes, NULL };

static int set_up(void **state)
{
    local_open(&l, &(struct server_opts){ .tables = tables, .rate_address = -1 });
    snprintf(spool, sizeof spool, "%s/incoming", l.dir);
    mkdir(spool, 0700);
    l.world.spool_dir = spool;
    l.world.upload_quota = 0;
    memset(l.world.spool_key, 7, VAULT_KEY);
    take = false;
    return 0;
}

static int tear_down(void **state)
{
    local_close(&l);
    buf_free(&seen);
    return 0;
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(spool);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') n++;
    closedir(d);
    return n;
}

/* Waits until the server has let go of all requests. */
static void settle(void)
{
    while (atomic_load(&l.server->in_flight)) usleep(1000);
}

static void saw(const char *want)
{
    settle();
    check_str(buf_str(&seen), want);
}

#define FORM "Content-Type: multipart/form-data; boundary=b\r\n"
#define FILE_PART(name, text)                                                                      \
    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" name "\"\r\n\r\n" text "\r\n"
#define FIELD_PART(name, text)                                                                     \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"

static struct reply post(const char *path, const char *head, const char *text)
{
    return local_ask(&l, "POST", path, local_auth(&l, head), text);
}

static void forms(void **state)
{
    check_reply(post("/bring", FORM,
                     FILE_PART("a.txt", "hello") FIELD_PART("as", "Ann") FILE_PART("../b.txt", "")
                         FIELD_PART("count", "7") FILE_PART("", "")
                             FILE_PART("", "no name") "--b--"),
                201, "{\"files\":3}");
    saw("[a.txt 5 5e918d2][b.txt 0 0][upload 7 177a4dcd8a]as=Ann;count=7;");
    settle();
    check_int(entries(), 0); /* the handler took none */
    take = true;
    check_reply(post("/bring", FORM, FILE_PART("a.txt", "hello") "--b--"), 201, "1");
    settle();
    check_int(entries(), 1);
}

static void raw(void **state)
{
    check_reply(
        post("/bring?name=my%20chat.txt", "Content-Type: application/x-anything\r\n", "hello"), 201,
        "1");
    saw("[my chat.txt 5 5e918d2]");
    check_reply(post("/bring", "Content-Type: text/plain; charset=latin1\r\n", "hello"), 201, "1");
    saw("[upload 5 5e918d2]");
    check_reply(post("/bring?name=..%2Fx", NULL, "hello"), 201, "1");
    saw("[x 5 5e918d2]");
    check_reply(post("/bring", "Content-Type: application/json\r\n", "{}"), 415, "multipart");
    check_reply(post("/bring", "Content-Type: application/x-www-form-urlencoded\r\n", "a=b"), 415,
                "multipart");
    check_reply(post("/bring?name=", NULL, "hello"), 400, "name");
    settle();
    check_int(entries(), 0);
}

static void refused(void **state)
{
    check_reply(local_ask(&l, "POST", "/bring", FORM, FILE_PART("a", "x") "--b--"), 401, "KEY");
    check_reply(post("/bring", FORM, FILE_PART("a", "x")), 400, "cut off");
    check_reply(post("/bring", FORM, FILE_PART("a", "x") "--c--"), 400, "cut off");
    check_reply(post("/bring", "Content-Type: multipart/form-data\r\n", "x"), 400, "boundary");
    check_reply(post("/bring", FORM, FIELD_PART("as", "a") FIELD_PART("as", "b") "--b--"), 400,
                "twice");
    check_reply(post("/bring", FORM, FIELD_PART("as", "\xFF") "--b--"), 400, "UTF-8");
    check_reply(post("/bring", FORM, FIELD_PART("no", "x") "--b--"), 400, "no");
    check_reply(post("/bring", FORM, FIELD_PART("count", "x") "--b--"), 400, "count");
    check_reply(post("/fail", FORM, FILE_PART("a", "x") "--b--"), 404, "not here");
    struct buf b = BUF_INIT(0);
    buf_adds(&b, FILE_PART("a", "x") "--b\r\nContent-Disposition: form-data; name=\"as\"\r\n\r\n");
    for (int i = 0; i < 6000; i++) buf_addc(&b, 'x');
    buf_adds(&b, "\r\n--b--");
    check_reply(post("/bring", FORM, b.p), 413, "LIMIT");
    buf_free(&b);
    settle();
    check_int(entries(), 0);
}

/* 300 MiB in chunks of odd sizes; most of it is still under way when the first lies on the disk. */
static void large(void **state)
{
    static char part[70000];
    char size[32];
    uint64_t sum = 0;
    struct buf want = BUF_INIT(0);
    int fd = local_connect(&l), n = 600;
    for (size_t i = 0; i < sizeof part; i++) part[i] = (char)(i * 7 % 251);
    local_request(fd, "POST", "/bring?name=big",
                  local_auth(&l, "Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"),
                  NULL);
    for (int i = 0; i < n; i++) {
        size_t k = sizeof part - (size_t)i * 91;
        local_send(fd, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", k));
        local_send(fd, part, k);
        local_send(fd, "\r\n", 2);
        for (size_t j = 0; j < k; j++) sum = sum * 31 + (unsigned char)part[j];
    }
    local_send(fd, "0\r\n\r\n", 5);
    struct reply a = local_reads(fd);
    close(fd);
    check_int(a.status, 201);
    reply_free(&a);
    buf_printf(&want, "[big %d %llx]", 600 * 70000 - 91 * 599 * 300, (unsigned long long)sum);
    saw(want.p);
    buf_free(&want);
    settle();
    check_int(entries(), 0);
}

static void client_leaves(void **state)
{
    static char part[300000];
    for (int i = 0; i < 4; i++) {
        int fd = local_connect(&l);
        local_request(fd, "POST", "/bring?name=big",
                      local_auth(&l, "Content-Length: 100000000\r\nContent-Type: text/plain\r\n"),
                      NULL);
        local_send(fd, part, (size_t)i * 100000);
        while (!entries()) usleep(1000);
        if (i & 1) shutdown(fd, SHUT_WR);
        close(fd);
        settle();
        check_int(entries(), 0);
    }
}

static void quota(void **state)
{
    static char half[600 * 1024 + 1];
    memset(half, 'q', sizeof half - 1);
    take = true;
    l.world.upload_quota = 1 << 20;
    check_reply(post("/bring", "Content-Type: text/plain\r\n", half), 201, "1");
    settle();
    check_int(entries(), 1);
    check_reply(post("/bring", "Content-Type: text/plain\r\n", half), 413, "LIMIT");
    int fd = local_connect(&l); /* without a length it is seen as it comes */
    local_request(fd, "POST", "/bring?name=x", local_auth(&l, "Transfer-Encoding: chunked\r\n"),
                  NULL);
    char size[32];
    local_send(fd, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", sizeof half - 1));
    local_send(fd, half, sizeof half - 1);
    local_send(fd, "\r\n0\r\n\r\n", 7);
    check_reply(local_reads(fd), 413, "LIMIT");
    close(fd);
    settle();
    check_int(entries(), 1);
    check_reply(post("/bring", "Content-Type: text/plain\r\n", "small"), 201, "1");
}

/* A folder that is not there stands for a disk that does not take it. */
static void no_disk(void **state)
{
    rmdir(spool);
    check_reply(post("/bring", "Content-Type: text/plain\r\n", "hello"), 500, "error");
    mkdir(spool, 0700);
    check_reply(post("/bring", "Content-Type: text/plain\r\n", "hello"), 201, "1");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = { T(forms),         T(raw),   T(refused), T(large),
                                    T(client_leaves), T(quota), T(no_disk) };
    return check_run("http/upload", t);
}
