/* An epoll set with an eventfd in it, for the threads that look after streams (stream.c) and
 * sockets (socket.c). The eventfd counts and does not block: however often it is rung before it is
 * heard, that is one event, and ringing one whose count is full has nothing to add. */
#include "http/bell.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int bell_open(struct bell *b, uint64_t mark)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = mark };
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    b->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->epoll >= 0 && b->bell >= 0 && !epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->bell, &e)) return 0;
    bell_close(b);
    return -1;
}

void bell_ring(const struct bell *b)
{
    uint64_t one = 1;
    if (write(b->bell, &one, sizeof one) < 0) return; /* it rings already */
}

int bell_hear(const struct bell *b)
{
    uint64_t rung;
    return read(b->bell, &rung, sizeof rung) < 0 && errno != EAGAIN ? -1 : 0;
}

void bell_close(struct bell *b)
{
    if (b->epoll >= 0) close(b->epoll);
    if (b->bell >= 0) close(b->bell);
    *b = BELL_NONE;
}
