/* Which timeline a job sits down at.
 *
 * Timelines outlive their jobs: the next turn of a conversation finds all that was said before, and
 * a new conversation with the same persona finds its system prompt. A free slot whose timeline the
 * prompt continues, or most of it, is taken as it is. Otherwise the slot that was of no use for
 * longest is emptied, and what another slot or a kept prefix has of the prompt is copied into it:
 * copying the cache costs a hundredth of computing it. So a persona's prompt is read once, and no
 * conversation loses its memory to another that merely begins alike, while there are older ones.
 *
 * The last token of a prompt is always computed, for its logits. */
#include "model/engine_impl.h"

#include <string.h>

enum { WORTH_COPYING = 8 };

static int common(const struct slot *s, const struct engine_job *j)
{
    return s->t ? timeline_common(s->t, j->ids, j->n - 1) : 0;
}

/* The slot or pin that has most of the prompt. */
static struct slot *best_source(struct engine *e, const struct engine_job *j, int *len)
{
    struct slot *best = NULL;
    *len = 0;
    for (int i = 0; i < e->o.slots + e->o.prefixes; i++) {
        struct slot *s = i < e->o.slots ? &e->slots[i] : &e->pins[i - e->o.slots];
        int c = common(s, j);
        if (c > *len) {
            *len = c;
            best = s;
        }
    }
    return best;
}

static struct slot *least_used(struct slot *s, int n)
{
    struct slot *best = NULL;
    for (int i = 0; i < n; i++)
        if (!s[i].job && (!best || s[i].used < best->used)) best = &s[i];
    return best;
}

/* A free slot of which the prompt keeps more than it would throw away; the longest such. */
static struct slot *continued(struct engine *e, const struct engine_job *j, int *len)
{
    struct slot *best = NULL;
    *len = 0;
    for (int i = 0; i < e->o.slots; i++) {
        struct slot *s = &e->slots[i];
        int c = s->job ? 0 : common(s, j);
        if (c > *len && c * 2 > timeline_len(s->t)) {
            *len = c;
            best = s;
        }
    }
    return best;
}

int engine_seat(struct engine *e, struct engine_job *j, struct err *err)
{
    int have, most;
    struct slot *s = continued(e, j, &have), *from = best_source(e, j, &most);
    if (!s || most > have + WORTH_COPYING) {
        s = least_used(e->slots, e->o.slots);
        if (!s) return err_set(err, ERR_INTERNAL, "no slot is free");
        if (!s->t) {
            int rc = timeline_new(e->d, e->o.ctx, e->o.kv, &s->t, err);
            if (rc) return rc;
        }
        have = common(s, j);
        if (from && from != s && most > have + WORTH_COPYING &&
            timeline_copy(s->t, from->t, most, err) == 0) {
            from->used = ++e->clock;
            have = most;
        }
    }
    timeline_cut(s->t, have);
    s->job = j;
    s->used = ++e->clock;
    j->slot = s;
    pthread_mutex_lock(&j->lock);
    j->result.reused_tokens = have;
    pthread_mutex_unlock(&j->lock);
    return 0;
}

/* Is the state that the caller saved that of this prompt? */
static bool load_saved(struct timeline *t, const struct engine_job *j)
{
    return j->saved && timeline_load(t, j->saved, j->n_saved, NULL) == 0 &&
           timeline_common(t, j->ids, j->n_prompt) == j->n_prompt;
}

int engine_pin(struct engine *e, struct engine_job *j, struct err *err)
{
    int n = j->n_prompt, rc = 0;
    struct slot *pin = NULL;
    for (int i = 0; i < e->o.prefixes; i++)
        if (e->pins[i].t && timeline_len(e->pins[i].t) == n &&
            timeline_common(e->pins[i].t, j->ids, n) == n)
            pin = &e->pins[i];
    if (!pin) {
        pin = least_used(e->pins, e->o.prefixes);
        timeline_free(pin->t);
        pin->t = NULL;
        if ((rc = timeline_new(e->d, n, e->o.kv, &pin->t, err))) return rc;
        if (j->slot) rc = timeline_copy(pin->t, j->slot->t, n, err);
        else if (!load_saved(pin->t, j)) rc = ERR_NOTFOUND;
        if (rc) {
            timeline_free(pin->t);
            pin->t = NULL;
            return rc;
        }
    }
    pin->used = ++e->clock;
    return j->save ? timeline_save(pin->t, n, j->save, err) : 0;
}
