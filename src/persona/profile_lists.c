/* The word lists of the style profile. All are written for this program, by hand: they are small on
 * purpose, so that an owner who asks why they are called warm can be shown the words that counted.
 *
 * A list is one string of words set apart by spaces. Lookups build no tables that outlive a call: a
 * word's flags are settled once, when the counter first meets it, so a linear search through the
 * lists costs some microseconds for each distinct word and nothing for each word. */
#include "persona/profile_impl.h"

#include "base/str.h"
#include "text/token.h"

#include <ctype.h>
#include <string.h>

static const char hedges[] = " maybe perhaps possibly probably presumably apparently seemingly "
                             "arguably roughly somewhat might "
                             "guess suppose reckon assume seems seem seemed appears partly fairly "
                             "likely conceivably supposedly "
                             "methinks peradventure mayhap tentatively generally usually ";

static const char intensifiers[] =
    " very really extremely totally absolutely completely utterly incredibly super mighty "
    "exceedingly "
    "terribly awfully truly deeply hugely insanely seriously literally entirely thoroughly highly "
    "extraordinarily immensely remarkably exceeding definitely certainly tremendously "
    "ridiculously ";

static const char positive[] =
    " good great love loved loves loving lovely happy happily happiness glad joy joyful enjoy "
    "enjoyed enjoying "
    "wonderful beautiful nice kind kindly kindness pleasant pleased pleasure pleasing delight "
    "delighted "
    "delightful merry cheerful cheer content contented satisfied satisfaction grateful gratitude "
    "thank thanks "
    "thankful bless blessed excellent splendid superb fantastic amazing awesome brilliant perfect "
    "perfectly "
    "fine better best fun funny laugh laughed laughing laughter smile smiled smiling sweet gentle "
    "warm warmth "
    "bright hope hopeful hoping proud pride admire admired noble brave courage calm peace peaceful "
    "comfort "
    "comfortable cosy cozy easy ease relief relieved safe welcome friend friends friendly "
    "friendship dear "
    "darling charming charm pretty graceful elegant handsome clever wise witty excited exciting "
    "interesting inspired inspiring impressive success successful win winning won improve improved "
    "healthy "
    "strong rich generous generosity honest faithful loyal fair fortunate lucky luck gift "
    "celebrate "
    "celebrated praise praised cherish treasure favourite favorite tasty delicious yummy cute "
    "adorable "
    "glorious marvellous marvelous terrific fabulous yay hurray cool sunny refreshing playful "
    "tender "
    "affection affectionate mirth rejoice rejoiced thrilled keen eager ";

static const char negative[] =
    " bad badly worse worst hate hated hates hating sad sadly sadness unhappy sorry sorrow grief "
    "grieve grieved "
    "angry anger furious rage mad annoyed annoying annoy irritated irritating upset hurt hurts "
    "hurting pain "
    "painful ache ill sick sickness disease tired exhausted weary weak afraid fear feared fearful "
    "scared "
    "frightened terrible horrible awful dreadful nasty ugly disgusting disgust vile cruel cruelty "
    "mean unkind "
    "rude selfish stupid foolish fool idiot silly shame ashamed guilt guilty regret regretted "
    "worry worried "
    "worrying worries anxious anxiety stress stressed stressful nervous trouble troubled troubles "
    "troublesome "
    "problem problems difficult difficulty hard harsh wrong mistake mistakes fail failed failing "
    "failure lose "
    "losing lost loss broke broken ruin ruined waste wasted useless hopeless helpless lonely "
    "loneliness alone "
    "bored boring dull dreary gloomy miserable misery suffer suffered suffering cry cried crying "
    "tears die "
    "died dead death dying kill killed murder war fight fighting quarrel dispute vexed vexation "
    "vext "
    "discontent discontented displeased dislike disliked despise despised jealous envy bitter poor "
    "unfortunate unfortunately unfair danger dangerous threat ugh damn crap sucks messy mess dirty "
    "disappointed disappointing disappointment frustrating frustrated complain complained "
    "complaint blame ";

static const char first[] = " i me my mine myself i'm i've i'd i'll im ive ";

static const char short_forms[] = " dont cant wont im ive youre theyre weve isnt arent wasnt "
                                  "werent didnt doesnt hasnt havent hadnt "
                                  "couldnt wouldnt shouldnt thats whats hes shes theres gonna "
                                  "wanna gotta lemme kinda sorta dunno aint ";

static const char negates[] = " not no never nor neither without hardly scarcely cannot dont didnt "
                              "doesnt isnt wasnt wont cant aint ";

