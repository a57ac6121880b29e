/* Reading ahead.
 *
 * The parser's thread fills a stretch of tape, and hands it over when it is long enough, or when
 * half a tenth of a second has gone by, so that a slow file still ticks. It waits while more than
 * AHEAD bytes lie there that nobody took. The lock guards the list of stretches handed over and the
 * two flags; what is in a stretch belongs to one side at a time. When the caller has enough (an
 * error, a cancelled run), the parser meets that as an error of its next piece.
 *
 * Small files are parsed by the caller: a thread would cost more than it saves. */
#include "persona/tape.h"

#include "base/threads.h"

#include <stdlib.h>
#include <string.h>

#define ALONE   16384               /* bytes of a file that gets no thread */
#define STRETCH 64                  /* pieces and notes handed over together, */
#define BYTES   ((size_t)256 << 10) /* or so many bytes, */
#define SECONDS 0.05                /* or after that time */
#define AHEAD   ((size_t)4 << 20)

struct word { /* one thing the parser said */
    struct word *next;
    struct tape_piece *piece; /* or NULL */
    const char *what;         /* passed over; or NULL */
    uint64_t where;           /* of that; else bytes consumed */
};

struct stretch {
    struct stretch *next;
    struct arena *mem;
    struct word *first, **last;
    size_t n;
};

struct tape {
    struct stretch *kept, **kept_last;
    size_t bytes, most;
};

struct reel { /* while a file is parsed */
    const struct tape_user *u;
    const struct format *f;
    struct format_in *in;
    const struct format_opts *o;
    struct tape *tape; /* NULL: nothing is kept */
    bool alone;
    struct stretch *filling; /* the parser's */
    double since;
    int rc; /* the parser's, once it has ended */
    struct err err;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct stretch *ready, **ready_last;
    size_t ahead;       /* bytes of them */
    bool ended, enough; /* the parser has; the caller has */
};

/* ---- stretches ---- */

static void stretch_free(struct stretch *s)
{
    if (!s) return;
    arena_free(s->mem);
    free(s);
}

static void list_free(struct stretch *s)
{
    while (s) {
        struct stretch *next = s->next;
        stretch_free(s);
        s = next;
    }
}

static struct stretch *stretch_new(void)
{
    struct stretch *s = calloc(1, sizeof *s);
    if (!s || !(s->mem = arena_new(0))) {
        free(s);
        return NULL;
    }
    s->last = &s->first;
    return s;
}

void tape_free(struct tape *t)
{
    if (!t) return;
    list_free(t->kept);
    free(t);
}

/* ---- the caller's side ---- */

static int play(const struct stretch *s, const struct tape_user *u, struct err *err)
{
    int rc = 0;
    for (const struct word *w = s->first; w && !rc; w = w->next) {
        if (w->piece) rc = u->piece(u->ud, w->piece, err);
        else if (w->what) u->skipped(u->ud, w->what, w->where);
        else if (u->consumed(u->ud, w->where)) rc = err_set(err, ERR_CANCEL, "cancelled");
    }
    return rc;
}

int tape_play(struct tape *t, const struct tape_user *u, struct err *err)
{
    int rc = 0;
    for (const struct stretch *s = t->kept; s && !rc; s = s->next) rc = play(s, u, err);
    return rc;
}

/* Played: kept, or let go. What is too long to be kept is let go from its beginning on. */
static void put_away(struct reel *r, struct stretch *s)
{
    struct tape *t = r->tape;
    if (t && (t->bytes += arena_bytes(s->mem)) > t->most) {
        tape_free(t);
        t = r->tape = NULL;
    }
    s->next = NULL;
    if (!t) {
        stretch_free(s);
        return;
    }
    *t->kept_last = s;
    t->kept_last = &s->next;
}

