/* What the lines of a WhatsApp export look like.
 *
 * There is no format, only what the telephone's language and settings make of it. Android writes
 * "12/03/2019, 21:14 - Name: text", iOS "[12.03.19, 21:14:05] Name: text"; the order of day and
 * month, the separators, the clock and the spaces before AM and PM (U+202F lately, U+00A0 before)
 * follow the locale. So the prefix is read as numbers and separators, and sense is made of them by
 * the caller, who has seen the whole file.
 *
 * WhatsApp's own words are translated too. They are told from people's words by U+200E in front
 * (iOS puts it there) or by being the whole of the message; the tables hold seven languages. */
#include "text/whatsapp.h"

#include "base/str.h"
#include "text/date.h"

#include <string.h>

#define LRM "\xE2\x80\x8E"

/* ---- marks and spaces ---- */

/* Length of an invisible mark of direction at p: U+200E-F, U+202A-E, U+2066-9, U+FEFF. */
static size_t mark_at(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    if (n < 3) return 0;
    if (u[0] == 0xE2 && u[1] == 0x80 &&
        (u[2] == 0x8E || u[2] == 0x8F || (u[2] >= 0xAA && u[2] <= 0xAE)))
        return 3;
    if (u[0] == 0xE2 && u[1] == 0x81 && u[2] >= 0xA6 && u[2] <= 0xA9) return 3;
    return u[0] == 0xEF && u[1] == 0xBB && u[2] == 0xBF ? 3 : 0;
}

/* Length of a space at p: blank, U+00A0, U+2009, U+202F. */
static size_t space_at(const char *p, size_t n)
{
    if (n && (*p == ' ' || *p == '\t')) return 1;
    if (n >= 2 && !memcmp(p, "\xC2\xA0", 2)) return 2;
    return n >= 3 && (!memcmp(p, "\xE2\x80\xAF", 3) || !memcmp(p, "\xE2\x80\x89", 3)) ? 3 : 0;
}

size_t wa_blank(struct span s, bool *ltr)
{
    size_t i = 0, k;
    if (ltr) *ltr = false;
    while (i < s.n && ((k = mark_at(s.p + i, s.n - i)) || (k = space_at(s.p + i, s.n - i)))) {
        if (ltr && k == 3 && !memcmp(s.p + i, LRM, 3)) *ltr = true;
        i += k;
    }
    return i;
}

void wa_unmark(struct buf *out, struct span s)
{
    size_t run = 0, k;
    for (size_t i = 0; i < s.n; i += k ? k : 1) {
        k = (unsigned char)s.p[i] >= 0xE2 ? mark_at(s.p + i, s.n - i) : 0;
        if (!k) continue;
        buf_add(out, s.p + run, i - run);
        run = i + k;
    }
    if (s.n > run) buf_add(out, s.p + run, s.n - run);
}

/* ---- the prefix ---- */

struct reader {
    const char *p;
    size_t n, i;
};

static bool read_number(struct reader *r, size_t most, int *out, size_t *digits)
{
    size_t k = 0;
    *out = 0;
    while (r->i < r->n && k < most && r->p[r->i] >= '0' && r->p[r->i] <= '9')
        *out = *out * 10 + (r->p[r->i++] - '0'), k++;
    if (digits) *digits = k;
    return k && !(r->i < r->n && r->p[r->i] >= '0' && r->p[r->i] <= '9');
}

static bool read_char(struct reader *r, const char *any, char *got)
{
    if (r->i >= r->n || !r->p[r->i] || !strchr(any, r->p[r->i])) return false;
    *got = r->p[r->i++];
    return true;
}

static void read_blank(struct reader *r)
{
    r->i += wa_blank((struct span){ r->p + r->i, r->n - r->i }, NULL);
}

