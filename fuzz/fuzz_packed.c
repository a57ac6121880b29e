/* What is read back out of the store: packed pieces and chunks, the list of topics, the style
 * profile. The seal keeps others' bytes out, but not those of an older or a broken program. The
 * first byte chooses; what is taken must be whole, and must come back the same when written. */
#include "base/str.h"
#include "persona/pack.h"
#include "persona/profile.h"
#include "persona/topics.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok) abort();
}

static void piece(const char *p, size_t n, struct arena *a)
{
    struct piece x = { 0 }, y = { 0 };
    struct err err = { 0 };
    struct buf again = BUF_INIT(0);
    if (unpack_piece(p, n, a, &x, &err)) {
        demand(err.code && err.msg[0]);
        return;
    }
    demand(!pack_piece(&again, &x));
    demand(!unpack_piece(again.p, again.n, a, &y, &err));
    demand(!strcmp(x.text, y.text) && !strcmp(x.author, y.author) && !strcmp(x.quoted, y.quoted));
    buf_free(&again);
}

static void chunk(const char *p, size_t n, struct arena *a)
{
    struct chunk_text x = { 0 }, y = { 0 };
    struct err err = { 0 };
    struct buf again = BUF_INIT(0), plain = BUF_INIT(0);
    if (unpack_chunk(p, n, a, &x, &err)) {
        demand(err.code && err.msg[0]);
        return;
    }
    chunk_plain(&x, false, &plain);
    for (size_t i = 0; i < x.n_phrase; i++) demand(strlen(x.phrase[i].text) < PHRASE_BYTES);
    demand(!pack_chunk(&again, &x));
    demand(!unpack_chunk(again.p, again.n, a, &y, &err));
    demand(x.n_seg == y.n_seg && x.n_phrase == y.n_phrase && !strcmp(x.title, y.title));
    buf_free(&again);
    buf_free(&plain);
}

static void topics(const char *p, size_t n)
{
    struct topics x = { 0 }, y = { 0 };
    struct err err = { 0 };
    struct buf again = BUF_INIT(0);
    if (topics_load(p, n, &x, &err)) {
        demand(err.code && err.msg[0]);
        return;
    }
    demand(!topics_save(&x, &again, &err));
    demand(!topics_load(again.p, again.n, &y, &err));
    demand(x.n == y.n && x.dim == y.dim);
    topics_clear(&x);
    topics_clear(&y);
    buf_free(&again);
}

static void profile(const char *p, size_t n)
{
    struct profile x;
    struct err err = { 0 };
    struct buf out = BUF_INIT(0);
    if (profile_load(p, n, &x, &err)) {
        demand(err.code && err.msg[0]);
        return;
    }
    profile_style(&x, &out);
    profile_tone(&x, &out);
    profile_common_phrases(&x, &out);
    profile_vocabulary(&x, &out);
    profile_structure(&x, &out);
    profile_clear(&x);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct arena *a = arena_new(0);
    char *p = mem_dup(data + 1, size - 1);
    size_t n = size - 1;
    switch (*data & 3) {
    case 0: piece(p, n, a); break;
    case 1: chunk(p, n, a); break;
    case 2: topics(p, n); break;
    default: profile(p, n); break;
    }
    arena_free(a);
    free(p);
    return 0;
}
