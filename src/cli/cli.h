/* The command line: one static table of commands (commands.c), one of settings (settings.c), and
 * one handler per command. main.c parses, opens what the command needs, calls the handler and turns
 * what it returns into an exit status; nothing else here exits.
 *
 *     int cmd_topics(struct cli *c, struct err *err)
 *     {
 *         ... c->home and c->persona are open, as the table says ...
 *         if (c->json) c->out = json_pack(...);          main prints it: one document on stdout
 *         else ui_printf(...);
 *         return 0;                                      or a code of err.h, with err filled
 *     }
 *
 * Results go to stdout, everything else to stderr. Error messages hold no personal text. */
#ifndef LK_CLI_CLI_H
#define LK_CLI_CLI_H

#include "base/json.h"
#include "base/progress.h"
#include "persona/converse.h"
#include "persona/home.h"
#include "persona/native.h"
#include "persona/persona.h"
#include "persona/topics.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- the tables ---- */
struct option {
    const char *name; /* "key-file": --key-file; NULL ends a list */
    char letter;      /* 'k': -k; 0: none */
    const char *arg;  /* "FILE"; NULL: a switch */
    const char *help;
    const char *words; /* the values it may take, space-separated, for completion; or NULL */
};

enum needs {
    NEEDS_NOTHING,
    NEEDS_READ,        /* the home, to read */
    NEEDS_WRITE,       /* the home, to change */
    NEEDS_PERSONA = 4, /* and the persona that --persona or the setting names */
    NEEDS_OR_JOB = 8,  /* beside a server the command makes a job of it: see beside.c */
};

struct cli;
struct command {
    const char *name, *help; /* name: a word, or two ("model ls"); help: one line */
    const char *args;        /* "QUESTION", for usage; "" */
    const char *about;       /* paragraphs for help and man page, separated by empty lines */
    const struct option *options;
    int min_args, max_args; /* -1: any number */
    int needs;
    int (*run)(struct cli *c, struct err *err);
    const char *examples; /* one a line */
};

extern const struct command commands[]; /* name NULL ends it */
extern const struct option global_options[];
const struct command *command_by_name(const char *name); /* NULL if unknown */
bool command_group(const char *word,
                   size_t n); /* do some names begin with this word and a space? */

struct exit_status {
    int status;
    const char *help;
};
extern const struct exit_status exit_statuses[]; /* help NULL ends it */
int exit_status_of(int code);                    /* of an err.h code */

/* ---- one invocation ---- */
#define ARGS_OPTIONS 64
struct args {
    struct {
        const struct option *o;
        const char *value;
    } opt[ARGS_OPTIONS];
    size_t n_opt;
    const char **pos; /* operands; borrowed from argv */
    size_t n_pos;
};

enum setting_id {
    SET_HOME,
    SET_KEY_FILE,
    SET_PASSPHRASE_FILE,
    SET_PERSONA,
    SET_VOICE,
    SET_K,
    SET_ADAPTIVE,
    SET_FLOOR,
    SET_THREADS,
    SET_CPU,
    SET_COLOR,
    SET_CHUNK_TOKENS,
    SET_CHUNK_OVERLAP,
    SET_CHUNK_TOKENIZER,
    SET_MODELS,
    SET_MODEL,
    SET_CHAT_TEMPLATE,
    SET_CONTEXT,
    SET_CACHE,
    SET_MAX_TOKENS,
    SET_TEMPERATURE,
    SET_TOP_P,
    SET_FREQUENCY_PENALTY,
    SET_PRESENCE_PENALTY,
    SET_SEED,
    SET_LISTEN,
    SET_PORT,
    SET_TLS_CERT,
    SET_TLS_KEY,
    SET_PLAIN,
    SET_REGISTRATION,
    SET_ORIGINS,
    SET_TRUST_PROXY,
    SET_METRICS,
    SET_LOG,
    SET_WORKERS,
    SET_MEMORY,
    SET_UPLOAD_QUOTA,
    SET_RATE_ACCOUNT,
    SET_RATE_ADDRESS,
    SET_RATE_LOGIN,
    SET_ACCESS_SECONDS,
    SET_IDLE_SECONDS,
    SET_REMOTE_URL,
    SET_REMOTE_MODEL,
    SET_REMOTE_EMBED,
    SET_REMOTE_PLAIN,
    SET_REMOTE_MASK,
    SETTING_COUNT
};
struct setting_value {
    char *value;        /* NULL: not set, and no default */
    const char *origin; /* "option", "environment", "config file", "default" */
};

