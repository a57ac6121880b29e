/* Routes of personas: which there are, who they are, what was agreed, what their texts are about,
 * who looked at them.
 *
 * A persona that somebody may only chat with has a name and a kind, and nothing else is told of it.
 */
#include "http/shown.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/profile.h"
#include "persona/work.h"

#include <stdlib.h>
#include <string.h>

extern const struct route routes_persona[];

#define KINDS     "self consented legacy fictional"
#define ALIASES   200
#define AUDIT_MAX 500

/* ---- all of them ---- */

static int keep_uid(void *ud, const struct row_grant *r)
{
    if (r->level > LEVEL_NONE) buf_add(ud, r->persona, VAULT_UID);
    return 0;
}

/* Also a program's key sees only those that it is for. */
static int list_one(struct call *c, struct home *h, const uint8_t uid[VAULT_UID], json_t *list,
                    struct err *err)
{
    struct persona *p = NULL;
    enum level level;
    int rc = account_may(c->accounts, &c->who, uid, &level, err);
    if (rc || level == LEVEL_NONE) return rc;
    rc = persona_open_uid(h, uid, &p, err);
    if (rc == ERR_NOTFOUND || rc == ERR_SEAL || rc == ERR_PARSE) return 0;
    if (!rc && json_array_append_new(list, shown_persona(p, level, NULL))) rc = err_nomem(err);
    persona_close(p);
    return rc;
}

static int list(struct call *c, struct err *err)
{
    struct buf uids = BUF_INIT(0);
    struct home *h = NULL;
    json_t *all = json_array();
    int rc = all ? 0 : err_nomem(err);
    if (!rc) rc = service_grant_each(c->world->service, NULL, c->who.account, keep_uid, &uids, err);
    if (!rc && uids.failed) rc = err_nomem(err);
    if (!rc) rc = pool_read(c->world->pool, &h, err);
    for (size_t i = 0; !rc && i < uids.n; i += VAULT_UID)
        rc = list_one(c, h, (const uint8_t *)uids.p + i, all, err);
    if (h) pool_read_done(c->world->pool, h);
    buf_free(&uids);
    if (!rc) return shown_reply(c, json_pack("{s:o}", "personas", all), err);
    json_decref(all);
    return rc;
}

static const char *part(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static int show(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct persona_counts n;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = c->level >= LEVEL_READ ? persona_counts(h, p, &n, err) : 0;
    if (!rc) rc = shown_reply(c, shown_persona(p, c->level, &n), err);
    reading_end(c, h, p);
    return rc;
}

static int create(struct call *c, struct err *err)
{
    const json_t *consent = call_json(c, "consent");
    const char *kind = call_str(c, "kind");
    char hex[33];
    struct persona_new n = { .name = call_str(c, "name"),
                             .kind = persona_kind_parse(kind ? kind : "self"),
                             .consent_by = part(consent, "by"),
                             .consent_to = part(consent, "to"),
                             .consent_at = clock_now(),
                             .chunk_overlap = -1 };
    int rc = world_persona_new(c->world, c->who.account, &n, c->persona, err);
    if (rc == ERR_CONSENT) {
        c->status = 400;
        err_set(err, rc, "consent: say by whom (\"by\") and to what (\"to\")");
    }
    if (rc) return rc;
    c->level = LEVEL_OWNER;
    rc = call_location(c, err, "/api/personas/%s", uid_hex(c->persona, hex));
    return rc ? rc : show(c, err);
}

/* ---- changes ---- */

static int add_word(struct buf *b, const char *s)
{
    buf_printf(b, "%s%s", b->n ? "," : "", s);
    return b->failed;
}

static bool has_word(const json_t *list, const char *s)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(json_string_value(json_array_get(list, i)), s)) return true;
    return false;
}

