/* Languages of messages: sentences of twenty languages, written for this test as people write to
 * one another, and short ones that must be right or left untold. */
#include "check.h"

#include "base/str.h"
#include "text/lang.h"

struct said {
    const char *lang, *text;
};

/* clang-format off */
static const struct said sentences[] = {
    { "en", "Shall we go rowing on Sunday, or is the wind too strong for you?" },
    { "en", "I left the keys with your neighbour because nobody was at home." },
    { "en", "She says the boat needs new paint before the summer." },
    { "en", "Thanks for dinner last night, it was lovely to see you all." },
    { "de", "Ich weiß noch nicht, ob wir am Sonntag rudern gehen." },
    { "de", "Kannst du mir bitte die Schlüssel mitbringen, wenn du kommst?" },
    { "de", "Das Boot braucht vor dem Sommer einen neuen Anstrich." },
    { "de", "Danke fuer gestern Abend, es war schoen bei euch." },
    { "fr", "Je ne sais pas encore si nous allons ramer dimanche." },
    { "fr", "Tu peux apporter les clés quand tu viens, s'il te plaît ?" },
    { "fr", "Le bateau a besoin d'une nouvelle peinture avant l'été." },
    { "fr", "Merci pour hier soir, c'était très sympa chez vous." },
    { "es", "No sé todavía si vamos a remar el domingo con los niños." },
    { "es", "¿Puedes traer las llaves cuando vengas, por favor?" },
    { "es", "El barco necesita una mano de pintura antes del verano." },
    { "es", "Gracias por la cena de anoche, estuvo muy bien." },
    { "it", "Non so ancora se domenica andiamo a remare sul lago." },
    { "it", "Puoi portare le chiavi quando vieni, per favore?" },
    { "it", "La barca ha bisogno di una mano di vernice prima dell'estate." },
    { "it", "Grazie per la cena di ieri sera, era tutto buonissimo." },
    { "pt", "Ainda não sei se vamos remar no domingo com as crianças." },
    { "pt", "Você pode trazer as chaves quando vier, por favor?" },
    { "pt", "O barco precisa de uma pintura nova antes do verão." },
    { "pt", "Obrigado pelo jantar de ontem, foi muito bom estar com vocês." },
    { "nl", "Ik weet nog niet of we zondag gaan roeien." },
    { "nl", "Kun je de sleutels meenemen als je komt?" },
    { "nl", "De boot heeft voor de zomer een nieuw laagje verf nodig." },
    { "nl", "Bedankt voor gisteravond, het was heel gezellig bij jullie." },
    { "sv", "Jag vet inte än om vi ska ro på söndag." },
    { "sv", "Kan du ta med nycklarna när du kommer?" },
    { "sv", "Båten behöver ny färg innan sommaren, och det vet du." },
    { "sv", "Tack för igår kväll, det var mycket trevligt hos er." },
    { "da", "Jeg ved ikke endnu, om vi skal ro på søndag." },
    { "da", "Kan du tage nøglerne med, når du kommer hjem til mig?" },
    { "da", "Tak for i går aftes, det var meget hyggeligt hos jer." },
    { "no", "Jeg vet ikke ennå om vi skal ro på søndag." },
    { "no", "Kan du ta med nøklene når du kommer hjem til meg?" },
    { "no", "Takk for i går kveld, det var veldig hyggelig hos dere." },
    { "fi", "En tiedä vielä, mennäänkö me sunnuntaina soutamaan." },
    { "fi", "Voitko ottaa avaimet mukaan, kun tulet tänne?" },
    { "fi", "Kiitos eilisestä, teillä oli hyvin mukavaa." },
    { "pl", "Nie wiem jeszcze, czy w niedzielę pójdziemy na łódkę." },
    { "pl", "Czy możesz wziąć klucze, jak będziesz do nas szedł?" },
    { "pl", "Dziękuję za wczoraj, było bardzo miło u was." },
    { "cs", "Ještě nevím, jestli v neděli pojedeme na loď." },
    { "cs", "Můžeš vzít klíče, až k nám půjdeš?" },
    { "cs", "Děkuju za včerejšek, bylo to u vás moc hezké." },
    { "hu", "Még nem tudom, hogy vasárnap megyünk-e evezni." },
    { "hu", "El tudod hozni a kulcsokat, ha jössz?" },
    { "hu", "Köszönöm a tegnapi estét, nagyon jó volt nálatok." },
    { "ro", "Nu știu încă dacă mergem duminică la vâslit." },
    { "ro", "Poți să aduci cheile când vii la noi?" },
    { "ro", "Mulțumesc pentru aseară, a fost foarte frumos la voi." },
    { "tr", "Pazar günü kürek çekmeye gidip gitmeyeceğimizi henüz bilmiyorum." },
    { "tr", "Gelirken anahtarları da getirir misin, çok iyi olur." },
    { "tr", "Dün akşam için teşekkürler, sizde her şey çok güzeldi." },
    { "hr", "Još ne znam hoćemo li u nedjelju ići veslati." },
    { "hr", "Možeš li ponijeti ključeve kada dođeš kod nas?" },
    { "id", "Saya belum tahu apakah kita akan mendayung hari Minggu." },
    { "id", "Terima kasih untuk makan malam kemarin, sangat enak." },
    { "ru", "Я ещё не знаю, пойдём ли мы в воскресенье грести." },
    { "ru", "Возьми, пожалуйста, ключи, когда будешь к нам идти." },
    { "ru", "Спасибо за вчерашний вечер, у вас было очень хорошо." },
    { "uk", "Я ще не знаю, чи підемо ми в неділю веслувати." },
    { "uk", "Дякую за вчорашній вечір, у вас було дуже добре." },
    { "bg", "Още не знам дали ще ходим да гребем в неделя." },
    { "bg", "Благодаря за снощи, беше много хубаво при вас." },
    { "el", "Δεν ξέρω ακόμα αν θα πάμε για κωπηλασία την Κυριακή." },
    { "he", "אני עוד לא יודע אם נלך לחתור ביום ראשון." },
    { "ar", "لا أعرف بعد إن كنا سنذهب للتجديف يوم الأحد." },
    { "fa", "هنوز نمی‌دانم که یکشنبه به پارو زدن می‌رویم یا نه، پس چه کنیم؟" },
    { "hi", "मुझे अभी पता नहीं कि हम रविवार को नाव चलाने जाएँगे या नहीं।" },
    { "ja", "日曜日にボートを漕ぎに行くかどうか、まだわかりません。" },
    { "zh", "我还不知道星期天我们要不要去划船。" },
    { "ko", "일요일에 노를 저으러 갈지 아직 모르겠어요." },
    { "th", "ยังไม่รู้เลยว่าวันอาทิตย์เราจะไปพายเรือกันไหม" },
};

