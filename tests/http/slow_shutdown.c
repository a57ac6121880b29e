/* Loaded before a server's own libraries: whoever shuts a socket of a pair down for good is held up
 * right afterwards, so that other threads see it before the next step is taken. For test_tls.py. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int shutdown(int fd, int how)
{
    struct sockaddr_storage a = { 0 };
    socklen_t n = sizeof a;
    long rc = syscall(SYS_shutdown, fd, how);
    if (how == SHUT_RDWR && !getsockname(fd, (struct sockaddr *)&a, &n) && a.ss_family == AF_UNIX)
        nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
    return (int)rc;
}
