/* likeness people: whom the persona writes with, and saying who of them is who. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/mask.h"
#include "persona/told.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 30

static void add_texts(struct buf *b, const char *const *list, size_t n, const char *but)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], but) != 0) buf_printf(b, "%s%s", b->n ? ", " : "", list[i]);
}

static void print_person(const struct person *p, bool first)
{
    int width = ui_width(), name = width - 55;
    char m[32], a[32], span[64];
    struct buf b = BUF_INIT(0);
    if (name < 12) name = 12;
    if (first)
        ui_styled(UI_DIM, "id        %-*s %8s %8s  written\n", name, "name", "theirs", "own");
    ui_styled(UI_BOLD, "%s  ", p->id);
    ui_cell(p->name, name);
    ui_printf(" %8s %8s  %s%s\n", ui_number(p->messages, m), ui_number(p->answered, a),
              ui_span(p->from, p->to, span), p->likely ? "  likely" : "");
    add_texts(&b, p->names, p->n_names, p->name);
    add_texts(&b, p->ids, p->n_ids, p->name);
    if (b.n) ui_line(UI_DIM, 10, "          %s", buf_str(&b));
    buf_free(&b);
}

static int list(struct cli *c, const struct people *all, struct err *err)
{
    int64_t limit = SHOWN;
    bool likely = arg_flag(c, "likely");
    char n[32];
    size_t shown = 0, unsure = 0, matching = 0;
    int rc = arg_i64(c, "limit", 0, INT32_MAX, &limit, err);
    if (rc) return rc;
    json_t *out = c->json ? json_array() : NULL;
    for (size_t i = 0; i < all->n; i++) {
        const struct person *p = &all->p[i];
        unsure += p->likely;
        if (likely && !p->likely) continue;
        matching++;
        if (out) json_array_append_new(out, told_person(p));
        else if (!limit || shown < (size_t)limit) print_person(p, !shown++);
    }
    if (out) {
        c->out = json_pack("{s:o, s:I, s:b}", "people", out, "more", (json_int_t)all->more, "stale",
                           c->persona->stale);
        return 0;
    }
    if (shown < matching)
        ui_note("And %s more: --limit 0 lists all.", ui_number(matching - shown, n));
    if (!matching && !likely) ui_note("Nobody else writes in what came in.");
    if (unsure && !likely)
        ui_note("\"likely\": joined by the name alone. likeness people --confirm NAME, or --split "
                "NAME ADDRESS");
    return 0;
}

static int show(struct cli *c, const struct people *all, const char *who, struct err *err)
{
    const struct person *p = people_find(all, who, err);
    if (!p) return err->code;
    if (c->json) c->out = json_pack("{s:o}", "person", told_person(p));
    else print_person(p, true);
    return 0;
}

/* How many operands what is asked for takes: -1 when two things are asked for. */
static int wanted(const struct cli *c)
{
    int merge = arg_flag(c, "merge"), split = arg_flag(c, "split"),
        confirm = arg_flag(c, "confirm"), reveal = arg_flag(c, "reveal");
    if (merge + split + confirm + reveal > 1) return -1;
    return merge || split ? 2 : confirm + reveal;
}

static int reveal(struct cli *c, struct err *err)
{
    const char *text = c->args.pos[0];
    struct buf b = BUF_INIT(0);
    int rc = cli_open(c, false, err);
    if (!rc && !utf8_valid(text, strlen(text)))
        rc = err_set(err, ERR_INVAL, "the text is not valid UTF-8");
    if (!rc) rc = mask_who(c->home, c->persona, text, strlen(text), &b, err);
    if (!rc && c->json) c->out = json_pack("{s:s}", "text", buf_str(&b));
    else if (!rc) ui_printf("%s\n", buf_str(&b));
    buf_free(&b);
    return rc;
}

static int say(struct cli *c, struct err *err)
{
    const char *const *pos = c->args.pos;
    if (arg_flag(c, "merge")) return people_merge(c->home, c->persona, pos[0], pos[1], err);
    if (arg_flag(c, "split")) return people_split(c->home, c->persona, pos[0], pos[1], err);
    return people_confirm(c->home, c->persona, pos[0], err);
}

int cmd_people(struct cli *c, struct err *err)
{
    struct people all = { 0 };
    int n = wanted(c);
    if (n < 0)
        return err_set(err, ERR_INVAL,
                       "--merge, --split, --confirm and --reveal: one of them at a time");
    if (n && c->args.n_pos != (size_t)n)
        return err_set(err, ERR_INVAL,
                       "likeness people --merge NAME NAME, --split NAME ADDRESS, --confirm NAME "
                       "or --reveal TEXT");
    if (arg_flag(c, "reveal")) return reveal(c, err);
    if (!n && c->args.n_pos > 1)
        return err_set(err, ERR_INVAL, "one at a time: likeness people NAME");
    int rc = cli_open(c, n > 0, err);
    if (!rc && n) rc = say(c, err);
    if (!rc) rc = people_load(c->home, c->persona, &all, err);
    if (rc) return rc;
    /* What was split may be called alike now: the first of them is told by its list. */
    if (!c->args.n_pos || arg_flag(c, "split")) rc = list(c, &all, err);
    else rc = show(c, &all, c->args.pos[0], err);
    people_free(&all);
    return rc;
}
