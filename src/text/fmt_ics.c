/* iCalendar (RFC 5545): events and journals as notes of their day.
 *
 * A VEVENT is a piece with SUMMARY as title and DESCRIPTION as text, dated by DTSTART; one without
 * a description is its summary. Whoever organises it wrote it; without ORGANIZER it is the owner's.
 * Alarms inside events have descriptions of their own, which are nobody's words. Repetitions are
 * not unrolled: the words were written once. Cancelled events are passed over.
 *
 * Local times name a time zone that stands in the file itself (VTIMEZONE, section 3.6.5): rules of
 * the form "the last Sunday of March" with the offset that holds from there on. Zones are looked up
 * when the event ends, in the order of the file, which puts them first. */
#include "text/contentline.h"

#include "base/str.h"
#include "text/html.h"

#include <stdlib.h>
#include <string.h>

#define ONSETS_MAX 4096
#define DAY        86400

struct onset { /* from when on which offset holds, in local time */
    char zone[64];
    int64_t first, until;    /* until: CLOCK_NONE, or the last start of it */
    int month, nth, weekday; /* of each year; month 0: the first start alone */
    long offset;
};

enum inside { OUTSIDE, EVENT, ZONE, ONSET };

struct ics {
    const struct format_opts *o;
    const struct piece_sink *sink;
    enum inside in;
    int depth; /* of components inside an event that are passed over */
    struct buf title, text, uid, author, mail, html;
    char zone[64], start_zone[64];
    struct onset at;
    struct onset *onset;
    size_t n_onset;
    int64_t start;
    bool local, cancelled;
    uint64_t no;
};

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    return s.n >= 15 && !strncasecmp(s.p, "BEGIN:VCALENDAR", 15) ? 97 : 0;
}

/* ---- times ---- */

/* "20210105", "20210105T151512" with or without Z. *local: no Z stood there. */
static bool stamp(struct span s, int64_t *out, bool *local)
{
    int v[14];
    s = span_trim(s);
    if (s.n != 8 && (s.n < 15 || s.p[8] != 'T')) return false;
    size_t digits = s.n == 8 ? 8 : 14;
    for (size_t i = 0; i < digits; i++) {
        char c = s.p[i + (i >= 8)];
        if (c < '0' || c > '9') return false;
        v[i] = c - '0';
    }
    int y = v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3], mon = v[4] * 10 + v[5],
        d = v[6] * 10 + v[7];
    int h = 0, m = 0, sec = 0;
    if (digits == 14) h = v[8] * 10 + v[9], m = v[10] * 10 + v[11], sec = v[12] * 10 + v[13];
    if (y < 1 || mon < 1 || mon > 12 || d < 1 || d > 31 || h > 24 || m > 59 || sec > 60)
        return false;
    *out = clock_from_civil(y, mon, d, h, m, sec);
    *local = digits == 14 && !(s.n > 15 && s.p[15] == 'Z');
    return true;
}

/* "+0100", "-053000" */
static long offset(struct span s)
{
    int64_t v;
    s = span_trim(s);
    if (s.n < 5 || (*s.p != '+' && *s.p != '-') || !str_i64((struct span){ s.p + 1, 4 }, &v))
        return 0;
    long t = (long)(v / 100 * 3600 + v % 100 * 60);
    return *s.p == '-' ? -t : t;
}

static struct span rule_part(struct span rule, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = rule.p, *end = p + rule.n; p < end;) {
        const char *q = memchr(p, ';', (size_t)(end - p));
        if (!q) q = end;
        if ((size_t)(q - p) > n && p[n] == '=' && !strncasecmp(p, name, n))
            return (struct span){ p + n + 1, (size_t)(q - p) - n - 1 };
        p = q + 1;
    }
    return (struct span){ "", 0 };
}

/* FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU */
static void rule(struct onset *o, struct span r)
{
    static const char days[] = "SUMOTUWETHFRSA";
    struct span by = rule_part(r, "BYDAY"), until = rule_part(r, "UNTIL");
    int64_t month = 0, nth = 0;
    bool local;
    if (by.n < 3 || by.n > 4 || !str_i64(rule_part(r, "BYMONTH"), &month)) return;
    struct span count = { by.p, by.n - 2 };
    if (count.n && *count.p == '+') count.p++, count.n--;
    for (int d = 0; d < 7; d++)
        if (!strncasecmp(by.p + by.n - 2, days + d * 2, 2)) o->weekday = d;
    if (!str_i64(count, &nth) || month < 1 || month > 12 || !nth || nth < -5 || nth > 5) return;
    o->month = (int)month;
    o->nth = (int)nth;
    if (!stamp(until, &o->until, &local)) o->until = CLOCK_NONE;
}

