/* Masks: who becomes a pseudonym and who does not, what stays around it, and the way back. */
#include "check.h"

#include "base/buf.h"
#include "base/str.h"
#include "persona/mask.h"

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

/* Who guesses a pseudonym and writes it gets no name for it. */
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
        cmocka_unit_test(a_pseudonym_in_the_text),
    };
    return check_run("persona/mask", t);
}
