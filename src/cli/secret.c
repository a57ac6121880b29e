/* Where keys and passphrases come from, and the opening of the home with them.
 *
 * The vault says which it wants. A key file is the one that --key-file or the setting names, else
 * HOMEID.key in the folder of the config file. A passphrase is the first line of the file that
 * --passphrase-file, LIKENESS_PASSPHRASE_FILE or the setting names, else LIKENESS_PASSPHRASE, else
 * it is asked on the terminal without echo. Passphrases never come from the command line itself,
 * where every process of the machine could read them. What was typed is zeroed with the keeper. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 4096
#define TRIES          3

static struct termios tty_was;
static int tty_fd = -1;

/* Ctrl-C while echo is off: give the terminal back as it was, then end as if we had not been
 * there. */
static void give_back_terminal(int sig)
{
    if (tty_fd >= 0) tcsetattr(tty_fd, TCSAFLUSH, &tty_was);
    signal(sig, SIG_DFL);
    raise(sig);
}

static int ask_secret(const char *prompt, struct buf *out, struct err *err)
{
    struct sigaction now = { .sa_handler = give_back_terminal, .sa_flags = SA_NODEFER }, was;
    tty_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty_fd >= 0 && tcgetattr(tty_fd, &tty_was)) {
        close(tty_fd);
        tty_fd = -1;
    }
    sigaction(SIGINT, &now, &was);
    out->max = PASSPHRASE_MAX;
    int rc = io_ask_secret(prompt, out, err);
    sigaction(SIGINT, &was, NULL);
    if (tty_fd >= 0) close(tty_fd);
    tty_fd = -1;
    return rc;
}

static void use_passphrase(struct keeper *k)
{
    k->s.passphrase = buf_str(&k->pass);
    k->s.passphrase_n = k->pass.n;
}

static int read_passphrase_file(const char *path, struct keeper *k, struct err *err)
{
    struct stat st;
    int rc = io_read_file(path, PASSPHRASE_MAX, &k->pass, err);
    if (rc) return err_prefix(err, rc, "the passphrase file");
    char *nl = k->pass.n ? memchr(k->pass.p, '\n', k->pass.n) : NULL;
    if (nl) k->pass.n = (size_t)(nl - k->pass.p);
    if (k->pass.n && k->pass.p[k->pass.n - 1] == '\r') k->pass.n--;
    if (!k->pass.n)
        return err_set(err, ERR_KEY, "the first line of %s is empty: it should be the passphrase",
                       path);
    k->pass.p[k->pass.n] = 0;
    if (strcmp(path, "-") != 0 && !stat(path, &st) && (st.st_mode & 077))
        ui_note("note: others can read %s; chmod 600 keeps it to you", path);
    use_passphrase(k);
    return 0;
}

static int use_key_file(const char *path, struct keeper *k, struct err *err)
{
    buf_adds(&k->path, path);
    if (k->path.failed) return err_nomem(err);
    k->s.key_file = buf_str(&k->path);
    return 0;
}

int secret_default_key_file(const char *home_id, struct buf *out, struct err *err)
{
    int rc = config_dir(out, err);
    if (rc) return rc;
    buf_printf(out, "/%s.key", home_id);
    return out->failed ? err_nomem(err) : 0;
}

static int key_of_home(struct cli *c, const struct vault_info *info, struct keeper *k,
                       struct err *err)
{
    const char *set = set_str(c, SET_KEY_FILE);
    int rc =
        set ? use_key_file(set, k, err) : secret_default_key_file(info->home_id, &k->path, err);
    if (rc) return rc;
    k->s.key_file = buf_str(&k->path);
    if (!io_exists(k->s.key_file))
        return err_set(err, ERR_KEY,
                       "the key file %s is not there: put it back from your copy, or name it with "
                       "--key-file; without it nothing in this home can be read",
                       k->s.key_file);
    return 0;
}

int secret_of_home(struct cli *c, const char *home, struct keeper *k, struct err *err)
{
    struct vault_info info;
    const char *typed = getenv("LIKENESS_PASSPHRASE"), *file = set_str(c, SET_PASSPHRASE_FILE);
    int rc = vault_peek(home, &info, err);
    if (rc) return rc;
    if (!info.needs_passphrase) return key_of_home(c, &info, k, err);
    if (file) return read_passphrase_file(file, k, err);
    if (typed && *typed) {
        if (buf_adds(&k->pass, typed)) return err_nomem(err);
    } else {
        k->asked = true;
        rc = ask_secret("Passphrase of your home: ", &k->pass, err);
        if (rc) return err ? (err->code = ERR_KEY) : ERR_KEY;
    }
    use_passphrase(k);
    return 0;
}