/* The persona's aliases become those of the list. */
static int set_aliases(struct home *h, struct persona *p, const json_t *want, struct err *err)
{
    struct buf less = BUF_INIT(1 << 20), more = BUF_INIT(1 << 20);
    int rc = 0;
    for (size_t i = 0; i < p->n_aliases; i++)
        if (!has_word(want, p->aliases[i])) add_word(&less, p->aliases[i]);
    for (size_t i = 0; i < json_array_size(want); i++)
        add_word(&more, json_string_value(json_array_get(want, i)));
    if (less.failed || more.failed) rc = err_nomem(err);
    if (!rc && more.n) rc = persona_alias_add(h, p, buf_str(&more), err); /* is what may fail */
    if (!rc && less.n) rc = persona_alias_remove(h, p, buf_str(&less), err);
    buf_free(&less);
    buf_free(&more);
    return rc;
}

static int rename_to(struct call *c, struct home *h, struct persona *p, const char *name,
                     struct err *err)
{
    int64_t owner = 0;
    int rc = world_owner(c->world, c->persona, &owner, err);
    if (!rc) rc = world_name_free(c->world, h, owner, name, c->persona, err);
    return rc ? rc : persona_rename_any(h, p, name, err);
}

static int change(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    const char *name = call_str(c, "name");
    const json_t *aliases = call_json(c, "aliases");
    bool stale = false;
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    char *before = arena_strdup(c->mem, p->name);
    if (!before) rc = err_nomem(err);
    if (!rc && name) rc = rename_to(c, h, p, name, err);
    bool renamed = !rc && name;
    if (!rc && aliases) rc = set_aliases(h, p, aliases, err);
    if (!rc && call_json(c, "mask_shares"))
        rc = persona_mask_shares(h, p, call_bool(c, "mask_shares", true), err);
    if (rc && renamed) persona_rename_any(h, p, before, NULL); /* both, or none */
    if (!rc) stale = p->stale;
    writing_end(c, h, p, true);
    if (!rc && stale) rc = work_settle(c->world, c->persona, c->who.account, err);
    return rc ? rc : show(c, err);
}

static int forget(struct call *c, struct err *err)
{
    return job_accepted(c, "forget", json_object(), true, err);
}

static int embed(struct call *c, struct err *err)
{
    json_t *args = json_pack("{s:s}", "embedder", call_str(c, "embedder"));
    return job_accepted(c, "embed", args, false, err);
}

/* ---- consent ---- */

static json_t *consent_json(const struct persona *p)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "kind", persona_kind_word(p->kind), "by",
                     json_mended(p->consent_by), "to", json_mended(p->consent_to), "at",
                     json_time(p->consent_at));
}

static int consent(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = shown_reply(c, consent_json(p), err);
    reading_end(c, h, p);
    return rc;
}

static int consent_set(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    int64_t at = call_time(c, "at");
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = persona_consent(h, p, call_str(c, "by"), call_str(c, "to"),
                         at == CLOCK_NONE ? clock_now() : at, err);
    if (rc == ERR_CONSENT) c->status = 400;
    if (!rc) rc = shown_reply(c, consent_json(p), err);
    writing_end(c, h, p, !rc);
    return rc;
}

/* ---- what it is about ---- */

static int topics(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct labels l = { 0 };
    json_t *all = json_array();
    int rc = reading_begin(c, &h, &p, err);
    if (rc) {
        json_decref(all);
        return rc;
    }
    rc = labels_of(h, p, &l, err);
    for (size_t i = 0; !rc && i < l.topics.n; i++) {
        const struct topic *t = &l.topics.t[i];
        json_t *words = json_array();
        for (size_t k = 0; k < t->n_phrases; k++)
            json_array_append_new(words, json_mended(t->phrases[k]));
        json_array_append_new(all, json_pack("{s:i, s:o, s:o, s:i}", "id", (int)t->id, "label",
                                             json_mended(t->label), "phrases", words, "chunks",
                                             (int)t->chunks));
    }
    labels_clear(&l);
    reading_end(c, h, p);
    if (!rc) return shown_reply(c, json_pack("{s:o}", "topics", all), err);
    json_decref(all);
    return rc;
}

