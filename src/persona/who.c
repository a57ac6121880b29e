/* Who writes here? A survey of the authors in files, and a guess which of them owns the export.
 *
 * The owner is in every chat and in most mail threads, while each correspondent is in few: so presence
 * across files and threads counts most; then how much they wrote; and when the format itself marks
 * the owner (label "Sent", the user id of an account export) that settles it. */
#include "persona/ingest.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "text/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SURVEY_PIECES 200000           /* a file; enough to know its people */
#define SURVEY_PEOPLE 20000

struct survey {
    struct speaker *s;
    size_t n, cap;
    struct map by_author;              /* hash of id (or name) -> index + 1 */
    struct map in_thread;              /* hash(author, thread) -> 1 */
    struct map threads;
    uint64_t pieces, file;
    struct err *err;
};

static struct speaker *speaker_of(struct survey *v, const struct piece *p)
{
    struct buf b = BUF_INIT(8192);
    const char *key = *p->author_id ? p->author_id : p->author;
    utf8_fold(&b, key, strlen(key));
    uint64_t *at = map_slot(&v->by_author, hash64(buf_str(&b), b.n, 11));
    buf_free(&b);
    if (!at) return NULL;
    if (!*at) {
        if (v->n == SURVEY_PEOPLE) return NULL;
        if (v->n == v->cap) {
            size_t cap = v->cap ? v->cap * 2 : 64;
            struct speaker *grown = realloc(v->s, cap * sizeof *grown);
            if (!grown) return NULL;
            v->s = grown;
            v->cap = cap;
        }
        memset(&v->s[v->n], 0, sizeof v->s[0]);
        *at = ++v->n;
    }
    return &v->s[*at - 1];
}

static int survey_piece(void *ud, const struct piece *p, struct err *err)
{
    struct survey *v = ud;
    if (!*p->author && !*p->author_id) return 0;
    struct speaker *s = speaker_of(v, p);
    if (!s) return v->n == SURVEY_PEOPLE ? 0 : err_nomem(err);
    if (!*s->name) snprintf(s->name, sizeof s->name, "%s", p->author);
    if (!*s->id) snprintf(s->id, sizeof s->id, "%s", p->author_id);
    s->messages++;
    s->owner |= p->sent_by_owner;
    uint64_t thread = hash64(p->thread, strlen(p->thread), v->file);
    uint64_t pair[2] = { thread, (uint64_t)(s - v->s) };
    uint64_t *seen = map_slot(&v->in_thread, hash64(pair, sizeof pair, 5));
    uint64_t *known = map_slot(&v->threads, thread);
    if (!seen || !known) return err_nomem(err);
    *known = 1;
    if (!*seen) s->files++;
    *seen = 1;
    return ++v->pieces > SURVEY_PIECES ? ERR_LIMIT : 0;
}

static int survey_file(struct survey *v, const struct ingest *in, const char *path)
{
    const struct format *f;
    struct format_in file = { 0 };
    struct format_opts o = { .now = clock_now(), .map = in->map, .day_first = in->day_first };
    struct piece_sink sink = { survey_piece, NULL, NULL, v };
    if (!strcmp(path, "-") || format_open(path, in->as, &f, &file, NULL)) return 0;
    v->pieces = 0;
    v->file++;
    int rc = f->has_authors ? format_parse(f, &file, &o, &sink, NULL) : 0;
    format_close(&file);
    return rc == ERR_NOMEM ? rc : 0;   /* a file that cannot be read is reported when it is added */
}

static int by_likely(const void *a, const void *b)
{
    const struct speaker *x = a, *y = b;
    if (x->likely != y->likely) return x->likely < y->likely ? 1 : -1;
    return x->messages < y->messages ? 1 : x->messages > y->messages ? -1 : strcmp(x->name, y->name);
}

static void judge(struct survey *v)
{
    uint64_t most = 1;
    for (size_t i = 0; i < v->n; i++)
        if (v->s[i].messages > most) most = v->s[i].messages;
    for (size_t i = 0; i < v->n; i++) {
        struct speaker *s = &v->s[i];
        float there = v->threads.n ? (float)s->files / (float)v->threads.n : 0;
        float much = logf(1.0f + (float)s->messages) / logf(1.0f + (float)most);
        s->likely = s->owner ? 1 : 0.7f * there + 0.25f * much;
    }
    if (v->n) qsort(v->s, v->n, sizeof v->s[0], by_likely);
}

int ingest_speakers(struct ingest *in, const char *const *paths, size_t n, struct speaker **out,
                    size_t *n_out, struct err *err)
{
    struct survey v = { .err = err };
    struct path_list l = { 0 };
    int rc = path_list_of(paths, n, &l, err);
    for (size_t i = 0; i < l.n && !rc; i++) {
        rc = survey_file(&v, in, l.path[i]);
        if (!rc) rc = progress_tick(in->progress, "survey", i + 1, l.n, "files");
    }
    if (rc == ERR_NOMEM) err_nomem(err);
    if (rc == ERR_CANCEL) err_set(err, rc, "stopped; nothing was added");
    judge(&v);
    path_list_free(&l);
    map_free(&v.by_author);
    map_free(&v.in_thread);
    map_free(&v.threads);
    *out = v.s;
    *n_out = v.n;
    if (rc) {
        free(v.s);
        *out = NULL;
        *n_out = 0;
    }
    return rc;
}