/* The next stretch, or NULL at the end. */
static struct stretch *take(struct reel *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->ready && !r->ended) pthread_cond_wait(&r->change, &r->lock);
    struct stretch *s = r->ready;
    if (s) {
        r->ready = s->next;
        if (!r->ready) r->ready_last = &r->ready;
        r->ahead -= arena_bytes(s->mem);
        pthread_cond_signal(&r->change);
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static void have_enough(struct reel *r)
{
    pthread_mutex_lock(&r->lock);
    r->enough = true;
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the parser's side ---- */

/* 0, or ERR_CANCEL when the caller has enough. */
static int hand_over(struct reel *r)
{
    struct stretch *s = r->filling;
    if (!s) return 0;
    r->filling = NULL;
    if (r->alone) {
        put_away(r, s);
        return 0;
    }
    pthread_mutex_lock(&r->lock);
    while (r->ahead > AHEAD && !r->enough) pthread_cond_wait(&r->change, &r->lock);
    bool enough = r->enough;
    s->next = NULL;
    *r->ready_last = s;
    r->ready_last = &s->next;
    r->ahead += arena_bytes(s->mem);
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
    return enough ? ERR_CANCEL : 0;
}

static struct word *say(struct reel *r)
{
    if (!r->filling) {
        r->since = clock_mono();
        r->filling = stretch_new();
    }
    struct stretch *s = r->filling;
    struct word *w = s ? arena_alloc(s->mem, sizeof *w) : NULL;
    if (!w) return NULL;
    *s->last = w;
    s->last = &w->next;
    s->n++;
    return w;
}

static int said(struct reel *r, const struct word *w, struct err *err)
{
    const struct stretch *s = r->filling;
    int rc = 0;
    if (r->alone && w->piece) rc = r->u->piece(r->u->ud, w->piece, err);
    else if (r->alone && w->what) r->u->skipped(r->u->ud, w->what, w->where);
    else if (r->alone) rc = r->u->consumed(r->u->ud, w->where);
    if (rc) return rc;
    bool full = s->n >= STRETCH || arena_bytes(s->mem) >= BYTES;
    return full || (!r->alone && clock_mono() - r->since >= SECONDS) ? hand_over(r) : 0;
}

static const char **strings_of(struct piece *p, size_t i)
{
    const char **all[] = { &p->text, &p->author,   &p->author_id, &p->title, &p->thread,
                           &p->id,   &p->reply_to, &p->quoted,    &p->same };
    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    struct reel *r = ud;
    struct word *w = say(r);
    struct tape_piece *t = w ? arena_alloc(r->filling->mem, sizeof *t) : NULL;
    const char **s;
    if (!t) return err_nomem(err);
    t->p = *p;
    for (size_t i = 0; (s = strings_of(&t->p, i)); i++)
        if (!(*s = arena_strndup(r->filling->mem, *s, *s ? strlen(*s) : 0))) return err_nomem(err);
    int rc = r->u->ready ? r->u->ready(r->u->ud, t, r->filling->mem, err) : 0;
    w->piece = t;
    return rc ? rc : said(r, w, err);
}

static void on_skipped(void *ud, const char *what, uint64_t where)
{
    struct reel *r = ud;
    struct word *w = say(r);
    const char *kept = w ? arena_strdup(r->filling->mem, what) : NULL;
    if (!kept) return; /* a note that is lost where memory is short */
    w->what = kept;
    w->where = where;
    said(r, w, NULL);
}

static int on_consumed(void *ud, uint64_t bytes)
{
    struct reel *r = ud;
    struct word *w = say(r);
    if (!w) return ERR_NOMEM;
    w->where = bytes;
    return said(r, w, NULL);
}

static void run_parser(struct reel *r)
{
    struct piece_sink sink = { on_piece, on_skipped, on_consumed, r };
    r->rc = format_parse(r->f, r->in, r->o, &sink, &r->err);
    hand_over(r);
}

static void *parser_thread(void *ud)
{
    struct reel *r = ud;
    run_parser(r);
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- both ---- */

static int read_ahead(struct reel *r, struct err *err)
{
    pthread_t thread;
    struct stretch *s;
    int rc = thread_start(&thread, parser_thread, r, err);
    if (rc) return rc;
    while (!rc && (s = take(r))) {
        rc = play(s, r->u, err);
        put_away(r, s);
    }
    if (rc) have_enough(r);
    pthread_join(thread, NULL);
    list_free(r->ready);
    return rc ? rc : r->rc ? err_set(err, r->rc, "%s", r->err.msg) : 0;
}

int tape_parse(const struct format *f, struct format_in *in, const struct format_opts *o,
               const struct tape_user *u, size_t most, struct tape **keep, struct err *err)
{
    struct reel r = { .u = u, .f = f, .in = in, .o = o, .alone = in->size < ALONE };
    int rc = 0;
    r.ready_last = &r.ready;
    if (most && (r.tape = calloc(1, sizeof *r.tape))) {
        r.tape->kept_last = &r.tape->kept;
        r.tape->most = most;
    }
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.change, NULL);
    if (r.alone) {
        run_parser(&r);
        if (r.rc) rc = err_set(err, r.rc, "%s", r.err.msg);
    } else {
        rc = read_ahead(&r, err);
    }
    pthread_cond_destroy(&r.change);
    pthread_mutex_destroy(&r.lock);
    if (rc) tape_free(r.tape);
    if (keep) *keep = rc ? NULL : r.tape;
    return rc;
}
