/* Dates as people write them.
 *
 * A small scanner reads numbers, words and marks from left to right and collects what each says:
 * a month's name, a year of four digits, a day, a triple of numbers, a time of day, a zone.
 * Weekdays and the little words of dates ("of", "den", "de", "at", "Uhr") are passed over. Anything
 * else means: this is not a date. Month and weekday names are compared folded (no case, no marks)
 * and may be abbreviated to three letters or more as long as only one month begins so. */
#include "text/date.h"

#include "base/str.h"

#include <string.h>

#define WORD_MAX 24

struct scan {
    const char *p, *end;
    int year, month, day; /* 0: not met */
    bool month_weak;      /* "mar": could have been Tuesday in French, Italian, Spanish */
    bool triple, iso;
    int a, b; /* numeric triple a/b/year before its order is known */
    char sep;
    bool time, zone;
    int h, m, s, ampm, offset;
};

static const struct name {
    const char *word;
    int month;
} months[] = {
    { "january", 1 },    { "januar", 1 },     { "janner", 1 },    { "janvier", 1 },
    { "enero", 1 },      { "gennaio", 1 },    { "januari", 1 },   { "janeiro", 1 },
    { "february", 2 },   { "februar", 2 },    { "feber", 2 },     { "fevrier", 2 },
    { "febrero", 2 },    { "febbraio", 2 },   { "februari", 2 },  { "fevereiro", 2 },
    { "march", 3 },      { "marz", 3 },       { "maerz", 3 },     { "mars", 3 },
    { "marzo", 3 },      { "maart", 3 },      { "mrt", 3 },       { "marco", 3 },
    { "april", 4 },      { "avril", 4 },      { "abril", 4 },     { "aprile", 4 },
    { "may", 5 },        { "mai", 5 },        { "mayo", 5 },      { "maggio", 5 },
    { "mei", 5 },        { "maio", 5 },       { "june", 6 },      { "juni", 6 },
    { "juin", 6 },       { "junio", 6 },      { "giugno", 6 },    { "junho", 6 },
    { "july", 7 },       { "juli", 7 },       { "juillet", 7 },   { "julio", 7 },
    { "luglio", 7 },     { "julho", 7 },      { "august", 8 },    { "aout", 8 },
    { "agosto", 8 },     { "augustus", 8 },   { "september", 9 }, { "septembre", 9 },
    { "septiembre", 9 }, { "setiembre", 9 },  { "settembre", 9 }, { "setembro", 9 },
    { "october", 10 },   { "oktober", 10 },   { "octobre", 10 },  { "octubre", 10 },
    { "ottobre", 10 },   { "outubro", 10 },   { "november", 11 }, { "novembre", 11 },
    { "noviembre", 11 }, { "novembro", 11 },  { "december", 12 }, { "dezember", 12 },
    { "decembre", 12 },  { "diciembre", 12 }, { "dicembre", 12 }, { "dezembro", 12 },
};

static const char *const weekdays[] = {
    "monday",    "tuesday",  "wednesday", "weds",     "thursday",   "friday",    "saturday",
    "sunday",    "montag",   "dienstag",  "mittwoch", "donnerstag", "freitag",   "samstag",
    "sonnabend", "sonntag",  "lundi",     "mardi",    "mercredi",   "jeudi",     "vendredi",
    "samedi",    "dimanche", "lunes",     "martes",   "miercoles",  "jueves",    "viernes",
    "sabado",    "domingo",  "lunedi",    "martedi",  "mercoledi",  "giovedi",   "venerdi",
    "sabato",    "domenica", "maandag",   "dinsdag",  "woensdag",   "donderdag", "vrijdag",
    "zaterdag",  "zondag",   "segunda",   "terca",    "quarta",     "quinta",    "sexta",
    "feira",
};
static const char weekdays2[] = " mo di mi do fr sa so ma wo vr za zo ";
static const char fillers[] = " of the on at am-um um den der dem le el il de del di da do dia a "
                              "as alle alles om op uhr h hr "
                              "hrs uur st nd rd th er ter vom ";

