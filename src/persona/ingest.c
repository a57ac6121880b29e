/* Ingest: one file, one transaction.
 *
 * A file is parsed twice when the persona already has sources: first to see which of its pieces are
 * known and to which source they belong (a longer export of a chat must grow that source, not make
 * a second), then to store what is new. Chats are sources of their own, so that an export of a
 * whole account can be listed and deleted chat by chat; everything else in a file is one source.
 *
 * Known pieces vote for the source that holds them. A few may stand elsewhere by chance (the same
 * greeting sent to two chats, a mail copied to two mailboxes), so the vote counts only when it
 * covers half of the thread or of the source, or when a few agree and the names are equal.
 *
 * A piece is known by a keyed digest of what makes it itself: a mail by its Message-ID; a chat
 * message by author, time, text and its count among equals (two "ok" in one minute are two
 * messages); a document by title, text and time, unless that time is only the file's own. The
 * digest is unique in the store, so a race or a repeat cannot store a piece twice. Exports of one
 * chat by two programs differ in that: they are told by most of their messages being alike
 * (again.c), and then only what is not there yet comes in.
 *
 * After the pieces, every source that changed is cut into chunks anew (chunking.c), in the same
 * transaction. Vectors, phrases, topics and profile follow in persona_settle (settle.c). */
#include "persona/ingest.h"

#include "base/io.h"
#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/leave_out.h"
#include "persona/tongues.h"
#include "text/lang.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define VOICES_MAX 65536 /* authors whose answer to "is it the persona?" is kept */

struct job {
    struct ingest *in;
    struct format_in file;
    const struct format *format;
    struct ingest_file rep;
    bool survey;      /* nobody looked yet who writes in it */
    bool storing;     /* second pass (or the only one): store what is new */
    struct map seen;  /* digest of a piece -> how many of it so far in this pass */
    struct map votes; /* hash(thread, source) -> known pieces there */
    struct map best;  /* thread -> source with most votes, then the one in use */
    struct map best_votes;
    struct map thread_size; /* thread -> its pieces in this file */
    struct map thread_name; /* thread -> hash of the title a source of it would get */
    struct map voices;      /* hash of author -> 1 not the persona, 2 the persona */
    struct map exact;       /* thread -> its pieces that are known by their digest */
    struct map alike;       /* key of messages alike -> how many of those stored are spoken for */
    struct map sources; /* sources that grew: id -> 1 new, 2 grown, 3 grown and its chunks gone */
    uint64_t at_turn;   /* pieces until others are let write */
    bool in_parts;      /* others have written: what came before that is in */
    uint64_t deletions; /* of sources of the persona, before this file */
    uint64_t title;     /* hash of the title of the first document of a source made here */
    int64_t many;       /* that source, once its documents differ in title; 0: not so */
    struct tongues tongues; /* of what was stored */
    int64_t seq;
    uint64_t consumed;     /* bytes of this file */
    uint64_t bytes_before; /* of the files before this one, for progress */
    uint64_t bytes_total;
    struct err *err;
};

static void note(struct ingest_file *f, const char *what, uint64_t where)
{
    struct ingest_note n = { .count = 1, .first = where };
    snprintf(n.what, sizeof n.what, "%s", what);
    ingest_note_add(f, &n);
}

static void on_skipped(void *ud, const char *what, uint64_t where)
{
    struct job *j = ud;
    if (j->storing) note(&j->rep, what, where);
}

static int on_consumed(void *ud, uint64_t bytes)
{
    struct job *j = ud;
    j->consumed = bytes;
    return progress_tick(j->in->progress, j->storing ? "read" : "look", j->bytes_before + bytes,
                         j->bytes_total, "bytes");
}

/* ---- identity ---- */

