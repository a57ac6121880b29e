/* A piece comes in: is it known, is it the persona's, where does it go?
 *
 * A piece is known by a keyed digest of what makes it itself: a mail by its Message-ID; a chat
 * message by author, time, text and its count among equals (two "ok" in one minute are two
 * messages); a document by title, text and time, unless that time is only the file's own. The
 * digest is unique in the store, so a race or a repeat cannot store a piece twice. Exports of one
 * chat by two programs differ in that: they are told by most of their messages being alike
 * (again.c), and then only what is not there yet comes in. */
#include "base/str.h"
#include "persona/ingest_impl.h"
#include "persona/leave_out.h"
#include "text/lang.h"

#include <string.h>

#define VOICES_MAX 65536 /* authors whose answer to "is it the persona?" is kept */

/* ---- identity ---- */

static void identity(const struct job *j, const struct piece *p, struct buf *b)
{
    int64_t when = p->written_at;
    buf_u8(b, (uint8_t)p->kind);
    if ((p->same && *p->same) || (p->kind == PIECE_MAIL && *p->id)) {
        buf_adds(b, p->same && *p->same ? p->same : p->id);
        return;
    }
    if (p->kind == PIECE_DOC && when == j->file.mtime) when = CLOCK_NONE;
    buf_u64(b, (uint64_t)when);
    buf_lstr(b, p->author, strlen(p->author));
    buf_lstr(b, p->author_id, strlen(p->author_id));
    if (p->kind == PIECE_DOC) buf_lstr(b, p->title, strlen(p->title));
    struct span t = span_trim(span_of(p->text));
    buf_lstr(b, t.p, t.n);
}

static int digest_of(struct job *j, const struct piece *p, uint8_t out[16], struct err *err)
{
    struct buf b = BUF_INIT(4 * FORMAT_PIECE_MAX);
    const uint8_t *key = j->in->persona->seal.key;
    uint64_t first, *n;
    identity(j, p, &b);
    vault_digest(key, "piece", buf_str(&b), b.n, out);
    memcpy(&first, out, 8);
    bool by_id = p->kind == PIECE_MAIL && *p->id; /* a copy of a mail is the mail */
    n = by_id ? NULL : map_slot(&j->seen, first);
    if (n && *n) { /* the same again in this file: number it */
        buf_u64(&b, *n);
        vault_digest(key, "piece", buf_str(&b), b.n, out);
    }
    if (n) ++*n;
    int rc = b.failed || (!n && !by_id) ? err_nomem(err) : 0;
    buf_free(&b);
    return rc;
}

/* ---- pieces ---- */

static bool is_voice(struct job *j, const struct piece *p)
{
    const struct ingest *in = j->in;
    if (!*p->author && !*p->author_id) return true; /* the owner of the file */
    uint64_t key =
        hash64(p->author_id, strlen(p->author_id), hash64(p->author, strlen(p->author), 9));
    uint64_t *known =
        j->voices.n < VOICES_MAX || map_get(&j->voices, key) ? map_slot(&j->voices, key) : NULL;
    if (known && *known) return *known == 2;
    bool voice = persona_is(in->persona, p->author, p->author_id);
    if (known) *known = voice ? 2 : 1;
    return voice;
}

/* A piece that is known in the first pass, or new in the second, is nobody else's copy. */
static int take_alike(struct job *j, const struct piece *p, bool voice, int64_t source)
{
    struct ingest_run *run = j->in->run;
    struct again_hit hit = { 0 };
    uint64_t *exact = j->storing ? NULL : map_slot(&j->exact, ingest_thread_key(j, p));
    if (!j->storing && !exact) return err_nomem(j->err);
    if (exact) ++*exact;
    if (!run || !run->again.loaded || p->kind == PIECE_DOC) return 0;
    if (!j->storing) hit = again_find(&run->again, p, voice);
    else if (again_put(&run->again, p, voice, source, &hit)) return err_nomem(j->err);
    if (p->kind != PIECE_CHAT || hit.source != source || !hit.key) return 0;
    uint64_t *taken = map_slot(&j->alike, hit.key);
    if (!taken) return err_nomem(j->err);
    ++*taken;
    return 0;
}

static int store_piece(struct job *j, const struct piece *p, const uint8_t digest[16], bool voice)
{
    struct buf body = BUF_INIT(16 * FORMAT_PIECE_MAX);
    struct row_piece r = {
        .written_at = p->written_at, .seq = j->seq++, .kind = (int)p->kind, .voice = voice
    };
    memcpy(r.digest, digest, 16);
    int rc = pack_piece(&body, p) ? err_nomem(j->err) : ingest_source_for(j, p, &r.source);
    if (!rc) {
        r.body = buf_str(&body);
        r.body_n = body.n;
        rc = store_piece_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    }
    if (!rc) rc = take_alike(j, p, voice, r.source);
    if (!rc && tongues_add(&j->tongues, r.source, p->lang)) rc = err_nomem(j->err);
    buf_free(&body);
    return rc;
}

