/* Telling languages apart by their small words.
 *
 * Some scripts say it all (Greek, Hebrew, Hangul, Thai...). The languages that share the Latin or
 * the Cyrillic script are told by function words, which no sentence of some length does without and
 * which few languages share, and by letters that few have. Each word found gives its languages a
 * point, shared among them; each letter a part of one. The best language wins if it has enough and
 * clearly more than the second.
 *
 * libexttextcat and CLD2 would know more languages. The first compares lists of the commonest
 * n-grams, which messages of ten words do not fill, and the second is C++ with two megabytes of
 * tables; what a persona needs is to know its own five languages and to keep silent on the rest.
 *
 * The table is made once from the lists below and only read afterwards. */
#include "text/lang.h"

#include "base/map.h"
#include "base/str.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LOOK_AT    1200 /* bytes of the text */
#define WORD_BYTES 40
#define POINT      60 /* of one word of one language only */
#define LETTER     25
#define LETTERS    3 /* that letters can count as, in points */

struct tongue {
    const char *code;
    const char *words;
    const char *letters; /* that few other languages have */
};

/* clang-format off */
static const struct tongue tongues[] = {
    { "en",
      "the and of to is was are were be been have has had that this these those it he she "
      "they we you my your his their our with from for not but what when where which who "
      "why how would could should will there here about just like know think don't it's i'm "
      "i didn't can't i've you're that's if at on by or as an out up all some than then "
      "them him her me do did does get got yes please thanks today tomorrow tonight before "
      "after because still next week always never again over into only well good right sure "
      "maybe"
      " without",
      "" },
    { "de",
      "der die das und ist nicht ich du er sie wir ihr es ein eine einen einem einer mit "
      "von zu zum zur auf für aber auch noch schon nur wie was wann wo wer warum wenn dass "
      "daß oder im am bei nach vor über unter aus sind war waren wird werden haben hat "
      "hatte habe bin bist kann können muss müssen mir dir mich dich sich uns euch mein "
      "meine dein sehr mal doch ja nein heute morgen gestern immer dann den dem des kein "
      "keine damit also gerade jetzt hier dort wieder viel mehr weil ob bis gegen ohne "
      "durch weiß bitte danke gut ihm ihn ihnen ihre seine",
      "ßäöü" },
    { "fr",
      "le la les un une des du de et est ne pas que qui quoi je tu il elle nous vous ils "
      "elles on mon ma mes ton ta ses son sa dans pour sur avec sans mais ou où donc car ce "
      "cette ces c'est j'ai qu'il n'est d'un d'une l'on été être avoir fait très plus bien "
      "aussi comme tout tous demain hier aujourd'hui quand pourquoi si au aux suis es "
      "sommes êtes sont ai as avons avez ont était leur moi toi lui merci oui non a avant "
      "après peu peux peut encore jamais toujours rien chez vers sous fais dit va vais vas "
      "faut quelque notre votre nos vos"
      " à devant derrière entre pendant depuis",
      "çœèêàùû" },
    { "es",
      "el la los las un una unos y es no que de en por para con sin pero como más muy ya yo "
      "tú él ella nosotros ellos mi tu su se lo le me te nos qué cuándo dónde quién cómo "
      "porque cuando donde si sí está estoy estás están son era fue ser hay tengo tiene "
      "tienes hoy mañana ayer también todo todos esto eso esta este del al gracias hola "
      "bien hasta desde sobre antes después nunca siempre nada algo aquí allí puedo puede "
      "puedes tan mucho muchos entre otra otro vez les ese voy va vamos todavía"
      " ha he has hemos mí ti vienes viene vengo tarde",
      "ñ¿¡" },
    { "it",
      "il lo la i gli le un uno una e è non che di da in con su per tra fra ma come più "
      "molto già io tu lui lei noi voi loro mio mia tuo suo si mi ti ci vi ne del della "
      "dello dei delle al alla nel nella sul sono sei siamo era ho hai ha abbiamo hanno "
      "cosa quando dove chi perché anche oggi domani ieri sempre tutto tutti questo questa "
      "quello grazie ciao bene sì prima dopo mai niente qui lì posso puoi può vado va "
      "andiamo ancora altro altra volta dal dalla ai quindi però"
      " alle agli allo dai dagli nello nei senza vieni viene vengo davanti",
      "òì" },
    { "pt",
      "o a os as um uma e é não que de do da dos das em no na nos nas por para com sem mas "
      "como mais muito já eu tu ele ela nós você vocês eles meu minha seu sua se me te lhe "
      "quando onde quem porque também está estou são era foi ser tem tenho há hoje amanhã "
      "ontem tudo todos isso isto este esta ao à pelo pela até obrigado obrigada sim bem "
      "então antes depois nunca sempre nada aqui ali posso pode pra pro vou vai vamos ainda "
      "outro outra vez lhes dele dela gente"
      " vem vêm venho",
      "ãõ" },
    { "nl",
      "de het een en is niet ik jij je hij zij ze we wij jullie u van in op te dat die dit "
      "deze met voor aan bij naar uit om maar ook nog al wel geen als dan of wat wanneer "
      "waar wie waarom hoe heb hebt heeft hebben had ben bent zijn was waren wordt worden "
      "kan kunnen moet moeten mijn jouw haar ons onze mij hem heel erg vandaag morgen "
      "gisteren altijd er toch ja nee over zo nooit weer veel meer want omdat tot tegen "
      "zonder door tussen alleen iets niets goed bedankt graag dus even misschien kun"
      " af jou hun nou",
      "" },
    { "sv",
      "och att det är en ett jag du han hon vi ni de den som inte på av för med till från "
      "om men eller när var vad vem varför hur har hade ska skulle kan kunde måste vill min "
      "mitt mina din ditt sin sig mig dig oss er också bara mycket nu då här där idag "
      "imorgon igår alltid efter över under vid så blir blev varit något några tack ja nej "
      "aldrig igen mer utan mellan allt alla inget inga bra gärna kanske vet innan än ännu "
      "detta",
      "åäö" },
    { "da",
      "og at det er en et jeg du han hun vi i de den som ikke på af for med til fra om men "
      "eller når hvor hvad hvem hvorfor hvordan har havde skal skulle kan kunne må vil min "
      "mit mine din dit sin sig mig dig os jer også kun meget nu da her der altid efter "
      "over under ved så bliver blev været noget nogle tak ja nej morgen dag går lige hjem "
      "ud op igen aldrig mere uden mellem alt alle intet ingen godt gerne måske endnu inden "
      "denne dette blive jo hen hjemme sådan",
      "æøå" },
    { "no",
      "og å at det er en ei et jeg du han hun vi dere de den som ikke på av for med til fra "
      "om men eller når hvor hva hvem hvorfor hvordan har hadde skal skulle kan kunne må "
      "vil min mitt mine din ditt sin seg meg deg oss også bare veldig nå da her der alltid "
      "etter over under ved så blir ble vært noe noen takk ja nei morgen dag går litt hjem "
      "ut opp igjen aldri mer uten mellom alt alle intet ingen bra gjerne kanskje vet ennå "
      "innen denne dette bli jo hjemme sånn slik",
      "æøå" },
    { "fi",
      "ja on ei että se hän minä sinä me te he olen olet olemme ovat oli olin en et emme "
      "eivät mutta kun jos niin kuin myös vain nyt sitten missä mikä mitä kuka miksi miten "
      "tämä tuo nämä minun sinun hänen meidän minulla sinulla hyvin paljon tänään huomenna "
      "eilen aina kanssa jälkeen ennen voi voin pitää täytyy ole ollut siitä siellä täällä "
      "kiitos joo hyvää vielä sitä siis ihan koska mukaan tänne sinne tai vai jotain mitään "
      "kaikki hyvä voitko olisi olisin tulee ne hei mun sun niitä",
      "äö" },
    { "pl",
      "i w na nie się że to jest z do jak ale co kiedy gdzie kto dlaczego po od za przez "
      "przed dla o czy tak już jeszcze tylko bardzo ja ty on ona my wy oni mój moja twój "
      "jego jej nas was mnie mi cię ci są był była było byłem byłam będzie będę mam masz ma "
      "może mogę dziś dzisiaj jutro wczoraj zawsze też ten ta te tego tej dziękuję dzień "
      "nigdy nic tutaj tam znowu bez między lub albo więc żeby trochę dobrze proszę moge "
      "czemu jeśli żadna jestem jesteś mamy",
      "ąęłńśźżć" },
    { "cs",
      "a v na ne se že to je z do jak ale co když kde kdo proč po od za přes před pro o tak "
      "už ještě jen velmi já ty on ona my vy oni můj moje tvůj jeho její nás vás mě mi tě "
      "ti jsou byl byla bylo jsem jsi jsme bude budu mám máš má může můžu dnes zítra včera "
      "vždy také ten ta toho s si i ano není děkuju díky nikdy nic tady tam zase bez mezi "
      "nebo aby trochu dobře prosím jestli až moc jenom nějak všechno",
      "ěřůčšžď" },
    { "hr",
      "i u na ne se da je to s od kao ali što kada gdje tko zašto po za o li već još samo "
      "vrlo ja ti on ona mi vi oni moj moja tvoj njegov nas vas me te sam si smo ste su bio "
      "bila bilo će ću imam imaš ima može mogu danas sutra jučer uvijek također taj ta koji "
      "koja hvala nije",
      "đčćšž" },
    { "hu",
      "a az és nem hogy is van egy ez azt de mert ha mint csak már még nagyon én te ő mi ti "
      "ők meg el ki be fel le volt voltam lesz vagyok vagy vannak nekem neked neki mikor "
      "hol miért hogyan mit most ma holnap tegnap mindig ezt azok minden kell lehet jó igen "
      "köszönöm szia után előtt között se sem aki ami ahol amikor nagy jól tudom tudod "
      "ezért akkor vele hozzá nálatok nálunk itt ott így úgy fog vissza"
      " nélkül nélkülem kicsit",
      "őűöüá" },
    { "ro",
      "și în nu că este e de la cu pe din pentru dar ce când unde cine cum mai foarte eu tu "
      "el ea noi voi ei ele meu mea tău său se mă te îl o un una sunt ești suntem era am ai "
      "are avem au să fi fost azi mâine ieri mereu tot toți acest această asta mulțumesc "
      "bine după până doar niciodată nimic aici acolo iar fără între sau deci ca dacă poți "
      "pot vă ne le lui lor încă",
      "ăîșțâş" },
    { "tr",
      "ve bir bu da de için ile ama çok daha gibi ne zaman nerede kim neden nasıl var yok "
      "ben sen o biz siz onlar benim senin onun bizim bana sana beni seni değil mi mı mu mü "
      "olarak olan oldu olduğu kadar sonra önce şimdi bugün yarın dün her hiç şey iyi evet "
      "hayır teşekkürler ki ya en diye henüz gün günü bütün başka biraz belki zaten burada "
      "orada yine artık olur mısın misin varsa işte güzel",
      "ğışç" },
    { "id",
      "yang dan di ke dari ini itu tidak aku saya kamu dia kita kami mereka untuk dengan "
      "pada adalah ada akan sudah belum bisa juga tapi kalau karena apa kapan mana siapa "
      "kenapa bagaimana sangat sekali hari besok kemarin selalu atau lebih seperti saja "
      "lagi sekarang nanti ya terima kasih banyak",
      "" },
    { "ru",
      "и в не на я что он с это как а то все она так его но да ты к у же вы за бы по только "
      "её ее мне было вот от меня ещё еще нет о из ему теперь когда даже ну вдруг ли если "
      "уже или ни быть был него до вас опять вам сегодня завтра вчера очень мы они где кто "
      "почему есть спасибо привет чтобы там потом",
      "ыэё" },
    { "uk",
      "і в не на я що він з це як а то все вона так його але ти до у ж ви за б по тільки її "
      "мені було від мене ще ні про із йому тепер коли навіть чи якщо вже або був була вас "
      "вам сьогодні завтра вчора дуже ми вони де хто чому є дякую привіт щоб там потім та й "
      "мій моя",
      "іїєґ" },
    { "bg",
      "и в не на аз че той с това как а то всичко тя така го но да ти към у вие за бих по "
      "само ми беше от мен още няма съм си е са сме сте ще кога дори ли ако вече или бил "
      "него до вас днес утре вчера много ние те къде кой защо има благодаря здравей там "
      "след който която",
      "ъ" },
};
/* clang-format on */
#define N_TONGUES (sizeof tongues / sizeof *tongues)

