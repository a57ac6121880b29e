/* Mail: mbox files (exports of Gmail, Thunderbird, Apple Mail) and single messages (.eml, Maildir).
 *
 * mbox.c finds each message's range of bytes, GMime parses that range where it lies in the file
 * (so attachments are never loaded), mailbody.c takes the letter out of it, and here its header
 * becomes the fields of a piece. One message is in memory at a time. What goes wrong inside a
 * message costs that message, and is reported with the byte at which it starts.
 *
 * Threads: mails of one conversation share the first Message-ID of their References, or the one
 * they answer, or their own when they start it. Subjects are not used: "Re: hello" is no thread.
 *
 * Bulk mail is left out because newsletters would drown the people; but whatever the owner sent
 * stays, mailing lists included. */
#include "base/str.h"
#include "text/date.h"
#include "text/fmt.h"
#include "text/mail.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t gmime_once = PTHREAD_ONCE_INIT;

static void gmime_start(void) { g_mime_init(); }

struct mailbox {
    struct format_in *in;
    const struct format_opts *o;
    const struct piece_sink *sink;
    GMimeParserOptions *opts;
    bool mbox;      /* >From is escaped */
    bool sent_file; /* the name of file or folder says Sent */
};

/* Fields of one message, as clean one-line UTF-8. */
struct fields {
    struct buf name, addr, subject, id, answers, root;
    int64_t when;
    bool sent, draft, spam, bin, bulk;
};

/* ---- header fields ---- */

/* Clean and on one line: runs of white space become one space. */
static void put_line(struct buf *out, const char *s)
{
    struct buf clean = BUF_INIT(0);
    bool gap = false;
    if (!s) return;
    utf8_clean(&clean, s, strlen(s));
    struct span t = span_trim((struct span){ buf_str(&clean), clean.n });
    for (size_t i = 0; i < t.n; i++) {
        bool space = t.p[i] == ' ' || t.p[i] == '\n' || t.p[i] == '\t' || t.p[i] == '\r';
        if (!space && gap) buf_addc(out, ' ');
        if (!space) buf_addc(out, t.p[i]);
        gap = space;
    }
    if (clean.failed) out->failed = clean.failed;
    buf_free(&clean);
}

static const char *header(GMimeMessage *m, const char *name)
{
    const char *v = g_mime_object_get_header(GMIME_OBJECT(m), name);
    return v ? v : "";
}

/* "Re: AW: Fwd: [3] ..." */
static struct span bare_subject(struct span s)
{
    static const char *const prefixes[] = { "Re",  "Fwd", "Fw", "AW",  "WG",  "Antw",   "SV",
                                            "VS",  "Ref", "TR", "RV",  "RIF", "ENC",    "Res",
                                            "Odp", "R",   "I",  "Réf", "Rép", "Doorst", NULL };
    for (;;) {
        struct span t = span_trim(s);
        size_t i;
        for (i = 0; prefixes[i]; i++) {
            size_t k = strlen(prefixes[i]);
            if (t.n <= k || !span_ieq((struct span){ t.p, k }, prefixes[i])) continue;
            if (t.p[k] == '[') {
                while (k < t.n && t.p[k] != ']') k++;
                k += k < t.n;
            }
            while (k < t.n && t.p[k] == ' ') k++;
            if (k + 1 < t.n && !memcmp(t.p + k, "\xC2\xA0", 2)) k += 2;
            if (k >= t.n || t.p[k] != ':') continue;
            s = (struct span){ t.p + k + 1, t.n - k - 1 };
            break;
        }
        if (!prefixes[i]) return t;
    }
}

static void put_from(GMimeMessage *m, struct fields *f)
{
    InternetAddressList *lists[] = { g_mime_message_get_from(m), g_mime_message_get_sender(m) };
    for (int l = 0; l < 2 && !f->addr.n && !f->name.n; l++) {
        int n = lists[l] ? internet_address_list_length(lists[l]) : 0;
        for (int i = 0; i < n && i < 8 && !f->addr.n; i++) {
            InternetAddress *a = internet_address_list_get_address(lists[l], i);
            if (!INTERNET_ADDRESS_IS_MAILBOX(a)) continue;
            put_line(&f->name, internet_address_get_name(a));
            put_line(&f->addr, internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a)));
        }
    }
    for (size_t i = 0; i < f->addr.n; i++)
        if (f->addr.p[i] >= 'A' && f->addr.p[i] <= 'Z') f->addr.p[i] += 32;
    struct span name = span_trim((struct span){ buf_str(&f->name), f->name.n });
    if (name.n >= 2 && (*name.p == '\'' || *name.p == '"') && name.p[name.n - 1] == *name.p)
        name = span_trim((struct span){ name.p + 1, name.n - 2 });
    if (!name.n) name = (struct span){ buf_str(&f->addr), strcspn(buf_str(&f->addr), "@") };
    char *copy = strndup(name.p, name.n);
    buf_clear(&f->name);
    if (!copy) f->name.failed = ERR_NOMEM;
    else buf_adds(&f->name, copy);
    free(copy);
}

