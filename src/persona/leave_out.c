/* Secrets of a piece are left out of it before it is stored, and told as what was passed over. What
 * a piece is known by (ingest.c) comes from the whole of it, so that a file that came in before,
 * with its secrets or without, is known again. */
#include "persona/leave_out.h"

#include <stdio.h>
#include <string.h>

static void tell(struct ingest_file *rep, const struct secrets *s, uint64_t where)
{
    for (int k = 0; k < SECRET_KIND_COUNT; k++) {
        struct ingest_note n = { .count = s->count[k], .first = where };
        if (!n.count) continue;
        snprintf(n.what, sizeof n.what, "%s", secret_name((enum secret_kind)k));
        ingest_note_add(rep, &n);
    }
}

int leave_out_secrets(struct piece *p, struct left_out *l, struct ingest_file *rep, uint64_t where)
{
    const char **from[LEFT_OUT_TEXTS] = { &p->text, &p->quoted, &p->title };
    struct secrets found = { 0 };
    for (int i = 0; i < LEFT_OUT_TEXTS; i++) {
        const char *s = *from[i];
        if (secrets_leave_out(s, strlen(s), &l->text[i], &found)) *from[i] = buf_str(&l->text[i]);
        if (l->text[i].failed) return ERR_NOMEM;
    }
    tell(rep, &found, where);
    return 0;
}

void left_out_free(struct left_out *l)
{
    for (int i = 0; i < LEFT_OUT_TEXTS; i++) buf_free(&l->text[i]);
}
