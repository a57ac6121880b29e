/* likeness sources, topics, conversations: what is there, and taking it away. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/source.h"
#include "persona/told.h"
#include "persona/topics.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- sources ---- */

struct listing {
    json_t *out;
    size_t n;
    char title[512];
};

/* "2012-03-04 to 2019-11-02" -> "2012-2019" */
static void only_years(char span[64])
{
    if (!isdigit((unsigned char)*span)) return;
    if (strlen(span) < 24 || !memcmp(span, span + 14, 4)) span[4] = 0;
    else {
        memmove(span + 5, span + 14, 4);
        span[9] = 0;
    }
}

/* Columns that fit the terminal; in a narrow one the dates are years. */
static void print_source(const struct source *s, bool first)
{
    int width = ui_width(), dates = width < 76 ? 9 : 24, title = width - 37 - dates;
    char span[64], v[32], p[32];
    if (title < 8) title = 8;
    if (first)
        ui_styled(UI_DIM, "  id  %-*s %-9s %7s %8s  written\n", title, "title", "format", "pieces",
                  "own");
    ui_styled(UI_BOLD, "%4lld  ", (long long)s->id);
    ui_cell(*s->title ? s->title : "(no title)", title);
    ui_span(s->from, s->to, span);
    if (dates == 9) only_years(span);
    ui_printf(" %-9s %7s %8s  %s\n", s->format, ui_number(s->pieces, p), ui_number(s->voice, v),
              span);
    if (s->n_languages) {
        struct buf b = BUF_INIT(4096);
        say_tongues(&b, s->language, s->n_languages);
        ui_styled(UI_DIM, "      in %s\n", buf_str(&b));
        buf_free(&b);
    }
    if (!s->topics || !*s->topics) return;
    ui_styled(UI_DIM, "      about ");
    ui_cell(s->topics, 13 - width);
    ui_printf("\n");
}

static int list_source(void *ud, const struct source *s)
{
    struct listing *l = ud;
    l->n++;
    if (l->out) {
        json_t *languages = told_tongues(s->language, s->n_languages);
        json_array_append_new(
            l->out, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "id",
                              (json_int_t)s->id, "title", json_mended(s->title), "format",
                              json_mended(s->format), "path", json_mended(s->path), "added_at",
                              json_time(s->added_at), "from", json_time(s->from), "to",
                              json_time(s->to), "pieces", (json_int_t)s->pieces, "voice",
                              (json_int_t)s->voice, "chunks", (json_int_t)s->chunks, "topics",
                              json_mended(s->topics), "languages", languages));
        return 0;
    }
    print_source(s, l->n == 1);
    return 0;
}

static int find_source(void *ud, const struct source *s)
{
    struct listing *l = ud;
    l->n++;
    snprintf(l->title, sizeof l->title, "%s", s->title);
    return 0;
}

static int delete_beside(struct cli *c, int64_t id, struct gone *g, struct err *err)
{
    json_t *done = NULL;
    int rc = beside_run(c, "delete", json_pack("{s:I}", "source", (json_int_t)id), &done, err);
    g->pieces = (uint64_t)json_integer_value(json_object_get(done, "pieces"));
    g->chunks = (uint64_t)json_integer_value(json_object_get(done, "chunks"));
    g->vectors = (uint64_t)json_integer_value(json_object_get(done, "vectors"));
    g->turns = (uint64_t)json_integer_value(json_object_get(done, "turns"));
    json_decref(done);
    return rc;
}

