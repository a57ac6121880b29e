/* The public library: a thin, stable face over persona/. It holds no logic of its own: it turns
 * public structs into inner ones and back, and keeps a persona's retriever open between questions,
 * since opening it reads every vector. The codes of likeness.h repeat base/err.h; the assertions
 * below hold them together. Arguments that must not be NULL are answered with LK_INVAL, never with
 * a crash. */
#include "likeness.h"

#include "base/str.h"
#include "kernels/kernels.h"
#include "persona/converse.h"
#include "persona/ingest.h"
#include "text/format.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME(name)          static_assert((int)LK_##name == (int)ERR_##name, "codes differ")
#define X(name, code, text) SAME(name);
ERR_LIST(X)
#undef X
static_assert(LK_TIME_NONE == CLOCK_NONE, "times differ"); /* NOLINT(misc-redundant-expression) */
static_assert((int)LK_FOUND == (int)ANSWER_FOUND && (int)LK_CHANGED == (int)ANSWER_CHANGED &&
                  (int)LK_NONE == (int)ANSWER_NONE,
              "kinds differ");

struct lk_home {
    struct home *h;
};

struct lk_persona {
    struct lk_home *home;
    struct persona *p;
    struct retriever *r;       /* opened by the first question, dropped when words are added */
    struct conversation *c;    /* of questions asked with `remember` */
    const struct voice *voice; /* that c speaks with */
};

struct lk_answer {
    struct answer a;
    lk_source *source;
};

struct lk_results {
    struct passages ps;
    struct arena *mem;
    lk_source *source;
};

static int give(lk_error *out, const struct err *e, int rc)
{
    if (out && rc) {
        out->code = rc;
        snprintf(out->message, sizeof out->message, "%s", *e->msg ? e->msg : err_text(rc));
    } else if (out) {
        *out = (lk_error){ 0 };
    }
    return rc;
}

static int missing(lk_error *out, const char *what)
{
    struct err e = { 0 };
    return give(out, &e, err_set(&e, ERR_INVAL, "%s is missing (NULL)", what));
}

static void start(void) { kernels_init(NULL, NULL); }

static void start_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}

static struct secret secret_of(const lk_secret *s)
{
    struct secret out = { 0 };
    if (!s) return out;
    out.key_file = s->key_file;
    out.passphrase = s->passphrase;
    out.passphrase_n = s->passphrase ? strlen(s->passphrase) : 0;
    return out;
}

const char *lk_version(void) { return LIKENESS_VERSION; }
const char *lk_code_name(int code) { return err_name(code); }

/* ---- homes ---- */

int lk_home_create(const char *path, const lk_secret *s, lk_error *err)
{
    struct err e = { 0 };
    struct secret sec = secret_of(s);
    if (!path || (!sec.key_file && !sec.passphrase))
        return missing(err, "a path, or a key file or passphrase,");
    start_once();
    return give(err, &e, home_create(path, &sec, &e));
}

int lk_home_open(const char *path, const lk_secret *s, enum lk_mode mode, lk_home **out,
                 lk_error *err)
{
    struct err e = { 0 };
    struct secret sec = secret_of(s);
    if (!out) return missing(err, "where the home goes");
    *out = NULL;
    if (!path || (!sec.key_file && !sec.passphrase))
        return missing(err, "a path, or a key file or passphrase,");
    start_once();
    lk_home *h = calloc(1, sizeof *h);
    enum store_mode m = mode == LK_WRITE ? STORE_WRITE : STORE_READ;
    int rc = h ? home_open(path, &sec, m, &h->h, &e) : err_nomem(&e);
    if (rc) free(h);
    else *out = h;
    return give(err, &e, rc);
}

void lk_home_close(lk_home *h)
{
    if (!h) return;
    home_close(h->h);
    free(h);
}

/* ---- personas ---- */

static int wrap(lk_home *h, struct persona *p, lk_persona **out, struct err *e)
{
    lk_persona *w = calloc(1, sizeof *w);
    if (!w) {
        persona_close(p);
        return err_nomem(e);
    }
    w->home = h;
    w->p = p;
    *out = w;
    return 0;
}

