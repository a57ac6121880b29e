/* Whose words are these? One walk over the lines of a mail body.
 *
 * There is no standard for quoting, only habits, and every client has its own. The walk knows five
 * things that end the sender's words: a "> " mark (one line), an attribution ("On ... wrote:"), a
 * separator or header block of Outlook (all the rest), a forward mark (all the rest) and a
 * signature (until one of the others). An attribution is either strong (it holds a date or an
 * address beside the verb: believed as it stands, over up to three lines) or weak ("Anna wrote:":
 * believed only before a "> " line), because a letter may well say "Anna wrote:" in its own words.
 *
 * When in doubt the text goes to `quoted`: a line lost costs little, a stranger's line in the
 * persona's voice costs trust. Nothing is allocated here; look-ahead is bounded, so the time is
 * linear. */
#include "text/mailtext.h"

#include "base/str.h"

#include <string.h>

struct walk {
    const char *s;
    size_t n, at; /* at: start of the line that comes next */
    bool bare;    /* quotes were taken out before */
    struct buf *own, *quoted, *signature, *forwarded;
};

enum part { OWN, QUOTED, SIGNATURE, FORWARDED };

/* ---- lines ---- */

static bool line_at(const struct walk *w, size_t *at, struct span *out)
{
    if (*at >= w->n) return false;
    const char *p = w->s + *at, *e = memchr(p, '\n', w->n - *at);
    out->p = p;
    out->n = e ? (size_t)(e - p) : w->n - *at;
    *at += out->n + (e != NULL);
    if (out->n && p[out->n - 1] == '\r') out->n--;
    return true;
}

static bool blank(struct span l) { return !span_trim(l).n; }

/* The first line that is not blank from at on; false at the end. */
static bool next_filled(const struct walk *w, size_t at, struct span *out)
{
    while (line_at(w, &at, out))
        if (!blank(*out)) return true;
    return false;
}

static bool marked(struct span l)
{
    size_t i = 0;
    while (i < l.n && i < 3 && l.p[i] == ' ') i++;
    return i < l.n && l.p[i] == '>';
}

