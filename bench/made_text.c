/* Words, sentences, people. A sentence alternates function words with content words; these are
 * drawn so that a few are frequent and most are rare, and are now and then put together from two,
 * so new words keep coming. */
#include "made_text.h"

#include "bench.h"

#include <string.h>

static const char *const small[MADE_TONGUES][40] = {
    { "the", "and", "to",   "of",   "I",   "a",    "in",   "that", "it",    "is",
      "was", "you", "for",  "we",   "on",  "with", "but",  "at",   "have",  "be",
      "not", "my",  "this", "they", "are", "as",   "from", "had",  "or",    "so",
      "if",  "our", "when", "what", "me",  "been", "your", "will", "would", "there" },
    { "der", "die",  "und",  "das",   "ich",   "nicht", "ist", "zu",   "es",   "wir",
      "ein", "mit",  "den",  "auf",   "für",   "war",   "im",  "sich", "dem",  "du",
      "von", "auch", "eine", "habe",  "noch",  "aber",  "wie", "mir",  "wenn", "dass",
      "so",  "oder", "bei",  "schon", "haben", "mich",  "nur", "nach", "dann", "uns" },
    { "le",   "la",   "de",   "et",  "les",  "je",    "un",    "que", "à",     "est",
      "pas",  "une",  "pour", "en",  "nous", "des",   "il",    "ne",  "du",    "dans",
      "vous", "mais", "qui",  "sur", "avec", "on",    "au",    "ce",  "plus",  "tout",
      "elle", "sont", "mon",  "me",  "si",   "cette", "était", "ou",  "comme", "bien" },
    { "el",   "la",  "de",  "que",  "y",   "en",   "no",   "un",     "los",   "me",
      "una",  "por", "con", "es",   "se",  "lo",   "para", "mi",     "las",   "del",
      "pero", "muy", "al",  "como", "más", "todo", "hay",  "está",   "si",    "cuando",
      "yo",   "ya",  "nos", "este", "su",  "era",  "o",    "porque", "desde", "donde" },
};

static const char *const large[MADE_TONGUES][64] = {
    { "harbour", "engine",   "letter",  "garden",  "meeting",  "winter",   "bread",   "window",
      "train",   "report",   "kitchen", "summer",  "bridge",   "ticket",   "morning", "doctor",
      "ferry",   "market",   "paper",   "school",  "weather",  "concert",  "river",   "budget",
      "sister",  "station",  "holiday", "project", "machine",  "question", "village", "picture",
      "answer",  "release",  "storm",   "dinner",  "customer", "guitar",   "island",  "contract",
      "running", "waiting",  "broken",  "early",   "quiet",    "heavy",    "nearly",  "finished",
      "think",   "remember", "bring",   "forget",  "promise",  "carry",    "sleep",   "cook",
      "travel",  "write",    "listen",  "repair",  "cold",     "bright",   "tired",   "strange" },
    { "Hafen",     "Maschine",  "Brief",     "Garten",      "Sitzung", "Winter",   "Brot",
      "Fenster",   "Zug",       "Bericht",   "Küche",       "Sommer",  "Brücke",   "Fahrkarte",
      "Morgen",    "Arzt",      "Fähre",     "Markt",       "Papier",  "Schule",   "Wetter",
      "Konzert",   "Fluss",     "Haushalt",  "Schwester",   "Bahnhof", "Urlaub",   "Projekt",
      "Werkstatt", "Frage",     "Dorf",      "Bild",        "Antwort", "Ausgabe",  "Sturm",
      "Abend",     "Kunde",     "Gitarre",   "Insel",       "Vertrag", "laufen",   "warten",
      "kaputt",    "früh",      "ruhig",     "schwer",      "beinahe", "fertig",   "denken",
      "erinnern",  "bringen",   "vergessen", "versprechen", "tragen",  "schlafen", "kochen",
      "reisen",    "schreiben", "hören",     "reparieren",  "kalt",    "hell",     "müde",
      "seltsam" },
    { "port",    "moteur",   "lettre",   "jardin",  "réunion",   "hiver",    "pain",    "fenêtre",
      "train",   "rapport",  "cuisine",  "été",     "pont",      "billet",   "matin",   "médecin",
      "bateau",  "marché",   "papier",   "école",   "temps",     "concert",  "rivière", "budget",
      "sœur",    "gare",     "vacances", "projet",  "machine",   "question", "village", "image",
      "réponse", "version",  "tempête",  "dîner",   "client",    "guitare",  "île",     "contrat",
      "courir",  "attendre", "cassé",    "tôt",     "calme",     "lourd",    "presque", "fini",
      "penser",  "rappeler", "apporter", "oublier", "promettre", "porter",   "dormir",  "cuisiner",
      "voyager", "écrire",   "écouter",  "réparer", "froid",     "clair",    "fatigué", "étrange" },
    { "puerto",    "motor",    "carta",       "jardín",   "reunión",   "invierno",   "pan",
      "ventana",   "tren",     "informe",     "cocina",   "verano",    "puente",     "billete",
      "mañana",    "médico",   "barco",       "mercado",  "papel",     "escuela",    "tiempo",
      "concierto", "río",      "presupuesto", "hermana",  "estación",  "vacaciones", "proyecto",
      "máquina",   "pregunta", "pueblo",      "imagen",   "respuesta", "versión",    "tormenta",
      "cena",      "cliente",  "guitarra",    "isla",     "contrato",  "correr",     "esperar",
      "roto",      "temprano", "tranquilo",   "pesado",   "casi",      "terminado",  "pensar",
      "recordar",  "traer",    "olvidar",     "prometer", "llevar",    "dormir",     "cocinar",
      "viajar",    "escribir", "escuchar",    "reparar",  "frío",      "claro",      "cansado",
      "extraño" },
};

