/* Personas: new, me, personas, show, rename, forget. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/ingest.h"
#include "persona/told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- new ---- */

struct wanted {
    enum persona_kind kind;
    struct buf by, to;
};

static int kind_from(const char *word, enum persona_kind *k, struct err *err)
{
    *k = persona_kind_parse(word);
    return *k == PERSONA_KIND_COUNT
               ? err_set(err, ERR_INVAL, "the kind is one of self, consented, legacy, fictional")
               : 0;
}

static int ask_kind(enum persona_kind *kind, struct err *err)
{
    struct buf line = BUF_INIT(256);
    int rc;
    fprintf(stderr, "What kind of persona is it?\n");
#define X(id, word, help) fprintf(stderr, "  %-10s %s\n", word, help);
    PERSONA_KINDS(X)
#undef X
    do {
        char word[32];
        if ((rc = ui_ask("Kind [self]: ", &line, err))) break;
        struct span s = span_trim((struct span){ line.p, line.n });
        snprintf(word, sizeof word, "%.*s", s.n > 31 ? 31 : (int)s.n, s.n ? s.p : "");
        *kind = *word ? persona_kind_parse(word) : PERSONA_SELF;
    } while (*kind == PERSONA_KIND_COUNT);
    buf_free(&line);
    return rc;
}

static int ask_line(const char *prompt, struct buf *out, struct err *err)
{
    struct buf line = BUF_INIT(1024);
    int rc;
    do rc = ui_ask(prompt, &line, err);
    while (!rc && !span_trim((struct span){ line.p, line.n }).n);
    if (!rc) {
        struct span s = span_trim((struct span){ line.p, line.n });
        if (buf_add(out, s.p, s.n)) rc = err_nomem(err);
    }
    buf_free(&line);
    return rc;
}

/* For yourself: one question, answered here and now, is the consent. */
static int consent_self(struct cli *c, const char *name, struct wanted *w, struct err *err)
{
    bool given = w->by.n > 0;
    if (!w->to.n) buf_adds(&w->to, "use on this machine");
    if (!w->by.n) buf_adds(&w->by, name);
    if (given || arg_flag(c, "yes")) return 0;
    if (!ui_interactive())
        return err_set(err, ERR_CONSENT,
                       "a persona of yourself needs your consent: --consent-by YOUR-NAME");
    return ui_confirm(
        "Is this you, and do you agree that this persona answers in your words on this machine?",
        err);
}

static int consent_other(struct wanted *w, struct err *err)
{
    static const char *const who[] = {
        [PERSONA_SELF] = "",
        [PERSONA_CONSENTED] = "Who agreed? ",
        [PERSONA_LEGACY] = "Who decides for them, and what are they to them? ",
        [PERSONA_FICTIONAL] = "Who invented this person? ",
    };
    int rc = 0;
    if ((!w->by.n || !w->to.n) && !ui_interactive())
        return err_set(err, ERR_CONSENT,
                       "a persona needs a consent record: who agreed (--consent-by) and to what "
                       "(--consent-to)");
    if (!w->by.n) rc = ask_line(w->kind < PERSONA_KIND_COUNT ? who[w->kind] : "Who? ", &w->by, err);
    if (!rc && !w->to.n) rc = ask_line("To what (for example: use in the family)? ", &w->to, err);
    return rc;
}

static int want(struct cli *c, const char *name, struct wanted *w, struct err *err)
{
    const char *kind = arg_str(c, "kind"), *by = arg_str(c, "consent-by"),
               *to = arg_str(c, "consent-to");
    int rc;
    if (by) buf_adds(&w->by, by);
    if (to) buf_adds(&w->to, to);
    if (kind) rc = kind_from(kind, &w->kind, err);
    else if (ui_interactive()) rc = ask_kind(&w->kind, err);
    else
        rc = err_set(err, ERR_INVAL,
                     "say what kind of persona it is: --kind self, consented, legacy or fictional");
    if (rc) return rc;
    return w->kind == PERSONA_SELF ? consent_self(c, name, w, err) : consent_other(w, err);
}