int lk_persona_create(lk_home *h, const char *name, const char *kind, const char *consent_by,
                      const char *consent_to, lk_persona **out, lk_error *err)
{
    struct err e = { 0 };
    struct persona *p = NULL;
    struct persona_new n = { .name = name ? name : "",
                             .kind = persona_kind_parse(kind ? kind : ""),
                             .consent_by = consent_by ? consent_by : "",
                             .consent_to = consent_to ? consent_to : "",
                             .consent_at = clock_now(),
                             .chunk_overlap = -1 };
    if (!h || !out) return missing(err, "the home, or where the persona goes,");
    *out = NULL;
    int rc = persona_create(h->h, &n, &p, &e);
    if (!rc) rc = wrap(h, p, out, &e);
    return give(err, &e, rc);
}

int lk_persona_open(lk_home *h, const char *name, lk_persona **out, lk_error *err)
{
    struct err e = { 0 };
    struct persona *p = NULL;
    if (!h || !out) return missing(err, "the home, or where the persona goes,");
    *out = NULL;
    int rc = persona_open(h->h, name, &p, &e);
    if (!rc) rc = wrap(h, p, out, &e);
    return give(err, &e, rc);
}

static void drop_retriever(lk_persona *p)
{
    conversation_close(p->c);
    retriever_close(p->r);
    p->c = NULL;
    p->r = NULL;
}

void lk_persona_close(lk_persona *p)
{
    if (!p) return;
    drop_retriever(p);
    persona_close(p->p);
    free(p);
}

const char *lk_persona_name(const lk_persona *p) { return p->p->name; }

int lk_persona_forget(lk_home *h, const char *name, lk_error *err)
{
    struct err e = { 0 };
    if (!h) return missing(err, "the home");
    return give(err, &e, persona_forget(h->h, name, &e));
}

int lk_persona_me(lk_persona *p, const char *aliases, lk_error *err)
{
    struct err e = { 0 };
    if (!p || !aliases) return missing(err, "the persona, or the list of aliases,");
    drop_retriever(p);
    return give(err, &e, persona_alias_add(p->home->h, p->p, aliases, &e));
}

/* ---- adding ---- */

int lk_add(lk_persona *p, const char *path, const char *format, lk_added *added, lk_error *err)
{
    struct err e = { 0 };
    struct ingest_totals t;
    if (!p || !path) return missing(err, "the persona, or the path,");
    if (added) *added = (lk_added){ 0 };
    if (format && !format_by_name(format))
        return give(err, &e,
                    err_set(&e, ERR_INVAL,
                            "there is no format of that name; NULL "
                            "recognises it"));
    struct ingest in = { .home = p->home->h, .persona = p->p, .as = format, .day_first = -1 };
    drop_retriever(p);
    int rc = ingest_paths(&in, &path, 1, &t, &e);
    if (added)
        *added = (lk_added){ .files = t.files,
                             .failed = t.failed,
                             .added = t.added,
                             .known = t.known,
                             .voice = t.voice,
                             .context = t.context };
    return give(err, &e, rc);
}

int lk_add_text(lk_persona *p, const char *title, const char *text, size_t n, int64_t written_at,
                lk_error *err)
{
    struct err e = { 0 };
    if (!p || !text) return missing(err, "the persona, or the text,");
    drop_retriever(p);
    return give(err, &e, ingest_text(p->home->h, p->p, title, text, n, written_at, &e));
}

int lk_settle(lk_persona *p, lk_error *err)
{
    struct err e = { 0 };
    if (!p) return missing(err, "the persona");
    drop_retriever(p);
    return give(err, &e, p->p->stale ? persona_settle(p->home->h, p->p, NULL, &e) : 0);
}

/* ---- asking ---- */

static struct query query_of(const char *text, const lk_options *o)
{
    struct query q = query_default(text);
    if (!o) return q;
    if (o->k > 0) q.k = o->k;
    q.adaptive = !o->fixed_k;
    if (o->from || o->to) {
        q.from = o->from;
        q.to = o->to ? o->to : CLOCK_NONE;
    }
    q.source = o->source;
    q.topic = o->topic_plus_1 - 1;
    return q;
}

static int need_retriever(lk_persona *p, struct err *e)
{
    return p->r ? 0 : retriever_open(p->home->h, p->p, &p->r, e);
}

