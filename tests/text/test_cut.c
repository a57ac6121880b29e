/* Every format on samples that are cut at every byte: an error or a part of what the whole gives,
 * never a crash, never more. The samples are the fuzzer's (fuzz/corpus/formats): the first byte is
 * the parser's number, the second the fuzzer's options. */
#include "fmtrun.h"

#include "base/io.h"

#include <stdlib.h>

struct sample {
    const struct format *f;
    const char *path;
    const uint8_t *p;
    size_t n;
};

static bool seen[64];

static void parse(const struct sample *s, size_t n, struct fmtrun *r)
{
    struct format_opts o = { .now = FMTRUN_NOW, .day_first = -1, .names = names_new() };
    assert_non_null(o.names);
    fmtrun_opts(r, s->f, s->path, s->p, n, &o);
    names_free(o.names);
}

static void cut(const struct sample *s)
{
    struct fmtrun whole, part;
    parse(s, s->n, &whole);
    if (!whole.rc && whole.n + whole.n_skipped > 0)
        for (size_t i = 0; formats[i]; i++) seen[i] |= formats[i] == s->f;
    for (size_t n = 1; n < s->n; n += s->n < 4000 ? 1 : 13) {
        parse(s, n, &part);
        if (part.rc && part.rc != ERR_PARSE)
            fail_msg("%s cut at byte %zu: %s", s->path, n, part.err.msg);
        if (part.rc && !*part.err.msg) fail_msg("%s cut at byte %zu: no words", s->path, n);
        if (part.n > whole.n + 1) fail_msg("%s cut at byte %zu gives more", s->path, n);
        fmtrun_clear(&part);
    }
    fmtrun_clear(&whole);
}

static int one_file(void *ud, const char *path, struct err *err)
{
    FILE *f = fopen(path, "rb");
    uint8_t text[65536];
    size_t n = f ? fread(text, 1, sizeof text, f) : 0, n_formats = 0;
    while (formats[n_formats]) n_formats++;
    if (f) fclose(f);
    assert_true(n > 2);
    struct sample s = { formats[text[0] % n_formats], path, text + 2, n - 2 };
    if (!s.f->packed) cut(&s);
    return 0;
}

static void every_format(void **state)
{
    const char *root = getenv("LIKENESS_ROOT");
    struct err err = { 0 };
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/fuzz/corpus/formats", root ? root : ".");
    check_ok(io_walk(folder, one_file, NULL, &err), err);
    for (size_t i = 0; formats[i]; i++)
        if (!formats[i]->packed && !seen[i]) fail_msg("no sample of %s", formats[i]->name);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(every_format) };
    return check_run("text/cut", t);
}
