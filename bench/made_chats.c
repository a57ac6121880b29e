/* A zip of chats as people collect them: a Slack export (the lists of users and channels, then a
 * file for each channel and day), a few long WhatsApp chats, and what Telegram exports of a whole
 * account. Messages come in bursts; some are one word, some a paragraph; there are replies, edits,
 * media, system lines. */
#include "bench.h"
#include "made_text.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CHANNELS  12
#define MEMBERS   20
#define PER_DAY   160 /* messages of a channel on a day */
#define CHATS     4
#define OPENED    1514764800 /* 2018-01-01 */
#define TELEGRAMS 12

struct made_zip {
    struct archive *a;
    struct buf out, text;
    int64_t now;
    struct err *err;
};

static int put_file(struct made_zip *z, const char *path)
{
    struct archive_entry *e = archive_entry_new();
    if (!e || z->out.failed || z->text.failed) {
        archive_entry_free(e);
        return err_nomem(z->err);
    }
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (int64_t)z->out.n);
    archive_entry_set_mtime(e, z->now, 0);
    bool bad = archive_write_header(z->a, e) != ARCHIVE_OK ||
               archive_write_data(z->a, z->out.p, z->out.n) != (la_ssize_t)z->out.n;
    archive_entry_free(e);
    buf_clear(&z->out);
    return bad ? err_set(z->err, ERR_IO, "cannot write the zip: %s", archive_error_string(z->a))
               : 0;
}

/* What a message says: mostly a sentence, often a few words, seldom a paragraph. */
static const char *say(struct made_zip *z, enum made_tongue t)
{
    uint32_t r = made_below(20);
    buf_clear(&z->text);
    if (r < 7) made_words(&z->text, t, 1 + (int)made_below(4));
    else made_sentences(&z->text, t, r < 17 ? 1 : 2 + (int)made_below(4));
    return buf_str(&z->text);
}

static void date(struct buf *out, const char *form, int64_t t)
{
    char s[64];
    time_t at = (time_t)t;
    struct tm tm;
    gmtime_r(&at, &tm);
    strftime(s, sizeof s, form, &tm);
    buf_adds(out, s);
}

/* ---- Slack ---- */

static int slack_lists(struct made_zip *z)
{
    buf_addc(&z->out, '[');
    for (uint32_t i = 0; i < MEMBERS; i++)
        buf_printf(&z->out,
                   "%s{\"id\": \"U%08u\", \"team_id\": \"T01\", \"name\": \"user%u\", \"profile\": "
                   "{\"real_name\": \"%s\", \"email\": \"%s\"}}",
                   i ? ",\n" : "", i, i, made_person(i), made_address(i));
    buf_addc(&z->out, ']');
    int rc = put_file(z, "slack/users.json");
    buf_addc(&z->out, '[');
    for (int i = 0; i < CHANNELS; i++)
        buf_printf(&z->out,
                   "%s{\"id\": \"C%08d\", \"name\": \"channel-%d\", \"created\": 1, "
                   "\"members\": [\"U00000000\"]}",
                   i ? ",\n" : "", i, i);
    buf_addc(&z->out, ']');
    return rc ? rc : put_file(z, "slack/channels.json");
}

static int slack_day(struct made_zip *z, int channel, int64_t day, uint64_t n)
{
    char path[128], name[16];
    time_t at = (time_t)day;
    struct tm tm;
    gmtime_r(&at, &tm);
    strftime(name, sizeof name, "%Y-%m-%d", &tm);
    snprintf(path, sizeof path, "slack/channel-%d/%s.json", channel, name);
    enum made_tongue t = channel % 4 ? MADE_EN : MADE_DE;
    int64_t now = day + 28800;
    buf_addc(&z->out, '[');
    for (uint64_t i = 0; i < n; i++) {
        uint32_t who = made_below(3) ? made_below(MEMBERS) : 0;
        now += made_below(300);
        buf_printf(&z->out,
                   "%s{\"client_msg_id\": \"%016llx-%u\", \"type\": \"message\", \"text\": \"%s\", "
                   "\"user\": \"U%08u\", \"ts\": \"%lld.%06u\", \"team\": \"T01\", "
                   "\"user_team\": \"T01\", \"source_team\": \"T01\", \"user_profile\": "
                   "{\"avatar_hash\": \"g0\", \"real_name\": \"%s\", \"display_name\": \"\", "
                   "\"is_restricted\": false}, \"blocks\": [{\"type\": \"rich_text\", "
                   "\"block_id\": \"%x\"}]}",
                   i ? ",\n    " : "", (unsigned long long)bench_random(), who, say(z, t), who,
                   (long long)now, made_below(1000000), made_person(who), made_below(99999));
    }
    buf_addc(&z->out, ']');
    return put_file(z, path);
}

