/* likeness chat: a line in, an answer out, until Ctrl-D.
 *
 * On a terminal the line is edited with libedit and the arrow keys bring back earlier ones; that
 * history is in memory only, because what people ask a persona is as private as what it answers.
 * Ctrl-C drops the line. From a pipe, each line is a question. With --json the turns are collected
 * into one document at the end.
 *
 * The home is opened to write, so that turns are kept; where another process has it, or the disk is
 * read-only, the talk goes on without being kept, and says so. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chat {
    struct cli *c;
    struct retriever *r;
    struct conversation *v;
    struct answer last; /* for /sources and /why */
    bool has_last, save, told_unsaved, terminal, done;
    struct buf transcript;
    json_t *turns;
    struct query q;
    struct making making;
};

struct slash {
    const char *name, *arg, *help;
    int (*run)(struct chat *t, const char *arg, struct err *err);
};

static int do_help(struct chat *t, const char *arg, struct err *err);

static int do_sources(struct chat *t, const char *arg, struct err *err)
{
    if (!t->has_last) ui_printf("Nothing has been asked yet.\n");
    else if (!t->last.n_cites) ui_printf("The last answer rests on nothing.\n");
    else print_cites(&t->last);
    return 0;
}

static int do_why(struct chat *t, const char *arg, struct err *err)
{
    if (!t->has_last) ui_printf("Nothing has been asked yet.\n");
    else print_why(&t->last);
    return 0;
}

static int open_conversation(struct chat *t, int64_t id, struct err *err)
{
    struct conversation *v;
    int rc = conversation_open(t->r, set_str(t->c, SET_VOICE), id, t->save, &v, err);
    if (rc) return rc;
    struct voice_making how = making_of(&t->making);
    conversation_close(t->v);
    t->v = v;
    conversation_making(v, &how);
    return conversation_warm(v, err);
}

static int do_new(struct chat *t, const char *arg, struct err *err)
{
    int rc = open_conversation(t, 0, err);
    if (!rc) ui_printf("A new conversation.\n");
    if (!rc) buf_clear(&t->transcript);
    return rc;
}

static int do_save(struct chat *t, const char *arg, struct err *err)
{
    if (!*arg) {
        ui_printf("/save FILE writes this conversation into a text file that anybody can read%s.\n",
                  t->save ? "; in your home it is kept anyway, sealed" : "");
        return 0;
    }
    if (io_exists(arg))
        return err_set(err, ERR_EXISTS, "%s is there already: choose another name", arg);
    int rc = io_write_file(arg, buf_str(&t->transcript), t->transcript.n, 0600, err);
    if (!rc) ui_printf("Written to %s.\n", arg);
    return rc;
}

static int do_k(struct chat *t, const char *arg, struct err *err)
{
    int64_t k;
    if (*arg && (!str_i64(span_of(arg), &k) || k < 1 || k > 50))
        return err_set(err, ERR_INVAL, "/k takes a number from 1 to 50");
    if (*arg) t->q.k = (int)k;
    ui_printf("Answers rest on at most %d passages.\n", t->q.k);
    return 0;
}

static int do_quit(struct chat *t, const char *arg, struct err *err)
{
    t->done = true;
    return 0;
}

static const struct slash slashes[] = {
    { "help", "", "this list", do_help },
    { "sources", "", "where the last answer comes from", do_sources },
    { "why", "", "what each of its sentences rests on", do_why },
    { "k", " N", "how many passages an answer may rest on", do_k },
    { "new", "", "begin another conversation", do_new },
    { "save", " FILE", "write this conversation into a text file", do_save },
    { "quit", "", "leave; Ctrl-D does it too", do_quit },
};
#define N_SLASHES (sizeof slashes / sizeof slashes[0])

static int do_help(struct chat *t, const char *arg, struct err *err)
{
    for (size_t i = 0; i < N_SLASHES; i++) {
        char left[32];
        snprintf(left, sizeof left, "/%s%s", slashes[i].name, slashes[i].arg);
        ui_printf("  %-14s %s\n", left, slashes[i].help);
    }
    ui_printf("Anything else is a question.\n");
    return 0;
}

static int run_slash(struct chat *t, const char *line, struct err *err)
{
    size_t n = strcspn(line, " \t");
    const char *arg = line + n + strspn(line + n, " \t");
    for (size_t i = 0; i < N_SLASHES; i++)
        if (strlen(slashes[i].name) == n && !memcmp(slashes[i].name, line, n))
            return slashes[i].run(t, arg, err);
    return err_set(err, ERR_INVAL, "there is no command /%.*s; /help lists them",
                   n > 30 ? 30 : (int)n, line);
}

static int ask(struct chat *t, const char *question, struct err *err)
{
    struct answer a = { 0 };
    bool unsaved = false;
    if (t->terminal) ui_printf("\n");
    making_begin(&t->making);
    int rc = conversation_ask(t->v, question, &t->q, &a, &unsaved, err);
    if (rc || t->turns) making_end(&t->making, NULL);
    if (rc) {
        answer_clear(&a);
        return rc;
    }
    answer_clear(&t->last);
    t->last = a;
    t->has_last = true;
    buf_printf(&t->transcript, "> %s\n\n%s\n\n", question, a.text);
    if (t->turns) {
        json_t *j = json_answer(&a, question);
        json_object_set_new(j, "saved", json_boolean(t->save && !unsaved));
        json_array_append_new(t->turns, j);
        return 0;
    }
    making_end(&t->making, &a);
    char n[64];
    if (a.n_cites)
        ui_styled(UI_DIM, "  %s, %.1f ms; /why shows them\n",
                  ui_count(a.n_cites, "source", "sources", n), a.seconds * 1000);
    ui_printf("\n");
    fflush(stdout);
    if (unsaved && t->save && !t->told_unsaved) {
        ui_note("note: this turn could not be kept");
        t->told_unsaved = true;
    }
    return 0;
}