/* When the rule falls in a year, local time. */
static int64_t in_year(const struct onset *o, int year)
{
    int next = o->month == 12 ? 1 : o->month + 1;
    int64_t first = clock_from_civil(year, o->month, 1, 0, 0, 0);
    int64_t after = clock_from_civil(year + (next == 1), next, 1, 0, 0, 0);
    int64_t time = ((o->first % DAY) + DAY) % DAY;
    int64_t from = o->nth > 0 ? first : after - 7 * DAY;
    int64_t weekday = (((from / DAY + 4) % 7) + 7) % 7; /* 1 January 1970 was a Thursday */
    int64_t day = from + ((o->weekday - weekday + 7) % 7) * DAY;
    return day + (o->nth > 0 ? o->nth - 1 : o->nth + 1) * 7 * DAY + time;
}

/* The last start of this offset at or before t; CLOCK_NONE when it had not begun. */
static int64_t last_start(const struct onset *o, int64_t t)
{
    int year, month, day;
    if (t < o->first) return CLOCK_NONE;
    if (!o->month) return o->first;
    if (o->until != CLOCK_NONE && t > o->until) t = o->until + DAY;
    clock_to_civil(t, &year, &month, &day);
    int64_t at = in_year(o, year);
    if (at > t) at = in_year(o, year - 1);
    return at > o->first ? at : o->first;
}

static int64_t to_utc(const struct ics *s, int64_t t)
{
    int64_t newest = CLOCK_NONE;
    long found = s->o->tz_offset;
    for (size_t i = 0; i < s->n_onset; i++) {
        if (strcmp(s->onset[i].zone, s->start_zone) != 0) continue;
        int64_t from = last_start(&s->onset[i], t);
        if (from == CLOCK_NONE || (newest != CLOCK_NONE && from <= newest)) continue;
        newest = from;
        found = s->onset[i].offset;
    }
    return t - found;
}

/* ---- events ---- */

static void event_begin(struct ics *s, uint64_t no)
{
    struct buf *all[] = { &s->title, &s->text, &s->uid, &s->author, &s->mail };
    for (size_t i = 0; i < 5; i++) buf_clear(all[i]);
    s->start = CLOCK_NONE;
    s->local = s->cancelled = false;
    s->start_zone[0] = 0;
    s->depth = 0;
    s->no = no;
}

/* Google and Outlook put HTML into descriptions. */
static int plain(struct ics *s, struct err *err)
{
    const char *t = buf_str(&s->text);
    if (!strstr(t, "</") && !strcasestr(t, "<br")) return 0;
    buf_clear(&s->html);
    int rc = html_text(t, s->text.n, &s->html, NULL, NULL, NULL, err);
    if (rc == ERR_LIMIT) return 0;
    buf_clear(&s->text);
    utf8_clean(&s->text, buf_str(&s->html), s->html.n);
    return rc;
}

static int event_end(struct ics *s, struct err *err)
{
    struct piece p = fmt_piece(PIECE_DOC);
    int rc = plain(s, err);
    if (rc) return rc;
    bool bare = !span_trim(span_of(buf_str(&s->text))).n;
    if (s->cancelled || (bare && !s->title.n)) {
        fmt_skip(s->sink, s->cancelled ? "cancelled event" : "event without words", s->no);
        return 0;
    }
    p.title = bare ? "" : buf_str(&s->title);
    p.text = bare ? buf_str(&s->title) : buf_str(&s->text);
    p.author = buf_str(&s->author);
    p.author_id = buf_str(&s->mail);
    if (!*p.author && !*p.author_id) p.author = fmt_author(s->o);
    p.id = buf_str(&s->uid);
    p.written_at = s->start != CLOCK_NONE && s->local ? to_utc(s, s->start) : s->start;
    struct format_opts later = *s->o;
    later.now = 0; /* events may well lie ahead */
    if (s->title.failed == ERR_NOMEM || s->text.failed == ERR_NOMEM) return err_nomem(err);
    return fmt_emit(&later, s->sink, &p, s->no, err);
}

static void put_span(char out[64], struct span s)
{
    snprintf(out, 64, "%.*s", (int)(s.n < 63 ? s.n : 63), s.n ? s.p : "");
}

