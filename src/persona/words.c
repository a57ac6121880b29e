/* Words of the passages that were read, each held once. A passage is then a list of pointers, and a
 * question looks at each different word once, however often it stands in what is searched: the
 * outcome is written beside the word, with the number of the asking, so nothing needs to be wiped
 * between questions.
 *
 * Words are told apart by the hash of their folded form. They are never removed one by one; whoever
 * owns the list throws all away when it has grown too large. */
#include "persona/reading.h"

#include "base/map.h"
#include "base/str.h"
#include "text/token.h"

#include <stdlib.h>
#include <string.h>

struct words {
    struct map by_fold; /* -> struct word */
    struct arena *mem;
    struct word **list; /* of the text at hand */
    size_t cap;
    uint64_t askings;
};

struct words *words_new(struct err *err)
{
    struct words *ws = calloc(1, sizeof *ws);
    if (ws && (ws->mem = arena_new(0))) return ws;
    free(ws);
    err_nomem(err);
    return NULL;
}

void words_free(struct words *ws)
{
    if (!ws) return;
    map_free(&ws->by_fold);
    arena_free(ws->mem);
    free(ws->list);
    free(ws);
}

size_t words_bytes(const struct words *ws)
{
    return arena_bytes(ws->mem) + ws->by_fold.cap * sizeof(struct map_entry) +
           ws->cap * sizeof(struct word *);
}

static struct word *find(struct words *ws, const struct token_word *t)
{
    uint64_t fold = hash64(t->fold, t->fold_n, 0);
    uint64_t *slot = map_slot(&ws->by_fold, fold);
    if (!slot) return NULL;
    if (*slot) return (struct word *)(uintptr_t)*slot;
    struct word *w = arena_alloc(ws->mem, sizeof *w);
    char *stem = w ? arena_strndup(ws->mem, t->stem, t->stem_n) : NULL;
    if (!stem) return NULL;
    w->form = (struct word_form){ t->key, fold, word_start(t->stem, t->stem_n), stem, t->stem_n };
    w->turned = question_turn(t->fold, t->fold_n);
    w->stop = t->stop;
    *slot = (uint64_t)(uintptr_t)w;
    return w;
}

static int push(struct words *ws, size_t n, struct word *w)
{
    if (n == ws->cap) {
        size_t cap = ws->cap ? 2 * ws->cap : 256;
        struct word **grown = realloc(ws->list, cap * sizeof(struct word *));
        if (!grown) return ERR_NOMEM;
        ws->list = grown;
        ws->cap = cap;
    }
    ws->list[n] = w;
    return 0;
}

int words_of(struct words *ws, const char *s, size_t n, bool content, struct arena *mem,
             struct word_list *out)
{
    struct tokens t = tokens_of(s, n);
    size_t k = 0;
    *out = (struct word_list){ 0 };
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word word = token_word(s + t.start, t.end - t.start);
        if (content && word.stop) continue;
        struct word *w = find(ws, &word);
        if (!w || push(ws, k++, w)) return ERR_NOMEM;
    }
    if (!k) return 0;
    out->w = arena_alloc(mem, k * sizeof(struct word *));
    if (!out->w) return ERR_NOMEM;
    memcpy(out->w, ws->list, k * sizeof(struct word *));
    out->n = k;
    return 0;
}

/* ---- a question ---- */

void asking_begin(struct asking *a, struct words *ws, const struct question *q, struct arena *mem)
{
    *a = (struct asking){ .q = q, .mem = mem, .number = ++ws->askings };
}

static const float *match_of(struct asking *a, const struct word *w)
{
    float match[QUESTION_TERMS] = { 0 }, *kept;
    if (w->stop || !question_meets(a->q, &w->form, match)) return NULL;
    kept = arena_alloc(a->mem, a->q->n * sizeof *kept);
    if (kept) memcpy(kept, match, a->q->n * sizeof *kept);
    else a->failed = true;
    return kept;
}

const float *asking_meet(struct asking *a, struct word *w)
{
    w->asked = a->number;
    return w->match = match_of(a, w);
}

void asking_match_all(struct asking *a, const struct word_list *l, float *match)
{
    for (size_t i = 0; i < l->n; i++) {
        const float *m = asking_match(a, l->w[i]);
        for (size_t k = 0; m && k < a->q->n; k++)
            if (m[k] > match[k]) match[k] = m[k];
    }
}
