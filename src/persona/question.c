/* Reading a question. Its content words become weighted terms: rare words of the corpus weigh more
 * (their BM25 idf), words that say little about a subject ("think", "good", "ever") weigh little,
 * and words that the corpus has never seen weigh as much as its rarest: a question about something
 * unseen must not be answered by its small words. A capital inside the question makes a name, for
 * which no synonym will do.
 *
 * The first words give the kind of answer that is wanted. Only questions about a present view or
 * habit
 * ("do you", "would you", "what do you think of") can be answered by a change of mind: who, when
 * and how many have no two sides. */
#include "persona/question.h"

#include "base/str.h"
#include "text/token.h"

#include <stdio.h>
#include <string.h>

#define LIGHT       0.25f /* weight of a light word against a heavy one */
#define ATTITUDE    0.5f  /* of an attitude against what it is towards */
#define BEFORE      0.55f /* of an earlier turn's word */
#define BEFORE_MOST 0.3f  /* all of those together, against the question's own */
#define SYNONYM     0.74f
#define OTHER_FORM  0.95f /* "nursing" for "nurses": the same stem, another word */

/* Stems of words that carry little of a question's subject. */
static const char *const light_words[] = {
    "think",   "thought",  "opinion", "view",     "feel",     "say",     "said",    "tell",
    "told",    "talk",     "know",    "consid",   "want",     "get",     "got",     "make",
    "made",    "go",       "went",    "come",     "came",     "take",    "took",    "give",
    "gave",    "keep",     "good",    "better",   "best",     "bad",     "thing",   "stuff",
    "kind",    "sort",     "ever",    "never",    "favourit", "favorit", "worth",   "day",
    "time",    "year",     "peopl",   "way",      "use",      "long",    "much",    "mani",
    "right",   "like",     "happen",  "mean",     "realli",   "one",     "someon",  "someth",
    "anyth",   "anoth",    "these",   "alway",    "still",    "now",     "ago",     "life",
    "believ",  "hope",     "wish",    "prefer",   "enjoy",    "hate",    "should",  "often",
    "lot",     "quit",     "must",    "would",    "could",    "person",  "becom",   "let",
    "seem",    "look",     "find",    "whi",      "through",  "instead", "reason",  "chang",
    "mind",    "start",    "stop",    "abl",      "world",    "advic",   "advis",   "young",
    "exact",   "actual",   "describ", "rememb",   "remind",   "import",  "peopl",   "matter",
    "miss",    "learn",    "cost",    "man",      "woman",    "place",   "live",    "put",
    "caus",    "part",     "name",    "hard",     "hardest",  "first",   "last",    "next",
    "new",     "old",      "own",     "offer",    "enjoy",    "big",     "small",   "call",
    "set",     "need",     "tri",     "show",     "turn",     "help",    "sure",    "great",
    "word",    "deal",     "end",     "begin",    "began",    "finish",  "true",    "differ",
    "special", "earliest", "earli",   "late",     "moment",   "experi",  "describ", "explain",
    "spend",   "spent",    "secret",  "biggest",  "most",     "worst",   "proud",   "interest",
    "idea",    "noth",     "everyth", "somebodi", "own",
};
/* Stems of attitudes: in "are you afraid of spiders" the spiders are the subject. */
static const char *const attitudes[] = {
    "afraid", "scare", "fear", "frighten", "trust",   "love",    "angri", "asham", "sorri",
    "worri",  "happi", "sad",  "regret",   "disgust", "jealous", "fond",  "keen",  "tire",
};
/* Folded words that ask for a view, wherever they stand. */
static const char *const view_words[] = {
    "think",  "opinion",  "opinions", "view",  "views",   "feel",   "feelings",
    "reckon", "attitude", "thoughts", "stand", "believe", "stance",
};
static const char *const view_starts[] = {
    "do",    "does",  "would",  "will",  "are",   "is",       "should",    "shall", "can",
    "could", "don't", "aren't", "won't", "isn't", "wouldn't", "shouldn't", "can't",
};
static const char *const leaning[] = {
    "it", "that", "this", "they", "them",  "those", "these",
    "he", "him",  "she",  "her",  "there", "then",  "so",
};
static const char *const taste_words[] = { "like", "love",      "enjoy",    "prefer",
                                           "hate", "favourite", "favorite", "better" };
static const char *const change_words[] = { "still",   "change", "changed",
                                            "anymore", "since",  "always" };

