/* What to do next: questions worth asking, and what is missing where there is nothing to answer
 * from.
 *
 * A suggested question is made from a topic of the persona, asked at once, and shown only when the
 * persona answers it, so that the first thing a new user types
 * works. */
#include "cli/cli.h"

#include "base/str.h"
#include "persona/source.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int topics_of(struct cli *c, struct topics *ts, struct err *err)
{
    struct buf doc = BUF_INIT(0);
    int rc = store_doc_get(c->home->store, &c->persona->seal, "topics", &doc, err);
    if (rc == ERR_NOTFOUND) rc = 0;
    else if (!rc) rc = topics_load(buf_str(&doc), doc.n, ts, err);
    buf_free(&doc);
    return rc;
}

/* ---- questions to begin with ---- */

/* May it stand in a question in double quotes, in any shell? */
static bool askable(const char *s)
{
    size_t n = strlen(s);
    if (n < 3 || n > 40 || strpbrk(s, "\"$`\\!?")) return false;
    for (const char *p = s; *p; p++)
        if (isdigit((unsigned char)*p)) return false;
    return true;
}

/* Days and months are written like names, and nobody has much to say of them. */
static bool calendar_word(const char *s)
{
    static const char words[] = " monday tuesday wednesday thursday friday saturday sunday january "
                                "february march april may june july august september october "
                                "november december ";
    char word[48];
    snprintf(word, sizeof word, " %s ", s);
    return strcasestr(words, word) != NULL;
}

/* Key phrases are of every part of speech. That one is a noun shows where the persona puts an
 * article before it: "the kettle", "my brother". Then it is asked after as they would say
 * it. */
static bool with_article(const char *sentence, const char *phrase, char out[HINT_BYTES])
{
    static const struct {
        const char *said, *asked;
    } article[] = {
        { "my ", "your " },
        { "our ", "your " },
        { "the ", "the " },
    };
    size_t n = strlen(phrase);
    const char *end = sentence + strlen(sentence);
    for (const char *at = sentence; (at = strcasestr(at, phrase)); at++) {
        if (at + n < end && (isalnum((unsigned char)at[n]) || at[n] == '-')) continue;
        for (size_t i = 0; i < sizeof article / sizeof *article; i++) {
            size_t k = strlen(article[i].said);
            bool fits = (size_t)(at - sentence) >= k && !strncasecmp(at - k, article[i].said, k) &&
                        (at - k == sentence || at[-(ptrdiff_t)k - 1] == ' ');
            if (fits) return snprintf(out, HINT_BYTES, "%s%s", article[i].asked, phrase) > 0;
        }
    }
    return false;
}

/* How the persona's own answer shows that the phrase can be asked after; false: it cannot. */
static bool named(const struct answer *a, const char *phrase, char out[HINT_BYTES])
{
    size_t n = strlen(phrase);
    bool many = n > 4 && phrase[n - 1] == 's' && phrase[n - 2] != 's' && !strchr(phrase, ' ');
    for (size_t i = 0; i < a->n_cites; i++)
        if (with_article(a->cite[i].sentence, phrase, out)) return true;
    if (!a->n_cites || calendar_word(phrase)) return false;
    const char *at = strstr(a->cite[0].sentence, phrase);
    bool name = at && at > a->cite[0].sentence;
    for (const char *p = phrase; p; p = strchr(p, ' ')) {
        p += *p == ' ';
        name = name && isupper((unsigned char)*p);
    }
    return (name || (many && at)) && snprintf(out, HINT_BYTES, "%s", phrase) > 0;
}

static int ask_once(struct retriever *r, const char *voice, const char *of, char q[HINT_BYTES],
                    struct answer *a)
{
    struct conversation *v = NULL;
    snprintf(q, HINT_BYTES, "What do you think of %.90s?", of);
    int rc = conversation_open(r, voice, 0, false, &v, NULL);
    if (!rc) rc = conversation_ask(v, q, NULL, a, NULL, NULL);
    conversation_close(v);
    return rc;
}

/* The first phrase of the topic that is a thing, and of which the persona has something to say. */
static bool question_on(struct retriever *r, const char *voice, const struct topic *t,
                        char out[HINT_BYTES])
{
    for (size_t i = 0; i < t->n_phrases && i < 5; i++) {
        struct answer a = { 0 };
        char thing[HINT_BYTES];
        bool good = askable(t->phrases[i]) && !ask_once(r, voice, t->phrases[i], out, &a) &&
                    a.kind != ANSWER_NONE && named(&a, t->phrases[i], thing);
        answer_clear(&a);
        a = (struct answer){ 0 };
        good = good && !ask_once(r, voice, thing, out, &a) && a.kind != ANSWER_NONE;
        answer_clear(&a);
        if (good) return true;
    }
    return false;
}

size_t hint_questions(struct cli *c, struct retriever *r, char out[][HINT_BYTES], size_t cap)
{
    struct retriever *own = NULL;
    struct topics ts = { 0 };
    size_t n = 0;
    if (!topics_of(c, &ts, NULL) && ts.n && !r && !retriever_open(c->home, c->persona, &own, NULL))
        r = own;
    for (size_t i = 0; r && i < ts.n && i < 12 && n < cap; i++)
        n += question_on(r, set_str(c, SET_VOICE), &ts.t[i], out[n]);
    retriever_close(own);
    topics_clear(&ts);
    return n;
}

/* ---- nothing to answer from ---- */

bool hint_nothing(struct cli *c)
{
    struct persona_counts n = { 0 };
    if (persona_counts(c->home, c->persona, &n, NULL) || n.voice) return false;
    if (!n.pieces) ui_note("Nothing has come in yet. Next: likeness add FILE...");
    else
        ui_note(
            "Nothing that came in is in the persona's voice. `likeness add --who FILE` lists who "
            "writes in a file; `likeness me \"NAME,MAIL,PHONE\"` says which of them it is.");
    return true;
}

static int seen(void *ud, const struct source *s)
{
    *(bool *)ud = true;
    return 0;
}

int query_check(struct cli *c, const struct query *q, struct err *err)
{
    struct topics ts = { 0 };
    bool there = false;
    int rc = 0;
    if (q->source) rc = source_each(c->home, c->persona, q->source, seen, &there, err);
    if (!rc && q->source && !there)
        return err_set(err, ERR_NOTFOUND, "there is no source %lld: `likeness sources` lists them",
                       (long long)q->source);
    if (rc || q->topic < 0) return rc;
    if ((rc = topics_of(c, &ts, err))) return rc;
    there = false;
    for (size_t i = 0; i < ts.n; i++) there |= ts.t[i].id == q->topic;
    topics_clear(&ts);
    if (there) return 0;
    return err_set(err, ERR_NOTFOUND, "there is no topic %d: `likeness topics` lists them",
                   (int)q->topic);
}
