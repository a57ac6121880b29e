/* Personas: consent, names, ids, and who counts as one. */
#include "check.h"
#include "persona_home.h"

static struct err err;

static struct persona_new ann(void)
{
    return (struct persona_new){ .name = "Ann",
                                 .kind = PERSONA_SELF,
                                 .consent_by = "Ann Lee",
                                 .consent_to = "all uses",
                                 .consent_at = 5,
                                 .chunk_overlap = -1 };
}

static int make(struct test_home *t, const char *name, struct persona **out)
{
    struct persona_new n = ann();
    n.name = name;
    return persona_create(t->home, &n, out, &err);
}

static void consent_is_required(void **state)
{
    static const char *const none[] = { NULL, "", "  ", "\xE2\x80\x8E" };
    struct test_home t;
    struct persona *p;
    test_home_open(&t);
    for (size_t i = 0; i < 4; i++) {
        struct persona_new n = ann();
        n.consent_by = none[i];
        check_int(persona_create(t.home, &n, &p, &err), ERR_CONSENT);
        assert_null(p);
        n = ann();
        n.consent_to = none[i];
        check_int(persona_create(t.home, &n, &p, &err), ERR_CONSENT);
        check_has(err.msg, "--consent-to");
    }
    struct persona_new n = ann();
    n.consent_by = "broken \xFF";
    check_int(persona_create(t.home, &n, &p, &err), ERR_INVAL);
    n = ann();
    n.kind = PERSONA_KIND_COUNT;
    check_int(persona_create(t.home, &n, &p, &err), ERR_INVAL);
    n = ann();
    n.chunk_tokens = 8;
    check_int(persona_create(t.home, &n, &p, &err), ERR_INVAL);
    n = ann();
    n.chunk_tokens = 100;
    n.chunk_overlap = 51;
    check_int(persona_create(t.home, &n, &p, &err), ERR_INVAL);
    n.chunk_overlap = 50;
    check_ok(persona_create(t.home, &n, &p, &err), err);
    persona_close(p);
    check_ok(persona_open(t.home, "ann", &p, &err), err);
    check_str(p->consent_by, "Ann Lee");
    check_str(p->consent_to, "all uses");
    check_int(p->consent_at, 5);
    check_int(p->chunk_tokens, 100);
    check_int(p->chunk_overlap, 50);
    check_int(p->kind, PERSONA_SELF);
    persona_close(p);
    test_home_close(&t);
}

static void kinds_are_words(void **state)
{
    check_int(persona_kind_parse("legacy"), PERSONA_LEGACY);
    check_int(persona_kind_parse("Self"), PERSONA_SELF);
    check_int(persona_kind_parse("other"), PERSONA_KIND_COUNT);
    check_int(persona_kind_parse(""), PERSONA_KIND_COUNT);
    check_str(persona_kind_word(PERSONA_FICTIONAL), "fictional");
    check_str(persona_kind_word(PERSONA_KIND_COUNT), "unknown");
}

static void names_are_unique_when_folded(void **state)
{
    struct test_home t;
    struct persona *p, *q;
    char long_name[1000];
    test_home_open(&t);
    check_ok(make(&t, "  Zoë Müller\xC2\xA0", &p), err);
    check_str(p->name, "Zoë Müller");
    static const char *const same[] = { "Zoë Müller", "zoe muller", "ZOË MÜLLER",
                                        "Zoe\xCC\x88 Mu\xCC\x88ller", " zoe muller " };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        check_int(make(&t, same[i], &q), ERR_EXISTS);
        check_ok(persona_open(t.home, same[i], &q, &err), err);
        check_str(q->id, p->id);
        persona_close(q);
    }
    static const char *const bad[] = { "", " ", "two\nlines", "tab\there", "bell\a", "\xFF" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_int(make(&t, bad[i], &q), ERR_INVAL);
    for (int i = 0; i < 201; i++) memcpy(long_name + 2 * i, "é", 2);
    long_name[402] = 0;
    check_int(make(&t, long_name, &q), ERR_INVAL);
    long_name[400] = 0; /* 200 characters */
    check_ok(make(&t, long_name, &q), err);
    persona_close(q);
    check_int(persona_rename(t.home, p, "Marit", &err), ERR_EXISTS);
    check_str(p->name, "Zoë Müller");
    check_int(persona_rename(t.home, p, "", &err), ERR_INVAL);
    check_ok(persona_rename(t.home, p, "ZOE MULLER", &err), err); /* its own name, otherwise */
    check_ok(persona_rename(t.home, p, " Jo ", &err), err);
    check_str(p->name, "Jo");
    persona_close(p);
    check_int(persona_open(t.home, "Zoë Müller", &p, &err), ERR_NOTFOUND);
    check_hasnt(err.msg, "Jo"); /* no names in messages */
    test_home_close(&t);
}