static struct map words, letters; /* hash of a word, code point -> mask of tongues */
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make(void)
{
    for (size_t t = 0; t < N_TONGUES; t++) {
        const char *s = tongues[t].words;
        for (size_t n; *s; s += n + (s[n] == ' ')) {
            n = strcspn(s, " ");
            uint64_t *slot = map_slot(&words, hash64(s, n, 1));
            if (slot) *slot |= (uint64_t)1 << t;
        }
        for (s = tongues[t].letters; *s;) {
            uint64_t *slot = map_slot(&letters, utf8_next(&s, s + strlen(s)));
            if (slot) *slot |= (uint64_t)1 << t;
        }
    }
}

/* Small letters of the alphabets above. */
static uint32_t lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x410 && c <= 0x42F)) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if (c == 0x178) return 0xFF;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c + (c & 1);
    if (c == 0x130 || c == 0x218 || c == 0x21A || c == 0x490) return c == 0x130 ? 'i' : c + 1;
    if (c >= 0x100 && c <= 0x177) return c | 1;
    return c;
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0x24F && c != 0xF7) ||
           (c >= 0x430 && c <= 0x4FF);
}

/* Scripts of one language, or of one that is by far the likeliest. */
static const char *of_script(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        const char *code;
    } scripts[] = {
        { 0x370, 0x3FF, "el" },   { 0x530, 0x58F, "hy" },   { 0x590, 0x5FF, "he" },
        { 0x600, 0x6FF, "ar" },   { 0x900, 0x97F, "hi" },   { 0x980, 0x9FF, "bn" },
        { 0xB80, 0xBFF, "ta" },   { 0xC00, 0xC7F, "te" },   { 0xE00, 0xE7F, "th" },
        { 0x10A0, 0x10FF, "ka" }, { 0x1F00, 0x1FFF, "el" }, { 0x3040, 0x30FF, "ja" },
        { 0x4E00, 0x9FFF, "zh" }, { 0xAC00, 0xD7A3, "ko" }, { 0x1100, 0x11FF, "ko" },
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (c >= scripts[i].from && c <= scripts[i].to) return scripts[i].code;
    return NULL;
}

