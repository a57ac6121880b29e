/* WhatsApp exports from hostile hands. Run with fuzz/dict/whatsapp.dict and
 * fuzz/corpus/whatsapp. */
#include "base/str.h"
#include "text/fmt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int piece(void *ud, const struct piece *p, struct err *err)
{
    const char *s[] = { p->text, p->author, p->author_id, p->thread };
    for (size_t i = 0; i < sizeof s / sizeof *s; i++)
        if (!s[i] || !utf8_valid(s[i], strlen(s[i]))) abort();
    if (!*p->author) abort(); /* "" would be the owner */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    char *p = mem_dup(data, size);
    struct format_in in = {
        .name = "_chat.txt", .path = "a/_chat.txt", .size = size, .mtime = CLOCK_NONE
    };
    struct format_opts o = { .now = 1735689600, .day_first = -1 };
    struct piece_sink sink = { .piece = piece };
    struct err err = { 0 };
    in.head = (unsigned char *)p;
    in.head_n = size < FORMAT_HEAD ? size : FORMAT_HEAD;
    in.f = fmemopen(p, size, "rb");
    if (in.f) {
        format_whatsapp.score(&in);
        format_whatsapp.parse(&in, &o, &sink, &err);
        fclose(in.f);
    }
    free(p);
    return 0;
}
