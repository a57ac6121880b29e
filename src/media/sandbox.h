/* The cell of a helper: after sandbox_enter this process can read what it holds open, write to its
 * pipe, use memory and time up to a limit, and end. Nothing else: see sandbox.c.
 *
 *     if (sandbox_enter(&(struct sandbox){ .memory = 1 << 30, .cpu_s = 60 }, &err)) _exit(3);
 *     parse(bytes);                      from here on a fault in it can do no harm */
#ifndef LK_MEDIA_SANDBOX_H
#define LK_MEDIA_SANDBOX_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sandbox {
    uint64_t memory; /* bytes of address space from now on, in all; not in sanitized builds */
    uint64_t cpu_s;  /* seconds of processor time, in all */
};

/* There is no way back. An error means that the cell is not shut: do not go on. Call it before any
 * thread is started. */
int sandbox_enter(const struct sandbox *s, struct err *err);

#endif