/* As short as messages are: what is told must be right, and most is. */
static const struct said messages[] = {
    { "en", "Running late, start without me" },
    { "en", "Did you see the game yesterday? What a mess" },
    { "en", "I'd rather stay home and read my book tonight" },
    { "en", "Grandma called, she wants to know if you'll come for lunch" },
    { "de", "Komme etwas später, fangt ruhig ohne mich an" },
    { "de", "Hast du das Spiel gestern gesehen? Unglaublich" },
    { "de", "Oma hat angerufen und fragt, ob du zum Essen kommst" },
    { "de", "Wir treffen uns um acht vor dem Kino" },
    { "fr", "Je suis en retard, commencez sans moi" },
    { "fr", "Mamie a appelé, elle demande si tu viens déjeuner" },
    { "fr", "On se retrouve à huit heures devant le cinéma" },
    { "es", "Llego tarde, empezad sin mí" },
    { "es", "Ha llamado la abuela, pregunta si vienes a comer" },
    { "es", "Quedamos a las ocho delante del cine" },
    { "it", "Arrivo in ritardo, cominciate senza di me" },
    { "it", "Ha chiamato la nonna, chiede se vieni a pranzo" },
    { "it", "Ci vediamo alle otto davanti al cinema" },
    { "pt", "Vou chegar atrasado, comecem sem mim" },
    { "pt", "A avó ligou, pergunta se você vem almoçar" },
    { "nl", "Ik ben wat later, begin maar zonder mij" },
    { "nl", "Oma belde, ze vraagt of je komt lunchen" },
    { "nl", "We spreken om acht uur af voor de bioscoop" },
    { "sv", "Jag blir lite sen, börja utan mig" },
    { "sv", "Mormor ringde och undrar om du kommer på lunch" },
    { "da", "Jeg bliver lidt forsinket, start bare uden mig" },
    { "no", "Jeg blir litt forsinket, bare start uten meg" },
    { "fi", "Olen vähän myöhässä, aloittakaa ilman minua" },
    { "pl", "Spóźnię się trochę, zacznijcie beze mnie" },
    { "pl", "Babcia dzwoniła i pyta, czy przyjdziesz na obiad" },
    { "cs", "Přijdu trochu později, začněte beze mě" },
    { "hu", "Kicsit kések, kezdjétek el nélkülem" },
    { "ro", "Întârzii puțin, începeți fără mine" },
    { "tr", "Biraz geç kalacağım, bensiz başlayın" },
    { "ru", "Я немного опоздаю, начинайте без меня" },
    { "uk", "Я трохи запізнюся, починайте без мене" },
    { "bg", "Ще закъснея малко, започвайте без мен" },
    { "el", "Θα αργήσω λίγο, ξεκινήστε χωρίς εμένα" },
    { "id", "Saya agak terlambat, mulai saja tanpa saya" },
};

