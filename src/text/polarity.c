/* Word lists, sorted, looked up by bisection. */
#include "text/polarity.h"

#include <string.h>

/* clang-format off */
static const char *const positive[] = {
    "admire", "admired", "adore", "adored", "agree", "amazing", "angel", "angels", "appreciate",
    "beautiful", "believe", "best", "better", "bless", "blessing", "brilliant", "calm",
    "charming", "cheered", "cheerful", "clever", "comfort", "comfortable", "content",
    "converted", "converts", "decent", "delicious", "delight", "delighted", "delightful",
    "delights", "easier", "easy", "enjoy", "enjoyable", "enjoyed", "enjoying", "enjoys",
    "essential", "excellent", "excited", "fair", "faith", "fantastic", "favorite", "favourite",
    "favours", "fine", "fond", "free", "friendly", "fun", "gem", "generous", "gentle", "glad",
    "good", "gorgeous", "grand", "grateful", "great", "happier", "happiest", "happily",
    "happiness", "happy", "healthy", "helpful", "hero", "honest", "hope", "hopeful",
    "important", "improved", "joy", "keen", "kind", "kindness", "laugh", "laughed", "like",
    "liked", "likes", "love", "loved", "lovely", "loves", "loving", "lucky", "marvel",
    "marvellous", "marvels", "merry", "nice", "nicest", "patient", "peace", "peaceful",
    "perfect", "pleasant", "pleased", "pleasure", "prefer", "pretty", "proud", "recommend",
    "recommended", "reliable", "relief", "relieved", "respect", "respected", "right", "safe",
    "saint", "saints", "satisfied", "sensible", "smile", "smiled", "splendid", "strong",
    "superb", "superior", "support", "sweet", "tender", "thankful", "thanks", "thrilled",
    "treasure", "trust", "trusted", "trusts", "useful", "valuable", "warm", "welcome", "well",
    "willing", "wise", "wonder", "wonderful", "wonders", "worth", "yes",
};
static const char *const negative[] = {
    "absurd", "afraid", "alone", "angry", "annoyed", "annoying", "anxious", "appalling",
    "ashamed", "avoid", "awful", "bad", "badly", "ban", "banned", "bitter", "bore", "bored",
    "boring", "broke", "broken", "cheat", "cheating", "cold", "complain", "confused", "cried",
    "cross", "cruel", "cry", "cursed", "daft", "damn", "damned", "dangerous", "despise",
    "despised", "detest", "difficult", "dirty", "disagree", "disappointed", "disaster",
    "disgusting", "dishonest", "dislike", "disliked", "dread", "dreadful", "dull", "enemy",
    "evil", "fail", "failed", "failure", "false", "fear", "feared", "fed", "fool", "foolish",
    "fools", "frightened", "fuss", "greedy", "grief", "guilt", "guilty", "harm", "hate",
    "hated", "hates", "hopeless", "horrible", "horrid", "hurt", "idiot", "ill", "impossible",
    "jealous", "lazy", "lie", "lied", "lies", "loathe", "loathed", "loathsome", "lonely",
    "lose", "lost", "lunatic", "lunatics", "mad", "mean", "mess", "miserable", "misery",
    "mistake", "nasty", "nightmare", "noisy", "nonsense", "nuisance", "pain", "painful",
    "pointless", "poor", "quit", "refuse", "refused", "regret", "resent", "ridiculous", "risky",
    "rot", "rotten", "rubbish", "rude", "ruin", "ruined", "sad", "sadder", "sadness", "scared",
    "shame", "sick", "silly", "smelly", "sorry", "spoil", "spoiled", "stupid", "suffer",
    "tedious", "terrible", "tired", "tiring", "trouble", "ugly", "unfair", "unhappy", "unkind",
    "unsafe", "upset", "useless", "vile", "waste", "wasted", "weak", "worried", "worry",
    "worse", "worst", "worthless", "wretched", "wrong",
};
static const char *const negators[] = {
    "ain't", "aren't", "can't", "cannot", "couldn't", "didn't", "doesn't", "don't", "hadn't",
    "hardly", "hasn't", "haven't", "isn't", "mustn't", "neither", "never", "no", "nobody",
    "none", "nor", "not", "nothing", "nowhere", "shan't", "shouldn't", "wasn't", "weren't",
    "without", "won't", "wouldn't",
};
/* clang-format on */

static bool listed(const char *const *list, size_t count, const char *w, size_t n)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = n ? (unsigned char)*list[mid] - (unsigned char)*w : 1;
        if (!c) c = strncmp(list[mid], w, n);
        if (!c && list[mid][n]) c = 1;
        if (!c) return true;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return false;
}
#define LISTED(list, w, n) listed(list, sizeof(list) / sizeof *(list), w, n)

int polarity_word(const char *w, size_t n)
{
    return LISTED(positive, w, n) ? 1 : LISTED(negative, w, n) ? -1 : 0;
}

bool polarity_negates(const char *w, size_t n) { return LISTED(negators, w, n); }
