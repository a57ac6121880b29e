/* likeness init and likeness passphrase: how a home is locked.
 *
 * A new key file is made under a name of its own, HOMEID.key, but the id is known only when the
 * vault is there; so it is made as new-PID.key and renamed. Should the machine stop between the
 * two, the key is still in that folder, and the message about the missing key file names the
 * folder. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int absolute(const char *path, struct buf *out, struct err *err)
{
    char here[4096];
    if (path[0] != '/' && getcwd(here, sizeof here)) buf_printf(out, "%s/", here);
    buf_adds(out, path);
    return out->failed ? err_nomem(err) : 0;
}

static int fresh_key_path(struct buf *out, struct err *err)
{
    int rc = config_dir(out, err);
    if (rc) return rc;
    buf_printf(out, "/new-%ld.key", (long)getpid());
    return out->failed ? err_nomem(err) : 0;
}

/* new-PID.key -> HOMEID.key */
static int settle_key_file(const char *home, struct buf *path, struct err *err)
{
    struct vault_info info;
    struct buf to = BUF_INIT(0);
    int rc = vault_peek(home, &info, err);
    if (!rc) rc = secret_default_key_file(info.home_id, &to, err);
    if (!rc && rename(buf_str(path), buf_str(&to)))
        rc = err_errno(err, "the home is made, but its key file stays at %s", buf_str(path));
    if (!rc) {
        buf_clear(path);
        if (buf_adds(path, buf_str(&to))) rc = err_nomem(err);
    }
    buf_free(&to);
    return rc;
}

static void tell_key(const char *home, const char *key_file)
{
    if (!key_file) {
        ui_wrap("It is locked with your passphrase. Nobody can open it without: if you forget it, "
                "all that is in the home is lost.",
                0);
        return;
    }
    ui_printf("Key file: %s\n", key_file);
    ui_wrap(
        "Keep a copy of the key file in another place. Whoever has it and the home can read all of "
        "it; without it nobody can, you neither: if it is lost, all that is in the home is lost.",
        0);
}

static const char *new_passphrase_from_env(void)
{
    const char *s = getenv("LIKENESS_PASSPHRASE");
    return s && *s ? s : NULL;
}

/* Which secret is the new home to have? made: the key file goes to its default place. */
static int init_secret(struct cli *c, struct keeper *k, bool *default_place, struct err *err)
{
    const char *key_file = arg_str(c, "key-file"), *pass_file = arg_str(c, "passphrase-file");
    const char *env = new_passphrase_from_env();
    bool pass = arg_flag(c, "passphrase") || pass_file;
    *default_place = false;
    if (pass && key_file)
        return err_set(err, ERR_INVAL, "a home has a key file or a passphrase: choose one");
    if (!pass && !key_file) key_file = set_str(c, SET_KEY_FILE);
    if (!key_file && !pass_file && (pass || env || set_str(c, SET_PASSPHRASE_FILE)))
        pass_file = set_str(c, SET_PASSPHRASE_FILE), pass = true;
    if (pass && !pass_file && env) {
        if (buf_adds(&k->pass, env)) return err_nomem(err);
        k->s.passphrase = buf_str(&k->pass);
        k->s.passphrase_n = k->pass.n;
        return 0;
    }
    if (pass) return secret_new(c, "A passphrase for the new home: ", NULL, pass_file, k, err);
    if (key_file)
        return absolute(key_file, &k->path, err) ? err_nomem(err)
                                                 : (k->s.key_file = buf_str(&k->path), 0);
    *default_place = true;
    int rc = fresh_key_path(&k->path, err);
    k->s.key_file = buf_str(&k->path);
    return rc;
}

/* A home is a folder of its own: `--home ~/journal` is a slip. What a killed init left is no
 * obstacle. */
