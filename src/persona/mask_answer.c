/* Answers for eyes that should not see other people: what a voice said, sentence by sentence, and
 * what it quotes, each text masked by itself. The same name has the same pseudonym in all of
 * them. */
#include "base/arena.h"
#include "persona/mask.h"
#include "persona/voice.h"

#include <string.h>

static int put(struct mask *m, struct arena *mem, const char **text)
{
    struct buf b = BUF_INIT(0);
    const char *s = *text ? *text : "";
    int rc = mask_text(m, s, strlen(s), &b);
    if (!rc && *text) {
        const char *masked = arena_strndup(mem, buf_str(&b), b.n);
        if (masked) *text = masked;
        else rc = ERR_NOMEM;
    }
    buf_free(&b);
    return rc;
}

int mask_answer(struct mask *m, struct answer *a)
{
    int rc = put(m, a->mem, &a->text);
    for (size_t i = 0; i < a->n_parts && !rc; i++) rc = put(m, a->mem, &a->part[i].text);
    for (size_t i = 0; i < a->n_cites && !rc; i++) {
        struct answer_cite *c = &a->cite[i];
        const char **all[] = { &c->title, &c->sentence, &c->question };
        for (size_t k = 0; k < sizeof all / sizeof *all && !rc; k++) rc = put(m, a->mem, all[k]);
    }
    return rc;
}
