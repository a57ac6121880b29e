/* Files that come along in exports and in which nobody says anything of their own: the pages with
 * which an export shows itself, copies of what another of its files says, logs and settings, styles
 * and scripts. Without this row they would be taken for documents by the persona, or each be an
 * error. They are told, counted and passed over.
 *
 * What is known by its content is known wherever it lies. A few programs are known by a folder that
 * their exports have, below any other: there everything is passed over that no other format is sure
 * of. --as NAME reads such a file all the same. */
#include "text/fmt_export.h"

#include "base/str.h"

#include <string.h>

static const char shows[] = "page that shows an export", again[] = "copy of another file's words",
                  ask[] = "chat as a page: export it as JSON", usage[] = "activity log",
                  data[] = "data in which nobody speaks", script[] = "style or script";

/* name: of the file; its end after a "*". words: all of them stand in its head. */
static const struct known {
    const char *name, *words[2], *what;
} known[] = {
    { "archive_browser.html", { NULL }, shows },
    { "Your archive.html", { NULL }, shows },
    { "*.html", { "class=\"outer-cell mdl-cell" }, usage },
    { "*.html", { "<!DOCTYPE NETSCAPE-Bookmark-file" }, data },
    { "*.html", { "class=\"note", "class=\"heading\"" }, again },
    { "*.html", { "class=\"_a6-" }, ask },
    { "*.html", { "class=\"_3a_u\"" }, ask },
    { "*.html", { "class=\"page_wrap", "class=\"page_body" }, ask },
    { "*.html", { "chatlog__" }, ask },
    { "*.html", { "mx_MatrixChat" }, ask },
    { "*.html", { "../style.css", "class=\"msg" }, again },
    { "chat.html", { "var jsonData" }, again },
    { "*.json", { "\"preferredUsername\"", "\"outbox\"" }, data },
    { "likes.json", { "\"OrderedCollection\"" }, data },
    { "bookmarks.json", { "\"OrderedCollection\"" }, data },
    { "*.json", { "\"event_type\"", "\"event_id\"" }, usage },
    { "message_feedback.json", { "\"conversation_id\"" }, data },
    { "model_comparisons.json", { NULL }, data },
    { "shared_conversations.json", { "\"conversation_id\"" }, data },
    { "user.json", { "\"chatgpt_plus_user\"" }, data },
    { "users.json", { "\"full_name\"", "\"email_address\"" }, data },
    { "projects.json", { "\"is_starter_project\"" }, data },
    { "canvases.json", { NULL }, data },
    { "file_conversations.json", { NULL }, data },
    { "huddle_transcripts.json", { NULL }, data },
    { "metadata.json", { "\"version\"" }, data },
    { "no-data.txt", { NULL }, data },
    { "README.txt", { "discord.com" }, data },
    { "README.txt", { "Twitter", "archive" }, data },
    { "desktop.ini", { NULL }, data },
    { "Thumbs.db", { NULL }, data },
    { "*.css", { NULL }, script },
    { "*.js", { NULL }, script },
    { "*.js.map", { NULL }, script },
};

/* Tables of a Reddit export that have no words, by name and header. */
static const char *const tables[][2] = {
    { "account_gender.csv", "account_gender" },
    { "announcements.csv", "announcement_id," },
    { "approved_submitter_subreddits.csv", "subreddit" },
    { "birthdate.csv", "birthdate" },
    { "checkfile.csv", "filename,sha256" },
    { "drafts.csv", "id,title,body,kind," },
    { "friends.csv", "username,note" },
    { "ip_logs.csv", "date,ip" },
    { "linked_identities.csv", "issuer_id,subject_id" },
    { "linked_phone_number.csv", "phone_number" },
    { "moderated_subreddits.csv", "subreddit" },
    { "multireddits.csv", "id,display_name" },
    { "persona.csv", "persona_inquiry_id" },
    { "poll_votes.csv", "post_id,user_selection" },
    { "purchases.csv", "processor,transaction_id" },
    { "sensitive_ads_preferences.csv", "type,preference" },
    { "statistics.csv", "statistic,value" },
    { "subscribed_subreddits.csv", "subreddit" },
    { "twitter.csv", "username" },
    { "user_preferences.csv", "preference,value" },
};

/* Folders of Facebook's and Instagram's downloads. */
static const char *const downloads[] = {
    "your_facebook_activity",
    "your_instagram_activity",
    "personal_information",
    "connections",
    "ads_information",
    "logged_information",
    "preferences",
    "security_and_login_information",
};

