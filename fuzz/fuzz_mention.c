/* Any text through the search for people: what is found lies in the text, in order, not
 * overlapping, on whole characters, and has words. */
#include "base/str.h"
#include "text/mention.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf text = BUF_INIT(0);
    struct mentions m;
    struct mention who;
    size_t done = 0;
    utf8_clean(&text, (const char *)p, n);
    const char *s = buf_str(&text);
    struct tokens t = tokens_of(s, text.n);
    mentions_begin(&m, s, text.n);
    while (tokens_next(&t)) {
        if (!mentions_next(&m, &t, &who)) continue;
        if (who.from < done || who.from >= who.to || who.to > text.n || who.n < 1 ||
            who.n > MENTION_WORDS || who.first > who.to - who.from)
            abort();
        if (!utf8_valid(s + who.from, who.to - who.from)) abort();
        done = who.to;
    }
    buf_free(&text);
    return 0;
}
