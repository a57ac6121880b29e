/* Export files. Even first byte: the input is the file. Odd: the input is a list of changes
 * (offset, length kept, byte) to a good file, so that the records behind the key are reached; a
 * changed file must not read to its end. */
#include "base/io.h"
#include "vault/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char path[64], key[64];
static struct buf good;

static void prepare(void)
{
    struct stream *s = NULL;
    snprintf(path, sizeof path, "/dev/shm/fuzz-stream-%d", (int)getpid());
    snprintf(key, sizeof key, "%s.key", path);
    unlink(key);
    if (vault_keyfile_make(key, NULL)) abort();
    struct secret secret = { .key_file = key };
    if (stream_create(path, &secret, 1, &s, NULL)) abort();
    for (int i = 1; i < 20; i++)
        if (stream_put(s, (uint8_t)i, "some bytes of a record", (size_t)i, NULL)) abort();
    if (stream_finish(s, NULL)) abort();
    stream_free(s);
    if (io_read_file(path, 1 << 20, &good, NULL)) abort();
}

static int read_all(void)
{
    struct secret secret = { .key_file = key };
    struct stream *s = NULL;
    struct buf body = BUF_INIT(1 << 20);
    uint8_t type = 1;
    int rc = stream_open(path, &secret, &s, NULL);
    while (!rc && type) rc = stream_next(s, &type, &body, NULL);
    stream_free(s);
    buf_free(&body);
    return rc;
}

static void write_bytes(const void *p, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f) abort();
    fwrite(p, 1, n, f);
    fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!good.n) prepare();
    if (!n) return 0;
    if (!(p[0] & 1)) {
        write_bytes(p + 1, n - 1);
        if (!read_all()) abort();
        return 0;
    }
    struct buf b = BUF_INIT(1 << 20);
    buf_add(&b, good.p, good.n);
    for (size_t i = 1; i + 3 <= n; i += 3) {
        size_t at = (p[i] | (size_t)p[i + 1] << 8) % b.n;
        b.p[at] = (char)p[i + 2];
        if (p[i + 1] & 0x80) b.n = at + 1;
    }
    write_bytes(b.p, b.n);
    bool same = b.n == good.n && !memcmp(b.p, good.p, good.n);
    if ((read_all() == 0) != same) abort();
    buf_free(&b);
    return 0;
}