static int only_ours(const char *home, struct err *err)
{
    static const char ours[] = " . .. vault keys lock lost+found ";
    DIR *d = opendir(home);
    bool other = false;
    for (struct dirent *e; d && !other && (e = readdir(d));) {
        char name[300];
        snprintf(name, sizeof name, " %s ", e->d_name);
        other = !strstr(ours, name) && strncmp(e->d_name, "likeness.db", 11) != 0;
    }
    if (d) closedir(d);
    if (!other) return 0;
    return err_set(err, ERR_EXISTS,
                   "%s holds other files: a home is a folder of its own; name one that "
                   "is empty or not there yet",
                   home);
}

int cmd_init(struct cli *c, struct err *err)
{
    const char *home = set_str(c, SET_HOME);
    struct keeper k = { 0 };
    struct buf vault = BUF_INIT(0);
    bool default_place;
    int rc = 0;
    if (!home) return err_set(err, ERR_INVAL, "HOME is not set: name the folder with --home");
    buf_printf(&vault, "%s/vault", home);
    if (io_exists(buf_str(&vault)))
        rc = err_set(err, ERR_EXISTS,
                     "there is a home at %s already: use it, or choose another place with --home",
                     home);
    buf_free(&vault);
    if (!rc) rc = only_ours(home, err);
    if (!rc) rc = init_secret(c, &k, &default_place, err);
    if (!rc) rc = home_create(home, &k.s, err);
    if (!rc && default_place) rc = settle_key_file(home, &k.path, err);
    if (!rc) {
        const char *key_file = k.s.key_file ? buf_str(&k.path) : NULL;
        if (c->json)
            c->out = json_pack("{s:o, s:o, s:b}", "home", json_mended(home), "key_file",
                               json_mended(key_file), "passphrase", !key_file);
        else {
            ui_printf("Your home is at %s\n", home);
            tell_key(home, key_file);
            if (key_file && !default_place && !set_str(c, SET_KEY_FILE))
                ui_note("To be found again: likeness config key_file %s", key_file);
            ui_note("Next: likeness new NAME --kind self");
        }
    }
    keeper_clear(&k);
    return rc;
}

static int passphrase_secret(struct cli *c, struct keeper *k, struct err *err)
{
    const char *env = getenv("LIKENESS_NEW_PASSPHRASE"), *key = arg_str(c, "to-key-file");
    const char *file = arg_str(c, "new-passphrase-file");
    if (!key && !file && env && *env) {
        if (buf_adds(&k->pass, env)) return err_nomem(err);
        k->s.passphrase = buf_str(&k->pass);
        k->s.passphrase_n = k->pass.n;
        return 0;
    }
    return secret_new(c, "The new passphrase: ", key, file, k, err);
}

int cmd_passphrase(struct cli *c, struct err *err)
{
    struct keeper k = { 0 };
    struct vault_info was;
    struct buf old = BUF_INIT(0);
    int rc = vault_peek(c->home->path, &was, err);
    if (!rc) rc = passphrase_secret(c, &k, err);
    if (!rc) rc = vault_rewrap(c->home->vault, &k.s, err);
    if (rc) goto out;
    if (!was.needs_passphrase && set_str(c, SET_KEY_FILE)) buf_adds(&old, set_str(c, SET_KEY_FILE));
    else if (!was.needs_passphrase) rc = secret_default_key_file(was.home_id, &old, err);
    if (rc) goto out;
    if (c->json) {
        c->out = json_pack("{s:o, s:o, s:b}", "home", json_mended(c->home->path), "key_file",
                           json_mended(k.s.key_file), "passphrase", !k.s.key_file);
        goto out;
    }
    ui_printf("The home at %s is locked anew.\n", c->home->path);
    tell_key(c->home->path, k.s.key_file);
    if (k.s.key_file) ui_note("To be found again: likeness config key_file %s", k.s.key_file);
    if (old.n)
        ui_note("The old key file %s opens only copies of the home made before now; remove it when "
                "there are none.",
                buf_str(&old));
out:
    buf_free(&old);
    keeper_clear(&k);
    return rc;
}
