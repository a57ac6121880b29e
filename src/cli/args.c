/* Options and operands, parsed by the tables in commands.c.
 *
 * The forms: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, several switches in one word (-qj), and
 * -- after which everything is an operand. A lone "-" is an operand (standard input). Options may
 * stand anywhere. Before the command's name only global options are known; after it the command's
 * own hide a global one of the same name: `likeness --key-file HOME.key export Ann ann.lk
 * --key-file FILE.key`. Names are never abbreviated, so that a script means tomorrow what it means
 * today; instead the nearest name is suggested. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int edit_distance(const char *a, const char *b, int cap)
{
    size_t na = strlen(a), nb = strlen(b);
    int d[3][40];
    if (na > 38 || nb > 38) return cap;
    for (size_t j = 0; j <= nb; j++) d[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best) best = up[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    int all = d[na % 3][nb];
    return all < cap ? all : cap;
}

static bool nearer(const char *word, const char *name, int *best)
{
    int cap = strlen(word) <= 4 ? 2 : 3;
    int d = strlen(word) >= 3 && str_starts(name, word) ? 1 : edit_distance(word, name, cap);
    if (d >= cap || d >= *best) return false;
    *best = d;
    return true;
}

static int unknown_option(const struct cli *c, const char *word, struct err *err)
{
    const char *near = NULL;
    int best = 99;
    const struct option *lists[] = { c->cmd ? c->cmd->options : NULL, global_options };
    for (size_t l = 0; l < 2; l++)
        for (const struct option *o = lists[l]; o && o->name; o++)
            if (nearer(word, o->name, &best)) near = o->name;
    if (near)
        return err_set(err, ERR_INVAL, "there is no option --%s; did you mean --%s?", word, near);
    if (c->cmd)
        return err_set(err, ERR_INVAL, "there is no option --%s; see: likeness help %s", word,
                       c->cmd->name);
    return err_set(err, ERR_INVAL, "there is no option --%s; see: likeness help", word);
}

/* The verbs of a group, for messages: "ls, show, rm". */
static void verbs_of(const char *group, char out[160])
{
    size_t n = strlen(group), at = 0;
    *out = 0;
    for (const struct command *k = commands; k->name; k++)
        if (!strncmp(k->name, group, n) && k->name[n] == ' ' && at < 150)
            at += (size_t)snprintf(out + at, 160 - at, "%s%s", at ? ", " : "", k->name + n + 1);
}

static int unknown_command(const char *word, struct err *err)
{
    const char *near = NULL;
    int best = 99;
    for (const struct command *k = commands; k->name; k++)
        if (nearer(word, k->name, &best)) near = k->name;
    if (near)
        return err_set(err, ERR_INVAL, "there is no command \"%.40s\"; did you mean \"%s\"?", word,
                       near);
    return err_set(err, ERR_INVAL, "there is no command \"%.40s\"; see: likeness help", word);
}

/* "model", "ls": the command called "model ls". */
static int command_of_two(struct cli *c, const char *group, const char *verb, struct err *err)
{
    char name[64], list[160];
    if (verb) {
        snprintf(name, sizeof name, "%s %s", group, verb);
        if ((c->cmd = command_by_name(name))) return 0;
    }
    verbs_of(group, list);
    if (verb)
        return err_set(err, ERR_INVAL, "there is no command \"%s %.40s\"; there are: %s", group,
                       verb, list);
    return err_set(err, ERR_INVAL, "%s needs a word more: %s", group, list);
}

