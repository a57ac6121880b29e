/* From ids back to text, and what a tokenizer says of its tokens. */
#include "model/tok_impl.h"

static bool known(const struct tokenizer *t, int32_t id) { return id >= 0 && id < t->n; }

/* Whole characters of hold to out; what may yet become one stays. Broken bytes become U+FFFD. */
static void drain(struct utf8_hold *h, bool end, struct buf *out)
{
    while (h->n) {
        const unsigned char *b = (const unsigned char *)h->b;
        int len = tok_utf8(b, (size_t)h->n, NULL);
        if (!len) {
            int want = b[0] >= 0xF0 && b[0] < 0xF5 ? 4 : b[0] >= 0xE0 ? 3 : 2;
            bool open = b[0] >= 0xC2 && b[0] < 0xF5 && h->n < want;
            for (int i = 1; i < h->n; i++) open &= (b[i] & 0xC0) == 0x80;
            if (open && h->n > 1)
                open = !(b[0] == 0xE0 && b[1] < 0xA0) && !(b[0] == 0xED && b[1] > 0x9F) &&
                       !(b[0] == 0xF0 && b[1] < 0x90) && !(b[0] == 0xF4 && b[1] > 0x8F);
            if (open && !end) return;
            buf_add(out, "\xEF\xBF\xBD", 3);
            len = 1;
        } else {
            buf_add(out, h->b, (size_t)len);
        }
        h->n -= len;
        memmove(h->b, h->b + len, (size_t)h->n);
    }
}

void tokenizer_text(const struct tokenizer *t, int32_t id, struct utf8_hold *hold, struct buf *out)
{
    if (!known(t, id) || tokenizer_special(t, id)) return;
    struct span s = tok_text(t, id);
    if (!hold->begun && s.n && s.p[0] == ' ' && t->space_prefix) s.p++, s.n--;
    hold->begun = true;
    for (size_t i = 0; i < s.n; i++) {
        hold->b[hold->n++] = s.p[i];
        drain(hold, false, out);
    }
}

void tokenizer_flush(struct utf8_hold *hold, struct buf *out)
{
    drain(hold, true, out);
    hold->begun = false;
}

struct span tokenizer_bytes(const struct tokenizer *t, int32_t id)
{
    return known(t, id) ? tok_text(t, id) : (struct span){ NULL, 0 };
}

bool tokenizer_special(const struct tokenizer *t, int32_t id)
{
    return known(t, id) && (t->type[id] == TOK_CONTROL || t->type[id] == TOK_UNKNOWN);
}

int32_t tokenizer_id(const struct tokenizer *t, const char *special)
{
    size_t n = strlen(special);
    int32_t id = n ? tok_added_at(t, &t->special, special, n) : -1;
    return id >= 0 && tok_text(t, id).n == n ? id : -1;
}

bool tokenizer_ends(const struct tokenizer *t, int32_t id)
{
    for (int i = 0; i < t->n_ends; i++)
        if (t->ends[i] == id) return true;
    return false;
}

enum tokenizer_kind tokenizer_kind(const struct tokenizer *t) { return t->kind; }
int tokenizer_size(const struct tokenizer *t) { return t->n; }
int32_t tokenizer_bos(const struct tokenizer *t) { return t->bos; }
bool tokenizer_adds_bos(const struct tokenizer *t) { return t->add_bos && t->bos >= 0; }
int32_t tokenizer_eos(const struct tokenizer *t) { return t->eos; }
int32_t tokenizer_cls(const struct tokenizer *t) { return t->cls; }
int32_t tokenizer_sep(const struct tokenizer *t) { return t->sep; }
int32_t tokenizer_unk(const struct tokenizer *t) { return t->unk; }

const char *tokenizer_pre(const struct tokenizer *t, bool *is_known)
{
    if (is_known) *is_known = t->pre_known;
    return t->pre_name;
}
