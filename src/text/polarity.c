/* Word lists, sorted, looked up by bisection. */
#include "text/polarity.h"

#include <string.h>

static const char *const positive[] = {
    "admire", "adore", "agree", "amazing", "appreciate", "beautiful", "believe", "best", "better",
    "brilliant", "calm", "charming", "cheerful", "clever", "comfort", "comfortable", "converted",
    "converts", "decent", "delicious", "delight", "delighted", "delightful", "easier", "easy",
    "enjoy", "enjoyed", "enjoying", "enjoys", "excellent", "excited", "fair", "faith",
    "fantastic", "favorite", "favourite", "fine", "fond", "free", "friendly", "fun", "generous",
    "gentle", "glad", "good", "gorgeous", "grateful", "great", "happier", "happiest", "happily",
    "happiness", "happy", "healthy", "helpful", "honest", "hope", "hopeful", "joy", "keen",
    "kind", "kindness", "laugh", "laughed", "like", "liked", "likes", "love", "loved", "lovely",
    "loves", "loving", "lucky", "marvellous", "merry", "nice", "nicest", "patient", "peace",
    "peaceful", "perfect", "pleasant", "pleased", "pleasure", "prefer", "pretty", "proud",
    "recommend", "relief", "relieved", "right", "safe", "satisfied", "smile", "smiled",
    "splendid", "strong", "superb", "support", "sweet", "tender", "thankful", "thanks", "trust",
    "trusted", "trusts", "useful", "warm", "welcome", "well", "willing", "wise", "wonder",
    "wonderful", "worth", "yes",
};
static const char *const negative[] = {
    "absurd", "afraid", "against", "alone", "angry", "annoyed", "annoying", "anxious",
    "appalling", "ashamed", "avoid", "awful", "bad", "badly", "bitter", "bored", "boring",
    "broke", "broken", "cold", "complain", "confused", "cried", "cross", "cruel", "cry", "damn",
    "damned", "dangerous", "dead", "deleted", "despise", "difficult", "dirty", "disagree",
    "disappointed", "disgusting", "dislike", "disliked", "dread", "dreadful", "dull", "enemy",
    "evil", "fail", "failed", "failure", "false", "fear", "feared", "fed", "foolish",
    "frightened", "fuss", "gave", "grief", "guilt", "guilty", "harm", "hate", "hated", "hates",
    "hopeless", "horrible", "horrid", "hurt", "idiot", "ill", "impossible", "jealous", "lie",
    "lied", "lies", "lonely", "lose", "lost", "lunatic", "lunatics", "mad", "mean", "miserable",
    "misery", "mistake", "nasty", "nonsense", "nuisance", "pain", "painful", "pointless", "poor",
    "quit", "refuse", "refused", "regret", "resent", "ridiculous", "rotten", "rubbish", "rude",
    "sad", "sadder", "sadness", "scared", "shame", "sick", "silly", "sorry", "stupid", "suffer",
    "terrible", "tired", "tiring", "trouble", "ugly", "unfair", "unhappy", "upset", "useless",
    "vile", "waste", "wasted", "weak", "wearing", "worried", "worry", "worse", "worst",
    "worthless", "wrong",
};
static const char *const negators[] = {
    "ain't", "aren't", "can't", "cannot", "couldn't", "didn't", "doesn't", "don't", "hadn't",
    "hardly", "hasn't", "haven't", "isn't", "mustn't", "neither", "never", "no", "nobody", "none",
    "nor", "not", "nothing", "nowhere", "shan't", "shouldn't", "wasn't", "weren't", "without",
    "won't", "wouldn't",
};

static bool listed(const char *const *list, size_t count, const char *w, size_t n)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strncmp(list[mid], w, n);
        if (!c && list[mid][n]) c = 1;
        if (!c) return true;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return false;
}
#define LISTED(list, w, n) listed(list, sizeof list / sizeof list[0], w, n)

int polarity_word(const char *w, size_t n)
{
    return LISTED(positive, w, n) ? 1 : LISTED(negative, w, n) ? -1 : 0;
}

bool polarity_negates(const char *w, size_t n) { return LISTED(negators, w, n); }
