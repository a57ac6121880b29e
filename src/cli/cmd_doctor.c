/* likeness doctor. When the home opens, persona/doctor.h looks at what is inside. When it does not,
 * this file finds out why, from the outside in: is there a folder, a vault, the right to read them,
 * the key, the database; and says what to do about the first thing that is wrong. */
#include "cli/cli.h"

#include "base/io.h"
#include "persona/doctor.h"
#include "persona/ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct findings {
    struct cli *c;
    json_t *list;
    size_t problems, repaired;
};

static void say(void *ud, bool problem, const char *text)
{
    struct findings *f = ud;
    f->problems += problem;
    if (f->list) {
        json_array_append_new(
            f->list, json_pack("{s:b, s:o}", "problem", problem, "text", json_mended(text)));
        return;
    }
    ui_progress_clear();
    ui_line(problem ? UI_BAD : UI_PLAIN, 11, "  %-8s %s", problem ? "problem" : "ok", text);
}

static void say_path(struct findings *f, bool problem, const char *fmt, const char *path)
{
    char text[4600];
    snprintf(text, sizeof text, fmt, path);
    say(f, problem, text);
}

/* The home's own files are the store's to look at; the key file lies elsewhere. */
static void look_at_mode(struct findings *f, const char *path, bool repair)
{
    struct stat st;
    if (stat(path, &st) || !(st.st_mode & 077)) return;
    say_path(f, true, "others on this machine can read the key file %s", path);
    if (!repair || chmod(path, 0600)) return;
    say_path(f, false, "made %s private", path);
    f->repaired++;
}

static int look_at_key(struct findings *f, const char *home, bool repair, struct err *err)
{
    struct keeper k = { 0 };
    int rc = secret_of_home(f->c, home, &k, err);
    if (!rc) {
        say_path(f, false, "the key file is %s", k.s.key_file);
        look_at_mode(f, k.s.key_file, repair);
    }
    keeper_clear(&k);
    return rc;
}

/* The first thing that stands in the way is the error; it says what to do. */
static int look_from_outside(struct findings *f, const char *home, bool repair, struct err *err)
{
    char path[4200];
    struct vault_info info;
    if (!io_exists(home))
        return err_set(
            err, ERR_NOTFOUND,
            "there is no folder %s: make a home with `likeness init`, or name yours with --home",
            home);
    if (access(home, R_OK | X_OK))
        return err_set(err, ERR_IO,
                       "%s cannot be entered: run as the user it belongs to, or give the right "
                       "back with chmod u+rwx",
                       home);
    int rc = vault_peek(home, &info, err);
    if (rc) return rc;
    snprintf(path, sizeof path, "%s/vault", home);
    say_path(f, false, "%s is whole", path);
    if (!info.needs_passphrase && (rc = look_at_key(f, home, repair, err))) return rc;
    snprintf(path, sizeof path, "%s/likeness.db", home);
    if (!io_exists(path))
        return err_set(err, ERR_NOTFOUND,
                       "%s is missing: restore it from a backup, together with the folder keys",
                       path);
    return 0;
}

static void finish(struct cli *c, struct findings *f, const struct doctor_report *r, bool repair,
                   uint64_t left)
{
    char a[32], b[64];
    if (c->json) {
        c->out = json_pack(
            "{s:O, s:b, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
            "findings", f->list, "repair", repair, "problems", (json_int_t)r->store.problems,
            "repaired", (json_int_t)r->store.repaired, "left", (json_int_t)left, "stale_personas",
            (json_int_t)r->stale_personas, "unreadable", (json_int_t)r->unreadable_bodies, "counts",
            "personas", (json_int_t)r->store.personas, "sources", (json_int_t)r->store.sources,
            "pieces", (json_int_t)r->store.pieces, "chunks", (json_int_t)r->store.chunks, "vectors",
            (json_int_t)r->store.vectors, "turns", (json_int_t)r->store.turns, "rows_opened",
            (json_int_t)r->store.rows_opened);
        return;
    }
    ui_printf("%s opened; ", ui_count(r->store.rows_opened, "sealed row", "sealed rows", b));
    if (!left && !r->store.repaired) ui_styled(UI_GOOD, "all is well.\n");
    else if (!left)
        ui_styled(UI_GOOD, "%s repaired; all is well now.\n", ui_number(r->store.repaired, a));
    else {
        ui_styled(UI_BAD, "%s left.\n", ui_count(left, "problem", "problems", b));
        if (!repair) ui_note("`likeness doctor` without --check repairs what loses nothing.");
    }
}

/* ---- new vectors ---- */

struct ids {
    char (*id)[9];
    size_t n;
};

static int note_id(void *ud, const struct persona *p)
{
    struct ids *l = ud;
    char(*grown)[9] = realloc(l->id, (l->n + 1) * sizeof *grown);
    if (!grown) return ERR_NOMEM;
    l->id = grown;
    memcpy(l->id[l->n++], p->id, sizeof p->id);
    return 0;
}

/* Every persona's vectors anew; each persona keeps its old ones until its new ones are all
 * there. */
static int reembed(struct cli *c, struct findings *f, const char *embedder, struct err *err)
{
    struct ids l = { 0 };
    struct buf name = BUF_INIT(0);
    int rc = embedder_named(c, embedder, &name, err);
    if (!rc) rc = persona_each(c->home, note_id, &l, err);
    for (size_t i = 0; i < l.n && !rc; i++) {
        struct persona *p = NULL;
        rc = persona_open(c->home, l.id[i], &p, err);
        if (!rc) rc = persona_reembed(c->home, p, buf_str(&name), ui_progress_begin(), err);
        if (!rc) say_path(f, false, "persona %s has new vectors", p->id);
        persona_close(p);
    }
    ui_progress_end();
    buf_free(&name);
    free(l.id);
    return rc;
}

int cmd_doctor(struct cli *c, struct err *err)
{
    const char *home = set_str(c, SET_HOME);
    bool repair = !arg_flag(c, "check");
    struct findings f = { .c = c, .list = c->json ? json_array() : NULL };
    struct doctor_report r = { 0 };
    uint64_t left = 0;
    int rc;
    if (!home) return err_set(err, ERR_INVAL, "HOME is not set: name the folder with --home");
    if (!repair && arg_str(c, "reembed"))
        return err_set(err, ERR_INVAL, "--check only looks: leave it out to use --reembed");
    rc = look_from_outside(&f, home, repair, err);
    size_t problems = f.problems;
    if (!rc) rc = cli_open_home(c, repair ? STORE_WRITE : STORE_READ, err);
    if (!rc && arg_str(c, "reembed")) rc = reembed(c, &f, arg_str(c, "reembed"), err);
    if (!rc) rc = doctor_run(c->home, repair, say, &f, &r, err);
    r.store.problems += problems;
    r.store.repaired += f.repaired;
    left = r.store.problems > r.store.repaired ? r.store.problems - r.store.repaired : 0;
    if (!rc) {
        finish(c, &f, &r, repair, left);
        c->status = left ? 1 : 0;
    } else if (c->json) c->out = json_pack("{s:O}", "findings", f.list);
    json_decref(f.list);
    return rc;
}
