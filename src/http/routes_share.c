/* Routes of sharing: who else may chat with, read or manage a persona.
 *
 * Whether an address has an account here is nobody's business, so the reply to sharing is the same
 * either way, and so is the list: it says what the owner entered (kept as one sealed note of the
 * service), not whom it reached. If the address has an account, the right is there at once; if not,
 * nothing else happens, and when that person has registered the owner shares once more, which the
 * reply says. (A promise that comes into force by registering would be a right for whoever first
 * registers an address that nobody has confirmed.) What is not hidden: somebody who uses a persona
 * is in its audit log, and how long a write to disk takes, though one is made in either case.
 *
 * A lock makes two changes of such a list one after the other; it is held for a read and a write of
 * the service's database. */
#include "http/shown.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/work.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const struct route routes_share[];

#define SHARES_MAX 200
static pthread_mutex_t lists = PTHREAD_MUTEX_INITIALIZER;

/* [{"email", "level", "at"}, ...]; an empty one where there is none. */
static int shares_read(struct call *c, json_t **out, struct err *err)
{
    char name[64];
    struct buf b = BUF_INIT(1 << 20);
    int rc = service_note_get(c->world->service, world_shares(c->persona, name), &b, err);
    *out = rc == ERR_NOTFOUND ? json_array() : rc ? NULL : json_loadb(buf_str(&b), b.n, 0, NULL);
    buf_free(&b);
    if (rc && rc != ERR_NOTFOUND) return rc;
    return *out ? 0 : err_nomem(err);
}

static int shares_write(struct call *c, const json_t *list, struct err *err)
{
    char name[64], *s = json_dumps(list, JSON_COMPACT);
    int rc =
        s ? service_note_put(c->world->service, world_shares(c->persona, name), s, strlen(s), err)
          : err_nomem(err);
    free(s);
    return rc;
}

static size_t share_find(const json_t *list, const char *email)
{
    size_t i = 0;
    while (i < json_array_size(list)) {
        const char *e = json_string_value(json_object_get(json_array_get(list, i), "email"));
        if (e && persona_same_name(e, email)) break;
        i++;
    }
    return i;
}

static int list(struct call *c, struct err *err)
{
    json_t *all;
    int rc = shares_read(c, &all, err);
    return rc ? rc : shown_reply(c, json_pack("{s:o}", "shares", all), err);
}

/* The right itself, where the address has an account. */
static int grant(struct call *c, const char *email, enum level level, struct err *err)
{
    int64_t account = 0;
    enum level now = LEVEL_NONE;
    int rc = account_by_email(c->accounts, email, &account, err);
    if (rc == ERR_NOTFOUND) return 0;
    if (!rc) rc = service_grant_get(c->world->service, c->persona, account, &now, err);
    if (!rc && now == LEVEL_OWNER)
        rc = err_set(err, ERR_INVAL, "email: that is the owner of this persona");
    return rc ? rc : service_grant_put(c->world->service, c->persona, account, level, err);
}

static bool is_email(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at > s && at[1] && !strpbrk(s, " \t\r\n,;<>");
}

static int put_locked(struct call *c, const char *email, const char *word, struct err *err)
{
    json_t *all, *one = json_pack("{s:s, s:s, s:o}", "email", email, "level", word, "at",
                                  json_time(clock_now()));
    enum level level = LEVEL_NONE;
    int rc = one ? shares_read(c, &all, err) : err_nomem(err);
    if (rc) {
        json_decref(one);
        return rc;
    }
    size_t at = share_find(all, email);
    if (at == SHARES_MAX)
        rc = err_set(err, ERR_LIMIT, "a persona is shared with at most %d people", SHARES_MAX);
    else if (at < json_array_size(all)) json_array_set(all, at, one);
    else json_array_append(all, one);
    if (!rc && !level_parse(word, &level)) rc = err_set(err, ERR_INVAL, "level: is not known");
    if (!rc) rc = grant(c, email, level, err);
    if (!rc) rc = shares_write(c, all, err);
    json_decref(all);
    if (!rc) {
        json_object_set_new(one, "note",
                            json_string("it reaches them if they have an account here by now; if "
                                        "they register later, share again"));
        return shown_reply(c, one, err);
    }
    json_decref(one);
    return rc;
}

static int put(struct call *c, struct err *err)
{
    const char *email = call_str(c, "email");
    if (!is_email(email)) return err_set(err, ERR_INVAL, "email: is not an address");
    pthread_mutex_lock(&lists);
    int rc = put_locked(c, email, call_str(c, "level"), err);
    pthread_mutex_unlock(&lists);
    return rc;
}

static int drop_locked(struct call *c, const char *email, struct err *err)
{
    json_t *all;
    int rc = shares_read(c, &all, err);
    if (rc) return rc;
    size_t at = share_find(all, email);
    if (at == json_array_size(all))
        rc = err_set(err, ERR_NOTFOUND, "it is not shared with that address");
    if (!rc) rc = grant(c, email, LEVEL_NONE, err);
    if (!rc) {
        json_array_remove(all, at);
        rc = shares_write(c, all, err);
    }
    json_decref(all);
    return rc;
}

static int drop(struct call *c, struct err *err)
{
    pthread_mutex_lock(&lists);
    int rc = drop_locked(c, c->word ? c->word : "", err);
    pthread_mutex_unlock(&lists);
    return rc;
}

/* ---- the table ---- */

#define LEVELS "chat read manage"
static const struct field SHARE[] = {
    { "email", FIELD_TEXT, FIELD_REQUIRED, 3, 254, "of whom", NULL, NULL },
    { "level", FIELD_WORD, FIELD_REQUIRED, 0, 0,
      "chat: ask it; read: and see its texts; manage: and change them", NULL, LEVELS },
    FIELD_END
};
static const struct field SHARED[] = {
    { "email", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "level", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, LEVELS },
    { "at", FIELD_TIME, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "note", FIELD_TEXT, 0, 0, 0, "", NULL, NULL },
    FIELD_END
};
static const struct field SHARES[] = {
    { "shares", FIELD_LIST, FIELD_REQUIRED, 0, 0, "as they were entered",
      &(const struct field){ "share", FIELD_OBJECT, 0, 0, 0, "", SHARED, NULL }, NULL },
    FIELD_END
};

const struct route routes_share[] = {
    { "GET", "/api/personas/{persona}/shares", ACCESS_OWNER, 0, .reply = SHARES, .status = 200,
      .run = list, .name = "share.list", .summary = "With whom it is shared" },
    { "PUT", "/api/personas/{persona}/shares", ACCESS_OWNER, ROUTE_AUDIT, .body = SHARE,
      .reply = SHARED, .status = 200, .run = put, .name = "share.put",
      .summary = "Share it, or change a share",
      .about = "The reply is the same whether or not the address has an account here." },
    { "DELETE", "/api/personas/{persona}/shares/{email}", ACCESS_OWNER, ROUTE_AUDIT, .status = 204,
      .run = drop, .name = "share.delete", .summary = "Share it no longer" },
    ROUTE_END
};
