/* Records through a pipe; what they are stands in wire.h.
 *
 * Both sides keep one buffer of a record and a bit, so memory is constant. The reader trusts
 * nothing: every length is checked before it is believed, numbers of faults and notes are checked
 * against their lists, and the order of records is checked, so that a caller sees DATA only between
 * BEGIN and END and nothing after DONE. */
#include "media/wire.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM ((size_t)4 * (WIRE_MAX + 5))

static const struct {
    int code;
    const char *text;
} faults[] = {
#define X(name, code, text) { code, text },
    FAULT_LIST(X)
#undef X
};

static const char *const notes[] = {
#define X(name, text) text,
    NOTE_LIST(X)
#undef X
};

int fault_code(enum fault f) { return faults[f].code; }
const char *fault_text(enum fault f) { return faults[f].text; }
const char *note_text(enum note n) { return notes[n]; }

/* ---- reading ---- */

/* At least want bytes from w->at on: 1; the stream ended before: 0. */
static int fill(struct wire_in *w, size_t want, struct err *err)
{
    if (!w->buf && !(w->buf = malloc(ROOM))) return err_nomem(err);
    if (w->n - w->at >= want) return 1;
    memmove(w->buf, w->buf + w->at, w->n - w->at);
    w->n -= w->at;
    w->at = 0;
    while (w->n < want) {
        int rc = w->wait ? w->wait(w->ud, err) : 0;
        if (rc) return rc;
        ssize_t k = read(w->fd, w->buf + w->n, ROOM - w->n);
        if (k < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(err, "cannot read from the helper");
        if (!k) return 0;
        if (k > 0) w->n += (size_t)k;
    }
    return 1;
}

static int out_of_order(const struct wire_in *w, enum wire_type t)
{
    if (t == WIRE_WANT) return w->done;
    if (w->done || (!w->known && t != WIRE_KIND && t != WIRE_FAULT && t != WIRE_DONE)) return 1;
    if (t == WIRE_KIND) return w->known;
    if (t == WIRE_DATA || t == WIRE_END) return !w->begun;
    if (t == WIRE_BEGIN || t == WIRE_NOTE || t == WIRE_DONE) return w->begun;
    return 0;
}

static struct span name_of(struct cursor *c, const char *field)
{
    struct span s = cursor_lstr(c, field);
    if (s.n > WIRE_NAME) cursor_fail(c, field);
    return s;
}

static void decode(struct cursor *c, struct wire_record *r)
{
    switch (r->type) {
    case WIRE_KIND: r->kind = name_of(c, "kind"); break;
    case WIRE_BEGIN:
        r->text = cursor_u8(c, "text mark") != 0;
        r->mtime = (int64_t)cursor_u64(c, "time");
        r->date = (int64_t)cursor_u64(c, "date");
        r->at = cursor_u64(c, "place");
        r->path = name_of(c, "path");
        r->title = name_of(c, "title");
        r->author = name_of(c, "author");
        break;
    case WIRE_DATA: r->bytes = cursor_bytes(c, cursor_left(c), "data"); break;
    case WIRE_END: r->partial = cursor_u8(c, "end mark") != 0; break;
    case WIRE_NOTE: {
        uint8_t k = cursor_u8(c, "note");
        if (k >= NOTE_COUNT) cursor_fail(c, "note");
        else r->note = (enum note)k;
        break;
    }
    case WIRE_AT: r->at = cursor_u64(c, "place"); break;
    case WIRE_WANT:
        r->at = cursor_u64(c, "place");
        r->want = cursor_u32(c, "length wanted");
        if (!r->want || r->want > WIRE_MAX) cursor_fail(c, "length wanted");
        break;
    case WIRE_FAULT: {
        uint8_t k = cursor_u8(c, "fault");
        if (!k || k >= FAULT_COUNT) cursor_fail(c, "fault");
        else r->fault = (enum fault)k;
        break;
    }
    case WIRE_DONE: break;
    default: cursor_fail(c, "type"); return;
    }
    if (cursor_left(c)) cursor_fail(c, "length");
}

int wire_next(struct wire_in *w, struct wire_record *out, struct err *err)
{
    *out = (struct wire_record){ 0 };
    int rc = fill(w, 5, err);
    if (rc <= 0) return rc;
    struct cursor head = cursor_of(w->buf + w->at, 5, "the helper's answer");
    out->type = (enum wire_type)cursor_u8(&head, "type");
    uint32_t n = cursor_u32(&head, "length");
    if (n > WIRE_MAX)
        return err_set(err, ERR_PARSE, "the helper's answer: a record of %u bytes", n);
    rc = fill(w, 5 + (size_t)n, err);
    if (rc <= 0) return rc;
    struct cursor c = cursor_of(w->buf + w->at + 5, n, "the helper's answer");
    decode(&c, out);
    if (!c.bad && out_of_order(w, out->type)) cursor_fail(&c, "order of records");
    if (cursor_check(&c, err)) return ERR_PARSE;
    w->at += 5 + (size_t)n;
    if (out->type == WIRE_KIND) w->known = true;
    if (out->type == WIRE_BEGIN) w->begun = true;
    if (out->type == WIRE_END) w->begun = false;
    if (out->type == WIRE_DONE) w->done = true;
    return 1;
}

void wire_clear(struct wire_in *w)
{
    if (w->buf) explicit_bzero(w->buf, ROOM);
    free(w->buf);
    w->buf = NULL;
}

/* ---- writing ---- */

static void head_of(uint8_t *p, enum wire_type t, size_t n)
{
    p[0] = (uint8_t)t;
    for (int i = 0; i < 4; i++) p[1 + i] = (uint8_t)(n >> (8 * i));
}

static int flush(struct wire_out *w)
{
    if (w->n && !w->failed) {
        head_of(w->buf, WIRE_DATA, w->n);
        w->failed = w->put(w->ud, w->buf, w->n + 5);
    }
    w->n = 0;
    return w->failed;
}

static int send(struct wire_out *w, enum wire_type t, const struct buf *payload)
{
    uint8_t record[5 + 4 * WIRE_NAME];
    size_t n = payload ? payload->n : 0;
    if (flush(w)) return w->failed;
    if ((payload && payload->failed) || n > sizeof record - 5) return w->failed = ERR_NOMEM;
    head_of(record, t, n);
    if (n) memcpy(record + 5, payload->p, n);
    return w->failed = w->put(w->ud, record, n + 5);
}

static int send_byte(struct wire_out *w, enum wire_type t, uint8_t v)
{
    char byte = (char)v;
    return send(w, t, &(struct buf){ .p = &byte, .n = 1 });
}

static void put_name(struct buf *b, const char *s)
{
    size_t n = s ? strnlen(s, WIRE_NAME) : 0;
    buf_lstr(b, s, n < WIRE_NAME / 4 * 3 ? n : WIRE_NAME / 4 * 3);
}

int wire_kind(struct wire_out *w, const char *kind)
{
    struct buf b = BUF_INIT(4 * WIRE_NAME);
    put_name(&b, kind);
    int rc = send(w, WIRE_KIND, &b);
    buf_free(&b);
    return rc;
}

int wire_begin(struct wire_out *w, const struct wire_entry *e)
{
    struct buf b = BUF_INIT(4 * WIRE_NAME);
    buf_u8(&b, e->text);
    buf_u64(&b, (uint64_t)e->mtime);
    buf_u64(&b, (uint64_t)e->date);
    buf_u64(&b, e->at);
    put_name(&b, e->path);
    put_name(&b, e->title);
    put_name(&b, e->author);
    int rc = send(w, WIRE_BEGIN, &b);
    buf_free(&b);
    return rc;
}

int wire_data(struct wire_out *w, const void *p, size_t n)
{
    const uint8_t *s = p;
    while (n && !w->failed) {
        size_t k = WIRE_MAX - w->n < n ? WIRE_MAX - w->n : n;
        memcpy(w->buf + 5 + w->n, s, k);
        w->n += k;
        s += k;
        n -= k;
        if (w->n == WIRE_MAX) flush(w);
    }
    return w->failed;
}

int wire_end(struct wire_out *w, bool partial) { return send_byte(w, WIRE_END, partial); }
int wire_note(struct wire_out *w, enum note n) { return send_byte(w, WIRE_NOTE, (uint8_t)n); }
int wire_fault(struct wire_out *w, enum fault f) { return send_byte(w, WIRE_FAULT, (uint8_t)f); }

int wire_at(struct wire_out *w, uint64_t at)
{
    struct buf b = BUF_INIT(64);
    buf_u64(&b, at);
    int rc = send(w, WIRE_AT, &b);
    buf_free(&b);
    return rc;
}

int wire_want(struct wire_out *w, uint64_t at, uint32_t n)
{
    struct buf b = BUF_INIT(64);
    buf_u64(&b, at);
    buf_u32(&b, n);
    int rc = send(w, WIRE_WANT, &b);
    buf_free(&b);
    return rc;
}

int wire_done(struct wire_out *w) { return send(w, WIRE_DONE, NULL); }
