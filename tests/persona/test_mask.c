/* Masks: who becomes a pseudonym and who does not, what stays around it, and the way back. */
#include "check.h"

#include "base/buf.h"
#include "base/str.h"
#include "persona/mask_impl.h"

#include <ctype.h>

static struct err err;
static char *aliases[] = { "Marit Penhallow", "marit@penhallow.example.org", "+44 20 7946 0018" };
static struct persona me = { .name = "Marit", .aliases = aliases, .n_aliases = 3 };

#define LIST(...) ((const char *[]){ __VA_ARGS__ })

static struct person everybody[] = {
    { .id = "00000001",
      .name = "Anna Whitlock",
      .names = LIST("Anna Whitlock", "Anna"),
      .n_names = 2,
      .ids = LIST("anna@example.com", "+44 7911 123456", "anna_w"),
      .n_ids = 3 },
    { .id = "00000002", .name = "Will May", .names = LIST("Will May"), .n_names = 1 },
    { .id = "00000003",
      .name = "J\xc3\xb6rg M\xc3\xbcller",
      .names = LIST("M\xc3\xbcller, J\xc3\xb6rg"),
      .n_names = 1 },
    { .id = "00000004", .name = "Dee Penhallow", .names = LIST("Dee Penhallow"), .n_names = 1 },
    { .id = "00000005", .name = "Harbour Shop", .names = LIST("Harbour Shop"), .n_names = 1 },
    { .id = "00000006", .name = "Mum", .names = LIST("Mum"), .n_names = 1 },
    { .id = "00000007", .name = "Anna Lee", .names = LIST("Anna Lee"), .n_names = 1 },
    { .id = "00000008",
      .name = "\xe7\x94\xb0\xe4\xb8\xad\xe5\xa4\xaa\xe9\x83\x8e",
      .names = LIST("\xe7\x94\xb0\xe4\xb8\xad\xe5\xa4\xaa\xe9\x83\x8e"),
      .n_names = 1 },
};

static struct mask *new_mask(void)
{
    struct mask *m;
    check_ok(mask_of(&me, everybody, sizeof everybody / sizeof *everybody, &m, &err), err);
    return m;
}

/* The masked text with '#' for the six digits of each pseudonym. */
static void shape(struct mask *m, const char *s, struct buf *out)
{
    struct buf b = BUF_INIT(0);
    check_int(mask_text(m, s, strlen(s), &b), 0);
    assert_true(utf8_valid(buf_str(&b), b.n));
    for (size_t i = 0; i < b.n; i++) {
        size_t k = i;
        while (k < b.n && isdigit((unsigned char)b.p[k])) k++;
        if (k == i) buf_addc(out, b.p[i]);
        else if (k - i == 6) buf_addc(out, '#');
        else buf_add(out, b.p + i, k - i);
        if (k > i) i = k - 1;
    }
    buf_free(&b);
}

static void gives(const char *s, const char *want)
{
    struct mask *m = new_mask();
    struct buf got = BUF_INIT(0);
    shape(m, s, &got);
    if (strcmp(buf_str(&got), want))
        fail_msg("\"%s\": got \"%s\", want \"%s\"", s, buf_str(&got), want);
    buf_free(&got);
    mask_close(m);
}

static void stays(const char *s) { gives(s, s); }

static void names(void **state)
{
    gives("Anna Whitlock rang.", "Person # rang.");
    gives("I saw Anna's boat, and ANNA; anna waved.",
          "I saw Person #'s boat, and Person #; Person # waved.");
    gives("Whitlock, Anna / anna whitlock / Anna\nWhitlock", "Person # / Person # / Person #");
    gives("Anna\xe2\x80\x99s and Whitlock's", "Person #\xe2\x80\x99s and Person #'s");
    gives("J\xc3\xb6rg M\xc3\xbcller, J\xc3\xb6rg and M\xc3\xbcller",
          "Person #, Person # and Person #");
    gives("\xe7\x94\xb0\xe4\xb8\xad\xe5\xa4\xaa\xe9\x83\x8e\xe3\x81\x95\xe3\x82\x93",
          "Person #\xe3\x81\x95\xe3\x82\x93");
    gives("@anna_w wrote", "@[account #] wrote");
    stays("Annabellish and Hannahville, banana");
    stays("Mum said so, and mum is right.");
}

