/* Cutting a passage into windows of even size. How many there are follows from the passage's
 * tokens; a sentence belongs to the window in which its middle lies, so all windows but those with
 * long sentences come out alike, and none is a leftover of three words. */
#include "persona/windows.h"

#include "text/token.h"

size_t windows_of(struct sentences *it, const char *s, size_t n, size_t tokens,
                  struct window out[WINDOWS_MAX])
{
    size_t total = tokens_count(s, n), from, to, last = 0, before = 0, count = 0;
    size_t k = tokens ? (total + tokens / 2) / tokens : 1;
    if (k > WINDOWS_MAX) k = WINDOWS_MAX;
    out[0] = (struct window){ 0, n };
    if (k < 2 || sentences_text(it, s, n)) return 1;
    while (sentences_next(it, &from, &to)) {
        size_t t = tokens_count(s + from, to - from);
        size_t at = (2 * before + t) * k / (2 * total);
        if (count == 0 || (at > last && count < k)) {
            if (count) out[count - 1].to = from;
            out[count] = (struct window){ count ? from : 0, n };
            count++;
            last = at;
        }
        before += t;
    }
    return count ? count : 1;
}
