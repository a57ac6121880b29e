/* Reading: a sealed passage is opened, cut into sentences, and each sentence's words are looked up
 * and its vector is made. That takes some 200 microseconds a passage, an answer looks at two dozen,
 * and passages come again with other questions: so what was read is kept, at most READINGS_BYTES of
 * it, least recently used out first. Answers themselves are never kept.
 *
 * What is kept is personal text in the clear, as long as the retriever is open. It is wiped when it
 * goes, like every arena. */
#include "persona/reading.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/quote.h"
#include "text/sentence.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define READINGS_BYTES ((size_t)96 << 20)
#define WORDS_SHARE    4    /* of that, one part at most, for the list of words */
#define BLOCK_BYTES    2048 /* small: of each passage half the last one is empty */
#define CONTEXT_BYTES  400  /* of what the others said just before */
#define RUN_GAP        900  /* seconds between messages of one run */

struct kept {
    struct reading r;
    int64_t chunk;
    struct kept *newer, *older;
};

struct readings {
    struct home *home;
    const struct persona *p;
    struct embedder *quick;
    struct words *words;
    struct sentences *cut;
    struct map by_chunk; /* -> struct kept */
    struct kept *newest, *oldest;
    size_t bytes, limit; /* of what is kept */
    struct arena *tmp;
    struct line *line; /* of the passage at hand */
    size_t n, cap;
};

/* ---- cutting ---- */

/* The last sentence of s that ends in a question mark. */
static struct span last_question(const char *s, size_t n)
{
    size_t end = n, from;
    while (end && s[end - 1] != '?') end--;
    if (!end) return (struct span){ s, 0 };
    for (from = end - 1; from && !strchr(".!?\n", s[from - 1]); from--) {}
    return span_trim((struct span){ s + from, end - from });
}

/* Bytes of a list mark ("- ", "2. ", "> ") at the start. */
static size_t list_mark(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && i < 3 && isdigit((unsigned char)s[i])) i++;
    if (i && i + 1 < n && (s[i] == '.' || s[i] == ')') && s[i + 1] == ' ') return i + 2;
    for (i = 0; i < n && strchr("-*#>", s[i]) && i < 4; i++) {}
    if (i && i < n && s[i] == ' ') return i + 1;
    return n > 4 && !memcmp(s, "\xe2\x80\xa2 ", 4) ? 4 : 0;
}

/* A line of its own that ends without a mark while more follows: a heading, not a sentence. */
static bool is_heading(const char *seg, size_t n, size_t from, size_t to)
{
    bool alone = (from == 0 || seg[from - 1] == '\n') && to < n && seg[to] == '\n';
    bool spaced = to + 1 < n && seg[to + 1] == '\n';
    if (!alone || to - from > 80 || (from && !spaced)) return false;
    return seg[from] == '#' || isalnum((unsigned char)seg[to - 1]) || seg[to - 1] == ')' ||
           seg[to - 1] == ':';
}

/* Does segment b go on where a stopped: the same message, or the next of a run? */
static bool goes_on(const struct chunk_seg *a, const struct chunk_seg *b)
{
    if (a->piece == b->piece) return true;
    return a->written_at != CLOCK_NONE && b->written_at != CLOCK_NONE &&
           b->written_at - a->written_at >= 0 && b->written_at - a->written_at < RUN_GAP;
}

static struct line *room_for_one(struct readings *rs)
{
    if (rs->n == rs->cap) {
        size_t cap = rs->cap ? 2 * rs->cap : 64;
        struct line *grown = realloc(rs->line, cap * sizeof *grown);
        if (!grown) return NULL;
        rs->line = grown;
        rs->cap = cap;
    }
    struct line *l = &rs->line[rs->n++];
    memset(l, 0, sizeof *l);
    return l;
}

/* Which of the line's words are no function words. */
static int find_content(struct line *l)
{
    uint16_t n = 0, *at;
    for (size_t i = 0; i < l->n_words; i++) l->n_content += !l->word[i]->stop;
    if (!(at = arena_alloc(l->mem, l->n_content * sizeof *at))) return ERR_NOMEM;
    for (uint16_t i = 0; n < l->n_content; i++)
        if (!l->word[i]->stop) at[n++] = i;
    l->content = at;
    return 0;
}

/* text: the segment's, where it is kept. */
static int add_line(struct readings *rs, struct reading *r, const struct chunk_seg *c,
                    const char *text, size_t from, size_t to)
{
    struct line *l = room_for_one(rs);
    struct word_list words;
    if (!l) return ERR_NOMEM;
    size_t mark = list_mark(text + from, to - from);
    l->heading = is_heading(text, c->text_n, from, to);
    l->opens = from == 0 || (from > 1 && text[from - 1] == '\n' && text[from - 2] == '\n');
    l->item = mark > 0 && !l->heading;
    l->text = text + from + mark;
    l->n = (uint32_t)(to - from - mark);
    l->piece = c->piece;
    l->written_at = c->written_at;
    l->offset = c->offset + from + mark;
    l->hash = hash64(l->text, l->n, 0);
    l->mem = r->mem;
    int rc = words_of(rs->words, l->text, l->n, false, r->mem, &words);
    if (rc) return rc;
    l->word = words.w;
    l->n_words = (uint32_t)words.n;
    return find_content(l);
}