static json_t *json_persona(const struct persona *p)
{
    json_t *aliases = json_array();
    for (size_t i = 0; i < p->n_aliases; i++)
        json_array_append_new(aliases, json_mended(p->aliases[i]));
    return json_pack("{s:s, s:o, s:s, s:{s:o, s:o, s:o}, s:o, s:o, s:i, s:i, s:s, s:s, s:b, s:b}",
                     "id", p->id, "name", json_mended(p->name), "kind", persona_kind_word(p->kind),
                     "consent", "by", json_mended(p->consent_by), "to", json_mended(p->consent_to),
                     "at", json_time(p->consent_at), "created_at", json_time(p->created_at),
                     "aliases", aliases, "chunk_tokens", p->chunk_tokens, "chunk_overlap",
                     p->chunk_overlap, "embedder", p->embedder, "tokenizer",
                     *p->tokenizer ? p->tokenizer : "words", "stale", p->stale, "mask_shares",
                     p->mask_shares);
}

int cmd_new(struct cli *c, struct err *err)
{
    struct wanted w = { 0 };
    const char *name = c->args.pos[0], *me = arg_str(c, "me");
    const char *counter = set_str(c, SET_CHUNK_TOKENIZER);
    int64_t tokens = set_int(c, SET_CHUNK_TOKENS), overlap = set_int(c, SET_CHUNK_OVERLAP);
    struct buf tokenizer = BUF_INIT(0);
    int rc = 0;
    if (!span_trim(span_of(name)).n)
        rc = err_set(err, ERR_INVAL, "a persona needs a name: likeness new NAME");
    if (!rc && strcmp(counter, "words") != 0) rc = embedder_named(c, counter, &tokenizer, err);
    if (!rc) rc = want(c, name, &w, err);
    if (!rc) {
        struct persona_new n = { .name = name,
                                 .kind = w.kind,
                                 .consent_by = buf_str(&w.by),
                                 .consent_to = buf_str(&w.to),
                                 .consent_at = clock_now(),
                                 .chunk_tokens = (int)tokens,
                                 .chunk_overlap = (int)overlap,
                                 .tokenizer = buf_str(&tokenizer) };
        rc = persona_create(c->home, &n, &c->persona, err);
    }
    if (!rc && me) rc = persona_alias_add(c->home, c->persona, me, err);
    if (!rc && c->json) c->out = json_pack("{s:o}", "persona", json_persona(c->persona));
    else if (!rc) {
        ui_printf("Made %s (%s), persona %s.\n", c->persona->name, persona_kind_word(w.kind),
                  c->persona->id);
        ui_printf("Consent: %s, to %s.\n", buf_str(&w.by), buf_str(&w.to));
        ui_note("Next: likeness add FILE... (a chat export, a mailbox, a folder of notes)");
    }
    buf_free(&tokenizer);
    buf_free(&w.by);
    buf_free(&w.to);
    return rc;
}

int cmd_me(struct cli *c, struct err *err)
{
    size_t before = c->persona->n_aliases;
    bool remove = arg_flag(c, "remove");
    int rc = (remove ? persona_alias_remove : persona_alias_add)(c->home, c->persona,
                                                                 c->args.pos[0], err);
    if (!rc && c->persona->stale) {
        rc = persona_settle(c->home, c->persona, ui_progress_begin(), err);
        ui_progress_end();
    }
    if (rc) return rc;
    if (c->json) c->out = json_pack("{s:o}", "persona", json_persona(c->persona));
    else {
        struct buf b = BUF_INIT(1 << 20);
        char n[64];
        for (size_t i = 0; i < c->persona->n_aliases; i++)
            buf_printf(&b, "%s%s", i ? ", " : "", c->persona->aliases[i]);
        size_t after = c->persona->n_aliases;
        ui_line(UI_PLAIN, 2, "%s %s. %s writes as: %s",
                ui_count(remove ? before - after : after - before, "name", "names", n),
                remove ? "removed" : "added", c->persona->name, b.n ? buf_str(&b) : "(no name)");
        buf_free(&b);
    }
    return 0;
}