/* Folded copy of a word; returns its length, 0 when too long to be one of ours. */
static size_t fold_word(struct span w, char out[WORD_MAX])
{
    struct buf b = BUF_INIT(256);
    size_t n = 0;
    bool ascii = true;
    if (w.n > 2 * WORD_MAX) return 0;
    for (size_t i = 0; i < w.n; i++) ascii = ascii && !(w.p[i] & 0x80);
    if (ascii) {
        for (; n < w.n && n < WORD_MAX - 1; n++)
            out[n] = (char)(w.p[n] >= 'A' && w.p[n] <= 'Z' ? w.p[n] + 32 : w.p[n]);
        if (n < w.n) n = 0;
    } else {
        utf8_fold(&b, w.p, w.n);
        if (!b.failed && b.n < WORD_MAX) memcpy(out, buf_str(&b), n = b.n);
        buf_free(&b);
    }
    while (n && out[n - 1] == '.') n--;
    out[n] = 0;
    return n;
}

static bool listed(const char *list, const char *word, size_t n)
{
    char t[WORD_MAX + 2];
    t[0] = ' ';
    memcpy(t + 1, word, n);
    t[n + 1] = ' ';
    t[n + 2 < sizeof t ? n + 2 : sizeof t - 1] = 0;
    return n && n + 2 < sizeof t && strstr(list, t);
}

static int month_of(const char *w, size_t n)
{
    int found = 0;
    if (n < 3) return 0;
    for (size_t i = 0; i < sizeof months / sizeof *months; i++) {
        if (strncmp(months[i].word, w, n)) continue;
        if (!months[i].word[n]) return months[i].month;
        if (found && found != months[i].month) return 0;
        found = months[i].month;
    }
    return found;
}

static bool weekday_of(const char *w, size_t n)
{
    if (n == 2) return listed(weekdays2, w, n);
    for (size_t i = 0; n >= 3 && i < sizeof weekdays / sizeof *weekdays; i++)
        if (!strncmp(weekdays[i], w, n)) return true;
    return false;
}

int date_month(struct span word)
{
    char w[WORD_MAX];
    size_t n = fold_word(span_trim(word), w);
    return month_of(w, n);
}

bool date_weekday(struct span word)
{
    char w[WORD_MAX];
    size_t n = fold_word(span_trim(word), w);
    return weekday_of(w, n);
}

int date_ampm(struct span s)
{
    char t[3];
    size_t k = 0;
    for (const char *p = s.p, *end = s.p + s.n; p < end;) {
        uint32_t c = utf8_next(&p, end);
        if (c == '.' || c == ' ' || c == 0xA0 || (c >= 0x2000 && c <= 0x200F) || c == 0x202F)
            continue;
        if (k == 2 || c > 'z') return -1;
        t[k++] = (char)(c | 32);
    }
    if (k != 2 || t[1] != 'm') return -1;
    return t[0] == 'a' ? 0 : t[0] == 'p' ? 12 : -1;
}

int date_hour12(int hour, int ampm) { return ampm < 0 ? hour : hour % 12 + ampm; }