static int profile(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    struct buf doc = BUF_INIT(16 << 20);
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = store_doc_get(h->store, &p->seal, "profile", &doc, err);
    reading_end(c, h, p);
    json_t *j = rc ? NULL : json_loadb(buf_str(&doc), doc.n, 0, NULL);
    if (rc == ERR_NOTFOUND) {
        rc = 0;
        j = json_object();
    } else if (!rc && !j) {
        rc = err_set(err, ERR_SEAL, "the profile is damaged: run `likeness doctor`");
    }
    buf_free(&doc);
    return rc ? rc : shown_reply(c, json_pack("{s:o}", "profile", j), err);
}

/* ---- who looked at it ---- */

struct looking {
    struct row_audit *row;
    size_t n;
};

static int keep_look(void *ud, const struct row_audit *r)
{
    struct looking *l = ud;
    l->row[l->n] = *r;
    l->row[l->n].body = NULL;
    l->n++;
    return 0;
}

static json_t *who_json(struct call *c, int64_t account)
{
    struct account_info a = { 0 };
    if (!account) return json_string("the owner of the machine");
    return account_info(c->accounts, account, &a, NULL) ? json_null() : json_mended(a.email);
}

static int audit(struct call *c, struct err *err)
{
    int limit = (int)call_int(c, "limit", 100);
    struct looking l = { arena_alloc(c->mem, (size_t)limit * sizeof *l.row), 0 };
    json_t *all = json_array();
    if (!l.row || !all) {
        json_decref(all);
        return err_nomem(err);
    }
    int rc = service_audit_each(c->world->service, c->persona, -1, call_int(c, "before", 0), limit,
                                keep_look, &l, err);
    for (size_t i = 0; !rc && i < l.n; i++) {
        const struct row_audit *r = &l.row[i];
        json_array_append_new(all, json_pack("{s:I, s:o, s:o, s:s, s:i}", "id", (json_int_t)r->id,
                                             "at", json_time(r->at), "who", who_json(c, r->account),
                                             "action", r->action, "status", r->status));
    }
    if (!rc)
        return shown_reply(c,
                           json_pack("{s:o, s:o}", "entries", all, "before",
                                     l.n == (size_t)limit
                                         ? json_integer((json_int_t)l.row[l.n - 1].id)
                                         : json_null()),
                           err);
    json_decref(all);
    return rc;
}

/* ---- the table ---- */

static const struct field ALIAS = { "alias", FIELD_TEXT, 0, 1, 200, "", NULL, NULL };
static const struct field CONSENT[] = {
    { "by", FIELD_TEXT, FIELD_REQUIRED, 1, 4000, "who agreed", NULL, NULL },
    { "to", FIELD_TEXT, FIELD_REQUIRED, 1, 4000, "to what", NULL, NULL },
    { "at", FIELD_TIME, 0, 0, 0, "when; now", NULL, NULL },
    FIELD_END
};
static const struct field NEW[] = {
    { "name", FIELD_TEXT, FIELD_REQUIRED, 1, 800, "yours differ in name", NULL, NULL },
    { "kind", FIELD_WORD, 0, 0, 0, "who it is; self", NULL, KINDS },
    { "consent", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "who agreed to what", CONSENT, NULL },
    FIELD_END
};
static const struct field CHANGE[] = {
    { "name", FIELD_TEXT, 0, 1, 800, "its new name", NULL, NULL },
    { "aliases", FIELD_LIST, 0, 0, ALIASES,
      "all names, addresses and numbers of the person: messages by these are its voice", &ALIAS,
      NULL },
    { "mask_shares", FIELD_BOOL, 0, 0, 0,
      "whom it is shared with below the right to manage sees pseudonyms for other people", NULL,
      NULL },
    FIELD_END
};
static const struct field EMBED[] = { { "embedder", FIELD_WORD, FIELD_REQUIRED, 0, 0,
                                        "what makes its vectors", NULL, "hash static" },
                                      FIELD_END };
