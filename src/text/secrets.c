/* Secrets by check or by shape: cards, IBANs, social security numbers, private keys, keys of
 * services.
 *
 * One pass. Nothing is looked at but the beginnings of words, and there the first bytes decide
 * which one kind it may be, so that text without secrets costs a table look-up a byte. Each kind
 * looks ahead a bounded number of bytes, but for private keys, whose end is searched once for all
 * of them: the time is linear in the text, whatever is in it.
 *
 * Cards: ISO/IEC 7812 (Luhn), with the beginnings and lengths that issuers use, and grouped as they
 * are printed; 13 to 19 digits that happen to pass Luhn are one in ten, with these rules one in
 * several hundred. IBANs: ISO 13616, the length is the country's, mod 97. Social security numbers:
 * those of the United States, with their hyphens and without the numbers that are never given out.
 */
#include "text/secrets_impl.h"

#include <string.h>

#define KEY_MAX  ((size_t)64 << 10)
#define TAIL_MAX 4096 /* of a key of a service */

static const char *const names[] = {
#define X(id, word) [SECRET_##id] = word,
    SECRET_KINDS(X)
#undef X
};

const char *secret_name(enum secret_kind k) { return names[k]; }

size_t secret_gap(const struct scan *x, size_t i)
{
    unsigned char c = (unsigned char)at(x, i), d = (unsigned char)at(x, i + 1),
                  e = (unsigned char)at(x, i + 2);
    if (c == ' ' || c == '-') return 1;
    if (c == 0xc2 && d == 0xa0) return 2; /* no-break space */
    /* hyphens, en dash, narrow no-break space, thin and figure space */
    return c == 0xe2 && d == 0x80 &&
                   ((e >= 0x90 && e <= 0x93) || e == 0xaf || e == 0x89 || e == 0x87)
               ? 3
               : 0;
}

/* ---- cards ---- */

static int lead(const char *d, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) v = v * 10 + (d[i] - '0');
    return v;
}

static bool issued(const char *d, size_t n)
{
    int two = lead(d, 2), three = lead(d, 3), four = lead(d, 4);
    if (*d == '4') return n == 13 || n == 16 || n == 19;
    if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return n == 16;
    if (two == 34 || two == 37) return n == 15;
    if ((three >= 300 && three <= 305) || two == 36 || two == 38 || two == 39) return n == 14;
    if (four >= 3528 && four <= 3589) return n == 16;
    if (four == 6011 || two == 65 || (three >= 644 && three <= 649) || two == 62)
        return n == 16 || n == 19;
    return (four == 5018 || four == 5020 || four == 5038 || four == 6304 || four == 6759 ||
            (four >= 6761 && four <= 6763)) &&
           n >= 13;
}

static bool luhn(const char *d, size_t n)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        int v = d[n - 1 - i] - '0';
        if (i & 1) v = v * 2 > 9 ? v * 2 - 9 : v * 2;
        sum += v;
    }
    return sum % 10 == 0;
}

/* "4-4-4-4" and the like: how the groups of digits that ended so far are printed on cards. */
static bool card_groups(const int *g, int n_g)
{
    if (n_g == 1) return true;
    if (n_g == 3) return g[0] == 4 && g[1] == 6 && (g[2] == 5 || g[2] == 4);
    if (n_g != 4 && n_g != 5) return false;
    for (int i = 0; i < 4; i++)
        if (g[i] != 4) return false;
    return n_g == 4 || g[4] <= 3;
}

/* Two spaces between the groups, too. */
static size_t card_gap(const struct scan *x, size_t i)
{
    size_t gap = secret_gap(x, i);
    return gap == 1 && at(x, i + 1) == ' ' ? 2 : gap;
}

static bool is_card(const struct scan *x, size_t i, struct secret_hit *h)
{
    char d[20], before = i ? x->s[i - 1] : 0;
    int group[5] = { 0 }, g = 0;
    size_t n = 0, from = i;
    bool found = false;
    if (before == '+' || before == '/' || before == '.') return false;
    for (;;) {
        while (n < sizeof d && is_digit(at(x, i))) d[n++] = x->s[i++], group[g]++;
        char c = at(x, i);
        bool ends = !is_alnum(c) && c != '_' && !((c == '.' || c == ',') && is_digit(at(x, i + 1)));
        if (n > 19 || !ends) break;
        if (n >= 13 && card_groups(group, g + 1) && issued(d, n) && luhn(d, n)) {
            *h = (struct secret_hit){ SECRET_CARD, from, i };
            found = true;
        }
        size_t gap = card_gap(x, i);
        if (!gap || !is_digit(at(x, i + gap)) || ++g == 5) break;
        i += gap;
    }
    return found;
}