static int fill_answer(lk_answer *a, struct err *e)
{
    a->source = calloc(a->a.n_cites + 1, sizeof *a->source);
    if (!a->source) return err_nomem(e);
    for (size_t i = 0; i < a->a.n_cites; i++) {
        const struct answer_cite *c = &a->a.cite[i];
        a->source[i] =
            (lk_source){ c->source, c->written_at, (double)c->similarity, c->title, c->sentence };
    }
    return 0;
}

/* The conversation that this question goes on with, or a new one. */
static int need_conversation(lk_persona *p, const lk_options *o, struct err *e)
{
    const struct voice *v = voice_by_name(o && o->voice ? o->voice : "quote");
    bool goes_on = o && o->remember && p->c && p->voice == v;
    int rc = need_retriever(p, e);
    if (rc || goes_on) return rc;
    conversation_close(p->c);
    p->c = NULL;
    p->voice = v;
    return conversation_open(p->r, o && o->voice ? o->voice : "quote", 0, false, &p->c, e);
}

int lk_ask(lk_persona *p, const char *question, const lk_options *o, lk_answer **out, lk_error *err)
{
    struct err e = { 0 };
    struct query q = query_of(question, o);
    if (!p || !question || !out)
        return missing(err, "the persona, question or place of the answer");
    *out = NULL;
    lk_answer *a = calloc(1, sizeof *a);
    if (!a) return give(err, &e, err_nomem(&e));
    int rc = need_conversation(p, o, &e);
    if (!rc) rc = conversation_ask(p->c, question, &q, &a->a, NULL, &e);
    if (!rc) rc = fill_answer(a, &e);
    if (rc) lk_answer_free(a);
    else *out = a;
    return give(err, &e, rc);
}

const char *lk_answer_text(const lk_answer *a) { return a->a.text; }
enum lk_kind lk_answer_kind(const lk_answer *a) { return (enum lk_kind)a->a.kind; }
size_t lk_answer_sources(const lk_answer *a) { return a->a.n_cites; }

const lk_source *lk_answer_source(const lk_answer *a, size_t i)
{
    return i < a->a.n_cites ? &a->source[i] : NULL;
}

void lk_answer_free(lk_answer *a)
{
    if (!a) return;
    answer_clear(&a->a);
    free(a->source);
    free(a);
}

static int fill_results(lk_persona *p, lk_results *r, struct err *e)
{
    r->mem = arena_new(0);
    r->source = calloc(r->ps.n + 1, sizeof *r->source);
    if (!r->mem || !r->source) return err_nomem(e);
    for (size_t i = 0; i < r->ps.n; i++) {
        const struct passage *x = &r->ps.p[i];
        lk_source *s = &r->source[i];
        struct buf b = BUF_INIT(0);
        chunk_plain(&x->text, true, &b);
        *s = (lk_source){ .source = x->source,
                          .written_at = x->written_at,
                          .similarity = (double)x->similarity,
                          .title = arena_strdup(r->mem, retriever_title(p->r, x->source)),
                          .text = b.failed ? NULL : arena_strndup(r->mem, buf_str(&b), b.n) };
        buf_free(&b);
        if (!s->title || !s->text) return err_nomem(e);
    }
    return 0;
}

int lk_search(lk_persona *p, const char *query, const lk_options *o, lk_results **out,
              lk_error *err)
{
    struct err e = { 0 };
    struct query q = query_of(query, o);
    if (!p || !query || !out) return missing(err, "the persona, query or place of the results");
    *out = NULL;
    lk_results *r = calloc(1, sizeof *r);
    if (!r) return give(err, &e, err_nomem(&e));
    int rc = need_retriever(p, &e);
    if (!rc) rc = retrieve(p->r, &q, &r->ps, &e);
    if (!rc) rc = fill_results(p, r, &e);
    if (rc) lk_results_free(r);
    else *out = r;
    return give(err, &e, rc);
}

size_t lk_results_count(const lk_results *r) { return r->ps.n; }

const lk_source *lk_results_get(const lk_results *r, size_t i)
{
    return i < r->ps.n ? &r->source[i] : NULL;
}

void lk_results_free(lk_results *r)
{
    if (!r) return;
    passages_clear(&r->ps);
    arena_free(r->mem);
    free(r->source);
    free(r);
}
