/* likeness account: who may use the server of this home, and which personas. The owner of the
 * machine needs no account. All of it works beside a running server, which sees a change with the
 * next request: accounts have a database of their own, that several processes may use.
 *
 * Passwords are asked on the terminal or read from a file, as passphrases of homes are, and never
 * come from the command line. */
#include "cli/cli.h"

#include "account/account.h"
#include "base/io.h"
#include "base/str.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define IMPORT_MAX ((size_t)256 << 20)

struct desk_of { /* what each command opens */
    struct service *sv;
    struct accounts *as;
};

static int open_accounts(const struct cli *c, struct desk_of *d, struct err *err)
{
    *d = (struct desk_of){ 0 };
    int rc = service_open(c->home->path, c->home->vault, &d->sv, err);
    return rc ? rc : accounts_open(d->sv, NULL, &d->as, err);
}

static void close_accounts(struct desk_of *d)
{
    accounts_close(d->as);
    service_close(d->sv);
}

/* The account that an operand names. */
static int named(struct desk_of *d, const char *email, int64_t *id, struct err *err)
{
    int rc = account_by_email(d->as, email, id, err);
    return rc == ERR_NOTFOUND
               ? err_set(err, rc,
                         "there is no account with this address: `likeness account ls` lists them")
               : rc;
}

static int open_named(const struct cli *c, struct desk_of *d, int64_t *id, struct err *err)
{
    int rc = open_accounts(c, d, err);
    return rc ? rc : named(d, c->args.pos[0], id, err);
}

static void note_change(struct desk_of *d, const char *action, const uint8_t *persona)
{
    struct row_audit r = { 0 };
    snprintf(r.action, sizeof r.action, "%s", action);
    if (persona) memcpy(r.persona, persona, VAULT_UID);
    r.body = "{}";
    r.body_n = 2;
    service_audit_put(d->sv, &r, true, NULL);
}

/* ---- ls ---- */

static int keep_info(void *ud, const struct account_info *a) { return buf_add(ud, a, sizeof *a); }

struct count {
    int owned, shared;
};

static int count_grant(void *ud, const struct row_grant *r)
{
    struct count *n = ud;
    if (r->level == LEVEL_OWNER) n->owned++;
    else n->shared++;
    return 0;
}

static void list_one(struct cli *c, json_t *list, const struct account_info *a,
                     const struct count *n)
{
    char day[24], own[64];
    if (list) {
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:o, s:b, s:i, s:i}", "id", (json_int_t)a->id, "email",
                            json_mended(a->email), "created_at", json_time(a->created_at),
                            "disabled", a->disabled, "personas", n->owned, "shared", n->shared));
        return;
    }
    ui_cell(a->email, 36);
    ui_printf("  since %s  %s", clock_date(a->created_at, day),
              ui_count((uint64_t)n->owned, "persona", "personas", own));
    if (n->shared) ui_printf(", %d shared with it", n->shared);
    ui_printf("%s\n", a->disabled ? "  switched off" : "");
}

int cmd_account_ls(struct cli *c, struct err *err)
{
    struct desk_of d;
    struct buf all = BUF_INIT(0);
    json_t *list = c->json ? json_array() : NULL;
    int rc = open_accounts(c, &d, err);
    if (!rc) rc = account_each(d.as, keep_info, &all, err);
    const struct account_info *a = (const struct account_info *)(const void *)all.p;
    for (size_t i = 0; !rc && i < all.n / sizeof *a; i++) {
        struct count n = { 0 };
        rc = service_grant_each(d.sv, NULL, a[i].id, count_grant, &n, err);
        if (!rc) list_one(c, list, &a[i], &n);
    }
    if (!rc && !all.n) ui_note("No accounts yet. `likeness account new ADDRESS` makes one.");
    if (list) c->out = json_pack("{s:o}", "accounts", list);
    buf_free(&all);
    close_accounts(&d);
    return rc;
}

/* ---- new, passwd ---- */

static int ask_password(struct cli *c, struct keeper *k, struct err *err)
{
    const char *file = arg_str(c, "password-file");
    int rc = secret_new(c, "A password for the account: ", NULL, file, k, err);
    if (rc != ERR_INVAL || file) return rc;
    return err_set(err, rc,
                   "there is no terminal to ask for the password on: use --password-file "
                   "FILE");
}

static void tell(struct cli *c, const char *what, int64_t id, const char *words)
{
    if (c->json) c->out = json_pack("{s:s, s:I}", "done", what, "id", (json_int_t)id);
    else ui_printf("%s\n", words);
}

int cmd_account_new(struct cli *c, struct err *err)
{
    struct desk_of d;
    struct keeper k = { 0 };
    int64_t id = 0;
    int rc = open_accounts(c, &d, err);
    if (!rc && !account_by_email(d.as, c->args.pos[0], &id, NULL))
        rc = err_set(err, ERR_EXISTS, "there is an account with this address already");
    if (!rc) rc = ask_password(c, &k, err);
    if (!rc) rc = account_create(d.as, c->args.pos[0], k.s.passphrase, &id, err);
    if (!rc) {
        note_change(&d, "cli.account.new", NULL);
        tell(c, "new", id, "The account is made.");
        if (!c->json)
            ui_note("It has no persona yet: `likeness account give PERSONA ADDRESS` gives it one.");
    }
    keeper_clear(&k);
    close_accounts(&d);
    return rc;
}

