/* store_check: clean homes are clean, each kind of damage is reported, and mended where it may
 * be. */
#include "store/home.h"

#include <utime.h>

struct heard {
    int problems, notes;
    char text[4096];
};

static void hear(void *ud, bool problem, const char *text)
{
    struct heard *h = ud;
    if (problem) h->problems++;
    else h->notes++;
    size_t at = strlen(h->text);
    snprintf(h->text + at, sizeof h->text - at, "%s\n", text);
}

static struct store_report look(struct store *st, bool repair, struct heard *heard)
{
    struct store_report rep;
    memset(heard, 0, sizeof *heard);
    check_ok(store_check(st, repair, hear, heard, &rep, &err), err);
    check_int(rep.problems, heard->problems);
    check_int(rep.repaired, heard->notes);
    return rep;
}

static void clean_is_clean(void **state)
{
    struct home h;
    struct filled f;
    struct heard heard;
    home_make(&h);
    fill(h.st, &f);
    fill(h.st, &f);
    struct store_report rep = look(h.st, false, &heard);
    check_str(heard.text, "");
    check_int(rep.personas, 2);
    check_int(rep.sources, 4);
    check_int(rep.pieces, 6);
    check_int(rep.chunks, 4);
    check_int(rep.vectors, 4);
    check_int(rep.turns, 4);
    check_int(rep.rows_opened, 2 * (1 + 2 + 3 + 2 + 1 + 2 + 1 + 1 + 2));
    home_done(&h);
}

/* What is wrong after sql: said, mended or not, and gone after mending. */
static void damage(const char *sql, const char *said, bool mends)
{
    struct home h;
    struct filled f;
    struct heard heard;
    home_make(&h);
    fill(h.st, &f);
    meddle(&h, sql);
    look(h.st, false, &heard);
    check_has(heard.text, said);
    look(h.st, true, &heard);
    check_has(heard.text, said);
    look(h.st, false, &heard);
    if (mends) check_str(heard.text, "");
    else check_has(heard.text, said);
    home_done(&h);
}

static void damaged_rows(void **state)
{
    damage("UPDATE source SET n_pieces=9 WHERE id=2", "counts of 1 sources", true);
    damage("DELETE FROM turn_source WHERE turn=1 AND source=2", "1 links", true);
    damage(
        "PRAGMA foreign_keys=OFF; INSERT INTO vector(embedder, chunk, body) VALUES(1, 99, x'00')",
        "a row of vector", true);
    damage("UPDATE piece SET body=(SELECT body FROM piece WHERE id=1) WHERE id=2",
           "piece 2, column body", false);
    damage("UPDATE vector SET body=x'02' WHERE chunk=2", "vector 2", false);
    damage("UPDATE persona SET created_at=3", "persona 1, column body", false);
}

/* One row that does not open does not hide the others. */
static void counts_what_opens(void **state)
{
    struct home h;
    struct filled f;
    struct heard heard;
    home_make(&h);
    fill(h.st, &f);
    meddle(&h, "UPDATE piece SET body=x'' WHERE id=1; UPDATE chunk SET n_tokens=1 WHERE id=2");
    struct store_report rep = look(h.st, false, &heard);
    check_int(rep.problems, 2);
    check_int(rep.rows_opened, 13);
    home_done(&h);
}

static void files_and_modes(void **state)
{
    struct home h;
    struct filled f;
    struct heard heard;
    char young[400], old[400], key[400];
    struct utimbuf past = { 1000, 1000 };
    uint8_t uid[VAULT_UID] = { 0xee }, k[VAULT_KEY];
    home_make(&h);
    fill(h.st, &f);
    snprintf(young, sizeof young, "%s/vault.tmp-aaaaaa", h.path);
    snprintf(old, sizeof old, "%s/keys/%s.key.tmp-bbbbbb", h.path,
             "0123456789abcdef0123456789abcdef");
    snprintf(key, sizeof key, "%s/keys/ee000000000000000000000000000000.key", h.path);
    check_ok(io_write_file(young, "x", 1, 0600, &err), err);
    check_ok(io_write_file(old, "x", 1, 0600, &err), err);
    utime(old, &past);
    check_ok(vault_persona_new(h.v, uid, k, &err), err);
    chmod(h.path, 0755);
    chmod(h.db, 0644);
    look(h.st, false, &heard);
    check_int(heard.problems, 4);
    check_has(heard.text, "no persona uses");
    check_has(heard.text, "interrupted write");
    assert_true(io_exists(old) && io_exists(key));
    look(h.st, true, &heard);
    check_int(heard.notes, 4);
    assert_true(io_exists(young) && !io_exists(old) && !io_exists(key));
    look(h.st, false, &heard);
    check_str(heard.text, "");
    home_done(&h);
}

