/* likeness ask and search: one question, one look. Both only read, so they work beside another
 * process that writes, and on a read-only copy of a home. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static int voice_name(const struct cli *c, struct err *err)
{
    const char *name = set_str(c, SET_VOICE);
    if (voice_by_name(name)) return 0;
    struct buf list = BUF_INIT(400);
    for (const struct voice *const *v = voices; *v; v++)
        buf_printf(&list, "%s%s", v == voices ? "" : ", ", (*v)->name);
    int rc =
        err_set(err, ERR_INVAL, "there is no voice \"%.40s\"; there are: %s", name, buf_str(&list));
    buf_free(&list);
    return rc;
}

static int question_of(const struct cli *c, struct buf *q, struct err *err)
{
    int rc = args_joined(c, 0, q, err);
    if (!rc && !span_trim((struct span){ q->p, q->n }).n)
        rc = err_set(err, ERR_INVAL, "the question is empty");
    if (!rc && !utf8_valid(q->p, q->n))
        rc = err_set(err, ERR_INVAL,
                     "the question is not valid UTF-8: check the terminal's encoding");
    return rc;
}

static void print_time(const struct answer *a)
{
    const struct engine_result *r = &a->made.result;
    if (a->made.model)
        ui_styled(UI_DIM, "  made by %s: first word after %.1f s, %.1f tokens/s, %.1f s in all\n",
                  a->made.model, r->first, r->tokens_per_second, a->seconds);
    else ui_styled(UI_DIM, "  %.1f ms\n", a->seconds * 1000);
}

/* One turn, with the model's state as it was kept by a conversation, if it was. */
static int ask_once(struct conversation *v, struct making *m, const char *question,
                    const struct query *q, struct answer *a, struct err *err)
{
    struct voice_making how = making_of(m);
    conversation_making(v, &how);
    making_begin(m);
    int rc = m->model ? conversation_warm(v, err) : 0;
    if (!rc) rc = conversation_ask(v, question, q, a, NULL, err);
    if (rc || m->c->json) making_end(m, NULL);
    return rc;
}

int cmd_ask(struct cli *c, struct err *err)
{
    struct retriever *r = NULL;
    struct conversation *v = NULL;
    struct answer a = { 0 };
    struct making m = { 0 };
    struct query q;
    struct buf text = BUF_INIT(1 << 16);
    int rc = question_of(c, &text, err);
    if (!rc) rc = voice_name(c, err);
    if (!rc) rc = query_from_args(c, &q, err);
    if (!rc) rc = query_check(c, &q, err);
    if (!rc) rc = retriever_open(c->home, c->persona, &r, err);
    if (!rc) rc = conversation_open(r, set_str(c, SET_VOICE), 0, false, &v, err);
    if (!rc) rc = making_open(c, &m, err);
    if (!rc) rc = ask_once(v, &m, buf_str(&text), &q, &a, err);
    if (rc) goto out;
    if (c->json) {
        c->out = json_answer(&a, buf_str(&text));
        goto out;
    }
    making_end(&m, &a);
    if (a.n_cites) ui_printf("\n");
    if (arg_flag(c, "why")) print_why(&a);
    else print_cites(&a);
    print_time(&a);
    if (a.kind == ANSWER_NONE) hint_nothing(c);
    if (c->persona->stale)
        ui_note("note: not everything is up to date; `likeness doctor` mends that");
out:
    answer_clear(&a);
    conversation_close(v);
    making_close(&m);
    retriever_close(r);
    buf_free(&text);
    return rc;
}

/* ---- search ---- */

/* The subject of a mail or the heading of a note says more than the file it came in. */
static const char *passage_title(const struct retriever *r, const struct passage *p)
{
    return *p->text.title ? p->text.title : retriever_title(r, p->source);
}

static json_t *json_passage(struct retriever *r, const struct passage *p)
{
    json_t *segs = json_array(), *phrases = json_array();
    for (size_t i = 0; i < p->text.n_phrase; i++)
        json_array_append_new(phrases, json_mended(p->text.phrase[i].text));
    for (size_t i = 0; i < p->text.n_seg; i++) {
        const struct chunk_seg *s = &p->text.seg[i];
        json_array_append_new(segs,
                              json_pack("{s:b, s:o, s:o, s:o}", "voice", s->voice, "author",
                                        json_mended(s->author), "written_at",
                                        json_time(s->written_at), "text", json_mended(s->text)));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "chunk", (json_int_t)p->chunk,
                     "source", (json_int_t)p->source, "title", json_mended(passage_title(r, p)),
                     "written_at", json_time(p->written_at), "similarity", jreal(p->similarity, 4),
                     "score", jreal(p->score, 4), "topic",
                     p->topic < 0 ? json_null() : json_integer(p->topic), "phrases", phrases,
                     "segments", segs);
}

static void print_passage(struct retriever *r, const struct persona *who, size_t i,
                          const struct passage *p)
{
    char date[24];
    const char *title = passage_title(r, p);
    ui_styled(UI_BOLD, "[%zu] %s", i + 1, *title ? title : "(no title)");
    ui_printf(", %s, source %lld, similarity %.3f\n", clock_date(p->written_at, date),
              (long long)p->source, (double)p->similarity);
    for (size_t s = 0; s < p->text.n_seg; s++) {
        const struct chunk_seg *seg = &p->text.seg[s];
        struct buf line = BUF_INIT(0);
        const struct chunk_seg *was = s ? seg - 1 : NULL;
        bool turn = !was || seg->voice != was->voice || strcmp(seg->author, was->author) != 0;
        if (p->text.n_seg > 1 && turn)
            buf_printf(&line, "%s: ",
                       seg->voice     ? who->name
                       : *seg->author ? seg->author
                                      : "(another)");
        buf_add(&line, seg->text, seg->text_n);
        ui_wrap(buf_str(&line), 4);
        buf_free(&line);
    }
    struct buf about = BUF_INIT(0);
    for (size_t k = 0; k < p->text.n_phrase; k++)
        buf_printf(&about, "%s%s", k ? ", " : "    about: ", p->text.phrase[k].text);
    if (about.n) ui_line(UI_DIM, 11, "%s", buf_str(&about));
    buf_free(&about);
    ui_printf("\n");
}

int cmd_search(struct cli *c, struct err *err)
{
    struct retriever *r = NULL;
    struct passages ps = { 0 };
    struct query q;
    struct buf text = BUF_INIT(1 << 16);
    double began = 0;
    int rc = question_of(c, &text, err);
    if (!rc) rc = query_from_args(c, &q, err);
    if (!rc) rc = query_check(c, &q, err);
    if (!rc) rc = retriever_open(c->home, c->persona, &r, err);
    if (rc) goto out;
    q.text = buf_str(&text);
    began = clock_mono();
    if ((rc = retrieve(r, &q, &ps, err))) goto out;
    began = clock_mono() - began;
    if (c->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < ps.n; i++) json_array_append_new(list, json_passage(r, &ps.p[i]));
        c->out = json_pack("{s:o, s:o, s:o}", "query", json_mended(q.text), "passages", list,
                           "seconds", jreal(began, 6));
        goto out;
    }
    for (size_t i = 0; i < ps.n; i++) print_passage(r, c->persona, i, &ps.p[i]);
    if (!ps.n && !hint_nothing(c)) ui_note("Nothing found.");
    if (ps.n) ui_styled(UI_DIM, "  %.1f ms\n", began * 1000);
out:
    passages_clear(&ps);
    retriever_close(r);
    buf_free(&text);
    return rc;
}
