/* The sealed document "topics": {"v":1, "dim":384, "topics":[{"id", "label", "chunks", "phrases",
 * "centre"}]}.
 *
 * Centres are written with %.9g, which gives back every float exactly. Jansson would print doubles
 * of 17 digits, four times the bytes; so centres are written by hand and read by jansson. A
 * document that was sealed by us is still checked like any input: a centre of another length or
 * with a number that is none is damage, not a crash. */
#include "persona/topic_impl.h"

#include "base/str.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 1024
#define DIM_MAX    65536

static int put_string(struct buf *out, const char *s)
{
    json_t *j = json_string(s);
    char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
    json_decref(j);
    if (!text) return ERR_NOMEM;
    buf_adds(out, text);
    free(text);
    return 0;
}

int topics_save(const struct topics *ts, struct buf *json, struct err *err)
{
    int rc = 0;
    buf_printf(json, "{\"v\":1,\"dim\":%d,\"topics\":[", ts->dim);
    for (size_t i = 0; i < ts->n && !rc; i++) {
        const struct topic *t = &ts->t[i];
        buf_printf(json, "%s{\"id\":%d,\"chunks\":%u,\"label\":", i ? "," : "", (int)t->id,
                   (unsigned)t->chunks);
        rc = put_string(json, t->label ? t->label : "");
        buf_adds(json, ",\"phrases\":[");
        for (size_t k = 0; k < t->n_phrases && !rc; k++) {
            if (k) buf_addc(json, ',');
            rc = put_string(json, t->phrases[k]);
        }
        buf_adds(json, "],\"centre\":[");
        for (int d = 0; d < ts->dim; d++)
            buf_printf(json, "%s%.9g", d ? "," : "", (double)t->centre[d]);
        buf_adds(json, "]}");
    }
    buf_adds(json, "]}");
    return rc || json->failed ? err_nomem(err) : 0;
}

static int read_topic(const json_t *j, int dim, int32_t id, struct topic *t)
{
    const json_t *centre = json_object_get(j, "centre"), *ph = json_object_get(j, "phrases");
    const char *label = json_string_value(json_object_get(j, "label"));
    json_int_t chunks = json_integer_value(json_object_get(j, "chunks"));
    if (!label || json_array_size(centre) != (size_t)dim) return ERR_PARSE;
    if (json_integer_value(json_object_get(j, "id")) != id) return ERR_PARSE;
    t->id = id;
    t->chunks = chunks > 0 && chunks < UINT32_MAX ? (uint32_t)chunks : 0;
    t->label = str_dup(label);
    t->centre = malloc((size_t)dim * sizeof *t->centre);
    if (!t->label || !t->centre) return ERR_NOMEM;
    for (int d = 0; d < dim; d++) {
        const json_t *v = json_array_get(centre, (size_t)d);
        if (!json_is_number(v)) return ERR_PARSE;
        t->centre[d] = (float)json_number_value(v);
        if (!isfinite(t->centre[d])) return ERR_PARSE;
    }
    for (size_t k = 0;
         k < json_array_size(ph) && t->n_phrases < sizeof t->phrases / sizeof *t->phrases; k++) {
        const char *s = json_string_value(json_array_get(ph, k));
        if (!s) continue;
        if (!(t->phrases[t->n_phrases] = str_dup(s))) return ERR_NOMEM;
        t->n_phrases++;
    }
    return 0;
}

int topics_load(const char *json, size_t n, struct topics *out, struct err *err)
{
    json_t *j = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *a = json_object_get(j, "topics");
    json_int_t dim = json_integer_value(json_object_get(j, "dim"));
    size_t k = json_array_size(a);
    int rc = json_is_array(a) && dim >= 0 && dim <= DIM_MAX && k <= TOPICS_MAX && (dim || !k)
                 ? 0
                 : ERR_PARSE;
    *out = (struct topics){ .dim = (int)dim };
    if (!rc && !(out->t = calloc(k ? k : 1, sizeof *out->t))) rc = ERR_NOMEM;
    for (size_t i = 0; i < k && !rc; i++) {
        rc = read_topic(json_array_get(a, i), (int)dim, (int32_t)i, &out->t[i]);
        out->n = i + 1;
    }
    json_decref(j);
    if (!rc) return 0;
    topics_clear(out);
    if (rc == ERR_NOMEM) return err_nomem(err);
    return err_set(err, ERR_PARSE,
                   "the list of topics is damaged: run `likeness doctor` to make it anew");
}
