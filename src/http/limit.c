/* Rate limits: token buckets (a request takes a token; tokens come back at `rate` a second, up to a
 * burst of two seconds' worth, at least ten).
 *
 * Three tables: by address, by address for logins, by account. A table has a fixed number of sets
 * of eight buckets; a key hashes to a set, and when the set is full the bucket that was left alone
 * longest goes. A bucket left alone for two seconds is full anyway, so what is forgotten is worth
 * nothing, but under an attack from very many addresses at once; then memory stays as it is and the
 * limit of connections and of the queue holds. The hash is seeded, so that nobody can aim at
 * somebody's set. One lock for each stripe of sets; nothing is called with it held. */
#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, SETS = 1024, STRIPES = 16 };

struct bucket {
    uint64_t key; /* 0: free */
    double tokens, at;
};

struct table {
    double rate, burst; /* rate <= 0: no limit */
    struct bucket *set; /* [SETS][WAYS] */
    pthread_mutex_t m[STRIPES];
};

struct limits {
    uint64_t seed;
    struct table address, login, account;
};

static bool table_init(struct table *t, double rate)
{
    t->rate = rate;
    t->burst = rate * 2 > 10 ? rate * 2 : 10;
    for (int i = 0; i < STRIPES; i++) pthread_mutex_init(&t->m[i], NULL);
    return rate <= 0 || (t->set = calloc((size_t)SETS * WAYS, sizeof *t->set));
}

static void table_clear(struct table *t)
{
    free(t->set);
    for (int i = 0; i < STRIPES; i++) pthread_mutex_destroy(&t->m[i]);
}

struct limits *limits_new(double account, double address, double login)
{
    struct limits *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    randombytes_buf(&l->seed, sizeof l->seed);
    bool a = table_init(&l->address, address);
    bool b = table_init(&l->login, login);
    bool c = table_init(&l->account, account);
    if (a && b && c) return l;
    limits_free(l);
    return NULL;
}

void limits_free(struct limits *l)
{
    if (!l) return;
    table_clear(&l->address);
    table_clear(&l->login);
    table_clear(&l->account);
    free(l);
}

static struct bucket *find(struct table *t, uint64_t key, double now)
{
    struct bucket *b = t->set + (key % SETS) * WAYS, *oldest = b;
    for (int i = 0; i < WAYS; i++) {
        if (b[i].key == key) return &b[i];
        if (!b[i].key) {
            oldest = &b[i];
            break;
        }
        if (b[i].at < oldest->at) oldest = &b[i];
    }
    *oldest = (struct bucket){ key, t->burst, now };
    return oldest;
}

static int take(struct table *t, uint64_t key)
{
    if (t->rate <= 0) return 0;
    double now = clock_mono();
    int wait = 0;
    key = key ? key : 1;
    pthread_mutex_t *m = &t->m[key % SETS % STRIPES];
    pthread_mutex_lock(m);
    struct bucket *b = find(t, key, now);
    if (now > b->at) {
        b->tokens = fmin(t->burst, b->tokens + (now - b->at) * t->rate);
        b->at = now;
    }
    if (b->tokens >= 1) b->tokens -= 1;
    else wait = (int)fmin(3600, ceil((1 - b->tokens) / t->rate));
    pthread_mutex_unlock(m);
    return wait;
}

int limit_address(struct limits *l, const char *address, bool login)
{
    unsigned char six[16];
    size_t n = strlen(address);
    const void *p = address;
    if (inet_pton(AF_INET6, address, six) == 1) {
        p = six;
        n = 8;
    }
    return take(login ? &l->login : &l->address, hash64(p, n, l->seed));
}

int limit_account(struct limits *l, int64_t account)
{
    return take(&l->account, hash64(&account, sizeof account, l->seed));
}
