/* A home made by schema 1 (home-v1, see its README) opens, migrated, with all its rows. */
#include "store/home.h"

#include <libgen.h>
#include <limits.h>

/* The fixture's folder: beside this file, whose name is relative to the build folder. */
static void fixture(char out[PATH_MAX])
{
    char exe[PATH_MAX] = { 0 }, file[PATH_MAX];
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    snprintf(file, sizeof file, "%s", __FILE__);
    if (file[0] == '/') snprintf(out, PATH_MAX, "%s/home-v1", dirname(file));
    else snprintf(out, PATH_MAX, "%.1500s/%.1500s/home-v1", dirname(exe), dirname(file));
    if (!io_is_dir(out)) snprintf(out, PATH_MAX, "tests/store/home-v1");
    if (!io_is_dir(out)) fail_msg("there is no %s", out);
}

static void copy_home(struct home *h)
{
    char from[PATH_MAX], cmd[2 * PATH_MAX + 100], key[600];
    const char *dir = check_tmp_dir();
    memset(h, 0, sizeof *h);
    fixture(from);
    snprintf(cmd, sizeof cmd, "cp -r '%s'/* '%s'/ && chmod -R go= '%s'", from, dir, dir);
    assert_int_equal(system(cmd), 0);
    snprintf(h->path, sizeof h->path, "%s/home", dir);
    snprintf(h->db, sizeof h->db, "%s/likeness.db", h->path);
    snprintf(key, sizeof key, "%s/home.key", dir);
    struct secret s = { .key_file = key };
    check_ok(vault_unlock(h->path, &s, &h->v, &err), err);
    check_int(peek(h, "PRAGMA user_version"), 1);
}

static int one_persona(void *ud, const struct row_persona *r)
{
    check_str(r->body, "{\"name\":\"Version One\"}");
    check_int(r->created_at, 1500000000);
    *(int64_t *)ud = r->id;
    return 0;
}

static int one_source(void *ud, const struct row_source *r)
{
    check_str(r->body, r->id == 1 ? "{\"title\":\"journal\"}" : "{\"title\":\"notes\"}");
    check_int(r->n_pieces, r->id == 1);
    ++*(int *)ud;
    return 0;
}

static int one_piece(void *ud, const struct row_piece *r)
{
    check_str(r->body, "I repaired the hub today.");
    assert_true(r->voice);
    ++*(int *)ud;
    return 0;
}

static int one_chunk(void *ud, const struct row_chunk *r)
{
    check_str(r->body, "chunk of the hub");
    check_int(r->topic, -1);
    ++*(int *)ud;
    return 0;
}

static int one_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    check_int(dim, 4);
    check_near(v[1], -0.5, 0);
    ++*(int *)ud;
    return 0;
}

static int one_turn(void *ud, const struct row_turn *r)
{
    check_str(r->body, "{\"answer\":\"I did.\"}");
    check_int(r->n_sources, 3);
    ++*(int *)ud;
    return 0;
}

static void read_all(struct home *h)
{
    struct sealed ps;
    struct buf b = BUF_INIT(0);
    int64_t id = 0;
    int n = 0;
    check_ok(store_persona_each(h->st, one_persona, &id, &err), err);
    check_ok(store_persona_handle(h->st, id, &ps, &err), err);
    check_ok(store_source_each(h->st, &ps, 0, one_source, &n, &err), err);
    check_ok(store_piece_each(h->st, &ps, 0, PIECE_BY_TIME, one_piece, &n, &err), err);
    check_ok(store_chunk_each(h->st, &ps, 0, one_chunk, &n, &err), err);
    check_ok(store_vector_each(h->st, &ps, 1, one_vector, &n, &err), err);
    check_ok(store_turn_each(h->st, &ps, 1, one_turn, &n, &err), err);
    check_int(n, 6);
    check_ok(store_doc_get(h->st, &ps, "profile", &b, &err), err);
    check_str(buf_str(&b), "{\"traits\":[]}");
    buf_free(&b);
}

static void say(void *ud, bool problem, const char *text) { fail_msg("%s", text); }