static void ids_and_prefixes(void **state)
{
    struct test_home t;
    struct persona *p, *q;
    char part[9];
    test_home_open(&t);
    check_ok(persona_open(t.home, NULL, &p, &err), err); /* the only one */
    persona_close(p);
    check_ok(make(&t, "Ann", &p), err);
    check_int(strlen(p->id), 8);
    for (int n = 4; n <= 8; n++) {
        snprintf(part, sizeof part, "%.*s", n, p->id);
        check_ok(persona_open(t.home, part, &q, &err), err);
        check_str(q->name, "Ann");
        persona_close(q);
    }
    snprintf(part, sizeof part, "%.3s", p->id);
    check_int(persona_open(t.home, part, &q, &err), ERR_NOTFOUND);
    assert_null(q);
    check_int(persona_open(t.home, "", &q, &err), ERR_INVAL);
    check_int(persona_open(t.home, NULL, &q, &err), ERR_INVAL);
    check_has(err.msg, "2 personas");
    check_int(persona_forget(t.home, "", &err), ERR_INVAL); /* never a guess */
    check_int(persona_forget(t.home, NULL, &err), ERR_INVAL);
    check_int(persona_forget(t.home, "nobody", &err), ERR_NOTFOUND);
    persona_close(p);
    check_ok(persona_forget(t.home, "Ann", &err), err);
    check_int(persona_open(t.home, "Ann", &q, &err), ERR_NOTFOUND);
    check_int(persona_forget(t.home, "", &err), ERR_INVAL);
    test_home_close(&t);
}

/* ---- aliases ---- */

static void check_is(const char *alias, const char *author, const char *id, bool want)
{
    char *list[] = { (char *)alias };
    struct persona p = { .name = (char *)"Nobody In Particular", .aliases = list, .n_aliases = 1 };
    if (persona_is(&p, author, id) != want)
        fail_msg("alias \"%s\": \"%s\" <%s> %s", alias, author, id ? id : "",
                 want ? "is not" : "is");
}

static void names_match(void **state)
{
    check_is("Ann Lee", "Ann Lee", "", true);
    check_is("Ann Lee", "ANN  LEE", "", true);
    check_is("Ann Lee", "Lee, Ann", "", true);
    check_is("Lee, Ann", "Ann Lee", "", true);
    check_is("Ann Lee", "lee,ann", NULL, true);
    check_is("José Núñez", "Jose Nunez", "", true);
    check_is("Jose Nunez",
             "Jose\xCC\x81 Nu\xCC\x81n\xCC\x83"
             "ez",
             "", true);
    check_is("Ann Lee",
             "\xE2\x80\xAA"
             "Ann\xC2\xA0Lee\xE2\x80\xAC",
             "", true);
    check_is("Ann Lee",
             "~\xE2\x80\xAF"
             "Ann Lee",
             "", true);
    check_is("J.R. Smith", "J. R. Smith", "", true);
    check_is("Anne-Marie", "Anne\xE2\x80\x90Marie", "", true);
    check_is("O'Brien",
             "O\xE2\x80\x99"
             "Brien",
             "", true);
    check_is("Ann Lee", "Ann", "", false);
    check_is("Ann", "Ann Lee", "", false);
    check_is("Ann Lee", "Lee Ann", "", false);
    check_is("Ann Lee", "", "", false);
    check_is("Ann Lee", NULL, NULL, false);
    check_is("...", "!!!", "", false); /* nothing is left: not equal */
    check_is("user123456789", "", "user123456789", true);
    check_is("user123456789", "", "user923456789", false);
    struct persona p = { .name = (char *)"Marit" };
    assert_true(persona_is(&p, "marit", ""));
    assert_false(persona_is(&p, "Maria", ""));
}

