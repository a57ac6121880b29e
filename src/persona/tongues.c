/* Counts of languages. Codes are few and stand in lang.c for ever, so they are kept as they come.
 */
#include "persona/tongues.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int tongues_add(struct tongues *t, int64_t source, const char *code)
{
    size_t i = 0;
    while (i < t->n_codes && strcmp(t->code[i], code)) i++;
    if (i == TONGUES_MAX) return 0;
    if (i == t->n_codes) t->code[t->n_codes++] = code;
    uint64_t *n = map_slot(&t->n, (uint64_t)source << 8 | i);
    if (!n) return ERR_NOMEM;
    ++*n;
    return 0;
}

void tongues_clear(struct tongues *t) { map_free(&t->n); }

static int most_first(const void *a, const void *b)
{
    const struct tongue_count *x = a, *y = b;
    if (!*x->code != !*y->code) return *x->code ? -1 : 1; /* what was not told comes last */
    if (x->pieces != y->pieces) return x->pieces > y->pieces ? -1 : 1;
    return strcmp(x->code, y->code);
}

size_t tongues_of(const struct tongues *t, int64_t source, struct tongue_count *out)
{
    size_t k = 0;
    for (size_t i = 0; i < t->n_codes; i++) {
        const uint64_t *n = map_get(&t->n, (uint64_t)source << 8 | i);
        if (n && *n) out[k++] = (struct tongue_count){ t->code[i], *n };
    }
    if (k) qsort(out, k, sizeof *out, most_first);
    return k;
}

size_t tongues_read(const json_t *body, struct tongue_count *out)
{
    size_t k = 0;
    const char *code;
    json_t *n;
    json_object_foreach(json_object_get(body, "languages"), code,
                        n) if (k < TONGUES_MAX && json_integer_value(n) > 0) out[k++] =
        (struct tongue_count){ code, (uint64_t)json_integer_value(n) };
    if (k) qsort(out, k, sizeof *out, most_first);
    return k;
}

/* ---- into the bodies of sources ---- */

struct saving { /* of one source */
    const struct tongues *t;
    struct row_source row;
    char *body; /* with the counts; NULL: nothing to add */
    struct err *err;
};

static char *with_counts(const struct row_source *r, const struct tongue_count *c, size_t n)
{
    json_t *o = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    json_t *all = json_object_get(o, "languages");
    if (o && !json_is_object(all)) json_object_set_new(o, "languages", all = json_object());
    for (size_t i = 0; i < n; i++) {
        json_int_t had = json_integer_value(json_object_get(all, c[i].code));
        json_object_set_new(all, c[i].code, json_integer(had + (json_int_t)c[i].pieces));
    }
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

/* Rows of the table that is read cannot be written meanwhile. */
static int note_body(void *ud, const struct row_source *r)
{
    struct saving *s = ud;
    struct tongue_count c[TONGUES_MAX];
    s->row = *r;
    s->body = with_counts(r, c, tongues_of(s->t, r->id, c));
    return s->body ? 0 : err_nomem(s->err);
}

static int save_one(const struct tongues *t, int64_t source, struct home *h,
                    const struct persona *p, struct err *err)
{
    struct saving s = { .t = t, .err = err };
    int rc = store_source_each(h->store, &p->seal, source, note_body, &s, err);
    if (!rc && s.body) {
        s.row.body = s.body;
        s.row.body_n = strlen(s.body);
        rc = store_source_put(h->store, &p->seal, &s.row, err);
    }
    free(s.body);
    return rc;
}

int tongues_save(const struct tongues *t, struct home *h, const struct persona *p, struct err *err)
{
    struct map done = { 0 };
    int rc = 0;
    for (size_t i = 0; !rc && (i = map_iter(&t->n, i));) {
        uint64_t source = t->n.e[i - 1].key >> 8, *slot = map_slot(&done, source);
        if (!slot) rc = err_nomem(err);
        if (!slot || *slot) continue;
        *slot = 1;
        rc = save_one(t, (int64_t)source, h, p, err);
    }
    map_free(&done);
    return rc;
}
