/* What ask, chat and search share: a query from options, and an answer on the terminal. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static int mode_from(const struct cli *c, enum query_mode *mode, struct err *err)
{
    const char *s = arg_str(c, "mode");
    if (!s || !strcmp(s, "hybrid")) *mode = QUERY_HYBRID;
    else if (!strcmp(s, "vector")) *mode = QUERY_VECTOR;
    else if (!strcmp(s, "keyword")) *mode = QUERY_KEYWORD;
    else return err_set(err, ERR_INVAL, "--mode is one of hybrid, vector, keyword");
    return 0;
}

int query_from_args(const struct cli *c, struct query *q, struct err *err)
{
    int64_t topic = -1;
    int rc;
    *q = query_default(NULL);
    q->k = (int)set_int(c, SET_K);
    q->adaptive = set_yes(c, SET_ADAPTIVE);
    q->floor = (float)set_real(c, SET_FLOOR);
    if (arg_flag(c, "adaptive") && arg_flag(c, "fixed"))
        return err_set(err, ERR_INVAL, "--adaptive and --fixed cannot both hold");
    if ((rc = mode_from(c, &q->mode, err))) return rc;
    if ((rc = arg_date(c, "from", false, &q->from, err))) return rc;
    if ((rc = arg_date(c, "to", true, &q->to, err))) return rc;
    if (q->from != CLOCK_NONE && q->to != CLOCK_NONE && q->from >= q->to)
        return err_set(err, ERR_INVAL, "--from is later than --to");
    if ((rc = arg_i64(c, "source", 1, INT64_MAX, &q->source, err))) return rc;
    if ((rc = arg_i64(c, "topic", 0, INT32_MAX, &topic, err))) return rc;
    q->topic = (int32_t)topic;
    return 0;
}

json_t *json_answer(const struct answer *a, const char *question)
{
    return (json_t *)answer_json(a, question);
}

/* The text as it is; after each sentence that is the person's own, or rests on what they wrote, the
 * number of its source; after one that rests on nothing [?]. */
void print_answer(const struct answer *a)
{
    struct buf b = BUF_INIT(0);
    const char *at = a->text;
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct answer_part *p = &a->part[i];
        struct span s = span_trim(span_of(p->text));
        const char *hit = s.n ? memmem(at, strlen(at), s.p, s.n) : NULL;
        if (!hit || (p->cite < 0 && !p->unsupported)) continue;
        buf_add(&b, at, (size_t)(hit + s.n - at));
        if (p->unsupported) buf_adds(&b, " [?]");
        else buf_printf(&b, " [%d]", p->cite + 1);
        at = hit + s.n;
    }
    buf_adds(&b, at);
    ui_wrap(b.failed ? a->text : buf_str(&b), 0);
    buf_free(&b);
}

static bool same_place(const struct answer_cite *a, const struct answer_cite *b)
{
    return a->source == b->source && a->piece == b->piece && a->similarity == b->similarity &&
           !strcmp(a->title, b->title);
}

/* Neighbouring sentences of one piece are one line: "[1] [2] Go on then, 2021-03-09, ...". */
void print_cites(const struct answer *a)
{
    char date[24];
    for (size_t i = 0, n; i < a->n_cites; i += n) {
        const struct answer_cite *c = &a->cite[i];
        struct buf marks = BUF_INIT(0);
        for (n = 0; i + n < a->n_cites && same_place(c, &c[n]); n++)
            buf_printf(&marks, "%s[%zu]", n ? " " : "", i + n + 1);
        ui_styled(UI_DIM, "  %s ", buf_str(&marks));
        ui_printf("%s, %s, similarity %.3f\n", *c->title ? c->title : "(no title)",
                  clock_date(c->written_at, date), (double)c->similarity);
        buf_free(&marks);
    }
}

void print_why(const struct answer *a)
{
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct answer_part *p = &a->part[i];
        char date[24];
        if (!span_trim(span_of(p->text)).n) continue;
        if (p->cite < 0 || (size_t)p->cite >= a->n_cites) {
            ui_styled(UI_DIM, p->unsupported
                                  ? "Made up, as far as can be seen: nothing found says so:\n"
                              : p->made ? "Made by the model, and claims nothing:\n"
                                        : "Connecting words, not theirs:\n");
            ui_wrap(p->text, 4);
            continue;
        }
        const struct answer_cite *c = &a->cite[p->cite];
        ui_styled(UI_BOLD, "[%d] ", p->cite + 1);
        ui_printf("%s, %s, source %lld, similarity %.3f, support %.2f\n", c->title,
                  clock_date(c->written_at, date), (long long)c->source, (double)c->similarity,
                  (double)c->support);
        if (p->made) {
            ui_styled(UI_DIM, "    they wrote:\n");
            ui_wrap(c->sentence, 6);
            ui_styled(UI_DIM, "    the model made of it:\n");
        }
        if (c->question && *c->question) {
            ui_styled(UI_DIM, "    asked just before:\n");
            ui_wrap(c->question, 6);
        }
        ui_wrap(p->text, 4);
    }
    if (!a->n_parts) ui_printf("The answer rests on nothing.\n");
}
