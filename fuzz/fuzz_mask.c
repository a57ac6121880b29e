/* Any text through a mask and back: valid UTF-8 in, valid UTF-8 out, of bounded length; what comes
 * back in pieces is what comes back at once. */
#include "base/str.h"
#include "persona/mask.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *names[] = { "Zelda Quimby" },
                  *ids[] = { "zelda@quimby.example", "07911 123456" };
static struct person somebody = {
    .id = "00000001", .name = "Zelda Quimby", .names = names, .ids = ids, .n_names = 1, .n_ids = 2
};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct persona me = { .name = "Marit" };
    struct buf text = BUF_INIT(0), masked = BUF_INIT(0), whole = BUF_INIT(0), held = BUF_INIT(0),
               parts = BUF_INIT(0);
    struct mask *m;
    if (n > 4096 || mask_of(&me, &somebody, 1, &m, NULL)) return 0;
    utf8_clean(&text, (const char *)p, n);
    if (mask_text(m, text.p, text.n, &masked)) abort();
    if (masked.n > 8 * text.n || !utf8_valid(buf_str(&masked), masked.n)) abort();
    if (mask_reveal(m, masked.p, masked.n, &whole)) abort();
    for (size_t i = 0; i < masked.n; i++)
        if (mask_reveal_some(m, &held, masked.p + i, 1, false, &parts)) abort();
    if (mask_reveal_some(m, &held, "", 0, true, &parts) || parts.n != whole.n) abort();
    if (parts.n && memcmp(parts.p, whole.p, parts.n) != 0) abort();
    mask_close(m);
    buf_free(&text);
    buf_free(&masked);
    buf_free(&whole);
    buf_free(&held);
    buf_free(&parts);
    return 0;
}
