/* Text of hostile pages, whole and after a UTF-8 clean-up, as parsers call it. */
#include "base/str.h"
#include "text/html.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf in = BUF_INIT(0), text = BUF_INIT(1 << 20), quoted = BUF_INIT(1 << 20),
               title = BUF_INIT(1 << 16);
    int64_t date;
    struct err err = { 0 };
    utf8_clean(&in, (const char *)data, size);
    int rc = html_text(buf_str(&in), in.n, &text, &quoted, &title, &date, &err);
    if (rc && !err.msg[0]) abort();
    if (!rc && (!utf8_valid(buf_str(&text), text.n) || !utf8_valid(buf_str(&quoted), quoted.n)))
        abort();
    buf_free(&in);
    buf_free(&text);
    buf_free(&quoted);
    buf_free(&title);
    return 0;
}
