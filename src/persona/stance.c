/* Which way a sentence leans, and whether two of them show a change of mind.
 *
 * Stance is counted, not understood: leaning words (text/polarity.h), turned round by a negation in the three
 * words before; a negation without a leaning word ("I will never live in a city") leans against; a
 * plain first-person statement leans slightly for. A change of mind is a pair of sentences, from different pieces at
 * least MONTH_AND_A_HALF apart, that both speak of the question's main words and lean opposite ways,
 * or whose newer one says so itself ("I was wrong about", "I used to think"). */
#include "persona/quote.h"

#include "base/str.h"
#include "text/polarity.h"
#include "text/token.h"

#include <math.h>
#include <string.h>

#define APART (45 * 86400)

static const struct {
    const char *words;
    float weight;
} marks[] = {
    { "changed my mind", 1 }, { "change of mind", 1 }, { "i was wrong", 1 }, { "i've been wrong", 0.8f },
    { "was wrong about", 1 }, { "i take it back", 1 }, { "i take back", 0.9f }, { "i used to", 0.8f },
    { "no longer", 0.7f }, { "not any more", 0.7f }, { "anymore", 0.6f }, { "any more", 0.4f },
    { "these days", 0.5f }, { "nowadays", 0.5f }, { "i've come round", 1 }, { "came round to", 0.9f },
    { "come round to", 0.9f }, { "i'm converted", 1 }, { "converted", 0.6f }, { "i swore", 0.8f },
    { "i said i'd never", 1 }, { "i said never", 1 }, { "i said i would never", 1 }, { "said i'd never", 1 },
    { "eat my words", 1 }, { "ate my words", 1 }, { "turns out", 0.4f }, { "turned out", 0.4f },
    { "i've given up", 0.6f }, { "given up", 0.5f }, { "i've stopped", 0.6f }, { "i gave up", 0.5f },
    { "once thought", 0.9f }, { "i never thought", 0.7f }, { "who'd have thought", 0.7f },
    { " again", 0.25f }, { " now", 0.3f }, { "on every ride now", 0.6f }, { "deleted", 0.4f },
};

/* Lower-cased, apostrophes made plain, one leading space: for looking up phrases. */
static void plain(const char *s, size_t n, struct buf *out)
{
    buf_addc(out, ' ');
    utf8_fold(out, s, n);
}

static float change_marks(const char *folded)
{
    float best = 0;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (marks[i].weight > best && strstr(folded, marks[i].words)) best = marks[i].weight;
    return best;
}

void stance_read(const char *s, size_t n, float *stance, float *explicit_change)
{
    struct tokens t = tokens_of(s, n);
    struct buf b = BUF_INIT(1 << 20);
    float sum = 0;
    int since_negation = 99, leaning = 0, negations = 0;
    bool first_person = false, question = n && s[n - 1] == '?';
    while (tokens_next(&t)) {
        char f[64];
        if (!t.is_word) {
            if (t.end - t.start == 1 && strchr(",;:.", s[t.start])) since_negation = 99;
            continue;
        }
        size_t k = token_fold(s + t.start, t.end - t.start, f, sizeof f);
        int p = polarity_word(f, k);
        first_person |= !strcmp(f, "i") || !strncmp(f, "i'", 2) || !strcmp(f, "my") || !strcmp(f, "we");
        if (polarity_negates(f, k)) {
            since_negation = 0;
            negations++;
            continue;
        }
        since_negation++;
        if (p) {
            sum += since_negation <= 4 ? -0.8f * (float)p : (float)p;
            leaning++;
        }
    }
    if (!leaning) sum = negations ? -0.7f : first_person ? 0.3f : 0;
    *stance = question ? 0 : tanhf(sum);
    plain(s, n, &b);
    *explicit_change = question ? 0 : change_marks(buf_str(&b));
    buf_free(&b);
}

/* Both speak of the same: every heavy term that one matches, the other matches too. */
static float shared_subject(const struct question *q, const struct sentence *a, const struct sentence *b)
{
    float both = 0, subject = 0;
    for (size_t i = 0; i < q->n; i++) {
        if (q->term[i].light) continue;
        subject += q->term[i].weight;
        both += q->term[i].weight * fminf(a->match[i], b->match[i]);
    }
    return subject > 0 ? both / subject : 0;
}

/* How well (older, newer) shows a change; 0: it does not. */
static float change_of(const struct question *q, const struct sentence *older,
                       const struct sentence *newer)
{
    if (older->piece == newer->piece || older->written_at == CLOCK_NONE ||
        newer->written_at == CLOCK_NONE || newer->written_at - older->written_at < APART)
        return 0;
    float subject = shared_subject(q, older, newer);
    if (subject < 0.45f) return 0;
    float against = older->stance * newer->stance < 0 ? fabsf(older->stance - newer->stance) : 0;
    float told = newer->explicit_change;
    if (against < 0.55f && told < 0.75f) return 0;
    if (fabsf(older->stance) < 0.2f) return 0;
    float overlap = sentences_overlap(older, newer);
    return subject * (0.5f * against + 0.6f * told + 0.5f * overlap) * (older->score + newer->score);
}

bool stance_changed(const struct question *q, const struct sentence *s, size_t n, float floor,
                    size_t *newer, size_t *older)
{
    float best = 0;
    size_t most = n > 24 ? 24 : n;
    for (size_t i = 0; i < most; i++)
        for (size_t k = 0; k < most; k++) {
            if (i == k || s[i].cover < floor || s[k].cover < floor) continue;
            float c = change_of(q, &s[i], &s[k]);
            if (c > best) best = c, *older = i, *newer = k;
        }
    return best > 0.25f;
}
