/* Masking a text, and the way back.
 *
 * One pass over the words. At each it is asked, in this order: is it an address or a number, is it
 * a name that people.h knows, is somebody spoken of (mention.h)? Of a known name and somebody
 * spoken of the longer one is taken: "Anna" is known, "Anna Kowalska" somebody else.
 *
 * Text that comes bit by bit (mask_flow) is looked at from its beginning each time, and all is
 * given out of it but the last words: a name may go on. That costs the square of what is kept,
 * which is why no more than FLOW_KEPT is, and why it is not looked at for each letter. */
#include "persona/mask.h"

#include "base/str.h"
#include "persona/internal.h"
#include "persona/mask_impl.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define GAP_MAX 4 /* bytes between two words of a name */
#define SEVERAL 1

/* ---- masking ---- */

static bool begins_large(const char *s, const char *end)
{
    UChar32 c = (UChar32)utf8_next(&s, end);
    return u_toupper(c) == c; /* also letters that have no case */
}

/* Only what may stand between two words of a name. */
static bool is_gap(const char *s, size_t n)
{
    if (n > GAP_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(" ,.-_#\n\t\xc2\xa0", s[i]) || !s[i]) return false;
    return true;
}

/* The longest name that begins with the word at t; *to: where it ends. */
static const char *name_at(const struct mask *m, const char *s, const struct tokens *t, size_t *to,
                           int *words)
{
    const uint64_t *v = map_get(&m->names, mask_word(s + t->start, t->end - t->start));
    const struct entry *best = NULL;
    for (const struct entry *e = v ? (const struct entry *)(uintptr_t)*v : NULL; e; e = e->next) {
        struct tokens u = *t;
        size_t end = t->start + mask_base(s + t->start, t->end - t->start), at = t->end;
        int i = 1;
        if ((e->only & MASK_LABELS) && !m->label) continue;
        if ((e->only & MASK_LARGE) && !begins_large(s + t->start, s + t->end)) continue;
        while (i < e->n && tokens_next(&u)) {
            if (!u.is_word) continue;
            if (!is_gap(s + at, u.start - at) ||
                mask_word(s + u.start, u.end - u.start) != e->word[i])
                break;
            end = u.start + mask_base(s + u.start, u.end - u.start);
            at = u.end;
            i++;
        }
        if (i < e->n || (best && best->n >= e->n)) continue;
        best = e;
        *to = end;
        *words = e->n;
    }
    return best ? best->shown : NULL;
}

/* The first letters of mask_befores: most places are let go here. */
static bool may_be_pseudonym(char c) { return c == 'P' || c == 'm' || c == '['; }

static const char *looks_at(struct mask *m, const char *s, size_t n, size_t i, size_t *to, int *rc)
{
    char text[400], key[320];
    enum kind kind = KIND_MAIL;
    bool cut;
    size_t done = may_be_pseudonym(s[i]) ? mask_pseudonym_at(s + i, n - i, &cut) : 0;
    *to = i + done;
    if (done) {
        *rc = 1; /* what was masked before stays as it is */
        return NULL;
    }
    *to = mask_mail_at(s, n, i);
    if (*to == i) kind = KIND_PHONE, *to = mask_phone_at(s, n, i);
    if (*to == i && (*to = mask_number_at(s, n, i)) > i && *to - i < sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)(*to - i), s + i);
        if (!mask_phone_key(text, key) || !mask_pointer(&m->given, mask_hash(key, KIND_PHONE)))
            *to = i;
    }
    if (*to == i) kind = KIND_ADDRESS, *to = mask_address_at(s, n, i);
    if (*to == i || *to - i >= sizeof text) return NULL;
    snprintf(text, sizeof text, "%.*s", (int)(*to - i), s + i);
    if (persona_is(m->p, "", text)) {
        *rc = 1; /* stays, as a whole */
        return NULL;
    }
    if (kind == KIND_PHONE && !mask_phone_key(text, key)) return NULL;
    if (kind != KIND_PHONE) mask_mail_key(text, key);
    const char *shown = mask_pseudonym(m, kind, key, text);
    if (!shown) *rc = ERR_NOMEM;
    return shown;
}

/* What looks like a pseudonym already. */
static int note_literals(struct mask *m, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool cut;
        size_t k = may_be_pseudonym(s[i]) ? mask_pseudonym_at(s + i, n - i, &cut) : 0;
        uint64_t h = k ? hash64(s + i, k, 31) : 0;
        if (k && !map_get(&m->vouched, h) && !map_slot(&m->literal, h)) return ERR_NOMEM;
    }
    return 0;
}

static bool is_own(const struct mask *m, const char *s, size_t n)
{
    return map_get(&m->own, mask_word(s, n)) != NULL;
}

static int note_alone(struct mask *m, uint64_t word, const char *shown)
{
    uint64_t *slot = map_slot(&m->alone, word), v = (uint64_t)(uintptr_t)shown;
    if (!slot) return ERR_NOMEM;
    *slot = *slot && *slot != v ? SEVERAL : v;
    return 0;
}