static bool among(const char *const *list, size_t count, const char *w)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], w)) return true;
    return false;
}
#define AMONG(list, w) among(list, sizeof(list) / sizeof((list)[0]), w)

/* ---- shape ---- */

struct words { /* folded, for the shape of the question */
    char w[3][32];
    size_t n, content;
    bool leans, view, change, taste;
};

static void shape(const char *text, struct words *out)
{
    struct tokens t = tokens_of(text, strlen(text));
    memset(out, 0, sizeof *out);
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(text + t.start, t.end - t.start);
        bool joins =
            !out->n && (!strcmp(w.fold, "and") || !strcmp(w.fold, "but") || !strcmp(w.fold, "so"));
        if (joins) out->leans = true;
        if (!joins && out->n < 3) snprintf(out->w[out->n++], sizeof out->w[0], "%.31s", w.fold);
        out->view |= AMONG(view_words, w.fold);
        out->change |= AMONG(change_words, w.fold);
        out->taste |= AMONG(taste_words, w.fold);
        if (!w.stop && !AMONG(light_words, w.stem)) out->content++;
        else if (AMONG(leaning, w.fold)) out->leans = true;
    }
}

static bool among_counts(const char *w)
{
    static const char *const counts[] = { "many", "much", "old", "often",
                                          "long", "far",  "big", "tall" };
    return AMONG(counts, w);
}

static enum question_kind kind_of(const struct words *s)
{
    const char *first = s->w[0];
    if (!strcmp(first, "why")) return ASKS_WHY;
    if (!strcmp(first, "how") && !strcmp(s->w[1], "come")) return ASKS_WHY;
    if (!strcmp(first, "when")) return ASKS_WHEN;
    if (!strcmp(first, "where")) return ASKS_WHERE;
    if (!strcmp(first, "who") || !strcmp(first, "whose") || !strcmp(first, "whom")) return ASKS_WHO;
    if (!strcmp(first, "how")) return among_counts(s->w[1]) ? ASKS_HOW_MANY : ASKS_HOW;
    if (!strncmp(first, "what", 4) || !strcmp(first, "which")) return ASKS_WHAT;
    return ASKS_YES_NO;
}

static bool asks_view(const struct words *s, enum question_kind kind)
{
    if (kind == ASKS_YES_NO) return s->change || AMONG(view_starts, s->w[0]);
    return (kind == ASKS_WHAT || kind == ASKS_HOW) &&
           (s->view || s->change || !strcmp(s->w[1], "about"));
}

bool question_leans(const char *text)
{
    struct words w;
    shape(text, &w);
    bool joins = !strcmp(w.w[0], "and") || !strcmp(w.w[0], "but") || !strcmp(w.w[0], "so") ||
                 !strcmp(w.w[0], "then") ||
                 ((!strcmp(w.w[0], "what") || !strcmp(w.w[0], "how")) && !strcmp(w.w[1], "about"));
    return w.content == 0 || joins || (w.leans && w.content <= 1);
}

/* ---- terms ---- */

/* The term's own idf when the corpus has the word, else that of its commonest synonym there. */
static float idf_of(const struct bm25 *words, const struct question_term *t, bool *seen)
{
    *seen = false;
    if (!words) return 1;
    float own = bm25_idf(words, t->form[0].stem), least = own;
    *seen = bm25_df(words, t->form[0].stem) > 0;
    if (*seen) return own;
    for (size_t i = 1; i < t->n_forms; i++) {
        if (!bm25_df(words, t->form[i].stem)) continue;
        float idf = bm25_idf(words, t->form[i].stem);
        if (idf < least) least = idf;
        *seen = true;
    }
    return least;
}