struct cli {
    const struct command *cmd;
    struct args args;
    struct setting_value setting[SETTING_COUNT];
    bool json, quiet;
    struct home *home;
    struct service *service; /* beside a server, to which jobs can be given; else NULL */
    struct persona *persona;
    struct remote *remote; /* NULL: the settings name none */
    json_t *out;           /* what --json prints; main decrefs */
    int status;            /* exit status when the handler returns 0; 0 */
};

/* ---- args.c ---- */
/* Parses argv[1..]. Options before the command's name are global; after it the command's own come
 * first. ERR_INVAL with a remedy. args_free afterwards in any case. */
int args_parse(struct cli *c, int argc, char **argv, struct err *err);
void args_free(struct cli *c);
const char *arg_str(const struct cli *c,
                    const char *name); /* value, "" of a switch, NULL: not given */
/* As arg_str, but only what was given for the command's own option, or only the global one. */
const char *arg_own(const struct cli *c, const char *name);
const char *arg_global(const struct cli *c, const char *name);
bool arg_flag(const struct cli *c, const char *name);
int arg_i64(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t *out,
            struct err *err); /* out is left when the option was not given */
/* A date option. end: the first moment after it ("2019" -> 2020-01-01), for --to. */
int arg_date(const struct cli *c, const char *name, bool end, int64_t *out, struct err *err);
/* All operands from `from` on, joined by spaces. */
int args_joined(const struct cli *c, size_t from, struct buf *out, struct err *err);
/* How many edits apart (insert, delete, change, swap); at most cap. */
int edit_distance(const char *a, const char *b, int cap);

/* ---- settings.c ---- */
struct setting {
    const char *name, *fallback, *help;
    const char *words; /* the values it may take, space-separated; NULL: see min, max */
    int64_t min, max;  /* a number in this range when max > 0, else free text */
    bool path;         /* a leading ~/ is the home folder */
    bool real;         /* the number may have decimals */
};
extern const struct setting settings[SETTING_COUNT];
int settings_load(struct cli *c, struct err *err);
void settings_free(struct cli *c);
const char *set_str(const struct cli *c, enum setting_id id); /* NULL when not set */
int64_t set_int(const struct cli *c, enum setting_id id);
double set_real(const struct cli *c, enum setting_id id);
bool set_yes(const struct cli *c, enum setting_id id);
const struct setting *setting_by_name(const char *name, struct err *err); /* NULL: ERR_INVAL */
void setting_env(const struct setting *s, char out[64]);                  /* "LIKENESS_KEY_FILE" */
/* Folder of our configuration: ${XDG_CONFIG_HOME:-~/.config}/likeness. */
int config_dir(struct buf *out, struct err *err);
/* value NULL: remove. Checks, then replaces the file as one step. */
int config_set(const struct cli *c, const struct setting *s, const char *value, struct err *err);

/* ---- secret.c: where keys and passphrases come from ---- */
struct keeper { /* a secret with the memory it borrows */
    struct secret s;
    struct buf pass, path;
    bool asked; /* typed on the terminal: may be asked again */
};
int secret_of_home(struct cli *c, const char *home, struct keeper *k, struct err *err);
/* key_file or passphrase_file when given, else asked twice on the terminal with `prompt`. */
int secret_new(struct cli *c, const char *prompt, const char *key_file, const char *passphrase_file,
               struct keeper *k, struct err *err);
/* The same to open something that is there: asked once. */
int secret_given(struct cli *c, const char *prompt, const char *key_file,
                 const char *passphrase_file, struct keeper *k, struct err *err);
int secret_default_key_file(const char *home_id, struct buf *out, struct err *err);
void keeper_clear(struct keeper *k);
/* Opens c->home; asks again (three times) after a mistyped passphrase. */
int cli_open_home(struct cli *c, enum store_mode mode, struct err *err);
int cli_open_persona(struct cli *c, const char *name, struct err *err); /* NULL: the setting's */
/* Home and persona, for commands that write only with some of their options. */
int cli_open(struct cli *c, bool write, struct err *err);

/* ---- ui.c ---- */
void ui_init(const struct cli *c);
enum ui_style { UI_PLAIN, UI_BOLD, UI_DIM, UI_GOOD, UI_WARN, UI_BAD };
/* printf to stdout; control characters in strings were cleaned by whoever stored them, and are
 * dropped again here. */