/* ---- social security numbers, keys of bots ---- */

static bool is_ssn(const struct scan *x, size_t i, struct secret_hit *h)
{
    static const char shape[] = "ddd-dd-dddd";
    char before = i ? x->s[i - 1] : 0;
    const char *d = x->s + i;
    if (before == '-' || before == '+' || before == '.' || before == '/') return false;
    for (size_t k = 0; k < sizeof shape - 1; k++)
        if (shape[k] == 'd' ? !is_digit(at(x, i + k)) : at(x, i + k) != '-') return false;
    char after = at(x, i + sizeof shape - 1);
    if (is_alnum(after) || after == '-' || after == '_') return false;
    int area = lead(d, 3);
    if (!area || area == 666 || area >= 900 || !lead(d + 4, 2) || !lead(d + 7, 4)) return false;
    *h = (struct secret_hit){ SECRET_SSN, i, i + sizeof shape - 1 };
    return true;
}

static bool in_class(char c, const char *more) { return is_alnum(c) || (c && strchr(more, c)); }

/* Telegram's: the bot's number, ':', 35 characters. */
static bool is_bot_key(const struct scan *x, size_t i, struct secret_hit *h)
{
    size_t k = i, from;
    while (k - i < 11 && is_digit(at(x, k))) k++;
    if (k - i < 8 || k - i > 10 || at(x, k) != ':' || at(x, k + 1) != 'A' || at(x, k + 2) != 'A')
        return false;
    for (from = ++k; k - from < 36 && in_class(at(x, k), "_-");) k++;
    if (k - from != 35) return false;
    *h = (struct secret_hit){ SECRET_TOKEN, i, k };
    return true;
}

/* Discord's: 24 characters, of which the first tells an account's number in base64, 6 and 27. */
static bool is_discord(const struct scan *x, size_t i, struct secret_hit *h)
{
    size_t k = i;
    char c = x->s[i];
    if ((c != 'M' && c != 'N' && c != 'O') || at(x, i + 24) != '.' || at(x, i + 31) != '.')
        return false;
    for (; k < i + 24; k++)
        if (!is_alnum(at(x, k))) return false;
    for (k = i + 32; in_class(at(x, k), "_-") && k - i < 80;) k++;
    if (k - i < 32 + 27) return false;
    *h = (struct secret_hit){ SECRET_TOKEN, i, k };
    return true;
}

/* ---- IBANs ---- */

static size_t iban_length(char a, char b)
{
    static const char list[] =
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29"
        "ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28"
        "LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25"
        "QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";
    for (const char *p = list; *p; p += 4)
        if (p[0] == a && p[1] == b) return (size_t)lead(p + 2, 2);
    return 0;
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }

static bool is_iban(const struct scan *x, size_t i, struct secret_hit *h)
{
    char d[34];
    size_t want, n = 0, from = i;
    if (!is_digit(at(x, i + 2)) || !is_digit(at(x, i + 3)) ||
        !(want = iban_length(upper(x->s[i]), upper(x->s[i + 1]))))
        return false;
    while (n < want) {
        size_t gap = n && n % 4 == 0 ? secret_gap(x, i) : 0;
        i += gap;
        if (!is_alnum(at(x, i))) return false;
        d[n++] = upper(x->s[i++]);
    }
    if (is_alnum(at(x, i))) return false;
    unsigned rest = 0;
    for (size_t k = 0; k < n; k++) {
        char c = d[(k + 4) % n];
        unsigned v = is_digit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
        rest = (rest * (v > 9 ? 100 : 10) + v) % 97;
    }
    if (rest != 1) return false;
    *h = (struct secret_hit){ SECRET_IBAN, from, i };
    return true;
}

/* ---- private keys ---- */

/* Does the rest of the line look like the inside of one? What else stands in a line is looked for
 * once, whatever begins before it. */
static bool key_line(struct scan *x, size_t i, size_t *end)
{
    size_t k = i;
    if (i >= x->odd_from && i < x->odd_to) return false;
    while (k < x->n && in_class(x->s[k], "+/=:,>- \r")) k++;
    *end = k;
    if (k == x->n || x->s[k] == '\n') return true;
    x->odd_from = i;
    x->odd_to = k + 1;
    return false;
}