static int delete_source(struct cli *c, int64_t id, struct err *err)
{
    struct listing l = { 0 };
    struct gone g = { 0 };
    char q[640], a[64], b[64], d[64];
    int rc = source_each(c->home, c->persona, id, find_source, &l, err);
    if (!rc && !l.n)
        rc = err_set(err, ERR_NOTFOUND, "there is no source %lld: likeness sources lists them",
                     (long long)id);
    if (rc) return rc;
    if (!arg_flag(c, "yes")) {
        if (!ui_interactive())
            return err_set(err, ERR_INVAL, "deleting cannot be undone: say --yes");
        snprintf(q, sizeof q, "Delete source %lld (%s) and all that came from it?", (long long)id,
                 l.title);
        if ((rc = ui_confirm(q, err))) return rc;
    }
    if (c->service) {
        rc = delete_beside(c, id, &g, err);
    } else if (!(rc = source_delete(c->home, c->persona, id, &g, err))) {
        rc = persona_settle(c->home, c->persona, ui_progress_begin(), err);
        ui_progress_end();
    }
    if (rc) return rc;
    if (c->json) c->out = json_pack("{s:I, s:o}", "deleted", (json_int_t)id, "gone", jgone(&g));
    else {
        ui_printf("Deleted source %lld: %s, %s, %s", (long long)id,
                  ui_count(g.pieces, "piece", "pieces", a),
                  ui_count(g.chunks, "chunk", "chunks", b),
                  ui_count(g.vectors, "vector", "vectors", d));
        ui_printf(", %s of conversations.\n", ui_count(g.turns, "turn", "turns", q));
    }
    return 0;
}

int cmd_sources(struct cli *c, struct err *err)
{
    struct listing l = { 0 };
    int64_t id = 0;
    int rc = arg_i64(c, "delete", 1, INT64_MAX, &id, err);
    if (!rc) rc = cli_open(c, id != 0, err);
    if (rc) return rc;
    if (id) return delete_source(c, id, err);
    if (c->json) l.out = json_array();
    rc = source_each(c->home, c->persona, 0, list_source, &l, err);
    if (c->json) c->out = json_pack("{s:o}", "sources", l.out);
    else if (!rc && !l.n) ui_note("There is nothing yet: likeness add FILE...");
    return rc;
}

/* ---- topics ---- */

static json_t *json_topic(const struct topic *t)
{
    json_t *phrases = json_array();
    for (size_t i = 0; i < t->n_phrases; i++)
        json_array_append_new(phrases, json_mended(t->phrases[i]));
    return json_pack("{s:i, s:o, s:I, s:o}", "id", (int)t->id, "label", json_mended(t->label),
                     "chunks", (json_int_t)t->chunks, "phrases", phrases);
}

static void print_topic(const struct topic *t)
{
    struct buf more = BUF_INIT(0);
    char n[64];
    ui_styled(UI_BOLD, "%4d  ", (int)t->id);
    ui_cell(t->label, ui_width() - 22);
    ui_printf(" %14s\n", ui_count(t->chunks, "chunk", "chunks", n));
    for (size_t k = 0; k < t->n_phrases; k++)
        if (!strstr(t->label, t->phrases[k]))
            buf_printf(&more, "%s%s", more.n ? ", " : "      also ", t->phrases[k]);
    if (more.n) ui_line(UI_DIM, 11, "%s", buf_str(&more));
    buf_free(&more);
}

int cmd_topics(struct cli *c, struct err *err)
{
    struct topics ts = { 0 };
    int rc = topics_of(c, &ts, err);
    json_t *list = json_array();
    for (size_t i = 0; !rc && i < ts.n; i++) {
        json_array_append_new(list, json_topic(&ts.t[i]));
        if (!c->json) print_topic(&ts.t[i]);
    }
    if (!rc && c->json) c->out = json_pack("{s:O}", "topics", list);
    else if (!rc && !ts.n && !hint_nothing(c))
        ui_note("There are no topics yet: they come with a few dozen pieces.");
    json_decref(list);
    topics_clear(&ts);
    return rc;
}

/* ---- conversations ---- */

struct talks {
    struct cli *c;
    json_t *out;
    int64_t want;
    bool found;
    size_t n;
    struct err *err;
};

static int first_question(void *ud, const struct row_turn *r)
{
    struct buf *b = ud;
    json_t *j = json_loadb(r->body, r->body_n, 0, NULL);
    const char *q = json_string_value(json_object_get(j, "question"));
    if (q && !b->n) buf_adds(b, q);
    json_decref(j);
    return ERR_EXISTS; /* the first is enough */
}