struct look {
    int score[N_TONGUES], by_letter[N_TONGUES];
    size_t words, letters;
    struct {
        const char *code;
        size_t n;
    } script[16];
    bool persian; /* letters that Arabic has not */
};

static void give(int *score, uint64_t mask, int points)
{
    int n = __builtin_popcountll(mask);
    for (size_t t = 0; t < N_TONGUES; t++)
        if (mask >> t & 1) score[t] += points / n;
}

static void take_word(struct look *l, const char *w, size_t n)
{
    const uint64_t *mask = map_get(&words, hash64(w, n, 1));
    l->words++;
    if (mask) give(l->score, *mask, POINT);
}

static void take_script(struct look *l, const char *code, uint32_t c)
{
    l->persian |= c == 0x67E || c == 0x686 || c == 0x698 || c == 0x6AF;
    for (size_t i = 0; i < sizeof l->script / sizeof *l->script; i++) {
        if (l->script[i].code && strcmp(l->script[i].code, code) != 0) continue;
        l->script[i].code = code;
        l->script[i].n++;
        return;
    }
}

/* Addresses are in no language: the words of one are passed over. */
static const char *past_address(const char *s, const char *end)
{
    const char *p = s;
    bool is = end - s > 4 && (!strncmp(s, "http", 4) || !strncmp(s, "www.", 4));
    while (is && p < end && (unsigned char)*p > ' ') p++;
    return p;
}