/* Without an end: as many lines as look like the inside of one. */
static size_t key_lines(struct scan *x, size_t i)
{
    size_t start = i, end;
    while (i < x->n && i - start < KEY_MAX) {
        if (!key_line(x, i, &end) || (i > start && end == i)) break;
        i = end + (end < x->n);
    }
    while (i > start && x->s[i - 1] == '\n') i--;
    return i < x->n ? i : x->n;
}

static size_t find_end(struct scan *x, size_t i)
{
    static const char mark[] = "-----END";
    if (x->key_end >= i && x->key_end) return x->key_end;
    const char *p = memmem(x->s + i, x->n - i, mark, sizeof mark - 1);
    return x->key_end = p ? (size_t)(p - x->s) : x->n;
}

static bool is_key(struct scan *x, size_t i, struct secret_hit *h)
{
    static const char begin[] = "-----BEGIN ";
    size_t n = sizeof begin - 1, k;
    if (x->n - i < n || memcmp(x->s + i, begin, n) != 0) return false;
    for (k = i + n; k - i < 80 && at(x, k) && at(x, k) != '-' && at(x, k) != '\n';) k++;
    if (!memmem(x->s + i, k - i, "PRIVATE KEY", 11) || at(x, k) != '-') return false;
    while (at(x, k) == '-') k++;
    size_t end = find_end(x, k);
    if (end < x->n && end - k <= KEY_MAX) {
        for (end += 8; end < x->n && x->s[end] != '-' && x->s[end] != '\n';) end++;
        while (at(x, end) == '-') end++;
    } else {
        end = at(x, k) == '\n' ? key_lines(x, k + 1) : key_lines(x, k);
    }
    *h = (struct secret_hit){ SECRET_KEY, i, end };
    return true;
}

/* ---- keys of services ---- */

static const struct service {
    const char *prefix;
    unsigned least, most; /* characters after it */
    const char *more;     /* what is in it beside letters and digits */
    bool mixed;           /* must have digits, small and large letters */
} services[] = {
    { "AKIA", 16, 16, "", false },
    { "ASIA", 16, 16, "", false },
    { "ghp_", 36, 255, "", false },
    { "gho_", 36, 255, "", false },
    { "ghu_", 36, 255, "", false },
    { "ghs_", 36, 255, "", false },
    { "ghr_", 36, 255, "", false },
    { "github_pat_", 22, 255, "_", false },
    { "glpat-", 20, 255, "_-", false },
    { "xoxb-", 10, 255, "-", false },
    { "xoxp-", 10, 255, "-", false },
    { "xoxa-", 10, 255, "-", false },
    { "xoxr-", 10, 255, "-", false },
    { "xoxs-", 10, 255, "-", false },
    { "xapp-", 10, 255, "-", false },
    { "AIza", 35, 35, "_-", false },
    { "ya29.", 20, TAIL_MAX, "_-", false },
    { "sk_live_", 16, 255, "", false },
    { "sk_test_", 16, 255, "", false },
    { "rk_live_", 16, 255, "", false },
    { "rk_test_", 16, 255, "", false },
    { "whsec_", 16, 255, "+/=", false },
    { "sk-proj-", 20, 255, "_-", false },
    { "sk-ant-", 20, 255, "_-", false },
    { "sk-", 20, 255, "_-", true },
    { "lk-", 43, 43, "_-", true },
    { "hf_", 30, 255, "", false },
    { "npm_", 36, 36, "", false },
    { "pypi-AgEI", 20, TAIL_MAX, "_-", false },
    { "SG.", 40, 255, "._-", true },
    { "AGE-SECRET-KEY-1", 50, 60, "", false },
    { "GOCSPX-", 20, 40, "_-", false },
    { "dop_v1_", 64, 64, "", false },
    { "shpat_", 32, 32, "", false },
    { "shpss_", 32, 32, "", false },
    { "dckr_pat_", 20, 60, "_-", false },
    { "hvs.", 24, 255, "_-", true },
    { "hooks.slack.com/services/", 30, 80, "/", false },
};

static bool mixed(const char *s, size_t n)
{
    bool digit = false, small = false, large = false;
    for (size_t i = 0; i < n; i++) {
        digit |= is_digit(s[i]);
        small |= s[i] >= 'a' && s[i] <= 'z';
        large |= s[i] >= 'A' && s[i] <= 'Z';
    }
    return digit && small && large;
}