const char *mask_key_of_name(const uint64_t *word, int n, char out[MASK_KEY])
{
    char *p = out + sprintf(out, "named");
    for (int i = 0; i < n; i++) p += sprintf(p, " %016llx", (unsigned long long)word[i]);
    return out;
}

/* The pseudonym of somebody who is spoken of. */
static const char *mentioned(struct mask *m, const char *s, const struct mention *who)
{
    char key[MASK_KEY], real[SHOWN_MAX * 4];
    const uint64_t *alone = who->n == 1 ? map_get(&m->alone, who->word[0]) : NULL;
    if (alone && *alone != SEVERAL) return (const char *)(uintptr_t)*alone;
    size_t n = utf8_cut(s + who->from, who->to - who->from, sizeof real - 1);
    snprintf(real, sizeof real, "%.*s", (int)n, s + who->from);
    const char *shown =
        mask_pseudonym(m, KIND_PERSON, mask_key_of_name(who->word, who->n, key), real);
    if (!shown || who->n == 1) return shown;
    return note_alone(m, who->word[0], shown) || note_alone(m, who->word[who->n - 1], shown)
               ? NULL
               : shown;
}

/* Who begins at t, known or spoken of: [*from, *to). */
static const char *person_at(struct mask *m, const char *s, const struct tokens *t, size_t *from,
                             size_t *to, int *rc)
{
    struct mention who;
    int words = 0;
    *from = t->start;
    const char *known = name_at(m, s, t, to, &words);
    bool found = mentions_next(&m->in, t, &who);
    if (known && !(found && who.n > words && who.to > *to)) return known;
    if (!found || is_own(m, s + who.from, who.first)) return NULL;
    *from = who.from;
    *to = who.to;
    const char *shown = mentioned(m, s, &who);
    if (!shown) *rc = ERR_NOMEM;
    return shown;
}

/* Masks what begins in [from, upto); *end: where it stopped, upto or a little later. */
static int run(struct mask *m, const char *s, size_t n, size_t from, size_t upto, size_t *end,
               struct buf *out)
{
    struct tokens t = tokens_of(s, n);
    size_t done = from, past = 0, at, to;
    int rc = note_literals(m, s, n);
    if (m->alone.n) map_free(&m->alone);
    mentions_begin(&m->in, s, n);
    while (!rc && tokens_next(&t) && t.start < upto) {
        int stays = 0;
        if (t.start < past) {
            mentions_known(&m->in, &t);
            continue;
        }
        at = t.start;
        const char *shown = looks_at(m, s, n, t.start, &to, &stays);
        if (shown || stays) mentions_known(&m->in, &t);
        else if (t.is_word) shown = person_at(m, s, &t, &at, &to, &stays);
        if (shown && m->label && !map_slot(&m->vouched, mask_hash(shown, 0))) rc = ERR_NOMEM;
        if (stays == ERR_NOMEM) rc = ERR_NOMEM;
        if (!shown && !stays) continue;
        past = to;
        if (at < from) continue;
        buf_add(out, s + done, at - done);
        if (shown) buf_adds(out, shown);
        else buf_add(out, s + at, to - at);
        done = to;
    }
    *end = past > upto ? past : upto;
    if (!rc && done < *end) buf_add(out, s + done, *end - done);
    return rc || out->failed ? ERR_NOMEM : 0;
}

int mask_text(struct mask *m, const char *s, size_t n, struct buf *out)
{
    size_t end;
    return n ? run(m, s, n, 0, n, &end, out) : 0;
}

int mask_heading(struct mask *m, const char *s, size_t n, struct buf *out)
{
    m->label = true;
    int rc = mask_text(m, s, n, out);
    m->label = false;
    return rc;
}

/* With a capital at each word all names are seen; who is not there leaves the label as it was. */
int mask_label(struct mask *m, const char *s, size_t n, struct buf *out)
{
    struct buf large = BUF_INIT(0), masked = BUF_INIT(0);
    struct tokens t = tokens_of(s, n);
    size_t done = 0;
    while (tokens_next(&t)) {
        const char *p = s + t.start;
        char c[4];
        int width = utf8_put(c, (uint32_t)u_toupper((UChar32)utf8_next(&p, s + n)));
        buf_add(&large, s + done, t.start - done);
        buf_add(&large, c, (size_t)width);
        done = (size_t)(p - s);
    }
    buf_add(&large, s + done, n - done);
    int rc = large.failed ? ERR_NOMEM : mask_heading(m, buf_str(&large), large.n, &masked);
    bool same = large.n == masked.n && (!large.n || !memcmp(large.p, masked.p, large.n));
    if (!rc) rc = same ? mask_text(m, s, n, out) : buf_add(out, masked.p, masked.n);
    buf_free(&large);
    buf_free(&masked);
    return rc ? ERR_NOMEM : 0;
}

/* ---- masking what comes bit by bit ---- */

