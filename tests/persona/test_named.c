/* Who is only spoken of: what is counted and kept of them, whom a word stands for in a label, and
 * who a pseudonym was, asked after the home was closed. */
#include "check.h"
#include "persona_home.h"

#include "persona/internal.h"
#include "persona/mask.h"
#include "persona/named.h"
#include "persona/portable.h"
#include "persona/source.h"

static struct err err;

static const char DIARY[] =
    "My neighbour Hildegard Brandt has the key of the cellar. In the cellar Brandt keeps apples, "
    "and I said to Brandt that the apples are good.\n\n"
    "I met Tom Stone at the wall. The stone is old, a stone wall keeps the wind out, and stone is "
    "cold. I like stone.\n\n"
    "Ortwin Kessler and Paula Kessler came for tea. Write to paula@kessler.example soon.\n";

static void add(struct test_home *t, const char *name, const char *text)
{
    char path[400];
    struct ingest_totals tot;
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
    check_int(test_home_add(t, path, &tot), 0);
    check_int(tot.added, 1);
}

static const struct named *named(const struct named_list *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->p[i].name, name)) return &all->p[i];
    return NULL;
}

static void what_is_kept(void **state)
{
    struct test_home t;
    struct named_list all;
    test_home_open(&t);
    check_ok(named_load(t.home, t.persona, &all, &err), err);
    check_int(all.n, 0);
    named_free(&all);
    add(&t, "diary.txt", DIARY);
    test_home_reopen(&t, STORE_READ);
    check_ok(named_load(t.home, t.persona, &all, &err), err);
    const struct named *brandt = named(&all, "Hildegard Brandt"), *stone = named(&all, "Tom Stone");
    assert_non_null(brandt);
    assert_non_null(stone);
    check_int(brandt->n, 2);
    check_int(brandt->count, 1);
    check_int(brandt->alone, NAMED_FIRST | NAMED_LAST);
    check_int(stone->alone & NAMED_LAST, 0);
    named_free(&all);
    test_home_close(&t);
}

static void label(struct mask *m, const char *s, struct buf *out)
{
    buf_clear(out);
    check_int(mask_label(m, s, strlen(s), out), 0);
}

static void words_of_names_in_labels(void **state)
{
    struct test_home t;
    struct mask *m;
    struct buf whole = BUF_INIT(0), b = BUF_INIT(0);
    test_home_open(&t);
    add(&t, "diary.txt", DIARY);
    check_ok(mask_open(t.home, t.persona, &m, &err), err);
    check_int(mask_text(m, "Hildegard Brandt", 16, &whole), 0);
    check_int(whole.n, 13);
    static const char *const all[] = { "brandt", "Brandt", "apples, Brandt", "brandt's cellar" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        label(m, all[i], &b);
        check_hasnt(buf_str(&b), "randt");
        check_has(buf_str(&b), buf_str(&whole));
    }
    label(m, "stone wall", &b);
    check_str(buf_str(&b), "stone wall");
    /* Two have that name: it is neither's, and the same each time. */
    label(m, "kessler", &b);
    check_hasnt(buf_str(&b), "essler");
    check_int(b.n, 13);
    buf_clear(&whole);
    buf_adds(&whole, buf_str(&b));
    label(m, "tea, kessler", &b);
    check_has(buf_str(&b), buf_str(&whole));
    buf_clear(&b);
    check_int(mask_reveal(m, buf_str(&whole), whole.n, &b), 0);
    check_str(buf_str(&b), "Kessler"); /* as it is written, in whatever case the label has it */
    buf_clear(&b);
    check_int(mask_title(m, "Chat with Brandt", 16, &b), 0);
    check_hasnt(buf_str(&b), "Brandt");
    check_has(buf_str(&b), "Chat with Person ");
    buf_clear(&b);
    check_int(mask_title(m, "notes_on_brandt.txt", 19, &b), 0);
    check_hasnt(buf_str(&b), "randt");
    mask_close(m);
    buf_free(&whole);
    buf_free(&b);
    test_home_close(&t);
}

static int who(struct test_home *t, const char *s, struct buf *out)
{
    err = (struct err){ 0 };
    buf_clear(out);
    return mask_who(t->home, t->persona, s, strlen(s), out, &err);
}

static void who_it_was(void **state)
{
    struct test_home t;
    struct mask *m;
    struct buf b = BUF_INIT(0), name = BUF_INIT(0);
    struct gone gone;
    const char *s = "Hildegard Brandt; paula@kessler.example";
    test_home_open(&t);
    add(&t, "diary.txt", DIARY);
    add(&t, "more.txt", "Paula Kessler likes the sea.\n");
    check_ok(mask_open(t.home, t.persona, &m, &err), err);
    check_int(mask_text(m, s, strlen(s), &b), 0);
    check_int(mask_text(m, "Paula Kessler", 13, &name), 0);
    mask_close(m);
    char *masked = buf_take(&b), *paula = buf_take(&name);
    check_hasnt(masked, "Brandt");
    check_hasnt(masked, "kessler");
    test_home_reopen(&t, STORE_READ);
    check_ok(who(&t, masked, &b), err); /* the address is looked for in the texts */
    check_str(buf_str(&b), s);
    check_int(who(&t, "Person 12 and nobody", &b), ERR_NOTFOUND);
    /* With the texts that named her she is gone; Paula stands in another one. */
    test_home_reopen(&t, STORE_WRITE);
    check_ok(source_delete(t.home, t.persona, 1, &gone, &err), err);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    check_int(who(&t, masked, &b), ERR_NOTFOUND);
    check_ok(who(&t, paula, &b), err);
    check_str(buf_str(&b), "Paula Kessler");
    free(masked);
    free(paula);
    buf_free(&b);
    buf_free(&name);
    test_home_close(&t);
}

/* A backup has them, and what others get has not. */
static void in_exports(void **state)
{
    for (int masked = 0; masked < 2; masked++) {
        struct test_home t;
        struct persona *copy = NULL;
        struct named_list all;
        struct portable_counts n;
        char file[400], lock[400];
        test_home_open(&t);
        add(&t, "diary.txt", DIARY);
        snprintf(file, sizeof file, "%s/out.likeness", t.dir);
        snprintf(lock, sizeof lock, "%s/out.key", t.dir);
        check_ok(vault_keyfile_make(lock, &err), err);
        struct secret s = { .key_file = lock };
        if (masked)
            check_ok(portable_export_masked(t.home, t.persona, file, &s, false, NULL, &n, &err),
                     err);
        else check_ok(portable_export(t.home, t.persona, file, &s, false, NULL, &n, &err), err);
        check_ok(persona_forget(t.home, "Marit", &err), err);
        check_ok(portable_import(t.home, file, &s, "Copy", NULL, &copy, &n, &err), err);
        check_ok(named_load(t.home, copy, &all, &err), err);
        check_int(named(&all, "Hildegard Brandt") != NULL, !masked);
        named_free(&all);
        persona_close(copy);
        test_home_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(what_is_kept),
        cmocka_unit_test(words_of_names_in_labels),
        cmocka_unit_test(who_it_was),
        cmocka_unit_test(in_exports),
    };
    return check_run("persona/named", t);
}