static bool has(const struct format_in *in, const char *word)
{
    return !word || memmem(in->head, in->head_n, word, strlen(word));
}

static bool named(const struct format_in *in, const char *name)
{
    return *name == '*' ? str_ends(in->name, name + 1) : !strcmp(in->name, name);
}

/* Does the file lie below a folder of this name? */
static bool below(const struct format_in *in, const char *folder)
{
    size_t n = strlen(folder);
    const char *p = in->path ? in->path : "", *slash;
    for (; (slash = strchr(p, '/')); p = slash + 1)
        if ((size_t)(slash - p) == n && !strncasecmp(p, folder, n)) return true;
    return false;
}

/* "[2021-05-01 10:00:00] Me: words", as signal-export repeats data.json in chat.md. */
static bool chat_lines(const struct format_in *in)
{
    static const char shape[] = "[dddd-dd-dd dd:dd";
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (s.n < sizeof shape || (strcmp(in->name, "chat.md") != 0 && strcmp(in->name, "index.md")))
        return false;
    for (size_t i = 0; shape[i]; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (shape[i] == 'd' ? !digit : s.p[i] != shape[i]) return false;
    }
    return true;
}

/* Notion's table of contents: links to pages with ids in their names. */
static bool notion_index(const struct format_in *in)
{
    const char *p = (const char *)in->head, *end = p + in->head_n;
    if (strcmp(in->name, "index.html") != 0) return false;
    while ((p = memmem(p, (size_t)(end - p), "%20", 3)) && end - p > 40) {
        size_t n = 0;
        p += 3;
        while (n < 32 && ((p[n] >= '0' && p[n] <= '9') || (p[n] >= 'a' && p[n] <= 'f'))) n++;
        if (n == 32 && p[32] == '.') return true;
    }
    return false;
}

static bool table_without_words(const struct format_in *in)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        size_t n = strlen(tables[i][1]);
        if (!strcmp(in->name, tables[i][0]) && in->head_n >= n &&
            !memcmp(in->head, tables[i][1], n))
            return true;
    }
    return false;
}

/* Of Takeout all but what stands in Drive, which are documents. */
static bool of_a_download(const struct format_in *in)
{
    if (!fmt_named(in, ".json .html .htm .csv .txt .xml .tcx .tsv")) return false;
    if (below(in, "Takeout")) return !below(in, "Drive");
    for (size_t i = 0; i < sizeof downloads / sizeof *downloads; i++)
        if (below(in, downloads[i])) return true;
    return false;
}

static const char *what_of(const struct format_in *in, int *score)
{
    *score = 98;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct known *k = &known[i];
        if (!named(in, k->name) || !has(in, k->words[0]) || !has(in, k->words[1])) continue;
        if (k->what == script) *score = 50;
        return k->what;
    }
    if (chat_lines(in)) return again;
    if (notion_index(in)) return shows;
    if (table_without_words(in)) return data;
    *score = 93;
    return of_a_download(in) ? data : NULL;
}

const char *format_passed_over(const char *path)
{
    static const char *const kinds[][2] = {
        { "picture",
          ".jpg .jpeg .png .gif .heic .heif .webp .tif .tiff .bmp .avif .ico .psd .dng" },
        { "recording", ".mp3 .m4a .opus .ogg .oga .wav .aac .flac .amr .aiff" },
        { "video", ".mp4 .mov .webm .mkv .avi .3gp .m4v .wmv .mpg" },
        { "file of no known format",
          ".json .xml .yaml .yml .toml .ini .plist .svg .bin .dat .db .sqlite .log .gpx .kml .tcx "
          ".woff .woff2 .ttf .otf .eot .exe .dll .so .wasm .tgs .js .map .css .asc .sig .pb" },
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    size_t n = dot ? strlen(dot) : 0;
    for (size_t i = 0; n > 1 && i < sizeof kinds / sizeof *kinds; i++)
        for (const char *p = kinds[i][1]; *p; p += strcspn(p, " "), p += *p == ' ')
            if (strcspn(p, " ") == n && !strncasecmp(p, dot, n)) return kinds[i][0];
    return NULL;
}

static int score(const struct format_in *in)
{
    int score;
    return what_of(in, &score) ? score : 0;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    int unused;
    const char *what = what_of(in, &unused);
    fmt_skip(sink, what ? what : data, 1);
    return 0;
}

const struct format format_aside = {
    .name = "aside",
    .help = "a file of an export in which nobody speaks: told, and passed over",
    .parts = 1,
    .score = score,
    .parse = parse,
};