static void identity(const struct job *j, const struct piece *p, struct buf *b)
{
    int64_t when = p->written_at;
    buf_u8(b, (uint8_t)p->kind);
    if (p->kind == PIECE_MAIL && *p->id) {
        buf_adds(b, p->id);
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

static int digest_of(struct job *j, const struct piece *p, uint8_t out[16])
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
    int rc = b.failed || (!n && !by_id) ? err_nomem(j->err) : 0;
    buf_free(&b);
    return rc;
}

static uint64_t thread_key(const struct job *j, const struct piece *p)
{
    if (p->kind != PIECE_CHAT || !*p->thread) return 1;
    return hash64(p->thread, strlen(p->thread), 7) | 2;
}

/* ---- chats in many files ---- */

/* A part of a chat goes where its other parts went; "general" of another export is another. */
static uint64_t part_key(const struct job *j, uint64_t thread)
{
    const char *path = j->file.path, *end = path + strlen(path);
    for (int up = 0; up < 2 && end > path; up++)
        while (end > path && *--end != '/') continue;
    return hash64(path, (size_t)(end - path),
                  thread ^ hash64(j->format->name, strlen(j->format->name), 3));
}

static uint64_t *part_of(struct job *j, uint64_t thread)
{
    struct ingest_run *run = j->format->parts ? j->in->run : NULL;
    return run ? map_slot(&run->parts, part_key(j, thread)) : NULL;
}

/* The file is in: where its chats went holds for the files after it. */
static void keep_parts(struct job *j)
{
    for (size_t i = 0; (i = map_iter(&j->best, i));) {
        const struct map_entry *e = &j->best.e[i - 1];
        uint64_t *slot = e->value ? part_of(j, e->key) : NULL;
        if (slot) *slot = e->value;
    }
}

/* ---- sources ---- */

/* What a source made for this piece is called. */
static const char *title_for(const struct job *j, const struct piece *p)
{
    if (p->kind == PIECE_CHAT && *p->thread) return p->thread;
    return p->kind == PIECE_DOC && *p->title ? p->title : j->file.name;
}

/* Telegram's threads carry the chat's number, "Ann (12345)": people know them without. */
static size_t shown_length(const struct job *j, const char *title)
{
    size_t n = strlen(title), k = n;
    if (strcmp(j->format->name, "telegram") || n < 4 || title[n - 1] != ')') return n;
    for (k = n - 1; k && title[k - 1] >= '0' && title[k - 1] <= '9';) k--;
    return k >= 3 && k < n - 1 && title[k - 1] == '(' && title[k - 2] == ' ' ? k - 2 : n;
}

/* Names of files need not be UTF-8; what is stored is. */
static int source_body(const struct job *j, const char *t, char **out)
{
    struct buf title = BUF_INIT(0), path = BUF_INIT(0);
    const char *at = strcmp(j->file.path, "-") ? j->file.path : "";
    utf8_clean(&title, t, shown_length(j, t));
    utf8_clean(&path, at, strlen(at));
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "title", buf_str(&title), "format",
                          j->format->name, "path", buf_str(&path));
    *out = o && !title.failed && !path.failed ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    buf_free(&title);
    buf_free(&path);
    return *out ? 0 : err_nomem(j->err);
}

static int source_new(struct job *j, const struct piece *p, int64_t *id)
{
    struct row_source r = { .added_at = clock_now(), .from = CLOCK_NONE, .to = CLOCK_NONE };
    char *body;
    int rc = source_body(j, title_for(j, p), &body);
    if (rc) return rc;
    r.body = body;
    r.body_n = strlen(body);
    rc = store_source_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    free(body);
    *id = r.id;
    return rc;
}

/* A file of many documents is not called after the first of them. */
static int source_retitle(struct job *j)
{
    struct row_source r = { .id = j->many, .from = CLOCK_NONE, .to = CLOCK_NONE };
    char *body;
    int rc = j->many ? source_body(j, j->file.name, &body) : 0;
    if (rc || !j->many) return rc;
    r.body = body;
    r.body_n = strlen(body);
    rc = store_source_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    free(body);
    return rc;
}

static int any_source(void *ud, const struct row_source *r)
{
    *(bool *)ud = true;
    return ERR_EXISTS; /* one is enough: stop */
}

