/* The style profile: counts of known texts, what is called characteristic, the JSON, and the
 * words. */
#include "check.h"

#include "base/clock.h"
#include "persona/profile.h"

#include <jansson.h>

static struct profile_counter *counter(void)
{
    struct err err = { 0 };
    struct profile_counter *c = profile_counter_new(&err);
    if (!c) fail_msg("%s", err.msg);
    return c;
}

static void count(struct profile_counter *c, const char *s)
{
    check_int(profile_count(c, s, strlen(s), 1, CLOCK_NONE), 0);
}

/* Finishes, frees the counter, loads. */
static struct profile done(struct profile_counter *c)
{
    struct err err = { 0 };
    struct buf json = { 0 };
    struct profile p;
    check_ok(profile_finish(c, &json, &err), err);
    check_ok(profile_load(json.p, json.n, &p, &err), err);
    profile_counter_free(c);
    buf_free(&json);
    return p;
}

static bool among(char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i], s)) return true;
    return false;
}

static void counts_by_hand(void **state)
{
    struct profile_counter *c = counter();
    count(c, "I don't know. Do you? Wow! it goes on...");
    count(c, "My house is extraordinary \xF0\x9F\x98\x80 :) https://example.org/long/path");
    struct profile p = done(c);
    check_int(p.pieces, 2);
    check_int(p.words, 3 + 2 + 1 + 3 + 4);
    check_int(p.sentences, 5);
    check_near(p.words_per_sentence, 13 / 5.0, 1e-5);
    check_near(p.questions, 1 / 5.0, 1e-5);
    check_near(p.exclaims, 1 / 5.0, 1e-5);
    check_near(p.ellipses, 1 / 5.0, 1e-5);
    check_near(p.contractions, 1 / 13.0, 1e-5);
    check_near(p.first_person, 2 / 13.0, 1e-5);
    check_near(p.emoji, 2 / 5.0, 1e-5);
    check_near(p.capitals_start, 4 / 5.0, 1e-5);
    check_near(p.long_words, 1 / 13.0, 1e-5);
    check_near(p.type_token, 1, 1e-5);
    profile_clear(&p);
}

static void contractions_are_told_apart(void **state)
{
    struct profile_counter *c = counter();
    count(c, "it's that\xE2\x80\x99s dont I\xE2\x80\x99m we'll they've gonna Bob's "
             "sister\xE2\x80\x99s o'clock");
    struct profile p = done(c);
    check_int(p.words, 10);
    check_near(p.contractions, 0.7, 1e-5);
    profile_clear(&p);
}

static void negation_takes_no_side(void **state)
{
    struct profile_counter *c = counter();
    count(c, "This is not good. I am happy. What an awful day.");
    struct profile p = done(c);
    check_int(p.words, 11);
    check_near(p.positive, 100 / 11.0, 1e-4);
    check_near(p.negative, 100 / 11.0, 1e-4);
    profile_clear(&p);
}

static void finds_what_recurs(void **state)
{
    static const char *const nouns[] = { "tap",  "bike", "roof",  "stove",
                                         "lamp", "door", "shelf", "fence" };
    static const char *const verbs[] = { "mend", "paint", "clean", "move",
                                         "sell", "check", "wash",  "fix" };
    struct profile_counter *c = counter();
    for (int i = 0; i < 64; i++) {
        char s[400];
        snprintf(s, sizeof s,
                 "Honestly, I had to %s the %s. Martha came by with one of the kids. At the end of "
                 "the week, touch "
                 "wood, the allotment will be %s.",
                 verbs[i % 8], nouns[i / 8], i % 3 ? "done" : "dug");
        count(c, s);
    }
    struct profile p = done(c);
    bool touch = false;
    for (size_t i = 0; i < p.n_phrases; i++) {
        touch |= strstr(p.phrases[i], "touch wood") != NULL;
        check_hasnt(p.phrases[i], "martha");
        if (!strcmp(p.phrases[i], "of the") || !strcmp(p.phrases[i], "one of the") ||
            !strcmp(p.phrases[i], "had to"))
            fail_msg("\"%s\" is called characteristic", p.phrases[i]);
    }
    if (!touch) fail_msg("\"touch wood\" is not among the phrases");
    if (!among(p.openers, p.n_openers, "Honestly,"))
        fail_msg("\"Honestly,\" is not among the openers");
    if (!among(p.words_liked, p.n_words_liked, "allotment"))
        fail_msg("\"allotment\" is not among the words");
    if (among(p.words_liked, p.n_words_liked, "martha")) fail_msg("a name is among the words");
    if (among(p.words_liked, p.n_words_liked, "week")) fail_msg("a common word is among the words");
    profile_clear(&p);
}