/* a/b/c with one separator throughout; two- or four-digit year at the end, or four at the start. */
static bool read_date(struct reader *r, struct wa_stamp *t)
{
    size_t da, dc;
    char s1, s2;
    if (!read_number(r, 4, &t->a, &da) || !read_char(r, "/.-", &s1)) return false;
    read_blank(r);
    if (!read_number(r, 2, &t->b, NULL) || !read_char(r, "/.-", &s2) || s1 != s2) return false;
    read_blank(r);
    if (!read_number(r, 4, &t->c, &dc)) return false;
    t->year_first = da == 4;
    t->dotted = s1 == '.';
    if (da == 3 || dc == 3 || (t->year_first ? dc > 2 : dc == 1)) return false;
    if (t->dotted && r->i < r->n && r->p[r->i] == '.') r->i++;
    return true;
}

/* Between date and time: a comma, spaces, a little word ("at", "à", "às", "um", "a las"). */
static bool read_gap(struct reader *r)
{
    static const char *const words[] = { "at ",       "à ",  "às ", "um ", "a las ", "alle ",
                                         "alle ore ", "om ", "u ",  "à ",  NULL };
    size_t from = r->i;
    if (r->i < r->n && r->p[r->i] == ',') r->i++;
    read_blank(r);
    for (int i = 0; words[i]; i++) {
        size_t k = strlen(words[i]);
        if (r->n - r->i >= k && !memcmp(r->p + r->i, words[i], k)) {
            r->i += k;
            break;
        }
    }
    read_blank(r);
    return r->i > from;
}

static bool read_clock(struct reader *r, struct wa_stamp *t)
{
    char c;
    size_t d;
    t->s = 0;
    if (!read_number(r, 2, &t->h, NULL) || !read_char(r, ":.h", &c)) return false;
    if (!read_number(r, 2, &t->m, &d) || d != 2) return false;
    if (r->i < r->n && (r->p[r->i] == ':' || r->p[r->i] == '.') && c != 'h') {
        size_t was = r->i++;
        if (!read_number(r, 2, &t->s, &d) || d != 2) r->i = was, t->s = 0;
    }
    return t->h < 25 && t->m < 60 && t->s < 61;
}

/* "AM", "p. m.", "Uhr" and the like before the end of the prefix. */
static bool read_half(struct wa_stamp *t, struct span s)
{
    struct span word = span_trim(s);
    if (!word.n || span_ieq(word, "Uhr") || span_ieq(word, "h")) return t->h < 24;
    int half = word.n < 16 ? date_ampm(word) : -1;
    if (half < 0 || t->h > 12) return half >= 0 && t->h < 24;
    t->h = date_hour12(t->h, half);
    return true;
}

size_t wa_prefix(struct span line, struct wa_stamp *out)
{
    struct reader r = { line.p, line.n < 96 ? line.n : 96, 0 };
    *out = (struct wa_stamp){ 0 };
    read_blank(&r);
    bool bracket = r.i < r.n && r.p[r.i] == '[';
    if (bracket) r.i++;
    read_blank(&r);
    if (!read_date(&r, out) || !read_gap(&r) || !read_clock(&r, out)) return 0;
    size_t half = r.i;
    if (bracket) {
        const char *e = memchr(r.p + r.i, ']', r.n - r.i);
        if (!e || !read_half(out, (struct span){ r.p + half, (size_t)(e - r.p) - half })) return 0;
        r.i = (size_t)(e - r.p) + 1;
        return r.i + (r.i < line.n && line.p[r.i] == ' ');
    }
    for (; r.i < r.n && r.i < half + 20; r.i++) {
        size_t dash = r.p[r.i] == '-'                                           ? 1
                      : r.n - r.i >= 3 && !memcmp(r.p + r.i, "\xE2\x80\x93", 3) ? 3
                                                                                : 0;
        if (!dash) continue;
        bool spaced = r.i > half && (r.p[r.i - 1] == ' ' || (unsigned char)r.p[r.i - 1] >= 0x80);
        size_t after = r.i + dash;
        if (!spaced || (after < line.n && line.p[after] != ' ')) return 0;
        if (!read_half(out, (struct span){ r.p + half, r.i - half })) return 0;
        return after + (after < line.n);
    }
    return 0;
}