static void event_line(struct ics *s, const struct contentline *l)
{
    if (!strcmp(l->name, "SUMMARY") && !s->title.n) contentline_text(l, &s->title);
    else if (!strcmp(l->name, "DESCRIPTION") && !s->text.n) contentline_text(l, &s->text);
    else if (!strcmp(l->name, "UID") && !s->uid.n) contentline_text(l, &s->uid);
    else if (!strcmp(l->name, "STATUS")) s->cancelled = span_ieq(span_trim(l->value), "CANCELLED");
    else if (!strcmp(l->name, "DTSTART")) {
        if (!stamp(l->value, &s->start, &s->local)) s->start = CLOCK_NONE;
        put_span(s->start_zone, contentline_param(l, "TZID"));
    } else if (!strcmp(l->name, "ORGANIZER")) {
        struct span cn = contentline_param(l, "CN");
        contentline_text(l, &s->mail);
        utf8_clean(&s->author, cn.p, cn.n);
        if (strncasecmp(buf_str(&s->mail), "mailto:", 7) != 0) buf_clear(&s->mail);
        else {
            memmove(s->mail.p, s->mail.p + 7, s->mail.n - 7 + 1);
            s->mail.n -= 7;
        }
    }
}

/* ---- the file ---- */

static int onset_end(struct ics *s, struct err *err)
{
    if (s->n_onset == ONSETS_MAX) return 0;
    struct onset *grown = realloc(s->onset, (s->n_onset + 1) * sizeof *grown);
    if (!grown) return err_nomem(err);
    s->onset = grown;
    memcpy(s->at.zone, s->zone, sizeof s->zone);
    s->onset[s->n_onset++] = s->at;
    return 0;
}

static int begin_or_end(struct ics *s, const struct contentline *l, bool begin, struct err *err)
{
    struct span v = span_trim(l->value);
    bool event = span_ieq(v, "VEVENT") || span_ieq(v, "VJOURNAL") || span_ieq(v, "VTODO");
    bool onset = span_ieq(v, "STANDARD") || span_ieq(v, "DAYLIGHT");
    if (s->in == EVENT && !event) s->depth += begin ? 1 : s->depth > 0 ? -1 : 0;
    else if (event && begin) event_begin(s, l->no), s->in = EVENT;
    else if (event && s->in == EVENT) return s->in = OUTSIDE, event_end(s, err);
    else if (span_ieq(v, "VTIMEZONE")) s->in = begin ? ZONE : OUTSIDE, s->zone[0] = 0;
    else if (onset && begin && s->in == ZONE)
        s->in = ONSET, s->at = (struct onset){ .until = CLOCK_NONE };
    else if (onset && s->in == ONSET) return s->in = ZONE, onset_end(s, err);
    return 0;
}

static int line(struct ics *s, const struct contentline *l, struct err *err)
{
    bool begin = !strcmp(l->name, "BEGIN"), local;
    if (begin || !strcmp(l->name, "END")) return begin_or_end(s, l, begin, err);
    if (s->in == EVENT && !s->depth) event_line(s, l);
    else if (s->in == ZONE && !strcmp(l->name, "TZID")) put_span(s->zone, l->value);
    else if (s->in == ONSET && !strcmp(l->name, "TZOFFSETTO")) s->at.offset = offset(l->value);
    else if (s->in == ONSET && !strcmp(l->name, "RRULE")) rule(&s->at, l->value);
    else if (s->in == ONSET && !strcmp(l->name, "DTSTART")) stamp(l->value, &s->at.first, &local);
    return 0;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct contentline l;
    struct ics s = { .o = o,
                     .sink = sink,
                     .title = BUF_INIT(65536),
                     .text = BUF_INIT(FORMAT_PIECE_MAX * 3),
                     .uid = BUF_INIT(4096),
                     .author = BUF_INIT(4096),
                     .mail = BUF_INIT(4096),
                     .html = BUF_INIT(FORMAT_PIECE_MAX * 3) };
    int rc = contentline_init(&l, in, sink, err);
    while (!rc && (rc = contentline_next(&l, err)) > 0) rc = line(&s, &l, err);
    if (!rc && s.in == EVENT) fmt_skip(sink, "event without an end", s.no);
    contentline_free(&l);
    struct buf *all[] = { &s.title, &s.text, &s.uid, &s.author, &s.mail, &s.html };
    for (size_t i = 0; i < 6; i++) buf_free(all[i]);
    free(s.onset);
    return rc;
}

const struct format format_ics = {
    .name = "ics",
    .help = "a calendar (iCalendar): its events as notes",
    .score = score,
    .parse = parse,
};
