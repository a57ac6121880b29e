/* Which source does a piece belong to?
 *
 * Chats are sources of their own, so that an export of a whole account can be listed and deleted
 * chat by chat; everything else in a file is one source. Parts of a chat that lie in many files go
 * where the first of them went.
 *
 * Known pieces vote for the source that holds them. A few may stand elsewhere by chance (the same
 * greeting sent to two chats, a mail copied to two mailboxes), so the vote counts only when it
 * covers half of the thread or of the source, or when a few agree and the names are equal. */
#include "base/str.h"
#include "persona/ingest_impl.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

uint64_t ingest_thread_key(const struct job *j, const struct piece *p)
{
    if (p->kind != PIECE_CHAT || !*p->thread) return 1;
    return hash64(p->thread, strlen(p->thread), 7) | 2;
}

/* ---- chats in many files ---- */

/* A part of a chat goes where its other parts went; "general" of another export is another. */
uint64_t ingest_part_key(const struct job *j, uint64_t thread)
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
    return run ? map_slot(&run->parts, ingest_part_key(j, thread)) : NULL;
}

/* The file is in: where its chats went holds for the files after it. */
void ingest_keep_parts(struct job *j)
{
    for (size_t i = 0; (i = map_iter(&j->best, i));) {
        const struct map_entry *e = &j->best.e[i - 1];
        uint64_t *slot = e->value ? part_of(j, e->key) : NULL;
        if (slot) *slot = e->value;
    }
}

/* ---- sources ---- */

/* What a source made for this piece is called. */
const char *ingest_title(const struct job *j, const struct piece *p)
{
    if (p->kind == PIECE_CHAT && *p->thread) return p->thread;
    return p->kind == PIECE_DOC && *p->title ? p->title : j->file.name;
}

/* Telegram's threads carry the chat's number, "Ann (12345)": people know them without. */
size_t ingest_title_shown(const struct job *j, const char *title)
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
    utf8_clean(&title, t, ingest_title_shown(j, t));
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
    int rc = source_body(j, ingest_title(j, p), &body);
    if (rc) return rc;
    r.body = body;
    r.body_n = strlen(body);
    rc = store_source_put(j->in->home->store, &j->in->persona->seal, &r, j->err);
    free(body);
    *id = r.id;
    return rc;
}

/* A file of many documents is not called after the first of them. */
int ingest_retitle(struct job *j)
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

int ingest_has_source(struct job *j, int64_t id, bool *there)
{
    *there = false;
    int rc =
        store_source_each(j->in->home->store, &j->in->persona->seal, id, any_source, there, j->err);
    return *there ? 0 : rc;
}

/* Where the other parts of this chat went, if that is still there; else 0. */
static int part_source(struct job *j, uint64_t thread, uint64_t *source)
{
    const uint64_t *part = part_of(j, thread);
    bool there = false;
    *source = 0;
    if (!part || !*part) return 0;
    int rc = ingest_has_source(j, (int64_t)*part, &there);
    if (there) *source = *part;
    return rc;
}

/* The source a new piece of this thread goes to; made when there is none. */
int ingest_source_for(struct job *j, const struct piece *p, int64_t *id)
{
    uint64_t *best = map_slot(&j->best, ingest_thread_key(j, p));
    if (!best) return err_nomem(j->err);
    int bad = *best ? 0 : part_source(j, ingest_thread_key(j, p), best);
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
    const char *title = ingest_title(j, p);
    uint64_t h = hash64(title, strlen(title), 0);
    if (!j->title) j->title = h;
    if (j->title != h) j->many = *id;
    return 0;
}

/* First pass: a piece is counted, and votes for its source when it is known (source 0: it is
 * not). */
int ingest_vote(struct job *j, const struct piece *p, int64_t source)
{
    uint64_t t = ingest_thread_key(j, p), pair[2] = { t, (uint64_t)source }, *n, *best, *most;
    const char *title = ingest_title(j, p);
    if (!(n = map_slot(&j->thread_size, t))) return err_nomem(j->err);
    ++*n;
    if (!(n = map_slot(&j->thread_name, t))) return err_nomem(j->err);
    if (!*n) *n = hash64(title, ingest_title_shown(j, title), 0);
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

/* A thread that chose this source goes there only if that is believable. */
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
        uint64_t votes = ingest_value(&j->best_votes, e->key),
                 size = ingest_value(&j->thread_size, e->key);
        bool named = ingest_value(&j->thread_name, e->key) == name ||
                     hash64(j->file.name, strlen(j->file.name), 0) == name;
        bool alike = !ingest_value(&j->exact, e->key) && votes < 3; /* too few to go by */
        bool half = !alike && votes * 2 >= (size < r->n_pieces ? size : r->n_pieces);
        if (!half && !(votes >= 3 && named)) e->value = 0;
    }
    return 0;
}

int ingest_confirm(struct job *j)
{
    struct map seen = { 0 };
    int rc = 0;
    for (size_t i = 0; !rc && (i = map_iter(&j->best, i));) {
        uint64_t source = j->best.e[i - 1].value, *slot = source ? map_slot(&seen, source) : NULL;
        if (!source || (slot && *slot)) continue;
        if (!slot) rc = err_nomem(j->err);
        else *slot = 1;
        if (!rc)
            rc = store_source_each(j->in->home->store, &j->in->persona->seal, (int64_t)source,
                                   confirm, j, j->err);
    }
    map_free(&seen);
    return rc;
}