/* Nothing else than this, or nothing at all. */
static const struct said brief[] = {
    { "en", "ok" }, { "en", "On my way" }, { "de", "Bin gleich da" }, { "de", "Mal sehen" },
    { "fr", "A demain" }, { "es", "Ya voy" }, { "it", "Va bene" }, { "nl", "Tot zo" },
    { "sv", "Okej då" }, { "pt", "Tudo bem" }, { "en", "lol" }, { "en", "Anna Berg" },
    { "en", "12.03.2019" }, { "en", "🙂🙂" }, { "en", "" }, { "en", "No" },
    { "en", "https://example.org/der/die/das/und/ist" }, { "en", "Hotel Restaurant Taxi" },
    { "en", "Die!" }, { "fr", "Non" }, { "it", "Come no" }, { "ru", "Да" }, { "en", "Me too" },
    { "en", "Man" }, { "pl", "No tak" },
};
/* clang-format on */

/* None wrong, and this many of a hundred told. */
static void told(const struct said *s, size_t all, size_t least)
{
    size_t right = 0, wrong = 0;
    for (size_t i = 0; i < all; i++) {
        const char *got = lang_of(s[i].text, strlen(s[i].text));
        if (!strcmp(got, s[i].lang)) right++;
        else print_message("# want %s, got \"%s\": %s\n", s[i].lang, got, s[i].text);
        wrong += *got && strcmp(got, s[i].lang) != 0;
    }
    print_message("# %zu of %zu told, %zu wrongly\n", right, all, wrong);
    check_int(wrong, 0);
    assert_true(right * 100 >= all * least);
}

static void sentences_are_told(void **state)
{
    told(sentences, sizeof sentences / sizeof *sentences, 95);
    told(messages, sizeof messages / sizeof *messages, 80);
}

static void short_ones_are_not_guessed(void **state)
{
    for (size_t i = 0; i < sizeof brief / sizeof *brief; i++) {
        const char *got = lang_of(brief[i].text, strlen(brief[i].text));
        if (*got) check_str(got, brief[i].lang);
    }
    check_str(lang_of("ok", 2), "");
    check_str(lang_of("12345 67890", 11), "");
}

static void any_bytes(void **state)
{
    char junk[3000];
    for (size_t i = 0; i < sizeof junk; i++) junk[i] = (char)(hash64(&i, sizeof i, 5));
    for (size_t n = 0; n < sizeof junk; n += 37) assert_non_null(lang_of(junk, n));
    memset(junk, 'a', sizeof junk);
    check_str(lang_of(junk, sizeof junk), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_are_told),
        cmocka_unit_test(short_ones_are_not_guessed),
        cmocka_unit_test(any_bytes),
    };
    return check_run("text/lang", tests);
}