static void put_ids(const struct mailbox *b, GMimeMessage *m, struct fields *f)
{
    GMimeReferences *refs = g_mime_references_parse(b->opts, header(m, "References"));
    GMimeReferences *to = g_mime_references_parse(b->opts, header(m, "In-Reply-To"));
    int n = refs ? g_mime_references_length(refs) : 0;
    put_line(&f->id, g_mime_message_get_message_id(m));
    if (to && g_mime_references_length(to) > 0)
        put_line(&f->answers, g_mime_references_get_message_id(to, 0));
    if (!f->answers.n && n) put_line(&f->answers, g_mime_references_get_message_id(refs, n - 1));
    if (n) put_line(&f->root, g_mime_references_get_message_id(refs, 0));
    if (!f->root.n) buf_adds(&f->root, f->answers.n ? f->answers.p : buf_str(&f->id));
    if (refs) g_mime_references_free(refs);
    if (to) g_mime_references_free(to);
}

/* Date, or else the time at which the last server took the mail. */
static int64_t when_of(GMimeMessage *m)
{
    GDateTime *d = g_mime_message_get_date(m);
    int64_t t = CLOCK_NONE;
    if (d) t = g_date_time_to_unix(d);
    const char *r = strrchr(header(m, "Received"), ';');
    if (!d && r) {
        GDateTime *got = g_mime_utils_header_decode_date(r + 1);
        if (got) {
            t = g_date_time_to_unix(got);
            g_date_time_unref(got);
        }
    }
    return t;
}

/* Does the comma-separated list hold a label of that set? Takeout writes them in the owner's
 * language. */
static bool labelled(struct span list, const char *const *set)
{
    while (list.n) {
        const char *e = memchr(list.p, ',', list.n);
        size_t k = e ? (size_t)(e - list.p) : list.n;
        struct span one = span_trim((struct span){ list.p, k });
        while (one.n && *one.p == '"') one.p++, one.n--;
        while (one.n && one.p[one.n - 1] == '"') one.n--;
        for (const char *const *s = set; *s; s++)
            if (span_ieq(one, *s)) return true;
        list.p += k + (e != NULL);
        list.n -= k + (e != NULL);
    }
    return false;
}

static const char *const sent_words[] = {
    "Sent",     "Sent Mail",          "Sent Messages",    "Sent Items",
    "Gesendet", "Gesendete Elemente", "Messages envoyés", "Envoyés",
    "Enviados", "Enviadas",           "Posta inviata",    "Inviati",
    "Inviata",  "Verzonden",          "Verzonden items",  "E-mails enviados",
    "Outbox",   "Elementos enviados", "Itens enviados",   "INBOX.Sent",
    NULL
};
static const char *const draft_words[] = { "Draft",      "Drafts",     "Entwürfe", "Entwurf",
                                           "Brouillons", "Borradores", "Borrador", "Bozze",
                                           "Concepten",  "Rascunhos",  NULL };
static const char *const spam_words[] = {
    "Spam", "Junk", "Junk E-mail", "Correo no deseado", "Indésirables", "Ongewenst", NULL
};

static const char *const bin_words[] = {
    "Trash",     "Bin",       "Deleted Items", "Papierkorb", "Gelöschte Elemente",
    "Corbeille", "Papelera",  "Cestino",       "Prullenbak", "Lixeira",
    "Lixo",      "Papirkurv", "Kosz",          NULL
};

static void put_kind(const struct mailbox *b, GMimeMessage *m, struct fields *f)
{
    struct span labels = span_of(header(m, "X-Gmail-Labels"));
    const char *prec = header(m, "Precedence"), *automatic = header(m, "Auto-Submitted");
    GMimeContentType *type = NULL;
    if (g_mime_message_get_mime_part(m))
        type = g_mime_object_get_content_type(g_mime_message_get_mime_part(m));
    f->sent = b->sent_file || labelled(labels, sent_words);
    f->draft = labelled(labels, draft_words);
    f->spam = labelled(labels, spam_words);
    f->bin = labelled(labels, bin_words);
    f->bulk = str_starts(prec, "bulk") || str_starts(prec, "list") || str_starts(prec, "junk") ||
              *header(m, "List-Id") || (*automatic && !str_starts(automatic, "no")) ||
              (type && g_mime_content_type_is_type(type, "multipart", "report"));
}

