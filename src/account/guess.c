/* Guessing of passwords is made slow, for one address of mail and for one place.
 *
 * Wrong tries are counted in memory for the address that was tried and for the place they came from
 * (an IPv4 address, or the first 64 bits of an IPv6 one, which is what one customer is given).
 * After `tries` of them each further one is met by a wait of 1, 2, 4, ... seconds, up to a quarter
 * of an hour; an hour without a wrong try forgets. So nobody can guess one password from many
 * places, nor many from one.
 *
 * A wait for an address could be used to lock its owner out. Therefore a place from which somebody
 * has logged in with that address before does not wait for others' tries, only for those of its own
 * place.
 *
 * The table has a fixed size, so that it cannot be used to fill memory: 1024 sets of 8 entries,
 * found by a keyed hash nobody outside knows; the entry of a set that was touched longest ago makes
 * room. Pushing one entry out on purpose takes thousands of tries from as many places.
 *
 * A restart forgets nothing: the entries are one sealed note of the service, written by the first
 * wrong try in SAVE_EVERY seconds and when the accounts are closed. So a good login costs no write,
 * a storm of wrong ones little, and only a crash loses the last few seconds of them. The key of the
 * hashes is a note of its own.
 *
 * One mutex, held for a look at two or three sets, or to copy the table. `saving` keeps a slow
 * writer from putting an older copy over a newer one. */
#include "account/inside.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS     1024
#define WAYS     8
#define WAIT_MAX 900
#define FORGET   3600
#define REMEMBER (30 * 86400) /* a place that was right once */

#define NOTE       "guesses"
#define NOTE_KEY   "guess_key"
#define SAVE_EVERY 5
#define ENTRY_SIZE (16 + 8 + 8 + 4)

struct entry {
    uint8_t name[16];
    int64_t touched, until; /* until: no try before */
    int wrong;              /* 0 and touched: a place that is known */
    bool used;
};

struct guesses {
    pthread_mutex_t lock;
    struct service *sv; /* NULL: kept nowhere */
    uint8_t key[crypto_generichash_KEYBYTES];
    int tries;
    int64_t saved_at;
    bool changed, saving;
    struct entry set[SETS][WAYS];
};

/* ---- kept ---- */

/* A table that cannot be read is none: whoever can write it can as well delete it. */
static void read_table(struct guesses *g, const struct buf *b)
{
    struct cursor c = cursor_of(b->p, b->n, "note of wrong tries");
    if (cursor_u8(&c, "version") != 1) return;
    while (cursor_left(&c) >= ENTRY_SIZE) {
        struct entry e = { .used = true };
        struct span name = cursor_bytes(&c, sizeof e.name, "name");
        if (!name.p) return;
        memcpy(e.name, name.p, sizeof e.name);
        e.touched = (int64_t)cursor_u64(&c, "touched");
        e.until = (int64_t)cursor_u64(&c, "until");
        e.wrong = (int)(cursor_u32(&c, "wrong") & 0xFFFF);
        struct entry *set = g->set[(e.name[0] | e.name[1] << 8) % SETS];
        for (int i = 0; i < WAYS; i++) {
            if (set[i].used) continue;
            set[i] = e;
            break;
        }
    }
}

static void write_table(const struct guesses *g, struct buf *b)
{
    buf_u8(b, 1);
    for (int i = 0; i < SETS * WAYS; i++) {
        const struct entry *e = &g->set[i / WAYS][i % WAYS];
        if (!e->used) continue;
        buf_add(b, e->name, sizeof e->name);
        buf_u64(b, (uint64_t)e->touched);
        buf_u64(b, (uint64_t)e->until);
        buf_u32(b, (uint32_t)e->wrong);
    }
}

/* If it cannot be written (a full disk) the next one tries again. */
static void save(struct guesses *g, int64_t now, bool at_end)
{
    struct buf b = BUF_INIT(0);
    pthread_mutex_lock(&g->lock);
    int64_t since = now - g->saved_at;
    bool due = g->sv && g->changed && !g->saving && (at_end || since >= SAVE_EVERY || since < 0);
    if (due) {
        write_table(g, &b);
        g->saving = true;
        g->changed = false;
        g->saved_at = now;
    }
    pthread_mutex_unlock(&g->lock);
    if (!due) return;
    int rc = b.failed ? ERR_NOMEM : service_note_put(g->sv, NOTE, b.p, b.n, NULL);
    pthread_mutex_lock(&g->lock);
    g->saving = false;
    g->changed |= rc != 0;
    pthread_mutex_unlock(&g->lock);
    buf_free(&b);
}