void ui_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void ui_styled(enum ui_style s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of output: on a terminal folded at words, the later lines after `hang` spaces; elsewhere
 * as it is, so that one thing stays one line. */
void ui_line(enum ui_style s, int hang, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same on stderr, unless --quiet. */
void ui_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Paragraphs to stdout, wrapped to the terminal (or 80 columns), each line after `indent`
 * spaces. */
void ui_wrap(const char *text, int indent);
/* "likeness: MESSAGE" on stderr. */
void ui_error(const char *message);
int ui_width(void); /* columns to write in: of the terminal (24 to 100), 80 elsewhere */
/* A table column: s cut or padded to so many terminal columns; negative: cut, not padded. */
void ui_cell(const char *s, int columns);
char *ui_number(uint64_t n, char out[32]);                                   /* "1,234,567" */
char *ui_count(uint64_t n, const char *one, const char *many, char out[64]); /* "3 sources" */
char *ui_span(int64_t from, int64_t to, char out[64]); /* "2012-03-04 to 2019-11-02" */
bool ui_interactive(void);                             /* somebody is there to ask */
void ui_stdin_is_data(void);                           /* questions go to /dev/tty, then */
bool ui_stdout_terminal(void);
/* One line from the person at the terminal, newline removed. ERR_CANCEL on Ctrl-C or end of
 * input. */
int ui_ask(const char *prompt, struct buf *line, struct err *err);
/* ERR_CANCEL unless the answer is yes. */
int ui_confirm(const char *question, struct err *err);
/* Progress on stderr when it is a terminal, and Ctrl-C as a way to stop. Between begin and end
 * only. */
const struct progress *ui_progress_begin(void);
void ui_progress_clear(void); /* wipes the line before other output */
void ui_progress_end(void);
bool ui_interrupted(bool forget); /* Ctrl-C since the last time; forget: reset */
void ui_catch_interrupt(bool on);

/* ---- json.c ---- */
json_t *jreal(double x, int decimals);
json_t *jgone(const struct gone *g);

/* ---- shared by handlers: answers.c ---- */
int query_from_args(const struct cli *c, struct query *q, struct err *err);
json_t *json_answer(const struct answer *a, const char *question);
void print_answer(const struct answer *a);
void print_cites(const struct answer *a);
void print_why(const struct answer *a);

/* ---- coming.c: what a dry run tells ---- */
struct ingest_preview;
struct tongue_count;
void print_coming(const struct ingest_preview *v);
void say_tongues(struct buf *out, const struct tongue_count *c, size_t n); /* "en 90 %, de 10 %" */

/* ---- making.c: answers that a language model makes ---- */
struct making {
    struct cli *c;
    struct native *model;  /* NULL: the voice needs none */
    struct remote *remote; /* the same; borrowed */
    struct sampler_opts sampling;
    int max_tokens;
    bool stream, streamed;
};
/* Tells embedders where the models of the shelf are. */
void cli_find_models(struct cli *c);
/* The model that the setting names. native_close. */
int cli_open_model(struct cli *c, struct native **out, struct err *err);
int cli_sampling(const struct cli *c, struct sampler_opts *o); /* returns max_tokens */
enum quant cli_cache(const struct cli *c);                     /* by the setting */
/* Opens the model when the voice is native; making_close in any case. */
int making_open(struct cli *c, struct making *m, struct err *err);
void making_close(struct making *m);
struct voice_making making_of(struct making *m); /* borrows m */
/* Around a question: Ctrl-C stops the answer; text streams; then what is to be known of it. */
void making_begin(struct making *m);
void making_end(struct making *m, const struct answer *a); /* a NULL: it failed */

/* ---- cmd_remote.c ---- */
/* c->remote, when the settings name a server; and embedders `remote:MODEL` ask it. No network. */
int cli_open_remote(struct cli *c, struct err *err);

/* ---- beside.c: while a server holds the home ---- */
/* Is the home held by somebody, who may be a server? Asks no key. */
bool beside_likely(const char *home);
/* Is it a server that does? Then c->service is open. c->home: to read. */
bool beside_open(struct cli *c);
/* The file at path ("-": standard input) as a file of the server's spool. */
int beside_spool(struct cli *c, const char *path, char name[33], uint64_t *bytes, struct err *err);
void beside_unspool(struct cli *c, const char *name);
/* A job for c->persona (args: stolen), followed to its end; *result: the caller's, its error is
 * returned. ERR_CANCEL after Ctrl-C: the job goes on. */
int beside_run(struct cli *c, const char *kind, json_t *args, json_t **result, struct err *err);

/* ---- hints.c: what to do next ---- */
#define HINT_BYTES 128
/* The persona's topics; none: ts is left empty. topics_clear afterwards. */
int topics_of(struct cli *c, struct topics *ts, struct err *err);
/* Questions that the persona can answer; how many. r NULL: opens one. Nothing found, or any error:
 * 0. */
size_t hint_questions(struct cli *c, struct retriever *r, char out[][HINT_BYTES], size_t cap);
/* Where the persona has no text of its own: says so and what to do, and returns true. */
bool hint_nothing(struct cli *c);
/* ERR_NOTFOUND when the query is about a source or topic that is not there. */
int query_check(struct cli *c, const struct query *q, struct err *err);

/* ---- help.c, man.c, complete.c: all from the tables ---- */
void help_all(void);
void help_command(const struct command *c);
void help_group(const char *word); /* the commands that begin with it */
void help_man(void);               /* scdoc source of likeness.1 */
int help_completion(const char *shell, struct err *err);

/* ---- handlers ---- */
int cmd_init(struct cli *c, struct err *err);
int cmd_passphrase(struct cli *c, struct err *err);
int cmd_new(struct cli *c, struct err *err);
int cmd_me(struct cli *c, struct err *err);
int cmd_add(struct cli *c, struct err *err);
int cmd_ask(struct cli *c, struct err *err);
int cmd_chat(struct cli *c, struct err *err);
int cmd_search(struct cli *c, struct err *err);
int cmd_sources(struct cli *c, struct err *err);
int cmd_people(struct cli *c, struct err *err);
int cmd_jobs(struct cli *c, struct err *err);
int cmd_topics(struct cli *c, struct err *err);
int cmd_prompt(struct cli *c, struct err *err);
int cmd_personas(struct cli *c, struct err *err);
int cmd_show(struct cli *c, struct err *err);
int cmd_rename(struct cli *c, struct err *err);
int cmd_set(struct cli *c, struct err *err);
int cmd_conversations(struct cli *c, struct err *err);
int cmd_export(struct cli *c, struct err *err);
int cmd_import(struct cli *c, struct err *err);
int cmd_forget(struct cli *c, struct err *err);
int cmd_config(struct cli *c, struct err *err);
int cmd_doctor(struct cli *c, struct err *err);
int cmd_serve(struct cli *c, struct err *err);
int cmd_account_ls(struct cli *c, struct err *err);
int cmd_account_new(struct cli *c, struct err *err);
int cmd_account_passwd(struct cli *c, struct err *err);
int cmd_account_disable(struct cli *c, struct err *err);
int cmd_account_enable(struct cli *c, struct err *err);
int cmd_account_rm(struct cli *c, struct err *err);
int cmd_account_import(struct cli *c, struct err *err);
int cmd_account_give(struct cli *c, struct err *err);
int cmd_account_take(struct cli *c, struct err *err);
int cmd_model_ls(struct cli *c, struct err *err);
int cmd_model_catalogue(struct cli *c, struct err *err);
int cmd_model_pull(struct cli *c, struct err *err);
int cmd_model_import(struct cli *c, struct err *err);
int cmd_model_quantize(struct cli *c, struct err *err);
int cmd_model_show(struct cli *c, struct err *err);
int cmd_model_use(struct cli *c, struct err *err);
int cmd_model_rm(struct cli *c, struct err *err);
int cmd_model_bench(struct cli *c, struct err *err);
int cmd_model_distill(struct cli *c, struct err *err);
/* cmd_model_make.c: where a new model goes, and what is said of it when it is there. */
int model_place(const struct cli *c, const char *from, const char *ending, char name[101],
                struct buf *path, struct err *err);
int model_made(struct cli *c, const char *name, const char *path, struct err *err);
/* cmd_model_embed.c: what the user calls an embedder, as embed_open takes it. */
int embedder_named(struct cli *c, const char *what, struct buf *out, struct err *err);
int model_bench_embed(struct cli *c, struct err *err);
int cmd_remote_show(struct cli *c, struct err *err);
int cmd_remote_use(struct cli *c, struct err *err);
int cmd_remote_set_key(struct cli *c, struct err *err);
int cmd_remote_forget_key(struct cli *c, struct err *err);
int cmd_version(struct cli *c, struct err *err);
int cmd_help(struct cli *c, struct err *err);

#endif