static const char opener_words[] =
    " so well anyway anyways honestly actually oh ah aha hmm hm haha hahaha lol yeah yep yes nope "
    "ok okay "
    "still then now thus therefore however indeed perhaps maybe sorry thanks hey hi hello "
    "thence also besides moreover frankly basically obviously luckily sadly suddenly finally "
    "meanwhile "
    "afterwards sometimes usually apparently certainly surely naturally wow ugh oops please alas "
    "sure "
    "nah hence otherwise instead anyhow yet ";

static const char weak_end[] =
    " the a an of to in on at for with from by and or but nor as than that which who whom whose my "
    "your his her "
    "its our their this these those is are was were be been am has have had do does did will would "
    "shall "
    "should can could may might must i he she we they it into upon about if because when while "
    "where what "
    "not no so very there here some any every each all both more most such other another own too "
    "also "
    "i'm i've i'd i'll you're we're they're it's that's don't didn't doesn't isn't wasn't can't "
    "couldn't "
    "won't wouldn't you then how me him them us until till though although unto ";

static const char weak_start[] =
    " of than that which who whom whose or nor is are was were be been am has had its it'd there ";

/* Before one content word these make no phrase: "the soul", "my wife", "have seen". */
static const char pair_start[] = " the a an my your his her its our their this that these those "
                                 "some any every each all both no not have has "
                                 "had having be being am can could will would shall should may "
                                 "might must do did does to and but so very ";

static const char ordinary[] =
    "|a lot of|a lot|a bit|a few|one of the|one of them|the same time|at the time|at the same "
    "time|i want to|"
    "want to|have to|i have to|had to|i had to|i don't know|i do not know|i think|i thought|don't "
    "think|"
    "i don't think|in order to|going to|i'm going to|would like|i would like|would like to|used "
    "to|able to|"
    "be able to|the fact|the way|the time|the day|the first|the first time|the last|the end|the "
    "end of|the rest|"
    "the other|the next|next day|the next day|this morning|last night|last week|next week|the "
    "morning|"
    "in the morning|the evening|in the evening|this evening|this week|the world|the world is|in "
    "the world|"
    "every day|all day|years ago|years old|two years|a week|a day|a year|a man|a man who|the "
    "man|the men|the people|"
    "the house|many people|other people|some people|people who|it seems|the place|the most|as well "
    "as|as well|"
    "as much as|as soon as|as long as|so much|so many|too much|how much|very much|a little|make "
    "a|made a|"
    "has been|have been|had been|would have|could have|to make|to see|to take|to give|to know|to "
    "go|to find|"
    "to keep|to say|to come|to tell|to ask|to work|to think|to look|i went|i know|i see|i saw|i "
    "said|he said|"
    "she said|i told|told me|i found|i made|i took|i came|i asked|we went|we had|give me|let me "
    "know|"
    "thank you|right now|long time|a long time|good time|new year|years of|part of|kind of|sort "
    "of|number of|"
    "out of|come to|went to|came to|like to|look at|think of|think about|talk about|but i think|i "
    "like|i love|"
    "take care|make sure|for example|need to|i need to|try to|tried to|seems to|"
    "as if|so that|such as|rather than|more than|less than|no more|no longer|each other|one "
    "another|i feel|";

static const char idioms[] = "|by and by|all in all|as it were|so be it|more or less|after all|now "
                             "and then|here and there|not at all|"
                             "at all|once more|all the same|be that as it|it is what it|up and "
                             "about|ever and anon|over and over|"
                             "so it goes|if i may|what with|as for me|";