int cmd_account_passwd(struct cli *c, struct err *err)
{
    struct desk_of d;
    struct keeper k = { 0 };
    int64_t id = 0;
    int rc = open_named(c, &d, &id, err);
    if (!rc) rc = ask_password(c, &k, err);
    if (!rc) rc = account_password_set(d.as, id, k.s.passphrase, err);
    if (!rc) {
        note_change(&d, "cli.account.passwd", NULL);
        tell(c, "passwd", id,
             "The password is changed; all logins and keys of the account are over.");
    }
    keeper_clear(&k);
    close_accounts(&d);
    return rc;
}

/* ---- disable, enable, rm ---- */

static int switch_account(struct cli *c, bool off, struct err *err)
{
    struct desk_of d;
    int64_t id = 0;
    int rc = open_named(c, &d, &id, err);
    if (!rc) rc = account_disable(d.as, id, off, err);
    if (!rc) {
        note_change(&d, off ? "cli.account.disable" : "cli.account.enable", NULL);
        tell(c, off ? "disable" : "enable", id,
             off ? "The account is switched off, and its logins are over."
                 : "The account is switched on.");
    }
    close_accounts(&d);
    return rc;
}

int cmd_account_disable(struct cli *c, struct err *err) { return switch_account(c, true, err); }
int cmd_account_enable(struct cli *c, struct err *err) { return switch_account(c, false, err); }

static int sure(struct cli *c, const struct count *n, struct err *err)
{
    char question[200], own[64];
    if (arg_flag(c, "yes")) return 0;
    if (!ui_interactive())
        return err_set(err, ERR_INVAL, "to remove an account without a terminal, add --yes");
    ui_count((uint64_t)n->owned, "persona that it owns stays", "personas that it owns stay", own);
    snprintf(question, sizeof question, "Remove the account, with its logins and keys?%s%s%s",
             n->owned ? " The " : "", n->owned ? own : "", n->owned ? " on this machine." : "");
    return ui_confirm(question, err);
}

int cmd_account_rm(struct cli *c, struct err *err)
{
    struct desk_of d;
    struct count n = { 0 };
    int64_t id = 0;
    int rc = open_named(c, &d, &id, err);
    if (!rc) rc = service_grant_each(d.sv, NULL, id, count_grant, &n, err);
    if (!rc) rc = sure(c, &n, err);
    if (!rc) rc = account_delete(d.as, id, err);
    if (!rc) {
        note_change(&d, "cli.account.rm", NULL);
        tell(c, "rm", id, "The account is removed.");
        if (n.owned)
            ui_note("What it owned stays in the home: `likeness personas` lists it, `likeness "
                    "forget` forgets it.");
    }
    close_accounts(&d);
    return rc;
}

/* ---- import ---- */

/* The next of two fields: up to the first comma or the end, or between quotes. */
static struct span field(struct span *line)
{
    struct span s = span_trim(*line), f = { s.p, 0 };
    const char *end = s.n ? memchr(s.p, ',', s.n) : NULL;
    if (s.n && *s.p == '"') {
        const char *q = memchr(s.p + 1, '"', s.n - 1);
        f = (struct span){ s.p + 1, q ? (size_t)(q - s.p - 1) : s.n - 1 };
        end = q ? memchr(q, ',', s.n - (size_t)(q - s.p)) : NULL;
    } else {
        f.n = end ? (size_t)(end - s.p) : s.n;
    }
    *line = end ? (struct span){ end + 1, s.n - (size_t)(end + 1 - s.p) } : (struct span){ s.p, 0 };
    return span_trim(f);
}

struct import {
    struct cli *c;
    struct desk_of *d;
    uint64_t made, there, bad;
};

/* The hash is the rest of the line: Argon2id's holds commas. */
static struct span rest(struct span line)
{
    struct span s = span_trim(line);
    return s.n && *s.p == '"' ? field(&s) : s;
}

static int import_line(struct import *im, struct span line, uint64_t number, struct err *err)
{
    char email[320], hash[256];
    struct err why = { 0 };
    int64_t id;
    struct span mail = field(&line), h = rest(line);
    if (!mail.n && !h.n) return 0;
    if (number == 1 && !memchr(mail.p, '@', mail.n)) return 0; /* names of columns */
    snprintf(email, sizeof email, "%.*s", (int)(mail.n < 319 ? mail.n : 319), mail.p);
    snprintf(hash, sizeof hash, "%.*s", (int)(h.n < 255 ? h.n : 255), h.n ? h.p : "");
    int rc = account_import(im->d->as, email, hash, &id, &why);
    sodium_memzero(hash, sizeof hash);
    if (!rc) im->made++;
    else if (rc == ERR_EXISTS) im->there++;
    else if (rc == ERR_INVAL) {
        im->bad++;
        ui_note("line %llu: %s", (unsigned long long)number, why.msg);
    } else return err_set(err, rc, "line %llu: %s", (unsigned long long)number, why.msg);
    return 0;
}

