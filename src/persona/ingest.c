/* Ingest: one file, one transaction.
 *
 * A file is parsed twice when the persona already has sources: first to see which of its pieces are
 * known and to which source they belong (a longer export of a chat must grow that source, not make a second), then to
 * store what is new. Chats are sources of their own, so that an export of a whole account can be
 * listed and deleted chat by chat; everything else in a file is one source.
 *
 * A piece is known by a keyed digest of what makes it itself: a mail by its Message-ID; a chat message by author, time, text and
 * its count among equals (two "ok" in one minute are two messages); a document by title, text and
 * time, unless that time is only the file's own. The digest is unique in the store, so a race or a
 * repeat cannot store a piece twice.
 *
 * After the pieces, every source that changed is cut into chunks anew (chunking.c), in the same
 * transaction. Vectors, phrases, topics and profile follow in persona_settle (settle.c). */
#include "persona/ingest.h"

#include "base/io.h"
#include "base/map.h"
#include "base/str.h"
#include "persona/internal.h"
#include "persona/pack.h"
#include "text/format.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct ingest *in;
    struct format_in file;
    const struct format *format;
    struct ingest_file rep;
    bool storing;                     /* second pass (or the only one): store what is new */
    struct map seen;                  /* digest of a piece -> how many of it so far in this pass */
    struct map votes;                 /* hash(thread, source) -> known pieces there */
    struct map best;                  /* thread -> source with most votes, then the one in use */
    struct map best_votes;
    struct map sources;               /* sources that grew: id -> 1 new, 2 grown */
    int64_t seq;
    uint64_t bytes_before;            /* of the files before this one, for progress */
    uint64_t bytes_total;
    struct err *err;
};

static void note(struct ingest_file *f, const char *what, uint64_t where)
{
    size_t i = 0;
    while (i < f->n_notes && strcmp(f->notes[i].what, what)) i++;
    if (i == INGEST_NOTES) return;
    if (i == f->n_notes) {
        f->n_notes++;
        snprintf(f->notes[i].what, sizeof f->notes[i].what, "%s", what);
        f->notes[i].first = where;
    }
    f->notes[i].count++;
}

static void on_skipped(void *ud, const char *what, uint64_t where)
{
    struct job *j = ud;
    if (j->storing) note(&j->rep, what, where);
}

static int on_consumed(void *ud, uint64_t bytes)
{
    struct job *j = ud;
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
    struct buf b = BUF_INIT(FORMAT_PIECE_MAX + 65536);
    const uint8_t *key = j->in->persona->seal.key;
    uint64_t first, *n;
    identity(j, p, &b);
    vault_digest(key, "piece", buf_str(&b), b.n, out);
    memcpy(&first, out, 8);
    n = map_slot(&j->seen, first);
    if (n && *n) {                    /* the same again in this file: number it */
        buf_u64(&b, *n);
        vault_digest(key, "piece", buf_str(&b), b.n, out);
    }
    if (n) ++*n;
    int rc = b.failed || !n ? err_nomem(j->err) : 0;
    buf_free(&b);
    return rc;
}

static uint64_t thread_key(const struct job *j, const struct piece *p)
{
    if (p->kind != PIECE_CHAT || !*p->thread) return 1;
    return hash64(p->thread, strlen(p->thread), 7) | 2;
}

/* ---- sources ---- */

static int source_new(struct job *j, const struct piece *p, int64_t *id)
{
    bool chat = p->kind == PIECE_CHAT && *p->thread;
    const char *title = chat ? p->thread : p->kind == PIECE_DOC && *p->title ? p->title : j->file.name;
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "title", title, "format", j->format->name,
                          "path", strcmp(j->file.path, "-") ? j->file.path : "");
    char *body = o ? json_dumps(o, JSON_COMPACT) : NULL;
    struct row_source r = { .added_at = clock_now(), .from = CLOCK_NONE, .to = CLOCK_NONE, .body = body };
    r.body_n = body ? strlen(body) : 0;
    json_decref(o);
    if (!body) return err_nomem(j->err);
    int rc = store_source_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    free(body);
    *id = r.id;
    return rc;
}

/* The source a new piece of this thread goes to; made when there is none. */
static int source_for(struct job *j, const struct piece *p, int64_t *id)
{
    uint64_t *best = map_slot(&j->best, thread_key(j, p));
    if (!best) return err_nomem(j->err);
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
    return 0;
}

