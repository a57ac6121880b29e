/* What is told of people and of what would come in. A result of a job has a limit, so lists end
 * where their room does, and say how much they left out. */
#include "persona/told.h"

#include "base/err.h"
#include "base/json.h"

static json_t *texts(const char *const *s, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(out, json_mended(s[i]));
    return out;
}

json_t *told_person(const struct person *p)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:b}", "id", p->id,
                     "name", json_mended(p->name), "names", texts(p->names, p->n_names), "ids",
                     texts(p->ids, p->n_ids), "formats", texts(p->formats, p->n_formats),
                     "messages", (json_int_t)p->messages, "answered", (json_int_t)p->answered,
                     "threads", (json_int_t)p->threads, "sources", (json_int_t)p->sources, "from",
                     json_time(p->from), "to", json_time(p->to), "likely", p->likely);
}

json_t *told_tongues(const struct tongue_count *c, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "language", c[i].code, "pieces",
                                              (json_int_t)c[i].pieces));
    return list;
}

int told_add(json_t *list, json_t *one, size_t *room, uint64_t *more)
{
    size_t n = one ? json_dumpb(one, NULL, 0, JSON_COMPACT) + 1 : 0;
    if (!n) return ERR_NOMEM;
    if (n > *room) {
        ++*more;
        json_decref(one);
        return 0;
    }
    *room -= n;
    return json_array_append_new(list, one) ? ERR_NOMEM : 0;
}

static json_t *source(const struct preview_source *s, size_t most)
{
    json_t *speakers = json_array();
    size_t n = s->n_speakers < most ? s->n_speakers : most;
    for (size_t i = 0; i < n; i++) {
        const struct preview_speaker *w = &s->speaker[i];
        json_array_append_new(speakers,
                              json_pack("{s:o, s:o, s:I, s:b}", "name", json_mended(w->name), "id",
                                        json_mended(w->id), "messages", (json_int_t)w->messages,
                                        "persona", w->persona));
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:o}", "title",
                     json_mended(s->title), "format", json_mended(s->format), "path",
                     json_mended(s->path), "pieces", (json_int_t)s->pieces, "known",
                     (json_int_t)s->known, "voice", (json_int_t)s->voice, "from",
                     json_time(s->from), "to", json_time(s->to), "speakers", speakers,
                     "more_speakers", (json_int_t)(s->more_speakers + s->n_speakers - n),
                     "languages", told_tongues(s->language, s->n_languages));
}

json_t *told_sources(const struct ingest_preview *v, size_t speakers, size_t *room, uint64_t *more)
{
    json_t *list = json_array();
    int rc = 0;
    for (size_t i = 0; i < v->n && !rc; i++)
        rc = told_add(list, source(&v->source[i], speakers), room, more);
    if (!rc) return list;
    json_decref(list);
    return NULL;
}

static json_t *join(const struct person *p)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:b}", "name", json_mended(p->name), "names",
                     texts(p->names, p->n_names), "ids", texts(p->ids, p->n_ids), "formats",
                     texts(p->formats, p->n_formats), "messages", (json_int_t)p->messages, "likely",
                     p->likely);
}

json_t *told_joins(const struct ingest_preview *v, size_t *room, uint64_t *more)
{
    json_t *list = json_array();
    int rc = 0;
    for (size_t i = 0; i < v->people->n && !rc; i++) {
        const struct person *p = &v->people->p[i];
        if (p->messages && p->n_parts > 1) rc = told_add(list, join(p), room, more);
    }
    if (!rc) return list;
    json_decref(list);
    return NULL;
}
