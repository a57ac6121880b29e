/* States of the hash embedder: refused or loaded, never worse; what was loaded saves to the same
 * bytes and embeds. */
#include "model/embed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct buf again = BUF_INIT(0);
    float v[384];
    struct embedder *e = embed_open("hash", data, n, &err);
    if (!e) {
        if (!err.code || !err.msg[0]) abort();
        return 0;
    }
    if (embed_save(e, &again) || again.n != n || memcmp(again.p, data, n)) abort();
    if (embed_text(e, "the old boat in Bergen", 22, v) || embed_learn(e, "an old boat", 11))
        abort();
    for (int i = 0; i < 384; i++)
        if (!(v[i] >= -1.001f && v[i] <= 1.001f)) abort();
    embed_close(e);
    buf_free(&again);
    return 0;
}
