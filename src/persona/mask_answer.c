/* Texts for eyes that should not see other people, as they are shown together: an answer, its
 * sentences, what it quotes.
 *
 * A family's name alone is known for one where somebody had a whole name before. So texts that
 * belong together are masked as one, with a mark between them that no name goes across, and taken
 * apart again; a text with that mark in it has them masked each by itself. */
#include "base/arena.h"
#include "persona/mask_impl.h"
#include "persona/voice.h"

#include <stdlib.h>
#include <string.h>

#define MARK "\n\x1e\n"

static int put(struct arena *mem, const char **text, const char *s, size_t n)
{
    const char *copy = arena_strndup(mem, s, n);
    if (copy) *text = copy;
    return copy ? 0 : ERR_NOMEM;
}

static int each_alone(struct mask *m, struct arena *mem, const char **text, size_t n)
{
    struct buf b = BUF_INIT(0);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        buf_clear(&b);
        rc = mask_text(m, text[i], strlen(text[i]), &b);
        if (!rc) rc = put(mem, &text[i], buf_str(&b), b.n);
    }
    buf_free(&b);
    return rc;
}

int mask_texts(struct mask *m, struct arena *mem, const char **text, size_t n)
{
    struct buf all = BUF_INIT(0), out = BUF_INIT(0);
    size_t marks = 0, i = 0;
    for (i = 0; i < n; i++) buf_printf(&all, "%s%s", i ? MARK : "", text[i]);
    int rc = all.failed ? ERR_NOMEM : mask_text(m, buf_str(&all), all.n, &out);
    const char *s = buf_str(&out), *end;
    for (const char *p = s; !rc && (p = strstr(p, MARK)); p += strlen(MARK)) marks++;
    bool parted = marks + 1 == n;
    for (i = 0; !rc && parted && i < n; i++, s = end ? end + strlen(MARK) : s) {
        end = strstr(s, MARK);
        rc = put(mem, &text[i], s, end ? (size_t)(end - s) : strlen(s));
    }
    if (!rc && !parted) rc = each_alone(m, mem, text, n);
    buf_free(&all);
    buf_free(&out);
    return rc;
}

int mask_title(struct mask *m, const char *s, size_t n, struct buf *out)
{
    struct buf words = BUF_INIT(0), masked = BUF_INIT(0);
    bool large = false, joined = false;
    buf_add(&words, s, n);
    for (size_t i = 0; i < words.n; i++) {
        large |= s[i] >= 'A' && s[i] <= 'Z';
        joined |= s[i] == '_';
        if (s[i] == '_') words.p[i] = ' ';
    }
    if (large && !joined) {
        buf_free(&words);
        return mask_heading(m, s, n, out);
    }
    int rc = words.failed ? ERR_NOMEM : mask_label(m, buf_str(&words), words.n, &masked);
    bool same = masked.n == words.n && !memcmp(buf_str(&masked), buf_str(&words), words.n);
    if (!rc) rc = same ? buf_add(out, s, n) : buf_add(out, buf_str(&masked), masked.n);
    buf_free(&words);
    buf_free(&masked);
    return rc ? ERR_NOMEM : 0;
}

int mask_title_of(struct mask *m, struct arena *mem, const char **title)
{
    struct buf b = BUF_INIT(0);
    int rc = *title ? mask_title(m, *title, strlen(*title), &b) : 0;
    if (!rc && *title) rc = put(mem, title, buf_str(&b), b.n);
    buf_free(&b);
    return rc;
}

static int labels(struct mask *m, struct arena *mem, const char *const *in, char **out, size_t n)
{
    struct buf b = BUF_INIT(0);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        buf_clear(&b);
        rc = mask_label(m, in[i], strlen(in[i]), &b);
        if (!rc && !(out[i] = arena_strndup(mem, buf_str(&b), b.n))) rc = ERR_NOMEM;
    }
    buf_free(&b);
    return rc;
}

int mask_profile(struct mask *m, struct arena *mem, const struct profile *in, struct profile *out)
{
    *out = *in;
    int rc = labels(m, mem, (const char *const *)in->phrases, out->phrases, in->n_phrases);
    if (!rc) rc = labels(m, mem, (const char *const *)in->openers, out->openers, in->n_openers);
    if (!rc)
        rc = labels(m, mem, (const char *const *)in->words_liked, out->words_liked,
                    in->n_words_liked);
    return rc;
}

/* All texts of it, but titles; out NULL: how many. */
static size_t texts_of(struct answer *a, const char ***out)
{
    size_t n = 0;
    if (out) out[n] = &a->text;
    n++;
    for (size_t i = 0; i < a->n_parts; i++, n++)
        if (out) out[n] = &a->part[i].text;
    for (size_t i = 0; i < a->n_cites; i++) {
        struct answer_cite *c = &a->cite[i];
        const char **all[] = { &c->sentence, &c->question };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++, n++)
            if (out) out[n] = all[k];
    }
    return n;
}

int mask_answer(struct mask *m, struct answer *a, const char *around)
{
    size_t n = texts_of(a, NULL);
    const char ***at = calloc(n, sizeof *at), **text = calloc(n + 1, sizeof *text);
    int rc = at && text ? 0 : ERR_NOMEM;
    if (!rc) {
        texts_of(a, at);
        text[0] = around;
        for (size_t i = 0; i < n; i++) text[i + 1] = *at[i] ? *at[i] : "";
        rc = mask_texts(m, a->mem, text, n + 1);
    }
    for (size_t i = 0; i < n && !rc; i++)
        if (*at[i]) *at[i] = text[i + 1];
    for (size_t i = 0; i < a->n_cites && !rc; i++) rc = mask_title_of(m, a->mem, &a->cite[i].title);
    free(at);
    free(text);
    return rc;
}
