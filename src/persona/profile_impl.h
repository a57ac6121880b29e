/* What the files of the style profile share: the counter itself, and the word lists. Private to
 * profile_*.c; everybody else includes profile.h. */
#ifndef LK_PERSONA_PROFILE_IMPL_H
#define LK_PERSONA_PROFILE_IMPL_H

#include "base/map.h"
#include "persona/profile.h"
#include "text/sentence.h"

#include <jansson.h>

/* What a word is, settled once when it is first seen. Lists hold folded words. */
enum word_flag {
    WF_STOP = 1 << 0, /* a function word */
    WF_HEDGE = 1 << 1,
    WF_INTENSE = 1 << 2,
    WF_POSITIVE = 1 << 3,
    WF_NEGATIVE = 1 << 4,
    WF_FIRST = 1 << 5,       /* I, me, my, ... */
    WF_SHORT = 1 << 6,       /* a contraction written without its apostrophe: dont */
    WF_NEGATES = 1 << 7,     /* not, never, don't */
    WF_OPENER = 1 << 8,      /* an adverb or interjection that opens sentences without a comma */
    WF_WEAK_END = 1 << 10,   /* articles, prepositions, ...: no phrase ends with one */
    WF_WEAK_START = 1 << 11, /* no phrase begins with one */
    WF_PAIR_START = 1 << 12, /* and no phrase of two words */
    WF_DIGIT = 1 << 13,
};

struct pword {     /* a distinct word */
    uint32_t text; /* offset in words_text, NUL-terminated, folded (with 's kept) */
    uint32_t count, pieces, last_piece;
    uint32_t mid_upper, mid_lower;     /* how it is written inside sentences */
    uint32_t start_upper, start_lower; /* and at their start */
    uint16_t flags, in_window;
    uint64_t stem;
};

struct pgram { /* 2-4 words that stood together; n 0: a free slot */
    uint64_t key;
    uint32_t word[4];
    uint32_t count, slack; /* slack: occurrences that pruning may have lost */
    uint32_t pieces, last_piece;
    uint8_t n, comma; /* comma: openers that were followed by one */
};

struct gramtab { /* lossy counting (Manku and Motwani, 2002) in a table that does not grow */
    struct pgram *e, *spare;
    size_t cap, n, max;
    uint32_t floor; /* what a new entry may have lost */
};

#define PROFILE_WINDOW 1000   /* words of the moving type-token ratio */
#define PROFILE_VOCAB  300000 /* distinct words kept; what comes later is one unknown word */

struct profile_counter {
    struct sentences *it;
    struct map vocab;   /* hash of the word -> index in word[] */
    struct pword *word; /* [0] is the unknown word */
    size_t n_words, cap_words;
    struct buf text; /* the words themselves */
    struct gramtab grams, openers;
    uint32_t *ring;    /* last PROFILE_WINDOW word ids */
    uint64_t distinct; /* in the ring now */
    double mattr;      /* sum over full windows */
    uint64_t windows;
    uint64_t pieces, by_kind[3], words, letters, long_words, contractions, first_person;
    uint64_t sentences, questions, exclaims, ellipses, capitals, cased, emoji;
    uint64_t hedges, intense, positive, negative;
    double len_sum, len_sq; /* words per sentence */
    int64_t from, to;
    int failed;
};

/* ---- profile_lists.c ---- */
/* Flags of a folded word. */
unsigned profile_word_flags(const char *fold, size_t n);
/* Adds the stems (hash64) of the words that everybody uses often. 0 or ERR_NOMEM. */
int profile_common_set(struct map *set);
bool profile_phrase_ordinary(const char *phrase); /* what everybody says: "a lot of" */
bool profile_phrase_idiom(const char *phrase); /* only function words, yet a manner: "by and by" */
bool profile_pair_hedges(const char *a, const char *b);

/* ---- profile_count.c ---- */
const char *profile_word_text(const struct profile_counter *c, uint32_t id);

/* ---- profile_pick.c ---- */
/* Arrays of strings for the JSON; NULL when out of memory. */
json_t *profile_pick_phrases(struct profile_counter *c);
json_t *profile_pick_openers(struct profile_counter *c);
json_t *profile_pick_words(struct profile_counter *c);

#endif
