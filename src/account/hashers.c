/* The line in front of the hashing of passwords.
 *
 * One Argon2id takes 64 MiB and some 60 ms of a core, so a burst of logins could take all memory
 * and all cores of a server that has other things to do. At most `running` hash at a time. The
 * others wait in the order they came: a leaving one hands its place to the first in line itself, so
 * nobody who comes later is quicker. When `waiting` stand in line the next is turned away at once:
 * in a storm, an answer "come back soon" is worth more than one that comes after a minute.
 *
 * Each waiting thread has a condition of its own on its stack, so that one leaving wakes one. The
 * mutex covers everything here and is never held while hashing. */
#include "account/inside.h"

#include <stdlib.h>

struct waiter {
    pthread_cond_t go;
    bool called;
    struct waiter *next;
};

struct hashers {
    pthread_mutex_t lock;
    int free, waiting, waiting_max;
    struct waiter *first, **last;
};

int hashers_open(int running, int waiting, struct hashers **out, struct err *err)
{
    struct hashers *h = calloc(1, sizeof *h);
    *out = NULL;
    if (!h) return err_nomem(err);
    pthread_mutex_init(&h->lock, NULL);
    h->free = running;
    h->waiting_max = waiting;
    h->last = &h->first;
    *out = h;
    return 0;
}

void hashers_close(struct hashers *h)
{
    if (!h) return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static void wait_turn(struct hashers *h)
{
    struct waiter w = { .called = false };
    pthread_cond_init(&w.go, NULL);
    /* w is in the line only until this function returns.  cppcheck-suppress autoVariables */
    *h->last = &w;
    /* cppcheck-suppress autoVariables */
    h->last = &w.next;
    h->waiting++;
    while (!w.called) pthread_cond_wait(&w.go, &h->lock);
    pthread_cond_destroy(&w.go);
}

int hashers_enter(struct hashers *h, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&h->lock);
    if (h->free > 0) h->free--;
    else if (h->waiting >= h->waiting_max)
        rc = err_set(err, ERR_BUSY,
                     "too many passwords are being checked just now: try again in a few seconds");
    else wait_turn(h);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

void hashers_leave(struct hashers *h)
{
    pthread_mutex_lock(&h->lock);
    struct waiter *w = h->first;
    if (w) {
        if (!(h->first = w->next)) h->last = &h->first;
        h->waiting--;
        w->called = true;
        pthread_cond_signal(&w->go);
    } else {
        h->free++;
    }
    pthread_mutex_unlock(&h->lock);
}

int hashers_waiting(struct hashers *h)
{
    pthread_mutex_lock(&h->lock);
    int n = h->waiting;
    pthread_mutex_unlock(&h->lock);
    return n;
}
