/* likeness remote: a server that speaks the OpenAI API, for the voice `remote` and the embedders
 * `remote:MODEL`; and the opening of it for every other command.
 *
 * Its key is sealed in HOME/service.db, as the note "remote.key"; LIKENESS_REMOTE_KEY goes before
 * it. It is never taken from the command line, where every process of the machine could read it.
 * When text is about to go to another machine, the user is told, once for each run. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"
#include "net/client.h"
#include "persona/remote.h"
#include "store/service.h"

#include <stdlib.h>
#include <string.h>

#define NOTE    "remote.key"
#define KEY_MAX 4096

static void say_leaving(void *ud, const char *host)
{
    ui_progress_clear();
    ui_note("note: text leaves this machine: questions and the passages found go to %s", host);
}

/* NULL in *out when there is no key. */
static int key_of(struct cli *c, struct buf *out, const char **key, struct err *err)
{
    const char *env = getenv("LIKENESS_REMOTE_KEY"), *home = set_str(c, SET_HOME);
    struct buf path = BUF_INIT(0);
    struct service *sv = NULL;
    int rc = 0;
    *key = env && *env ? env : NULL;
    if (*key) return 0;
    buf_printf(&path, "%s/service.db", home);
    if (io_exists(buf_str(&path)) && !(rc = service_open(home, c->home->vault, &sv, err))) {
        rc = service_note_get(sv, NOTE, out, err);
        if (!rc) *key = buf_str(out);
        else if (rc == ERR_NOTFOUND) rc = 0;
    }
    service_close(sv);
    buf_free(&path);
    return rc;
}

/* auto, yes, no */
static int mask_of_settings(const struct cli *c)
{
    const char *v = set_str(c, SET_REMOTE_MASK);
    return !v || !strcmp(v, "auto") ? 0 : !strcmp(v, "yes") ? 1 : -1;
}

int cli_open_remote(struct cli *c, struct err *err)
{
    struct buf kept = BUF_INIT(KEY_MAX);
    struct err why = { 0 };
    struct remote_opts o = { .url = set_str(c, SET_REMOTE_URL),
                             .model = set_str(c, SET_REMOTE_MODEL),
                             .embed = set_str(c, SET_REMOTE_EMBED),
                             .plain = set_yes(c, SET_REMOTE_PLAIN),
                             .context = (int)set_int(c, SET_CONTEXT),
                             .mask = mask_of_settings(c),
                             .leaving = say_leaving };
    remote_for_embedding(NULL);
    if (!o.url) return 0;
    if (key_of(c, &kept, &o.key, &why))
        ui_note("note: the key of the remote server cannot be read: %s", why.msg);
    int rc = remote_open(&o, &c->remote, err);
    if (!rc) remote_for_embedding(c->remote);
    else err_prefix(err, rc, "the setting remote_url");
    buf_free(&kept);
    return rc;
}

/* ---- commands ---- */

static int add_model(void *ud, const char *id)
{
    json_array_append_new(ud, json_mended(id));
    return 0;
}

int cmd_remote_show(struct cli *c, struct err *err)
{
    struct buf kept = BUF_INIT(KEY_MAX);
    const char *key = NULL, *name = set_str(c, SET_REMOTE_MODEL);
    json_t *models = json_array(), *m;
    size_t i;
    if (!c->remote) {
        json_decref(models);
        return remote_open(&(struct remote_opts){ 0 }, &c->remote, err);
    }
    int rc = key_of(c, &kept, &key, err);
    bool local = remote_is_local(c->remote);
    if (!c->json) {
        ui_printf("Server  %s%s\n", set_str(c, SET_REMOTE_URL),
                  local ? ", on this machine" : ": text leaves this machine");
        ui_printf("Key     %s\n", key ? "kept" : "none");
        ui_printf("Model   %s\n", name ? name : "the first that the server lists");
    }
    if (!rc) rc = remote_models(c->remote, add_model, models, err);
    if (c->json)
        c->out = json_pack("{s:o, s:o, s:b, s:b, s:o, s:O}", "url",
                           json_mended(set_str(c, SET_REMOTE_URL)), "host",
                           json_mended(remote_host(c->remote)), "leaves_machine", !local, "key",
                           key != NULL, "model", json_mended(name), "models", models);
    else if (!rc) {
        ui_printf("It answers, and has:\n");
        json_array_foreach(models, i, m) { ui_printf("  %s\n", json_string_value(m)); }
        if (!i) ui_printf("  no models\n");
    }
    json_decref(models);
    buf_free(&kept);
    return rc;
}