static void fields_read(const struct mailbox *b, GMimeMessage *m, struct fields *f)
{
    struct buf subject = BUF_INIT(0);
    memset(f, 0, sizeof *f);
    put_from(m, f);
    put_ids(b, m, f);
    put_kind(b, m, f);
    put_line(&subject, g_mime_message_get_subject(m));
    struct span s = bare_subject((struct span){ buf_str(&subject), subject.n });
    buf_add(&f->subject, s.p, s.n);
    f->when = when_of(m);
    buf_free(&subject);
}

static void fields_free(struct fields *f)
{
    struct buf *b[] = { &f->name, &f->addr, &f->subject, &f->id, &f->answers, &f->root };
    for (size_t i = 0; i < sizeof b / sizeof *b; i++) buf_free(b[i]);
}

static bool fields_failed(const struct fields *f)
{
    return f->name.failed || f->addr.failed || f->subject.failed || f->id.failed ||
           f->answers.failed || f->root.failed;
}

/* ---- one message ---- */

static int emit(const struct mailbox *b, GMimeMessage *m, const struct fields *f, uint64_t where,
                struct err *err)
{
    struct mailbody body;
    int rc = mailbody_read(m, b->mbox, b->sink, where, &body, err);
    if (rc) return rc;
    struct piece p = fmt_piece(PIECE_MAIL);
    p.text = buf_str(&body.own);
    p.quoted = buf_str(&body.quoted);
    p.author = buf_str(&f->name);
    p.author_id = buf_str(&f->addr);
    p.title = buf_str(&f->subject);
    p.id = buf_str(&f->id);
    p.reply_to = buf_str(&f->answers);
    p.thread = buf_str(&f->root);
    p.written_at = f->when;
    p.sent_by_owner = f->sent;
    if (body.encrypted && !body.own.n) fmt_skip(b->sink, "encrypted mail", where);
    else rc = fmt_emit(b->o, b->sink, &p, where, err);
    mailbody_free(&body);
    return rc;
}

static int take_message(const struct mailbox *b, GMimeMessage *m, uint64_t where, struct err *err)
{
    struct fields f;
    int rc = 0;
    fields_read(b, m, &f);
    const char *why = f.draft                ? "draft"
                      : f.spam               ? "spam"
                      : f.bin                ? "deleted mail"
                      : f.bulk && !f.sent    ? "bulk mail"
                      : !f.name.n && !f.sent ? "mail without a sender"
                                             : NULL;
    if (fields_failed(&f)) rc = err_nomem(err);
    else if (why) fmt_skip(b->sink, why, where);
    else rc = emit(b, m, &f, where, err);
    fields_free(&f);
    return rc;
}

static int read_range(const struct mailbox *b, const struct mbox_range *r, struct err *err)
{
    uint64_t where = r->mark + 1;
    int rc = 0;
    if (r->broken) {
        fmt_skip(b->sink, "broken mail", where);
        return 0;
    }
    if (r->use < r->end) fmt_skip(b->sink, "rest of an over-long mail", where);
    GMimeStream *s = g_mime_stream_file_new_with_bounds(b->in->f, (gint64)r->start, (gint64)r->use);
    g_mime_stream_file_set_owner(GMIME_STREAM_FILE(s), FALSE);
    GMimeParser *parser = g_mime_parser_new_with_stream(s);
    g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
    g_mime_parser_set_persist_stream(parser, TRUE);
    GMimeMessage *m = g_mime_parser_construct_message(parser, b->opts);
    if (m) rc = take_message(b, m, where, err);
    else fmt_skip(b->sink, "broken mail", where);
    if (m) g_object_unref(m);
    g_object_unref(parser);
    g_object_unref(s);
    return rc;
}

/* ---- the two formats ---- */

static bool names_sent(struct span part)
{
    while (part.n && *part.p == '.') part.p++, part.n--;
    if (part.n > 5 && span_ieq((struct span){ part.p + part.n - 5, 5 }, ".mbox")) part.n -= 5;
    if (part.n > 4 && span_ieq((struct span){ part.p + part.n - 4, 4 }, ".sbd")) part.n -= 4;
    for (const char *const *s = sent_words; *s; s++)
        if (span_ieq(part, *s)) return true;
    return part.n > 4 && !strncasecmp(part.p, "Sent", 4) &&
           !((part.p[4] | 32) >= 'a' && (part.p[4] | 32) <= 'z');
}

/* Sent, Sent.mbox, "Sent Items.mbox/mbox", .Sent/cur/1234: the file, or up to three folders above
 * it. */
static bool sent_by_name(const struct format_in *in)
{
    struct span rest = span_of(in->path && *in->path ? in->path : in->name);
    for (int i = 0; i < 4 && rest.n; i++) {
        const char *slash = memrchr(rest.p, '/', rest.n);
        const char *p = slash ? slash + 1 : rest.p;
        if (names_sent((struct span){ p, rest.n - (size_t)(p - rest.p) })) return true;
        rest.n = slash ? (size_t)(slash - rest.p) : 0;
    }
    return names_sent(span_of(in->name));
}

