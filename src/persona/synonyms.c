/* Everyday synonyms. A stranger asks about "your father's illness"; the person wrote "Dad is
 * poorly". Until an embedder that knows meaning is in use, this list bridges the commonest of such
 * gaps: kin, home, work, money, body, feelings, travel. Written for this project, of general
 * English. A word may stand in several groups; its synonyms are the others of all of them, but
 * theirs are not followed. Groups are compared by stem, so irregular forms ("swam", "children") are
 * listed where the stemmer does not join them. */
#include "persona/question.h"

#include "base/str.h"
#include "text/token.h"

#include <pthread.h>
#include <string.h>

static const char *const groups[] = {
    "father dad daddy papa pa",
    "mother mum mom mummy mama ma",
    "brother sibling",
    "sister sibling",
    "grandfather grandad grandpa granddad",
    "grandmother gran granny grandma nan",
    "child children kid kids",
    "son boy lad",
    "daughter girl",
    "baby infant newborn",
    "husband spouse",
    "wife spouse",
    "marry married marriage wedding wed",
    "husband marriage",
    "wife marriage",
    "divorce divorced separated split",
    "parent parents father mother",
    "family relatives relations kin",
    "friend mate pal friendship",
    "neighbour neighbor",
    "die died death dead dying",
    "funeral buried burial",
    "ill illness sick disease poorly unwell",
    "doctor physician surgeon",
    "nurse nursing",
    "hospital ward clinic",
    "pain hurt ache sore",
    "old elderly age aged",
    "young youth",
    "house home",
    "flat apartment",
    "city town",
    "countryside village rural",
    "move moved moving",
    "work job employment career",
    "boss employer manager",
    "leave left quit resign resigned notice",
    "company firm business employer",
    "shop store business",
    "money cash",
    "pay wage wages salary",
    "buy bought purchase",
    "sell sold sale selling",
    "expensive dear cost price prices",
    "cheap inexpensive",
    "debt owe owed loan mortgage",
    "rich wealthy",
    "poor broke skint",
    "car drive driving motor",
    "bicycle bike cycle cycling bikes",
    "boat ship vessel",
    "sail sailing",
    "train railway rail",
    "travel trip journey",
    "holiday vacation",
    "phone smartphone mobile telephone",
    "computer laptop",
    "internet online web website",
    "read reading book novel",
    "write wrote written writing",
    "diary journal notebook",
    "music song tune",
    "sing singing song choir",
    "film movie cinema",
    "television telly tv",
    "food eat ate eating meal",
    "cook cooking cooked recipe",
    "meat beef pork lamb",
    "vegetarian vegan meat",
    "drink drank drinking",
    "alcohol beer wine drink whisky",
    "coffee tea",
    "dog puppy hound",
    "cat kitten",
    "garden gardening plants",
    "swim swam swimming",
    "sea ocean",
    "god faith religion",
    "believe belief faith",
    "church chapel",
    "pray prayer",
    "politics political vote voted",
    "vote election",
    "government council minister",
    "school lessons classroom",
    "teacher teach taught",
    "university college degree",
    "learn learned learnt taught",
    "love loved loving",
    "happy glad happiest happiness joy",
    "sad unhappy grief sorrow",
    "afraid fear scared frightened fright terrified",
    "angry anger cross furious",
    "lonely alone loneliness",
    "guilt guilty ashamed",
    "sorry apology apologise apologize",
    "forgive forgave forgiven forgiveness",
    "promise promised vow word swore",
    "trust trusted",
    "lie lied lying",
    "wrong mistake mistaken",
    "mistake regret",
    "change changed",
    "repair mend mended fix fixed repaired",
    "break broken broke",
    "throw discard bin",
    "replace replacing new",
    "advice advise tip",
    "cruel cruelty unkind",
    "kind kindness generous",
    "rest relax break",
    "winter cold snow",
    "summer warm",
    "begin start began started",
    "end finish finished stop",
    "meet met meeting",
    "ask asked asking",
    "talk speak spoke spoken",
    "tired exhausted weary",
    "sound noise hear",
    "card cards",
    "raise increase rise",
    "myself self",
    "single alone unmarried",
    "argue argument row quarrel",
    "quarrel row argument fight",
    "accident crash crashed fell",
    "injury injured hurt wound",
    "drunk drinking",
    "smoke smoking cigarette",
    "sleep slept asleep bed",
    "dream dreams dreamed",
    "clothes wear wore dress",
    "helmet hat",
    "hair haircut",
    "big large huge",
    "small little tiny",
    "beautiful lovely pretty",
    "ugly hideous",
    "fast quick speed",
    "slow slowly",
    "danger dangerous risk risky",
    "safe safety",
    "weather rain wind storm",
    "morning dawn",
    "evening night",
    "walk walked walking",
    "run ran running",
    "help helped helping",
    "hard difficult tough",
    "easy simple",
    "clever smart intelligent",
    "stupid silly foolish",
    "rule rules",
    "secret secrets hidden",
    "truth true honest honesty",
    "gift present presents",
    "birthday party",
    "letter mail email wrote",
    "picture photograph photo",
    "paint painting art",
    "machine engine motor",
    "tool tools spanner",
    "skill trade craft",
    "church god",
    "queue waiting wait",
    "miss missed",
    "remember memory forget forgot",
    "laugh funny joke humour",
    "cry cried tears weep",
    "hope hopeful",
    "proud pride",
    "jealous envy",
    "luck lucky",
    "war soldier army",
    "police officer",
    "law legal court",
    "illness diagnosed diagnosis",
    "medicine pills tablets",
    "operation surgery",
    "fat weight",
    "exercise sport fitness",
    "football soccer",
    "plane flight fly flying",
    "foreign abroad overseas",
    "language speak",
    "customer customers client",
    "tax taxes",
    "retire retired retirement pension",
    "inherit inheritance left",
    "habit routine",
    "plan plans planned",
    "future ahead",
    "past history",
};
#define N_GROUPS    (sizeof groups / sizeof groups[0])
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
