/* The doctor. The store looks at its file, keys and seals; here is what only the persona room
 * knows: that a body which opens also parses, and that what is derived from the pieces is up to
 * date. A body that does not parse is reported, never removed: a later version may know how to read
 * it. */
#include "persona/doctor.h"

#include "base/clock.h"
#include "base/io.h"
#include "persona/embedding.h"
#include "persona/ingest.h"
#include "persona/internal.h"
#include "persona/nearby.h"
#include "persona/pack.h"
#include "store/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
    struct home *home;
    bool repair;
    void (*say)(void *ud, bool problem, const char *text);
    void *ud;
    struct doctor_report *rep;
    struct found {
        int64_t row;
        char id[9];
    } * found; /* personas whose seals open: of the others the store has told */
    size_t n;
    struct err *err;
};

static void tell_list(struct look *l, bool problem, const char *fmt, va_list ap)
{
    char text[640];
    vsnprintf(text, sizeof text, fmt, ap);
    l->rep->store.problems += problem;
    if (l->say) l->say(l->ud, problem, text);
}

__attribute__((format(printf, 3, 4))) static void tell(struct look *l, bool problem,
                                                       const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell_list(l, problem, fmt, ap);
    va_end(ap);
}

static int note_persona(void *ud, const struct row_persona *r)
{
    struct look *l = ud;
    if (r->forgotten || r->unreadable) return 0;
    struct found *f = realloc(l->found, (l->n + 1) * sizeof *f);
    if (!f) return err_nomem(l->err);
    l->found = f;
    f[l->n].row = r->id;
    snprintf(f[l->n++].id, sizeof f->id, "%02x%02x%02x%02x", r->uid[0], r->uid[1], r->uid[2],
             r->uid[3]);
    return 0;
}

struct bodies {
    struct look *l;
    uint64_t bad, seen;
    struct arena *mem;
};

static int parse_piece(void *ud, const struct row_piece *r)
{
    struct bodies *b = ud;
    struct piece p;
    arena_reset(b->mem);
    b->seen++;
    b->bad += unpack_piece(r->body, r->body_n, b->mem, &p, NULL) != 0;
    return 0;
}

static int parse_chunk(void *ud, const struct row_chunk *r)
{
    struct bodies *b = ud;
    struct chunk_text t;
    arena_reset(b->mem);
    b->seen++;
    b->bad += unpack_chunk(r->body, r->body_n, b->mem, &t, NULL) != 0;
    return 0;
}

static int look_at_bodies(struct look *l, const struct persona *p)
{
    struct bodies b = { .l = l, .mem = arena_new(0) };
    struct err e = { 0 };
    int rc = b.mem ? 0 : err_nomem(l->err);
    if (rc) return rc;
    rc = store_piece_each(l->home->store, &p->seal, 0, PIECE_BY_SEQ, parse_piece, &b, &e);
    if (!rc) rc = store_chunk_each(l->home->store, &p->seal, 0, parse_chunk, &b, &e);
    arena_free(b.mem);
    l->rep->unreadable_bodies += b.bad;
    if (b.bad)
        tell(l, true,
             "persona %s: %llu of %llu pieces and chunks open but cannot be understood: restore a "
             "backup, or update the program",
             p->id, (unsigned long long)b.bad, (unsigned long long)b.seen);
    /* Rows that do not open were reported by the store already. */
    return rc == ERR_NOMEM ? err_nomem(l->err) : 0;
}

struct stored {
    struct look *l;
    const struct persona *p;
};

static int open_embedder(void *ud, const struct row_embedder *r)
{
    struct stored *s = ud;
    struct embedding m;
    struct err e = { 0 };
    if (!r->current) return 0;
    if (embedding_read(r, &m, &e)) tell(s->l, true, "persona %s: %s", s->p->id, e.msg);
    embedding_close(&m);
    return 0;
}

/* Can its vectors be searched; and is there something better for it, which is advice. */
static void look_at_embedder(struct look *l, const struct persona *p)
{
    struct stored s = { l, p };
    const char *usual = embedding_default();
    struct err e = { 0 };
    if (store_embedder_each(l->home->store, &p->seal, open_embedder, &s, &e)) return; /* told */
    if (!strcmp(p->embedder, "hash") && strcmp(usual, "hash") != 0)
        tell(l, false,
             "persona %s is searched by words alone; `likeness doctor --reembed %s` makes vectors "
             "that know what words mean",
             p->id, usual);
}

/* Of a large persona: how well its index finds. One that is not there costs time, nothing else, but
 * one that finds too little would be believed. */