static void count_piece(struct ingest_file *f, const struct piece *p, bool voice)
{
    f->added++;
    if (voice) f->voice++;
    else f->context++;
    if (p->written_at == CLOCK_NONE) return;
    if (f->from == CLOCK_NONE || p->written_at < f->from) f->from = p->written_at;
    if (f->to == CLOCK_NONE || p->written_at > f->to) f->to = p->written_at;
}

/* A dry run stores nothing: what it has seen of the files before is remembered here. */
static int seen_dry(struct job *j, const uint8_t digest[16], bool *known)
{
    struct ingest_run *run = j->in->run;
    uint64_t key, *slot = NULL;
    memcpy(&key, digest, 8);
    if (!j->in->dry_run || !run || *known) return 0;
    if (!(slot = map_slot(&run->dry, key))) return err_nomem(j->err);
    *known = *slot;
    *slot = 1;
    return 0;
}

/* Told in a dry run: where the piece would go, and who wrote it. */
static int foretell(struct job *j, const struct piece *p, bool voice, bool known)
{
    struct ingest_run *run = j->in->run;
    if (!run || !run->preview) return 0;
    const char *title = ingest_title(j, p);
    uint64_t thread = ingest_thread_key(j, p);
    struct preview_at at = {
        .key = j->format->parts ? ingest_part_key(j, thread) : hash64(&run->files, 8, thread),
        .title = title,
        .title_n = ingest_title_shown(j, title),
        .format = j->format->name,
        .path = j->file.path,
        .several = p->kind == PIECE_DOC ? j->file.name : NULL,
    };
    return preview_add(run->preview, &at, p, voice, known) ? err_nomem(j->err) : 0;
}

/* Of a piece whose digest is not known: where another export's copy of it is; 0: nowhere. In a chat
 * as many messages as are stored are known, and only where the first pass has found that most of
 * the chat is there. */
static int find_alike(struct job *j, const struct piece *p, bool voice, int64_t *source)
{
    const struct ingest_run *run = j->in->run;
    struct again_hit hit = { 0 };
    *source = 0;
    if (run && run->again.loaded) hit = again_find(&run->again, p, voice);
    if (!hit.key) return 0;
    if (p->kind == PIECE_CHAT && j->storing) {
        uint64_t *taken = map_slot(&j->alike, hit.key);
        if (!taken) return err_nomem(j->err);
        if (ingest_value(&j->best, ingest_thread_key(j, p)) != (uint64_t)hit.source ||
            *taken >= hit.count)
            return 0;
        ++*taken;
    }
    *source = hit.source;
    return 0;
}

/* The piece with an author, where the file names none and the caller does. */
static struct piece named(const struct job *j, const struct piece *p)
{
    struct piece n = *p;
    if (j->in->by && *j->in->by && !*p->author && !*p->author_id) n.author = j->in->by;
    return n;
}

int ingest_ready(void *ud, struct tape_piece *t, struct arena *mem, struct err *err)
{
    struct job *j = ud;
    struct piece n = named(j, &t->p);
    if (!span_trim(span_of(n.text)).n && !span_trim(span_of(n.quoted)).n) return 0;
    int rc = digest_of(j, &n, t->digest, err);
    if (j->in->run) t->known = names_author(j->in->run->names, &n);
    if (rc || !j->thorough) return rc;
    t->p.lang = lang_of(t->p.text, strlen(t->p.text));
    return j->in->keep_secrets || !leave_out_find(t, mem) ? 0 : err_nomem(err);
}

int ingest_piece(void *ud, const struct tape_piece *t, struct err *err)
{
    struct job *j = ud;
    const struct piece *p = &t->p;
    int64_t id = 0, source = 0;
    if (!span_trim(span_of(p->text)).n && !span_trim(span_of(p->quoted)).n) return 0;
    struct piece n = named(j, p);
    int rc =
        store_piece_find(j->in->home->store, &j->in->persona->seal, t->digest, &id, &source, err);
    if (rc) return rc;
    if (t->known && !*n.author_id) n.author_id = n.author;
    if (t->known) n.author = t->known;
    bool voice = is_voice(j, &n);
    if (id && !j->storing) rc = take_alike(j, p, voice, source);
    else if (!id) rc = find_alike(j, p, voice, &source);
    if (rc) return rc;
    if (!j->storing) return (rc = ingest_vote(j, p, source)) ? rc : ingest_give_way(j);
    if (voice) j->rep.nobody = false;
    bool there = id || source;
    if ((rc = seen_dry(j, t->digest, &there)) || (rc = foretell(j, &n, voice, there))) return rc;
    if (there) {
        j->rep.known++;
        if (source) j->rep.source = source;
        return 0;
    }
    leave_out_secrets(t, &n, &j->rep, j->consumed);
    count_piece(&j->rep, p, voice);
    if (!j->in->dry_run) rc = store_piece(j, &n, t->digest, voice);
    return rc ? rc : ingest_give_way(j);
}
