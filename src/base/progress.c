/* See progress.h. */
#include "base/progress.h"

#include "base/err.h"

#include <stddef.h>

int progress_tick(const struct progress *p, const char *stage, uint64_t done, uint64_t total,
                  const char *unit)
{
    return p && p->fn && p->fn(p->ud, stage, done, total, unit) ? ERR_CANCEL : 0;
}