/* Where the other parts of this chat went, if that is still there; else 0. */
static int part_source(struct job *j, uint64_t thread, uint64_t *source)
{
    const uint64_t *part = part_of(j, thread);
    bool there = false;
    *source = 0;
    if (!part || !*part) return 0;
    int rc = store_source_each(j->in->home->store, &j->in->persona->seal, (int64_t)*part,
                               any_source, &there, j->err);
    if (there) *source = *part;
    return there ? 0 : rc;
}

/* The source a new piece of this thread goes to; made when there is none. */
static int source_for(struct job *j, const struct piece *p, int64_t *id)
{
    uint64_t *best = map_slot(&j->best, thread_key(j, p));
    if (!best) return err_nomem(j->err);
    int bad = *best ? 0 : part_source(j, thread_key(j, p), best);
    if (bad) return bad;
    bool fresh = !*best;
    if (fresh) {
        int rc = source_new(j, p, id);
        if (rc) return rc;
        *best = (uint64_t)*id;
    }
    *id = (int64_t)*best;
    uint64_t *state = map_slot(&j->sources, *best);
    if (!state) return err_nomem(j->err);
    if (!*state) {
        *state = fresh ? 1 : 2;
        if (fresh) j->rep.sources_new++;
        else j->rep.sources_grown++;
    }
    j->rep.source = *id;
    if (p->kind != PIECE_DOC || *state != 1) return 0;
    const char *title = title_for(j, p);
    uint64_t h = hash64(title, strlen(title), 0);
    if (!j->title) j->title = h;
    if (j->title != h) j->many = *id;
    return 0;
}

/* First pass: a piece is counted, and votes for its source when it is known (source 0: it is
 * not). */
static int vote(struct job *j, const struct piece *p, int64_t source)
{
    uint64_t t = thread_key(j, p), pair[2] = { t, (uint64_t)source }, *n, *best, *most;
    const char *title = title_for(j, p);
    if (!(n = map_slot(&j->thread_size, t))) return err_nomem(j->err);
    ++*n;
    if (!(n = map_slot(&j->thread_name, t))) return err_nomem(j->err);
    if (!*n) *n = hash64(title, shown_length(j, title), 0);
    if (!source) return 0;
    if (!(n = map_slot(&j->votes, hash64(pair, sizeof pair, 3)))) return err_nomem(j->err);
    uint64_t count = ++*n;
    most = map_slot(&j->best_votes, t);
    best = map_slot(&j->best, t);
    if (!most || !best) return err_nomem(j->err);
    if (count > *most) {
        *most = count;
        *best = (uint64_t)source;
    }
    return 0;
}

static uint64_t value_of(const struct map *m, uint64_t key)
{
    const uint64_t *v = map_get(m, key);
    return v ? *v : 0;
}

