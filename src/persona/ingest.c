/* Ingest: one file, one transaction.
 *
 * A file is parsed twice when the persona already has sources: first to see which of its pieces are
 * known and to which source they belong (a longer export of a chat must grow that source, not make
 * a second: ingest_source.c), then to store what is new (ingest_piece.c).
 *
 * After the pieces, every source that changed is cut into chunks anew (chunking.c), in the same
 * transaction. Vectors, phrases, topics and profile follow in persona_settle (settle.c). */
#include "persona/ingest.h"

#include "base/str.h"
#include "persona/ingest_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* What has joined others' transaction is stored to its end: it does not take long. */
static int on_consumed(void *ud, uint64_t bytes)
{
    struct job *j = ud;
    j->consumed = bytes;
    int rc = progress_tick(j->in->progress, j->storing ? "read" : "look", j->bytes_before + bytes,
                           j->bytes_total, "bytes");
    return j->storing && j->in->run->batch.joined ? 0 : rc;
}

/* ---- others ---- */

/* Others wait to write. What is in so far is committed, in a state that settling alone makes whole:
 * a source that grew has no chunks, so that it is cut anew even if this goes no further. */
int ingest_give_way(struct job *j)
{
    struct ingest *in = j->in;
    struct store *st = in->home->store;
    const struct sealed *ps = &in->persona->seal;
    int rc = 0;
    if (!in->wanted || in->dry_run || ++in->run->pieces % 64 || !in->wanted(in->ud)) return 0;
    for (size_t i = 0; !rc && (i = map_iter(&j->sources, i));) {
        struct map_entry *e = &j->sources.e[i - 1];
        if (e->value != 2) continue;
        rc = store_chunks_clear(st, ps, (int64_t)e->key, j->err);
        e->value = 3;
    }
    if (!rc && j->sources.n) rc = store_persona_stale(st, ps, true, j->err);
    if (!rc) rc = batch_commit(in, j->err);
    if (rc) return rc;
    j->in_parts |= j->sources.n > 0;
    rc = in->turn(in->ud, j->err);
    if (!rc && store_deletions(st, ps) != j->deletions)
        rc = err_set(j->err, ERR_BUSY, "a source was deleted meanwhile: once more");
    int begun = batch_begin(in, 0, rc ? NULL : j->err);
    return rc ? rc : begun;
}

/* ---- one file ---- */

static const struct tape_user reader = {
    .ready = ingest_ready, .piece = ingest_piece, .skipped = on_skipped, .consumed = on_consumed
};

/* keep: a tape of at most so many bytes, in *tape. */
static int parse(struct job *j, size_t most, struct tape **keep)
{
    struct tape_user u = reader;
    struct format_opts o = { .now = clock_now(),
                             .map = j->in->map,
                             .default_author = j->in->by,
                             .day_first = j->in->day_first,
                             .tz_offset = j->in->tz_offset,
                             .names = j->in->run->names };
    u.ud = j;
    map_free(&j->seen);
    j->thorough = j->storing || most;
    return tape_parse(j->format, &j->file, &o, &u, most, keep, j->err);
}

/* Who is known, and to which source does what is new belong? What joined others, and is too long
 * for a tape after all, leaves them: it is parsed again while it is stored, which may fail. */
static int look(struct job *j, struct tape **tape)
{
    const struct ingest_batch *b = &j->in->run->batch;
    int rc = parse(j, j->in->run->tape_most, tape);
    if (!rc) rc = ingest_confirm(j);
    if (!rc && !*tape && b->joined && !(rc = batch_commit(j->in, j->err)))
        rc = batch_begin(j->in, j->file.size, j->err);
    rewind(j->file.f);
    return rc;
}

/* Later additions to a source come after earlier ones: 2^24 numbers for each second, which is more
 * than can be stored in one. */
static int64_t seq_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * (1 << 24) + (int64_t)t.tv_nsec / 1000 * (1 << 24) / 1000000;
}

/* The pieces that are new. */
static int take(struct job *j, struct tape *tape)
{
    struct tape_user u = reader;
    u.ud = j;
    j->storing = true;
    j->seq = seq_now();
    int rc = tape ? tape_play(tape, &u, j->err) : parse(j, 0, NULL);
    map_free(&j->seen);
    return rc;
}

static int store_file(struct job *j)
{
    struct home *h = j->in->home;
    const struct sealed *ps = &j->in->persona->seal;
    struct tape *tape = NULL;
    bool had = false;
    int rc = ingest_has_source(j, 0, &had);
    if (rc) return rc;
    if (!j->in->run->again.loaded && j->format->has_authors &&
        (rc = again_load(&j->in->run->again, h, j->in->persona, j->err)))
        return rc;
    if ((had || j->in->run->batch.joined) && (rc = look(j, &tape))) goto out;
    j->begun = true;
    if ((rc = take(j, tape)) || (rc = ingest_retitle(j))) goto out;
    if ((rc = tongues_save(&j->tongues, h, j->in->persona, j->err))) goto out;
    for (size_t i = 0; (i = map_iter(&j->sources, i)) && !rc;) {
        uint64_t n = 0;
        if (j->format->parts) { /* more of it may come: cut when it settles */
            rc = store_chunks_clear(h->store, ps, (int64_t)j->sources.e[i - 1].key, j->err);
            continue;
        }
        rc = chunk_source(h, j->in->persona, (int64_t)j->sources.e[i - 1].key, &n, j->err);
        j->rep.chunks += n;
    }
    if (!rc && j->sources.n) rc = store_persona_stale(h->store, ps, true, j->err);
out:
    tape_free(tape);
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

/* The file is open: in a transaction, or in none at all in a dry run. */
static int ingest_open(struct job *j)
{
    struct ingest *in = j->in;
    int rc = who_in_open(j);
    if (rc || in->dry_run) return rc ? rc : store_file(j);
    if ((rc = batch_begin(in, j->file.size, j->err))) return rc;
    rc = store_file(j);
    bool stored = j->sources.n > 0;
    if ((!rc && stored) || j->in_parts) in->persona->stale = true;
    batch_end(in, j->begun && (stored || rc), j->rep.added, rc, j->err);
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
    ingest_run_next(in->run, j.deletions);
    j.rep.nobody = f->has_authors || *file->author;
    j.rep.part = f->parts;
    int rc = ingest_open(&j);
    if (!j.rep.added && !j.rep.known) j.rep.nobody = false;
    if (!rc) *rep = j.rep;
    if (!rc && !in->dry_run) ingest_keep_parts(&j);
    if (rc && j.rep.added) again_free(&in->run->again); /* it may know what was not stored */
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
    struct tape_piece t = { .p = pc };
    struct arena *mem = arena_new(0);
    rc = mem ? ingest_ready(j, &t, mem, j->err) : err_nomem(j->err);
    if (!rc) rc = ingest_piece(j, &t, j->err);
    arena_free(mem);
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
    struct job j = {
        .in = &in, .format = &given, .storing = true, .thorough = true, .err = err ? err : &local
    };
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