/* Only files by the exact names that the vault gives are its leftovers. */
static void files_of_others_are_left(void **state)
{
    static const char *const names[] = {
        "letter.tmp-2019.txt",       "vault.tmp-abcdefg",
        "vault.tmp-abcde",           "my.vault.tmp-abcdef",
        "keys/photo.key.tmp-abcdef", "keys/notes.tmp-1",
        "keys/vault.tmp-abcdef",     "keys/0123456789abcdef0123456789abcdef.key.tmp-abc.ef"
    };
    struct home h;
    struct heard heard;
    struct utimbuf past = { 1000, 1000 };
    char path[400];
    home_make(&h);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", h.path, names[i]);
        check_ok(io_write_file(path, "x", 1, 0600, &err), err);
        utime(path, &past);
    }
    look(h.st, true, &heard);
    check_str(heard.text, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", h.path, names[i]);
        check_int(io_file_size(path), 1);
    }
    home_done(&h);
}

static int sort(void *ud, const struct row_persona *r)
{
    ((int *)ud)[r->unreadable ? 2 : r->forgotten]++;
    check_int(r->unreadable && r->body_n, 0);
    return 0;
}

/* A damaged key, a key of a newer version, a key that is no file of ours, a damaged body. */
static void one_damaged_persona(void **state)
{
    for (int how = 0; how < 4; how++) {
        struct home h;
        struct filled f[3];
        struct heard heard;
        struct buf b = BUF_INIT(1 << 16);
        char key[400], id[9], want[40];
        int n[3] = { 0 };
        home_make(&h);
        for (int i = 0; i < 3; i++) fill(h.st, &f[i]);
        for (int i = 0; i < VAULT_UID; i++)
            snprintf(key + 2 * i, sizeof key - 2 * (size_t)i, "%02x", f[1].ps.uid[i]);
        memcpy(id, key, 8);
        id[8] = 0;
        char hex[33];
        memcpy(hex, key, sizeof hex);
        snprintf(key, sizeof key, "%s/keys/%s.key", h.path, hex);
        check_ok(io_read_file(key, 1 << 16, &b, &err), err);
        if (how == 0) b.p[b.n - 1] ^= 1;
        if (how == 1) b.p[8] = 9;
        for (int i = 0; how == 2 && i < 600; i++) buf_adds(&b, "not ours");
        check_ok(io_write_file(key, b.p, b.n, 0600, &err), err);
        if (how == 3) meddle(&h, "UPDATE persona SET body=x'01' WHERE id=2");
        check_ok(store_persona_each(h.st, sort, n, &err), err);
        check_int(n[0], 2);
        check_int(n[2], 1);
        struct store_report rep = look(h.st, false, &heard);
        check_int(rep.problems, 1);
        snprintf(want, sizeof want, "likeness forget %s", id);
        check_has(heard.text, want);
        check_ok(store_persona_forget(h.st, f[1].ps.id, &err), err);
        check_int(peek(&h, "SELECT count(*) FROM piece"), 6);
        look(h.st, false, &heard);
        check_str(heard.text, "");
        buf_free(&b);
        home_done(&h);
    }
}

static void missing_key_is_said(void **state)
{
    struct home h;
    struct filled f;
    struct heard heard;
    home_make(&h);
    fill(h.st, &f);
    check_ok(vault_persona_destroy(h.v, f.ps.uid, &err), err);
    look(h.st, true, &heard);
    check_int(heard.problems, 1);
    check_has(heard.text, "key of persona 1 is missing");
    check_int(peek(&h, "SELECT count(*) FROM piece"), 3);
    home_done(&h);
}

static void damaged_file(void **state)
{
    struct home h;
    struct filled f;
    struct heard heard;
    home_make(&h);
    fill(h.st, &f);
    store_close(h.st);
    h.st = NULL;
    struct buf b = BUF_INIT(0);
    check_ok(io_read_file(h.db, 1 << 24, &b, &err), err);
    int64_t root = peek(&h, "SELECT rootpage FROM sqlite_schema WHERE name='piece'");
    memset(b.p + (root - 1) * 4096, 0x5a, 4096);
    check_ok(io_write_file(h.db, b.p, b.n, 0600, &err), err);
    buf_free(&b);
    check_ok(store_open(h.path, h.v, STORE_READ, &h.st, &err), err);
    struct store_report rep = look(h.st, false, &heard);
    assert_true(rep.problems > 0);
    check_has(heard.text, "damaged");
    home_done(&h);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(clean_is_clean),           cmocka_unit_test(damaged_rows),
        cmocka_unit_test(counts_what_opens),        cmocka_unit_test(files_and_modes),
        cmocka_unit_test(files_of_others_are_left), cmocka_unit_test(one_damaged_persona),
        cmocka_unit_test(missing_key_is_said),      cmocka_unit_test(damaged_file),
    };
    return check_run("store/check", t);
}
