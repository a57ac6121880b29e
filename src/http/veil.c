/* Other people, in replies to those whom a persona is shared with.
 *
 * Below the right to manage, every text of a reply about a persona goes through the persona's mask
 * (persona/mask.h) before it leaves: titles, passages, labels, whoever is listed. What is an
 * identifier or a word of the program keeps its value by its key; what the asker wrote does, too.
 * All handlers come through here, so that a new one is covered before anybody thinks of it. Answers
 * are masked where they are made, since they may be streamed (asking.c). */
#include "http/inside.h"
#include "http/shown.h"
#include "persona/mask.h"

#include <string.h>

static bool stays(const char *key)
{
    static const char *const list[] = {
        "id",         "uid",      "kind",     "level", "format",  "formats", "language",
        "languages",  "voice",    "embedder", "model", "object",  "host",    "state",
        "question",   "prompt",   "by",       "to",    "at",      "from",    "created_at",
        "written_at", "added_at", "consent",  "next",  "aliases", NULL,
    };
    for (const char *const *s = list; *s; s++)
        if (!strcmp(*s, key)) return true;
    return false;
}

/* What is made of key phrases is in small letters, names too. */
static bool is_label(const char *key)
{
    static const char *const list[] = { "topic", "topics", "label", "phrases", "profile", NULL };
    for (const char *const *s = list; *s; s++)
        if (!strcmp(*s, key)) return true;
    return false;
}

/* The value with its texts masked, a new reference; NULL: no memory. */
static json_t *masked(struct mask *m, json_t *v, bool label)
{
    struct buf b = BUF_INIT(0);
    const char *key;
    json_t *part, *out = NULL;
    size_t i;
    if (json_is_string(v)) {
        int (*how)(struct mask *, const char *, size_t, struct buf *) =
            label ? mask_label : mask_text;
        if (!how(m, json_string_value(v), json_string_length(v), &b))
            out = json_stringn(buf_str(&b), b.n);
        buf_free(&b);
        return out;
    }
    if (json_is_array(v)) {
        out = json_array();
        json_array_foreach(v, i, part)
        {
            if (json_array_append_new(out, masked(m, part, label))) goto none;
        }
        return out;
    }
    if (!json_is_object(v)) return json_incref(v);
    out = json_object();
    json_object_foreach(v, key, part)
    {
        if (json_object_set_new(
                out, key, stays(key) ? json_incref(part) : masked(m, part, label || is_label(key))))
            goto none;
    }
    return out;
none:
    json_decref(out);
    return NULL;
}

int veil_json(struct call *c, json_t **j, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct mask *m = NULL;
    if (!*j || c->level == LEVEL_NONE || c->level >= LEVEL_MANAGE) return 0;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    if (p->mask_shares) rc = mask_open(h, p, &m, err);
    json_t *out = m ? masked(m, *j, false) : NULL;
    if (out) {
        json_decref(*j);
        *j = out;
    }
    if (m && !out) rc = err_nomem(err);
    mask_close(m);
    reading_end(c, h, p);
    return rc;
}

int veil_reply(struct call *c, struct err *err)
{
    return c->veiled ? 0 : veil_json(c, &c->out, err);
}
