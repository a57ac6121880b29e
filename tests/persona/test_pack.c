/* Packed bodies: a round trip, then every truncation and a storm of damage. */
#include "check.h"
#include "persona/pack.h"

static struct err err;

static const struct piece PIECE = { .text = "What I wrote.\nSecond line.",
                                    .author = "Ann Lee",
                                    .author_id = "ann@example.org",
                                    .title = "Subject",
                                    .thread = "t1",
                                    .id = "<1@x>",
                                    .reply_to = "<0@x>",
                                    .quoted = "What they wrote" };

static void make_chunk(struct buf *b)
{
    struct chunk_seg seg[] = {
        { .piece = 7, .written_at = CLOCK_NONE, .author = "Bob", .text = "And you?", .text_n = 8 },
        { .piece = INT64_MAX,
          .voice = true,
          .overlap = true,
          .written_at = -5,
          .author = "",
          .text = "Me too.",
          .text_n = 7,
          .offset = 4000000000u },
    };
    struct phrase ph[] = { { "old boat", 0x123456789ABCDEFu, 1.5f }, { "", 0, -0.0f } };
    struct chunk_text c = { "Title", seg, 2, ph, 2 };
    check_int(pack_chunk(b, &c), 0);
}

static void pieces_round_trip(void **state)
{
    struct buf b = BUF_INIT(0);
    struct arena *a = arena_new(0);
    struct piece p;
    check_int(pack_piece(&b, &PIECE), 0);
    check_ok(unpack_piece(b.p, b.n, a, &p, &err), err);
    check_str(p.text, PIECE.text);
    check_str(p.author, PIECE.author);
    check_str(p.author_id, PIECE.author_id);
    check_str(p.title, PIECE.title);
    check_str(p.thread, PIECE.thread);
    check_str(p.id, PIECE.id);
    check_str(p.reply_to, PIECE.reply_to);
    check_str(p.quoted, PIECE.quoted);
    check_int(p.written_at, CLOCK_NONE);
    check_str(p.lang, ""); /* as of pieces stored before languages were told */
    buf_clear(&b);
    struct piece told = PIECE;
    told.lang = "de";
    check_int(pack_piece(&b, &told), 0);
    check_ok(unpack_piece(b.p, b.n, a, &p, &err), err);
    check_str(p.lang, "de");
    check_str(p.text, PIECE.text);
    check_int(unpack_piece(b.p, b.n - 1, a, &p, &err), ERR_PARSE);
    buf_clear(&b);
    struct piece none = { 0 }; /* NULLs come back as "" */
    check_int(pack_piece(&b, &none), 0);
    check_ok(unpack_piece(b.p, b.n, a, &p, &err), err);
    check_str(p.text, "");
    check_str(p.quoted, "");
    buf_free(&b);
    arena_free(a);
}

static void chunks_round_trip(void **state)
{
    struct buf b = BUF_INIT(0), plain = BUF_INIT(0);
    struct arena *a = arena_new(0);
    struct chunk_text c;
    make_chunk(&b);
    check_ok(unpack_chunk(b.p, b.n, a, &c, &err), err);
    check_str(c.title, "Title");
    check_int(c.n_seg, 2);
    check_int(c.seg[0].piece, 7);
    check_int(c.seg[0].written_at, CLOCK_NONE);
    check_str(c.seg[0].author, "Bob");
    check_int(c.seg[0].voice, 0);
    check_int(c.seg[1].piece, INT64_MAX);
    check_int(c.seg[1].voice, 1);
    check_int(c.seg[1].overlap, 1);
    check_int(c.seg[1].written_at, -5);
    check_int(c.seg[1].offset, 4000000000);
    check_str(c.seg[1].text, "Me too.");
    check_int(c.seg[1].text_n, 7);
    check_int(c.n_phrase, 2);
    check_str(c.phrase[0].text, "old boat");
    check_int(c.phrase[0].key, 0x123456789ABCDEF);
    check_near(c.phrase[0].weight, 1.5, 0);
    chunk_plain(&c, false, &plain);
    check_str(buf_str(&plain), "And you?\nMe too.");
    buf_clear(&plain);
    chunk_plain(&c, true, &plain);
    check_str(buf_str(&plain), "Me too.");
    struct chunk_text none = { 0 };
    buf_clear(&b);
    check_int(pack_chunk(&b, &none), 0);
    check_ok(unpack_chunk(b.p, b.n, a, &c, &err), err);
    check_int(c.n_seg + c.n_phrase, 0);
    check_str(c.title, "");
    buf_free(&b);
    buf_free(&plain);
    arena_free(a);
}

