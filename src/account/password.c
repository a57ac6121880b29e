/* Passwords: which are fit to be used, how they are kept, how they are checked.
 *
 * Kept as Argon2id at libsodium's INTERACTIVE (2 passes over 64 MiB) in the usual text form, which
 * holds its own salt and costs; a hash with other costs is made anew at the next login. Hashes that
 * come from elsewhere are taken in two forms: Argon2id, and bcrypt, which libcrypt checks. bcrypt
 * looks at the first 72 bytes of a password alone. It is checked here just as it was there, and
 * then the password is kept whole: what follows byte 72 counts from the first login on.
 *
 * A rule about digits and capitals makes passwords worse; length and not being on everybody's list
 * is what counts (NIST SP 800-63B, 5.1.1.2). No state; any thread that may wait. */
#include "account/inside.h"

#include "base/str.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARGON_MEM_MAX   1048576 /* KiB, of a hash from elsewhere */
#define ARGON_OPS_MAX   32
#define BCRYPT_COST_MIN 4
#define BCRYPT_COST_MAX 16 /* some four seconds */
#define BCRYPT_BYTES    60
#define BCRYPT_LOOKS_AT 72

/* The commonest of at least eight bytes, from what leaks again and again. */
static const char COMMON[] =
    "password password1 password12 password123 password1234 password! passw0rd p@ssw0rd "
    "p@ssword passwort passwort1 motdepasse contraseña 12345678 123456789 1234567890 0123456789 "
    "0987654321 123123123 1234512345 12341234 123321123 87654321 987654321 9876543210 11111111 "
    "111111111 1111111111 00000000 000000000 0000000000 22222222 55555555 66666666 77777777 "
    "88888888 99999999 11223344 1122334455 12121212 13131313 10203040 123454321 12344321 "
    "147258369 741852963 159357456 123456789a a123456789 123456abc abc12345 abcd1234 abcdefgh "
    "abcdefg1 1234abcd 1q2w3e4r 1q2w3e4r5t q1w2e3r4 q1w2e3r4t5 1qaz2wsx 1qaz2wsx3edc zaq12wsx "
    "zaq1zaq1 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwer1234 asdfghjk "
    "asdfghjkl asdf1234 asdfasdf zxcvbnm1 zxcvbnm123 qwertzuiop azertyuiop iloveyou iloveyou1 "
    "iloveyou2 ichliebedich teamo123 princess princess1 sunshine sunshine1 football football1 "
    "baseball baseball1 basketball superman superman1 batman123 spiderman starwars pokemon1 "
    "pokemon123 trustno1 letmein1 letmein123 welcome1 welcome123 changeme changeme1 changeme123 "
    "default1 admin123 admin1234 administrator root1234 test1234 testtest testing123 guest123 "
    "user1234 demo1234 secret123 master123 monkey123 dragon123 shadow123 michael1 michelle "
    "jennifer jessica1 ashley123 charlie1 liverpool liverpool1 chelsea1 arsenal1 barcelona "
    "realmadrid juventus computer computer1 internet whatever whatever1 mustang1 corvette "
    "freedom1 blink182 jordan23 samsung1 google123 facebook facebook1 linkedin babygirl "
    "babygirl1 lovelove loveyou1 fuckyou1 fuckyou123 asshole1 killer123 ninja123 summer2023 "
    "summer2024 winter2023 winter2024 spring2024 hello123 hello1234 hallo123 hallo1234 "
    "schatz123 schalke04 doudou123 marseille loulou123 football123 creative midnight butterfly "
    "chocolate elephant maverick mercedes scorpion victoria alexander christian jonathan "
    "stephanie nicholas november december september correcthorsebatterystaple aaaaaaaa "
    "abcabcabc a1b2c3d4 1a2b3c4d ";

static bool is_common(const char *password)
{
    size_t n = strlen(password);
    for (const char *w = COMMON, *end; *w; w = end + 1) {
        end = strchr(w, ' ');
        if ((size_t)(end - w) == n && !strncasecmp(w, password, n)) return true;
    }
    return false;
}

int password_fit(const char *password, const char *email, struct err *err)
{
    size_t n = strlen(password), local = strcspn(email, "@");
    if (n < PASSWORD_MIN)
        return err_set(err, ERR_INVAL, "the password is too short: take at least %d characters",
                       PASSWORD_MIN);
    if (n > PASSWORD_MAX)
        return err_set(err, ERR_INVAL, "the password is too long: at most %d bytes", PASSWORD_MAX);
    if (is_common(password))
        return err_set(err, ERR_INVAL,
                       "this password is one of the commonest there are, and the first that is "
                       "tried: take another");
    if (!strcasecmp(password, email) || (n == local && !strncasecmp(password, email, n)))
        return err_set(err, ERR_INVAL, "the password is the address itself: take another");
    return 0;
}