/* First pass: a known piece votes for its source. */
static int vote(struct job *j, const struct piece *p, int64_t source)
{
    uint64_t t = thread_key(j, p), pair[2] = { t, (uint64_t)source };
    uint64_t *n = map_slot(&j->votes, hash64(pair, sizeof pair, 3)), *best, *most;
    if (!n) return err_nomem(j->err);
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

/* ---- pieces ---- */

static bool is_voice(const struct ingest *in, const struct piece *p)
{
    if (*p->author || *p->author_id) return persona_is(in->persona, p->author, p->author_id);
    return !in->by || !*in->by || persona_is(in->persona, in->by, NULL);
}

static int store_piece(struct job *j, const struct piece *p, const uint8_t digest[16], bool voice)
{
    struct buf body = BUF_INIT(2 * FORMAT_PIECE_MAX + 65536);
    struct row_piece r = { .written_at = p->written_at, .seq = j->seq++, .kind = (int)p->kind,
                           .voice = voice };
    memcpy(r.digest, digest, 16);
    int rc = pack_piece(&body, p) ? err_nomem(j->err) : source_for(j, p, &r.source);
    if (!rc) {
        r.body = buf_str(&body);
        r.body_n = body.n;
        rc = store_piece_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    }
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
    if (!j->storing) return id ? vote(j, p, source) : 0;
    bool voice = is_voice(j->in, &named);
    if (id) {
        j->rep.known++;
        j->rep.source = source;
        if (voice) j->rep.nobody = false;
        return 0;
    }
    if (voice) j->rep.nobody = false;
    count_piece(&j->rep, p, voice);
    return j->in->dry_run ? 0 : store_piece(j, &named, digest, voice);
}

/* ---- one file ---- */

static int parse(struct job *j)
{
    struct format_opts o = { .now = clock_now(), .map = j->in->map, .default_author = j->in->by,
                             .day_first = j->in->day_first, .tz_offset = j->in->tz_offset };
    struct piece_sink sink = { on_piece, on_skipped, on_consumed, j };
    map_free(&j->seen);
    return format_parse(j->format, &j->file, &o, &sink, j->err);
}

static int any_source(void *ud, const struct row_source *r)
{
    *(bool *)ud = true;
    return ERR_EXISTS;                /* one is enough: stop */
}

static int store_file(struct job *j)
{
    struct home *h = j->in->home;
    const struct sealed *ps = &j->in->persona->seal;
    bool had = false;
    int rc = store_source_each(h->store, ps, 0, any_source, &had, j->err);
    if (rc && !had) return rc;
    if (had && !j->in->dry_run) {
        if ((rc = parse(j))) return rc;
        rewind(j->file.f);
    }
    j->storing = true;
    j->seq = clock_now() << 24;       /* later additions to a source come after earlier ones */
    if ((rc = parse(j))) return rc;
    for (size_t i = 0; (i = map_iter(&j->sources, i)) && !rc;) {
        uint64_t n = 0;
        rc = chunk_source(h, j->in->persona, (int64_t)j->sources.e[i - 1].key, &n, j->err);
        j->rep.chunks += n;
    }
    if (!rc && j->sources.n) rc = store_persona_stale(h->store, ps, true, j->err);
    return rc;
}

static int ingest_file(struct ingest *in, const char *path, uint64_t before, uint64_t total,
                       struct ingest_file *rep, struct err *err)
{
    struct job j = { .in = in, .bytes_before = before, .bytes_total = total, .err = err };
    struct home *h = in->home;
    j.rep = (struct ingest_file){ .path = path, .from = CLOCK_NONE, .to = CLOCK_NONE };
    int rc = format_open(path, in->as, &j.format, &j.file, err);
    if (rc) goto out;
    j.rep.format = j.format->name;
    j.rep.bytes = j.file.size;
    j.rep.nobody = j.format->has_authors;
    if (in->dry_run) {
        rc = store_file(&j);
    } else {
        if ((rc = store_begin(h->store, err))) goto close;
        rc = store_file(&j);
        if (!rc && j.sources.n) rc = store_commit(h->store, err);
        else store_rollback(h->store);
        if (!rc && j.sources.n) in->persona->stale = true;
    }
    if (!j.rep.added && !j.rep.known) j.rep.nobody = false;
close:
    format_close(&j.file);
out:
    if (rc) {
        uint64_t bytes = j.rep.bytes;
        const char *format = j.rep.format;
        j.rep = (struct ingest_file){ .path = path, .format = format, .bytes = bytes, .from = CLOCK_NONE,
                                      .to = CLOCK_NONE };
    }
    map_free(&j.seen);
    map_free(&j.votes);
    map_free(&j.best);
    map_free(&j.best_votes);
    map_free(&j.sources);
    *rep = j.rep;
    return rc;
}

/* ---- many files ---- */

static int collect(void *ud, const char *path, struct err *err)
{
    struct path_list *l = ud;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        char **grown = realloc(l->path, cap * sizeof *grown);
        if (!grown) return err_nomem(err);
        l->path = grown;
        l->cap = cap;
    }
    if (!(l->path[l->n] = str_dup(path))) return err_nomem(err);
    l->bytes += io_file_size(path);
    l->n++;
    return 0;
}

int path_list_of(const char *const *paths, size_t n, struct path_list *out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = strcmp(paths[i], "-") ? io_walk(paths[i], collect, out, err) : collect(out, "-", err);
    if (!rc && !out->n) rc = err_set(err, ERR_NOTFOUND, "there is no file in that folder");
    return rc;
}

