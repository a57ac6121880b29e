/* set: what a persona keeps of its own, as opposed to the settings of this user (config). */
#include "cli/cli.h"

#include <string.h>

static int on_or_off(const char *word, bool *on, struct err *err)
{
    *on = !strcmp(word, "on");
    if (*on || !strcmp(word, "off")) return 0;
    return err_set(err, ERR_INVAL, "the value is on or off");
}

int cmd_set(struct cli *c, struct err *err)
{
    const char *what = c->args.pos[1];
    bool on;
    if (strcmp(what, "mask_shares") != 0)
        return err_set(err, ERR_INVAL,
                       "a persona has no setting \"%.40s\": there is mask_shares, on or off", what);
    int rc = on_or_off(c->args.pos[2], &on, err);
    if (!rc) rc = cli_open_persona(c, c->args.pos[0], err);
    if (!rc) rc = persona_mask_shares(c->home, c->persona, on, err);
    if (rc) return rc;
    if (c->json) c->out = json_pack("{s:s, s:b}", "persona", c->persona->id, what, on);
    else if (on)
        ui_printf("Whom %s is shared with sees pseudonyms for other people, unless they may manage "
                  "it.\n",
                  c->persona->name);
    else
        ui_printf("Whom %s is shared with sees other people's names and addresses.\n",
                  c->persona->name);
    return 0;
}