static const struct option *find(const struct option *list, const char *name, size_t n, char letter)
{
    for (const struct option *o = list; o && o->name; o++)
        if (letter ? o->letter == letter : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static const struct option *look_up(const struct cli *c, const char *name, size_t n, char letter)
{
    const struct option *o = c->cmd ? find(c->cmd->options, name, n, letter) : NULL;
    return o ? o : find(global_options, name, n, letter);
}

static int note_option(struct cli *c, const struct option *o, const char *value, struct err *err)
{
    if (c->args.n_opt == ARGS_OPTIONS)
        return err_set(err, ERR_INVAL, "more than %d options were given", ARGS_OPTIONS);
    c->args.opt[c->args.n_opt].o = o;
    c->args.opt[c->args.n_opt++].value = value;
    return 0;
}

/* --name, --name=value, --name value. Takes the next word through *i when it needs to. */
static int long_option(struct cli *c, char **argv, int argc, int *i, struct err *err)
{
    const char *word = argv[*i] + 2, *eq = strchr(word, '=');
    size_t n = eq ? (size_t)(eq - word) : strlen(word);
    const struct option *o = look_up(c, word, n, 0);
    if (!o) {
        char name[40];
        snprintf(name, sizeof name, "%.*s", n > 39 ? 39 : (int)n, word);
        return unknown_option(c, name, err);
    }
    if (!o->arg && eq) return err_set(err, ERR_INVAL, "--%s takes no value", o->name);
    if (!o->arg) return note_option(c, o, "", err);
    if (eq) return note_option(c, o, eq + 1, err);
    if (*i + 1 >= argc)
        return err_set(err, ERR_INVAL, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
    return note_option(c, o, argv[++*i], err);
}

static int short_options(struct cli *c, char **argv, int argc, int *i, struct err *err)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct option *o = look_up(c, NULL, 0, *p);
        if (!o)
            return err_set(err, ERR_INVAL, "there is no option -%c; see: likeness help%s%s", *p,
                           c->cmd ? " " : "", c->cmd ? c->cmd->name : "");
        if (!o->arg) {
            int rc = note_option(c, o, "", err);
            if (rc) return rc;
            continue;
        }
        if (p[1]) return note_option(c, o, p + 1, err);
        if (*i + 1 >= argc)
            return err_set(err, ERR_INVAL, "-%c needs a value: -%c %s", *p, *p, o->arg);
        return note_option(c, o, argv[++*i], err);
    }
    return 0;
}

static int check_operands(const struct cli *c, struct err *err)
{
    const struct command *k = c->cmd;
    if (arg_flag(c, "help")) return 0;
    if ((int)c->args.n_pos < k->min_args)
        return err_set(err, ERR_INVAL, "%s needs %s: likeness %s %s", k->name,
                       k->min_args == 1 && !c->args.n_pos ? "an argument" : "more arguments",
                       k->name, k->args);
    if (k->max_args >= 0 && (int)c->args.n_pos > k->max_args)
        return err_set(err, ERR_INVAL,
                       "%s takes %s, %zu were given; put quotation marks around words that belong "
                       "together: likeness %s %s",
                       k->name, k->max_args ? "fewer arguments" : "no arguments", c->args.n_pos,
                       k->name, k->args);
    return 0;
}

int args_parse(struct cli *c, int argc, char **argv, struct err *err)
{
    bool only_operands = false;
    const char *group = NULL; /* the first word of a command of two */
    c->args.pos = calloc((size_t)argc + 1, sizeof *c->args.pos);
    if (!c->args.pos) return err_nomem(err);
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        int rc = 0;
        if (!only_operands && !strcmp(w, "--")) only_operands = true;
        else if (!only_operands && w[0] == '-' && w[1] == '-')
            rc = long_option(c, argv, argc, &i, err);
        else if (!only_operands && w[0] == '-' && w[1]) rc = short_options(c, argv, argc, &i, err);
        else if (c->cmd) c->args.pos[c->args.n_pos++] = w;
        else if (group) rc = command_of_two(c, group, w, err), group = NULL;
        else if (command_group(w, strlen(w))) group = w;
        else if (!(c->cmd = command_by_name(w))) rc = unknown_command(w, err);
        if (rc) return rc;
    }
    if (!c->cmd && group && !arg_flag(c, "help")) return command_of_two(c, group, NULL, err);
    if (!c->cmd) c->cmd = command_by_name(arg_flag(c, "version") ? "version" : "help");
    if (group && c->cmd->run == cmd_help) c->args.pos[c->args.n_pos++] = group;
    c->json = c->json || arg_flag(c, "json");
    c->quiet = arg_flag(c, "quiet");
    return check_operands(c, err);
}

void args_free(struct cli *c) { free(c->args.pos); }

static bool is_global(const struct option *o)
{
    for (const struct option *g = global_options; g->name; g++)
        if (g == o) return true;
    return false;
}

/* The last one given counts. which: 0 any, 1 the command's own, 2 a global one. */
static const char *lookup(const struct cli *c, const char *name, int which)
{
    for (size_t i = c->args.n_opt; i-- > 0;) {
        const struct option *o = c->args.opt[i].o;
        if (strcmp(o->name, name) != 0) continue;
        if (!which || is_global(o) == (which == 2)) return c->args.opt[i].value;
    }
    return NULL;
}

const char *arg_str(const struct cli *c, const char *name) { return lookup(c, name, 0); }
const char *arg_own(const struct cli *c, const char *name) { return lookup(c, name, 1); }
const char *arg_global(const struct cli *c, const char *name) { return lookup(c, name, 2); }
bool arg_flag(const struct cli *c, const char *name) { return lookup(c, name, 0) != NULL; }

int arg_i64(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t *out,
            struct err *err)
{
    const char *s = arg_str(c, name);
    int64_t v;
    if (!s) return 0;
    if (!str_i64(span_of(s), &v) || v < min || v > max)
        return err_set(err, ERR_INVAL, "--%s takes a number from %lld to %lld", name,
                       (long long)min, (long long)max);
    *out = v;
    return 0;
}

int arg_date(const struct cli *c, const char *name, bool end, int64_t *out, struct err *err)
{
    const char *s = arg_str(c, name);
    int y, m, d;
    if (!s) return 0;
    if (!clock_parse_iso(span_of(s), out))
        return err_set(err, ERR_INVAL, "--%s takes a date such as 2019, 2019-03 or 2019-03-02",
                       name);
    if (!end) return 0;
    clock_to_civil(*out, &y, &m, &d);
    switch (strlen(s)) {
    case 4: *out = clock_from_civil(y + 1, 1, 1, 0, 0, 0); break;
    case 7: *out = clock_from_civil(y + m / 12, m % 12 + 1, 1, 0, 0, 0); break;
    case 10: *out += 86400; break;
    default: *out += 1;
    }
    return 0;
}

int args_joined(const struct cli *c, size_t from, struct buf *out, struct err *err)
{
    for (size_t i = from; i < c->args.n_pos; i++) {
        if (i > from) buf_addc(out, ' ');
        buf_adds(out, c->args.pos[i]);
    }
    return out->failed ? err_nomem(err) : 0;
}
