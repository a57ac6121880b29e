/* Inside the accounts: what its files share. Passwords (password.c), the line of those who wait for
 * a hash (hashers.c), guesses (guess.c), access tokens (token.c), and the account as it is stored
 * (account.c). */
#ifndef LK_ACCOUNT_INSIDE_H
#define LK_ACCOUNT_INSIDE_H

#include "account/account.h"
#include "base/cursor.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- password.c ---- */
#define HASH_MAX     128
#define PASSWORD_MIN 8
#define PASSWORD_MAX 1024
/* ERR_INVAL: too short, too long, among the commonest, or the address itself. */
int password_fit(const char *password, const char *email, struct err *err);
int password_hash(const char *password, char out[HASH_MAX], struct err *err);
/* 0: right; ERR_KEY: wrong (without words); ERR_NOMEM. hash: Argon2id or bcrypt. */
int password_check(const char *password, const char *hash, struct err *err);
bool password_stale(const char *hash);   /* made elsewhere or at other costs: make it anew */
bool password_known(const char *hash);   /* is this a hash that password_check can check? */
void password_dummy(char out[HASH_MAX]); /* of the same cost; no password is right */

/* ---- hashers.c ---- */
struct hashers;
int hashers_open(int running, int waiting, struct hashers **out, struct err *err);
void hashers_close(struct hashers *h);                 /* accepts NULL; nobody may be inside */
int hashers_enter(struct hashers *h, struct err *err); /* waits its turn; ERR_BUSY: line is full */
void hashers_leave(struct hashers *h);
int hashers_waiting(struct hashers *h); /* how many stand in line */

/* ---- guess.c ---- */
struct guesses;
enum guess_kind { GUESS_MAIL, GUESS_PLACE, GUESS_KNOWN };
/* sv: where they are kept; NULL: nowhere. */
int guesses_open(struct service *sv, int tries, struct guesses **out, struct err *err);
void guesses_close(struct guesses *g); /* accepts NULL */
/* Seconds until the next try; 0: now. mail: the digest of an address; place: an IP address or NULL.
 */
int guess_wait(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now);
void guess_wrong(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now);
void guess_right(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now);

/* ---- token.c ---- */
struct token_key {
    json_t *jwk;
    char home[33]; /* hex: the audience */
};
struct token_claims {
    uint8_t account[VAULT_UID], session[VAULT_UID];
    int64_t issued, expires;
};
int token_key_make(const uint8_t key[32], const uint8_t home_id[16], struct token_key *out,
                   struct err *err);
void token_key_clear(struct token_key *k);
int token_make(const struct token_key *k, const struct token_claims *c, char out[ACCOUNT_TOKEN_MAX],
               struct err *err);
/* ERR_KEY: not one of ours, or expired; the message says which of the two. */
int token_check(const struct token_key *k, struct span token, int64_t now, struct token_claims *out,
                struct err *err);
/* 32 random bytes in base64url, and what is stored of such a word. */
#define WORD_BYTES 43
void word_make(char out[WORD_BYTES + 1]);
bool word_digest(const char *purpose, const char *word, uint8_t out[SERVICE_DIGEST]);

/* ---- account.c ---- */
struct accounts {
    struct service *sv;
    struct account_opts o;
    struct token_key key;
    struct hashers *hashers;
    struct guesses *guesses;
    pthread_mutex_t change; /* around read, change and write of an account: in this process */
    int change_fd;          /* and among processes */
    _Atomic int64_t tidied;
};
struct account {
    struct account_info info;
    int64_t changed_at;
    uint8_t digest[16];
    char hash[HASH_MAX];
};
void account_clear(struct account *a); /* zeroes it */
int64_t account_now(const struct accounts *as);
/* The digest of an address as it is looked up: trimmed, ASCII letters small. */
void account_digest(const struct accounts *as, const char *email, uint8_t out[16]);
/* By id, uid or digest, as service_account_get. */
int account_load(struct accounts *as, int64_t id, const uint8_t *uid, const uint8_t *digest,
                 struct account *out, struct err *err);
/* Between the two, nobody else changes an account. */
int account_change_begin(struct accounts *as, struct err *err);
void account_change_end(struct accounts *as);
int account_save(struct accounts *as, struct account *a, struct err *err);
/* A text as JSON keeps it: broken UTF-8 mended, cut at max bytes. */
json_t *account_text(const char *s, size_t max);
void account_text_get(const json_t *doc, const char *name, char *out, size_t size);
bool account_uid_get(const json_t *v, uint8_t out[VAULT_UID]);
json_t *account_uid_json(const uint8_t uid[VAULT_UID]);

/* ---- session.c ---- */
int account_bearer_token(struct accounts *as, struct span token, struct principal *out,
                         struct err *err);

#endif
