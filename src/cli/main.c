/* likeness: the program. Parse, open what the command needs, run it, say how it went.
 *
 * This is the only file that ends the process, and the only one that turns an error into words on
 * the terminal or into {"error": ...} on stdout: a handler just returns a code with err filled.
 * With --json there is exactly one document on stdout, whatever happens; a handler that fails
 * half-way (a folder of which some files came in) leaves what it has in c->out, and the error is
 * added to it. */
#include "cli/cli.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "persona/remote.h"
#include "store/service.h"

#include <locale.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Did the user ask for JSON? Looked up by hand, since parsing itself may be what failed. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--json")) return true;
    return false;
}

static int start_engine(const struct cli *c, struct err *err)
{
    const char *cpu = set_str(c, SET_CPU);
    if (cpu && (!*cpu || !strcmp(cpu, "auto"))) cpu = NULL;
    threads_set((int)set_int(c, SET_THREADS));
    return kernels_init(cpu, err);
}

static int run(struct cli *c, int argc, char **argv, struct err *err)
{
    int rc = args_parse(c, argc, argv, err);
    if (rc) return rc;
    bool helping = arg_flag(c, "help") || c->cmd->run == cmd_help;
    if ((rc = settings_load(c, err)) && !helping) return rc;
    ui_init(c);
    if (arg_flag(c, "help") && c->cmd->run != cmd_help) {
        help_command(c->cmd);
        return 0;
    }
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    if ((rc = start_engine(c, err))) return rc;
    cli_find_models(c);
    int needs = c->cmd->needs;
    if (needs & (NEEDS_READ | NEEDS_WRITE))
        rc = cli_open_home(c, needs & NEEDS_WRITE ? STORE_WRITE : STORE_READ, err);
    if (!rc && (needs & NEEDS_PERSONA)) rc = cli_open_persona(c, NULL, err);
    return rc ? rc : c->cmd->run(c, err);
}

static void print_json(json_t *doc)
{
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
}

static void report_json(struct cli *c, int rc, const struct err *err)
{
    if (!c->out) c->out = json_object();
    if (rc)
        json_object_set_new(c->out, "error",
                            json_pack("{s:o, s:o}", "code", json_mended(err_name(rc)), "message",
                                      json_mended(err->msg)));
    print_json(c->out);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    if (MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8"); /* texts are UTF-8, whatever the locale says */
    struct cli c = { .json = wants_json(argc, argv) };
    struct err err = { 0 };
    int rc = run(&c, argc, argv, &err);
    int status = rc ? exit_status_of(rc) : c.status;
    ui_progress_end();
    if (rc && !err.msg[0]) err_set(&err, rc, "%s", err_text(rc));
    if (c.json && (rc || c.out)) report_json(&c, rc, &err);
    else if (rc) ui_error(err.msg);
    persona_close(c.persona);
    remote_close(c.remote);
    service_close(c.service);
    home_close(c.home);
    json_decref(c.out);
    settings_free(&c);
    args_free(&c);
    threads_stop();
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fprintf(stderr, "likeness: the output could not be written\n");
        status = exit_status_of(ERR_IO);
    }
    return status;
}