/* A name that is also a word counts only when it begins with a capital letter. */
static void names_that_are_words(void **state)
{
    gives("Will said he will come in may.", "Person # said he will come in may.");
    gives("Will May may come", "Person # may come");
    stays("It may rain, and we will get wet.");
    gives("The Harbour Shop is shut", "The Person # is shut");
    stays("the shop by the Harbour, the Shop");
    gives("dee and Dee", "dee and Person #");
}

static void the_persona_stays(void **state)
{
    stays("Marit Penhallow, Marit, Penhallow's, marit@penhallow.example.org and 020 7946 0018");
    gives("Dee Penhallow and the Penhallows", "Person # and the Penhallows");
}

static void addresses(void **state)
{
    gives("Write to anna@example.com.", "Write to mail-#@example.invalid.");
    gives("<Someone.Else+x@Mail.Example.ORG>", "<mail-#@example.invalid>");
    stays("at @ example . com, x@y, 3@4");
    gives("Ring 07911 123456 or +1 (555) 010-9999!", "Ring [phone #] or [phone #]!");
    gives("(555) 010-9999, 555-010-9999, 06.12.34.56.78", "[phone #], [phone #], [phone #]");
    stays("On 2019-03-04 12:30, 04/03/2019 and 01.02.2019, for 1,234,567.89; 0.123456789; 1234567");
    gives("She lives at 12 Harbour Street, TR26 1AB.", "She lives at [address #], [address #].");
    gives("Hafenstra\xc3\x9f"
          "e 12a in Kiel",
          "[address #] in Kiel");
    gives("au 12 rue du Port, demain", "au [address #], demain");
    stays("In 1999 we walked down the street, 3 of us on a Road.");
}

static void the_same_each_time(void **state)
{
    struct mask *a = new_mask(), *b = new_mask();
    struct persona other = me;
    struct buf x = BUF_INIT(0), y = BUF_INIT(0), z = BUF_INIT(0);
    const char *s = "Anna, Whitlock; anna@example.com ANNA@example.com 07911 123456 +447911123456";
    check_int(mask_text(a, s, strlen(s), &x), 0);
    check_int(mask_text(b, "Will x@y.org", 12, &y), 0);
    buf_clear(&y);
    check_int(mask_text(b, s, strlen(s), &y), 0);
    check_str(buf_str(&x), buf_str(&y));
    mask_close(b);
    other.seal.key[0] ^= 1;
    check_ok(mask_of(&other, everybody, 8, &b, &err), err);
    check_int(mask_text(b, s, strlen(s), &z), 0);
    assert_string_not_equal(buf_str(&x), buf_str(&z));
    mask_close(a);
    mask_close(b);
    buf_free(&x);
    buf_free(&y);
    buf_free(&z);
}

static void and_back(void **state)
{
    struct mask *m = new_mask();
    struct buf x = BUF_INIT(0), y = BUF_INIT(0), held = BUF_INIT(0), z = BUF_INIT(0);
    const char *s = "Anna Whitlock's boat: x@y.org, +1 555 010 9999, 12 Harbour Street. Person",
               *cut = "Person 12345 is nobody, [phone 1";
    check_int(mask_text(m, s, strlen(s), &x), 0);
    check_hasnt(buf_str(&x), "Anna");
    check_int(mask_reveal(m, x.p, x.n, &y), 0);
    check_str(buf_str(&y), s);
    for (size_t i = 0; i < x.n; i++)
        check_int(mask_reveal_some(m, &held, x.p + i, 1, false, &z), 0);
    check_int(mask_reveal_some(m, &held, "", 0, true, &z), 0);
    check_str(buf_str(&z), s);
    buf_clear(&z);
    check_int(mask_reveal(m, cut, strlen(cut), &z), 0);
    check_str(buf_str(&z), cut);
    mask_close(m);
    buf_free(&x);
    buf_free(&y);
    buf_free(&z);
    buf_free(&held);
}

