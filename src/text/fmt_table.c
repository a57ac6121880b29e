/* What CSV and JSON lines share: roles of columns, by --map or by common names, and the making of a
 * piece from a row. Names are compared without case, spaces, dashes and underscores. */
#include "text/fmt_table.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const char *const role_names[TABLE_ROLES] = { "text", "author", "date",    "title",
                                                     "id",   "thread", "reply_to" };

/* Best first. */
static const char *const common[TABLE_ROLES] = {
    [TABLE_TEXT] =
        "text body message content messagetext messagebody fulltext entry comment post note "
        "nachricht texto texte testo contenu contenido tekst bericht ",
    [TABLE_AUTHOR] =
        "author from sender name username user fromname sendername speaker by authorname "
        "who whom person participant member nick nickname handle creator writer "
        "von autor auteur autore absender verfasser expediteur remitente mittente ",
    [TABLE_DATE] = "date writtenat createdat timestamp time datetime sentat when created published "
                   "publishedat day sent senton sentdate posted postedat at ts datetimeutc utc "
                   "datum zeitstempel zeit fecha hora data dateunixtime ",
    [TABLE_TITLE] = "title subject heading headline betreff titel titre titulo titolo ",
    [TABLE_ID] = "id messageid uuid guid key ",
    [TABLE_THREAD] =
        "thread chat channel conversation room threadid chatid channelid channelname chatname "
        "conversationid group ",
    [TABLE_REPLY] = "replyto inreplyto replytoid parentid replytomessageid parent ",
};

int table_map_init(struct table_map *m, const char *map, struct err *err)
{
    *m = (struct table_map){ 0 };
    if (!map || !*map) return 0;
    if (!(m->store = str_dup(map))) return err_nomem(err);
    char *save = NULL;
    for (char *t = strtok_r(m->store, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(t, '=');
        int role = 0;
        while (*t == ' ') t++;
        if (eq) *eq = 0;
        while (role < TABLE_ROLES && strcmp(t, role_names[role])) role++;
        if (!eq || !eq[1] || role == TABLE_ROLES) {
            table_map_clear(m);
            return err_set(err, ERR_INVAL,
                           "--map is not understood: write it like text=COLUMN,author="
                           "COLUMN,date=COLUMN (also title, id, thread, reply_to)");
        }
        m->want[role] = eq + 1;
    }
    return 0;
}

void table_map_clear(struct table_map *m)
{
    free(m->store);
    *m = (struct table_map){ 0 };
}

int table_rank(enum table_role role, struct span name)
{
    char w[32];
    size_t n = 0;
    name = span_trim(name);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == ' ' || c == '_' || c == '-' || c == '.') continue;
        if (n + 1 >= sizeof w) return 0;
        w[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    w[n] = 0;
    int rank = 1;
    for (const char *p = common[role]; n && *p; p = strchr(p, ' ') + 1, rank++)
        if (!strncmp(p, w, n) && p[n] == ' ') return rank;
    return 0;
}

int table_emit(const struct format_opts *o, const struct piece_sink *sink, int day_first,
               const char *const value[TABLE_ROLES], uint64_t line, struct err *err)
{
    bool chat = value[TABLE_THREAD] && *value[TABLE_THREAD];
    struct piece p = fmt_piece(chat ? PIECE_CHAT : PIECE_DOC);
    struct span when = span_of(value[TABLE_DATE]);
    p.text = value[TABLE_TEXT];
    p.author = value[TABLE_AUTHOR] && *value[TABLE_AUTHOR] ? value[TABLE_AUTHOR] : fmt_author(o);
    p.title = value[TABLE_TITLE];
    p.id = value[TABLE_ID];
    p.thread = value[TABLE_THREAD];
    p.reply_to = value[TABLE_REPLY];
    if (span_trim(when).n && !fmt_when(o, day_first, when, &p.written_at)) {
        p.written_at = CLOCK_NONE;
        fmt_skip(sink, "date not understood", line);
    }
    return fmt_emit(o, sink, &p, line, err);
}