/* One line in *line (malloc'ed), or false at the end. */
static bool next_line(struct chat *t, char **line)
{
    size_t cap = 0;
    *line = NULL;
    if (!t->terminal) {
        ssize_t n = getline(line, &cap, stdin);
        if (n > 0 && (*line)[n - 1] == '\n') (*line)[n - 1] = 0;
        if (n < 0) free(*line), *line = NULL;
        return n >= 0;
    }
    for (;;) {
        ui_catch_interrupt(true);
        *line = readline("> ");
        ui_catch_interrupt(false);
        if (*line) return true;
        if (!ui_interrupted(true)) break;
        ui_printf("\n"); /* Ctrl-C: drop the line, ask again */
        fflush(stdout);
        clearerr(stdin);
    }
    ui_printf("\n");
    return false;
}

static int loop(struct chat *t, struct err *err)
{
    char *line;
    int rc = 0;
    while (!rc && !t->done && next_line(t, &line)) {
        struct err e = { 0 };
        struct buf clean = BUF_INIT(1 << 16);
        utf8_clean(&clean, line, strlen(line));
        struct span s = span_trim((struct span){ clean.p, clean.n });
        char *text = s.n ? strndup(s.p, s.n) : NULL;
        if (text && t->terminal) add_history(text);
        int one = !text ? 0 : *text == '/' ? run_slash(t, text + 1, &e) : ask(t, text, &e);
        if (one && t->terminal && one != ERR_NOMEM) ui_note("%s", e.msg);
        else if (one) rc = err_set(err, one, "%s", e.msg);
        if (text) explicit_bzero(text, strlen(text));
        explicit_bzero(line, strlen(line));
        free(text);
        free(line);
        buf_free(&clean);
    }
    return rc;
}

/* To write if that can be; else to read, and nothing is kept. */
static int open_for_chat(struct chat *t, struct err *err)
{
    struct cli *c = t->c;
    int rc = ERR_BUSY;
    if (t->save) rc = cli_open_home(c, STORE_WRITE, err);
    if (!t->save || rc == ERR_BUSY || rc == ERR_FULL) {
        if (t->save)
            ui_note("note: this conversation is not kept: %s",
                    rc == ERR_BUSY ? "another process is using the home" : "the home is read-only");
        t->save = false;
        if (err) *err = (struct err){ 0 };
        rc = cli_open_home(c, STORE_READ, err);
    }
    return rc ? rc : cli_open_persona(c, NULL, err);
}

static int any_talk(void *ud, int64_t id, int64_t created_at, uint64_t n_turns, const char *body,
                    size_t n)
{
    *(bool *)ud = true;
    return 0;
}

/* To somebody who has not talked with this persona before: how to begin. */
static void greet_first(struct chat *t)
{
    char q[1][HINT_BYTES];
    bool talked = false;
    struct home *h = t->c->home;
    if (store_conversation_each(h->store, &t->c->persona->seal, any_talk, &talked, NULL) || talked)
        return;
    if (hint_questions(t->c, t->r, q, 1))
        ui_line(UI_DIM, 0, "Type a question, such as: %s   Then \"And why?\" goes on from there.",
                q[0]);
}

static void greet(struct chat *t)
{
    ui_line(UI_BOLD, 0, "%s answers from what they wrote. /help lists commands, Ctrl-D leaves.%s",
            t->c->persona->name, t->save ? "" : " Nothing is kept.");
    if (!hint_nothing(t->c)) greet_first(t);
}

int cmd_chat(struct cli *c, struct err *err)
{
    struct chat t = { .c = c, .save = !arg_flag(c, "no-save") };
    int64_t id = 0;
    int rc = arg_i64(c, "conversation", 1, INT64_MAX, &id, err);
    t.terminal = !c->json && io_on_terminal(stdin) && io_on_terminal(stdout);
    if (c->json) t.turns = json_array();
    if (!rc) rc = query_from_args(c, &t.q, err);
    if (!rc) rc = open_for_chat(&t, err);
    if (!rc) rc = query_check(c, &t.q, err);
    if (!rc) rc = retriever_open(c->home, c->persona, &t.r, err);
    if (!rc) rc = making_open(c, &t.making, err);
    if (!rc) rc = open_conversation(&t, id, err);
    if (rc) goto out;
    if (t.terminal) {
        rl_initialize();
        using_history();
        stifle_history(500);
        greet(&t);
    }
    rc = loop(&t, err);
    if (t.turns)
        c->out = json_pack("{s:o, s:O}", "conversation",
                           conversation_id(t.v) ? json_integer(conversation_id(t.v)) : json_null(),
                           "turns", t.turns);
    else if (t.terminal && t.save && conversation_id(t.v))
        ui_note("Kept as conversation %lld; likeness chat -c %lld goes on with it.",
                (long long)conversation_id(t.v), (long long)conversation_id(t.v));
out:
    if (t.terminal) clear_history();
    json_decref(t.turns);
    answer_clear(&t.last);
    buf_free(&t.transcript);
    conversation_close(t.v);
    making_close(&t.making);
    retriever_close(t.r);
    return rc;
}