static const struct field PERSONAS[] = {
    { "personas", FIELD_LIST, FIELD_REQUIRED, 0, 0, "",
      &(const struct field){ "persona", FIELD_OBJECT, 0, 0, 0, "", SHOWN_PERSONA, NULL }, NULL },
    FIELD_END
};
static const struct field CONSENT_REPLY[] = {
    { "kind", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, KINDS },
    { "by", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "to", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "at", FIELD_TIME, FIELD_NULL, 0, 0, "", NULL, NULL },
    FIELD_END
};
static const struct field TOPICS[] = {
    { "topics", FIELD_LIST, FIELD_REQUIRED, 0, 0, "by size: id, label, phrases, chunks",
      &(const struct field){ "topic", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    FIELD_END
};
static const struct field PROFILE[] = { { "profile", FIELD_OBJECT, FIELD_REQUIRED, 0, 0,
                                          "how the person writes, counted", NULL, NULL },
                                        FIELD_END };
static const struct field PAGE[] = {
    { "before", FIELD_INT, 0, 1, 9007199254740991.0, "the id to start below", NULL, NULL },
    { "limit", FIELD_INT, 0, 1, AUDIT_MAX, "entries at most; 100", NULL, NULL },
    FIELD_END
};
static const struct field ENTRIES[] = {
    { "entries", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first: id, at, who, action, status",
      &(const struct field){ "entry", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    { "before", FIELD_INT, FIELD_NULL, 0, 0, "for the next page; null: that is all", NULL, NULL },
    FIELD_END
};

const struct route routes_persona[] = {
    { "GET", "/api/personas", ACCESS_ACCOUNT, ROUTE_KEYS, .reply = PERSONAS, .status = 200,
      .run = list, .name = "persona.list", .summary = "Your personas and those shared with you" },
    { "POST", "/api/personas", ACCESS_ACCOUNT, ROUTE_AUDIT, .body = NEW, .reply = SHOWN_PERSONA,
      .status = 201, .run = create, .name = "persona.create", .summary = "Make a persona",
      .about = "No persona without a consent record: who agreed, and to what." },
    { "GET", "/api/personas/{persona}", ACCESS_CHAT, ROUTE_KEYS, .reply = SHOWN_PERSONA,
      .status = 200, .run = show, .name = "persona.show", .summary = "One persona" },
    { "PATCH", "/api/personas/{persona}", ACCESS_MANAGE, ROUTE_AUDIT, .body = CHANGE,
      .reply = SHOWN_PERSONA, .status = 200, .run = change, .name = "persona.change",
      .summary = "Rename a persona, or say by what names it is known" },
    { "DELETE", "/api/personas/{persona}", ACCESS_OWNER, ROUTE_AUDIT, .reply = SHOWN_JOB,
      .status = 202, .run = forget, .name = "persona.forget", .summary = "Forget a persona",
      .about = "Its key is destroyed first: from then on nothing of it can be read, in no copy." },
    { "POST", "/api/personas/{persona}/embed", ACCESS_OWNER, ROUTE_AUDIT, .body = EMBED,
      .reply = SHOWN_JOB, .status = 202, .run = embed, .name = "persona.embed",
      .summary = "Make its vectors anew with another embedder" },
    { "GET", "/api/personas/{persona}/consent", ACCESS_READ, ROUTE_KEYS, .reply = CONSENT_REPLY,
      .status = 200, .run = consent, .name = "persona.consent", .summary = "Who agreed to what" },
    { "PUT", "/api/personas/{persona}/consent", ACCESS_OWNER, ROUTE_AUDIT, .body = CONSENT,
      .reply = CONSENT_REPLY, .status = 200, .run = consent_set, .name = "persona.consent.set",
      .summary = "Change the consent record" },
    { "GET", "/api/personas/{persona}/topics", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .reply = TOPICS, .status = 200, .run = topics, .name = "persona.topics",
      .summary = "What it writes about" },
    { "GET", "/api/personas/{persona}/profile", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .reply = PROFILE, .status = 200, .run = profile, .name = "persona.profile",
      .summary = "How it writes" },
    { "GET", "/api/personas/{persona}/audit", ACCESS_OWNER, 0, .query = PAGE, .reply = ENTRIES,
      .status = 200, .run = audit, .name = "persona.audit", .summary = "Who read or changed it" },
    ROUTE_END
};
