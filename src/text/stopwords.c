/* English function words: articles, pronouns, auxiliaries, prepositions, conjunctions, question
 * words and fillers, with contractions as they are written with and without the apostrophe, and the
 * older forms of diaries and letters ("thou", "hath"). Nouns and verbs with a subject of their own
 * stay out, however frequent they are: the embedder learns from the corpus how little those say.
 *
 * The list is kept in byte order for a binary search; tests/text/test_token.c checks the order. */
#include "text/stopwords.h"

#include <string.h>

/* clang-format off */
static const char *const words[] = {
    "'tis", "a", "about", "above", "across", "actually", "after", "again", "against", "ah",
    "ain't", "aint", "all", "almost", "along", "already", "also", "although", "always", "am",
    "amid", "among", "amongst", "an", "and", "another", "any", "anybody", "anyone", "anything",
    "anyway", "anyways", "are", "aren't", "arent", "around", "as", "at", "basically", "be",
    "because", "been", "before", "behind", "being", "below", "beside", "besides", "between",
    "beyond", "both", "but", "by", "can", "can't", "cannot", "canst", "cant", "concerning",
    "could", "could've", "couldn't", "couldnt", "couldst", "daren't", "despite", "did", "didn't",
    "didnt", "didst", "do", "does", "doesn't", "doesnt", "doing", "don't", "done", "dont", "dost",
    "doth", "down", "during", "each", "eg", "either", "else", "enough", "er", "etc", "even",
    "ever", "every", "everybody", "everyone", "everything", "except", "few", "for", "from",
    "further", "get", "gets", "getting", "go", "goes", "going", "gone", "gonna", "got", "gotta",
    "had", "hadn't", "hadnt", "hadst", "has", "hasn't", "hasnt", "hast", "hath", "have",
    "haven't", "havent", "having", "he", "he'd", "he'll", "hence", "her", "here", "hereby",
    "hers", "herself", "hes", "him", "himself", "his", "hither", "hm", "hmm", "how", "how'd",
    "however", "i", "i'd", "i'll", "i'm", "i've", "ie", "if", "im", "in", "indeed", "inside",
    "instead", "into", "is", "isn't", "isnt", "it", "it'd", "it'll", "its", "itself", "ive",
    "just", "least", "less", "lest", "let", "lets", "like", "literally", "lol", "many", "may",
    "maybe", "me", "might", "might've", "mightn't", "mine", "more", "moreover", "most", "much",
    "must", "must've", "mustn't", "mustnt", "my", "myself", "near", "need", "needn't", "neither",
    "never", "nevertheless", "no", "nobody", "none", "nonetheless", "nope", "nor", "not",
    "nothing", "now", "of", "off", "often", "oh", "ok", "okay", "on", "once", "one", "ones",
    "only", "onto", "or", "other", "others", "otherwise", "ought", "oughtn't", "our", "ours",
    "ourselves", "out", "outside", "over", "own", "per", "perhaps", "please", "pretty", "quite",
    "rather", "really", "regarding", "same", "several", "shall", "shalt", "shan't", "she",
    "she'd", "she'll", "shes", "should", "should've", "shouldn't", "shouldnt", "shouldst",
    "since", "so", "some", "somebody", "someone", "something", "sometimes", "somewhat", "still",
    "such", "than", "that", "that'd", "that'll", "thats", "the", "thee", "their", "theirs",
    "them", "themselves", "then", "thence", "there", "there'd", "there'll", "thereby",
    "therefore", "therein", "thereof", "theres", "these", "they", "they'd", "they'll", "they're",
    "they've", "theyre", "theyve", "thine", "this", "thither", "those", "thou", "though",
    "through", "throughout", "thus", "thy", "till", "tis", "to", "too", "toward", "towards",
    "twas", "uh", "um", "under", "underneath", "unless", "until", "unto", "up", "upon", "us",
    "used", "very", "via", "vs", "wanna", "was", "wasn't", "wasnt", "we", "we'd", "we'll",
    "we're", "we've", "well", "were", "weren't", "werent", "what", "what'll", "what're",
    "whatever", "whats", "when", "whenever", "where", "where'd", "whereas", "wherein", "whereof",
    "wherever", "whether", "which", "whichever", "while", "whilst", "who", "who'd", "who'll",
    "who're", "who've", "whoever", "whom", "whose", "why", "why'd", "will", "wilt", "with",
    "within", "without", "won't", "wont", "would", "would've", "wouldn't", "wouldnt", "wouldst",
    "y'all", "ye", "yeah", "yep", "yes", "yet", "you", "you'd", "you'll", "you're", "you've",
    "your", "youre", "yours", "yourself", "yourselves", "youve",
};
/* clang-format on */

#define N_WORDS (sizeof words / sizeof *words)

size_t stopwords_count(void) { return N_WORDS; }

const char *stopwords_at(size_t i) { return words[i]; }

bool stopword(const char *folded, size_t n)
{
    size_t lo = 0, hi = N_WORDS;
    if (n == 0 || n > 12) return false;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = strncmp(folded, words[mid], n);
        if (d == 0) d = words[mid][n] ? -1 : 0;
        if (d == 0) return true;
        if (d < 0) hi = mid;
        else lo = mid + 1;
    }
    return false;
}
