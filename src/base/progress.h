/* Progress of long work, and a way to stop it.
 *
 * The worker calls progress_tick now and then; a non-zero return (ERR_CANCEL) means stop, leave the
 * store as it was and return that code. NULL progress is allowed everywhere. */
#ifndef LK_BASE_PROGRESS_H
#define LK_BASE_PROGRESS_H

#include <stdint.h>

struct progress {
    /* stage: a word such as "read", "embed"; done of total in `unit` ("bytes", "messages"); total 0
     * when it is not known. Returns non-zero to cancel. May be called from one thread only. */
    int (*fn)(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit);
    void *ud;
};

/* 0 or ERR_CANCEL. */
int progress_tick(const struct progress *p, const char *stage, uint64_t done, uint64_t total,
                  const char *unit);

#endif
