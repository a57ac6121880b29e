/* Keys of programs, and what an account may do with a persona.
 *
 * A key is "lk-" and 32 random bytes; the database has a digest of it, so a copy of the database
 * opens nothing, and the key is shown once. It stands for its account, or for some of its personas
 * only; it never outranks the account, whose grants are asked at each request, and falls with it.
 *
 * Grants are the only place where rights come from. An account without one for a persona learns
 * nothing of it: LEVEL_NONE is what a persona that does not exist has, too. */
#include "account/inside.h"

#include "base/str.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MARK "lk-"
#define KEY      "likeness key"
#define KEYS_MAX 100 /* of an account, that are not revoked */
#define ONLY_MAX 8

static json_t *only_json(const uint8_t (*only)[VAULT_UID], size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, account_uid_json(only[i]));
    return list;
}

static size_t only_get(const json_t *doc, uint8_t only[ONLY_MAX][VAULT_UID], bool *damaged)
{
    const json_t *list = json_object_get(doc, "only");
    size_t n = json_array_size(list);
    *damaged = !doc || n > ONLY_MAX;
    for (size_t i = 0; i < n && !*damaged; i++)
        *damaged = !account_uid_get(json_array_get(list, i), only[i]);
    return *damaged ? 0 : n;
}

/* ---- making and listing ---- */

static int count_live(void *ud, const struct row_apikey *r)
{
    *(int *)ud += !r->revoked;
    return 0;
}

static int may_make(struct accounts *as, int64_t id, const uint8_t (*only)[VAULT_UID], size_t n,
                    struct err *err)
{
    int live = 0, rc = 0;
    enum level level = LEVEL_NONE;
    if (n > ONLY_MAX)
        return err_set(err, ERR_INVAL, "a key is for at most %d personas, or for all", ONLY_MAX);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = service_grant_get(as->sv, only[i], id, &level, err);
        if (!rc && level == LEVEL_NONE) rc = err_set(err, ERR_NOTFOUND, "there is no such persona");
    }
    if (!rc) rc = service_apikey_each(as->sv, id, count_live, &live, err);
    if (!rc && live >= KEYS_MAX)
        rc = err_set(err, ERR_LIMIT, "an account has at most %d keys: revoke one that is not used",
                     KEYS_MAX);
    return rc;
}

int account_key_new(struct accounts *as, int64_t id, const char *label,
                    const uint8_t (*only)[VAULT_UID], size_t n_only, char out[64], int64_t *key,
                    struct err *err)
{
    char word[WORD_BYTES + 1], begins[12];
    int rc = may_make(as, id, only, n_only, err);
    if (rc) return rc;
    struct row_apikey r = { .account = id, .created_at = account_now(as), .used_at = CLOCK_NONE };
    word_make(word);
    word_digest(KEY, word, r.digest);
    snprintf(begins, sizeof begins, KEY_MARK "%.5s...", word);
    json_t *doc = json_pack("{s:o, s:s, s:o}", "label", account_text(label, 63), "begins", begins,
                            "only", only_json(only, n_only));
    char *body = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    r.body = body;
    r.body_n = body ? strlen(body) : 0;
    rc = body ? service_apikey_put(as->sv, &r, err) : err_nomem(err);
    if (!rc) {
        snprintf(out, 64, KEY_MARK "%s", word);
        if (key) *key = r.id;
    }
    free(body);
    sodium_memzero(word, sizeof word);
    return rc;
}

struct each {
    int (*fn)(void *ud, const struct account_key *k);
    void *ud;
};

static int give_one(void *ud, const struct row_apikey *r)
{
    const struct each *e = ud;
    bool damaged;
    json_t *doc = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    struct account_key k = {
        .id = r->id, .created_at = r->created_at, .used_at = r->used_at, .revoked = r->revoked
    };
    account_text_get(doc, "label", k.label, sizeof k.label);
    account_text_get(doc, "begins", k.begins, sizeof k.begins);
    k.n_only = only_get(doc, k.only, &damaged);
    json_decref(doc);
    return e->fn(e->ud, &k);
}

int account_keys(struct accounts *as, int64_t id, int (*fn)(void *ud, const struct account_key *k),
                 void *ud, struct err *err)
{
    struct each e = { fn, ud };
    return service_apikey_each(as->sv, id, give_one, &e, err);
}

int account_key_revoke(struct accounts *as, int64_t id, int64_t key, struct err *err)
{
    int rc = key > 0 ? service_apikey_revoke(as->sv, id, key, err) : ERR_NOTFOUND;
    return rc == ERR_NOTFOUND ? err_set(err, rc, "there is no such key") : rc;
}

/* ---- who is it, and what may they do? ---- */

static int take_key(void *ud, const struct row_apikey *r)
{
    struct principal *p = ud;
    bool damaged;
    json_t *doc = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    p->n_only = only_get(doc, p->only, &damaged);
    json_decref(doc);
    if (damaged) return ERR_SEAL;
    p->account = r->revoked ? 0 : r->account;
    p->key = r->id;
    return 0;
}

static int bearer_key(struct accounts *as, const char *word, struct principal *out, struct err *err)
{
    uint8_t digest[SERVICE_DIGEST];
    struct principal p = { 0 };
    struct account a = { 0 };
    int rc = word_digest(KEY, word, digest) ? service_apikey_get(as->sv, digest, take_key, &p, err)
                                            : ERR_NOTFOUND;
    if (!rc && !p.account) rc = ERR_NOTFOUND;
    if (!rc) rc = account_load(as, p.account, NULL, NULL, &a, err);
    if (!rc && a.info.disabled) rc = ERR_NOTFOUND;
    if (!rc) {
        memcpy(p.uid, a.info.uid, VAULT_UID);
        *out = p;
    }
    account_clear(&a);
    return rc == ERR_NOTFOUND ? err_set(err, ERR_KEY, "the key is not valid") : rc;
}

int account_bearer(struct accounts *as, const char *token, struct principal *out, struct err *err)
{
    *out = (struct principal){ 0 };
    if (str_starts(token, KEY_MARK)) return bearer_key(as, token + strlen(KEY_MARK), out, err);
    return account_bearer_token(as, span_of(token), out, err);
}

int account_may(struct accounts *as, const struct principal *who, const uint8_t persona[VAULT_UID],
                enum level *level, struct err *err)
{
    bool listed = !who->n_only;
    *level = LEVEL_NONE;
    for (size_t i = 0; i < who->n_only && !listed; i++)
        listed = !memcmp(who->only[i], persona, VAULT_UID);
    if (!who->account || !listed) return 0;
    return service_grant_get(as->sv, persona, who->account, level, err);
}

/* ---- words for levels ---- */

static const char *const WORDS[] = { "none", "chat", "read", "manage", "owner" };

const char *level_word(enum level l) { return (size_t)l < 5 ? WORDS[l] : WORDS[0]; }

bool level_parse(const char *word, enum level *out)
{
    for (int i = 0; i < 5; i++)
        if (!strcmp(WORDS[i], word)) {
            *out = (enum level)i;
            return true;
        }
    return false;
}