/* Where the letters of base64url from i on end; looked for once for all that is among them. */
static size_t run_end(struct scan *x, size_t i)
{
    size_t k = i;
    if (i >= x->run_from && i < x->run_to) return x->run_to;
    while (in_class(at(x, k), "_-")) k++;
    x->run_from = i;
    return x->run_to = k;
}

/* RFC 7519: header, claims and signature, each in base64url; the first two are JSON objects. */
static bool is_jwt(struct scan *x, size_t i, struct secret_hit *h)
{
    size_t k = i;
    for (int part = 0; part < 3; part++) {
        size_t from = k;
        if (part < 2 && (at(x, k) != 'e' || at(x, k + 1) != 'y')) return false;
        k = run_end(x, k);
        if (k - i > TAIL_MAX) k = i + TAIL_MAX;
        if (k - from < 8 || (part < 2 && at(x, k++) != '.')) return false;
    }
    *h = (struct secret_hit){ SECRET_TOKEN, i, k };
    return true;
}

static bool is_service(struct scan *x, size_t i, struct secret_hit *h)
{
    for (size_t j = 0; j < sizeof services / sizeof *services; j++) {
        const struct service *v = &services[j];
        if (v->prefix[0] != x->s[i] || v->prefix[1] != at(x, i + 1)) continue;
        size_t p = strlen(v->prefix), k = i + p;
        if (x->n - i < p || memcmp(v->prefix, x->s + i, p) != 0) continue;
        while (k - i - p <= v->most && in_class(at(x, k), v->more)) k++;
        while (k > i + p && x->s[k - 1] == '-') k--; /* a dash after it */
        if (k - i - p < v->least || k - i - p > v->most) continue;
        if (v->mixed && !mixed(x->s + i + p, k - i - p)) continue;
        *h = (struct secret_hit){ SECRET_TOKEN, i, k };
        return true;
    }
    return x->s[i] == 'e' && is_jwt(x, i, h);
}

/* ---- all of them ---- */

/* Does a name of the tables begin with these two letters? Most words are let go here. */
static bool may_begin(char a, char b)
{
    static const char seconds[26][12] = {
        "pwcunksigl", "e",        "lov",    "oce", "yn",    "",   "hli-ao", "faeov", "h",
        "",           "e",        "ok\xc3", "otn", "pe",    "tn", "awiyu",  "",      "ke",
        "eikghmauq",  "auow\xc3", "s",      "eo",  "ahilp", "oa", "ao",     "",
    };
    const char *list = seconds[(a | 32) - 'a'];
    return b && strchr(list, is_letter(b) ? b | 32 : b);
}

static bool look(struct scan *x, size_t i, struct secret_hit *h)
{
    char c = x->s[i];
    if (c & 0x80) return secret_said(x, i, h);
    if (is_digit(c) && (!i || x->s[i - 1] == '\n') && secret_wallet(x, i, h)) return true;
    if (is_digit(c))
        return secret_in_address(x, i, h) || is_card(x, i, h) || is_ssn(x, i, h) ||
               is_bot_key(x, i, h) || secret_said(x, i, h);
    if (c == '-') return is_key(x, i, h);
    if (is_iban(x, i, h) || is_discord(x, i, h) || secret_in_address(x, i, h)) return true;
    if ((!i || x->s[i - 1] == '\n') && secret_wallet(x, i, h)) return true;
    return may_begin(c, at(x, i + 1)) && (is_service(x, i, h) || secret_said(x, i, h));
}

bool secrets_leave_out(const char *s, size_t n, struct buf *out, struct secrets *found)
{
    struct scan x = { .s = s, .n = n };
    struct secret_hit h;
    size_t done = 0;
    char before = 0;
    bool any = false;
    for (size_t i = 0; i < n; before = s[i++]) {
        char c = s[i];
        bool word = !(before & 0x80) && !is_alnum(before) && before != '_';
        bool begins = is_alnum(c) || c == '\xc5'; /* \u015fifre */
        if (!(begins && word) && !(c == '-' && before != '-')) continue;
        if (!look(&x, i, &h)) continue;
        buf_add(out, s + done, h.from - done);
        buf_printf(out, "[%s left out]", names[h.kind]);
        found->count[h.kind]++;
        any = true;
        done = h.to;
        i = h.to - 1;
    }
    if (any) buf_add(out, s + done, n - done);
    return any;
}
