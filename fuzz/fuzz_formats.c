/* Every format parser on hostile bytes. The first byte picks the parser (modulo their number, in
 * the order of formats[]), the second the options; the rest is the file, read through fmemopen.
 *
 * What must hold: no crash, no leak, every string of every piece non-NULL and valid UTF-8, errors
 * with a code have a message. */
#include "base/str.h"
#include "text/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int ok)
{
    if (!ok) abort();
}

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    const char *const all[] = { p->text,   p->author, p->author_id, p->title,
                                p->thread, p->id,     p->reply_to,  p->quoted };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        demand(all[i] != NULL);
        demand(utf8_valid(all[i], strlen(all[i])));
    }
    return 0;
}

static void on_skipped(void *ud, const char *what, uint64_t where) { demand(what && *what); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "x.txt", "2019-03-02.md", "result.json", "a b.csv" };
    size_t n_formats = 0;
    while (formats[n_formats]) n_formats++;
    if (size < 3) return 0;
    const struct format *f = formats[data[0] % n_formats];
    unsigned bits = data[1];
    data += 2, size -= 2;
    struct format_opts o = { .now = 1700000000,
                             .day_first = (int)(bits % 3) - 1,
                             .map = bits & 4 ? "text=text,date=meta.date" : NULL };
    struct format_in in = { .size = size,
                            .mtime = bits & 8 ? 1400000000 : CLOCK_NONE,
                            .path = "fuzz" };
    struct piece_sink sink = { on_piece, on_skipped, NULL, NULL };
    struct err err = { 0 };
    o.names = names_new();
    snprintf(in.name, sizeof in.name, "%s", names[bits >> 4 & 3]);
    in.head_n = size < FORMAT_HEAD ? size : FORMAT_HEAD;
    in.head = malloc(in.head_n);
    in.f = fmemopen((void *)(uintptr_t)data, size, "rb");
    if (in.head && in.f) {
        memcpy(in.head, data, in.head_n);
        for (size_t i = 0; i < n_formats; i++) {
            int score = formats[i]->score(&in);
            demand(score >= 0 && score <= 100);
        }
        int rc = format_parse(f, &in, &o, &sink, &err);
        demand(!rc || (rc == err.code && err.msg[0]));
    }
    format_close(&in);
    names_free(o.names);
    return 0;
}
