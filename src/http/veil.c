/* Other people, in replies to those whom a persona is shared with.
 *
 * Below the right to manage, every text of a reply about a persona goes through the persona's mask
 * (persona/mask.h) before it leaves: titles, passages, labels, whoever is listed. What is an
 * identifier or a word of the program keeps its value by its key; what the asker wrote does, too;
 * times do. All handlers come through here, so that a new one is covered before anybody thinks of
 * it. Answers are masked where they are made, since they may be streamed (asking.c). */
#include "base/arena.h"
#include "base/clock.h"
#include "http/inside.h"
#include "http/shown.h"
#include "persona/mask.h"

#include <stdlib.h>
#include <string.h>

static bool in_list(const char *const *list, const char *key)
{
    while (*list && strcmp(*list, key) != 0) list++;
    return *list != NULL;
}

static bool stays(const char *key)
{
    static const char *const list[] = {
        "id",       "uid",       "kind",     "level",    "format",  "formats",
        "language", "languages", "voice",    "embedder", "model",   "object",
        "host",     "state",     "question", "prompt",   "aliases", NULL,
    };
    return in_list(list, key);
}

/* What is made of key phrases is in small letters, names too. */
static bool is_label(const char *key)
{
    static const char *const list[] = { "topic", "topics", "label", "phrases", "profile", NULL };
    return in_list(list, key);
}

static bool is_title(const char *key) { return !strcmp(key, "title") || !strcmp(key, "source"); }

/* Times stay as they are, whatever they are times of. */
static bool is_time(const json_t *v)
{
    int64_t t;
    struct span s = { json_string_value(v), json_string_length(v) };
    return s.n >= 10 && clock_parse_iso(s, &t);
}

/* The texts of a reply. */
struct texts {
    struct buf list; /* of json_t *, borrowed */
    struct mask *mask;
};

static int mask_one(struct mask *m, json_t *v, bool title)
{
    struct buf b = BUF_INIT(0);
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    int rc = title ? mask_title(m, s, n, &b) : mask_label(m, s, n, &b);
    if (!rc && json_string_setn(v, buf_str(&b), b.n)) rc = ERR_NOMEM;
    buf_free(&b);
    return rc;
}

/* Labels and titles are masked at once, other texts are gathered. */
static int gather(struct texts *t, const char *key, json_t *v, bool label)
{
    const char *name;
    json_t *part;
    size_t i;
    int rc = 0;
    if (json_is_string(v) && !is_time(v)) {
        bool title = is_title(key);
        return label || title ? mask_one(t->mask, v, title) : buf_add(&t->list, &v, sizeof v);
    }
    json_array_foreach(v, i, part)
    {
        if (!rc) rc = gather(t, key, part, label);
    }
    json_object_foreach(v, name, part)
    {
        if (!rc && !stays(name)) rc = gather(t, name, part, label || is_label(name));
    }
    return rc ? ERR_NOMEM : 0;
}

/* Those of a reply are seen together, and masked so. */
static int mask_reply(struct mask *m, json_t *j)
{
    struct texts t = { BUF_INIT(0), m };
    struct arena *mem = arena_new(0);
    int rc = mem ? gather(&t, "", j, false) : ERR_NOMEM;
    size_t n = t.list.n / sizeof(json_t *);
    json_t **v = (json_t **)(void *)t.list.p;
    const char **text = calloc(n + 1, sizeof *text);
    if (!text) rc = ERR_NOMEM;
    for (size_t i = 0; i < n && !rc; i++) text[i] = json_string_value(v[i]);
    if (!rc && n) rc = mask_texts(m, mem, text, n);
    for (size_t i = 0; i < n && !rc; i++)
        if (json_string_set(v[i], text[i])) rc = ERR_NOMEM;
    buf_free(&t.list);
    arena_free(mem);
    free(text);
    return rc;
}

bool veil_needed(const struct persona *p, enum level level)
{
    return level < LEVEL_MANAGE && p->mask_shares;
}

int veil_json(struct call *c, json_t **j, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct mask *m = NULL;
    if (!*j || c->level == LEVEL_NONE || c->level >= LEVEL_MANAGE) return 0;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    if (veil_needed(p, c->level)) rc = mask_open(h, p, &m, err);
    json_t *out = m ? json_deep_copy(*j) : NULL;
    if (m && (!out || mask_reply(m, out))) {
        json_decref(out);
        rc = err_nomem(err);
    } else if (m) {
        json_decref(*j);
        *j = out;
    }
    mask_close(m);
    reading_end(c, h, p);
    return rc;
}

int veil_reply(struct call *c, struct err *err)
{
    return c->veiled ? 0 : veil_json(c, &c->out, err);
}