static void add_term(struct question *q, const char *word, size_t n, bool before, bool name,
                     const struct bm25 *words)
{
    struct question_term *t = &q->term[q->n];
    struct token_word w = token_word(word, n);
    uint64_t syn[TERM_FORMS - 1];
    memset(t, 0, sizeof *t);
    if (w.stop || !w.stem_n || w.stem_n >= sizeof t->stem) return;
    for (size_t i = 0; i < q->n; i++)
        if (q->term[i].stem_n == w.stem_n && !memcmp(q->term[i].stem, w.stem, w.stem_n)) return;
    memcpy(t->stem, w.stem, w.stem_n);
    t->stem_n = w.stem_n;
    t->fold = hash64(w.fold, w.fold_n, 0);
    t->form[t->n_forms++] = (struct term_form){ w.key, 1 };
    t->light = w.fold_n < w.stem_n + 4 && AMONG(light_words, t->stem); /* "kind", not "kindness" */
    t->name = name && !t->light;
    t->start = t->name ? 0 : word_start(t->stem, t->stem_n);
    size_t m = t->name ? 0 : synonyms_of(t->stem, t->stem_n, syn, TERM_FORMS - 1);
    for (size_t i = 0; i < m; i++) t->form[t->n_forms++] = (struct term_form){ syn[i], SYNONYM };
    t->weight = idf_of(words, t, &t->seen) * (t->light ? LIGHT : 1.0f) * (before ? BEFORE : 1.0f);
    t->before = before;
    q->n++;
}

/* The index of a term by its stem, -1 if it is none. */
static int term_of(const struct question *q, const struct token_word *w)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->term[i].stem_n == w->stem_n && !memcmp(q->term[i].stem, w->stem, w->stem_n))
            return (int)i;
    return -1;
}

uint64_t question_turn(const char *folded, size_t n)
{
    static const char *const turned[][2] = { { "you", "i" },      { "your", "my" },
                                             { "yours", "mine" }, { "yourself", "myself" },
                                             { "you're", "i'm" }, { "you've", "i've" },
                                             { "are", "am" },     { "a", "the" },
                                             { "an", "the" } };
    for (size_t i = 0; i < sizeof turned / sizeof turned[0]; i++)
        if (strlen(turned[i][0]) == n && !memcmp(turned[i][0], folded, n))
            return hash64(turned[i][1], strlen(turned[i][1]), 0);
    return hash64(folded, n, 0);
}

static void add_pair(struct question *q, const int *term, const uint64_t *word)
{
    uint64_t the = hash64("the", 3, 0), my = hash64("my", 2, 0);
    if (q->n_pairs == QUESTION_PAIRS || (term[0] < 0 && term[1] < 0) || !word[0]) return;
    if (word[0] == the || word[0] == my || word[1] == the || word[1] == my) return;
    q->pair[q->n_pairs++] = (struct question_pair){ { term[0], term[1] }, { word[0], word[1] } };
}

static void add_text(struct question *q, const char *text, size_t n, bool before,
                     const struct bm25 *words)
{
    struct tokens t = tokens_of(text, n);
    bool first = true;
    int term[2] = { -1, -1 };
    uint64_t word[2] = { 0, 0 };
    while (tokens_next(&t) && q->n < QUESTION_TERMS) {
        if (!t.is_word) {
            if (t.end - t.start == 1 && text[t.start] == '-') continue;
            first |= t.end - t.start == 1 && strchr(".!?\n", text[t.start]);
            word[1] = 0;
            continue;
        }
        bool capital = text[t.start] >= 'A' && text[t.start] <= 'Z' && t.end - t.start > 1;
        add_term(q, text + t.start, t.end - t.start, before, capital && !first, words);
        struct token_word w = token_word(text + t.start, t.end - t.start);
        term[0] = term[1];
        word[0] = word[1];
        term[1] = w.stop ? -1 : term_of(q, &w);
        word[1] = question_turn(w.fold, w.fold_n);
        if (!before) add_pair(q, term, word);
        first = false;
    }
}

static void weigh(struct question *q)
{
    float sum = 0;
    q->heavy = 0;
    for (size_t i = 0; i < q->n; i++) sum += q->term[i].weight;
    for (size_t i = 0; i < q->n; i++) {
        struct question_term *t = &q->term[i];
        t->weight = sum > 0 ? t->weight / sum : 0;
        if (!t->light) q->heavy += t->weight;
        for (size_t k = 0; k < t->n_forms; k++)
            q->sieve[t->form[k].stem >> 6 & 15] |= 1ull << (t->form[k].stem & 63);
    }
}

/* "What about the dog?": what was said before may help to choose, not outvote the question. */
static void hold_back(struct question *q)
{
    float own = 0, before = 0;
    for (size_t i = 0; i < q->n; i++) *(q->term[i].before ? &before : &own) += q->term[i].weight;
    for (size_t i = 0; i < q->n; i++)
        if (q->term[i].before && before > BEFORE_MOST * own)
            q->term[i].weight *= BEFORE_MOST * own / before;
}

/* An attitude alone ("What is love?") is the subject; beside another word it is what is asked of
 * it. */
