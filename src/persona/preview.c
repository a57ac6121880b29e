/* A dry run's account of what it saw.
 *
 * Sources are those that ingest would make or grow: a chat each, else a file each. People are
 * counted and joined by the very code that does it for what is stored (people.c), with the people
 * that are stored already beside them, so that what is shown is what would come of it. */
#include "persona/preview.h"

#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define SPEAKERS_MAX 200000 /* of all sources */
#define SOURCES_MAX  100000

struct seen { /* a speaker of a source */
    struct preview_speaker s;
    uint32_t source;
};

struct preview {
    struct arena *mem;
    struct home *home;
    const struct persona *persona;
    struct people_counter *counter;
    struct preview_source *source;
    struct seen *seen;
    size_t n, cap, n_seen, cap_seen;
    struct map at;          /* key of a source -> index + 1 */
    struct map speakers;    /* hash of source, author and id -> index + 1 */
    struct tongues tongues; /* by index */
    struct people people;
};

struct preview *preview_new(struct home *h, const struct persona *p, struct err *err)
{
    struct preview *v = calloc(1, sizeof *v);
    if (!v || !(v->mem = arena_new(0))) {
        free(v);
        err_nomem(err);
        return NULL;
    }
    v->home = h;
    v->persona = p;
    if ((v->counter = people_counter_new(h, p, err))) {
        people_counter_writers(v->counter);
        return v;
    }
    preview_free(v);
    return NULL;
}

void preview_free(struct preview *v)
{
    if (!v) return;
    people_counter_free(v->counter);
    people_free(&v->people);
    map_free(&v->at);
    map_free(&v->speakers);
    tongues_clear(&v->tongues);
    free(v->source);
    free(v->seen);
    arena_free(v->mem);
    free(v);
}

/* Sources count from -1 down here, apart from those that are stored. */
static int64_t number_of(size_t index) { return -1 - (int64_t)index; }

static int source_at(struct preview *v, const struct preview_at *at, size_t *out)
{
    uint64_t *slot = map_slot(&v->at, at->key);
    if (!slot) return ERR_NOMEM;
    if (!*slot && v->n < SOURCES_MAX) {
        if (v->n == v->cap) {
            size_t cap = v->cap ? v->cap * 2 : 64;
            struct preview_source *grown = realloc(v->source, cap * sizeof *grown);
            if (!grown) return ERR_NOMEM;
            v->source = grown;
            v->cap = cap;
        }
        struct preview_source s = { .title = arena_strndup(v->mem, at->title, at->title_n),
                                    .format = arena_strdup(v->mem, at->format),
                                    .path = arena_strdup(v->mem, at->path),
                                    .from = CLOCK_NONE,
                                    .to = CLOCK_NONE };
        if (!s.title || !s.format || !s.path ||
            people_counter_source(v->counter, number_of(v->n), s.format))
            return ERR_NOMEM;
        v->source[v->n++] = s;
        *slot = v->n;
    }
    *out = (size_t)*slot;
    return 0;
}

static int speaker_at(struct preview *v, uint32_t source, const struct piece *p, bool voice)
{
    uint64_t h = hash64(p->author, strlen(p->author), source);
    uint64_t *slot = map_slot(&v->speakers, hash64(p->author_id, strlen(p->author_id), h));
    if (!slot) return ERR_NOMEM;
    if (!*slot) {
        if (v->n_seen == SPEAKERS_MAX) {
            v->source[source].more_speakers++;
            return 0;
        }
        if (v->n_seen == v->cap_seen) {
            size_t cap = v->cap_seen ? v->cap_seen * 2 : 256;
            struct seen *grown = realloc(v->seen, cap * sizeof *grown);
            if (!grown) return ERR_NOMEM;
            v->seen = grown;
            v->cap_seen = cap;
        }
        struct preview_speaker s = { .name = arena_strdup(v->mem, p->author),
                                     .id = arena_strdup(v->mem, p->author_id),
                                     .persona = voice };
        if (!s.name || !s.id) return ERR_NOMEM;
        v->seen[v->n_seen++] = (struct seen){ s, source };
        *slot = v->n_seen;
    }
    v->seen[*slot - 1].s.messages++;
    return 0;
}

int preview_add(struct preview *v, const struct preview_at *at, const struct piece *p, bool voice,
                bool known)
{
    size_t i;
    int rc = source_at(v, at, &i);
    if (rc || !i) return rc;
    struct preview_source *s = &v->source[i - 1];
    if (known) {
        s->known++;
        return 0;
    }
    bool same = strlen(s->title) == at->title_n && !memcmp(s->title, at->title, at->title_n);
    if (!same && at->several && strcmp(s->title, at->several) != 0 &&
        !(s->title = arena_strdup(v->mem, at->several)))
        return ERR_NOMEM;
    s->pieces++;
    s->voice += voice;
    if (p->written_at != CLOCK_NONE) {
        if (s->from == CLOCK_NONE || p->written_at < s->from) s->from = p->written_at;
        if (s->to == CLOCK_NONE || p->written_at > s->to) s->to = p->written_at;
    }
    if (tongues_add(&v->tongues, (int64_t)i, p->lang)) return ERR_NOMEM;
    rc = people_count(v->counter, number_of(i - 1), voice, p);
    return rc ? rc : speaker_at(v, (uint32_t)(i - 1), p, voice);
}

static int by_source(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->s.messages != y->s.messages) return x->s.messages > y->s.messages ? -1 : 1;
    int c = strcmp(x->s.name, y->s.name);
    return c ? c : strcmp(x->s.id, y->s.id);
}

/* Each source gets its part of all speakers. */
static int share_out(struct preview *v)
{
    struct preview_speaker *all = arena_alloc(v->mem, (v->n_seen + 1) * sizeof *all);
    if (!all) return ERR_NOMEM;
    if (v->n_seen) qsort(v->seen, v->n_seen, sizeof *v->seen, by_source);
    for (size_t i = 0; i < v->n_seen; i++) {
        struct preview_source *s = &v->source[v->seen[i].source];
        all[i] = v->seen[i].s;
        if (s->n_speakers == PREVIEW_SPEAKERS) {
            s->more_speakers++;
            continue;
        }
        if (!s->n_speakers++) s->speaker = &all[i];
    }
    return 0;
}

static int count_languages(struct preview *v)
{
    struct tongue_count c[TONGUES_MAX];
    for (size_t i = 0; i < v->n; i++) {
        size_t n = tongues_of(&v->tongues, (int64_t)i + 1, c);
        struct preview_source *s = &v->source[i];
        if (!(s->language = arena_alloc(v->mem, (n + 1) * sizeof *c))) return ERR_NOMEM;
        memcpy(s->language, c, n * sizeof *c);
        s->n_languages = n;
    }
    return 0;
}

int preview_end(struct preview *v, struct ingest_preview *out, struct err *err)
{
    int rc = share_out(v) || count_languages(v) ? err_nomem(err) : 0;
    if (!rc) rc = people_foretell(v->counter, v->home, &v->people, err);
    *out = (struct ingest_preview){ v->source, v->n, &v->people };
    return rc;
}