void path_list_free(struct path_list *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->path[i]);
    free(l->path);
    *l = (struct path_list){ 0 };
}

/* Before anything is stored: which of the people in these files is the persona? */
static int settle_who(struct ingest *in, const struct path_list *l, struct err *err)
{
    struct speaker *s = NULL;
    size_t n = 0;
    struct buf chosen = BUF_INIT(65536);
    if (in->persona->n_aliases || (l->n == 1 && !strcmp(l->path[0], "-"))) return 0;
    int rc = ingest_speakers(in, (const char *const *)l->path, l->n, &s, &n, err);
    bool named = false;
    for (size_t i = 0; i < n; i++) named |= persona_is(in->persona, s[i].name, s[i].id);
    if (rc || !n || named) goto out;
    if (in->who) rc = in->who(in->ud, s, n, &chosen, err);
    if (rc) goto out;
    if (chosen.n && in->dry_run) goto out;
    if (chosen.n) rc = persona_alias_add(in->home, in->persona, buf_str(&chosen), err);
    else
        rc = err_set(err, ERR_INVAL, "%zu people write in these files and it is not known which one is "
                     "the persona: say so once with --me \"NAME,MAIL,PHONE\" (`likeness add --who` "
                     "lists the people)", n);
out:
    free(s);
    buf_free(&chosen);
    return rc;
}

static void add_totals(struct ingest_totals *t, const struct ingest_file *f)
{
    t->files++;
    t->failed += f->error != NULL;
    t->added += f->added;
    t->known += f->known;
    t->voice += f->voice;
    t->context += f->context;
    t->chunks += f->chunks;
    t->bytes += f->bytes;
}

/* Errors that end the whole run; any other costs its file alone. */
static bool ends_all(int rc)
{
    return rc == ERR_CANCEL || rc == ERR_NOMEM || rc == ERR_FULL || rc == ERR_BUSY || rc == ERR_SEAL ||
           rc == ERR_KEY || rc == ERR_INVAL || rc == ERR_INTERNAL;
}

int ingest_paths(struct ingest *in, const char *const *paths, size_t n, struct ingest_totals *out,
                 struct err *err)
{
    struct path_list l = { 0 };
    struct err first = { 0 };
    uint64_t before = 0;
    *out = (struct ingest_totals){ 0 };
    int rc = path_list_of(paths, n, &l, err);
    if (!rc) rc = settle_who(in, &l, err);
    for (size_t i = 0; i < l.n && !rc; i++) {
        struct ingest_file f;
        struct err e = { 0 };
        int one = ingest_file(in, l.path[i], before, l.bytes, &f, &e);
        before += f.bytes;
        if (one && ends_all(one)) {
            rc = err_set(err, one, "%s", e.msg);
            break;
        }
        if (one) {
            f.error = e.msg;
            if (!first.code) first = e;
        }
        add_totals(out, &f);
        if (in->on_file) in->on_file(in->ud, &f);
    }
    if (!rc && out->failed == out->files && out->files) rc = err_set(err, first.code, "%s", first.msg);
    path_list_free(&l);
    if (!in->dry_run && in->persona->stale && (!rc || out->added)) {
        int settled = persona_settle(in->home, in->persona, in->progress, rc ? NULL : err);
        if (!rc) rc = settled;
    }
    return rc;
}

int ingest_text(struct home *h, struct persona *p, const char *title, const char *text, size_t n,
                int64_t written_at, struct err *err)
{
    struct buf clean = BUF_INIT(FORMAT_PIECE_MAX);
    static const struct format given = { .name = "text" };
    struct ingest in = { .home = h, .persona = p };
    struct job j = { .in = &in, .format = &given, .storing = true, .err = err };
    struct piece pc = { .kind = PIECE_DOC, .author = "", .author_id = "", .title = title ? title : "",
                        .thread = "", .id = "", .reply_to = "", .quoted = "", .written_at = written_at };
    snprintf(j.file.name, sizeof j.file.name, "text");
    j.file.path = "-";
    j.file.mtime = CLOCK_NONE;
    j.seq = clock_now() << 24;
    utf8_clean(&clean, text, n);
    if (clean.failed) return err_set(err, ERR_LIMIT, "one text is at most %zu bytes", FORMAT_PIECE_MAX);
    pc.text = buf_str(&clean);
    int rc = store_begin(h->store, err);
    if (rc) goto out;
    rc = on_piece(&j, &pc, err);
    for (size_t i = 0; !rc && (i = map_iter(&j.sources, i));) {
        uint64_t chunks;
        rc = chunk_source(h, p, (int64_t)j.sources.e[i - 1].key, &chunks, err);
    }
    if (!rc && j.sources.n) rc = store_persona_stale(h->store, &p->seal, true, err);
    if (!rc) rc = store_commit(h->store, err);
    if (rc) store_rollback(h->store);
    if (!rc && j.sources.n) p->stale = true;
out:
    map_free(&j.seen);
    map_free(&j.best);
    map_free(&j.sources);
    buf_free(&clean);
    return rc;
}