static void names_are_no_openers(void **state)
{
    struct profile_counter *c = counter();
    for (int i = 0; i < 20; i++) {
        count(c, "Anna, can you call me?");
        count(c, "Monday, then. Well, see you.");
    }
    struct profile p = done(c);
    if (among(p.openers, p.n_openers, "Anna,")) fail_msg("a name is called an opener");
    if (!among(p.openers, p.n_openers, "Well,")) fail_msg("\"Well,\" is not among the openers");
    profile_clear(&p);
}

static void tells_formal_from_casual(void **state)
{
    struct profile_counter *a = counter(), *b = counter();
    for (int i = 0; i < 10; i++) {
        count(a, "The committee acknowledges receipt of the correspondence concerning the proposed "
                 "regulations, and "
                 "undertakes to provide a comprehensive response within the customary period.");
        count(b, "haha yeah i dont know!! \xF0\x9F\x98\x82 gonna be late, can't help it lol");
    }
    struct profile formal = done(a), casual = done(b);
    if (formal.formality < 0.75) fail_msg("formal: %g", formal.formality);
    if (casual.formality > 0.2) fail_msg("casual: %g", casual.formality);
    struct buf out = { 0 };
    profile_style(&formal, &out);
    check_has(buf_str(&out), "Your writing is formal");
    buf_clear(&out);
    profile_style(&casual, &out);
    check_has(buf_str(&out), "very casual");
    buf_clear(&out);
    profile_structure(&casual, &out);
    check_has(buf_str(&out), "You begin sentences in lower case.");
    buf_free(&out);
    profile_clear(&formal);
    profile_clear(&casual);
}

typedef void (*say_fn)(const struct profile *p, struct buf *out);
static const say_fn says[] = { profile_style, profile_tone, profile_common_phrases,
                               profile_vocabulary, profile_structure };

static void says_numbers(void **state)
{
    struct profile p = { .pieces = 100,
                         .words = 9000,
                         .sentences = 1000,
                         .words_per_sentence = 9.2f,
                         .sentence_sd = 4,
                         .questions = 0.125f,
                         .long_words = 0.2f,
                         .word_length = 4.1f,
                         .type_token = 0.42f,
                         .capitals_start = 1,
                         .formality = 0.5f };
    struct buf out = { 0 };
    profile_structure(&p, &out);
    check_str(buf_str(&out),
              "You write short sentences, about 9 words each; one in eight is a question.");
    buf_clear(&out);
    profile_vocabulary(&p, &out);
    check_has(buf_str(&out), "4.1 letters");
    check_has(buf_str(&out), "one in five has seven letters or more");
    check_has(buf_str(&out), "about 420 different");
    buf_free(&out);
}

static void never_says_nothing(void **state)
{
    struct profile none = { 0 }, some = { .words = 9, .sentences = 1, .pieces = 1 },
                   odd = { .words = 100000, .sentences = 1, .pieces = 1 };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct buf out = { 0 };
        says[i](&none, &out);
        check_has(buf_str(&out), "Little is known yet");
        buf_clear(&out);
        says[i](&some, &out);
        check_has(buf_str(&out), "only 9 words");
        buf_clear(&out);
        says[i](&odd, &out);
        if (out.n < 20) fail_msg("section %zu says \"%s\"", i, buf_str(&out));
        buf_free(&out);
    }
}

