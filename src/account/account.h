/* Accounts: who somebody is, and what they may do.
 *
 *     accounts_open(service, &(struct account_opts){ 0 }, &as, err);
 *     account_create(as, "ann@example.org", "correct horse", &id, err);
 *     account_login(as, "ann@example.org", "correct horse", "curl", "127.0.0.1", &t, err);
 *     account_bearer(as, t.access, &who, err);          who is this request from?
 *     account_may(as, &who, persona_uid, &level, err);  what may they do with this persona?
 *     account_refresh(as, t.refresh, &t2, err);         t.refresh is used up; again: all is revoked
 *
 * Passwords: Argon2id (libsodium, INTERACTIVE), at most `hashers` at a time, the rest wait in line
 * and are turned away (ERR_BUSY) when the line is long. Unknown addresses cost the same time as
 * wrong passwords and get the same words. Access tokens: JWT, HS256 pinned, 15 minutes (RFC 7519;
 * exp, nbf, iss, aud are checked here); refresh tokens: 32 random bytes, stored as digests, rotated
 * (RFC 9700, 4.14.2). Keys of programs: "lk-" and 32 random bytes in base64url, stored as digests.
 * All functions may be called from any thread; the slow ones (create, login, password) only from
 * threads that may wait. */
#ifndef LK_ACCOUNT_ACCOUNT_H
#define LK_ACCOUNT_ACCOUNT_H

#include "store/service.h"

struct account_opts {
    int hashers;         /* 0: one; each takes 64 MiB for some 60 ms */
    int hash_queue;      /* 0: 512 waiting; more: ERR_BUSY */
    int access_seconds;  /* 0: 900 */
    int refresh_seconds; /* 0: 30 days */
    int tries; /* wrong passwords for one address, or from one place, before a wait; 0: 10 */
};

struct accounts;
int accounts_open(struct service *sv, const struct account_opts *o, struct accounts **out,
                  struct err *err);
void accounts_close(struct accounts *as);
struct service *accounts_service(struct accounts *as);

#define ACCOUNT_TOKEN_MAX 1024
struct account_tokens { /* zero it with account_tokens_clear */
    char access[ACCOUNT_TOKEN_MAX];
    char refresh[64];
    int expires_in, refresh_expires_in; /* seconds */
    int64_t account, session;
};
void account_tokens_clear(struct account_tokens *t);

/* ERR_INVAL: what is wrong with address or password (8 to 1024 bytes; not one of the commonest);
 * ERR_EXISTS; ERR_BUSY. */
int account_create(struct accounts *as, const char *email, const char *password, int64_t *id,
                   struct err *err);
/* With a hash made elsewhere: bcrypt "$2a$", "$2b$", "$2y$" or Argon2id. It is replaced at the
 * first login. */
int account_import(struct accounts *as, const char *email, const char *hash, int64_t *id,
                   struct err *err);
/* ERR_KEY: address or password is wrong, the same words for both; ERR_LIMIT: too many tries, with
 * the seconds to wait in *retry (may be NULL); ERR_BUSY. client, address: for the list of sessions.
 */
int account_login(struct accounts *as, const char *email, const char *password, const char *client,
                  const char *address, struct account_tokens *out, int *retry, struct err *err);
int account_refresh(struct accounts *as, const char *refresh, struct account_tokens *out,
                    struct err *err); /* ERR_KEY */
/* The old password is checked. All sessions but `keep` (0: none) and all keys are revoked. */
int account_password(struct accounts *as, int64_t id, const char *old, const char *fresh,
                     int64_t keep, struct err *err);
int account_password_set(struct accounts *as, int64_t id, const char *fresh,
                         struct err *err); /* by the machine's owner: no old one */
/* Is this the account's password? Before something that cannot be undone. Errors as account_login.
 */
int account_check(struct accounts *as, int64_t id, const char *password, int *retry,
                  struct err *err);

/* Who a request is from. */
struct principal {
    int64_t account;            /* 0: nobody */
    int64_t session, key;       /* one of the two is not 0 */
    uint8_t uid[VAULT_UID];     /* of the account */
    uint8_t only[8][VAULT_UID]; /* a key's personas; n_only 0: all of the account's */
    size_t n_only;
};
/* An access token, or a program's key. ERR_KEY: not valid, expired, revoked, disabled: the message
 * says no more than whether it is expired. */
int account_bearer(struct accounts *as, const char *token, struct principal *out, struct err *err);
int account_may(struct accounts *as, const struct principal *who, const uint8_t persona[VAULT_UID],
                enum level *level, struct err *err); /* LEVEL_NONE for no right: not an error */

struct account_info {
    int64_t id, created_at;
    uint8_t uid[VAULT_UID];
    bool disabled;
    char email[256];
    uint8_t persona[VAULT_UID]; /* the default one; zeros: none yet */
    int64_t quota_bytes;        /* of uploads waiting and sources kept; 0: the server's default */
};
int account_info(struct accounts *as, int64_t id, struct account_info *out, struct err *err);
int account_by_email(struct accounts *as, const char *email, int64_t *id, struct err *err);
/* The callbacks of account_each, account_sessions and account_keys must not call account_*. */
int account_each(struct accounts *as, int (*fn)(void *ud, const struct account_info *a), void *ud,
                 struct err *err);
int account_default_persona(struct accounts *as, int64_t id, const uint8_t persona[VAULT_UID],
                            struct err *err);
/* Switching off ends its sessions; its keys are worth nothing until it is on again. */
int account_disable(struct accounts *as, int64_t id, bool disabled, struct err *err);
/* With all that is known of it. Its personas are not touched: forget them first. */
int account_delete(struct accounts *as, int64_t id, struct err *err);

struct account_session {
    int64_t id, created_at, seen_at, expires_at;
    char client[128], address[64];
    bool revoked;
};
int account_sessions(struct accounts *as, int64_t id,
                     int (*fn)(void *ud, const struct account_session *s), void *ud,
                     struct err *err);
int account_logout(struct accounts *as, int64_t id, int64_t session /* 0: all */, struct err *err);

struct account_key {
    int64_t id, created_at, used_at;
    char label[64], begins[12]; /* "lk-Ab3dE..." as a reminder */
    uint8_t only[8][VAULT_UID];
    size_t n_only;
    bool revoked;
};
/* out: the key itself, shown once. only: personas it may use, at most 8; n 0: all. */
int account_key_new(struct accounts *as, int64_t id, const char *label,
                    const uint8_t (*only)[VAULT_UID], size_t n_only, char out[64], int64_t *key,
                    struct err *err);
int account_keys(struct accounts *as, int64_t id, int (*fn)(void *ud, const struct account_key *k),
                 void *ud, struct err *err);
int account_key_revoke(struct accounts *as, int64_t id, int64_t key, struct err *err);

const char *level_word(enum level l); /* "chat", "read", "manage", "owner", "none" */
bool level_parse(const char *word, enum level *out);

#endif