/* After the first pass: a thread that chose this source goes there only if that is believable. */
static int confirm(void *ud, const struct row_source *r)
{
    struct job *j = ud;
    json_t *o = json_loadb(r->body, r->body_n, 0, NULL);
    const char *title = json_string_value(json_object_get(o, "title"));
    uint64_t name = hash64(title ? title : "", title ? strlen(title) : 0, 0);
    json_decref(o);
    for (size_t i = 0; (i = map_iter(&j->best, i));) {
        struct map_entry *e = &j->best.e[i - 1];
        if (e->value != (uint64_t)r->id) continue;
        uint64_t votes = value_of(&j->best_votes, e->key), size = value_of(&j->thread_size, e->key);
        bool named = value_of(&j->thread_name, e->key) == name ||
                     hash64(j->file.name, strlen(j->file.name), 0) == name;
        bool alike = !value_of(&j->exact, e->key) && votes < 3; /* too few to go by */
        bool half = !alike && votes * 2 >= (size < r->n_pieces ? size : r->n_pieces);
        if (!half && !(votes >= 3 && named)) e->value = 0;
    }
    return 0;
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
    uint64_t *exact = j->storing ? NULL : map_slot(&j->exact, thread_key(j, p));
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
    int rc = pack_piece(&body, p) ? err_nomem(j->err) : source_for(j, p, &r.source);
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

/* Others wait to write. What is in so far is committed, in a state that settling alone makes whole:
 * a source that grew has no chunks, so that it is cut anew even if this goes no further. */
static int give_way(struct job *j)
{
    struct ingest *in = j->in;
    struct store *st = in->home->store;
    const struct sealed *ps = &in->persona->seal;
    int rc = 0;
    if (!in->wanted || in->dry_run || ++j->at_turn % 64 || !in->wanted(in->ud)) return 0;
    for (size_t i = 0; !rc && (i = map_iter(&j->sources, i));) {
        struct map_entry *e = &j->sources.e[i - 1];
        if (e->value != 2) continue;
        rc = store_chunks_clear(st, ps, (int64_t)e->key, j->err);
        e->value = 3;
    }
    if (!rc && j->sources.n) rc = store_persona_stale(st, ps, true, j->err);
    if (!rc) rc = store_commit(st, j->err);
    if (rc) return rc;
    j->in_parts |= j->sources.n > 0;
    rc = in->turn(in->ud, j->err);
    if (!rc && store_deletions(st, ps) != j->deletions)
        rc = err_set(j->err, ERR_BUSY, "a source was deleted meanwhile: once more");
    int begun = store_begin(st, rc ? NULL : j->err);
    return rc ? rc : begun;
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
    const char *title = title_for(j, p);
    uint64_t thread = thread_key(j, p);
    struct preview_at at = {
        .key = j->format->parts ? part_key(j, thread) : hash64(&run->files, 8, thread),
        .title = title,
        .title_n = shown_length(j, title),
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
        if (value_of(&j->best, thread_key(j, p)) != (uint64_t)hit.source || *taken >= hit.count)
            return 0;
        ++*taken;
    }
    *source = hit.source;
    return 0;
}

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    struct job *j = ud;
    uint8_t digest[16];
    int64_t id = 0, source = 0;
    if (!span_trim(span_of(p->text)).n && !span_trim(span_of(p->quoted)).n) return 0;
    struct piece named = *p;
    if (j->in->by && *j->in->by && !*p->author && !*p->author_id) named.author = j->in->by;
    int rc = digest_of(j, &named, digest);
    if (!rc)
        rc = store_piece_find(j->in->home->store, &j->in->persona->seal, digest, &id, &source, err);
    if (rc) return rc;
    const char *known = j->in->run ? names_author(j->in->run->names, &named) : NULL;
    if (known && !*named.author_id) named.author_id = named.author;
    if (known) named.author = known;
    bool voice = is_voice(j, &named);
    if (id && !j->storing) rc = take_alike(j, p, voice, source);
    else if (!id) rc = find_alike(j, p, voice, &source);
    if (rc) return rc;
    if (!j->storing) return (rc = vote(j, p, source)) ? rc : give_way(j);
    if (voice) j->rep.nobody = false;
    bool there = id || source;
    if (!there) named.lang = lang_of(p->text, strlen(p->text));
    if ((rc = seen_dry(j, digest, &there)) || (rc = foretell(j, &named, voice, there))) return rc;
    if (there) {
        j->rep.known++;
        if (source) j->rep.source = source;
        return 0;
    }
    struct left_out l = { 0 };
    if (!j->in->keep_secrets && leave_out_secrets(&named, &l, &j->rep, j->consumed))
        rc = err_nomem(j->err);
    if (!rc) count_piece(&j->rep, p, voice);
    if (!rc && !j->in->dry_run) rc = store_piece(j, &named, digest, voice);
    left_out_free(&l);
    return rc ? rc : give_way(j);
}

/* ---- one file ---- */

static int parse(struct job *j)
{
    struct format_opts o = { .now = clock_now(),
                             .map = j->in->map,
                             .default_author = j->in->by,
                             .day_first = j->in->day_first,
                             .tz_offset = j->in->tz_offset,
                             .names = j->in->run ? j->in->run->names : NULL };
    struct piece_sink sink = { on_piece, on_skipped, on_consumed, j };
    map_free(&j->seen);
    return format_parse(j->format, &j->file, &o, &sink, j->err);
}

/* Later additions to a source come after earlier ones: 2^24 numbers for each second, which is more
 * than can be stored in one. */
