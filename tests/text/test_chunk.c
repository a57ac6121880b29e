/* Chunks: the rules of chunk.h, by example and by random threads. */
#include "check.h"

#include "base/clock.h"
#include "text/chunk.h"
#include "text/token.h"

#define MAX_PIECES 64

struct seen {
    char shown[65536]; /* chunks as "[q:text|v:text|+v:overlap]" */
    size_t k;
    int chunks;
    /* for the random test */
    const struct chunk_opts *o;
    const struct chunk_piece *p;
    int n_pieces;
    unsigned char *covered[MAX_PIECES];
    size_t last_piece, last_end;
    bool alone;
};

static int show(void *ud, const struct chunk_out *c, struct err *err)
{
    struct seen *s = ud;
    for (size_t i = 0; i < c->n_seg; i++)
        s->k += (size_t)snprintf(s->shown + s->k, sizeof s->shown - s->k, "%s%s%c:%s",
                                 i ? "|" : "[", c->seg[i].overlap ? "+" : "",
                                 c->seg[i].voice ? 'v' : 'q', c->seg[i].text);
    s->k += (size_t)snprintf(s->shown + s->k, sizeof s->shown - s->k, "]");
    s->chunks++;
    return 0;
}

struct line {
    char who; /* 'q', 'v', 'd': document of the persona, 'x': of others */
    int minute;
    const char *text;
};

static const char *chunks_of(int max, int overlap, const struct line *l, size_t n)
{
    static struct seen s;
    struct err err = { 0 };
    s = (struct seen){ 0 };
    struct chunker *c =
        chunker_new(&(struct chunk_opts){ max, overlap, 3600, NULL, NULL }, show, &s, &err);
    assert_non_null(c);
    for (size_t i = 0; i < n; i++) {
        struct chunk_piece p = { .piece = (int64_t)i,
                                 .voice = l[i].who == 'v' || l[i].who == 'd',
                                 .alone = l[i].who == 'd' || l[i].who == 'x',
                                 .author = "",
                                 .written_at = l[i].minute < 0 ? CLOCK_NONE : l[i].minute * 60,
                                 .text = l[i].text,
                                 .text_n = strlen(l[i].text) };
        check_ok(chunker_add(c, &p, &err), err);
    }
    check_ok(chunker_flush(c, &err), err);
    chunker_free(c);
    return s.shown;
}

#define CHUNKS(max, overlap, ...)                                                                  \
    chunks_of(max, overlap, (const struct line[]){ __VA_ARGS__ },                                  \
              sizeof(struct line[]){ __VA_ARGS__ } / sizeof(struct line))

static void documents(void **state)
{
    check_str(CHUNKS(16, 0, { 'd', 0, "" }), "");
    check_str(CHUNKS(16, 0, { 'd', 0, "One two. Three four." }), "[v:One two. Three four.]");
    check_str(CHUNKS(16, 0, { 'x', 0, "Not mine." }), "");
    check_str(CHUNKS(16, 0, { 'd', 0, "One." }, { 'd', 0, "Two." }), "[v:One.][v:Two.]");
    /* Four, six and eight tokens: the second sentence is repeated, the first is not. */
    check_str(CHUNKS(16, 6, { 'd', 0, "A b c. D e f g h. I j k l m n o." }),
              "[v:A b c. D e f g h.][+v:D e f g h.|v:I j k l m n o.]");
    check_str(CHUNKS(16, 5, { 'd', 0, "A b c. D e f g h. I j k l m n o." }),
              "[v:A b c. D e f g h.][v:I j k l m n o.]");
}

static void exchanges(void **state)
{
    check_str(CHUNKS(32, 0, { 'q', 0, "Where?" }, { 'v', 1, "Home." }, { 'q', 2, "When?" },
                     { 'v', 3, "Now." }, { 'q', 4, "Thanks!" }),
              "[q:Where?|v:Home.|q:When?|v:Now.]");
    check_str(CHUNKS(32, 0, { 'q', 0, "Alone?" }, { 'q', 1, "Hello?" }), "");
    /* A silence ends an exchange; the question before it is not answered. */
    check_str(CHUNKS(32, 0, { 'q', 0, "Where?" }, { 'v', 1, "Home." }, { 'q', 2, "Sure?" },
                     { 'v', 90, "New day." }),
              "[q:Where?|v:Home.][v:New day.]");
    check_str(CHUNKS(32, 0, { 'q', 90, "Where?" }, { 'v', -1, "Home." }, { 'v', 91, "Yes." }),
              "[q:Where?|v:Home.|v:Yes.]");
}

