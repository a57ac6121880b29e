/* PDFs. What must hold: no crash, valid UTF-8, text
 * when all is said to be well. */
#include "base/str.h"
#include "media/parts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doctext d;
    doctext_init(&d);
    enum fault f = pdf_text(data, size, &d);
    if (f >= FAULT_COUNT || (!f && !d.text.n)) abort();
    if (!utf8_valid(buf_str(&d.text), d.text.n) || !utf8_valid(buf_str(&d.title), d.title.n))
        abort();
    doctext_clear(&d);
    return 0;
}