int64_t wa_time(const struct wa_stamp *t, int day_first)
{
    int y, m, d, swap;
    if (t->year_first) {
        y = t->a, m = t->b, d = t->c;
    } else {
        y = t->c < 100 ? t->c + 2000 : t->c;
        d = day_first || t->dotted ? t->a : t->b;
        m = day_first || t->dotted ? t->b : t->a;
    }
    if (!date_valid(y, m, d)) swap = m, m = d, d = swap;
    if (!date_valid(y, m, d) || t->h > 24) return CLOCK_NONE;
    return clock_from_civil(y, m, d, t->h, t->m, t->s);
}

/* ---- WhatsApp's own words ---- */

/* clang-format off */
static const char *const encryption[] = { /* at the start of the message */
    "Messages and calls are end-to-end encrypted",
    "Messages to this chat and calls are now secured",
    "Messages you send to this group are now secured", "Messages to this group are now secured",
    "Messages to this chat and calls are", "Nachrichten und Anrufe sind Ende-zu-Ende",
    "Nachrichten in diesem Chat sowie Anrufe", "Nachrichten, die du in diesem Chat sendest",
    "Nachrichten in dieser Gruppe sind", "Les messages et les appels sont chiffrés",
    "Les messages et appels sont chiffrés", "Les messages envoyés dans cette discussion",
    "Los mensajes y las llamadas están cifrados", "Los mensajes y llamadas están",
    "Las llamadas y los mensajes enviados a este chat",
    "I messaggi e le chiamate sono crittografati", "I messaggi inviati a questa chat",
    "Berichten en gesprekken worden end-to-end", "Berichten en oproepen zijn end-to-end",
    "De berichten en gesprekken in deze chat", "As mensagens e as chamadas são protegidas",
    "As mensagens e chamadas são protegidas", "As mensagens e ligações são",
    "As mensagens e as ligações", "Mensagens e ligações são", "Waiting for this message",
    "Warten auf diese Nachricht", "En attente de ce message", "Esperando este mensaje",
    "In attesa del messaggio", "Wachten op dit bericht", "Aguardando mensagem", NULL
};
static const char *const events[] = { /* anywhere in a marked or nameless line */
    "created this group", "created group", "added", "left", "removed", "joined using",
    "joined from", "changed the subject", "changed the group", "changed this group",
    "changed their phone number", "changed to", "changed the settings", "security code",
    "disappearing messages", "pinned a message", "now an admin", "no longer an admin",
    "requested to join", "business account", "blocked this contact", "is a contact",
    "started a call", "group name", "group description", "deleted the group", "reset this group",
    "erstellt", "hinzugefügt", "verlassen", "entfernt", "geändert", "beigetreten",
    "Sicherheitsnummer", "Admin", "selbstlöschende", "Geschäftskonto", "a créé", "a ajouté",
    "avez été ajouté", "a quitté", "a retiré", "a changé", "a modifié", "code de sécurité",
    "a rejoint", "creó", "añadió", "salió", "eliminó a", "cambió", "código de seguridad",
    "se unió", "ha creato", "ha aggiunto", "ha abbandonato", "ha rimosso", "ha cambiato",
    "ha modificato", "codice di sicurezza", "aangemaakt", "toegevoegd", "heeft de groep",
    "verwijderd", "gewijzigd", "beveiligingscode", "deelgenomen", "criou", "adicionou", "saiu",
    "removeu", "mudou", "alterou", "código de segurança", "entrou", NULL
};
static const char *const names_hold[] = { /* in a line that only looks like "Name: text" */
    "created group \"", "created group “", "changed the subject", "changed the group",
    "changed this group", "hat die Gruppe", "hat den Betreff", "hat den Gruppennamen",
    "a créé le groupe", "a changé le sujet", "a modifié le sujet", "creó el grupo",
    "cambió el asunto", "cambió el nombre", "ha creato il gruppo", "ha cambiato l'oggetto",
    "ha cambiato il nome", "heeft de groep", "heeft het onderwerp", "criou o grupo",
    "mudou o assunto", "alterou o nome", "mudou o nome", "changed their phone number",
    "end-to-end", "security code", "disappearing messages", NULL
};
static const char *const deleted[] = { /* the whole message */
    "This message was deleted", "You deleted this message", "You deleted this message as admin",
    "This message was deleted by admin", "Diese Nachricht wurde gelöscht",
    "Du hast diese Nachricht gelöscht", "Ce message a été supprimé",
    "Vous avez supprimé ce message", "Se eliminó este mensaje", "Eliminaste este mensaje",
    "Este mensaje fue eliminado", "Questo messaggio è stato eliminato",
    "Hai eliminato questo messaggio", "Dit bericht is verwijderd", "Dit bericht werd verwijderd",
    "U hebt dit bericht verwijderd", "Je hebt dit bericht verwijderd", "Mensagem apagada",
    "Esta mensagem foi apagada", "Você apagou esta mensagem", "Você apagou essa mensagem",
    "Apagaste esta mensagem", "Essa mensagem foi apagada", NULL
};
static const char *const missed[] = { /* at the start of a marked, nameless or whole message */
    "Missed voice call", "Missed video call", "Missed group voice call",
    "Missed group video call", "Missed call", "Verpasster Sprachanruf", "Verpasster Videoanruf",
    "Verpasster Gruppen", "Sprachanruf verpasst", "Videoanruf verpasst", "Verpasster Anruf",
    "Appel vocal manqué", "Appel vidéo manqué", "Appel manqué", "Appel vocal de groupe manqué",
    "Llamada perdida", "Llamada de voz perdida", "Videollamada perdida", "Llamada grupal perdida",
    "Chiamata persa", "Chiamata vocale persa", "Videochiamata persa", "Chiamata senza risposta",
    "Gemiste spraakoproep", "Gemiste video-oproep", "Gemiste oproep", "Gemiste audio-oproep",
    "Gemist spraakgesprek", "Gemist videogesprek", "Chamada de voz perdida",
    "Chamada de vídeo perdida", "Ligação de voz perdida", "Ligação de vídeo perdida",
    "Chamada perdida", "Ligação perdida", NULL
};
static const char *const calls[] = { /* at the start of a marked message */
    "Voice call", "Video call", "Group call", "Sprachanruf", "Videoanruf", "Appel vocal",
    "Appel vidéo", "Llamada de voz", "Videollamada", "Chiamata vocale", "Videochiamata",
    "Spraakoproep", "Video-oproep", "Chamada de voz", "Chamada de vídeo", "Ligação de", "POLL:",
    "UMFRAGE:", "SONDAGE", "ENCUESTA:", "SONDAGGIO:", "ENQUETE:", "Silenced voice call",
    "Silenced video call", NULL
};
static const char *const omitted[] = { /* the whole first line */
    "<Media omitted>", "<Medien ausgeschlossen>", "<Medien weggelassen>", "<Médias omis>",
    "<Fichier omis>", "<Média omis>", "<Multimedia omitido>", "<Archivo omitido>",
    "<Media omessi>", "<Media omesso>", "<Media weggelaten>", "<Mídia oculta>", "<Mídia omitida>",
    "<Arquivo de mídia oculto>", "<Ficheiro não revelado>", "<Ficheiro omitido>",
    "<Média omitido>", "<View once voice message omitted>", "null", NULL
};
static const char *const omitted_ios[] = { /* at the end of a line, with U+200E in front */
    "image omitted", "video omitted", "audio omitted", "sticker omitted", "GIF omitted",
    "document omitted", "Contact card omitted", "video note omitted", "Bild weggelassen",
    "Video weggelassen", "Audio weggelassen", "Sticker weggelassen", "GIF weggelassen",
    "Dokument weggelassen", "Kontaktkarte ausgelassen", "Kontaktkarte weggelassen",
    "Videonachricht weggelassen", "image absente", "vidéo absente", "audio omis", "sticker omis",
    "GIF retiré", "document manquant", "Fiche contact omise", "imagen omitida", "Video omitido",
    "audio omitido", "sticker omitido", "GIF omitido", "documento omitido",
    "Tarjeta de contacto omitida", "immagine omessa", "video omesso", "audio omesso",
    "sticker non incluso", "GIF esclusa", "documento omesso", "Scheda contatto omessa",
    "afbeelding weggelaten", "video weggelaten", "audio weggelaten", "sticker weggelaten",
    "GIF weggelaten", "document weggelaten", "Contactkaart weggelaten", "imagem ocultada",
    "imagem omitida", "vídeo omitido", "vídeo ocultado", "áudio ocultado", "áudio omitido",
    "figurinha omitida", "documento ocultado", "Cartão do contato omitido", NULL
};
static const char *const attached_ios[] = { /* U+200E in front, up to ">" */
    "<attached:", "<Anhang:", "<pièce jointe\xC2\xA0:", "<pièce jointe :", "<pièce jointe:",
    "<adjunto:", "<allegato:", "<bijgevoegd:", "<anexado:", "<anexo:", NULL
};
static const char *const attached[] = { /* at the end of the first line */
    "(file attached)", "(Datei angehängt)", "(fichier joint)", "(archivo adjunto)",
    "(file allegato)", "(bestand bijgevoegd)", "(arquivo anexado)", "(ficheiro anexado)", NULL
};
static const char *const edited[] = { /* at the end of the message */
    "<This message was edited>", "<Diese Nachricht wurde bearbeitet.>",
    "<Diese Nachricht wurde bearbeitet>", "<Ce message a été modifié>",
    "<Se editó este mensaje.>", "<Se editó este mensaje>", "<Este mensaje fue editado>",
    "<Questo messaggio è stato modificato>", "<Dit bericht is bewerkt>",
    "<Dit bericht is bewerkt.>", "<Mensagem editada>", "<Esta mensagem foi editada>", NULL
};
static const char *const places[] = {
    "location: http", "Location: http", "Standort: http", "Localisation : http",
    "ubicación: http", "Ubicación: http", "posizione: http", "locatie: http", "localização: http",
    NULL
};
/* clang-format on */

