/* Asking. A desk is taken for as long as the question takes, the conversation is opened at it, and
 * the turn is saved through the writer.
 *
 * What somebody with the right to chat, and no more, gets: the answer with its parts, and which of
 * them are the person's own words; not what it rests on (titles, dates, sentences around it,
 * numbers of sources), and no passages. In a quoting voice the answer is made of the person's
 * sentences: who shares a persona for chatting lets them be quoted, a sentence at a time and as an
 * answer, and that is what such a share says. It cannot list, search or page through them.
 *
 * Below the right to manage, other people's names and addresses are pseudonyms in all of it,
 * streamed or not, unless the persona is set otherwise (persona_mask_shares); veil.c sees to other
 * replies.
 *
 * A conversation belongs to the account that began it; others who share the persona, its owner too,
 * do not read it (converse.h). A request's filters that name a source or a topic need the right to
 * read, as they would tell what there is.
 *
 * A client that leaves is noticed where the voice speaks: stream and socket say so when they are
 * written to, a request for one reply is looked after now and then (call_gone). The voice then
 * stops, and with it the model's work. */
#include "http/asking.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "persona/converse.h"
#include "persona/native.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define DESK_MS       10000 /* how long a question waits for a desk */
#define NUMBER_DIGITS 5     /* of one that may be somebody's: fewer are years, ages, prices */
#define SPACES        " \t\r\n"

struct speaking {
    struct call *c;
    struct stream *stream;
    char carry[4]; /* the beginning of a character whose end has not come yet */
    size_t n_carry;
    bool spoke;
};

static int send_json(struct speaking *s, json_t *j)
{
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!text) return ERR_NOMEM;
    int rc = s->stream ? stream_send(s->stream, NULL, text, strlen(text))
                       : socket_send(s->c->socket, text, strlen(text));
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

/* Bytes at the end of s that begin a character and do not end it. */
static size_t open_end(const char *s, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char ch = (unsigned char)s[n - back];
        if (ch < 0x80) return 0;
        if (ch < 0xC0) continue;
        size_t whole = ch >= 0xF0 ? 4 : ch >= 0xE0 ? 3 : 2;
        return whole > back ? back : 0;
    }
    return 0;
}

static int send_delta(struct speaking *s, const char *p, size_t n)
{
    struct buf b = BUF_INIT(0);
    buf_add(&b, s->carry, s->n_carry);
    buf_add(&b, p, n);
    if (b.failed) return ERR_NOMEM;
    s->n_carry = open_end(buf_str(&b), b.n);
    memcpy(s->carry, buf_str(&b) + b.n - s->n_carry, s->n_carry);
    size_t whole = b.n - s->n_carry;
    b.p[whole] = 0;
    int rc = whole ? send_json(s, json_pack("{s:o}", "delta", json_mended(b.p))) : 0;
    s->spoke |= whole > 0;
    buf_free(&b);
    return rc;
}

/* The voice speaks, or is alive: is anybody there? */
static int said(void *ud, const char *p, size_t n)
{
    struct speaking *s = ud;
    bool lives = s->stream || s->c->socket;
    if (lives && n) return send_delta(s, p, n);
    return s->stream ? stream_gone(s->stream) : call_gone(s->c);
}

static int choose_voice(const struct call *c, const char *name, const char **out, struct err *err)
{
    const struct world *w = c->world;
    *out = name ? name : w->voice;
    bool known = !strcmp(*out, "quote") || (w->model && !strcmp(*out, "native")) ||
                 (w->remote && !strcmp(*out, "remote"));
    if (known) return 0;
    return err_set(err, ERR_INVAL, "voice: this server answers with quote%s%s",
                   w->model ? ", native" : "", w->remote ? ", remote" : "");
}

struct query asking_query(const struct call *c, const char *text)
{
    struct query q = query_default(text);
    const struct world *w = c->world;
    q.adaptive = w->adaptive;
    q.floor = w->floor;
    q.k = (int)call_int(c, "k", w->k > 0 ? w->k : q.k);
    q.from = call_time(c, "from");
    q.to = call_time(c, "to");
    q.source = call_int(c, "source", 0);
    q.topic = (int32_t)call_int(c, "topic", -1);
    return q;
}