static void question_goes_with_its_answer(void **state)
{
    check_str(CHUNKS(16, 0, { 'q', 0, "A b c?" }, { 'v', 0, "D e f." }, { 'q', 1, "G h i j?" },
                     { 'v', 1, "K l m." }),
              "[q:A b c?|v:D e f.][q:G h i j?|v:K l m.]");
    check_str(CHUNKS(16, 4, { 'q', 0, "A b c?" }, { 'v', 0, "D e f." }, { 'q', 1, "G h i j?" },
                     { 'v', 1, "K l m." }),
              "[q:A b c?|v:D e f.][+v:D e f.|q:G h i j?|v:K l m.]");
}

static void long_answer_keeps_the_question(void **state)
{
    check_str(CHUNKS(16, 8, { 'q', 0, "A b?" }, { 'v', 0, "C d e f. G h i j. K l m n. O p q r." }),
              "[q:A b?|v:C d e f. G h i j.][+q:A b?|+v:G h i j.|v:K l m n.][+q:A b?|+v:K l m "
              "n.|v:O p q r.]");
    /* Of a question longer than the overlap, the end. */
    check_str(CHUNKS(16, 3, { 'q', 0, "A b c d e?" }, { 'v', 0, "C d e f. G h i j. K l m n." }),
              "[q:A b c d e?|v:C d e f. G h i j.][+q:d e?|v:K l m n.]");
}

static void refuses(void **state)
{
    struct err err = { 0 };
    assert_null(
        chunker_new(&(struct chunk_opts){ .max_tokens = 15, .overlap = 0 }, show, NULL, &err));
    check_int(err.code, ERR_INVAL);
    assert_null(
        chunker_new(&(struct chunk_opts){ .max_tokens = 16, .overlap = 9 }, show, NULL, &err));
    assert_null(
        chunker_new(&(struct chunk_opts){ .max_tokens = 8193, .overlap = 0 }, show, NULL, &err));
    chunker_free(NULL);
}

static int stop_here(void *ud, const struct chunk_out *c, struct err *err)
{
    return err_set(err, ERR_CANCEL, "stopped");
}

static void a_stop_is_passed_on(void **state)
{
    struct err err = { 0 };
    struct chunker *c =
        chunker_new(&(struct chunk_opts){ .max_tokens = 16, .overlap = 8 }, stop_here, NULL, &err);
    struct chunk_piece p = {
        .voice = true, .alone = true, .author = "", .text = "Yes.", .text_n = 4
    };
    check_int(chunker_add(c, &p, &err), ERR_CANCEL);
    check_int(chunker_flush(c, &err), 0);
    chunker_free(c);
}

/* ---- random threads ---- */

/* A counter for which each byte that is no blank is a token. */
static size_t by_bytes(void *ud, const char *s, size_t n, uint32_t *off, size_t cap)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ' || s[i] == '\n') continue;
        if (k < cap) off[k] = (uint32_t)i;
        k++;
    }
    return k;
}

static size_t short_of_memory(void *ud, const char *s, size_t n, uint32_t *off, size_t cap)
{
    return SIZE_MAX;
}

static void others_may_count(void **state)
{
    struct err err = { 0 };
    struct chunk_opts o = { CHUNK_COUNTED_MIN, 0, 0, by_bytes, NULL };
    struct chunk_piece p = {
        .voice = true, .alone = true, .author = "", .text = "Yes.", .text_n = 4
    };
    o.max_tokens--;
    assert_null(chunker_new(&o, show, NULL, &err)); /* a word might not fit */
    check_int(err.code, ERR_INVAL);
    o.max_tokens++;
    o.tokens = short_of_memory;
    struct chunker *c = chunker_new(&o, show, NULL, &err);
    check_int(chunker_add(c, &p, &err), ERR_NOMEM);
    chunker_free(c);
}

