/* What a dry run of likeness add tells: each source that would come in with its people, dates and
 * languages, and which of the people the list of them would join. */
#include "cli/cli.h"

#include "base/clock.h"
#include "persona/preview.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_SOURCES  30
#define SHOWN_SPEAKERS 6
#define SHOWN_JOINS    20

static bool joined(const struct person *p) { return p->messages && p->n_parts > 1; }

/* ---- text ---- */

static void say_speakers(const struct preview_source *s)
{
    struct buf b = BUF_INIT(0);
    char n[32];
    for (size_t i = 0; i < s->n_speakers && i < SHOWN_SPEAKERS; i++) {
        const struct preview_speaker *w = &s->speaker[i];
        const char *name = *w->name ? w->name : *w->id ? w->id : "(nobody is named)";
        buf_printf(&b, "%s%s %s%s", i ? ", " : "", name, ui_number(w->messages, n),
                   w->persona ? " (the persona)" : "");
    }
    uint64_t more = s->more_speakers;
    if (s->n_speakers > SHOWN_SPEAKERS) more += s->n_speakers - SHOWN_SPEAKERS;
    if (more) buf_printf(&b, " and %s more", ui_number(more, n));
    if (b.n) ui_line(UI_DIM, 6, "    by %s", buf_str(&b));
    buf_free(&b);
}

void say_tongues(struct buf *out, const struct tongue_count *c, size_t n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) all += c[i].pieces;
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s %d %%", i ? ", " : "", *c[i].code ? c[i].code : "too short to tell",
                   (int)((c[i].pieces * 200 / all + 1) / 2));
}

static void say_languages(const struct preview_source *s)
{
    struct buf b = BUF_INIT(0);
    say_tongues(&b, s->language, s->n_languages);
    if (b.n) ui_line(UI_DIM, 6, "    in %s", buf_str(&b));
    buf_free(&b);
}

static void say_source(const struct preview_source *s)
{
    struct buf b = BUF_INIT(0);
    char n[64], v[32], span[64];
    buf_printf(&b, "  %s (%s): %s, %s own", s->title, s->format,
               ui_count(s->pieces, "piece", "pieces", n), ui_number(s->voice, v));
    if (s->from != CLOCK_NONE) buf_printf(&b, ", %s", ui_span(s->from, s->to, span));
    if (s->known) buf_printf(&b, "; %s known already", ui_number(s->known, v));
    ui_line(UI_PLAIN, 4, "%s", buf_str(&b));
    buf_free(&b);
    if (!s->pieces) return;
    say_speakers(s);
    say_languages(s);
}

static void add_texts(struct buf *b, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) buf_printf(b, "%s%s", b->n ? " = " : "", list[i]);
}

static void say_join(const struct person *p)
{
    struct buf b = BUF_INIT(0);
    char n[64];
    add_texts(&b, p->names, p->n_names);
    add_texts(&b, p->ids, p->n_ids);
    ui_line(UI_PLAIN, 4, "  %s: %s%s", buf_str(&b), ui_count(p->messages, "message", "messages", n),
            p->likely ? " (by the name alone: likely)" : "");
    buf_free(&b);
}

static int largest_first(const void *a, const void *b)
{
    const struct preview_source *x = *(const struct preview_source *const *)a,
                                *y = *(const struct preview_source *const *)b;
    if (x->pieces != y->pieces) return x->pieces > y->pieces ? -1 : 1;
    return x < y ? -1 : x > y;
}

void print_coming(const struct ingest_preview *v)
{
    const struct preview_source **by_size = calloc(v->n + 1, sizeof *by_size);
    char n[64];
    size_t joins = 0;
    for (size_t i = 0; by_size && i < v->n; i++) by_size[i] = &v->source[i];
    if (by_size) qsort(by_size, v->n, sizeof *by_size, largest_first);
    if (v->n) ui_styled(UI_BOLD, "Would come in, as %s:\n", ui_count(v->n, "source", "sources", n));
    for (size_t i = 0; by_size && i < v->n && i < SHOWN_SOURCES; i++) say_source(by_size[i]);
    if (v->n > SHOWN_SOURCES)
        ui_printf("  and %s more; --json lists all\n", ui_number(v->n - SHOWN_SOURCES, n));
    for (size_t i = 0; i < v->people->n; i++) {
        const struct person *p = &v->people->p[i];
        if (!joined(p) || joins++ >= SHOWN_JOINS) continue;
        if (joins == 1) ui_styled(UI_BOLD, "Would be taken for one person:\n");
        say_join(p);
    }
    if (joins > SHOWN_JOINS) ui_printf("  and %s more\n", ui_number(joins - SHOWN_JOINS, n));
    free(by_size);
}