static size_t touch_piece(const struct piece *p)
{
    return strlen(p->text) + strlen(p->author) + strlen(p->author_id) + strlen(p->title) +
           strlen(p->thread) + strlen(p->id) + strlen(p->reply_to) + strlen(p->quoted);
}

static size_t touch_chunk(const struct chunk_text *c)
{
    size_t n = strlen(c->title);
    for (size_t i = 0; i < c->n_seg; i++) {
        n += strlen(c->seg[i].author) + strlen(c->seg[i].text);
        check_int(strlen(c->seg[i].text), c->seg[i].text_n);
    }
    for (size_t i = 0; i < c->n_phrase; i++) {
        n += strnlen(c->phrase[i].text, PHRASE_BYTES);
        assert_true(memchr(c->phrase[i].text, 0, PHRASE_BYTES) != NULL);
        assert_true(c->phrase[i].weight - c->phrase[i].weight == 0); /* finite */
    }
    return n;
}

/* What does unpack is whole; returns whether both did not. */
static bool both_refused(const char *body, size_t n)
{
    struct arena *a = arena_new(1 << 20);
    struct piece p;
    struct chunk_text c;
    char *copy = malloc(n ? n : 1);
    memcpy(copy, body, n);
    int r1 = unpack_piece(copy, n, a, &p, &err), r2 = unpack_chunk(copy, n, a, &c, &err);
    if (!r1) touch_piece(&p);
    else check_int(r1, ERR_PARSE);
    if (!r2) touch_chunk(&c);
    else assert_true(r2 == ERR_PARSE || r2 == ERR_NOMEM);
    free(copy);
    arena_free(a);
    return r1 && r2;
}

static void every_truncation_is_refused(void **state)
{
    struct buf p = BUF_INIT(0), c = BUF_INIT(0);
    pack_piece(&p, &PIECE);
    make_chunk(&c);
    for (size_t n = 0; n < p.n; n++) assert_true(both_refused(p.p, n));
    for (size_t n = 0; n < c.n; n++) assert_true(both_refused(c.p, n));
    p.p[0] = 2; /* a version to come */
    assert_true(both_refused(p.p, p.n));
    buf_free(&p);
    buf_free(&c);
}

static void damage_never_crashes(void **state)
{
    struct buf b[2] = { BUF_INIT(0), BUF_INIT(0) };
    uint64_t x = 88172645463325252u;
    pack_piece(&b[0], &PIECE);
    make_chunk(&b[1]);
    for (int round = 0; round < 40000; round++) {
        const struct buf *of = &b[round & 1];
        char copy[1024];
        memcpy(copy, of->p, of->n);
        for (int k = 0; k <= round % 3; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            static const unsigned char odd[] = { 0, 1, 0x7F, 0x80, 0xFF };
            copy[x % of->n] = (char)(x >> 32 & 1 ? odd[(x >> 40) % 5] : x >> 48);
        }
        both_refused(copy, of->n);
    }
    buf_free(&b[0]);
    buf_free(&b[1]);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(pieces_round_trip),
        cmocka_unit_test(chunks_round_trip),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(damage_never_crashes),
    };
    return check_run("persona/pack", t);
}
