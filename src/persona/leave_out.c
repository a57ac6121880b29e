/* Secrets of a piece are left out of it before it is stored, and told as what was passed over. What
 * a piece is known by (ingest.c) comes from the whole of it, so that a file that came in before,
 * with its secrets or without, is known again. */
#include "persona/leave_out.h"

#include "persona/internal.h"

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

int leave_out_find(struct tape_piece *t, struct arena *mem)
{
    const char *from[TAPE_TEXTS] = { t->p.text, t->p.quoted, t->p.title };
    struct secrets found = { 0 }, *kept = NULL;
    for (int i = 0; i < TAPE_TEXTS; i++) {
        struct buf b = BUF_INIT(0);
        bool any = secrets_leave_out(from[i], strlen(from[i]), &b, &found);
        if (any) t->cut[i] = arena_strndup(mem, buf_str(&b), b.n);
        if (any && !kept) kept = arena_alloc(mem, sizeof *kept);
        bool bad = b.failed || (any && (!t->cut[i] || !kept));
        buf_free(&b);
        if (bad) return ERR_NOMEM;
    }
    if (kept) *kept = found;
    t->secrets = kept;
    return 0;
}

void leave_out_secrets(const struct tape_piece *t, struct piece *p, struct ingest_file *rep,
                       uint64_t where)
{
    const char **to[TAPE_TEXTS] = { &p->text, &p->quoted, &p->title };
    for (int i = 0; i < TAPE_TEXTS; i++)
        if (t->cut[i]) *to[i] = t->cut[i];
    if (t->secrets) tell(rep, t->secrets, where);
}
