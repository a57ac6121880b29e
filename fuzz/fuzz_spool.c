/* Spools. Even first byte: the input is the file. Odd: the input is a list of changes (offset,
 * byte, whether the file ends there) to a good file of three blocks; a changed file must not read
 * to its end, and what is read until then must be what was written. */
#include "base/buf.h"
#include "base/io.h"
#include "vault/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define PLAIN (2 * SPOOL_BLOCK + 100)
static char path[64];
static uint8_t plain[PLAIN];
static const uint8_t KEY[VAULT_KEY] = { 9 };
static struct buf good;

static void prepare(void)
{
    struct spool *s = NULL;
    snprintf(path, sizeof path, "/dev/shm/fuzz-spool-%d", (int)getpid());
    for (size_t i = 0; i < PLAIN; i++) plain[i] = (uint8_t)(i * 7);
    if (spool_create(path, KEY, &s, NULL) || spool_write(s, plain, PLAIN, NULL) ||
        spool_finish(s, NULL))
        abort();
    spool_free(s);
    if (io_read_file(path, 1 << 20, &good, NULL)) abort();
}

/* 0: it reads to its end. */
static int read_all(size_t seek)
{
    char part[3000];
    uint64_t size = 0;
    size_t at = 0, k;
    FILE *f = spool_fopen(path, KEY, &size, NULL);
    if (!f) return -1;
    if (fseeko(f, (off_t)(seek % PLAIN), SEEK_SET)) abort();
    fgetc(f);
    rewind(f);
    while ((k = fread(part, 1, sizeof part, f))) {
        if (at + k > PLAIN || memcmp(part, plain + at, k)) abort();
        at += k;
    }
    int bad = ferror(f);
    fclose(f);
    if (!bad && at != size) abort();
    return bad ? -1 : 0;
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
        if (!read_all(n)) abort();
        return 0;
    }
    struct buf b = BUF_INIT(1 << 20);
    size_t first = 0;
    buf_add(&b, good.p, good.n);
    for (size_t i = 1; i + 4 <= n; i += 4) {
        size_t at = (p[i] | (size_t)p[i + 1] << 8 | (size_t)(p[i + 2] & 3) << 16) % b.n;
        b.p[at] = (char)p[i + 3];
        if (p[i + 2] & 0x80) b.n = at + 1;
        first = at;
    }
    write_bytes(b.p, b.n);
    bool same = b.n == good.n && !memcmp(b.p, good.p, good.n);
    if ((read_all(first) == 0) != same) abort();
    buf_free(&b);
    return 0;
}