static int64_t seq_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * (1 << 24) + (int64_t)t.tv_nsec / 1000 * (1 << 24) / 1000000;
}

static int store_file(struct job *j)
{
    struct home *h = j->in->home;
    const struct sealed *ps = &j->in->persona->seal;
    bool had = false;
    int rc = store_source_each(h->store, ps, 0, any_source, &had, j->err);
    if (rc && !had) return rc;
    if (j->in->run && !j->in->run->again.loaded && j->format->has_authors &&
        (rc = again_load(&j->in->run->again, h, j->in->persona, j->err)))
        return rc;
    if (had) {
        if ((rc = parse(j))) return rc;
        rewind(j->file.f);
        if (j->best.n) rc = store_source_each(h->store, ps, 0, confirm, j, j->err);
        if (rc) return rc;
    }
    j->storing = true;
    j->seq = seq_now();
    if ((rc = parse(j)) || (rc = source_retitle(j))) return rc;
    if ((rc = tongues_save(&j->tongues, h, j->in->persona, j->err))) return rc;
    map_free(&j->seen);
    for (size_t i = 0; (i = map_iter(&j->sources, i)) && !rc;) {
        uint64_t n = 0;
        if (j->format->parts && j->in->run) { /* more of it may come: cut when it settles */
            rc = store_chunks_clear(h->store, ps, (int64_t)j->sources.e[i - 1].key, j->err);
            continue;
        }
        rc = chunk_source(h, j->in->persona, (int64_t)j->sources.e[i - 1].key, &n, j->err);
        j->rep.chunks += n;
    }
    if (!rc && j->sources.n) rc = store_persona_stale(h->store, ps, true, j->err);
    return rc;
}

static void job_clear(struct job *j)
{
    struct map *all[] = { &j->seen,        &j->votes,  &j->best,    &j->best_votes, &j->thread_size,
                          &j->thread_name, &j->voices, &j->sources, &j->exact,      &j->alike };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) map_free(all[i]);
    tongues_clear(&j->tongues);
}

/* Of one that has no path: standard input can be surveyed only once it was copied. */
static int who_in_open(struct job *j)
{
    struct speaker *s;
    size_t n;
    if (j->in->persona->n_aliases || !j->survey) return 0;
    int rc = speakers_of_open(j->in, j->format, &j->file, &s, &n, j->err);
    return rc ? rc : speakers_choose(j->in, s, n, j->err);
}

/* A file that is not taken after all, when a part of it is in already: sources that are new go
 * again. What was added to one that was there stays, as a longer export of it would bring it in
 * anyway. An error that may pass leaves all as it is: who tries again finds it known. */
static int take_back(struct job *j, int why)
{
    struct store *st = j->in->home->store;
    int rc = 0;
    if (!j->in_parts || (why != ERR_CANCEL && why != ERR_PARSE && why != ERR_INVAL)) return why;
    for (size_t i = 0; !rc && (i = map_iter(&j->sources, i));) {
        const struct map_entry *e = &j->sources.e[i - 1];
        if (e->value != 1) continue;
        rc = store_source_delete(st, &j->in->persona->seal, (int64_t)e->key, NULL, NULL);
        if (rc == ERR_NOTFOUND) rc = 0; /* since the last turn only: undone */
    }
    return why;
}

/* The file is open: one transaction, or none at all in a dry run. */
static int ingest_open(struct job *j)
{
    struct ingest *in = j->in;
    struct store *st = in->home->store;
    int rc = who_in_open(j);
    if (rc || in->dry_run) return rc ? rc : store_file(j);
    if ((rc = store_begin(st, j->err))) return rc;
    rc = store_file(j);
    if (!rc && j->sources.n) rc = store_commit(st, j->err);
    else store_rollback(st);
    if ((!rc && j->sources.n) || j->in_parts) in->persona->stale = true;
    return rc ? take_back(j, rc) : 0;
}