static void empty_and_odd_input(void **state)
{
    struct profile_counter *c = counter();
    count(c, "");
    count(c, " \n\t");
    count(c, "\xF0\x9F\x98\x80\xF0\x9F\x98\x80");
    count(c, "2024 12 31");
    count(c, "https://example.org");
    struct profile p = done(c);
    check_int(p.pieces, 0);
    check_int(p.words, 0);
    check_near(p.formality, 0, 1e-9);
    profile_clear(&p);
    c = counter();
    static const char broken[] = "\xFF\xFE a\x80z ... ?!?! '' ``";
    check_int(profile_count(c, broken, sizeof broken - 1, -5, INT64_MAX), 0);
    p = done(c);
    profile_clear(&p);
}

static void loads_what_it_knows(void **state)
{
    struct err err = { 0 };
    struct profile p;
    static const char json[] =
        "{\"v\":9,\"words\":12,\"later\":[1],\"questions\":\"x\",\"exclaims\":0.5,"
        "\"phrases\":[\"a b\",3,null,\"c d\"],\"openers\":{}}";
    check_ok(profile_load(json, sizeof json - 1, &p, &err), err);
    check_int(p.words, 12);
    check_near(p.questions, 0, 0);
    check_near(p.exclaims, 0.5, 0);
    check_int(p.n_phrases, 2);
    check_str(p.phrases[1], "c d");
    profile_clear(&p);
    check_int(profile_load("[1]", 3, &p, &err), ERR_PARSE);
    check_int(profile_load("{", 1, &p, &err), ERR_PARSE);
    check_int(profile_load("", 0, &p, &err), ERR_PARSE);
    profile_clear(&p);
}

/* A vocabulary and phrase stock larger than the tables: pruning keeps what recurs. */
static void stays_bounded(void **state)
{
    struct profile_counter *c = counter();
    char s[4000];
    uint32_t r = 1;
    for (int i = 0; i < 1200; i++) {
        size_t n = 0;
        for (int k = 0; k < 300; k++) {
            r = r * 1664525 + 1013904223;
            n += (size_t)snprintf(s + n, sizeof s - n, "w%c%c%c%c ", 'a' + (r >> 8) % 26,
                                  'a' + (r >> 13) % 26, 'a' + (r >> 18) % 26, 'a' + (r >> 23) % 26);
        }
        strcpy(s + n, ". Then rambling onwards happily we went.");
        count(c, s);
    }
    struct profile p = done(c);
    check_int(p.words, 1200 * 306);
    bool kept = false;
    for (size_t i = 0; i < p.n_phrases; i++)
        kept |= strstr(p.phrases[i], "rambling onwards") != NULL;
    if (!kept) fail_msg("what recurs was pruned");
    profile_clear(&p);
}

static void reads_pepys(void **state)
{
    const char *data = check_data_dir();
    char path[512], *line = NULL;
    size_t cap = 0;
    if (!data) skip();
    snprintf(path, sizeof path, "%s/corpora/pepys_diary.jsonl", data);
    FILE *f = fopen(path, "r");
    if (!f) skip();
    struct profile_counter *c = counter();
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        json_t *j = json_loadb(line, (size_t)n, 0, NULL);
        const char *s = json_string_value(json_object_get(j, "text"));
        if (s) count(c, s);
        json_decref(j);
    }
    free(line);
    fclose(f);
    struct profile p = done(c);
    check_int(p.words > 1000000, 1);
    if (!among(p.phrases, p.n_phrases, "supper and to bed"))
        fail_msg("Pepys does not go to bed after supper");
    if (!among(p.openers, p.n_openers, "Up,")) fail_msg("Pepys does not get up");
    if (!among(p.words_liked, p.n_words_liked, "mighty")) fail_msg("Pepys is not mighty");
    profile_clear(&p);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(counts_by_hand),         cmocka_unit_test(contractions_are_told_apart),
        cmocka_unit_test(negation_takes_no_side), cmocka_unit_test(finds_what_recurs),
        cmocka_unit_test(names_are_no_openers),   cmocka_unit_test(tells_formal_from_casual),
        cmocka_unit_test(says_numbers),           cmocka_unit_test(never_says_nothing),
        cmocka_unit_test(empty_and_odd_input),    cmocka_unit_test(loads_what_it_knows),
        cmocka_unit_test(stays_bounded),          cmocka_unit_test(reads_pepys),
    };
    return check_run("persona/profile", t);
}