/* ---- personas, show ---- */

struct list {
    struct cli *c;
    json_t *out;
    size_t n;
    struct err *err;
};

static json_t *json_counts(const struct persona_counts *n)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "sources", (json_int_t)n->sources, "pieces",
                     (json_int_t)n->pieces, "voice", (json_int_t)n->voice, "chunks",
                     (json_int_t)n->chunks, "from", json_time(n->from), "to", json_time(n->to));
}

static int list_persona(void *ud, const struct persona *p)
{
    struct list *l = ud;
    struct persona_counts n;
    char span[64], s[64], v[64];
    int rc = persona_counts(l->c->home, p, &n, l->err);
    if (rc) return rc;
    l->n++;
    if (l->out) {
        json_t *j = json_persona(p);
        json_object_set_new(j, "counts", json_counts(&n));
        json_array_append_new(l->out, j);
        return 0;
    }
    ui_line(UI_PLAIN, 10, "%s  %s (%s): %s, %s in their voice, %s", p->id, p->name,
            persona_kind_word(p->kind), ui_count(n.sources, "source", "sources", s),
            ui_count(n.voice, "piece", "pieces", v), ui_span(n.from, n.to, span));
    return 0;
}

int cmd_personas(struct cli *c, struct err *err)
{
    struct list l = { c, c->json ? json_array() : NULL, 0, err };
    int rc = persona_each(c->home, list_persona, &l, err);
    if (c->json) c->out = json_pack("{s:o}", "personas", l.out);
    else if (!rc && !l.n) ui_note("There is no persona yet: likeness new NAME --kind self");
    else if (!rc && l.n > 1 && !set_str(c, SET_PERSONA))
        ui_note("Say which one with --persona NAME, or for good: likeness config persona NAME");
    return rc;
}

static void paragraph(const char *title, void (*fn)(const struct profile *, struct buf *),
                      const struct profile *pr)
{
    struct buf b = BUF_INIT(65536);
    fn(pr, &b);
    if (b.n) {
        ui_styled(UI_BOLD, "\n%s\n", title);
        ui_wrap(buf_str(&b), 2);
    }
    buf_free(&b);
}

static void row(const char *title, const char *text)
{
    ui_line(UI_PLAIN, 12, "%-11s %s", title, text);
}

/* Up to and with the end of the first sentence. */
static void first_sentence(void (*fn)(const struct profile *, struct buf *),
                           const struct profile *pr, struct buf *out)
{
    struct buf b = BUF_INIT(65536);
    fn(pr, &b);
    const char *text = buf_str(&b), *end = strstr(text, ". ");
    if (b.n)
        buf_printf(out, "%s%.*s", out->n ? " " : "", end ? (int)(end + 1 - text) : (int)b.n, text);
    buf_free(&b);
}

static void show_topics(struct cli *c)
{
    struct topics ts = { 0 };
    struct buf b = BUF_INIT(65536);
    if (!topics_of(c, &ts, NULL))
        for (size_t i = 0; i < ts.n && i < 5; i++)
            buf_printf(&b, "%s%s", i ? "; " : "", ts.t[i].label);
    if (b.n) row("Topics", buf_str(&b));
    topics_clear(&ts);
    buf_free(&b);
}

static void show_style(const struct profile *pr)
{
    if (!pr->pieces) {
        ui_note("How they write is not known yet: nothing is in their voice.");
        return;
    }
    paragraph("Style", profile_style, pr);
    paragraph("Tone", profile_tone, pr);
    paragraph("Phrases", profile_common_phrases, pr);
    paragraph("Vocabulary", profile_vocabulary, pr);
    paragraph("Sentences", profile_structure, pr);
}

