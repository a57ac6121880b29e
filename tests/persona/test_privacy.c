/* What a thief of the folder sees. Every word of six letters or more in the sample person's files,
 * and every name and address, is looked for in every file of the home: in a copy without its key
 * while the persona is there, and after it was forgotten. Words that an empty home holds too (table
 * names) are left out. */
#include "persona_home.h"

#include "base/map.h"
#include "base/str.h"
#include "text/token.h"

#include <ctype.h>

static struct buf all; /* every byte of the home's files and file names */

static int gather(const char *folder)
{
    char cmd[1200];
    snprintf(cmd, sizeof cmd, "find '%s' -type f -exec cat {} + ; find '%s' -printf '%%f\\n'",
             folder, folder);
    FILE *f = popen(cmd, "r");
    char tmp[65536];
    size_t n;
    buf_free(&all);
    all = BUF_INIT((size_t)1 << 30);
    while (f && (n = fread(tmp, 1, sizeof tmp, f)) > 0) buf_add(&all, tmp, n);
    if (f) pclose(f);
    for (size_t i = 0; i < all.n; i++) all.p[i] = (char)tolower((unsigned char)all.p[i]);
    return all.n ? 0 : -1;
}

static bool on_disk(const char *word, size_t n) { return memmem(all.p, all.n, word, n) != NULL; }

struct words {
    char *w[20000];
    size_t n;
    struct map seen;
};

static int collect(void *ud, const char *path, struct err *err)
{
    struct words *x = ud;
    struct buf b = BUF_INIT(1 << 24);
    check_int(io_read_file(path, 1 << 24, &b, err), 0);
    struct tokens t = tokens_of(buf_str(&b), b.n);
    while (tokens_next(&t)) {
        char f[128];
        if (!t.is_word || x->n == 20000) continue;
        size_t n = token_fold(b.p + t.start, t.end - t.start, f, sizeof f);
        uint64_t *seen = n >= 6 ? map_slot(&x->seen, hash64(f, n, 0)) : NULL;
        if (!seen || *seen) continue;
        *seen = 1;
        x->w[x->n++] = str_dup(f);
    }
    buf_free(&b);
    return 0;
}

static size_t found(const struct words *x, const char *when)
{
    static const char *const more[] = { "penhallow",   "solveig",         "@penhallow.example.org",
                                        "example.org", "marit penhallow", "examples/person",
                                        "mail.mbox",   "_chat.txt" };
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++)
        if (x->w[i] && on_disk(x->w[i], strlen(x->w[i]))) {
            print_message("# %s: \"%s\" is on disk\n", when, x->w[i]);
            n++;
        }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (on_disk(more[i], strlen(more[i]))) {
            print_message("# %s: \"%s\" is on disk\n", when, more[i]);
            n++;
        }
    return n;
}

static void nothing_readable(void **state)
{
    static struct words x;
    struct test_home t;
    struct err err = { 0 };
    test_home_open(&t);
    assert_int_equal(gather(t.path), 0);
    check_int(io_walk("examples/person", collect, &x, &err), 0);
    if (x.n < 1000) fail_msg("only %zu words to look for", x.n);
    for (size_t i = 0; i < x.n; i++)
        if (on_disk(x.w[i], strlen(x.w[i]))) {
            free(x.w[i]);
            x.w[i] = NULL;
        }
    test_home_sample(&t);
    assert_int_equal(gather(t.path), 0); /* while open: log and all */
    check_int(found(&x, "open home"), 0);
    check_ok(persona_rename(t.home, t.persona, "Marit Penhallow", &err), err);
    persona_close(t.persona);
    home_close(t.home);
    assert_int_equal(gather(t.path), 0);
    check_int(found(&x, "closed home"), 0);
    size_t full = all.n;
    check_ok(home_open(t.path, &t.secret, STORE_WRITE, &t.home, &err), err);
    check_ok(persona_forget(t.home, "Marit Penhallow", &err), err);
    t.persona = NULL;
    assert_int_equal(gather(t.path), 0);
    check_int(found(&x, "after forget"), 0);
    if (all.n > full / 4) fail_msg("%zu of %zu bytes are left after forget", all.n, full);
    test_home_close(&t);
    for (size_t i = 0; i < x.n; i++) free(x.w[i]);
    map_free(&x.seen);
    buf_free(&all);
}

/* The right folder with another key opens nothing. */
static void wrong_key(void **state)
{
    struct test_home a, b;
    struct err err = { 0 };
    struct home *h;
    test_home_open(&a);
    test_home_open(&b);
    persona_close(a.persona);
    home_close(a.home);
    a.home = NULL;
    a.persona = NULL;
    check_int(home_open(a.path, &b.secret, STORE_READ, &h, &err), ERR_KEY);
    check_has(err.msg, "key");
    test_home_close(&a);
    test_home_close(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(nothing_readable),
                                    cmocka_unit_test(wrong_key) };
    return check_run("persona/privacy", t);
}