/* What the others said right before segment seg. */
static int look_around(struct readings *rs, struct reading *r, const struct chunk_text *t,
                       size_t seg, struct around *a)
{
    struct buf said = BUF_INIT(1 << 20);
    struct span asked = { 0 };
    size_t left = CONTEXT_BYTES;
    a->question = "";
    for (size_t i = seg; i-- > 0 && !t->seg[i].voice && left;) {
        const struct chunk_seg *c = &t->seg[i];
        size_t from = c->text_n > left ? c->text_n - left : 0;
        while (from && from < c->text_n && c->text[from] != ' ') from++;
        buf_add(&said, c->text + from, c->text_n - from);
        buf_addc(&said, '\n');
        left -= c->text_n - from;
        struct span q = last_question(c->text + from, c->text_n - from);
        if (!asked.n && q.n >= 3) asked = q;
    }
    int rc = said.failed ? ERR_NOMEM
                         : words_of(rs->words, buf_str(&said), said.n, true, r->mem, &a->context);
    if (!rc) rc = words_of(rs->words, asked.p, asked.n, true, r->mem, &a->asked);
    if (!rc && asked.n && !(a->question = arena_strndup(r->mem, asked.p, asked.n))) rc = ERR_NOMEM;
    buf_free(&said);
    return rc;
}

/* Adds the sentences of one segment; goes_on: it belongs to the same run as the last one. */
static int read_segment(struct readings *rs, struct reading *r, const struct chunk_text *t,
                        size_t seg, bool goes_on)
{
    const struct chunk_seg *c = &t->seg[seg];
    size_t from, to;
    uint32_t order = goes_on && rs->n ? rs->line[rs->n - 1].order + 1 : 0;
    struct around *a = arena_alloc(r->mem, sizeof *a);
    const char *text = arena_strndup(r->mem, c->text, c->text_n);
    int rc = a && text ? look_around(rs, r, t, seg, a) : ERR_NOMEM;
    if (rc || sentences_text(rs->cut, text, c->text_n)) return rc;
    while (!rc && sentences_next(rs->cut, &from, &to)) {
        if ((rc = add_line(rs, r, c, text, from, to))) break;
        struct line *l = &rs->line[rs->n - 1];
        l->seg = (uint32_t)seg;
        l->around = a;
        l->follows = goes_on;
        l->order = order++;
        goes_on = true;
    }
    return rc;
}

/* ---- one passage ---- */

static int embed_all(struct readings *rs, struct reading *r)
{
    size_t dim = (size_t)rs->quick->dim, n = 0;
    int rc = 0;
    for (size_t i = 0; i < r->n; i++) n += !r->line[i].heading && r->line[i].n_words;
    float *v = arena_alloc(r->mem, n * dim * sizeof *v);
    if (!v) return ERR_NOMEM;
    for (size_t i = 0; i < r->n && !rc; i++) {
        struct line *l = &r->line[i];
        if (l->heading || !l->n_words) continue;
        rc = embed_text(rs->quick, l->text, l->n, v);
        l->vector = v;
        v += dim;
    }
    return rc;
}

static int read_passage(struct readings *rs, struct reading *r, const struct chunk_text *t)
{
    bool run = false;
    rs->n = 0;
    r->title = arena_strdup(r->mem, t->title);
    int rc = r->title
                 ? words_of(rs->words, t->title, strlen(t->title), true, r->mem, &r->title_words)
                 : ERR_NOMEM;
    for (size_t i = 0; i < t->n_seg && !rc; i++) {
        if (!t->seg[i].voice) continue;
        run = run && t->seg[i - 1].voice && goes_on(&t->seg[i - 1], &t->seg[i]);
        size_t before = rs->n;
        rc = read_segment(rs, r, t, i, run);
        run |= rs->n > before;
        r->bytes += t->seg[i].text_n;
        r->most += t->seg[i].text_n / 30 + 2;
    }
    r->line = rc ? NULL : arena_alloc(r->mem, rs->n * sizeof *r->line);
    if (!r->line) return ERR_NOMEM;
    if (rs->n) memcpy(r->line, rs->line, rs->n * sizeof *r->line);
    r->n = rs->n;
    return embed_all(rs, r);
}

struct opening {
    struct readings *rs;
    struct kept *k;
    struct err *err;
};

