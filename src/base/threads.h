/* A small pool of sleeping threads that share one loop.
 *
 *     threads_set(2);                                   once, at start-up; 0: number of cores
 *     threads_run(n_parts, scan_part, &job);            calls scan_part(&job, 0 .. n_parts-1)
 *
 * threads_run returns when all parts are done; the caller works too. With one thread, or while
 * another caller is using the pool, it runs the parts in the caller: never a deadlock, no queue. */
#ifndef LK_BASE_THREADS_H
#define LK_BASE_THREADS_H

#include "base/err.h"

#include <pthread.h>
#include <signal.h>

void threads_set(int n); /* at most 64; not from inside a part */
int threads_count(void);
void threads_run(int n_parts, void (*fn)(void *ud, int part), void *ud);
void threads_stop(void); /* joins; a later threads_run starts anew */

/* Blocks all signals, which belong to the main thread, in threads made from here on; but for those
 * by which a thread is told of a fault of its own. was: what to set back. */
void threads_mask(sigset_t *was);
/* A thread of its own, for work that waits, masked so; pthread_join it. ERR_NOMEM. */
int thread_start(pthread_t *t, void *(*fn)(void *), void *ud, struct err *err);

#endif