int guesses_open(struct service *sv, int tries, struct guesses **out, struct err *err)
{
    struct buf b = BUF_INIT(1 << 20);
    struct guesses *g = calloc(1, sizeof *g);
    int rc = 0;
    *out = NULL;
    if (!g) return err_nomem(err);
    pthread_mutex_init(&g->lock, NULL);
    g->tries = tries;
    if (sv) rc = service_note_key(sv, NOTE_KEY, g->key, err);
    else crypto_generichash_keygen(g->key);
    if (!rc && sv) rc = service_note_get(sv, NOTE, &b, err);
    if (rc == ERR_NOTFOUND) rc = 0;
    else if (!rc && sv) read_table(g, &b);
    buf_free(&b);
    g->sv = sv;
    if (rc) guesses_close(g);
    else *out = g;
    return rc;
}

void guesses_close(struct guesses *g)
{
    if (!g) return;
    save(g, 0, true);
    pthread_mutex_destroy(&g->lock);
    sodium_memzero(g, sizeof *g);
    free(g);
}

/* What counts as one place. */
static size_t place_bytes(const char *place, uint8_t out[64])
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, place, &v4) == 1) {
        memcpy(out, &v4, 4);
        return 4;
    }
    if (inet_pton(AF_INET6, place, &v6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            memcpy(out, v6.s6_addr + 12, 4);
            return 4;
        }
        memcpy(out, &v6, 8);
        return 8;
    }
    size_t n = strnlen(place, 64);
    memcpy(out, place, n);
    return n;
}

static void name_of(const struct guesses *g, enum guess_kind kind, const uint8_t mail[16],
                    const char *place, uint8_t out[16])
{
    crypto_generichash_state h;
    uint8_t k = (uint8_t)kind, where[64];
    crypto_generichash_init(&h, g->key, sizeof g->key, 16);
    crypto_generichash_update(&h, &k, 1);
    if (kind != GUESS_PLACE) crypto_generichash_update(&h, mail, 16);
    if (kind != GUESS_MAIL) crypto_generichash_update(&h, where, place_bytes(place, where));
    crypto_generichash_final(&h, out, 16);
}

static bool is_over(const struct entry *e, int64_t now)
{
    return now - e->touched > (e->wrong ? FORGET : REMEMBER) && now >= e->until;
}

/* The entry of that name; with make, a new one when there is none. NULL: none. */
static struct entry *entry_of(struct guesses *g, enum guess_kind kind, const uint8_t mail[16],
                              const char *place, int64_t now, bool make)
{
    uint8_t name[16];
    if (kind != GUESS_MAIL && !place) return NULL;
    name_of(g, kind, mail, place, name);
    struct entry *set = g->set[(name[0] | name[1] << 8) % SETS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->used && is_over(e, now)) *e = (struct entry){ 0 };
        if (e->used && !memcmp(e->name, name, sizeof name)) return e;
        if (oldest->used && (!e->used || e->touched < oldest->touched)) oldest = e;
    }
    if (!make) return NULL;
    *oldest = (struct entry){ .used = true, .touched = now };
    memcpy(oldest->name, name, sizeof name);
    return oldest;
}

static int wait_of(const struct entry *e, int64_t now)
{
    return e && e->until > now ? (int)(e->until - now) : 0;
}

int guess_wait(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now)
{
    pthread_mutex_lock(&g->lock);
    int wait = wait_of(entry_of(g, GUESS_PLACE, mail, place, now, false), now);
    if (!entry_of(g, GUESS_KNOWN, mail, place, now, false)) {
        int other = wait_of(entry_of(g, GUESS_MAIL, mail, place, now, false), now);
        if (other > wait) wait = other;
    }
    pthread_mutex_unlock(&g->lock);
    return wait;
}

static void count_wrong(const struct guesses *g, struct entry *e, int64_t now)
{
    if (!e) return;
    e->touched = now;
    if (e->wrong < g->tries + 30) e->wrong++;
    int over = e->wrong - g->tries;
    if (over < 0) return;
    int64_t wait = over < 10 ? (int64_t)1 << over : WAIT_MAX;
    e->until = now + (wait < WAIT_MAX ? wait : WAIT_MAX);
}

void guess_wrong(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now)
{
    pthread_mutex_lock(&g->lock);
    count_wrong(g, entry_of(g, GUESS_PLACE, mail, place, now, true), now);
    count_wrong(g, entry_of(g, GUESS_MAIL, mail, place, now, true), now);
    g->changed = true;
    pthread_mutex_unlock(&g->lock);
    save(g, now, false);
}

/* The place's own count stays: an account of one's own must not buy new guesses. */
void guess_right(struct guesses *g, const uint8_t mail[16], const char *place, int64_t now)
{
    pthread_mutex_lock(&g->lock);
    struct entry *e = entry_of(g, GUESS_MAIL, mail, place, now, false);
    if (e) *e = (struct entry){ 0 };
    if ((e = entry_of(g, GUESS_KNOWN, mail, place, now, true))) e->touched = now;
    g->changed = true;
    pthread_mutex_unlock(&g->lock);
}