static void costs(unsigned long long *ops, size_t *mem)
{
    const char *env = getenv("LIKENESS_KDF");
    bool fast = env && !strcmp(env, "fast");
    *ops = fast ? crypto_pwhash_argon2id_OPSLIMIT_MIN : crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE;
    *mem = fast ? crypto_pwhash_argon2id_MEMLIMIT_MIN : crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM,
                   "checking a password needs 64 MiB of memory, which are not free: try again");
}

int password_hash(const char *password, char out[HASH_MAX], struct err *err)
{
    unsigned long long ops;
    size_t mem;
    costs(&ops, &mem);
    return crypto_pwhash_argon2id_str(out, password, strlen(password), ops, mem) ? no_memory(err)
                                                                                 : 0;
}

/* The number after `mark`, at most seven digits; *p moves behind it. */
static bool number_after(const char **p, const char *mark, unsigned long *out)
{
    size_t n = strlen(mark), digits;
    if (strncmp(*p, mark, n) != 0) return false;
    digits = strspn(*p + n, "0123456789");
    *out = strtoul(*p + n, NULL, 10);
    *p += n + digits;
    return digits && digits <= 7;
}

/* An Argon2id hash in its usual form, at costs that are not an attack. */
static bool is_argon(const char *hash)
{
    unsigned long mem, ops, lanes;
    const char *p = hash;
    return strlen(hash) < HASH_MAX && number_after(&p, "$argon2id$v=19$m=", &mem) &&
           number_after(&p, ",t=", &ops) && number_after(&p, ",p=", &lanes) && *p == '$' &&
           lanes == 1 && mem <= ARGON_MEM_MAX && ops && ops <= ARGON_OPS_MAX &&
           crypto_pwhash_argon2id_str_needs_rehash(hash, 1, (size_t)1 << 16) >= 0;
}

static bool is_bcrypt(const char *hash)
{
    static const char DIGITS[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned long cost;
    const char *p = hash + 3;
    return strlen(hash) == BCRYPT_BYTES && !strncmp(hash, "$2", 2) && strchr("aby", hash[2]) &&
           number_after(&p, "$", &cost) && p == hash + 6 && *p == '$' && cost >= BCRYPT_COST_MIN &&
           cost <= BCRYPT_COST_MAX && strspn(p + 1, DIGITS) == BCRYPT_BYTES - 7;
}

bool password_known(const char *hash) { return is_bcrypt(hash) || is_argon(hash); }

bool password_stale(const char *hash)
{
    unsigned long long ops;
    size_t mem;
    costs(&ops, &mem);
    return is_bcrypt(hash) || crypto_pwhash_argon2id_str_needs_rehash(hash, ops, mem) != 0;
}

/* libcrypt refuses passwords of 512 bytes; what bcrypt does not look at is left out for it. */
static int check_bcrypt(const char *password, const char *hash, struct err *err)
{
    char used[BCRYPT_LOOKS_AT + 1];
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data) return err_nomem(err);
    snprintf(used, sizeof used, "%s", password);
    const char *got = crypt_rn(used, hash, data, sizeof *data);
    bool right = got && strlen(got) == BCRYPT_BYTES && !sodium_memcmp(got, hash, BCRYPT_BYTES);
    sodium_memzero(used, sizeof used);
    sodium_memzero(data, sizeof *data);
    free(data);
    return right ? 0 : ERR_KEY;
}

int password_check(const char *password, const char *hash, struct err *err)
{
    if (is_bcrypt(hash)) return check_bcrypt(password, hash, err);
    errno = 0;
    if (!crypto_pwhash_argon2id_str_verify(hash, password, strlen(password))) return 0;
    return errno == EINVAL ? ERR_KEY : no_memory(err); /* libsodium: EINVAL says "another" */
}

void password_dummy(char out[HASH_MAX])
{
    unsigned long long ops;
    size_t mem;
    uint8_t raw[48];
    char salt[24], sum[44];
    costs(&ops, &mem);
    randombytes_buf(raw, sizeof raw);
    sodium_bin2base64(salt, sizeof salt, raw, 16, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(sum, sizeof sum, raw + 16, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(out, HASH_MAX, "$argon2id$v=19$m=%zu,t=%llu,p=1$%s$%s", mem / 1024, ops, salt, sum);
}