static bool is_any(struct span s, const char *const *list)
{
    for (; *list; list++)
        if (span_ieq(s, *list)) return true;
    return false;
}

static bool holds_any(struct span s, const char *const *list)
{
    for (; *list; list++)
        if (span_ifind(s, *list)) return true;
    return false;
}

enum wa_kind wa_kind_of(struct span body, bool marked)
{
    struct span t = span_trim(body);
    if (t.n > 600) return WA_TEXT;
    struct span whole = t;
    if (whole.n && whole.p[whole.n - 1] == '.') whole.n--;
    if (is_any(whole, deleted)) return WA_DELETED;
    if (is_any(whole, missed) || (marked && span_istarts_any(t, missed))) return WA_MISSED;
    if (span_istarts_any(t, encryption)) return WA_SYSTEM;
    if (span_istarts_any(t, places) && !memchr(t.p, '\n', t.n) &&
        (marked || span_ifind(t, "maps.google")))
        return WA_MEDIA;
    if (!marked) return WA_TEXT;
    if (span_istarts_any(t, attached_ios) || is_any(t, omitted_ios))
        return WA_TEXT; /* wa_strip's business */
    if (span_istarts_any(t, calls) || (!memchr(t.p, '\n', t.n) && holds_any(t, events)))
        return WA_SYSTEM;
    return WA_TEXT;
}

