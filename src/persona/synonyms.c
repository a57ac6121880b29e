/* Everyday synonyms. A stranger asks about "your father's illness"; the person wrote "Dad is poorly".
 * Until an embedder that knows meaning is in use, this short list bridges the commonest of such gaps: kin,
 * home, work, money, body, feelings, travel. Written for this project. Groups are compared by stem, so "child" also meets
 * "children" only because both are listed where the stemmer does not join them. */
#include "persona/question.h"

#include "base/str.h"
#include "text/token.h"

#include <pthread.h>
#include <string.h>

static const char *const groups[] = {
    "father dad daddy papa pa", "mother mum mom mummy mama ma", "brother sibling", "sister sibling",
    "grandfather grandad grandpa granddad", "grandmother gran granny grandma nan",
    "child children kid kids son daughter", "girl child young", "boy child young", "baby infant",
    "husband spouse married", "wife spouse married", "marry married marriage wedding wed wife husband",
    "divorce divorced separated", "parent parents father mother mum dad", "family relatives",
    "friend mate pal friendship", "neighbour neighbor", "die died death dead dying passed funeral",
    "ill illness sick disease poorly unwell", "doctor physician hospital nurse", "nurse nurses hospital",
    "pain hurt ache", "fall fell fallen accident crash crashed off", "old elderly age", "young youth",
    "house home flat apartment", "city town london", "country countryside village", "move moved moving",
    "work job employment career living", "boss employer", "leave left quit resign resigned notice",
    "company firm business", "shop store business", "money cash pay wage savings", "buy bought purchase",
    "sell sold sale", "expensive dear cost price", "cheap inexpensive", "debt owe owed loan bank",
    "rich wealthy", "poor broke", "car drive driving", "bike bicycle cycle cycling", "boat ship sailing vessel",
    "train railway", "travel trip journey holiday", "holiday vacation", "phone smartphone mobile telephone",
    "computer laptop", "internet online web", "book read reading novel", "write wrote diary journal",
    "diary journal notebook", "music song tune listen", "sing singing song choir", "film movie cinema",
    "food eat meal cook cooking", "cook recipe make made soup", "meat bacon beef vegetarian", "drink drank beer wine",
    "dog puppy", "cat kitten", "garden gardening plants", "swim swimming sea water", "sea ocean water",
    "god faith religion believe", "church chapel service", "politics vote voted voting party election",
    "school lessons teacher class", "university college degree study", "learn taught teach learned",
    "trade apprentice hands craft", "love loved loving", "happy glad happiness joy", "sad unhappy grief",
    "afraid fear scared frightened fright", "angry anger cross", "lonely alone loneliness", "guilt guilty",
    "sorry apology apologise apologize forgive", "forgive forgave forgiven forgiveness", "promise word vow",
    "trust believe rely", "lie lied lying", "wrong mistake mistaken", "change changed", "mend fix repair fixing",
    "broken break broke", "throw discard replace replacing", "use used useful", "rule rules", "advice advise tell",
    "cruel cruelty unkind", "kind kindness", "rest day-off holiday monday mondays sunday", "winter cold snow ice",
    "summer warm", "begin start began started opened", "end finish finished stop", "illness diagnosed diagnosis",
    "meet met", "ask asked", "talk speak said", "wage salary pay", "tired exhausted tiredness",
    "sound noise hear", "card cards machine", "raise increase put", "own mine self myself", "single alone unmarried",
};
#define N_GROUPS (sizeof groups / sizeof groups[0])
#define GROUP_WORDS 8

static struct {
    pthread_once_t once;
    uint64_t stem[N_GROUPS][GROUP_WORDS];
    size_t n[N_GROUPS];
} table = { .once = PTHREAD_ONCE_INIT };

static void build(void)
{
    for (size_t g = 0; g < N_GROUPS; g++) {
        struct tokens t = tokens_of(groups[g], strlen(groups[g]));
        while (tokens_next(&t) && table.n[g] < GROUP_WORDS) {
            char s[64];
            if (!t.is_word) continue;
            size_t n = token_stem(groups[g] + t.start, t.end - t.start, s, sizeof s);
            table.stem[g][table.n[g]++] = hash64(s, n, 0);
        }
    }
}

size_t synonyms_of(const char *stem, size_t n, uint64_t *out, size_t cap)
{
    uint64_t h = hash64(stem, n, 0);
    size_t found = 0;
    pthread_once(&table.once, build);
    for (size_t g = 0; g < N_GROUPS; g++) {
        size_t i = 0;
        while (i < table.n[g] && table.stem[g][i] != h) i++;
        for (size_t k = 0; i < table.n[g] && k < table.n[g] && found < cap; k++)
            if (k != i) out[found++] = table.stem[g][k];
    }
    return found;
}