static int look_at_index(struct look *l, const struct persona *p)
{
    struct nearby_look n;
    struct err e = { 0 };
    char day[24];
    int rc = nearby_look(l->home, p, &n, &e);
    if (rc || !n.wanted) return rc == ERR_NOMEM ? rc : 0; /* the store told what does not open */
    if (n.there)
        tell(l, n.recall < NEARBY_RECALL,
             "persona %s: the index over %zu vectors, of %s, finds %.1f %% of the ten nearest "
             "(ef %d, %zu MB)",
             p->id, n.vectors, clock_date(n.info.built_at, day), 100 * n.recall, n.info.ef,
             n.info.bytes >> 20);
    else
        tell(l, true,
             "persona %s: %zu vectors have no index that fits, so each question reads them all",
             p->id, n.vectors);
    if (n.there && n.recall >= NEARBY_RECALL) return 0;
    if (!l->repair) tell(l, false, "persona %s: `likeness doctor` builds it anew", p->id);
    else if ((rc = nearby_repair(l->home, p, NULL, &e)))
        tell(l, false, "persona %s: the index could not be built: %s", p->id, e.msg);
    else {
        l->rep->store.repaired++;
        tell(l, false, "persona %s: the index was built anew", p->id);
    }
    return rc == ERR_NOMEM ? rc : 0;
}

static int look_at_persona(struct look *l, const struct found *f)
{
    struct persona *p = NULL;
    struct err e = { 0 };
    int rc = persona_load(l->home, f->row, &p, &e);
    if (rc) {
        tell(l, true,
             "persona %s cannot be opened: %s; update the program, restore a backup, or give the "
             "persona up for good: likeness forget %s",
             f->id, e.msg, f->id);
        return rc == ERR_NOMEM ? rc : 0;
    }
    rc = look_at_bodies(l, p);
    look_at_embedder(l, p);
    if (!rc && p->stale) {
        l->rep->stale_personas++;
        tell(l, true,
             "persona %s: vectors, topics and profile are behind its pieces: an interrupted add",
             p->id);
        if (l->repair && (rc = persona_settle(l->home, p, NULL, &e)))
            tell(l, false, "persona %s could not be brought up to date: %s", p->id, e.msg);
        else if (l->repair) {
            l->rep->store.repaired++;
            tell(l, false, "persona %s: brought up to date", p->id);
        }
        if (rc && rc != ERR_NOMEM) rc = 0;
    }
    if (!rc && !p->stale) rc = look_at_index(l, p);
    persona_close(p);
    return rc;
}

static void count_problem(void *ud, bool problem, const char *text)
{
    struct look *l = ud;
    tell(l, problem, "%s", text);
}

/* Of a home that was ever served. */
static int look_at_service(struct look *l)
{
    struct service *sv = NULL;
    struct err e = { 0 };
    char path[4200];
    uint64_t rows = 0, before = l->rep->store.problems;
    if (snprintf(path, sizeof path, "%s/service.db", l->home->path) >= (int)sizeof path) return 0;
    if (!io_exists(path)) return 0;
    int rc = service_open(l->home->path, l->home->vault, &sv, &e);
    if (!rc) rc = service_check(sv, count_problem, l, &rows, &e);
    service_close(sv);
    if (rc) tell(l, true, "%s", e.msg);
    else if (before == l->rep->store.problems)
        tell(l, false, "%s: %llu sealed rows of accounts, jobs and the audit log opened", path,
             (unsigned long long)rows);
    l->rep->store.rows_opened += rows;
    return rc == ERR_NOMEM ? rc : 0;
}

int doctor_run(struct home *h, bool repair, void (*say)(void *ud, bool problem, const char *text),
               void *ud, struct doctor_report *rep, struct err *err)
{
    struct look l = { .home = h, .repair = repair, .say = say, .ud = ud, .rep = rep, .err = err };
    struct err e = { 0 };
    *rep = (struct doctor_report){ 0 };
    int rc = store_check(h->store, repair, say, ud, &rep->store, err);
    if (rc) return rc;
    rc = store_persona_each(h->store, note_persona, &l, &e);
    if (rc == ERR_NOMEM) err_nomem(err);
    else if (rc) {
        rep->unreadable_bodies++;
        tell(&l, true, "%s", e.msg);
        rc = 0;
    }
    for (size_t i = 0; !rc && i < l.n; i++) rc = look_at_persona(&l, &l.found[i]);
    if (!rc) rc = look_at_service(&l);
    free(l.found);
    return rc;
}