static void read_text(struct look *l, const char *s, size_t n)
{
    char word[WORD_BYTES];
    size_t k = 0;
    bool start = true;
    for (const char *end = s + utf8_cut(s, n, LOOK_AT); s < end;) {
        if (start && (s = past_address(s, end)) >= end) break;
        uint32_t c = lower(utf8_next(&s, end));
        const char *code = c >= 0x370 ? of_script(c) : NULL;
        bool apostrophe = (c == '\'' || c == 0x2019) && k;
        start = c <= ' ';
        if (code) take_script(l, code, c);
        if (is_letter(c)) {
            const uint64_t *mask = c < 0x80 ? NULL : map_get(&letters, c);
            l->letters++;
            if (mask) give(l->by_letter, *mask, LETTER);
        } else if (c == 0xBF || c == 0xA1) {
            const uint64_t *mask = map_get(&letters, c);
            if (mask) give(l->by_letter, *mask, LETTER);
        }
        if (is_letter(c) || apostrophe) {
            if (k < sizeof word - 4) k += (size_t)utf8_put(word + k, apostrophe ? '\'' : c);
            continue;
        }
        if (k) take_word(l, word, k);
        k = 0;
    }
    if (k) take_word(l, word, k);
}

static const char *best_script(const struct look *l)
{
    size_t best = 0, kana = 0, han = 0;
    for (size_t i = 0; i < sizeof l->script / sizeof *l->script && l->script[i].code; i++) {
        if (l->script[i].n > l->script[best].n) best = i;
        if (!strcmp(l->script[i].code, "ja")) kana = l->script[i].n;
        if (!strcmp(l->script[i].code, "zh")) han = l->script[i].n;
    }
    size_t n = l->script[best].n;
    const char *code = l->script[best].code;
    if (kana && (kana + han) * 2 > l->letters && kana * 8 >= han)
        return kana + han >= 3 ? "ja" : "";
    if (!code || n < 3 || n <= l->letters) return NULL;
    return !strcmp(code, "ar") && l->persian ? "fa" : code;
}

const char *lang_of(const char *s, size_t n)
{
    struct look l = { 0 };
    size_t best = 0, second = 1;
    pthread_once(&made, make);
    read_text(&l, s, n);
    const char *script = best_script(&l);
    if (script) return script;
    for (size_t t = 0; t < N_TONGUES; t++) {
        int most = LETTERS * POINT;
        l.score[t] += l.by_letter[t] < most ? l.by_letter[t] : most;
    }
    if (l.score[1] > l.score[0]) best = 1, second = 0;
    for (size_t t = 2; t < N_TONGUES; t++) {
        if (l.score[t] > l.score[best]) second = best, best = t;
        else if (l.score[t] > l.score[second]) second = t;
    }
    int least = l.words < 6 ? POINT : l.words < 40 ? POINT * 3 / 2 : (int)l.words * POINT / 20;
    bool enough = l.words >= 2 && l.score[best] >= least;
    int ahead = l.score[best] - l.score[second];
    bool clear = ahead * 10 >= l.score[second] * 3 + POINT * 2 || ahead >= POINT * 3 / 4;
    return enough && clear ? tongues[best].code : "";
}