static void who_is_spoken_of(void **state)
{
    gives("My neighbour Hildegard Brandt came; Hildegard laughed, and Dr. Osei's dog barked.",
          "My neighbour Person # came; Person # laughed, and Dr. Person #'s dog barked.");
    gives("Gestern hat Hildegard Kuchen gebracht.", "Gestern hat Person # Kuchen gebracht.");
    gives("L'anniversaire d'H\xc3\xa9l\xc3\xa8ne", "L'anniversaire d'Person #");
    gives("Anna Kowalska and Anna", "Person # and Person #"); /* not the Anna who is known */
    stays("We went to London and Paris in June, with Marit's boat, on Victoria Street.");
    stays("the Rose Garden");
}

/* The whole name and a part of it are one person in a text, until somebody else has that part. */
static void names_of_one(void **state)
{
    struct mask *m = new_mask();
    struct buf x = BUF_INIT(0), y = BUF_INIT(0), z = BUF_INIT(0);
    const char *s = "Hildegard Brandt. Hildegard", *two = "Priya Shah and Priya Nair and Priya";
    check_int(mask_text(m, s, strlen(s), &x), 0);
    check_int(x.n, 2 * 13 + 2);
    assert_memory_equal(x.p, x.p + 15, 13);
    check_int(mask_text(m, "Hildegard Brandt", 16, &y), 0);
    assert_memory_equal(x.p, y.p, 13);
    check_int(mask_text(m, two, strlen(two), &z), 0);
    assert_true(memcmp(z.p, z.p + 18, 13) != 0);
    assert_true(memcmp(z.p, z.p + 36, 13) != 0 && memcmp(z.p + 18, z.p + 36, 13) != 0);
    buf_clear(&y);
    check_int(mask_reveal(m, x.p, x.n, &y), 0);
    check_str(buf_str(&y), "Hildegard Brandt. Hildegard Brandt");
    buf_clear(&y);
    check_int(mask_author(m, "Hildegard Brandt", false, &y), 0);
    assert_memory_equal(x.p, y.p, 13);
    mask_close(m);
    buf_free(&x);
    buf_free(&y);
    buf_free(&z);
}

/* Who was two and is one now has the pseudonym of the older one; both are revealed. */
static void joined_people(void **state)
{
    static const char ids[2][9] = { "00000012", "00000011" };
    struct person two[] = {
        { .id = "00000011", .name = "Zelda", .names = LIST("Zelda Quimby"), .n_names = 1 },
        { .id = "00000012", .name = "Zed", .names = LIST("Zed Quimbly"), .n_names = 1 },
    };
    struct person one = { .id = "00000011",
                          .name = "Zelda Quimby",
                          .names = LIST("Zelda Quimby", "Zed Quimbly"),
                          .n_names = 2,
                          .part_ids = ids,
                          .n_parts = 2 };
    struct mask *before, *after;
    struct buf x[2] = { BUF_INIT(0), BUF_INIT(0) }, y = BUF_INIT(0);
    check_ok(mask_of(&me, two, 2, &before, &err), err);
    check_ok(mask_of(&me, &one, 1, &after, &err), err);
    for (int i = 0; i < 2; i++) {
        check_int(mask_text(before, two[i].names[0], strlen(two[i].names[0]), &x[i]), 0);
        buf_clear(&y);
        check_int(mask_reveal(after, x[i].p, x[i].n, &y), 0);
        check_str(buf_str(&y), "Zelda Quimby");
        buf_clear(&y);
        check_int(mask_text(after, two[i].names[0], strlen(two[i].names[0]), &y), 0);
        if (i) check_str(buf_str(&y), buf_str(&x[1]));
    }
    assert_string_not_equal(buf_str(&x[0]), buf_str(&x[1]));
    mask_close(before);
    mask_close(after);
    buf_free(&x[0]);
    buf_free(&x[1]);
    buf_free(&y);
}