int ingest_one(struct ingest *in, const struct format *f, const struct format_in *file, bool survey,
               uint64_t before, uint64_t total, struct ingest_file *rep, struct err *err)
{
    struct job j = { .in = in,
                     .format = f,
                     .file = *file,
                     .survey = survey,
                     .bytes_before = before,
                     .bytes_total = total,
                     .deletions = store_deletions(in->home->store, &in->persona->seal),
                     .err = err };
    *rep = (struct ingest_file){ .path = file->path,
                                 .format = f->name,
                                 .bytes = file->size,
                                 .from = CLOCK_NONE,
                                 .to = CLOCK_NONE };
    j.rep = *rep;
    if (in->run) ingest_run_next(in->run, j.deletions);
    j.rep.nobody = f->has_authors || *file->author;
    j.rep.part = f->parts;
    int rc = ingest_open(&j);
    if (!j.rep.added && !j.rep.known) j.rep.nobody = false;
    if (!rc) *rep = j.rep;
    if (!rc && !in->dry_run) keep_parts(&j);
    if (rc && in->run) again_free(&in->run->again); /* it may know what was not stored */
    job_clear(&j);
    return rc;
}

/* In-memory text has neither file nor format: a job that is one piece long. */
static int text_piece(struct job *j, const struct buf *title, const struct buf *text, int64_t when)
{
    struct piece pc = { .kind = PIECE_DOC,
                        .author = "",
                        .author_id = "",
                        .title = buf_str(title),
                        .thread = "",
                        .id = "",
                        .reply_to = "",
                        .quoted = "",
                        .text = buf_str(text),
                        .written_at = when > clock_now() + 2 * 86400 ? CLOCK_NONE : when };
    struct home *h = j->in->home;
    struct persona *p = j->in->persona;
    int rc = store_begin(h->store, j->err);
    if (rc) return rc;
    rc = on_piece(j, &pc, j->err);
    if (!rc) rc = tongues_save(&j->tongues, h, p, j->err);
    for (size_t i = 0; !rc && (i = map_iter(&j->sources, i));) {
        uint64_t chunks;
        rc = chunk_source(h, p, (int64_t)j->sources.e[i - 1].key, &chunks, j->err);
    }
    if (!rc && j->sources.n) rc = store_persona_stale(h->store, &p->seal, true, j->err);
    if (!rc) rc = store_commit(h->store, j->err);
    if (rc) store_rollback(h->store);
    else if (j->sources.n) p->stale = true;
    return rc;
}

int ingest_text(struct home *h, struct persona *p, const char *title, const char *text, size_t n,
                int64_t written_at, struct err *err)
{
    return ingest_text_at(h, p, title, text, n, written_at, CLOCK_NONE, NULL, err);
}

int ingest_text_at(struct home *h, struct persona *p, const char *title, const char *text, size_t n,
                   int64_t written_at, int64_t now, int64_t *source, struct err *err)
{
    static const struct format given = { .name = "text" };
    struct err local = { 0 };
    struct ingest in = { .home = h, .persona = p };
    struct job j = { .in = &in, .format = &given, .storing = true, .err = err ? err : &local };
    struct buf name = BUF_INIT(65536), clean = BUF_INIT(FORMAT_PIECE_MAX);
    int rc;
    snprintf(j.file.name, sizeof j.file.name, "text");
    j.file.path = "-";
    j.file.mtime = now;
    j.seq = seq_now();
    if (title) utf8_clean(&name, title, strlen(title));
    utf8_clean(&clean, text, n);
    if (clean.failed == ERR_LIMIT || name.failed == ERR_LIMIT)
        rc = err_set(err, ERR_LIMIT, "one text is at most %zu bytes, its title 65536",
                     FORMAT_PIECE_MAX);
    else if (clean.failed || name.failed) rc = err_nomem(err);
    else if (!span_trim((struct span){ buf_str(&clean), clean.n }).n)
        rc = err_set(err, ERR_INVAL, "the text is empty");
    else rc = text_piece(&j, &name, &clean, written_at != CLOCK_NONE ? written_at : now);
    if (!rc && source) *source = j.rep.source;
    job_clear(&j);
    buf_free(&name);
    buf_free(&clean);
    return rc;
}
