/* Routes of people: whom the persona writes with, and saying who of them is who. The same as
 * `likeness people`.
 *
 * A person is named in a path by the id, or by a name, address or number if only one is called that
 * and it has no slash. What is said changes ids (they are made of what is joined), so a reply tells
 * the persons who came of those that were named: those who share an address with them or, where
 * they have none, a name.
 *
 * Only who may manage the persona gets here: to be told that somebody of a name is there is to be
 * told who a pseudonym stands for. */
#include "http/shown.h"

#include "persona/mask.h"
#include "persona/told.h"
#include "persona/work.h"

#include <string.h>

extern const struct route routes_people[];

#define PEOPLE_MAX 20000 /* that are listed at all: people.c */

/* ---- looking ---- */

static int list_json(struct call *c, const struct people *all, bool stale, struct err *err)
{
    int64_t offset = call_int(c, "offset", 0), limit = call_int(c, "limit", PEOPLE_MAX);
    bool likely = call_bool(c, "likely", false);
    int64_t at = 0, total = 0;
    json_t *list = json_array();
    for (size_t i = 0; i < all->n; i++) {
        if (likely && !all->p[i].likely) continue;
        total++;
        if (at++ >= offset && json_array_size(list) < (size_t)limit)
            json_array_append_new(list, told_person(&all->p[i]));
    }
    int64_t next = offset + (int64_t)json_array_size(list);
    return shown_reply(c,
                       json_pack("{s:o, s:I, s:o, s:I, s:b}", "people", list, "total",
                                 (json_int_t)total, "next",
                                 next < total ? json_integer((json_int_t)next) : json_null(),
                                 "more", (json_int_t)all->more, "stale", stale),
                       err);
}

static int look(struct call *c, bool one, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct people all = { 0 };
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = people_load(h, p, &all, err);
    const struct person *x = !rc && one ? people_find(&all, c->word ? c->word : "", err) : NULL;
    if (!rc && one) rc = x ? shown_reply(c, told_person(x), err) : err->code;
    else if (!rc) rc = list_json(c, &all, p->stale, err);
    people_free(&all);
    reading_end(c, h, p);
    return rc;
}

static int list(struct call *c, struct err *err) { return look(c, false, err); }
static int show(struct call *c, struct err *err) { return look(c, true, err); }

/* ---- saying ---- */

static bool shares(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++)
            if (!strcmp(a[i], b[k])) return true;
    return false;
}

static bool came_of(const struct person *now, const struct person *before)
{
    if (before->n_ids && shares(now->ids, now->n_ids, before->ids, before->n_ids)) return true;
    return !before->n_ids && shares(now->names, now->n_names, before->names, before->n_names);
}

static int reply_named(struct call *c, struct home *h, struct persona *p,
                       const struct person *const *named, struct err *err)
{
    struct people all = { 0 };
    json_t *list = json_array();
    int rc = people_load(h, p, &all, err);
    for (size_t i = 0; !rc && i < all.n; i++) {
        const struct person *x = &all.p[i];
        if ((named[0] && came_of(x, named[0])) || (named[1] && came_of(x, named[1])))
            json_array_append_new(list, told_person(x));
    }
    people_free(&all);
    if (!rc) return shown_reply(c, json_pack("{s:o}", "people", list), err);
    json_decref(list);
    return rc;
}

enum saying { MERGE, SPLIT, CONFIRM };

static int say(struct call *c, enum saying what, struct err *err)
{
    const char *who = c->word ? c->word : "", *with = call_str(c, "with");
    const struct person *named[2] = { NULL, NULL };
    struct people before = { 0 };
    struct home *h;
    struct persona *p;
    bool stale = false;
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = people_load(h, p, &before, err);
    if (!rc && !(named[0] = people_find(&before, who, err))) rc = err->code;
    if (!rc && what == MERGE && !(named[1] = people_find(&before, with, err))) rc = err->code;
    if (!rc)
        rc = what == MERGE   ? people_merge(h, p, who, with, err)
             : what == SPLIT ? people_split(h, p, who, call_str(c, "part"), err)
                             : people_confirm(h, p, who, err);
    bool said = !rc;
    if (!rc) rc = reply_named(c, h, p, named, err);
    stale = p->stale;
    people_free(&before);
    writing_end(c, h, p, said);
    if (!rc && stale) rc = work_settle(c->world, c->persona, c->who.account, err);
    return rc;
}

static int merge(struct call *c, struct err *err) { return say(c, MERGE, err); }
static int split(struct call *c, struct err *err) { return say(c, SPLIT, err); }
static int confirm(struct call *c, struct err *err) { return say(c, CONFIRM, err); }

/* ---- pseudonyms ---- */

static int reveal(struct call *c, struct err *err)
{
    const char *text = call_str(c, "text");
    struct buf b = BUF_INIT(0);
    struct home *h;
    struct persona *p;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = mask_who(h, p, text, strlen(text), &b, err);
    reading_end(c, h, p);
    if (!rc) rc = shown_reply(c, json_pack("{s:s}", "text", buf_str(&b)), err);
    buf_free(&b);
    return rc;
}

