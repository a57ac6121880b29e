/* The pool. One mutex guards all of it; nothing slow (opening, closing) happens under it.
 *
 * A `place` is what the pool knows of one persona while at least one desk of it exists or is
 * wanted: how many there are, which version they were opened at, who waits. A slot is a desk with
 * its bookkeeping; idle ones stand in one row, the longest idle first, from whose beginning they
 * are closed when there is more in memory than there should be. Idle slots are always of the
 * current version, since pool_changed closes them at once (a forgotten persona's key leaves the
 * memory then, too); a busy one that has fallen behind is closed when it comes back.
 *
 * Waiting is fair: a `line` hands what is free to its first waiter, and who comes meanwhile stands
 * at its end, so nobody overtakes and nobody is woken for nothing. What is handed over is a slot,
 * or (NULL) the right to open one, already counted in place->desks. The writer's line works the
 * same way: `writing` stays true while it goes from hand to hand. A waiter whose time is over
 * leaves the line under the mutex, so what it was given in the last moment is not lost.
 *
 * Desks of one version search one corpus (corpus.h), held by each of them and by nobody else. What
 * the pool has of it is `common`: a borrowed pointer and the number of slots it is good for, so it
 * is gone from the books with the last of them, and the memory with that slot's retriever. Who
 * opens a desk keeps the corpus before it leaves the mutex. Two that are opened at once both read
 * it; the later one then takes the other's. pool_changed parts the place from its common: desks
 * that are busy go on with it, those to come have another.
 *
 * Memory: what the indexes say they hold, and a sum for the home of each desk. When a second desk
 * of a persona would be too much, even after closing idle ones, the caller waits for the first: a
 * large persona is answered by one thread rather than not at all. The first is opened whatever it
 * takes.
 *
 * Homes to read are kept apart from the indexes (`reader`), because opening a database is a good
 * part of the cost of a small desk. */
#include "persona/pool.h"

#include "base/clock.h"
#include "persona/corpus.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DESKS_ALL  256                 /* of all personas: each has a database open */
#define READERS    16                  /* homes kept for the next desk or pool_read */
#define HOME_BYTES ((size_t)256 << 10) /* of an open database whose pages were given back */

struct waiter {
    pthread_cond_t wake;
    bool called;
    struct slot *got;
    struct waiter *next;
};

struct line {
    struct waiter *first;
};

struct common {
    struct corpus *corpus; /* borrowed from its slots */
    size_t bytes;
    int slots;
};

struct place {
    uint8_t uid[VAULT_UID];
    uint64_t version;
    int desks;    /* open, or being opened */
    size_t bytes; /* of the last one opened, its own: what another would take */
    size_t corpus_bytes;
    struct common *common; /* of this version; NULL: no desk of it is open */
    struct line line;
    struct place *next;
};

struct slot {
    struct desk desk;
    struct place *of;
    struct common *common; /* NULL: its corpus is its own */
    uint64_t version;
    size_t bytes;      /* without the common corpus */
    struct slot *next; /* of those to close */
};

struct pool {
    struct home *writer;
    size_t memory;
    int desks_each;
    pthread_mutex_t m; /* guards all below */
    struct place *places;
    struct slot *idle[DESKS_ALL]; /* the longest idle one first */
    int n_idle;
    int desks, busy;
    size_t bytes;
    uint64_t opened;
    struct home *reader[READERS];
    int n_readers;
    bool writing;
    struct line writers;
};

/* ---- waiting in line ---- */

/* Wakes the first of the line, giving it got. False: nobody waits. */
static bool line_call(struct line *l, struct slot *got)
{
    struct waiter *w = l->first;
    if (!w) return false;
    l->first = w->next;
    w->got = got;
    w->called = true;
    pthread_cond_signal(&w->wake);
    return true;
}

static void line_leave(struct line *l, struct waiter *w)
{
    struct waiter **at = &l->first;
    while (*at && *at != w) at = &(*at)->next;
    if (*at) *at = w->next;
}

/* Stands at the end until it is its turn, at most ms. The mutex is held before and after. */
static bool line_wait(struct pool *p, struct line *l, int ms, struct slot **got)
{
    struct waiter w = { .called = false }, **at = &l->first;
    struct timespec until;
    pthread_condattr_t a;
    int late = 0;
    if (ms <= 0) return false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&w.wake, &a);
    pthread_condattr_destroy(&a);
    while (*at) at = &(*at)->next;
    *at = &w;
    while (!w.called && !late) late = pthread_cond_timedwait(&w.wake, &p->m, &until);
    if (!w.called) line_leave(l, &w);
    pthread_cond_destroy(&w.wake);
    *got = w.got;
    return w.called;
}

