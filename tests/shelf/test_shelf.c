/* Names on the shelf, and what is found there. */
#include "check.h"

#include "base/io.h"
#include "shelf/shelf.h"

#include <stdlib.h>
#include <string.h>

static void test_names(void **state)
{
    static const struct {
        const char *path, *name;
    } row[] = {
        { "/x/Llama 3.2 1B.gguf", "llama-3.2-1b" },
        { "stories260K.bin", "stories260k" },
        { "hub/SmolLM2-135M/", "smollm2-135m" },
        { "...", "model" },
        { "", "model" },
        { "a__b.GGUF", "a__b" },
        { "\xc3\xa9t\xc3\xa9.gguf", "t" },
    };
    char out[101];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        shelf_name_from(row[i].path, out);
        check_str(out, row[i].name);
        assert_true(shelf_name_ok(out));
    }
    assert_false(shelf_name_ok("../x"));
    assert_false(shelf_name_ok(".x"));
    assert_false(shelf_name_ok(""));
    assert_false(shelf_name_ok("a b"));
}

static int count(void *ud, const struct shelf_model *m, struct err *err)
{
    char *seen = ud;
    strcat(strcat(seen, m->name), m->part ? "? " : " ");
    return 0;
}

static void test_find(void **state)
{
    const char *dir = check_tmp_dir();
    char seen[200] = "";
    struct buf path = BUF_INIT(0), file = BUF_INIT(0);
    struct err err = { 0 };
    assert_non_null(dir);
    check_int(shelf_each("/nonexistent/shelf", count, seen, &err), 0);
    const char *const names[] = { "B.gguf",      "a-1.gguf",  "a.gguf",
                                  "c.gguf.part", "notes.txt", ".x.gguf" };
    for (size_t i = 0; i < 6; i++) {
        buf_clear(&file);
        buf_printf(&file, "%s/%s", dir, names[i]);
        check_int(io_write_file(file.p, "x", 1, 0644, &err), 0);
    }
    check_int(shelf_each(dir, count, seen, &err), 0);
    check_str(seen, "B a a-1 c? ");
    check_int(shelf_find(dir, "b", &path, &err), 0);
    check_has(path.p, "/B.gguf");
    check_int(shelf_find(dir, file.p, &path, &err), 0);         /* a path */
    check_int(shelf_find(dir, "c", &path, &err), ERR_NOTFOUND); /* not whole */
    check_int(shelf_find(dir, "llama-3.2-1b", &path, &err), ERR_NOTFOUND);
    check_has(err.msg, "model pull");
    check_int(shelf_path(dir, "../etc", false, &path, &err), ERR_INVAL);
    io_remove_tree(dir, NULL);
    buf_free(&path);
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_find),
    };
    return check_run("shelf/shelf", tests);
}
