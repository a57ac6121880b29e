/* What a topic is called: class-based TF-IDF (Grootendorst, "BERTopic", 2022) over the key phrases
 * of its chunks. The weight of a phrase in a topic is
 *
 *     count in the topic * ln(1 + A / count in all) * sqrt(count in the topic / count in all)
 *
 * with A the mean number of phrases in a topic; the root prefers what belongs to this topic over
 * what is everywhere. Counts are chunks that have the phrase as a key phrase, told apart by phrase
 * key (so that "old boat" and "old boats" are one), and shown as it is spelt most often.
 *
 * A label joins two or three phrases of which none holds another, and no two topics share a phrase
 * in their labels: the larger topic chooses first. Of many chunks only every n/SAMPLE-th is
 * asked. */
#include "persona/topic_impl.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE      20000
#define CANDIDATES  40
#define LABEL_PARTS 3
#define LONGER      1.3 /* a phrase of several words says more than one word */

struct use { /* a phrase of one chunk */
    uint64_t key;
    int32_t topic;
    const char *text;
};

struct cand {
    uint64_t key;
    const char *text;
    double weight;
    uint32_t count;
};

static int by_topic(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    if (x->topic != y->topic) return x->topic < y->topic ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return strcmp(x->text, y->text);
}

static bool better(const struct cand *a, const struct cand *b)
{
    if (a->weight != b->weight) return a->weight > b->weight;
    int d = strcmp(a->text, b->text);
    return d < 0 || (d == 0 && a->key < b->key);
}

/* Insert into a short list, best first. */
static void keep(struct cand *list, size_t *n, const struct cand *c)
{
    size_t i = *n;
    if (i == CANDIDATES) {
        if (!better(c, &list[i - 1])) return;
        i--;
    } else {
        ++*n;
    }
    for (; i > 0 && better(c, &list[i - 1]); i--) list[i] = list[i - 1];
    list[i] = *c;
}

static bool word_edge(const char *s, const char *p, size_t n)
{
    return (p == s || p[-1] == ' ' || p[-1] == '-') && (p[n] == 0 || p[n] == ' ' || p[n] == '-');
}

/* Does one hold the other, whole words, case ignored? The last letters may differ: "boat",
 * "boats". */
static bool holds(const char *text, const char *part)
{
    size_t n = strlen(part);
    struct span hay = span_of(text);
    for (const char *p; n && (p = span_ifind(hay, part));) {
        if (word_edge(text, p, n) || (p[n] == 's' && word_edge(text, p, n + 1))) return true;
        hay = (struct span){ p + 1, hay.n - (size_t)(p + 1 - hay.p) };
    }
    return false;
}

static bool alike(const char *a, const char *b) { return holds(a, b) || holds(b, a); }

/* One run of equal (topic, key) in sorted uses: its length and commonest spelling. */
static size_t run_of(const struct use *u, size_t n, const char **text)
{
    size_t len = 0, best = 0;
    while (len < n && u[len].topic == u[0].topic && u[len].key == u[0].key) {
        size_t same = 1;
        while (len + same < n && u[len + same].topic == u[0].topic &&
               u[len + same].key == u[0].key && !strcmp(u[len + same].text, u[len].text))
            same++;
        if (same > best) {
            best = same;
            *text = u[len].text;
        }
        len += same;
    }
    return len;
}

static int collect(const struct topic_item *item, size_t n, struct use **out, size_t *n_out,
                   struct map *total)
{
    size_t step = (n + SAMPLE - 1) / SAMPLE, room = 0, k = 0;
    for (size_t i = 0; i < n; i += step)
        if (item[i].topic >= 0) room += item[i].n_phrase;
    struct use *u = malloc((room ? room : 1) * sizeof *u);
    if (!u) return ERR_NOMEM;
    for (size_t i = 0; i < n; i += step) {
        if (item[i].topic < 0) continue;
        for (size_t p = 0; p < item[i].n_phrase; p++) {
            const struct phrase *ph = &item[i].phrase[p];
            uint64_t *slot = map_slot(total, ph->key);
            if (!slot) {
                free(u);
                return ERR_NOMEM;
            }
            ++*slot;
            u[k++] = (struct use){ ph->key, item[i].topic, ph->text };
        }
    }
    if (k) qsort(u, k, sizeof *u, by_topic);
    *out = u;
    *n_out = k;
    return 0;
}