/* Bit by bit the same comes out as at once, and never a name that is masked later. */
static void bit_by_bit(void **state)
{
    struct buf s = BUF_INIT(0), whole = BUF_INIT(0), out = BUF_INIT(0);
    struct mask *m = new_mask();
    for (int i = 0; i < 400; i++)
        buf_printf(&s,
                   "I met Hildegard Brandt and Anna Whitlock at the harbour on day %d, and she "
                   "gave me anna%d@example.com and %d Harbour Street. ",
                   i, i, i + 1);
    check_int(mask_text(m, s.p, s.n, &whole), 0);
    check_hasnt(buf_str(&whole), "Hildegard");
    for (size_t step = 1; step < 200; step = step * 3 + 1) {
        struct mask_flow f = { .given = 0 };
        buf_clear(&out);
        for (size_t i = 0; i < s.n; i += step)
            check_int(mask_flow(m, &f, s.p + i, s.n - i < step ? s.n - i : step, false, &out), 0);
        check_int(mask_flow(m, &f, "", 0, true, &out), 0);
        check_int(out.n, whole.n);
        assert_memory_equal(out.p, whole.p, whole.n);
        mask_flow_free(&f);
    }
    mask_close(m);
    buf_free(&s);
    buf_free(&whole);
    buf_free(&out);
}

static void labels(void **state)
{
    struct mask *m = new_mask();
    struct buf b = BUF_INIT(0);
    check_int(mask_label(m, "neighbour hildegard brandt", 26, &b), 0);
    check_hasnt(buf_str(&b), "ildegard");
    check_hasnt(buf_str(&b), "randt");
    buf_clear(&b);
    check_int(mask_label(m, "boats in the harbour", 20, &b), 0);
    check_str(buf_str(&b), "boats in the harbour");
    mask_close(m);
    buf_free(&b);
}

/* Who guesses a pseudonym and writes it gets no name for it. */
/* More addresses than there are numbers of six digits. */
static void numbers_run_out(void **state)
{
    struct mask *m = new_mask();
    struct buf out = BUF_INIT(0);
    char key[24] = "";
    for (int i = 0; i < 905000; i++) {
        snprintf(key, sizeof key, "%06d@b.cd", i);
        if (!mask_pseudonym(m, KIND_MAIL, key, key)) fail();
    }
    check_int(mask_text(m, key, strlen(key), &out), 0);
    check_int(out.n, strlen("mail-123456@example.invalid"));
    check_hasnt(buf_str(&out), "b.cd");
    mask_close(m);
    buf_free(&out);
}

static void a_pseudonym_in_the_text(void **state)
{
    struct mask *m = new_mask();
    struct buf x = BUF_INIT(0), y = BUF_INIT(0), z = BUF_INIT(0);
    check_int(mask_text(m, "Anna", 4, &x), 0);
    check_int(mask_text(m, x.p, x.n, &y), 0);
    check_str(buf_str(&y), buf_str(&x));
    check_int(mask_reveal(m, x.p, x.n, &z), 0);
    check_str(buf_str(&z), buf_str(&x));
    mask_close(m);
    buf_free(&x);
    buf_free(&y);
    buf_free(&z);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(names_that_are_words),
        cmocka_unit_test(the_persona_stays),
        cmocka_unit_test(addresses),
        cmocka_unit_test(the_same_each_time),
        cmocka_unit_test(and_back),
        cmocka_unit_test(who_is_spoken_of),
        cmocka_unit_test(names_of_one),
        cmocka_unit_test(joined_people),
        cmocka_unit_test(bit_by_bit),
        cmocka_unit_test(labels),
        cmocka_unit_test(a_pseudonym_in_the_text),
        cmocka_unit_test(numbers_run_out),
    };
    return check_run("persona/mask", t);
}
