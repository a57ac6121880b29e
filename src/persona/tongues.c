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

struct body {
    int64_t source, from, to;
    char *text;
};

struct saving {
    const struct tongues *t;
    struct body *b;
    size_t n, cap;
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
    size_t n = tongues_of(s->t, r->id, c);
    if (!n) return 0;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct body *grown = realloc(s->b, cap * sizeof *grown);
        if (!grown) return err_nomem(s->err);
        s->b = grown;
        s->cap = cap;
    }
    char *text = with_counts(r, c, n);
    if (!text) return err_nomem(s->err);
    s->b[s->n++] = (struct body){ r->id, r->from, r->to, text };
    return 0;
}

int tongues_save(const struct tongues *t, struct home *h, const struct persona *p, struct err *err)
{
    struct saving s = { .t = t, .err = err };
    int rc = t->n.n ? store_source_each(h->store, &p->seal, 0, note_body, &s, err) : 0;
    for (size_t i = 0; i < s.n; i++) {
        struct row_source r = { .id = s.b[i].source,
                                .from = s.b[i].from,
                                .to = s.b[i].to,
                                .body = s.b[i].text,
                                .body_n = strlen(s.b[i].text) };
        if (!rc) rc = store_source_put(h->store, &p->seal, &r, err);
        free(s.b[i].text);
    }
    free(s.b);
    return rc;
}
