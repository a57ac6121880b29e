/* likeness export and import. The options after the command are about the file's own lock. */
#include "cli/cli.h"

#include "base/io.h"
#include "persona/ingest.h"
#include "persona/portable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *json_counts(const struct portable_counts *n)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sources", (json_int_t)n->sources,
                     "pieces", (json_int_t)n->pieces, "chunks", (json_int_t)n->chunks, "vectors",
                     (json_int_t)n->vectors, "docs", (json_int_t)n->docs, "conversations",
                     (json_int_t)n->conversations, "turns", (json_int_t)n->turns);
}

static void say_counts(const struct portable_counts *n)
{
    char a[64], b[64], d[64];
    ui_printf("%s, %s, %s\n", ui_count(n->sources, "source", "sources", a),
              ui_count(n->pieces, "piece", "pieces", b),
              ui_count(n->conversations, "conversation", "conversations", d));
}

int cmd_export(struct cli *c, struct err *err)
{
    const char *path = c->args.pos[1], *key = arg_own(c, "key-file"),
               *pass = arg_own(c, "passphrase-file");
    struct portable_counts n = { 0 };
    struct keeper k = { 0 };
    bool force = arg_flag(c, "force"), masked = !arg_flag(c, "no-mask-others"), made = false;
    int rc = 0;
    if (!masked && arg_flag(c, "mask-others"))
        return err_set(err, ERR_INVAL, "--mask-others and --no-mask-others cannot both hold");
    rc = cli_open_persona(c, c->args.pos[0], err);
    if (!rc && !force && io_exists(path))
        rc = err_set(err, ERR_EXISTS, "%s is there already: choose another name, or say --force",
                     path);
    if (!rc) rc = secret_new(c, "A passphrase for the file: ", key, pass, &k, err);
    if (!rc && key && !io_exists(key)) made = !(rc = vault_keyfile_make(key, err));
    if (!rc) {
        rc = masked ? portable_export_masked(c->home, c->persona, path, &k.s, force,
                                             ui_progress_begin(), &n, err)
                    : portable_export(c->home, c->persona, path, &k.s, force, ui_progress_begin(),
                                      &n, err);
        ui_progress_end();
    }
    if (!rc && c->json)
        c->out = json_pack("{s:o, s:o, s:o, s:b, s:b}", "file", json_mended(path), "counts",
                           json_counts(&n), "key_file", json_mended(key), "key_made", made,
                           "masked", masked);
    else if (!rc) {
        ui_printf("Written to %s: ", path);
        say_counts(&n);
        if (masked)
            ui_printf(
                "Other people are pseudonyms in it, and conversations are left out: it is for "
                "others to have.\nA backup has everything: --no-mask-others\n");
        if (made) ui_printf("Its key was made: %s. Keep it in another place than the file.\n", key);
    }
    keeper_clear(&k);
    return rc;
}

/* Nobody is asked for the passphrase of something that has none. docs/STORAGE.md, "An export". */
static int looks_exported(const char *path, struct err *err)
{
    char head[8];
    FILE *f = fopen(path, "rb");
    if (!f) return err_errno(err, "cannot open %s", path);
    bool ok =
        fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, "LKSTREAM", sizeof head);
    fclose(f);
    if (ok) return 0;
    return err_set(err, ERR_PARSE,
                   "%s is not a Likeness export: texts, mail and chats come in with "
                   "likeness add",
                   path);
}

int cmd_import(struct cli *c, struct err *err)
{
    const char *path = c->args.pos[0], *key = arg_own(c, "key-file"),
               *pass = arg_own(c, "passphrase-file");
    struct portable_counts n = { 0 };
    struct keeper k = { 0 };
    int rc = 0;
    if (!io_exists(path)) return err_set(err, ERR_NOTFOUND, "there is no file %s", path);
    if ((rc = looks_exported(path, err))) return rc;
    rc = secret_given(c, "Passphrase of the file: ", key, pass, &k, err);
    if (!rc) {
        rc = portable_import(c->home, path, &k.s, arg_str(c, "name"), ui_progress_begin(),
                             &c->persona, &n, err);
        if (!rc && c->persona->stale)
            rc = persona_settle(c->home, c->persona, ui_progress_begin(), err);
        ui_progress_end();
    }
    if (!rc && c->json)
        c->out = json_pack("{s:s, s:o, s:o}", "persona", c->persona->id, "name",
                           json_mended(c->persona->name), "counts", json_counts(&n));
    else if (!rc) {
        ui_printf("Imported %s, persona %s: ", c->persona->name, c->persona->id);
        say_counts(&n);
    }
    keeper_clear(&k);
    return rc;
}