/* ---- places ---- */

static struct place *place_find(struct pool *p, const uint8_t uid[VAULT_UID])
{
    struct place *x = p->places;
    while (x && memcmp(x->uid, uid, VAULT_UID)) x = x->next;
    return x;
}

static struct place *place_of(struct pool *p, const uint8_t uid[VAULT_UID])
{
    struct place *x = place_find(p, uid);
    if (x || !(x = calloc(1, sizeof *x))) return x;
    memcpy(x->uid, uid, VAULT_UID);
    x->next = p->places;
    p->places = x;
    return x;
}

/* At the end of what may have taken the last desk or waiter of one. */
static void places_tidy(struct pool *p)
{
    for (struct place **at = &p->places; *at;) {
        struct place *x = *at;
        if (x->desks || x->line.first) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        free(x);
    }
}

/* ---- homes to read ---- */

static int reader_take(struct pool *p, struct home **out, struct err *err)
{
    pthread_mutex_lock(&p->m);
    *out = p->n_readers ? p->reader[--p->n_readers] : NULL;
    pthread_mutex_unlock(&p->m);
    return *out ? 0 : home_again(p->writer, STORE_READ, out, err);
}

static void reader_give(struct pool *p, struct home *h)
{
    if (!h) return;
    pthread_mutex_lock(&p->m);
    if (p->n_readers < READERS) {
        p->reader[p->n_readers++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&p->m);
    home_close(h);
}

/* ---- idle slots ---- */

static struct slot *idle_out(struct pool *p, int at)
{
    struct slot *s = p->idle[at];
    p->n_idle--;
    memmove(p->idle + at, p->idle + at + 1, (size_t)(p->n_idle - at) * sizeof *p->idle);
    return s;
}

/* There is room: make_room leaves fewer than DESKS_ALL. */
static void idle_in(struct pool *p, struct slot *s) { p->idle[p->n_idle++] = s; }

/* The last used one of a persona; -1: there is none. */
static int idle_of(const struct pool *p, const struct place *x)
{
    int at = p->n_idle - 1;
    while (at >= 0 && p->idle[at]->of != x) at--;
    return at;
}

/* ---- what desks have in common ---- */

/* The slot is on its place's books: joins the others of its version, or is the first. */
static void common_join(struct pool *p, struct slot *s)
{
    struct place *x = s->of;
    struct corpus *c = retriever_corpus(s->desk.retriever);
    x->corpus_bytes = corpus_bytes(c);
    if (s->version == x->version && !x->common && (x->common = calloc(1, sizeof *x->common))) {
        *x->common = (struct common){ c, x->corpus_bytes, 0 };
        p->bytes += x->corpus_bytes;
    }
    if (s->version == x->version && x->common && x->common->corpus == c) {
        s->common = x->common;
        s->common->slots++;
    } else {
        s->bytes += x->corpus_bytes;
    }
}

static void common_leave(struct pool *p, struct slot *s)
{
    struct common *c = s->common;
    s->common = NULL;
    if (!c || --c->slots) return;
    p->bytes -= c->bytes;
    if (s->of->common == c) s->of->common = NULL;
    free(c);
}

/* From the books, on to the list of those to close once the mutex is free. */
static void slot_off(struct pool *p, struct slot *s, struct slot **dead)
{
    p->desks--;
    p->bytes -= s->bytes;
    common_leave(p, s);
    s->of->desks--;
    s->next = *dead;
    *dead = s;
}

/* Closes the longest idle ones until `more` bytes and one desk more would fit; `but`: not its own.
 */
static bool make_room(struct pool *p, size_t more, const struct place *but, struct slot **dead)
{
    for (int at = 0; at < p->n_idle && (p->bytes + more > p->memory || p->desks >= DESKS_ALL);) {
        if (p->idle[at]->of == but) at++;
        else slot_off(p, idle_out(p, at), dead);
    }
    return p->bytes + more <= p->memory && p->desks < DESKS_ALL;
}

static void slots_close(struct pool *p, struct slot *dead)
{
    while (dead) {
        struct slot *next = dead->next;
        retriever_close(dead->desk.retriever);
        persona_close(dead->desk.persona);
        reader_give(p, dead->desk.home);
        free(dead);
        dead = next;
    }
}

/* ---- taking and giving ---- */

/* c: what to search, or NULL. */
static int slot_open(struct pool *p, const uint8_t uid[VAULT_UID], struct corpus *c,
                     struct slot **out, struct err *err)
{
    struct slot *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return err_nomem(err);
    struct desk *d = &s->desk;
    int rc = reader_take(p, &d->home, err);
    if (!rc) rc = persona_open_uid(d->home, uid, &d->persona, err);
    if (!rc) rc = retriever_open_on(d->home, d->persona, c, &d->retriever, err);
    if (!rc) {
        store_shrink(d->home->store);
        retriever_pin(d->retriever, true);
        s->bytes = retriever_own_bytes(d->retriever) + HOME_BYTES;
        *out = s;
    } else {
        slots_close(p, s);
    }
    return rc;
}

/* Another desk may have been opened meanwhile: then one of the two corpora will do. */
static void adopt_common(struct pool *p, struct place *x, struct slot *s)
{
    struct corpus *c = x->common ? x->common->corpus : NULL;
    if (!c || c == retriever_corpus(s->desk.retriever)) return;
    corpus_keep(c);
    pthread_mutex_unlock(&p->m);
    retriever_adopt(s->desk.retriever, c);
    corpus_drop(c);
    pthread_mutex_lock(&p->m);
}

/* Its desk is counted already. */
static int open_counted(struct pool *p, struct place *x, struct slot **out, struct err *err)
{
    uint64_t version = x->version;
    struct slot *dead = NULL;
    struct corpus *c = x->common ? corpus_keep(x->common->corpus) : NULL;
    pthread_mutex_unlock(&p->m);
    int rc = slot_open(p, x->uid, c, out, err); /* x stays: it has a desk, this one */
    corpus_drop(c);
    pthread_mutex_lock(&p->m);
    if (rc) {
        p->desks--;
        x->desks--;
        if (x->line.first) { /* the next may be luckier, or is told the same */
            p->desks++;
            x->desks++;
            line_call(&x->line, NULL);
        }
        return rc;
    }
    if (x->version == version) adopt_common(p, x, *out);
    (*out)->of = x;
    (*out)->version = version;
    x->bytes = (*out)->bytes;
    common_join(p, *out);
    p->bytes += (*out)->bytes;
    p->opened++;
    make_room(p, 0, NULL, &dead);
    pthread_mutex_unlock(&p->m);
    slots_close(p, dead);
    pthread_mutex_lock(&p->m);
    return 0;
}

static bool may_open(struct pool *p, struct place *x, struct slot **dead)
{
    if (!x->desks) {
        make_room(p, 0, x, dead);
        return true;
    }
    size_t more = x->bytes + (x->common ? 0 : x->corpus_bytes);
    return x->desks < p->desks_each && make_room(p, more, x, dead);
}

/* The mutex is held. */
static int take(struct pool *p, struct place *x, int ms, struct slot **out, struct slot **dead,
                struct err *err)
{
    if (!x->line.first) {
        int at = idle_of(p, x);
        if (at >= 0) {
            *out = idle_out(p, at);
            return 0;
        }
        if (may_open(p, x, dead)) {
            p->desks++;
            x->desks++;
            return open_counted(p, x, out, err);
        }
    }
    if (!line_wait(p, &x->line, ms, out))
        return err_set(err, ERR_BUSY, "this persona is asked by many just now: try again soon");
    return *out ? 0 : open_counted(p, x, out, err);
}

int pool_take(struct pool *p, const uint8_t uid[VAULT_UID], int ms, struct desk **out,
              struct err *err)
{
    struct slot *s = NULL, *dead = NULL;
    pthread_mutex_lock(&p->m);
    struct place *x = place_of(p, uid);
    int rc = x ? take(p, x, ms, &s, &dead, err) : err_nomem(err);
    if (!rc) p->busy++;
    places_tidy(p);
    pthread_mutex_unlock(&p->m);
    slots_close(p, dead);
    *out = rc ? NULL : &s->desk;
    return rc;
}

void pool_give(struct pool *p, struct desk *d)
{
    struct slot *s = (struct slot *)d, *dead = NULL; /* its first member */
    if (!s) return;
    pthread_mutex_lock(&p->m);
    struct place *x = s->of;
    p->busy--;
    if (s->version != x->version) {
        if (x->line.first) { /* the first of them opens the next one, in its stead */
            p->bytes -= s->bytes;
            common_leave(p, s);
            s->next = dead;
            dead = s;
            line_call(&x->line, NULL);
        } else {
            slot_off(p, s, &dead);
        }
    } else if (!line_call(&x->line, s)) {
        idle_in(p, s);
        make_room(p, 0, NULL, &dead);
    }
    places_tidy(p);
    pthread_mutex_unlock(&p->m);
    slots_close(p, dead);
}

void pool_changed(struct pool *p, const uint8_t uid[VAULT_UID])
{
    struct slot *dead = NULL;
    pthread_mutex_lock(&p->m);
    struct place *x = place_find(p, uid);
    if (x) {
        x->version++;
        x->common = NULL; /* its slots have it still */
        for (int at; (at = idle_of(p, x)) >= 0;) slot_off(p, idle_out(p, at), &dead);
        places_tidy(p);
    }
    pthread_mutex_unlock(&p->m);
    slots_close(p, dead);
}

/* ---- the writer ---- */

int pool_write(struct pool *p, int ms, struct home **out, struct err *err)
{
    struct slot *none;
    int rc = 0;
    *out = NULL;
    pthread_mutex_lock(&p->m);
    if (!p->writing) p->writing = true;
    else if (!line_wait(p, &p->writers, ms, &none))
        rc = err_set(err, ERR_BUSY, "other changes are being written just now: try again soon");
    pthread_mutex_unlock(&p->m);
    if (!rc) *out = p->writer;
    return rc;
}

void pool_wrote(struct pool *p, struct home *w)
{
    if (!w) return;
    store_rollback(w->store); /* nothing, unless a caller went off in the middle */
    pthread_mutex_lock(&p->m);
    if (!line_call(&p->writers, NULL)) p->writing = false;
    pthread_mutex_unlock(&p->m);
}

bool pool_wanted(struct pool *p)
{
    pthread_mutex_lock(&p->m);
    bool wanted = p->writers.first != NULL;
    pthread_mutex_unlock(&p->m);
    return wanted;
}

#define SAVE_MS 10000 /* how long an answer that is there waits to be saved */

static int keeper_take(void *ud, struct home **out, struct err *err)
{
    return pool_write(ud, SAVE_MS, out, err);
}

static void keeper_give(void *ud, struct home *h) { pool_wrote(ud, h); }

void pool_keep(struct pool *p, struct conversation *c)
{
    conversation_keeper(c, keeper_take, keeper_give, p);
}

static int patient_take(void *ud, struct home **out, struct err *err)
{
    return pool_write(ud, POOL_PATIENT, out, err);
}

struct home_writer pool_writer(struct pool *p)
{
    return (struct home_writer){ patient_take, keeper_give, p };
}

/* ---- to read ---- */

int pool_read(struct pool *p, struct home **out, struct err *err)
{
    return reader_take(p, out, err);
}

void pool_read_done(struct pool *p, struct home *h) { reader_give(p, h); }

struct vault *pool_vault(const struct pool *p) { return p->writer->vault; }

/* ---- its life ---- */

int pool_open(struct home *h, const struct pool_opts *o, struct pool **out, struct err *err)
{
    struct pool *p = calloc(1, sizeof *p);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE),
         cores = sysconf(_SC_NPROCESSORS_ONLN);
    *out = NULL;
    if (!p) return err_nomem(err);
    p->writer = h;
    p->memory = o->memory               ? o->memory
                : pages > 0 && page > 0 ? (size_t)pages / 4 * (size_t)page
                                        : (size_t)1 << 30;
    p->desks_each = o->desks > 0 ? o->desks : cores > 2 ? (int)cores : 2;
    pthread_mutex_init(&p->m, NULL);
    *out = p;
    return 0;
}

void pool_close(struct pool *p)
{
    struct slot *dead = NULL;
    if (!p) return;
    pthread_mutex_lock(&p->m);
    while (p->n_idle) slot_off(p, idle_out(p, 0), &dead);
    places_tidy(p);
    pthread_mutex_unlock(&p->m);
    slots_close(p, dead);
    while (p->n_readers) home_close(p->reader[--p->n_readers]);
    pthread_mutex_destroy(&p->m);
    free(p);
}

void pool_load(struct pool *p, struct pool_load *out)
{
    pthread_mutex_lock(&p->m);
    *out = (struct pool_load){ (uint64_t)p->desks, (uint64_t)p->busy, p->opened, p->bytes };
    pthread_mutex_unlock(&p->m);
}