static void addresses_and_numbers_match(void **state)
{
    check_is("ann@example.org", "Ann", "Ann@Example.ORG", true);
    check_is("ann@example.org", "ann@example.org", "", true);
    check_is("ann@example.org", "", "joann@example.org", false);
    check_is("ann@example.org", "", "ann@example.com", false);
    check_is("+44 20 7946 0000", "020 7946 0000", "", true);
    check_is("020 7946 0000", "+44 20 7946 0000", "", true);
    check_is("+44 20 7946 0000",
             "\xE2\x80\xAA+44\xC2\xA0"
             "20\xE2\x80\x91"
             "7946\xE2\x80\x91"
             "0000\xE2\x80\xAC",
             "", true);
    check_is("0044 (20) 7946-0000", "", "442079460000", true);
    check_is("+47 912 34 567", "91234567", "", true); /* eight digits */
    check_is("91234567", "+4791234567", "", true);
    check_is("+44 20 7946 0000", "+44 20 7946 0001", "", false);
    check_is("91234567", "81234567", "", false);
    check_is("123", "00123", "", false); /* too short for a number */
    check_is("Room 1234567", "1234567", "", false);
    check_is("Лена 1234567", "1234567", "", false);
    check_is("12345678901234567890", "34567890", "", false); /* too long for one */
    check_is("12345678901234567890", "12345678901234567890", "", true);
}

static void aliases_are_kept_once(void **state)
{
    struct test_home t;
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona,
                               " Ann , ann@x.org;ANN,,\nAnn Lee <ann.lee@x.org>\n", &err),
             err);
    check_int(t.persona->n_aliases, 4);
    check_str(t.persona->aliases[0], "Ann");
    check_str(t.persona->aliases[1], "ann@x.org");
    check_str(t.persona->aliases[2], "Ann Lee");
    check_str(t.persona->aliases[3], "ann.lee@x.org");
    check_ok(persona_alias_add(t.home, t.persona, "ann", &err), err);
    check_ok(persona_alias_add(t.home, t.persona, "", &err), err);
    check_int(t.persona->n_aliases, 4);
    check_int(t.persona->stale, false);
    char big[400];
    memset(big, 'x', 399);
    big[399] = 0;
    memcpy(big, "Good,", 5);
    check_int(persona_alias_add(t.home, t.persona, big, &err), ERR_INVAL); /* all or nothing */
    check_int(persona_alias_add(t.home, t.persona, "Good,\xFF", &err), ERR_INVAL);
    check_int(t.persona->n_aliases, 4);
    test_home_reopen(&t, STORE_READ);
    check_int(t.persona->n_aliases, 4);
    check_str(t.persona->aliases[3], "ann.lee@x.org");
    check_int(persona_alias_add(t.home, t.persona, "Late", &err), ERR_INVAL); /* reading only */
    check_int(t.persona->n_aliases, 4);
    test_home_close(&t);
}

static const char CHAT[] = "12/03/2019, 21:14 - Bob: How is the boat?\n"
                           "12/03/2019, 21:15 - +44 7700 900123: She leaks but I love her.\n"
                           "12/03/2019, 21:16 - Bob: Good.\n"
                           "13/03/2019, 09:00 - +44 7700 900123: I fixed the pump this morning.\n";

static void a_later_alias_makes_voice(void **state)
{
    struct test_home t;
    struct persona_counts n;
    struct ingest_totals tot;
    char path[500];
    test_home_open(&t);
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Bob.txt", t.dir);
    check_ok(io_write_file(path, CHAT, strlen(CHAT), 0600, &err), err);
    check_ok(persona_alias_add(t.home, t.persona, "Somebody Else", &err), err);
    check_int(test_home_add(&t, path, &tot), 0);
    check_int(tot.added, 4);
    check_int(tot.voice, 0);
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.chunks, 0); /* nobody in it is the persona */
    check_int(t.persona->stale, false);
    check_ok(persona_alias_add(t.home, t.persona, "07700 900123", &err), err);
    check_int(t.persona->stale, true);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    test_home_reopen(&t, STORE_READ);
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.pieces, 4);
    check_int(n.voice, 2);
    assert_true(n.chunks >= 1);
    check_int(n.from, clock_from_civil(2019, 3, 12, 21, 14, 0));
    check_int(n.to, clock_from_civil(2019, 3, 13, 9, 0, 0));
    check_int(t.persona->stale, false);
    test_home_close(&t);
}

