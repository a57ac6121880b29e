/* Starting a helper and seeing it off.
 *
 *     struct helper h = { .idle_s = 60 };
 *     struct helper_input in = { .fd = fileno(f), .journal_fd = -1 };
 *     rc = helper_start(&h, &in, "zip", memory, cpu_s, err);
 *     ... read h.fd, calling helper_wait(&h, err) before each read ...
 *     enum helper_end how = helper_stop(&h, ended);     always, after a start that went well */
#ifndef LK_MEDIA_LAUNCH_H
#define LK_MEDIA_LAUNCH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* X(NAME, "what follows the file's name") */
#define HELPER_END_LIST(X)                                                                         \
    X(WELL, "")                                                                                    \
    X(CRASHED, "the part that reads such files stopped on it: the file is damaged, or made to "    \
               "do harm")                                                                          \
    X(BROKE_RULES, "the part that reads such files was stopped when it tried something that "      \
                   "reading does not need: the file may have been made to do harm")                \
    X(TOOK_TOO_LONG, "the part that reads such files took too long over it and was stopped")       \
    X(NO_CELL, "this system cannot lock in the part that reads such files (seccomp is missing), "  \
               "so it was not read")

enum helper_end {
#define X(name, text) HELPER_##name,
    HELPER_END_LIST(X)
#undef X
};

struct helper {
    uint32_t idle_s;       /* the longest silence */
    int (*tick)(void *ud); /* asked while waiting; non-zero cancels. May be NULL */
    void *ud;
    pid_t pid;
    int fd;   /* of the pipe; -1: none */
    int give; /* where helper_give writes; -1: the helper has the file itself */
    bool late;
};

struct helper_input {
    int fd;         /* of the file: the helper gets one of its own that can only read */
    int journal_fd; /* of what belongs to it; -1: none */
    uint64_t size;  /* fd -1: of what the helper asks for with WIRE_WANT */
};

int helper_start(struct helper *h, const struct helper_input *in, const char *kind, uint64_t memory,
                 uint64_t cpu_s, struct err *err);
/* n bytes that it asked for. 0, also when it is gone; ERR_CANCEL, or ERR_LIMIT after idle_s. */
int helper_give(struct helper *h, const void *p, size_t n, struct err *err);
/* Until something can be read: 0, ERR_CANCEL, or ERR_LIMIT after idle_s. h is a struct helper. */
int helper_wait(void *h, struct err *err);
/* Closes what leads to it and sees it off. ended: its side of the pipe is closed, so it is on its
 * way out and how it went is of interest; else it is killed, and that is HELPER_WELL unless it was
 * too late. */
enum helper_end helper_stop(struct helper *h, bool ended);
const char *helper_end_text(enum helper_end e);

#endif
