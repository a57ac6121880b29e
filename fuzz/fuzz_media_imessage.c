/* Databases of Apple Messages. What must hold: no crash, and what is handed out is UTF-8. */
#include "base/str.h"
#include "media/parts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *ud, const void *p, size_t n) { return 0; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wire_out out;
    struct buf text = BUF_INIT(1 << 20);
    uint8_t *copy = mem_dup(data, size);
    if (!copy) return 0;
    out = (struct wire_out){ .put = take };
    imessage_prepare();
    imessage_walk(copy, size, &out);
    if (!imessage_body(data, size, &text) && !utf8_valid(buf_str(&text), text.n)) abort();
    buf_free(&text);
    free(copy);
    return 0;
}