/* ---- the table ---- */

static const struct field TEXT = { "text", FIELD_TEXT, 0, 0, 0, "", NULL, NULL };
static const struct field PERSON[] = {
    { "id", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "8 digits, made of addresses and names", NULL, NULL },
    { "name", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "the one used most", NULL, NULL },
    { "names", FIELD_LIST, FIELD_REQUIRED, 0, 0, "most used first", &TEXT, NULL },
    { "ids", FIELD_LIST, FIELD_REQUIRED, 0, 0, "addresses, numbers, accounts", &TEXT, NULL },
    { "formats", FIELD_LIST, FIELD_REQUIRED, 0, 0, "where they write", &TEXT, NULL },
    { "messages", FIELD_INT, FIELD_REQUIRED, 0, 0, "what they wrote", NULL, NULL },
    { "answered", FIELD_INT, FIELD_REQUIRED, 0, 0, "what the persona wrote in their threads", NULL,
      NULL },
    { "threads", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "sources", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "from", FIELD_TIME, FIELD_NULL, 0, 0, "their first message", NULL, NULL },
    { "to", FIELD_TIME, FIELD_NULL, 0, 0, "their last", NULL, NULL },
    { "likely", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "joined by the name alone", NULL, NULL },
    FIELD_END
};
static const struct field EACH = { "person", FIELD_OBJECT, 0, 0, 0, "", PERSON, NULL };
static const struct field PEOPLE[] = {
    { "people", FIELD_LIST, FIELD_REQUIRED, 0, 0, "most messages first", &EACH, NULL },
    { "total", FIELD_INT, FIELD_REQUIRED, 0, 0, "that can be listed", NULL, NULL },
    { "next", FIELD_INT, FIELD_REQUIRED | FIELD_NULL, 0, 0,
      "give it as `offset` for the next page; null: this was the last", NULL, NULL },
    { "more", FIELD_INT, FIELD_REQUIRED, 0, 0, "people that are counted and never listed", NULL,
      NULL },
    { "stale", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "texts came or went since they were counted", NULL,
      NULL },
    FIELD_END
};
static const struct field SAID[] = { { "people", FIELD_LIST, FIELD_REQUIRED, 0, 0,
                                       "those who were named, as they are now", &EACH, NULL },
                                     FIELD_END };
static const struct field QUERY[] = {
    { "likely", FIELD_BOOL, 0, 0, 0, "only those joined by the name alone", NULL, NULL },
    { "offset", FIELD_INT, 0, 0, PEOPLE_MAX, "people to pass over", NULL, NULL },
    { "limit", FIELD_INT, 0, 1, PEOPLE_MAX, "people at most; all", NULL, NULL },
    FIELD_END
};
static const struct field WITH[] = { { "with", FIELD_TEXT, FIELD_REQUIRED, 1, 1000,
                                       "id, name, address or number of the other", NULL, NULL },
                                     FIELD_END };
static const struct field PART[] = { { "part", FIELD_TEXT, FIELD_REQUIRED, 1, 1000,
                                       "the name, address or number to take out", NULL, NULL },
                                     FIELD_END };

static const struct field MASKED[] = { { "text", FIELD_TEXT, FIELD_REQUIRED, 1, 65536,
                                         "\"Person 482113\", or any text with pseudonyms", NULL,
                                         NULL },
                                       FIELD_END };
static const struct field REVEALED[] = { { "text", FIELD_TEXT, FIELD_REQUIRED, 0, 0,
                                           "the same with names, addresses and numbers", NULL,
                                           NULL },
                                         FIELD_END };

#define WHO "/api/personas/{persona}/people/{who}"
const struct route routes_people[] = {
    { "GET", "/api/personas/{persona}/people", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT,
      .query = QUERY, .reply = PEOPLE, .status = 200, .run = list, .name = "people.list",
      .summary = "Whom it writes with" },
    { "GET", WHO, ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT, .reply = PERSON, .status = 200,
      .run = show, .name = "people.show", .summary = "One of them",
      .about = "`who` is the id, or a name, address or number that only one of them has." },
    { "POST", WHO "/merge", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT, .body = WITH, .reply = SAID,
      .status = 200, .run = merge, .name = "people.merge", .summary = "Say that two are one" },
    { "POST", WHO "/split", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT, .body = PART, .reply = SAID,
      .status = 200, .run = split, .name = "people.split",
      .summary = "Say that one is two: take a name, address or number out" },
    { "POST", WHO "/confirm", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT, .reply = SAID, .status = 200,
      .run = confirm, .name = "people.confirm",
      .summary = "Say that a person who was joined by the name is one" },
    { "POST", "/api/personas/{persona}/reveal", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT,
      .body = MASKED, .reply = REVEALED, .status = 200, .run = reveal, .name = "people.reveal",
      .summary = "Who pseudonyms stand for",
      .about = "Of an export, or told by somebody whom the persona is shared with. One that is not "
               "known at once is looked for in all that the persona has, which takes seconds for a "
               "large one. 404: the persona gave none of them." },
    ROUTE_END
};