bool wa_system_name(struct span name) { return holds_any(name, names_hold); }

/* ---- media and edits ---- */

/* Take [from, to) out of b. */
static void cut(struct buf *b, size_t from, size_t to)
{
    memmove(b->p + from, b->p + to, b->n - to);
    b->n -= to - from;
    b->p[b->n] = 0;
}

static void trim(struct buf *b)
{
    struct span t = span_trim((struct span){ buf_str(b), b->n });
    if (!b->p) return;
    memmove(b->p, t.p, t.n);
    b->p[b->n = t.n] = 0;
}

/* The mark of iOS inside a line: U+200E and one of the list; [from, to) is where it is. */
static bool ios_mark(const struct buf *b, size_t *from, size_t *to)
{
    const char *end = b->p + b->n, *p = b->p;
    while ((p = memmem(p, (size_t)(end - p), LRM, 3))) {
        struct span rest = { p + 3, (size_t)(end - p) - 3 };
        const char *e = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
        struct span line = { rest.p, e ? (size_t)(e - rest.p) : rest.n };
        *from = (size_t)(p - b->p);
        const char *close = line.n ? memchr(line.p, '>', line.n) : NULL;
        *to = *from + 3 + line.n;
        if (is_any(span_trim(line), omitted_ios)) return true;
        if (close && span_istarts_any(line, attached_ios)) {
            *to = (size_t)(close + 1 - b->p);
            return true;
        }
        p += 3;
    }
    return false;
}