int cmd_account_import(struct cli *c, struct err *err)
{
    struct desk_of d;
    struct buf text = BUF_INIT(IMPORT_MAX);
    struct import im = { .c = c, .d = &d };
    char a[64];
    int rc = open_accounts(c, &d, err);
    if (!rc) rc = io_read_file(c->args.pos[0], IMPORT_MAX, &text, err);
    uint64_t number = 0;
    for (size_t at = 0; !rc && at < text.n;) {
        const char *nl = memchr(text.p + at, '\n', text.n - at);
        size_t n = nl ? (size_t)(nl - text.p) - at : text.n - at;
        rc = import_line(&im, (struct span){ text.p + at, n }, ++number, err);
        at += n + 1;
    }
    if (im.made) note_change(&d, "cli.account.import", NULL);
    if (c->json)
        c->out = json_pack("{s:I, s:I, s:I}", "made", (json_int_t)im.made, "there",
                           (json_int_t)im.there, "refused", (json_int_t)im.bad);
    else if (!rc)
        ui_printf("%s made, %llu there already, %llu refused.\n",
                  ui_count(im.made, "account", "accounts", a), (unsigned long long)im.there,
                  (unsigned long long)im.bad);
    if (im.bad) c->status = 1;
    buf_free(&text);
    close_accounts(&d);
    return rc;
}

/* ---- give, take ---- */

struct holders {
    int64_t but, owner;
};

static int find_owner(void *ud, const struct row_grant *r)
{
    struct holders *h = ud;
    if (r->level == LEVEL_OWNER && r->account != h->but) h->owner = r->account;
    return 0;
}

/* One owner at a time: who may delete it and share it should be one person. */
static int no_other_owner(struct desk_of *d, const uint8_t *uid, int64_t id, struct err *err)
{
    struct holders h = { .but = id };
    int rc = service_grant_each(d->sv, uid, 0, find_owner, &h, err);
    if (!rc && h.owner)
        rc = err_set(err, ERR_EXISTS,
                     "another account owns this persona: take it away there first, or give a lower "
                     "level");
    return rc;
}

/* The first persona that an account owns is the one that routes without an id are about, as long as
 * it has a right on it. */
static int mind_default(struct desk_of *d, int64_t id, const uint8_t *uid, enum level level,
                        struct err *err)
{
    static const uint8_t none[VAULT_UID];
    struct account_info a;
    int rc = account_info(d->as, id, &a, err);
    if (rc) return rc;
    if (level == LEVEL_OWNER && !memcmp(a.persona, none, VAULT_UID))
        return account_default_persona(d->as, id, uid, err);
    if (level == LEVEL_NONE && !memcmp(a.persona, uid, VAULT_UID))
        return account_default_persona(d->as, id, none, err);
    return 0;
}

static const char *may_now(enum level level)
{
    switch (level) {
    case LEVEL_CHAT: return "ask the persona";
    case LEVEL_READ: return "ask the persona and read what it rests on";
    case LEVEL_MANAGE: return "ask, read and feed the persona";
    default: return "do all with the persona: it owns it";
    }
}

static int grant(struct cli *c, enum level level, struct err *err)
{
    struct desk_of d = { 0 };
    int64_t id = 0;
    enum level was = LEVEL_NONE;
    int rc = cli_open_persona(c, c->args.pos[0], err);
    if (!rc) rc = open_accounts(c, &d, err);
    if (!rc) rc = named(&d, c->args.pos[1], &id, err);
    const uint8_t *uid = rc ? NULL : c->persona->seal.uid;
    if (!rc && level == LEVEL_OWNER) rc = no_other_owner(&d, uid, id, err);
    if (!rc) rc = service_grant_get(d.sv, uid, id, &was, err);
    if (!rc && level == LEVEL_NONE && was == LEVEL_NONE)
        rc = err_set(err, ERR_NOTFOUND, "this account has no right on this persona");
    if (!rc) rc = service_grant_put(d.sv, uid, id, level, err);
    if (!rc) rc = mind_default(&d, id, uid, level, err);
    if (!rc) note_change(&d, level == LEVEL_NONE ? "cli.account.take" : "cli.account.give", uid);
    if (!rc && c->json)
        c->out = json_pack("{s:s, s:I, s:s}", "persona", c->persona->id, "account", (json_int_t)id,
                           "level", level_word(level));
    else if (!rc && level == LEVEL_NONE) ui_printf("The right is taken away.\n");
    else if (!rc) ui_printf("The account may now %s.\n", may_now(level));
    close_accounts(&d);
    return rc;
}

int cmd_account_give(struct cli *c, struct err *err)
{
    const char *word = arg_str(c, "level");
    enum level level = LEVEL_OWNER;
    if (word && (!level_parse(word, &level) || level == LEVEL_NONE))
        return err_set(err, ERR_INVAL, "--level is one of chat, read, manage, owner");
    return grant(c, level, err);
}

int cmd_account_take(struct cli *c, struct err *err) { return grant(c, LEVEL_NONE, err); }
