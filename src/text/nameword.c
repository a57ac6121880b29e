/* One table for all lists, made on the first call: open addressing, a key of 64 bits for each word,
 * no strings. Two words with one key would have to be among some eight thousand; it is checked by a
 * test that there are none. Words of a text are looked up one by one, and most are not in it: a
 * quarter of the table is full, so that costs one look. */
#include "text/nameword.h"

#include "base/str.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 32768 /* a power of two, four times the words */

static struct slot {
    uint64_t key;
    uint32_t is;
} table[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct slot *slot_of(uint64_t key)
{
    size_t i = key & (SLOTS - 1);
    while (table[i].key && table[i].key != key) i = (i + 1) & (SLOTS - 1);
    return &table[i];
}

static uint64_t key_of(const char *s, size_t n) { return hash64(s, n, 5) | 1; }

static void add_lists(const struct nameword_list *l)
{
    for (; l->words; l++)
        for (const char *s = l->words; *s;) {
            size_t n = strcspn(s, " ");
            struct slot *x = slot_of(key_of(s, n));
            x->key = key_of(s, n);
            x->is |= l->is;
            s += n + (s[n] == ' ');
        }
}

static void make_table(void)
{
    add_lists(nameword_given);
    add_lists(nameword_cues);
}

uint32_t nameword_key(uint64_t key)
{
    pthread_once(&once, make_table);
    return slot_of(key)->is;
}

uint32_t nameword(const char *folded, size_t n) { return nameword_key(key_of(folded, n)); }

bool nameword_family(const char *s, size_t n)
{
    static const char *const ends[] = { "mann",   "berg",  "berger", "ski",    "ska",   "sky",
                                        "skaya",  "vic",   "vich",   "sen",    "sson",  "son",
                                        "stein",  "bauer", "mayer",  "meier",  "meyer", "huber",
                                        "ova",    "enko",  "oglu",   "ez",     "etti",  "elli",
                                        "ini",    "stra",  "poulos", "shvili", "ian",   "kowski",
                                        "dottir", NULL };
    for (const char *const *e = ends; *e; e++) {
        size_t k = strlen(*e);
        if (n >= k + 2 && !memcmp(s + n - k, *e, k)) return true;
    }
    return false;
}