/* "report.pdf • ‎12 pages" before "‎document omitted" is the file's name, no caption. */
static bool file_facts(struct span line)
{
    return line.n && line.n < 300 && memmem(line.p, line.n, " \xE2\x80\xA2 " LRM, 8);
}

bool wa_strip(struct buf *b)
{
    bool media = false;
    size_t from, to;
    if (!b->n) return false;
    for (int i = 0; edited[i]; i++) {
        struct span t = span_trim((struct span){ b->p, b->n });
        size_t k = strlen(edited[i]);
        if (t.n >= k && span_ieq((struct span){ t.p + t.n - k, k }, edited[i]))
            cut(b, (size_t)(t.p - b->p) + t.n - k, b->n);
    }
    while (b->n && ios_mark(b, &from, &to)) {
        if (file_facts((struct span){ b->p, from })) from = 0;
        cut(b, from, to);
        media = true;
    }
    const char *e = b->n ? memchr(b->p, '\n', b->n) : NULL;
    size_t first = e ? (size_t)(e - b->p) : b->n;
    struct span line = span_trim((struct span){ buf_str(b), first });
    bool gone = is_any(line, omitted) || (!e && is_any(line, omitted_ios));
    for (int i = 0; !gone && attached[i]; i++) {
        size_t k = strlen(attached[i]);
        gone = line.n > k && span_ieq((struct span){ line.p + line.n - k, k }, attached[i]);
    }
    if (gone) cut(b, 0, e ? first + 1 : first);
    trim(b);
    return media || gone;
}

/* ---- names ---- */

bool wa_phone(struct span name, char out[32])
{
    size_t n = 0;
    int digits = 0;
    for (size_t i = 0; i < name.n;) {
        size_t k = space_at(name.p + i, name.n - i);
        if (!k) k = mark_at(name.p + i, name.n - i);
        if (!k && name.n - i >= 3 && !memcmp(name.p + i, "\xE2\x80\x91", 3)) k = 3; /* U+2011 */
        if (!k && strchr("-().", name.p[i]) && name.p[i]) k = 1;
        if (!k) {
            char c = name.p[i];
            if (!(c >= '0' && c <= '9') && !(c == '+' && !n)) return false;
            if (n + 1 >= 32) return false;
            out[n++] = c;
            digits += c != '+';
            k = 1;
        }
        i += k;
    }
    out[n] = 0;
    return digits >= 7;
}

bool wa_chat_name(struct span stem, struct span *out)
{
    static const char *const before[] = { "WhatsApp Chat with ",
                                          "WhatsApp Chat - ",
                                          "WhatsApp-Chat mit ",
                                          "WhatsApp-Chat - ",
                                          "WhatsApp Chat mit ",
                                          "Chat de WhatsApp con ",
                                          "Chat de WhatsApp - ",
                                          "Discussion WhatsApp avec ",
                                          "Discussion WhatsApp - ",
                                          "Chat WhatsApp con ",
                                          "Chat WhatsApp - ",
                                          "WhatsApp-chat met ",
                                          "WhatsApp-chat - ",
                                          "Conversa do WhatsApp com ",
                                          "Conversa do WhatsApp - ",
                                          "WhatsApp - ",
                                          NULL };
    for (int i = 0; before[i]; i++) {
        size_t k = strlen(before[i]);
        if (stem.n <= k || !span_ieq((struct span){ stem.p, k }, before[i])) continue;
        struct span t = span_trim((struct span){ stem.p + k, stem.n - k });
        if (t.n > 4 && t.p[t.n - 1] == ')' && t.p[t.n - 3] == '(' && t.p[t.n - 4] == ' ') t.n -= 4;
        *out = t;
        return t.n > 0;
    }
    return false;
}