#define FLOW_STEP   32   /* new bytes for which it is looked at again */
#define FLOW_SPACES 16   /* words that wait for what may come */
#define FLOW_BYTES  96   /* and bytes */
#define FLOW_WAIT   1024 /* where there are no spaces */
#define FLOW_KEPT   8192

/* Up to where the text will mean the same whatever comes: a space far enough from its end. */
static size_t settled(const struct buf *b)
{
    size_t i = b->n, spaces = 0;
    while (i > 0 && (spaces < FLOW_SPACES || b->n - i < FLOW_BYTES)) spaces += b->p[--i] == ' ';
    if (i || b->n < FLOW_WAIT) return i;
    return utf8_cut(b->p, b->n, b->n / 2);
}

int mask_flow(struct mask *m, struct mask_flow *f, const char *s, size_t n, bool end,
              struct buf *out)
{
    if (n && buf_add(&f->text, s, n)) return ERR_NOMEM;
    if (!end && f->text.n < f->looked + FLOW_STEP) return 0;
    f->looked = f->text.n;
    size_t upto = end ? f->text.n : settled(&f->text);
    if (upto <= f->given) return 0;
    int rc = run(m, buf_str(&f->text), f->text.n, f->given, upto, &f->given, out);
    if (!rc && f->given > FLOW_KEPT) {
        memmove(f->text.p, f->text.p + f->given, f->text.n - f->given);
        f->text.n -= f->given;
        f->looked = f->text.n;
        f->given = 0;
    }
    return rc;
}

void mask_flow_free(struct mask_flow *f) { buf_free(&f->text); }

/* As the same name is in a text. */
static const char *key_of_author(const char *name, char out[MASK_KEY])
{
    struct tokens t = tokens_of(name, strlen(name));
    uint64_t word[MENTION_WORDS];
    int n = 0;
    while (tokens_next(&t) && n < MENTION_WORDS)
        if (t.is_word) word[n++] = mention_key(name + t.start, t.end - t.start);
    return n ? mask_key_of_name(word, n, out) : name;
}

int mask_author(struct mask *m, const char *name, bool account, struct buf *out)
{
    struct buf b = BUF_INIT(0);
    size_t n = strlen(name);
    int rc = mask_text(m, name, n, &b);
    bool same = b.n == n && (!n || !memcmp(b.p, name, n));
    if (!rc && same && n) {
        char key[MASK_KEY];
        const char *shown = mask_pseudonym(m, account ? KIND_ACCOUNT : KIND_PERSON,
                                           account ? name : key_of_author(name, key), name);
        rc = shown ? buf_adds(out, shown) : ERR_NOMEM;
    } else if (!rc) {
        rc = buf_add(out, buf_str(&b), b.n);
    }
    buf_free(&b);
    return rc ? ERR_NOMEM : 0;
}

/* ---- revealing ---- */

size_t mask_pseudonym_at(const char *s, size_t n, bool *cut)
{
    *cut = false;
    for (int k = 0; k < KIND_COUNT; k++) {
        const char *before = mask_befores[k], *after = mask_afters[k];
        size_t b = strlen(before), a = strlen(after), i = n < b ? n : b;
        if (!n || memcmp(s, before, i) != 0) continue;
        while (i < n && i < b + 6 && s[i] >= '0' && s[i] <= '9') i++;
        if (i == n && i < b + 6) *cut = true;
        if (i != b + 6) continue;
        size_t left = n - i < a ? n - i : a;
        if (memcmp(s + i, after, left) != 0) continue;
        if (left < a) *cut = true;
        else if (a) return i + a;
        else if (i == n) *cut = true; /* another digit may come */
        if (!a && (i == n || !(s[i] >= '0' && s[i] <= '9'))) return i;
    }
    return 0;
}

int mask_reveal_some(struct mask *m, struct buf *held, const char *s, size_t n, bool end,
                     struct buf *out)
{
    size_t i = 0, done = 0;
    if (n && buf_add(held, s, n)) return ERR_NOMEM;
    for (; i < held->n; i++) {
        bool cut;
        if (!may_be_pseudonym(held->p[i])) continue;
        size_t k = mask_pseudonym_at(held->p + i, held->n - i, &cut);
        if (cut && !end) break;
        uint64_t h = k ? hash64(held->p + i, k, 31) : 0;
        const char *real = k && !map_get(&m->literal, h) ? mask_pointer(&m->shown, h) : NULL;
        if (!real) continue;
        buf_add(out, held->p + done, i - done);
        buf_adds(out, real);
        done = i + k;
        i = done - 1;
    }
    buf_add(out, held->p ? held->p + done : "", i - done);
    size_t rest = held->n - i;
    if (rest && held->p) memmove(held->p, held->p + i, rest);
    held->n = rest;
    return out->failed ? ERR_NOMEM : 0;
}

int mask_reveal(struct mask *m, const char *s, size_t n, struct buf *out)
{
    struct buf held = BUF_INIT(0);
    int rc = mask_reveal_some(m, &held, s, n, true, out);
    buf_free(&held);
    return rc;
}
