/* Runs one format over a text in memory and keeps what it hands out, for the tests of mail and
 * chat.
 *
 *     struct fmtrun r;
 *     fmtrun(&r, &format_eml, "a.eml", text, strlen(text), -1, 0);
 *     check_str(r.p[0].text, "...");
 *     fmtrun_clear(&r); */
#ifndef LK_TESTS_FMTRUN_H
#define LK_TESTS_FMTRUN_H

#include "check.h"

#include "base/str.h"
#include "text/fmt.h"

#define FMTRUN_MAX 64
#define FMTRUN_NOW 1735689600 /* 2025-01-01 */

struct fmtrun {
    struct piece p[FMTRUN_MAX];
    char skipped[FMTRUN_MAX][64];
    uint64_t where[FMTRUN_MAX];
    int n, n_skipped, rc;
    struct err err;
};

static inline int fmtrun_piece(void *ud, const struct piece *p, struct err *err)
{
    struct fmtrun *r = ud;
    if (r->n == FMTRUN_MAX) return 0;
    struct piece *q = &r->p[r->n++];
    *q = *p;
    const char **s[] = { &q->text,   &q->author, &q->author_id, &q->title,
                         &q->thread, &q->id,     &q->reply_to,  &q->quoted };
    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        assert_true(utf8_valid(*s[i], strlen(*s[i])));
        *s[i] = str_dup(*s[i]);
    }
    return 0;
}

static inline void fmtrun_skipped(void *ud, const char *what, uint64_t where)
{
    struct fmtrun *r = ud;
    if (r->n_skipped == FMTRUN_MAX) return;
    snprintf(r->skipped[r->n_skipped], sizeof r->skipped[0], "%s", what);
    r->where[r->n_skipped++] = where;
}

static inline void fmtrun_opts(struct fmtrun *r, const struct format *f, const char *path,
                               const void *text, size_t n, const struct format_opts *o)
{
    memset(r, 0, sizeof *r);
    const char *slash = strrchr(path, '/');
    struct format_in in = { .size = n, .mtime = CLOCK_NONE, .path = path };
    struct piece_sink sink = { .piece = fmtrun_piece, .skipped = fmtrun_skipped, .ud = r };
    snprintf(in.name, sizeof in.name, "%s", slash ? slash + 1 : path);
    in.head_n = n < FORMAT_HEAD ? n : FORMAT_HEAD;
    in.head = mem_dup(text, in.head_n);
    in.f = tmpfile();
    assert_non_null(in.f);
    check_int(fwrite(text, 1, n, in.f), n);
    rewind(in.f);
    r->rc = f->parse(&in, o, &sink, &r->err);
    fclose(in.f);
    free(in.head);
}

static inline void fmtrun_path(struct fmtrun *r, const struct format *f, const char *path,
                               const void *text, size_t n, int day_first, long tz)
{
    struct format_opts o = { .now = FMTRUN_NOW, .day_first = day_first, .tz_offset = tz };
    fmtrun_opts(r, f, path, text, n, &o);
}

static inline void fmtrun_named(struct fmtrun *r, const struct format *f, const char *path,
                                const char *text, struct names *names)
{
    struct format_opts o = { .now = FMTRUN_NOW, .day_first = -1, .names = names };
    fmtrun_opts(r, f, path, text, strlen(text), &o);
}

static inline void fmtrun(struct fmtrun *r, const struct format *f, const char *name,
                          const char *text)
{
    fmtrun_path(r, f, name, text, strlen(text), -1, 0);
}

static inline void fmtrun_clear(struct fmtrun *r)
{
    for (int i = 0; i < r->n; i++) {
        struct piece *q = &r->p[i];
        const char *s[] = { q->text,   q->author, q->author_id, q->title,
                            q->thread, q->id,     q->reply_to,  q->quoted };
        for (size_t k = 0; k < sizeof s / sizeof *s; k++) free((void *)s[k]);
    }
}

static inline int fmtrun_score(const struct format *f, const char *name, const char *text)
{
    struct format_in in = { .size = strlen(text), .path = name };
    snprintf(in.name, sizeof in.name, "%s", name);
    in.head = (unsigned char *)str_dup(text);
    in.head_n = strlen(text);
    int s = f->score(&in);
    free(in.head);
    return s;
}

#endif