static int use_none(struct cli *c, struct err *err)
{
    int rc = config_set(c, &settings[SET_REMOTE_URL], NULL, err);
    if (!rc) rc = config_set(c, &settings[SET_REMOTE_MODEL], NULL, err);
    if (!rc) rc = config_set(c, &settings[SET_VOICE], NULL, err);
    if (!rc && c->json) c->out = json_pack("{s:n, s:s}", "url", "voice", "quote");
    else if (!rc) ui_printf("No server is asked; the quote voice answers.\n");
    return rc;
}

int cmd_remote_use(struct cli *c, struct err *err)
{
    const char *url = c->args.n_pos ? c->args.pos[0] : NULL;
    const char *model = c->args.n_pos > 1 ? c->args.pos[1] : NULL;
    char host[256];
    if (arg_flag(c, "none")) return use_none(c, err);
    if (!url) return err_set(err, ERR_INVAL, "name the address of a server, up to and with /v1");
    int rc = client_host(url, host, err);
    bool local = !rc && client_is_local(url);
    if (!rc && !local && str_starts(url, "http://") && !set_yes(c, SET_REMOTE_PLAIN))
        rc = err_set(err, ERR_INVAL,
                     "%s is another machine, and http:// would send your words for all on the way "
                     "to read: use https://, or in a network that you trust `likeness config "
                     "remote_plain yes`",
                     host);
    if (!rc) rc = config_set(c, &settings[SET_REMOTE_URL], url, err);
    if (!rc) rc = config_set(c, &settings[SET_REMOTE_MODEL], model, err);
    if (!rc) rc = config_set(c, &settings[SET_VOICE], "remote", err);
    if (rc) return rc;
    if (c->json)
        c->out = json_pack("{s:s, s:o, s:s, s:b}", "url", url, "model", json_mended(model), "voice",
                           "remote", "leaves_machine", !local);
    else {
        ui_printf("%s answers from now on.\n", host);
        if (!local) ui_note("Questions, and the passages found for them, leave this machine.");
        ui_note("Next: likeness remote set-key, if it wants one; likeness remote show tries it.");
    }
    return 0;
}

static int put_key(struct cli *c, const void *key, size_t n, struct err *err)
{
    struct service *sv = NULL;
    int rc = service_open(set_str(c, SET_HOME), c->home->vault, &sv, err);
    if (!rc) rc = service_note_put(sv, NOTE, key, n, err);
    service_close(sv);
    return rc;
}

int cmd_remote_set_key(struct cli *c, struct err *err)
{
    struct keeper k = { 0 };
    int rc = secret_given(c, "Key of the server: ", NULL, arg_str(c, "file"), &k, err);
    for (size_t i = 0; i < k.s.passphrase_n && !rc; i++)
        if (k.s.passphrase[i] <= ' ' || k.s.passphrase[i] > '~')
            rc = err_set(err, ERR_INVAL,
                         "that is no key: keys have neither spaces nor letters "
                         "other than those of ASCII");
    if (!rc && !k.s.passphrase_n) rc = err_set(err, ERR_INVAL, "an empty key: nothing was done");
    if (!rc) rc = put_key(c, k.s.passphrase, k.s.passphrase_n, err);
    keeper_clear(&k);
    if (!rc && c->json) c->out = json_pack("{s:b}", "key", 1);
    else if (!rc) ui_printf("The key is kept, sealed, in the home.\n");
    return rc;
}

int cmd_remote_forget_key(struct cli *c, struct err *err)
{
    int rc = put_key(c, NULL, 0, err);
    if (!rc && c->json) c->out = json_pack("{s:b}", "key", 0);
    else if (!rc) ui_printf("No key is kept.\n");
    return rc;
}
