/* Masks: people who are only spoken of, as all texts of the persona together know them (named.h).
 *
 * Each whole name has its pseudonym from the start, so that one that was given another day can be
 * revealed, and in an order of their own, so that it is the same. In labels and titles, where a
 * name stands alone and nothing around it speaks for a person, its first and last word stand for
 * it, too; where two people have such a word, for somebody whom nobody else is. In running text
 * they do not: there mention.h looks at what is around, and two Annas are two people. */
#include "base/str.h"
#include "persona/mask_impl.h"

#include <stdlib.h>
#include <string.h>

#define ALONE_CHARS 3

struct alone { /* a word that stands for somebody */
    uint64_t hash, key;
    const char *shown; /* NULL: for several */
    const char *text;  /* as it is written */
};

/* Word i of a name; NULL: no memory. */
static const char *word_of(struct mask *m, const char *name, int i)
{
    struct tokens t = tokens_of(name, strlen(name));
    while (tokens_next(&t))
        if (t.is_word && i-- == 0) break;
    return arena_strndup(m->mem, name + t.start, mask_base(name + t.start, t.end - t.start));
}

static int whole_name(struct mask *m, const struct named *x, const struct mask_words *w,
                      const char **shown)
{
    char key[MASK_KEY];
    *shown = w->n > 1 ? mask_entry(m, w->hash, w->n) : NULL;
    if (*shown) return 0; /* somebody who writes, too */
    *shown = mask_pseudonym(m, KIND_PERSON, mask_key_of_name(x->word, x->n, key), x->name);
    return *shown ? 0 : ERR_NOMEM;
}

static int note_word(struct mask *m, struct map *at, struct alone *list, size_t *n,
                     const struct named *x, const struct mask_words *w, int i, const char *shown)
{
    if (w->chars[i] < ALONE_CHARS || map_get(&m->own, w->hash[i]) || mask_entry(m, &w->hash[i], 1))
        return 0;
    uint64_t *slot = map_slot(at, w->hash[i]);
    if (!slot) return ERR_NOMEM;
    if (!*slot) {
        list[*n] = (struct alone){ w->hash[i], x->word[i], shown, word_of(m, x->name, i) };
        *slot = ++*n;
        return list[*n - 1].text ? 0 : ERR_NOMEM;
    }
    struct alone *a = &list[*slot - 1];
    if (x->n > 1 && a->shown != shown) a->shown = NULL;
    return 0;
}

static int add_alone(struct mask *m, const struct alone *a)
{
    char key[MASK_KEY];
    const char *shown = a->shown;
    if (!shown) shown = mask_pseudonym(m, KIND_PERSON, mask_key_of_name(&a->key, 1, key), a->text);
    return shown ? mask_entry_add(m, &a->hash, 1, MASK_LARGE | MASK_LABELS, shown) : ERR_NOMEM;
}

/* whole: those of several words, which come first: "Brandt" is Hildegard Brandt, when there is
 * one. */
static int note_names(struct mask *m, const struct named_list *l, bool whole, struct map *at,
                      struct alone *list, size_t *n)
{
    int rc = 0;
    for (size_t i = 0; i < l->n && !rc; i++) {
        const struct named *x = &l->p[i];
        struct mask_words w;
        const char *shown;
        if ((x->n > 1) != whole) continue;
        mask_words_of(x->name, &w);
        if (w.more || w.n != x->n) continue;
        rc = whole_name(m, x, &w, &shown);
        if (!rc && (x->alone & NAMED_FIRST)) rc = note_word(m, at, list, n, x, &w, 0, shown);
        if (!rc && whole && (x->alone & NAMED_LAST))
            rc = note_word(m, at, list, n, x, &w, x->n - 1, shown);
    }
    return rc;
}

int mask_named(struct mask *m, const struct named_list *l)
{
    struct map at = { 0 };
    struct alone *list = calloc(l->n * 2 + 1, sizeof *list);
    size_t n = 0;
    int rc = list ? note_names(m, l, true, &at, list, &n) : ERR_NOMEM;
    if (!rc) rc = note_names(m, l, false, &at, list, &n);
    for (size_t i = 0; i < n && !rc; i++) rc = add_alone(m, &list[i]);
    map_free(&at);
    free(list);
    return rc ? ERR_NOMEM : 0;
}
