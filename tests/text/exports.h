/* What the tests of exports share: a run of one format with the names that files before it told,
 * and the demand that no other format claims the file. */
#ifndef LK_TESTS_EXPORTS_H
#define LK_TESTS_EXPORTS_H

#include "fmtrun.h"

#include "text/names.h"

static struct names *names;

static inline int fresh(void **state)
{
    names_free(names);
    names = names_new();
    return names ? 0 : -1;
}

static inline int done(void **state)
{
    names_free(names);
    names = NULL;
    return 0;
}

static inline void run(struct fmtrun *r, const struct format *f, const char *path, const char *text)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    assert_true(fmtrun_score(f, base, text) > 70);
    for (const struct format *const *g = formats; *g; g++)
        if (*g != f && fmtrun_score(*g, base, text) >= fmtrun_score(f, base, text))
            fail_msg("%s is claimed by %s", path, (*g)->name);
    fmtrun_named(r, f, path, text, names);
    check_ok(r->rc, r->err);
}

static inline void check_time(int64_t t, const char *iso)
{
    char s[32];
    check_str(clock_iso(t, s), iso);
}

#endif