static int open_passage(void *ud, const struct row_chunk *row)
{
    struct opening *o = ud;
    struct chunk_text t;
    arena_reset(o->rs->tmp);
    int rc = unpack_chunk(row->body, row->body_n, o->rs->tmp, &t, o->err);
    if (rc) return rc;
    return read_passage(o->rs, &o->k->r, &t) ? err_nomem(o->err) : 0;
}

/* ---- what is kept ---- */

static void let_go(struct kept *k)
{
    if (!k) return;
    arena_free(k->r.mem);
    free(k);
}

static size_t bytes_of(const struct kept *k) { return sizeof *k + arena_bytes(k->r.mem); }

static void drop_all(struct readings *rs)
{
    for (struct kept *k = rs->newest, *next; k; k = next) {
        next = k->older;
        let_go(k);
    }
    rs->newest = rs->oldest = NULL;
    rs->bytes = 0;
    map_free(&rs->by_chunk);
}

static void put_first(struct readings *rs, struct kept *k)
{
    k->newer = NULL;
    k->older = rs->newest;
    *(rs->newest ? &rs->newest->newer : &rs->oldest) = k;
    rs->newest = k;
}

static void take_out(struct readings *rs, struct kept *k)
{
    *(k->newer ? &k->newer->older : &rs->newest) = k->older;
    *(k->older ? &k->older->newer : &rs->oldest) = k->newer;
}

/* A quarter goes at once: the map cannot forget single ones and is made anew. */
static void make_room(struct readings *rs)
{
    struct kept *last = rs->oldest;
    while (last && rs->bytes > rs->limit - rs->limit / 4) {
        struct kept *newer = last->newer;
        rs->bytes -= bytes_of(last);
        let_go(last);
        last = newer;
    }
    rs->oldest = last;
    if (last) last->older = NULL;
    else rs->newest = NULL;
    map_free(&rs->by_chunk);
    for (struct kept *k = rs->newest; k; k = k->older) {
        uint64_t *slot = map_slot(&rs->by_chunk, (uint64_t)k->chunk);
        if (!slot) {
            drop_all(rs);
            return;
        }
        *slot = (uint64_t)(uintptr_t)k;
    }
}

struct readings *readings_new(struct home *h, const struct persona *p, struct embedder *quick,
                              struct err *err)
{
    struct readings *rs = calloc(1, sizeof *rs);
    if (!rs) {
        err_nomem(err);
        return NULL;
    }
    rs->home = h;
    rs->p = p;
    rs->quick = quick;
    rs->limit = READINGS_BYTES;
    rs->tmp = arena_new(0);
    rs->words = words_new(err);
    rs->cut = sentences_new(err);
    if (rs->tmp && rs->words && rs->cut) return rs;
    if (!rs->tmp) err_nomem(err);
    readings_free(rs);
    return NULL;
}

void readings_free(struct readings *rs)
{
    if (!rs) return;
    drop_all(rs);
    words_free(rs->words);
    sentences_free(rs->cut);
    arena_free(rs->tmp);
    free(rs->line);
    free(rs);
}

size_t readings_bytes(const struct readings *rs) { return rs->bytes + words_bytes(rs->words); }

void readings_limit(struct readings *rs, size_t bytes) { rs->limit = bytes; }

void readings_grew(struct readings *rs, size_t bytes) { rs->bytes += bytes; }

struct words *readings_words(const struct readings *rs) { return rs->words; }

void readings_begin(struct readings *rs)
{
    if (words_bytes(rs->words) > rs->limit / WORDS_SHARE) {
        struct words *fresh = words_new(NULL);
        drop_all(rs);
        if (!fresh) return;
        words_free(rs->words);
        rs->words = fresh;
    }
    if (rs->bytes > rs->limit) make_room(rs);
}

int readings_get(struct readings *rs, int64_t chunk, const struct reading **out, struct err *err)
{
    const uint64_t *at = map_get(&rs->by_chunk, (uint64_t)chunk);
    struct kept *k = at ? (struct kept *)(uintptr_t)*at : NULL;
    *out = NULL;
    if (k) {
        take_out(rs, k);
        put_first(rs, k);
        *out = &k->r;
        return 0;
    }
    struct opening o = { rs, calloc(1, sizeof *k), err };
    if (o.k) o.k->r.mem = arena_small(BLOCK_BYTES);
    int rc = o.k && o.k->r.mem ? 0 : err_nomem(err);
    if (!rc) rc = store_chunk_get(rs->home->store, &rs->p->seal, chunk, open_passage, &o, err);
    uint64_t *slot = rc ? NULL : map_slot(&rs->by_chunk, (uint64_t)chunk);
    if (!rc && !slot) rc = err_nomem(err);
    if (rc) {
        let_go(o.k);
        return rc;
    }
    o.k->chunk = chunk;
    *slot = (uint64_t)(uintptr_t)o.k;
    rs->bytes += bytes_of(o.k);
    put_first(rs, o.k);
    *out = &o.k->r;
    return 0;
}