static int ask_twice(const char *prompt, struct keeper *k, struct err *err)
{
    struct buf again = BUF_INIT(PASSPHRASE_MAX);
    int rc = 0;
    for (int i = 0; i < TRIES; i++) {
        buf_clear(&k->pass);
        buf_clear(&again);
        if ((rc = ask_secret(prompt, &k->pass, err))) break;
        if (!k->pass.n) {
            rc = err_set(err, ERR_KEY, "an empty passphrase protects nothing: nothing was done");
            break;
        }
        if (k->pass.n < 10) ui_note("That is short: four or five random words are safer.");
        if ((rc = ask_secret("The same again: ", &again, err))) break;
        if (again.n == k->pass.n && !memcmp(again.p, k->pass.p, again.n)) break;
        ui_note("The two differ.");
        rc = err_set(err, ERR_KEY, "the two passphrases differ: nothing was done");
    }
    buf_free(&again);
    if (!rc) use_passphrase(k);
    return rc;
}

int secret_new(struct cli *c, const char *prompt, const char *key_file, const char *passphrase_file,
               struct keeper *k, struct err *err)
{
    if (key_file && passphrase_file)
        return err_set(err, ERR_INVAL, "a key file and a passphrase file were named: choose one");
    if (key_file) return use_key_file(key_file, k, err);
    if (passphrase_file) return read_passphrase_file(passphrase_file, k, err);
    return ask_twice(prompt, k, err);
}

int secret_given(struct cli *c, const char *prompt, const char *key_file,
                 const char *passphrase_file, struct keeper *k, struct err *err)
{
    int rc;
    if (key_file || passphrase_file)
        return secret_new(c, prompt, key_file, passphrase_file, k, err);
    k->asked = true;
    if ((rc = ask_secret(prompt, &k->pass, err))) return rc;
    use_passphrase(k);
    return 0;
}

void keeper_clear(struct keeper *k)
{
    buf_free(&k->pass);
    buf_free(&k->path);
    *k = (struct keeper){ 0 };
}

int cli_open_home(struct cli *c, enum store_mode mode, struct err *err)
{
    const char *home = set_str(c, SET_HOME);
    struct buf vault = BUF_INIT(0);
    int rc = 0;
    if (!home) return err_set(err, ERR_INVAL, "HOME is not set: name the folder with --home");
    buf_printf(&vault, "%s/vault", home);
    bool there = io_exists(buf_str(&vault));
    buf_free(&vault);
    if (!there)
        return err_set(
            err, ERR_NOTFOUND,
            "there is no home at %s: make one with `likeness init`, or name another with --home",
            home);
    for (int i = 0; i < TRIES; i++) {
        struct keeper k = { 0 };
        rc = secret_of_home(c, home, &k, err);
        bool job = mode == STORE_WRITE && (c->cmd->needs & NEEDS_OR_JOB) && beside_likely(home);
        if (!rc) rc = home_open(home, &k.s, job ? STORE_READ : mode, &c->home, err);
        if (!rc && job && !beside_open(c)) { /* another writer: wait for it */
            home_close(c->home);
            rc = home_open(home, &k.s, mode, &c->home, err);
        }
        bool again = rc == ERR_KEY && k.asked && k.pass.n && i + 1 < TRIES;
        keeper_clear(&k);
        if (!again) break;
        ui_note("That is not the passphrase.");
    }
    return rc ? rc : cli_open_remote(c, err);
}

int cli_open_persona(struct cli *c, const char *name, struct err *err)
{
    const char *origin = c->setting[SET_PERSONA].origin;
    int rc = persona_open(c->home, name ? name : set_str(c, SET_PERSONA), &c->persona, err);
    if (rc != ERR_NOTFOUND || name || !set_str(c, SET_PERSONA) || !strcmp(origin, "option"))
        return rc;
    return err_set(err, rc,
                   "there is no persona of the name that the %s sets: `likeness personas` lists "
                   "those there are, `likeness config persona NAME` or --persona chooses one",
                   origin);
}

int cli_open(struct cli *c, bool write, struct err *err)
{
    int rc = cli_open_home(c, write ? STORE_WRITE : STORE_READ, err);
    return rc ? rc : cli_open_persona(c, NULL, err);
}
