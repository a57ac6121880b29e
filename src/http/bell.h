/* What a thread waits at: an epoll set, and in it a bell that other threads ring.
 *
 *     struct bell b = BELL_NONE;
 *     if (bell_open(&b, 0)) ...                      too many open files
 *     epoll_ctl(b.epoll, EPOLL_CTL_ADD, fd, ...);    whatever else it waits for
 *     bell_ring(&b);                                 any thread: epoll_wait returns
 *     bell_hear(&b);                                 its event came: the bell is quiet again */
#ifndef LK_HTTP_BELL_H
#define LK_HTTP_BELL_H

#include <stdint.h>

struct bell {
    int epoll, bell; /* bell: an eventfd in the set */
};
#define BELL_NONE ((struct bell){ -1, -1 })

/* mark: data.u64 of the bell's own events. 0, or -1 and nothing is open. */
int bell_open(struct bell *b, uint64_t mark);
void bell_ring(const struct bell *b); /* cannot fail or wait */
int bell_hear(const struct bell *b);  /* 0, or -1: the bell is broken */
void bell_close(struct bell *b);      /* accepts BELL_NONE */

#endif