static bool ends(struct span l, const char *s)
{
    size_t k = strlen(s);
    return l.n >= k && span_ieq((struct span){ l.p + l.n - k, k }, s);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- attributions ---- */

static const char *const leads[] = { "On ",     "Am ",        "Le ",      "El ",     "Il ",
                                     "Op ",     "Em ",        "At ",      "Den ",    "In ",
                                     "No dia ", "Quoting ",   "On, ",     "A ",      "Den,",
                                     "Dne ",    "Zitat von ", "Citando ", "W dniu ", NULL };
static const char *const verbs[] = { "wrote",      "writes",   "schrieb",  "geschrieben",
                                     "a écrit",    "écrivait", "escribió", "escribio",
                                     "ha scritto", "scrive",   "schreef",  "geschreven",
                                     "escreveu",   "skrev",    "napisał",  NULL };

/* A time of day, or a year beside another number ("4 March 2019", but not "in 2019"). */
static bool has_date(struct span t)
{
    int years = 0, numbers = 0;
    for (size_t i = 0; i < t.n; i++) {
        size_t d = i;
        while (d < t.n && is_digit(t.p[d])) d++;
        if (d == i) continue;
        if (d <= i + 2 && d + 2 < t.n && (t.p[d] == ':' || t.p[d] == 'h') && is_digit(t.p[d + 1]) &&
            is_digit(t.p[d + 2]))
            return true;
        numbers++;
        years += d == i + 4 && (!memcmp(t.p + i, "19", 2) || !memcmp(t.p + i, "20", 2));
        i = d - 1;
    }
    return years && numbers > 1;
}

static bool has_address(struct span t)
{
    const char *at = t.n ? memchr(t.p, '@', t.n) : NULL;
    return at && at > t.p && at + 1 < t.p + t.n && at[-1] != ' ' && at[1] != ' ';
}

static bool has_verb(struct span t)
{
    for (const char *const *v = verbs; *v; v++) {
        const char *p = span_ifind(t, *v), *e = p ? p + strlen(*v) : NULL;
        if (p && (p == t.p || !((p[-1] | 32) >= 'a' && (p[-1] | 32) <= 'z')) &&
            (e == t.p + t.n || !((*e | 32) >= 'a' && (*e | 32) <= 'z')))
            return true;
    }
    return false;
}

/* Old Gmail: "2013-05-04 10:22 GMT+02:00 Anna <anna@example.net>:". */
static bool dated_address(struct span t)
{
    return t.n && is_digit(t.p[0]) && ends(t, ">:") && has_address(t) && has_date(t);
}

/* t: the attribution with its lines joined. Does it hold evidence enough to stand alone? */
static bool strong_attribution(struct span t)
{
    if (!t.n || t.p[t.n - 1] != ':') return false;
    if (dated_address(t)) return true;
    if (!has_verb(t))
        return (span_istarts(t, "Quoting ") || span_istarts(t, "Zitat von ")) && has_address(t);
    bool lead = span_istarts_any(t, leads), date = has_date(t), addr = has_address(t);
    return (lead && (date || addr)) || (addr && (date || ends(t, "wrote:"))) ||
           (date && !lead && t.n < 120 &&
            (span_ifind(t, " wrote on ") || span_ifind(t, " schrieb am ") ||
             span_ifind(t, " schreef op ")));
}

/* Length of the run of lines from l (after which w->at stands) that is an attribution: *end is
 * where the text goes on. */
static bool attribution(const struct walk *w, struct span l, size_t *end)
{
    char t[400];
    size_t n = 0, at = w->at;
    struct span part = span_trim(l), next;
    if (!part.n || marked(l)) return false;
    bool multi = span_istarts_any(part, leads) || has_address(part) || is_digit(part.p[0]);
    for (int i = 0; i < 3; i++) {
        if (n + part.n + 2 > sizeof t) return false;
        if (n && !(part.n && part.p[0] == ':')) t[n++] = ' ';
        memcpy(t + n, part.p, part.n);
        n += part.n;
        if (strong_attribution((struct span){ t, n })) {
            *end = at;
            return true;
        }
        if (t[n - 1] == ':' && !has_date((struct span){ t, n })) break;
        if (!multi || !line_at(w, &at, &next) || marked(next)) break;
        part = span_trim(next);
        if (!part.n || (span_istarts_any(part, leads) && !span_istarts_any(span_trim(l), leads)))
            break;
    }
    part = span_trim(l);
    if (part.n < 100 && part.p[part.n - 1] == ':' && has_verb(part) &&
        next_filled(w, w->at, &next) && marked(next)) {
        *end = w->at;
        return true;
    }
    return false;
}

/* ---- separators and header blocks ---- */

static const char *const originals[] = { "original message",
                                         "ursprüngliche nachricht",
                                         "original-nachricht",
                                         "originalnachricht",
                                         "message d'origine",
                                         "message d’origine",
                                         "message original",
                                         "mensaje original",
                                         "messaggio originale",
                                         "oorspronkelijk bericht",
                                         "mensagem original",
                                         "original appointment",
                                         NULL };
static const char *const forwards[] = { "forwarded message",
                                        "weitergeleitete nachricht",
                                        "message transféré",
                                        "message réexpédié",
                                        "mensaje reenviado",
                                        "messaggio inoltrato",
                                        "doorgestuurd bericht",
                                        "mensagem encaminhada",
                                        "mensagem reencaminhada",
                                        "forwarded by",
                                        NULL };
static const char *const begins[] = { "Begin forwarded message:",
                                      "Anfang der weitergeleiteten",
                                      "Début du message",
                                      "Inicio del mensaje reenviado",
                                      "Inizio messaggio inoltrato",
                                      "Begin doorgestuurd bericht",
                                      "Início da mensagem",
                                      "Anfang der weitergeleiteten Nachricht",
                                      NULL };

static bool has_any(struct span l, const char *const *list)
{
    for (; *list; list++)
        if (span_ifind(l, *list)) return true;
    return false;
}

/* A line of dashes with words in it: "---------- Forwarded message ---------". */
static bool dashed(struct span l, const char *const *words)
{
    l = span_trim(l);
    return l.n < 160 && (span_istarts(l, "---") || span_istarts(l, "——")) && has_any(l, words);
}

static bool forward_mark(struct span l)
{
    struct span t = span_trim(l);
    return dashed(l, forwards) ||
           (t.n < 80 && t.n && t.p[t.n - 1] == ':' && span_istarts_any(t, begins));
}

enum key { KEY_NONE, KEY_FROM, KEY_DATE, KEY_OTHER };

static const struct {
    const char *word;
    enum key key;
} keys[] = {
    { "From", KEY_FROM },         { "Von", KEY_FROM },         { "De", KEY_FROM },
    { "Da", KEY_FROM },           { "Van", KEY_FROM },         { "Sent", KEY_DATE },
    { "Date", KEY_DATE },         { "Gesendet", KEY_DATE },    { "Datum", KEY_DATE },
    { "Envoyé", KEY_DATE },       { "Enviado", KEY_DATE },     { "Enviado el", KEY_DATE },
    { "Fecha", KEY_DATE },        { "Inviato", KEY_DATE },     { "Data", KEY_DATE },
    { "Verzonden", KEY_DATE },    { "Enviada em", KEY_DATE },  { "Enviado em", KEY_DATE },
    { "Gesendet am", KEY_DATE },  { "To", KEY_OTHER },         { "Cc", KEY_OTHER },
    { "Bcc", KEY_OTHER },         { "Subject", KEY_OTHER },    { "An", KEY_OTHER },
    { "Betreff", KEY_OTHER },     { "À", KEY_OTHER },          { "A", KEY_OTHER },
    { "Objet", KEY_OTHER },       { "Para", KEY_OTHER },       { "Asunto", KEY_OTHER },
    { "Oggetto", KEY_OTHER },     { "Aan", KEY_OTHER },        { "Onderwerp", KEY_OTHER },
    { "Assunto", KEY_OTHER },     { "Reply-To", KEY_OTHER },   { "Importance", KEY_OTHER },
    { "Attachments", KEY_OTHER }, { "Kopie", KEY_OTHER },      { "CC", KEY_OTHER },
    { "Wichtigkeit", KEY_OTHER }, { "Antwort an", KEY_OTHER },
};

/* "*Von:* Anna", "De : Anna": which header field of a quoted mail does the line hold? */
static enum key header_key(struct span l)
{
    char word[24];
    size_t n = 0;
    l = span_trim(l);
    while (l.n && *l.p == '*') l.p++, l.n--;
    const char *colon = l.n ? memchr(l.p, ':', l.n < 24 ? l.n : 24) : NULL;
    if (!colon) return KEY_NONE;
    struct span k = span_trim((struct span){ l.p, (size_t)(colon - l.p) });
    for (; n < k.n && n + 1 < sizeof word && k.p[n] != '*'; n++) word[n] = k.p[n];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (span_ieq((struct span){ word, n }, keys[i].word)) return keys[i].key;
    return KEY_NONE;
}

/* Outlook's "From: / Sent: / To: / Subject:": l and the lines after it. Three fields at least, one
 * of them a date. */
static bool header_block(const struct walk *w, struct span l)
{
    size_t at = w->at;
    int fields = 1, dates = 0;
    struct span next;
    if (header_key(l) != KEY_FROM) return false;
    for (int i = 0; i < 8 && line_at(w, &at, &next); i++) {
        enum key k = header_key(next);
        if (blank(next) && fields > 1) break;
        fields += k != KEY_NONE;
        dates += k == KEY_DATE;
    }
    return fields >= 3 && dates;
}

/* "________________________________" before a header block. */
static bool rule(struct span l)
{
    l = span_trim(l);
    if (l.n < 10) return false;
    for (size_t i = 0; i < l.n; i++)
        if (l.p[i] != '_' && l.p[i] != '-' && l.p[i] != '=' && l.p[i] != '*') return false;
    return true;
}

static bool rule_before_block(const struct walk *w, struct span l)
{
    struct walk ahead = *w;
    struct span next;
    if (!rule(l)) return false;
    do
        if (!line_at(w, &ahead.at, &next)) return false;
    while (blank(next));
    return header_block(&ahead, next);
}

/* Pass over the header fields (and blank lines before them) at w->at. */
static void pass_headers(struct walk *w)
{
    struct span l;
    size_t at = w->at, good = w->at;
    bool field = false;
    for (int i = 0; i < 16 && line_at(w, &at, &l); i++) {
        struct span t = span_trim(l);
        if (marked(l)) t = span_trim((struct span){ t.p + 1, t.n - 1 });
        if (!t.n) {
            if (field) break;
            continue;
        }
        bool folded = field && l.n && (l.p[0] == ' ' || l.p[0] == '\t');
        if (header_key(t) == KEY_NONE && !folded) break;
        field = true;
        good = at;
    }
    w->at = good;
}

/* ---- signatures ---- */

static const char *const footers[] = { "Sent from my ",
                                       "Sent from Mail",
                                       "Sent from Outlook",
                                       "Sent from Yahoo",
                                       "Sent from Samsung",
                                       "Sent from Proton",
                                       "Sent with ",
                                       "Sent via ",
                                       "Get Outlook for",
                                       "Sent by my ",
                                       "Sent on the go",
                                       "Von meinem ",
                                       "Von meiner ",
                                       "Gesendet von ",
                                       "Gesendet mit ",
                                       "Diese Nachricht wurde von meinem",
                                       "Outlook für ",
                                       "Holen Sie sich Outlook",
                                       "Envoyé de mon ",
                                       "Envoyé depuis ",
                                       "Envoyé à partir",
                                       "Obtenez Outlook",
                                       "Télécharger Outlook",
                                       "Enviado desde ",
                                       "Enviado de mi ",
                                       "Enviado con ",
                                       "Obtener Outlook",
                                       "Inviato da ",
                                       "Inviato dal ",
                                       "Scarica Outlook",
                                       "Ottieni Outlook",
                                       "Verstuurd vanaf ",
                                       "Verzonden vanaf ",
                                       "Verzonden met ",
                                       "Outlook voor ",
                                       "Enviado do meu ",
                                       "Enviado do ",
                                       "Enviado a partir ",
                                       "Obter o Outlook",
                                       "Baixe o Outlook",
                                       "Obtenha o Outlook",
                                       "Sent from a ",
                                       NULL };

static bool delimiter(struct span l)
{
    return (l.n == 3 && !memcmp(l.p, "-- ", 3)) || (l.n == 4 && !memcmp(l.p, "--\xC2\xA0", 4));
}

/* "--" whose space was lost on the way: believed when little follows before the end or a quote. */
static bool bare_delimiter(const struct walk *w, struct span l)
{
    size_t at = w->at;
    struct span next;
    if (l.n != 2 || memcmp(l.p, "--", 2)) return false;
    for (int i = 0; i < 10; i++)
        if (!line_at(w, &at, &next) || marked(next)) return true;
    return false;
}

static bool turns_away(const struct walk *w, struct span l, size_t *end);

/* "Sent from my phone" with nothing of the sender's after it. */
static bool footer(const struct walk *w, struct span l)
{
    struct walk ahead = *w;
    struct span t = span_trim(l), next;
    size_t end;
    while (t.n && (*t.p == '_' || *t.p == '*' || *t.p == '<')) t.p++, t.n--;
    if (t.n > 100 || !span_istarts_any(t, footers)) return false;
    do
        if (!line_at(w, &ahead.at, &next)) return true;
    while (blank(next));
    return marked(next) || delimiter(next) || span_istarts_any(span_trim(next), footers) ||
           turns_away(&ahead, next, &end);
}

/* ---- the walk ---- */

/* Does another's text begin at l without a mark? */
static bool turns_away(const struct walk *w, struct span l, size_t *end)
{
    return forward_mark(l) || dashed(l, originals) || header_block(w, l) ||
           rule_before_block(w, l) || attribution(w, l, end);
}

static void put(struct buf *b, struct span l)
{
    if (!b) return;
    while (l.n && (l.p[l.n - 1] == ' ' || l.p[l.n - 1] == '\t')) l.n--;
    if (!l.n && (!b->n || (b->n >= 2 && !memcmp(b->p + b->n - 2, "\n\n", 2)))) return;
    buf_add(b, l.p, l.n);
    buf_addc(b, '\n');
}

static void paragraph(struct buf *b) { put(b, (struct span){ "", 0 }); }

static void put_marked(struct walk *w, struct span l)
{
    while (l.n && (l.p[0] == '>' || l.p[0] == ' ')) l.p++, l.n--;
    if (!forward_mark(l) && !dashed(l, originals)) put(w->quoted, l);
}

/* "> a long line that a mailer broke" / "here" / "> goes on": the remainder belongs to the
 * quote. */
static bool wrapped_quote(const struct walk *w, struct span prev, struct span l)
{
    size_t at = w->at;
    struct span next;
    return marked(prev) && utf8_width(prev.p, prev.n) >= 66 && l.n && l.n < 40 && l.p[0] >= 'a' &&
           l.p[0] <= 'z' && !strchr(".?!:", prev.p[prev.n - 1]) && line_at(w, &at, &next) &&
           marked(next);
}

/* After an attribution: whose are the lines that follow? */
static enum part after_attribution(const struct walk *w)
{
    struct span next;
    if (w->bare || !next_filled(w, w->at, &next) || marked(next)) return OWN;
    return QUOTED;
}

static enum part turn(struct walk *w, struct span l, enum part part)
{
    size_t end = w->at;
    if (forward_mark(l)) {
        pass_headers(w);
        return FORWARDED;
    }
    if (dashed(l, originals) || rule_before_block(w, l)) {
        pass_headers(w);
        return QUOTED;
    }
    if (header_block(w, l)) {
        w->at = (size_t)(l.p - w->s);
        pass_headers(w);
        return QUOTED;
    }
    if (attribution(w, l, &end)) {
        w->at = end;
        return after_attribution(w);
    }
    return part;
}

static void trim_end(struct buf *b, size_t from)
{
    if (!b || b->failed) return;
    while (b->n > from && (b->p[b->n - 1] == '\n' || b->p[b->n - 1] == ' ')) b->p[--b->n] = 0;
}

static void split_walk(struct walk *w)
{
    enum part part = OWN;
    struct span l, prev = { "", 0 };
    bool was_marked = false;
    for (; line_at(w, &w->at, &l); prev = l) {
        size_t end;
        if (part == QUOTED || part == FORWARDED) {
            struct buf *b = part == QUOTED ? w->quoted : w->forwarded;
            while (l.n && l.p[0] == '>') {
                l.p++, l.n--;
                if (l.n && l.p[0] == ' ') l.p++, l.n--;
            }
            put(b, l);
            continue;
        }
        if (marked(l) || (was_marked && wrapped_quote(w, prev, l))) {
            if (!was_marked) paragraph(w->own), paragraph(w->quoted);
            put_marked(w, l);
            was_marked = true;
            part = OWN;
            continue;
        }
        was_marked = false;
        if (turns_away(w, l, &end)) {
            paragraph(w->own), paragraph(w->quoted);
            part = turn(w, l, part);
            l = (struct span){ "", 0 };
        } else if (part == OWN && (delimiter(l) || bare_delimiter(w, l))) {
            part = SIGNATURE;
        } else if (footer(w, l)) {
            put(w->signature, span_trim(l));
        } else {
            put(part == OWN ? w->own : w->signature, l);
        }
    }
}

static void split(struct walk *w)
{
    struct buf *b[] = { w->own, w->quoted, w->signature, w->forwarded };
    size_t from[4];
    for (int i = 0; i < 4; i++) from[i] = b[i] ? b[i]->n : 0;
    split_walk(w);
    for (int i = 0; i < 4; i++) trim_end(b[i], from[i]);
}

void mailtext_split(const char *body, size_t n, struct buf *own, struct buf *quoted,
                    struct buf *signature, struct buf *forwarded)
{
    split(&(struct walk){ body, n, 0, false, own, quoted, signature, forwarded });
}

void mailtext_split_bare(const char *body, size_t n, struct buf *own, struct buf *quoted,
                         struct buf *signature, struct buf *forwarded)
{
    split(&(struct walk){ body, n, 0, true, own, quoted, signature, forwarded });
}