static int add_languages(void *ud, const struct row_source *r)
{
    struct tongue_count c[TONGUES_MAX];
    json_t *all = ud, *body = json_loadb(r->body, r->body_n, 0, NULL);
    size_t n = tongues_read(body, c);
    for (size_t i = 0; i < n; i++) {
        json_int_t had = json_integer_value(json_object_get(all, c[i].code));
        json_object_set_new(all, c[i].code, json_integer(had + (json_int_t)c[i].pieces));
    }
    json_decref(body);
    return 0;
}

/* Of all sources: {"languages": {"en": 120, ...}}, as one source has it. */
static json_t *languages_of(struct cli *c)
{
    json_t *all = json_object();
    store_source_each(c->home->store, &c->persona->seal, 0, add_languages, all, NULL);
    return json_pack("{s:o}", "languages", all);
}

static void show_languages(struct cli *c)
{
    struct tongue_count t[TONGUES_MAX];
    struct buf b = BUF_INIT(4096);
    json_t *all = languages_of(c);
    say_tongues(&b, t, tongues_read(all, t));
    if (b.n) row("Languages", buf_str(&b));
    buf_free(&b);
    json_decref(all);
}

static void show_text(struct cli *c, const struct persona_counts *n, const struct profile *pr)
{
    const struct persona *p = c->persona;
    struct buf b = BUF_INIT(1 << 20);
    char s[64], v[32], o[64], k[64], span[64], date[24];
    ui_styled(UI_BOLD, "%s", p->name);
    ui_printf("  (%s, persona %s, made %s)\n", persona_kind_word(p->kind), p->id,
              clock_date(p->created_at, date));
    buf_printf(&b, "%s, on %s, to: %s", p->consent_by, clock_date(p->consent_at, date),
               p->consent_to);
    row("Consent", buf_str(&b));
    buf_clear(&b);
    for (size_t i = 0; i < p->n_aliases; i++) buf_printf(&b, "%s%s", i ? ", " : "", p->aliases[i]);
    row("Writes as", b.n ? buf_str(&b) : "(not said yet: likeness me \"NAME,MAIL,PHONE\")");
    buf_clear(&b);
    buf_printf(&b, "%s in %s, %s in their voice, %s by others as context",
               ui_count(n->pieces, "piece", "pieces", s),
               ui_count(n->sources, "source", "sources", o), ui_number(n->voice, v),
               ui_number(n->pieces - n->voice, k));
    row("Holds", buf_str(&b));
    row("Written", ui_span(n->from, n->to, span));
    show_languages(c);
    show_topics(c);
    buf_clear(&b);
    if (pr->pieces) first_sentence(profile_style, pr, &b);
    if (pr->pieces) first_sentence(profile_structure, pr, &b);
    if (b.n) row("Style", buf_str(&b));
    buf_clear(&b);
    buf_printf(&b, "%s of %d tokens%s%s, overlap %d; embedder %s%s",
               ui_count(n->chunks, "chunk", "chunks", s), p->chunk_tokens,
               *p->tokenizer ? " of " : "", p->tokenizer, p->chunk_overlap, p->embedder,
               p->stale ? "; not up to date (likeness doctor mends that)" : "");
    row("Index", buf_str(&b));
    buf_free(&b);
    if (pr->pieces && !arg_flag(c, "style"))
        ui_note("How they write at length: likeness show --style");
}