/* More than is held back at a time. */
/* A wrong choice in "which of them are you?" can be taken back. */
static void an_alias_taken_back_is_context(void **state)
{
    struct test_home t;
    struct persona_counts n;
    struct ingest_totals tot;
    char path[500];
    test_home_open(&t);
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Bob.txt", t.dir);
    check_ok(io_write_file(path, CHAT, strlen(CHAT), 0600, &err), err);
    check_ok(persona_alias_add(t.home, t.persona, "Somebody Else,07700 900123", &err), err);
    check_int(test_home_add(&t, path, &tot), 0);
    check_int(tot.voice, 2);
    check_int(persona_alias_remove(t.home, t.persona, "Nobody", &err), ERR_NOTFOUND);
    check_ok(persona_alias_remove(t.home, t.persona, " 07700 900123 ", &err), err);
    check_int(t.persona->n_aliases, 1);
    check_int(t.persona->stale, true);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    test_home_reopen(&t, STORE_READ);
    check_str(t.persona->aliases[0], "Somebody Else");
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.pieces, 4);
    check_int(n.voice, 0);
    check_int(n.chunks, 0);
    test_home_close(&t);
}

static void many_pieces_become_voice(void **state)
{
    struct test_home t;
    struct persona_counts n;
    struct ingest_totals tot;
    struct buf b = BUF_INIT(0);
    char path[500];
    enum { N = 60 };
    test_home_open(&t);
    snprintf(path, sizeof path, "%s/all.jsonl", t.dir);
    for (int i = 0; i < N; i++) {
        buf_printf(&b, "{\"from\": \"Me\", \"date\": \"2019-03-%02d\", \"text\": \"", 1 + i % 28);
        for (int k = 0; k < 100000; k++)
            buf_printf(&b, "w%d%s", i * 7 + k % 97, k % 9 ? " " : ". ");
        buf_adds(&b, "\"}\n");
    }
    check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
    buf_free(&b);
    check_ok(persona_alias_add(t.home, t.persona, "Somebody Else", &err), err);
    check_int(test_home_add(&t, path, &tot), 0);
    check_int(tot.added, N);
    check_ok(persona_alias_add(t.home, t.persona, "Me", &err), err);
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.voice, N);
    test_home_close(&t);
}

/* ---- homes ---- */

static void a_failed_creation_leaves_nothing(void **state)
{
    char dir[300], home[400], key[400], deep[500];
    struct secret s = { .key_file = key };
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    snprintf(home, sizeof home, "%s/a/b/home", dir);
    snprintf(key, sizeof key, "%s/key", dir);
    check_ok(io_write_file(key, "mine", 4, 0600, &err), err);
    check_int(home_create(home, &s, &err), ERR_EXISTS); /* the key file is there */
    snprintf(deep, sizeof deep, "%s/a", dir);
    assert_false(io_exists(deep));
    assert_true(io_exists(key));
    io_remove_tree(key, NULL);
    check_ok(home_create(home, &s, &err), err);
    check_int(home_create(home, &s, &err), ERR_EXISTS);
    check_has(err.msg, "there is a home");
    snprintf(deep, sizeof deep, "%s/vault", home);
    io_remove_tree(deep, NULL); /* the vault is lost: what it opened must stay */
    snprintf(key, sizeof key, "%s/key2", dir);
    check_int(home_create(home, &s, &err), ERR_EXISTS);
    check_has(err.msg, "likeness.db");
    snprintf(deep, sizeof deep, "%s/likeness.db", home);
    assert_true(io_exists(deep));
    assert_false(io_exists(key));
    io_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(consent_is_required),
        cmocka_unit_test(kinds_are_words),
        cmocka_unit_test(names_are_unique_when_folded),
        cmocka_unit_test(ids_and_prefixes),
        cmocka_unit_test(names_match),
        cmocka_unit_test(addresses_and_numbers_match),
        cmocka_unit_test(aliases_are_kept_once),
        cmocka_unit_test(a_later_alias_makes_voice),
        cmocka_unit_test(an_alias_taken_back_is_context),
        cmocka_unit_test(many_pieces_become_voice),
        cmocka_unit_test(a_failed_creation_leaves_nothing),
    };
    return check_run("persona/persona", t);
}