static int inspect(void *ud, const struct chunk_out *c, struct err *err)
{
    struct seen *s = ud;
    int tokens = 0, overlap = 0;
    bool voice = false, fresh_seen = false, begun = false;
    int64_t newest = CLOCK_NONE;
    for (size_t i = 0; i < c->n_seg; i++) {
        const struct chunk_seg *g = &c->seg[i];
        assert_true(g->piece >= 0 && g->piece < s->n_pieces);
        const struct chunk_piece *p = &s->p[g->piece];
        assert_true(g->text_n > 0 && g->offset + g->text_n <= p->text_n);
        assert_memory_equal(g->text, p->text + g->offset, g->text_n);
        check_int(g->text[g->text_n], 0);
        check_int(g->voice, p->voice);
        check_str(g->author, p->author);
        int n = (int)(s->o->tokens ? by_bytes(NULL, g->text, g->text_n, NULL, 0)
                                   : tokens_count(g->text, g->text_n));
        tokens += n;
        if (g->overlap) {
            overlap += n;
            assert_false(fresh_seen); /* only at the start */
        } else {
            fresh_seen = true;
        }
        if (begun) assert_true(g->piece >= c->seg[i - 1].piece);
        begun = true;
        if (g->voice && !g->overlap) {
            voice = true;
            for (size_t b = 0; b < g->text_n; b++) {
                check_int(s->covered[g->piece][g->offset + b], 0); /* new words come once */
                s->covered[g->piece][g->offset + b] = 1;
            }
        }
        if (g->voice && g->written_at > newest) newest = g->written_at;
    }
    assert_true(voice);
    check_int(tokens, c->n_tokens);
    assert_true(tokens <= s->o->max_tokens);
    assert_true(overlap <= s->o->overlap);
    check_int(c->written_at, newest);
    assert_true(c->seg[c->n_seg - 1].voice); /* ends with the persona */
    s->chunks++;
    return 0;
}

static unsigned rnd(unsigned *r, unsigned n)
{
    *r = *r * 1664525 + 1013904223;
    return (*r >> 10) % n;
}

static size_t random_text(unsigned *r, char *out, size_t cap)
{
    static const char *const part[] = { "word ", "a ",    "boat, ", "end. ",
                                        "End. ", "Why? ", "\n",     "\n\n",
                                        "Mr. ",  "I'm ",  "—",      "😀 ",
                                        "日本",  "; ",    "Yes. ",  "don\xE2\x80\x99t " };
    size_t n = 0;
    int parts = (int)(rnd(r, 12) ? rnd(r, 30) : rnd(r, 300));
    out[0] = 0;
    for (int i = 0; i < parts && n + 16 < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s", part[rnd(r, sizeof part / sizeof *part)]);
    return n;
}

static void one_thread(unsigned *r, bool counted)
{
    static char text[MAX_PIECES][4096];
    static unsigned char covered[MAX_PIECES][4096];
    struct chunk_piece p[MAX_PIECES];
    struct err err = { 0 };
    int max = (counted ? CHUNK_COUNTED_MIN : 16) + (int)rnd(r, 100);
    struct chunk_opts o = { max, (int)rnd(r, (unsigned)max / 2 + 1), 3600,
                            counted ? by_bytes : NULL, NULL };
    struct seen *s = calloc(1, sizeof *s);
    s->o = &o;
    s->p = p;
    s->n_pieces = 1 + (int)rnd(r, MAX_PIECES);
    int64_t at = 1000000;
    bool docs = rnd(r, 3) == 0;
    memset(covered, 0, sizeof covered);
    struct chunker *c = chunker_new(&o, inspect, s, &err);
    for (int i = 0; i < s->n_pieces; i++) {
        s->covered[i] = covered[i];
        at += rnd(r, 9) ? rnd(r, 600) : 8000;
        bool voice = rnd(r, 2);
        p[i] = (struct chunk_piece){ .piece = i,
                                     .voice = voice,
                                     .alone = docs && rnd(r, 2),
                                     .author = voice ? "" : "Anna",
                                     .written_at = rnd(r, 9) ? at : CLOCK_NONE,
                                     .text = text[i] };
        p[i].text_n = random_text(r, text[i], sizeof text[i]);
        check_ok(chunker_add(c, &p[i], &err), err);
    }
    check_ok(chunker_flush(c, &err), err);
    chunker_free(c);
    for (int i = 0; i < s->n_pieces; i++) {
        struct tokens t = tokens_of(text[i], p[i].text_n);
        while (p[i].voice && tokens_next(&t))
            for (size_t b = t.start; b < t.end; b++)
                if (!covered[i][b]) fail_msg("piece %d: byte %zu is in no chunk", i, b);
    }
    free(s);
}

static void invariants(void **state)
{
    unsigned r = 4711;
    for (int i = 0; i < 800; i++) one_thread(&r, i % 2);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(exchanges),
        cmocka_unit_test(question_goes_with_its_answer),
        cmocka_unit_test(long_answer_keeps_the_question),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_stop_is_passed_on),
        cmocka_unit_test(others_may_count),
        cmocka_unit_test(invariants),
    };
    return check_run("text/chunk", t);
}
