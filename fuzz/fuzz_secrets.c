/* Any text through the search for secrets: out of valid UTF-8 comes valid UTF-8, not much longer,
 * and where nothing was found there is nothing. */
#include "base/str.h"
#include "text/secrets.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf text = BUF_INIT(0), out = BUF_INIT(0);
    struct secrets found = { 0 };
    uint64_t all = 0;
    utf8_clean(&text, (const char *)p, n);
    bool any = secrets_leave_out(text.p, text.n, &out, &found);
    for (int k = 0; k < SECRET_KIND_COUNT; k++) all += found.count[k];
    if (any != (all > 0) || (!any && out.n) || out.n > 8 * text.n) abort();
    if (any && !utf8_valid(out.p, out.n)) abort();
    buf_free(&text);
    buf_free(&out);
    return 0;
}