static void first_schema_opens(void **state)
{
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        struct home h;
        struct store_report rep;
        copy_home(&h);
        check_ok(store_open(h.path, h.v, mode, &h.st, &err), err);
        check_int(peek(&h, "PRAGMA user_version"), STORE_SCHEMA);
        read_all(&h);
        check_int(peek(&h, "SELECT count(*) FROM turn_source"), 2);
        check_ok(store_check(h.st, false, say, NULL, &rep, &err), err);
        home_reopen(&h);
        struct sealed ps;
        struct gone g;
        check_ok(store_persona_handle(h.st, 1, &ps, &err), err);
        check_ok(store_source_delete(h.st, &ps, 2, &g, &err), err);
        check_int(g.turns, 1);
        home_done(&h);
    }
}

/* Migrated and newly made files have the same columns, indexes and triggers. */
static void same_as_new(void **state)
{
    static const char columns[] =
        "SELECT group_concat(x, ';') FROM (SELECT m.name||'.'||i.name||' '||i.type||i.\"notnull\"||"
        "coalesce(i.dflt_value,'')||i.pk AS x FROM sqlite_schema m, pragma_table_info(m.name) i"
        " WHERE m.type='table' ORDER BY m.name, i.cid)";
    static const char others[] =
        "SELECT group_concat(type||name||sql, ';') FROM (SELECT * FROM "
        "sqlite_schema WHERE type<>'table' AND sql IS NOT NULL ORDER BY name)";
    struct home old, new;
    copy_home(&old);
    check_ok(store_open(old.path, old.v, STORE_WRITE, &old.st, &err), err);
    home_make(&new);
    const char *queries[] = { columns, others };
    for (int q = 0; q < 2; q++) {
        char text[2][8192];
        for (int i = 0; i < 2; i++) {
            sqlite3 *db = NULL;
            sqlite3_stmt *s = NULL;
            sqlite3_open(i ? new.db : old.db, &db);
            assert_int_equal(sqlite3_prepare_v2(db, queries[q], -1, &s, NULL), SQLITE_OK);
            assert_int_equal(sqlite3_step(s), SQLITE_ROW);
            snprintf(text[i], sizeof text[i], "%s", sqlite3_column_text(s, 0));
            sqlite3_finalize(s);
            sqlite3_close(db);
        }
        check_str(text[0], text[1]);
    }
    home_done(&old);
    home_done(&new);
}

/* Without the persona's key the file still migrates; the links are made once the key is back. */
static void without_the_key(void **state)
{
    struct home h;
    struct store_report rep;
    struct sealed ps;
    char cmd[1400];
    copy_home(&h);
    snprintf(cmd, sizeof cmd, "mkdir '%s/aside' && mv '%s'/keys/* '%s/aside/'", h.path, h.path,
             h.path);
    assert_int_equal(system(cmd), 0);
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    check_int(store_persona_handle(h.st, 1, &ps, &err), ERR_KEY);
    check_int(peek(&h, "SELECT count(*) FROM turn_source"), 0);
    snprintf(cmd, sizeof cmd, "mv '%s'/aside/* '%s/keys/'", h.path, h.path);
    assert_int_equal(system(cmd), 0);
    check_ok(store_check(h.st, true, NULL, NULL, &rep, &err), err);
    check_int(rep.problems, 1);
    check_int(rep.repaired, 1);
    check_int(peek(&h, "SELECT count(*) FROM turn_source"), 2);
    home_done(&h);
}

static void with_a_damaged_key(void **state)
{
    struct home h;
    struct store_report rep;
    char cmd[1400];
    copy_home(&h);
    snprintf(cmd, sizeof cmd, "for f in '%s'/keys/*.key; do cp \"$f\" '%s/aside'; : >\"$f\"; done",
             h.path, h.path);
    assert_int_equal(system(cmd), 0);
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    check_int(peek(&h, "PRAGMA user_version"), STORE_SCHEMA);
    check_int(peek(&h, "SELECT count(*) FROM turn_source"), 0);
    snprintf(cmd, sizeof cmd, "for f in '%s'/keys/*.key; do cp '%s/aside' \"$f\"; done", h.path,
             h.path);
    assert_int_equal(system(cmd), 0);
    check_ok(store_check(h.st, true, NULL, NULL, &rep, &err), err);
    check_int(rep.repaired, 1);
    check_int(peek(&h, "SELECT count(*) FROM turn_source"), 2);
    home_done(&h);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = { cmocka_unit_test(first_schema_opens),
                                    cmocka_unit_test(same_as_new),
                                    cmocka_unit_test(without_the_key),
                                    cmocka_unit_test(with_a_damaged_key) };
    return check_run("store/migrate", t);
}