static void lighten_attitudes(struct question *q)
{
    size_t subjects = 0;
    for (size_t i = 0; i < q->n; i++)
        subjects += !q->term[i].light && !AMONG(attitudes, q->term[i].stem);
    for (size_t i = 0; i < q->n && subjects; i++)
        if (AMONG(attitudes, q->term[i].stem)) q->term[i].weight *= ATTITUDE;
}

void question_read(const char *text, const char *before, const struct bm25 *words,
                   struct question *out)
{
    struct words w;
    size_t heavy = 0;
    memset(out, 0, sizeof *out);
    if (!before) before = "";
    shape(text, &w);
    out->kind = kind_of(&w);
    out->opinion = asks_view(&w, out->kind);
    out->change = w.change;
    out->taste = out->opinion && w.taste;
    out->method =
        out->kind == ASKS_HOW && !out->opinion && strcmp(w.w[1], "did") && strcmp(w.w[1], "was");
    out->elliptical = *before && question_leans(text);
    out->bare = out->elliptical && w.content == 0;
    if (!out->bare) add_text(out, text, strlen(text), false, words);
    if (out->elliptical) {
        /* "Did that change?" is about what was asked, not about all that the answer spoke of. */
        size_t line = strcspn(before, "\n");
        add_text(out, before, out->bare && out->change ? line : strlen(before), true, words);
    }
    for (size_t i = 0; i < out->n; i++) heavy += !out->term[i].light;
    if (heavy > 1) lighten_attitudes(out);
    for (size_t i = 0; i < out->n && !heavy;
         i++) { /* "What do you believe?": then those are the subject */
        out->term[i].light = false;
        out->term[i].weight /= LIGHT;
    }
    if (out->elliptical && !out->bare) hold_back(out);
    weigh(out);
}

/* ---- matching ---- */

uint64_t word_start(const char *stem, size_t n)
{
    uint64_t start = 0;
    for (size_t i = 0; n >= 5 && i < 5; i++) start = start << 8 | (unsigned char)stem[i];
    return start;
}

/* Near forms that the stemmer keeps apart: "gardener" and "gardening". */
static float near(const struct question_term *t, const struct word_form *w)
{
    size_t k = 0, most = w->stem_n > t->stem_n ? w->stem_n : t->stem_n;
    while (k < w->stem_n && k < t->stem_n && w->stem[k] == t->stem[k]) k++;
    return k * 10 >= most * 7 ? 0.6f : 0;
}

bool question_meets(const struct question *q, const struct word_form *w, float *match)
{
    bool maybe = q->sieve[w->key >> 6 & 15] >> (w->key & 63) & 1;
    float here[QUESTION_TERMS], most = 0;
    size_t best = q->n;
    for (size_t i = 0; i < q->n; i++) {
        const struct question_term *t = &q->term[i];
        here[i] = t->start && t->start == w->start ? near(t, w) : 0;
        for (size_t k = 0; maybe && k < t->n_forms; k++)
            if (t->form[k].stem == w->key && t->form[k].weight > here[i])
                here[i] = t->form[k].weight;
        if (here[i] == 1 && t->fold != w->fold) here[i] = OTHER_FORM;
        if (here[i] > most) most = here[i], best = i;
    }
    for (size_t i = 0; most > 0 && i < q->n; i++) {
        float m = i == best ? here[i] : 0.4f * here[i];
        if (m > match[i]) match[i] = m;
    }
    return most > 0;
}

void question_match(const struct question *q, const struct token_word *w, float *match)
{
    struct word_form form = { w->key, hash64(w->fold, w->fold_n, 0), word_start(w->stem, w->stem_n),
                              w->stem, w->stem_n };
    question_meets(q, &form, match);
}

float question_cover(const struct question *q, const float *match)
{
    float sum = 0;
    for (size_t i = 0; i < q->n; i++) sum += q->term[i].weight * match[i];
    return sum;
}

float question_cover_heavy(const struct question *q, const float *match)
{
    float sum = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!q->term[i].light) sum += q->term[i].weight * match[i];
    return q->heavy > 0 ? sum / q->heavy : 0;
}

size_t question_expand(const struct question *q, struct bm25_term *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++)
        for (size_t k = 1; k < q->term[i].n_forms && n < cap && !q->term[i].light; k++)
            out[n++] = (struct bm25_term){ q->term[i].form[k].stem, 0.45f };
    return n;
}