static const char common[] = " time year people way day man thing woman life child world school "
                             "state family student group country "
                             "problem hand part place case week company system program question "
                             "work government number night point home "
                             "water room mother area money story fact month lot right study book "
                             "eye job word business issue side kind "
                             "head house service friend father power hour game line end member law "
                             "car city community name president "
                             "team minute idea kid body information back parent face others level "
                             "office door health person art war "
                             "history party result change morning reason research girl guy moment "
                             "air teacher force education foot boy "
                             "age policy process music market sense nation plan college interest "
                             "death experience effect use class "
                             "control field development role effort rate heart drug show leader "
                             "light voice wife police mind price "
                             "report decision son view relationship town road arm difference value "
                             "building action season society tax "
                             "director position player record paper space ground form event "
                             "official matter center couple site project "
                             "activity star table court oil situation cost industry figure street "
                             "image phone data picture practice "
                             "piece land product doctor wall patient worker news test movie north "
                             "love step tree source hair window "
                             "culture chance brother period course summer letter condition choice "
                             "husband daughter south floor sister "
                             "mom dad answer bed dog cat food dinner lunch breakfast tea coffee "
                             "evening afternoon today tomorrow "
                             "yesterday tonight weekend monday tuesday wednesday thursday friday "
                             "saturday sunday january february march "
                             "april june july august september october november december say said "
                             "make made go went take took come came "
                             "see saw know knew get give gave find found think thought tell told "
                             "become show leave left feel felt put "
                             "bring brought begin began keep kept hold held write wrote stand "
                             "stood hear heard let mean meant set meet "
                             "met run ran pay paid sit sat speak spoke lie lead read grow grew "
                             "lose lost fall fell send sent build built "
                             "understand draw break spend cut rise drive buy wear choose want look "
                             "seem help talk turn start try play "
                             "move like live believe happen provide include continue learn follow "
                             "stop create allow add walk offer "
                             "remember love consider appear wait serve die expect stay call ask "
                             "need work reach kill remain suggest "
                             "raise pass sell require decide pull return explain hope develop "
                             "carry receive agree support hit produce "
                             "eat cover catch open close watch finish enjoy win sleep good new "
                             "first last long great little own old "
                             "right big high different small large next early young important few "
                             "public bad same able better best sure "
                             "free real full hard whole clear recent certain strong true easy open "
                             "nice fine happy late ready short "
                             "possible main past half low white black red single poor hot cold "
                             "dead left human local major social "
                             "national political foreign general second third two three four five "
                             "six seven eight nine ten hundred "
                             "thousand million twenty thirty back even still well also never very "
                             "away today soon together always far "
                             "often later almost ever yes already maybe least probably certainly "
                             "perhaps again around actually really "
                             "here there much many every another thank thanks please sorry hello "
                             "yeah okay guess anyone someone nothing "
                             "something everything everyone bit stuff way please god sir lord mr "
                             "mrs miss dear people men women children "
                             "years days things hours minutes weeks months order present object "
                             "self taken given seen gone known done "
                             "afterwards account opinion purpose length sound spring summer autumn "
                             "winter sun feet earth church nature "
                             "truth character spirit subject manner persons person occasion common "
                             "matter several thus sea river fish bird "
                             "fire wood garden road walk ship boat horse clock key glass bread "
                             "milk wine beer meat sugar salt cup "
                             "table chair bag box shirt shoes coat dress blue green yellow brown "
                             "grey weather rain snow wind "
                             "trip train bus plane ticket hotel holiday birthday christmas party "
                             "film movie song band email message "
                             "computer internet video photo lol haha ok shop store hospital nurse ";

/* Is the word in a list of the form " one two three "? */
static bool listed(const char *list, const char *w, size_t n)
{
    char key[40];
    if (!n || n + 3 > sizeof key || memchr(w, ' ', n)) return false;
    key[0] = ' ';
    memcpy(key + 1, w, n);
    key[n + 1] = ' ';
    key[n + 2] = 0;
    return strstr(list, key) != NULL;
}

static bool barred(const char *list, const char *phrase)
{
    char key[96];
    int n = snprintf(key, sizeof key, "|%s|", phrase);
    return n > 0 && (size_t)n < sizeof key && strstr(list, key) != NULL;
}

unsigned profile_word_flags(const char *fold, size_t n)
{
    unsigned f = 0;
    if (token_is_stop(fold, n)) f |= WF_STOP;
    if (listed(hedges, fold, n)) f |= WF_HEDGE;
    if (listed(intensifiers, fold, n)) f |= WF_INTENSE;
    if (listed(positive, fold, n)) f |= WF_POSITIVE;
    if (listed(negative, fold, n)) f |= WF_NEGATIVE;
    if (listed(first, fold, n)) f |= WF_FIRST;
    if (listed(short_forms, fold, n)) f |= WF_SHORT;
    if (listed(negates, fold, n) || (n > 3 && !memcmp(fold + n - 3, "n't", 3))) f |= WF_NEGATES;
    if (listed(opener_words, fold, n)) f |= WF_OPENER;
    if (listed(weak_end, fold, n)) f |= WF_WEAK_END;
    if (listed(weak_start, fold, n)) f |= WF_WEAK_START;
    if (listed(pair_start, fold, n)) f |= WF_PAIR_START;
    if (n && isdigit((unsigned char)fold[0])) f |= WF_DIGIT;
    return f;
}

int profile_common_set(struct map *set)
{
    for (const char *p = common; *p;) {
        p += strspn(p, " ");
        size_t n = strcspn(p, " ");
        if (!n) break;
        uint64_t *v = map_slot(set, token_word(p, n).key);
        if (!v) return ERR_NOMEM;
        *v = 1;
        p += n;
    }
    return 0;
}

bool profile_phrase_ordinary(const char *phrase) { return barred(ordinary, phrase); }

bool profile_phrase_idiom(const char *phrase) { return barred(idioms, phrase); }

bool profile_pair_hedges(const char *a, const char *b)
{
    if (!strcmp(a, "i")) return !strcmp(b, "think") || !strcmp(b, "believe") || !strcmp(b, "fear");
    return (!strcmp(a, "kind") || !strcmp(a, "sort")) && !strcmp(b, "of");
}