bool date_valid(int year, int month, int day)
{
    static const int len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (year < 1000 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= len[month - 1] + (month == 2 && leap);
}

void date_order_see(struct date_order *o, int a, int b)
{
    o->seen++;
    o->first_over_12 += a > 12 && b <= 12;
    o->second_over_12 += b > 12 && a <= 12;
}

/* Digits at *p, at most `most` of them; -1 when there is none. */
static int digits(const char **p, const char *end, int most)
{
    int v = -1;
    for (int n = 0; *p < end && **p >= '0' && **p <= '9'; ++*p) {
        if (n++ == most) return -1;
        v = (v < 0 ? 0 : v) * 10 + (**p - '0');
    }
    return v;
}

static bool slash(const char **p, const char *end)
{
    return *p < end && (**p == '/' || **p == '-') && ++*p;
}

bool date_order_read(struct date_order *o, struct span s)
{
    s = span_trim(s);
    const char *p = s.p, *end = s.p + s.n;
    int a = digits(&p, end, 2), b = a >= 0 && slash(&p, end) ? digits(&p, end, 2) : -1;
    int year = b >= 0 && slash(&p, end) ? digits(&p, end, 4) : -1;
    if (year < 0 || a < 1 || b < 1) return false;
    date_order_see(o, a, b);
    for (int first = 0; first < 2; first++) {
        int day = first ? a : b, month = first ? b : a;
        if (month > 12 || day > 31) continue;
        int64_t at = (year * 12LL + month) * 31 + day, last = o->last[first];
        if (o->dated && at > last) o->forward[first]++;
        if (o->dated && at < last) o->back[first]++;
        o->last[first] = at;
    }
    o->dated++;
    return true;
}

bool date_order_sure(const struct date_order *o) { return o->first_over_12 != o->second_over_12; }

int date_order_day_first(const struct date_order *o)
{
    if (date_order_sure(o)) return o->first_over_12 > o->second_over_12;
    if (o->first_over_12 || !o->dated) return -1; /* both kinds stand there */
    unsigned turns[2];
    for (int i = 0; i < 2; i++) turns[i] = o->forward[i] < o->back[i] ? o->forward[i] : o->back[i];
    return turns[0] == turns[1] ? -1 : turns[1] < turns[0];
}

/* ---- scanner ---- */

static bool digit(const struct scan *c) { return c->p < c->end && *c->p >= '0' && *c->p <= '9'; }

/* Reads digits at c->p; returns how many (at most 9 count), value in *v. */
static int number(struct scan *c, int *v)
{
    int n = 0;
    for (*v = 0; digit(c); c->p++, n++)
        if (n < 9) *v = *v * 10 + (*c->p - '0');
    return n;
}

static bool take(struct scan *c, char ch)
{
    if (c->p >= c->end || *c->p != ch) return false;
    c->p++;
    return true;
}

static void blanks(struct scan *c)
{
    while (c->p < c->end) {
        const char *was = c->p;
        uint32_t u = utf8_next(&c->p, c->end);
        if (u == ' ' || u == '\t' || u == 0xA0 || (u >= 0x2000 && u <= 0x200F) || u == 0x202F)
            continue;
        c->p = was;
        return;
    }
}

static int full_year(int y, int digits)
{
    if (digits == 4) return y;
    return digits == 2 ? y + (y >= 70 ? 1900 : 2000) : 0;
}

/* After "h:" : minutes, seconds, fraction. */
static bool clock_rest(struct scan *c, int h)
{
    int digits = number(c, &c->m);
    if (c->time || digits != 2) return false;
    if (take(c, ':')) {
        if (number(c, &c->s) != 2) return false;
        int frac;
        if (c->p + 1 < c->end && (*c->p == '.' || *c->p == ',') && c->p[1] >= '0' &&
            c->p[1] <= '9') {
            c->p++;
            number(c, &frac);
        }
    }
    c->h = h;
    c->time = true;
    return h <= 24 && c->m <= 59 && c->s <= 60;
}

/* "+0100", "-05:30" after a time. */
static bool zone(struct scan *c, int sign)
{
    int v, m = 0, n = number(c, &v);
    if (!c->time || c->zone) return false;
    if (n == 4) m = v % 100, v /= 100;
    else if (n > 2 || !n) return false;
    else if (take(c, ':') && number(c, &m) != 2) return false;
    c->zone = true;
    c->offset = sign * (v * 3600 + m * 60);
    return v <= 15 && m <= 59;
}

/* The second and third number of "4.3.2019", "2019-03-02", "04/03/19". */
static bool triple(struct scan *c, int first, int digits, char sep)
{
    int v, n;
    blanks(c);
    n = number(c, &v);
    if (!n || n > 2 || c->triple || c->year || c->day) return false;
    blanks(c);
    if (!take(c, sep)) return false;
    blanks(c);
    c->triple = true;
    c->sep = sep;
    int w, k;
    if (sep == '-' && !digit(c)) return false;
    k = number(c, &w);
    if (digits == 4) {
        c->iso = true;
        c->year = first, c->month = v, c->day = w;
        if (k == 2 && take(c, 'T') && !digit(c)) return false;
        return k == 1 || k == 2;
    }
    c->a = first, c->b = v;
    c->year = full_year(w, k);
    return c->year > 0 && digits <= 2;
}

static bool number_token(struct scan *c)
{
    int v, n = number(c, &v);
    char next = c->p < c->end ? *c->p : 0;
    bool more = c->p + 1 < c->end && c->p[1] >= '0' && c->p[1] <= '9';
    if (n <= 2 && next == ':' && more) return c->p++, clock_rest(c, v);
    if (n <= 2 && (next == 'h' || next == 'H') && more) return c->p++, clock_rest(c, v);
    if (c->triple && n <= 2 && next == '.' && more) return c->p++, clock_rest(c, v);
    if ((next == '/' || next == '-' || next == '.') && more) return c->p++, triple(c, v, n, next);
    if (next == '.' && !c->month && n <= 2) { /* "4. 3. 2019" or "4. März" */
        struct scan t = *c;
        t.p++;
        blanks(&t);
        if (digit(&t)) return c->p++, triple(c, v, n, '.');
    }
    if (n == 4 && !c->year) return c->year = v, true;
    if (n <= 2 && !c->day && !c->triple) return c->day = v, true;
    if (n == 2 && c->day && c->month && !c->year) return c->year = full_year(v, 2), true;
    if (n == 8 && !c->year && !c->month && !c->day) {
        c->year = v / 10000, c->month = v / 100 % 100, c->day = v % 100;
        return c->iso = true;
    }
    return false;
}

static bool word_token(struct scan *c)
{
    char w[WORD_MAX];
    const char *from = c->p;
    while (c->p < c->end && ((unsigned char)*c->p >= 0x80 || (*c->p | 32) >= 'a') &&
           (*c->p & 0x80 ? (unsigned char)*c->p > 0xC2 || (unsigned char)*c->p < 0xC0
                         : (*c->p | 32) <= 'z')) {
        if (!strncmp(c->p, "\xE2\x80", c->end - c->p > 1 ? 2 : 1)) break; /* spaces, dashes */
        c->p++;
    }
    if (c->p == from) return false;
    size_t n = fold_word((struct span){ from, (size_t)(c->p - from) }, w);
    int m = month_of(w, n), ap;
    if (m && (!c->month || c->month_weak) && !c->triple) {
        c->month_weak = !c->month && !strcmp(w, "mar");
        c->month = m;
        return true;
    }
    if (n == 1 && (w[0] == 'a' || w[0] == 'p') && c->time && c->p < c->end && *c->p == '.') {
        struct scan t = *c; /* "p. m." */
        t.p++;
        blanks(&t);
        if (t.p < t.end && (*t.p | 32) == 'm') {
            c->p = t.p + 1;
            c->ampm = w[0] == 'a' ? 0 : 12;
            return true;
        }
    }
    if (c->time && c->ampm < 0 && (ap = date_ampm((struct span){ w, n })) >= 0)
        return c->ampm = ap, true;
    if (c->time && !c->zone && (!strcmp(w, "z") || !strcmp(w, "utc") || !strcmp(w, "gmt"))) {
        c->zone = true;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-')) c->zone = false;
        return true;
    }
    if (!strcmp(w, "t") && c->iso && digit(c)) return true;
    return weekday_of(w, n) || listed(fillers, w, n);
}

static bool scan(struct scan *c)
{
    while (blanks(c), c->p < c->end) {
        const char *was = c->p;
        bool ok;
        if (digit(c)) ok = number_token(c);
        else if ((*c->p == '+' || *c->p == '-') && c->time && c->p + 1 < c->end && c->p[1] >= '0' &&
                 c->p[1] <= '9') {
            int sign = *c->p++ == '-' ? -1 : 1;
            ok = zone(c, sign);
        } else if (strchr(",.-'()[]|", *c->p)) {
            c->p++;
            ok = true;
        } else if (!strncmp(c->p, "\xC2\xBA", (size_t)(c->end - c->p) < 2 ? 1 : 2) &&
                   c->end - c->p >= 2) {
            c->p += 2; /* Spanish and Portuguese 1º */
            ok = true;
        } else {
            ok = word_token(c);
        }
        if (!ok || c->p == was) return false;
    }
    return true;
}

static bool solve(struct scan *c, int day_first)
{
    if (c->triple && !c->iso) {
        bool day = c->sep == '.' || day_first != 0;
        if (c->a > 12) day = true;
        else if (c->b > 12) day = false;
        c->day = day ? c->a : c->b;
        c->month = day ? c->b : c->a;
    }
    return c->month && c->year && date_valid(c->year, c->month, c->day ? c->day : 1);
}

static bool read_date(struct span s, int day_first, struct scan *c)
{
    s = span_trim(s);
    *c = (struct scan){ .p = s.p, .end = s.p + s.n, .ampm = -1 };
    if (s.n < 5 || s.n > 80) return false;
    if (!scan(c) || !solve(c, day_first)) return false;
    if (c->ampm >= 0 && (c->h < 1 || c->h > 12)) return false;
    c->h = date_hour12(c->h, c->ampm);
    return true;
}

bool date_parse_zone(struct span s, int day_first, int64_t *out, bool *zoned)
{
    struct scan c;
    if (!read_date(s, day_first, &c)) return false;
    if (zoned) *zoned = c.zone || !c.time;
    *out = clock_from_civil(c.year, c.month, c.day ? c.day : 1, c.h, c.m, c.s) - c.offset;
    return true;
}

bool date_parse(struct span s, int day_first, int64_t *out)
{
    return date_parse_zone(s, day_first, out, NULL);
}

bool date_heading(struct span s, int day_first, int64_t *out)
{
    struct scan c;
    if (!read_date(s, day_first, &c) || c.time || !c.day) return false;
    *out = clock_from_civil(c.year, c.month, c.day, 0, 0, 0);
    return true;
}

/* Up to `want` digits at s, exactly that many and no more behind them. */
static bool digits_at(const char *s, int want, int *v)
{
    *v = 0;
    for (int i = 0; i < want; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        *v = *v * 10 + (s[i] - '0');
    }
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool date_in_name(const char *name, int64_t *out)
{
    for (const char *p = name; *p; p++) {
        int y, m, d;
        if (p > name && is_digit(p[-1])) continue;
        if (!digits_at(p, 4, &y)) continue;
        const char *q = p + 4;
        bool sep = *q == '-' || *q == '_' || *q == '.';
        if (!digits_at(q + sep, 2, &m)) continue;
        q += sep + 2;
        if (sep && !is_digit(*q) && !((*q == '-' || *q == '_' || *q == '.') && is_digit(q[1])))
            d = 1;
        else if (digits_at(q + (sep && *q == p[4]), 2, &d)) {
            q += (sep && *q == p[4]) + 2;
            if (is_digit(*q)) continue;
        } else {
            continue;
        }
        if (y < 1500 || !date_valid(y, m, d)) continue;
        *out = clock_from_civil(y, m, d, 0, 0, 0);
        return true;
    }
    return false;
}