static const char *const first[MADE_PEOPLE / 4] = {
    "Ann",   "Jonas", "Marie", "Luis",   "Ingrid", "Tom",    "Sofia", "Peter",
    "Karin", "Pablo", "Elise", "Martin", "Nora",   "Henrik", "Lucía",
};
static const char *const last[4] = { "Berg", "Keller", "Moreau", "Castillo" };

uint32_t made_below(uint32_t n) { return (uint32_t)((bench_random() >> 32) * n >> 32); }

enum made_tongue made_tongue(void)
{
    uint32_t r = made_below(10);
    return r < 5 ? MADE_EN : r < 8 ? MADE_DE : r < 9 ? MADE_FR : MADE_ES;
}

/* Low numbers often, high ones seldom. */
static uint32_t skewed(uint32_t n)
{
    uint32_t a = made_below(n), b = made_below(n);
    return a < b ? a : b;
}

static void put_content(struct buf *out, enum made_tongue t)
{
    const char *w = large[t][skewed(64)];
    uint32_t more = made_below(12);
    buf_adds(out, w);
    if (!more) buf_adds(out, large[t][made_below(64)]);
    if (more == 1) buf_printf(out, " %u", made_below(2000));
    if (more == 2) buf_printf(out, " %s", first[made_below(MADE_PEOPLE / 4)]);
}

void made_words(struct buf *out, enum made_tongue t, int n)
{
    for (int i = 0; i < n; i++) {
        if (i) buf_addc(out, ' ');
        if (made_below(5) < 3) buf_adds(out, small[t][skewed(40)]);
        else put_content(out, t);
    }
}

void made_sentences(struct buf *out, enum made_tongue t, int n)
{
    static const char *const ends[] = { ".", ".", ".", ".", "!", "?", " :)", "..." };
    for (int i = 0; i < n; i++) {
        if (i) buf_addc(out, ' ');
        size_t at = out->n;
        made_words(out, t, 4 + (int)made_below(14));
        if (out->n > at && out->p[at] >= 'a' && out->p[at] <= 'z') out->p[at] -= 32;
        buf_adds(out, ends[made_below(8)]);
    }
}

const char *made_person(uint32_t i)
{
    static char names[MADE_PEOPLE][32];
    char *s = names[i % MADE_PEOPLE];
    if (!*s) {
        strcpy(s, first[i % (MADE_PEOPLE / 4)]);
        strcat(s, " ");
        strcat(s, last[i / (MADE_PEOPLE / 4) % 4]);
    }
    return s;
}

const char *made_address(uint32_t i)
{
    static char all[MADE_PEOPLE][32];
    char *s = all[i % MADE_PEOPLE];
    struct buf b = BUF_INIT(64);
    if (!*s) {
        buf_printf(&b, "person%u@mail%u.example", i % MADE_PEOPLE, i % 7);
        memcpy(s, buf_str(&b), b.n < 31 ? b.n : 31);
    }
    buf_free(&b);
    return s;
}
