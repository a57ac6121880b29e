/* Mail from hostile hands: the first byte chooses the splitter alone, an mbox or a single message;
 * the rest is the input. Run with fuzz/dict/mail.dict and the seeds in fuzz/corpus/mail. */
#include "base/str.h"
#include "text/fmt.h"
#include "text/mailtext.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int piece(void *ud, const struct piece *p, struct err *err)
{
    const char *s[] = { p->text,   p->author, p->author_id, p->title,
                        p->thread, p->id,     p->reply_to,  p->quoted };
    for (size_t i = 0; i < sizeof s / sizeof *s; i++)
        if (!s[i] || !utf8_valid(s[i], strlen(s[i]))) abort();
    return 0;
}

static void split(const char *p, size_t n, bool bare)
{
    struct buf b[5] = { { 0 } };
    (bare ? mailtext_split_bare : mailtext_split)(p, n, &b[0], &b[1], &b[2], &b[3]);
    mailtext_unwrap(buf_str(&b[0]), b[0].n, &b[4]);
    buf_clear(&b[4]);
    mailtext_unflow(p, n, bare, &b[4]);
    if (b[0].n + b[1].n + b[2].n + b[3].n > n + 64) abort(); /* nothing is said twice */
    for (int i = 0; i < 5; i++) buf_free(&b[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    char *p = mem_dup(data + 1, size - 1);
    size_t n = size - 1;
    if (*data % 4 < 2 || !n) {
        split(p, n, *data % 4 == 1);
    } else {
        const struct format *f = *data % 4 == 2 ? &format_eml : &format_mbox;
        struct format_in in = { .name = "fuzz", .path = "fuzz", .size = n, .mtime = CLOCK_NONE };
        struct format_opts o = { .now = 1735689600, .day_first = -1 };
        struct piece_sink sink = { .piece = piece };
        struct err err = { 0 };
        in.head = (unsigned char *)p;
        in.head_n = n < FORMAT_HEAD ? n : FORMAT_HEAD;
        in.f = fmemopen(p, n, "rb");
        if (in.f) {
            f->score(&in);
            f->parse(&in, &o, &sink, &err);
            fclose(in.f);
        }
    }
    free(p);
    return 0;
}