static int slack(struct made_zip *z, uint64_t n)
{
    int rc = slack_lists(z);
    for (int c = 0; c < CHANNELS && !rc; c++) {
        uint64_t left = n / CHANNELS + (c == 0 ? n % CHANNELS : 0);
        for (int64_t day = OPENED; left && !rc; day += 86400) {
            uint64_t most = 1 + made_below(2 * PER_DAY), now = left < most ? left : most;
            rc = slack_day(z, c, day, now);
            left -= now;
        }
    }
    return rc;
}

/* ---- WhatsApp ---- */

static int whatsapp(struct made_zip *z, int chat, uint64_t n)
{
    char path[128];
    uint32_t with = 20 + (uint32_t)chat;
    bool group = chat == CHATS - 1;
    enum made_tongue t = (enum made_tongue)(chat % MADE_TONGUES);
    int64_t now = OPENED;
    snprintf(path, sizeof path, "WhatsApp Chat with %s.txt", group ? "Family" : made_person(with));
    for (uint64_t i = 0; i < n; i++) {
        uint32_t who = made_below(2) ? 0 : group ? with + made_below(6) : with;
        now += made_below(10) ? made_below(90) : made_below(14400);
        date(&z->out, "%d/%m/%Y, %H:%M - ", now);
        bool media = !made_below(25);
        buf_printf(&z->out, "%s: %s\n", made_person(who), media ? "<Media omitted>" : say(z, t));
        if (!made_below(30)) buf_printf(&z->out, "%s\n", say(z, t));
    }
    return put_file(z, path);
}

/* ---- Telegram ---- */

static int telegram(struct made_zip *z, uint64_t n)
{
    struct buf *o = &z->out;
    buf_printf(o,
               "{\n \"personal_information\": {\"user_id\": 100, \"first_name\": \"%s\"},\n"
               " \"chats\": {\"list\": [",
               made_person(0));
    for (uint32_t c = 0; c < TELEGRAMS; c++) {
        uint32_t with = 30 + c;
        enum made_tongue t = (enum made_tongue)(c % MADE_TONGUES);
        int64_t now = OPENED;
        buf_printf(o,
                   "%s\n  {\"name\": \"%s\", \"type\": \"personal_chat\", \"id\": %u,\n"
                   "   \"messages\": [",
                   c ? "," : "", made_person(with), 7000 + c);
        for (uint64_t i = 0, k = n / TELEGRAMS + (c == 0 ? n % TELEGRAMS : 0); i < k; i++) {
            uint32_t who = made_below(2) ? 0 : with;
            now += made_below(10) ? made_below(90) : made_below(14400);
            buf_printf(o, "%s\n    {\"id\": %llu, \"type\": \"message\", \"date\": \"",
                       i ? "," : "", (unsigned long long)i + 1);
            date(o, "%Y-%m-%dT%H:%M:%S", now);
            const char *s = say(z, t);
            buf_printf(o,
                       "\", \"date_unixtime\": \"%lld\", \"from\": \"%s\", \"from_id\": "
                       "\"user%u\", \"text\": \"%s\", \"text_entities\": [{\"type\": \"plain\", "
                       "\"text\": \"%s\"}]}",
                       (long long)now, made_person(who), who ? 200 + who : 100, s, s);
        }
        buf_adds(o, "\n   ]}");
    }
    buf_adds(o, "\n ]}\n}\n");
    return put_file(z, "telegram/result.json");
}

int made_chats(const char *path, uint64_t messages, struct err *err)
{
    struct made_zip z = { .a = archive_write_new(), .now = OPENED, .err = err };
    int rc = 0;
    bench_seed(1000000);
    if (!z.a || archive_write_set_format_zip(z.a) != ARCHIVE_OK ||
        archive_write_open_filename(z.a, path) != ARCHIVE_OK)
        rc = err_set(err, ERR_IO, "cannot make %s", path);
    uint64_t part = messages / 5;
    if (!rc) rc = slack(&z, 2 * part);
    for (int i = 0; i < CHATS && !rc; i++) rc = whatsapp(&z, i, 2 * part / CHATS);
    if (!rc) rc = telegram(&z, messages - 4 * part);
    if (!rc && archive_write_close(z.a) != ARCHIVE_OK)
        rc = err_set(err, ERR_IO, "cannot write %s: %s", path, archive_error_string(z.a));
    archive_write_free(z.a);
    buf_free(&z.out);
    buf_free(&z.text);
    return rc;
}