/* The best phrases of the topic whose uses begin at u; returns how many uses were its. */
static size_t candidates(const struct use *u, size_t n, const struct map *total, double mean,
                         uint32_t least, struct cand *list, size_t *n_list)
{
    size_t i = 0;
    int32_t topic = u[0].topic;
    *n_list = 0;
    while (i < n && u[i].topic == topic) {
        struct cand c = { .key = u[i].key };
        size_t len = run_of(u + i, n - i, &c.text);
        double all = (double)*map_get(total, c.key);
        c.count = (uint32_t)len;
        c.weight = (double)len * log(1 + mean / all) * sqrt((double)len / all);
        if (strchr(c.text, ' ')) c.weight *= LONGER;
        if (len >= least && c.text[0]) keep(list, n_list, &c);
        i += len;
    }
    return i;
}

static int fill_phrases(struct topic *t, const struct cand *list, size_t n)
{
    size_t cap = sizeof t->phrases / sizeof *t->phrases;
    for (size_t i = 0; i < n && t->n_phrases < cap; i++) {
        bool like = false;
        for (size_t k = 0; k < t->n_phrases; k++) like |= alike(t->phrases[k], list[i].text);
        if (like) continue;
        if (!(t->phrases[t->n_phrases] = str_dup(list[i].text))) return ERR_NOMEM;
        t->n_phrases++;
    }
    return 0;
}

/* Two phrases, and a third where it is nearly as telling as the second. */
static int fill_label(struct topic *t, const struct cand *list, size_t n, struct map *taken)
{
    struct buf b = BUF_INIT(1024);
    const char *part[LABEL_PARTS];
    size_t parts = 0;
    double second = 0;
    for (size_t i = 0; i < n && parts < LABEL_PARTS; i++) {
        bool like = map_get(taken, list[i].key) != NULL;
        for (size_t k = 0; k < parts; k++) like |= alike(part[k], list[i].text);
        if (like || (parts == 2 && list[i].weight < 0.6 * second)) continue;
        uint64_t *slot = map_slot(taken, list[i].key);
        if (!slot) {
            buf_free(&b);
            return ERR_NOMEM;
        }
        *slot = 1;
        second = list[i].weight;
        buf_printf(&b, "%s%s", parts ? ", " : "", list[i].text);
        part[parts++] = list[i].text;
    }
    if (!parts) buf_printf(&b, "topic %d", t->id + 1);
    t->label = buf_take(&b);
    return t->label ? 0 : ERR_NOMEM;
}

int topics_label(struct topics *ts, const struct topic_item *item, size_t n)
{
    struct map total = { 0 }, taken = { 0 };
    struct use *u = NULL;
    struct cand list[CANDIDATES];
    size_t n_use = 0, at = 0;
    int rc = n ? collect(item, n, &u, &n_use, &total) : 0;
    double mean = ts->n ? (double)n_use / (double)ts->n : 0;
    for (size_t t = 0; !rc && t < ts->n; t++) {
        size_t n_list = 0;
        uint32_t least = ts->t[t].chunks < 6 ? 1 : 2 + ts->t[t].chunks / 60;
        if (at < n_use && u[at].topic == (int32_t)t) {
            size_t mine = candidates(u + at, n_use - at, &total, mean, least, list, &n_list);
            if (n_list < 2 && least > 1)
                candidates(u + at, n_use - at, &total, mean, 1, list, &n_list);
            at += mine;
        }
        rc = fill_phrases(&ts->t[t], list, n_list);
        if (!rc) rc = fill_label(&ts->t[t], list, n_list, &taken);
    }
    free(u);
    map_free(&total);
    map_free(&taken);
    return rc;
}