int cmd_show(struct cli *c, struct err *err)
{
    struct persona_counts n;
    struct profile pr = { 0 };
    int rc = cli_open_persona(c, c->args.n_pos ? c->args.pos[0] : NULL, err);
    if (!rc) rc = persona_counts(c->home, c->persona, &n, err);
    if (!rc) rc = profile_of(c->home, c->persona, &pr, err);
    if (!rc && c->json) {
        struct buf doc = BUF_INIT(0);
        json_t *j = json_persona(c->persona), *profile = NULL;
        if (!store_doc_get(c->home->store, &c->persona->seal, "profile", &doc, NULL))
            profile = json_loadb(doc.p, doc.n, 0, NULL);
        json_object_set_new(j, "counts", json_counts(&n));
        struct tongue_count t[TONGUES_MAX];
        json_t *all = languages_of(c);
        json_object_set_new(j, "languages", told_tongues(t, tongues_read(all, t)));
        json_decref(all);
        json_object_set_new(j, "profile", profile ? profile : json_null());
        c->out = json_pack("{s:o}", "persona", j);
        buf_free(&doc);
    } else if (!rc) {
        show_text(c, &n, &pr);
        if (arg_flag(c, "style")) show_style(&pr);
        if (!n.voice) hint_nothing(c);
    }
    profile_clear(&pr);
    return rc;
}

/* ---- rename, forget ---- */

int cmd_rename(struct cli *c, struct err *err)
{
    int rc = cli_open_persona(c, c->args.pos[0], err);
    if (!rc) rc = persona_rename(c->home, c->persona, c->args.pos[1], err);
    if (!rc && c->json) c->out = json_pack("{s:o}", "persona", json_persona(c->persona));
    else if (!rc) ui_printf("Persona %s is now called %s.\n", c->persona->id, c->persona->name);
    return rc;
}

static int confirm_name(const struct persona *p, struct err *err)
{
    struct buf line = BUF_INIT(1024);
    char prompt[640];
    snprintf(prompt, sizeof prompt,
             "This destroys %s and all that is stored of them, for good.\n"
             "Type the name to go on: ",
             p->name);
    int rc = ui_ask(prompt, &line, err);
    if (!rc && !span_eq(span_trim((struct span){ line.p, line.n }), p->name))
        rc = err_set(err, ERR_CANCEL, "that is not the name: nothing was changed");
    buf_free(&line);
    return rc;
}

/* A persona whose key is lost or damaged does not open, but it can be forgotten by its id. */
static int forget_closed(struct cli *c, const char *id, struct err *err)
{
    if (!arg_flag(c, "yes") && !ui_interactive())
        return err_set(err, ERR_INVAL, "forgetting cannot be undone: say --yes");
    int rc = persona_forget(c->home, id, err);
    if (rc) return rc;
    if (c->json) c->out = json_pack("{s:o}", "forgotten", json_mended(id));
    else ui_printf("Forgotten: it could not be opened any more, and now it is gone.\n");
    return 0;
}

static bool looks_like_id(const char *s)
{
    size_t n = strspn(s, "0123456789abcdefABCDEF");
    return !s[n] && n >= 8 && n <= 32;
}

int cmd_forget(struct cli *c, struct err *err)
{
    struct persona_counts n = { 0 };
    char a[64], b[64];
    int rc = cli_open_persona(c, c->args.pos[0], err);
    if (rc == ERR_NOTFOUND && looks_like_id(c->args.pos[0]))
        return forget_closed(c, c->args.pos[0], err);
    if (rc) return rc;
    if (!arg_flag(c, "yes")) {
        if (!ui_interactive())
            return err_set(err, ERR_INVAL, "forgetting cannot be undone: say --yes");
        if ((rc = confirm_name(c->persona, err))) return rc;
    }
    persona_counts(c->home, c->persona, &n, NULL);
    if (c->service) {
        json_t *done = NULL;
        rc = beside_run(c, "forget", json_object(), &done, err);
        json_decref(done);
    } else {
        rc = store_persona_forget(c->home->store, c->persona->seal.id, err);
    }
    if (rc) return rc;
    if (c->json)
        c->out = json_pack("{s:s, s:o}", "forgotten", c->persona->id, "counts", json_counts(&n));
    else
        ui_printf("Forgotten: the key is destroyed, and %s with %s are gone.\n",
                  ui_count(n.sources, "source", "sources", a),
                  ui_count(n.pieces, "piece", "pieces", b));
    return 0;
}