/* Apple's .emlx: a line with the length, the message, then a property list. */
static void emlx_bounds(const struct format_in *in, struct mbox *m, uint64_t *end)
{
    size_t i = 0;
    uint64_t len = 0;
    while (i < in->head_n && i < 12 && in->head[i] >= '0' && in->head[i] <= '9')
        len = len * 10 + (uint64_t)(in->head[i++] - '0');
    while (i < in->head_n && in->head[i] == ' ') i++;
    if (!i || i >= in->head_n || in->head[i] != '\n' || !len) return;
    m->at = i + 1;
    *end = m->at + len;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 bool split, struct err *err)
{
    static const char *charsets[] = { "utf-8", "windows-1252", NULL };
    struct mailbox b = { .in = in, .o = o, .sink = sink, .mbox = split };
    struct mbox m = { 0 };
    struct mbox_range r;
    uint64_t good = 0, end = UINT64_MAX;
    int rc;
    pthread_once(&gmime_once, gmime_start);
    if ((rc = mbox_init(&m, in->f, split, err))) return rc;
    if (!split) emlx_bounds(in, &m, &end);
    b.sent_file = sent_by_name(in);
    b.opts = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(b.opts, charsets);
    while ((rc = mbox_next(&m, &r, err)) > 0) {
        if (r.end > end) r.end = end;
        if (r.use > end) r.use = end;
        good += !r.broken;
        if ((rc = read_range(&b, &r, err)) || (rc = fmt_consumed(sink, r.end, err))) break;
    }
    if (rc == ERR_IO) err_prefix(err, rc, "%s", in->name);
    if (!rc && !good)
        rc = err_set(
            err, ERR_PARSE,
            "%s: there is no mail in it at byte 1: a mail begins with lines like \"From: ...\" "
            "and \"Date: ...\"; give a .mbox or .eml file, or choose another format with --as",
            in->name);
    g_mime_parser_options_free(b.opts);
    mbox_clear(&m);
    return rc;
}

static int mbox_parse(struct format_in *in, const struct format_opts *o,
                      const struct piece_sink *sink, struct err *err)
{
    return parse(in, o, sink, true, err);
}

static int eml_parse(struct format_in *in, const struct format_opts *o,
                     const struct piece_sink *sink, struct err *err)
{
    return parse(in, o, sink, false, err);
}

static int mbox_score(const struct format_in *in)
{
    if (mbox_looks(in->head, in->head_n)) return 98;
    bool from = in->head_n > 5 && !memcmp(in->head, "From ", 5);
    return from && fmt_named(in, ".mbox .mbx") ? 80 : 0;
}

/* Fields at the head that every mail has, and other texts do not. */
static int eml_score(const struct format_in *in)
{
    static const char *const known[] = {
        "From:",         "Date:",    "Message-ID:", "Received:",     "Return-Path:",
        "MIME-Version:", "Subject:", "To:",         "Delivered-To:", NULL
    };
    const char *p = (const char *)in->head, *end = p + in->head_n;
    unsigned seen = 0;
    int n = 0;
    bool named = fmt_named(in, ".eml .emlx");
    if (named && p < end && *p >= '0' && *p <= '9') {
        while (p < end && *p != '\n') p++;
        p += p < end;
    }
    while (p < end && *p != '\n' && *p != '\r') {
        const char *e = memchr(p, '\n', (size_t)(end - p));
        size_t k = e ? (size_t)(e - p) : (size_t)(end - p);
        if (*p != ' ' && *p != '\t' && !mbox_field(p, k)) return 0;
        for (int i = 0; known[i]; i++)
            if (k >= strlen(known[i]) && !strncasecmp(p, known[i], strlen(known[i])))
                seen |= 1u << i;
        p += k + (e != NULL);
    }
    for (int i = 0; known[i]; i++) n += seen >> i & 1;
    bool transport = seen & (1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8);
    if ((seen & 1) && n >= 3 && transport) return 97;
    if ((seen & 1) && (n >= 2) && named) return 95;
    return named && n ? 80 : (seen & 3) == 3 && n >= 3 ? 60 : 0;
}

const struct format format_mbox = {
    .name = "mbox",
    .help = "mailbox of Gmail, Thunderbird, Apple Mail (.mbox)",
    .has_authors = 1,
    .score = mbox_score,
    .parse = mbox_parse,
};

const struct format format_eml = {
    .name = "eml",
    .help = "a single mail (.eml, a file of a Maildir)",
    .has_authors = 1,
    .score = eml_score,
    .parse = eml_parse,
};
