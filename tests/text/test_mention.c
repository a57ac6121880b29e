/* Who is found in sentences where every person is marked (mentions.tsv): half of them were written
 * before the rules were and never looked at while these were made better. */
#include "check.h"

#include "base/io.h"
#include "base/str.h"
#include "text/mention.h"
#include "text/nameword.h"

static struct err err;

struct tally {
    int names, found, wrong, sentences;
};

struct spans {
    size_t from[64], to[64];
    int n;
};

/* The sentence without its brackets, and where they stood. */
static void unmark(const char *s, struct buf *text, struct spans *marked)
{
    for (; *s && *s != '\n'; s++) {
        if (*s == '[') marked->from[marked->n] = text->n;
        else if (*s == ']') marked->to[marked->n++] = text->n;
        else buf_addc(text, *s);
    }
}

static void find(const char *s, size_t n, struct spans *found)
{
    static struct mentions m;
    struct tokens t = tokens_of(s, n);
    struct mention who;
    mentions_begin(&m, s, n);
    while (tokens_next(&t))
        if (mentions_next(&m, &t, &who) && found->n < 64) {
            found->from[found->n] = who.from;
            found->to[found->n++] = who.to;
        }
}

static bool covers(const struct spans *a, size_t from, size_t to)
{
    for (int i = 0; i < a->n; i++)
        if (a->from[i] <= from && to <= a->to[i]) return true;
    return false;
}

/* A marked name is found when one mention holds all of it; a mention is wrong when it holds more
 * than a marked name. */
static void judge(const char *line, struct tally *sum, struct buf *report)
{
    struct buf text = BUF_INIT(4096);
    struct spans marked = { .n = 0 }, found = { .n = 0 };
    unmark(line, &text, &marked);
    find(buf_str(&text), text.n, &found);
    sum->sentences++;
    sum->names += marked.n;
    for (int i = 0; i < marked.n; i++) {
        bool is = covers(&found, marked.from[i], marked.to[i]);
        sum->found += is;
        if (!is)
            buf_printf(report, "\n  not \"%.*s\": %s", (int)(marked.to[i] - marked.from[i]),
                       text.p + marked.from[i], text.p);
    }
    for (int i = 0; i < found.n; i++) {
        if (covers(&marked, found.from[i], found.to[i])) continue;
        sum->wrong++;
        buf_printf(report, "\n  wrong \"%.*s\": %s", (int)(found.to[i] - found.from[i]),
                   text.p + found.from[i], text.p);
    }
    buf_free(&text);
}

static struct tally judge_all(char half, struct buf *report)
{
    struct tally sum = { 0 };
    struct buf all = BUF_INIT(1 << 20);
    check_ok(io_read_file("tests/text/mentions.tsv", 1 << 20, &all, &err), err);
    for (const char *s = buf_str(&all); *s;) {
        const char *end = strchr(s, '\n');
        if (*s == half) judge(strchr(strchr(s, '\t') + 1, '\t') + 1, &sum, report);
        s = end ? end + 1 : "";
    }
    buf_free(&all);
    print_message("# %c: %d sentences, %d of %d names, %d wrong\n", half, sum.sentences, sum.found,
                  sum.names, sum.wrong);
    return sum;
}

static void on_marked_sentences(char half, int recall, int precision)
{
    struct buf report = BUF_INIT(1 << 20);
    struct tally t = judge_all(half, &report);
    if (getenv("MENTIONS_SHOW")) print_message("%s\n", buf_str(&report));
    if (t.found * 100 < recall * t.names || t.found * 100 < precision * (t.found + t.wrong))
        fail_msg("%s", buf_str(&report));
    buf_free(&report);
}

static void tuned(void **state) { on_marked_sentences('t', 95, 95); }
static void held_back(void **state) { on_marked_sentences('h', 90, 90); }

/* A name ends where a letter ends, also when that letter folds to the s of another case. */
static void whole_letters(void **state)
{
    static const struct {
        const char *text;
        size_t bytes; /* of the name; 0: none */
    } all[] = {
        { "We met Hildegards yesterday.", 9 },
        { "We met Jona\xC3\x9F yesterday.", 0 },
        { "We met Thoma\xC3\x9F yesterday.", 0 },
        { "We met Hildegard\xC5\xBF yesterday.", 0 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct spans found = { 0 };
        find(all[i].text, strlen(all[i].text), &found);
        for (int k = 0; k < found.n; k++)
            assert_true(utf8_valid(all[i].text + found.from[k], found.to[k] - found.from[k]));
        if (all[i].bytes) check_int(found.to[0] - found.from[0], all[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(tuned),
        cmocka_unit_test(held_back),
        cmocka_unit_test(whole_letters),
    };
    return check_run("text/mention", t);
}