/* Of a word: is it somebody's address or number, or may be? */
static bool is_found_by(const char *s, const char *end)
{
    int digits = 0;
    while (s < end) {
        UChar32 ch = (UChar32)utf8_next(&s, end);
        digits = u_isdigit(ch) ? digits + 1 : 0;
        if (ch == '@' || ch == 0xFF20 || digits == NUMBER_DIGITS) return true;
    }
    return false;
}

const char *asking_words(struct call *c, const struct persona *p, const char *text)
{
    struct buf b = BUF_INIT(0);
    if (!veil_needed(p, c->level)) return text;
    for (const char *s = text; *s;) {
        size_t gap = strspn(s, SPACES), n = strcspn(s + gap, SPACES);
        buf_add(&b, s, gap);
        if (is_found_by(s + gap, s + gap + n)) buf_adds(&b, "\xe2\x80\xa6");
        else buf_add(&b, s + gap, n);
        s += gap + n;
    }
    char *out = b.failed ? NULL : arena_strndup(c->mem, buf_str(&b), b.n);
    buf_free(&b);
    return out;
}

static int may_filter(struct call *c, const struct query *q, struct err *err)
{
    if (c->level >= LEVEL_READ || (!q->source && q->topic < 0)) return 0;
    c->status = 403;
    return err_set(err, ERR_KEY, "source and topic take the right to read the persona");
}

static int answer_at(struct speaking *s, const struct asking *a, const char *voice, struct desk *d,
                     json_t *(*show)(struct call *, const struct asked *), json_t **out,
                     struct err *err)
{
    struct call *c = s->c;
    struct world *w = c->world;
    struct conversation *talk = NULL;
    struct answer answer = { 0 };
    struct passages ps = { 0 };
    struct asked done = { .asking = a, .answer = &answer, .retriever = d->retriever };
    struct voice_making m = { .model = w->model,
                              .remote = w->remote,
                              .sampling = &w->sampling,
                              .max_tokens = w->max_tokens,
                              .strict = a->strict,
                              .account = (uint64_t)c->who.account,
                              .veil = veil_needed(d->persona, c->level),
                              .said = said,
                              .ud = s };
    const char *question = asking_words(c, d->persona, a->question);
    int rc = question ? conversation_open_as(d->retriever, voice, a->conversation, a->save,
                                             c->who.account, &talk, err)
                      : err_nomem(err);
    if (!rc) {
        pool_keep(w->pool, talk);
        conversation_making(talk, &m);
        rc = conversation_ask(talk, question, &a->query, &answer, &done.unsaved, err);
    }
    if (!rc && a->passages) {
        rc = retrieve(d->retriever, &a->query, &ps, err);
        done.passages = &ps;
    }
    if (!rc) {
        done.conversation = conversation_id(talk);
        *out = show(c, &done);
        if (!*out) rc = err_nomem(err);
    }
    if (!rc && (s->stream || c->socket) && !s->spoke &&
        (rc = send_delta(s, answer.text, strlen(answer.text))))
        err_set(err, rc, "the client has left");
    conversation_close(talk);
    answer_clear(&answer);
    passages_clear(&ps);
    return rc;
}

int asking_run(struct call *c, const struct asking *a,
               json_t *(*show)(struct call *, const struct asked *), struct err *err)
{
    struct speaking s = { .c = c };
    struct desk *d;
    const char *voice;
    json_t *out = NULL;
    int rc = choose_voice(c, a->voice, &voice, err);
    if (!rc) rc = may_filter(c, &a->query, err);
    if (!rc && !span_trim(span_of(a->question)).n)
        rc = err_set(err, ERR_INVAL, "the question is empty");
    if (rc) return rc;
    if ((rc = pool_take(c->world->pool, c->persona, DESK_MS, &d, err))) {
        if (rc == ERR_BUSY) c->retry_after = 1;
        return rc;
    }
    if (a->stream) rc = call_events(c, &s.stream, err);
    if (!rc) rc = answer_at(&s, a, voice, d, show, &out, err);
    pool_give(c->world->pool, d);
    c->veiled = true; /* the answer is; what was retrieved beside it is not yet */
    if (!rc && a->passages) rc = veil_json(c, &out, err);
    if (rc) json_decref(out), out = NULL;
    if (!rc && (s.stream || c->socket)) json_object_set_new(out, "done", json_true());
    if (!rc && s.stream) {
        if (send_json(&s, out)) rc = err_set(err, ERR_CANCEL, "the client has left");
    } else if (!rc) {
        c->out = out;
    } else {
        json_decref(out);
    }
    return rc;
}