static int list_conversation(void *ud, int64_t id, int64_t created_at, uint64_t n_turns,
                             const char *body, size_t n)
{
    struct talks *t = ud;
    struct buf q = BUF_INIT(1 << 20);
    char date[24], num[64];
    t->n++;
    t->found |= id == t->want;
    if (t->want) return 0;
    store_turn_each(t->c->home->store, &t->c->persona->seal, id, first_question, &q, NULL);
    if (t->out)
        json_array_append_new(t->out, json_pack("{s:I, s:o, s:I, s:o}", "id", (json_int_t)id,
                                                "created_at", json_time(created_at), "turns",
                                                (json_int_t)n_turns, "first_question",
                                                q.n ? json_mended(buf_str(&q)) : json_null()));
    else {
        ui_styled(UI_BOLD, "%4lld  ", (long long)id);
        ui_printf("%s  ", clock_date(created_at, date));
        ui_cell(ui_count(n_turns, "turn", "turns", num), 10);
        ui_cell(buf_str(&q), 30 - ui_width());
        ui_printf("\n");
    }
    buf_free(&q);
    return 0;
}

static int show_turn(void *ud, const struct row_turn *r)
{
    struct talks *t = ud;
    json_t *j = json_loadb(r->body, r->body_n, 0, NULL);
    const char *q = json_string_value(json_object_get(j, "question"));
    const char *a = json_string_value(json_object_get(j, "answer"));
    if (t->out) {
        json_t *one = json_is_object(j) ? json_incref(j) : json_object();
        json_object_set_new(one, "created_at", json_time(r->created_at));
        json_array_append_new(t->out, one);
    } else {
        ui_styled(UI_BOLD, "> %s\n", q ? q : "");
        ui_wrap(a ? a : "", 2);
        ui_printf("\n");
    }
    json_decref(j);
    return 0;
}

static int delete_conversation(struct cli *c, int64_t id, struct err *err)
{
    int rc = 0;
    if (!arg_flag(c, "yes")) {
        if (!ui_interactive())
            return err_set(err, ERR_INVAL, "deleting cannot be undone: say --yes");
        if ((rc = ui_confirm("Delete this conversation?", err))) return rc;
    }
    rc = store_conversation_delete(c->home->store, &c->persona->seal, id, err);
    if (!rc && c->json) c->out = json_pack("{s:I}", "deleted", (json_int_t)id);
    else if (!rc) ui_printf("Deleted conversation %lld.\n", (long long)id);
    return rc;
}

int cmd_conversations(struct cli *c, struct err *err)
{
    struct talks t = { .c = c, .err = err };
    int64_t gone = 0;
    int rc = arg_i64(c, "delete", 1, INT64_MAX, &gone, err);
    t.want = gone;
    if (!rc && !gone && c->args.n_pos && (!str_i64(span_of(c->args.pos[0]), &t.want) || t.want < 1))
        rc = err_set(err, ERR_INVAL,
                     "a conversation is named by its number: likeness conversations");
    if (!rc) rc = cli_open(c, gone != 0, err);
    if (rc) return rc;
    if (c->json) t.out = json_array();
    rc = store_conversation_each(c->home->store, &c->persona->seal, list_conversation, &t, err);
    if (!rc && t.want && !t.found)
        rc = err_set(err, ERR_NOTFOUND,
                     "there is no conversation %lld: likeness conversations lists them",
                     (long long)t.want);
    if (!rc && gone) rc = delete_conversation(c, gone, err);
    else if (!rc && t.want)
        rc = store_turn_each(c->home->store, &c->persona->seal, t.want, show_turn, &t, err);
    else if (!rc && !t.n && !c->json) ui_note("No conversation is kept: likeness chat begins one.");
    if (!rc && c->json && !gone)
        c->out = json_pack("{s:O}", t.want ? "turns" : "conversations", t.out);
    json_decref(t.out);
    return rc;
}
