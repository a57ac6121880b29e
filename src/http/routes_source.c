/* Routes of what a persona is made of: files that come in and go, single texts, searching.
 *
 * Files are streamed to the spool while they arrive and are brought in by a job; a text is small
 * and is in when the reply comes, and is found by its words and its meaning at once. Of a large
 * file most is found by its words until it is settled, a moment later. */
#include "http/shown.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/asking.h"
#include "persona/ingest.h"
#include "persona/work.h"
#include "text/format.h"

#include <stdlib.h>
#include <string.h>

extern const struct route routes_source[];

/* ---- lists ---- */

struct listing {
    json_t *all;
    struct err *err;
};

static int keep_source(void *ud, const struct source *s)
{
    struct listing *l = ud;
    return json_array_append_new(l->all, shown_source(s)) ? err_nomem(l->err) : 0;
}

static int list(struct call *c, struct err *err)
{
    struct listing l = { json_array(), err };
    struct home *h;
    struct persona *p;
    int rc = l.all ? reading_begin(c, &h, &p, err) : err_nomem(err);
    if (!rc) {
        rc = source_each(h, p, 0, keep_source, &l, err);
        reading_end(c, h, p);
    }
    if (!rc) return shown_reply(c, json_pack("{s:o}", "sources", l.all), err);
    json_decref(l.all);
    return rc;
}

struct paging {
    json_t *all;
    int64_t skip, left;
    bool more;
    struct arena *mem;
    struct err *err;
};

static int keep_piece(void *ud, const struct row_piece *r)
{
    struct paging *g = ud;
    struct piece p;
    if (g->skip > 0) {
        g->skip--;
        return 0;
    }
    g->more = g->left == 0;
    if (g->more) return ERR_LIMIT;
    g->left--;
    arena_reset(g->mem);
    int rc = unpack_piece(r->body, r->body_n, g->mem, &p, g->err);
    if (rc) return rc;
    json_t *j = json_pack("{s:o, s:o, s:b, s:o}", "written_at", json_time(r->written_at), "author",
                          json_mended(p.author), "voice", r->voice, "text", json_mended(p.text));
    return json_array_append_new(g->all, j) ? err_nomem(g->err) : 0;
}

/* The source, with a page of what is in it. */
static int source_json(struct call *c, struct home *h, struct persona *p, json_t **out,
                       struct err *err)
{
    struct listing l = { json_array(), err };
    int64_t offset = call_int(c, "offset", 0), limit = call_int(c, "limit", 50);
    struct paging g = { json_array(), offset, limit, false, arena_new(0), err };
    int rc = l.all && g.all && g.mem ? 0 : err_nomem(err);
    if (!rc) rc = source_each(h, p, c->id, keep_source, &l, err);
    if (rc == ERR_NOTFOUND) err_set(err, rc, "there is no such source");
    if (!rc) rc = store_piece_each(h->store, &p->seal, c->id, PIECE_BY_SEQ, keep_piece, &g, err);
    if (rc == ERR_LIMIT && g.more) rc = 0;
    *out = rc ? NULL : json_incref(json_array_get(l.all, 0));
    if (*out) {
        json_object_set(*out, "texts", g.all);
        json_object_set_new(*out, "next", g.more ? json_integer(offset + limit) : json_null());
    }
    json_decref(l.all);
    json_decref(g.all);
    arena_free(g.mem);
    return rc;
}

static int show(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = source_json(c, h, p, &c->out, err);
    reading_end(c, h, p);
    return rc;
}

static int there(void *ud, const struct row_source *r)
{
    *(bool *)ud = true;
    return 0;
}

static int erase(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    bool is = false;
    int rc = reading_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = store_source_each(h->store, &p->seal, c->id, there, &is, err);
    reading_end(c, h, p);
    if (!rc && !is) rc = err_set(err, ERR_NOTFOUND, "there is no such source");
    if (rc) return rc;
    return job_accepted(c, "delete", json_pack("{s:I}", "source", (json_int_t)c->id), false, err);
}

/* ---- coming in ---- */

/* "+05:30", as ISO 8601 ends a time: seconds east. */
static int zone(const char *s, int64_t *out, struct err *err)
{
    char text[64];
    int64_t t, utc = clock_from_civil(2000, 1, 1, 0, 0, 0);
    *out = 0;
    if (!s || !*s) return 0;
    snprintf(text, sizeof text, "2000-01-01T00:00:00%s", s);
    if (strlen(s) > 8 || !clock_parse_iso(span_of(text), &t))
        return err_set(err, ERR_INVAL, "tz: is like +01:00");
    *out = utc - t;
    return 0;
}

static int check_format(const char *as, struct err *err)
{
    struct buf names = BUF_INIT(4096);
    if (!as || format_by_name(as)) return 0;
    for (const struct format *const *f = formats; *f; f++)
        buf_printf(&names, "%s%s", names.n ? ", " : "", (*f)->name);
    int rc = err_set(err, ERR_INVAL, "as: is one of %s", buf_str(&names));
    buf_free(&names);
    return rc;
}

static json_t *ingest_args(struct call *c, int64_t tz)
{
    static const char *const names[] = { "as", "by", "map", "me" };
    json_t *files = json_array(), *args = json_pack("{s:o}", "files", files);
    for (size_t i = 0; args && i < c->upload->n_files; i++) {
        const struct upload_file *f = &c->upload->file[i];
        json_array_append_new(files, json_pack("{s:s, s:o, s:I}", "spool", f->spool, "name",
                                               json_mended(*f->name ? f->name : "file"), "bytes",
                                               (json_int_t)f->bytes));
    }
    for (size_t i = 0; args && i < sizeof names / sizeof *names; i++) {
        const char *s = call_str(c, names[i]);
        if (s && *s) json_object_set_new(args, names[i], json_mended(s));
    }
    if (args && tz) json_object_set_new(args, "tz", json_integer((json_int_t)tz));
    if (args && call_json(c, "day_first"))
        json_object_set_new(args, "day_first", json_integer(call_bool(c, "day_first", false)));
    if (args && call_bool(c, "keep_secrets", false))
        json_object_set_new(args, "keep_secrets", json_true());
    if (args && call_bool(c, "dry_run", false)) json_object_set_new(args, "dry_run", json_true());
    return args;
}

static int upload(struct call *c, struct err *err)
{
    int64_t tz;
    const char *as = call_str(c, "as");
    if (!c->upload || !c->upload->n_files)
        return err_set(err, ERR_INVAL, "there is no file: send it as multipart/form-data");
    int rc = zone(call_str(c, "tz"), &tz, err);
    if (!rc) rc = check_format(as && *as ? as : NULL, err);
    if (!rc) rc = job_accepted(c, "ingest", ingest_args(c, tz), false, err);
    for (size_t i = 0; !rc && i < c->upload->n_files; i++) c->upload->file[i].taken = true;
    return rc;
}

static int add_text(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    const char *text = call_str(c, "text");
    char hex[33];
    int64_t id = 0;
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = ingest_text_at(h, p, call_str(c, "title"), text, strlen(text), call_time(c, "written_at"),
                        clock_now(), &id, err);
    if (rc == ERR_LIMIT) c->status = 413;
    if (!rc) {
        c->id = id;
        rc = source_json(c, h, p, &c->out, err);
        if (!rc)
            rc = call_location(c, err, "/api/personas/%s/sources/%lld", uid_hex(c->persona, hex),
                               (long long)id);
    }
    writing_end(c, h, p, !rc);
    if (!rc) rc = work_settle(c->world, c->persona, c->who.account, err);
    return rc;
}

/* ---- searching ---- */

static enum query_mode mode_of(const char *s)
{
    return !s                     ? QUERY_HYBRID
           : !strcmp(s, "vector") ? QUERY_VECTOR
           : !strcmp(s, "words")  ? QUERY_KEYWORD
                                  : QUERY_HYBRID;
}

static int passages_json(struct desk *d, const struct passages *ps, json_t **out, struct err *err)
{
    const struct topics *topics;
    json_t *all = json_array();
    int rc = all ? retriever_topics(d->retriever, &topics, err) : err_nomem(err);
    for (size_t i = 0; !rc && i < ps->n; i++) {
        const struct passage *p = &ps->p[i];
        json_t *j =
            shown_passage(p, retriever_title(d->retriever, p->source), label_of(topics, p->topic));
        if (json_array_append_new(all, j)) rc = err_nomem(err);
    }
    if (!rc) {
        *out = json_pack("{s:o}", "passages", all);
        return *out ? 0 : err_nomem(err);
    }
    json_decref(all);
    return rc;
}

static int search(struct call *c, struct err *err)
{
    struct desk *d;
    struct passages ps = { 0 };
    struct query q = asking_query(c, call_str(c, "query"));
    q.mode = mode_of(call_str(c, "mode"));
    q.adaptive = call_bool(c, "adaptive", false);
    if (!span_trim(span_of(q.text)).n) return err_set(err, ERR_INVAL, "query: is empty");
    int rc = pool_take(c->world->pool, c->persona, 10000, &d, err);
    if (rc == ERR_BUSY) c->retry_after = 1;
    if (rc) return rc;
    if (!(q.text = asking_words(c, d->persona, q.text))) rc = err_nomem(err);
    if (!rc) rc = retrieve(d->retriever, &q, &ps, err);
    if (!rc) rc = passages_json(d, &ps, &c->out, err);
    passages_clear(&ps);
    pool_give(c->world->pool, d);
    return rc;
}

/* ---- the table ---- */

static const struct field SOURCES[] = {
    { "sources", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first",
      &(const struct field){ "source", FIELD_OBJECT, 0, 0, 0, "", SHOWN_SOURCE, NULL }, NULL },
    FIELD_END
};
static const struct field PAGE[] = {
    { "offset", FIELD_INT, 0, 0, 9007199254740991.0, "texts to pass over", NULL, NULL },
    { "limit", FIELD_INT, 0, 1, 500, "texts at most; 50", NULL, NULL },
    FIELD_END
};
static const struct field UPLOAD[] = {
    { "as", FIELD_TEXT, 0, 0, 40, "the format, when it is not to be recognised", NULL, NULL },
    { "by", FIELD_TEXT, 0, 0, 400, "who wrote texts that name nobody; the persona", NULL, NULL },
    { "map", FIELD_TEXT, 0, 0, 2000, "columns of CSV or JSON lines: text=body,author=from,...",
      NULL, NULL },
    { "me", FIELD_TEXT, 0, 0, 4000, "by what names, addresses, numbers the person writes", NULL,
      NULL },
    { "tz", FIELD_TEXT, 0, 0, 8, "the zone of times without one: +01:00", NULL, NULL },
    { "day_first", FIELD_BOOL, 0, 0, 0, "03/04 is 3 April; told from the file", NULL, NULL },
    { "keep_secrets", FIELD_BOOL, 0, 0, 0, "take in card numbers, passwords and keys, too; false",
      NULL, NULL },
    { "dry_run", FIELD_BOOL, 0, 0, 0, "look, tell what would come in, store nothing; false", NULL,
      NULL },
    FIELD_END
};
static const struct field RAW[] = {
    { "name", FIELD_TEXT, 0, 1, 400, "when the body is the file itself: what it is called", NULL,
      NULL },
    { "as", FIELD_TEXT, 0, 0, 40, "as in the form", NULL, NULL },
    { "by", FIELD_TEXT, 0, 0, 400, "as in the form", NULL, NULL },
    { "map", FIELD_TEXT, 0, 0, 2000, "as in the form", NULL, NULL },
    { "me", FIELD_TEXT, 0, 0, 4000, "as in the form", NULL, NULL },
    { "tz", FIELD_TEXT, 0, 0, 8, "as in the form", NULL, NULL },
    { "day_first", FIELD_BOOL, 0, 0, 0, "as in the form", NULL, NULL },
    { "keep_secrets", FIELD_BOOL, 0, 0, 0, "as in the form", NULL, NULL },
    { "dry_run", FIELD_BOOL, 0, 0, 0, "as in the form", NULL, NULL },
    FIELD_END
};
static const struct field TEXT[] = {
    { "text", FIELD_TEXT, FIELD_REQUIRED, 1, 4194304, "by the person", NULL, NULL },
    { "title", FIELD_TEXT, 0, 0, 4000, "what to call it", NULL, NULL },
    { "written_at", FIELD_TIME, 0, 0, 0, "now", NULL, NULL },
    FIELD_END
};
static const struct field SEARCH[] = {
    { "query", FIELD_TEXT, FIELD_REQUIRED, 1, 16384, "what to look for", NULL, NULL },
    { "mode", FIELD_WORD, 0, 0, 0, "hybrid", NULL, "hybrid vector words" },
    { "adaptive", FIELD_BOOL, 0, 0, 0, "leave out what is not near enough", NULL, NULL },
    QUERY_FIELDS,
    FIELD_END
};
static const struct field PASSAGES[] = {
    { "passages", FIELD_LIST, FIELD_REQUIRED, 0, 0, "best first",
      &(const struct field){ "passage", FIELD_OBJECT, 0, 0, 0, "", SHOWN_PASSAGE, NULL }, NULL },
    FIELD_END
};

const struct route routes_source[] = {
    { "GET", "/api/personas/{persona}/sources", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .reply = SOURCES, .status = 200, .run = list, .name = "source.list",
      .summary = "What it is made of" },
    { "POST", "/api/personas/{persona}/sources", ACCESS_MANAGE,
      ROUTE_KEYS | ROUTE_AUDIT | ROUTE_UPLOAD, .body_max = 65536, .query = RAW, .body = UPLOAD,
      .reply = SHOWN_JOB, .status = 202, .run = upload, .name = "source.upload",
      .summary = "Bring files in",
      .about =
          "Files of any size, as multipart/form-data, or one file as the body itself with its name "
          "in the query. The same messages twice add nothing, and "
          "a longer export of a chat extends it. If the files have several authors and none is "
          "known to be the person, nothing is taken and the job's result lists them as "
          "`people`: send the file again with `me`. Card numbers, passwords and keys are left out "
          "of the texts, and the job's result counts them as `secrets`. With `dry_run` nothing is "
          "stored, and the result tells what would be: `sources` with their messages, speakers, "
          "dates and languages, `files` with what is passed over and why, and `joins`, the "
          "people who would be taken for one." },
    { "POST", "/api/personas/{persona}/texts", ACCESS_MANAGE, ROUTE_KEYS | ROUTE_AUDIT,
      .body_max = 5 << 20, .body = TEXT, .reply = SHOWN_SOURCE, .status = 201, .run = add_text,
      .name = "source.text", .summary = "Add one text" },
    { "GET", "/api/personas/{persona}/sources/{id}", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .query = PAGE, .reply = SHOWN_SOURCE, .status = 200, .run = show, .name = "source.show",
      .summary = "One source, with a page of its texts" },
    { "DELETE", "/api/personas/{persona}/sources/{id}", ACCESS_MANAGE, ROUTE_AUDIT,
      .reply = SHOWN_JOB, .status = 202, .run = erase, .name = "source.delete",
      .summary = "Delete a source and all that came from it" },
    { "GET", "/api/personas/{persona}/search", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .query = SEARCH, .reply = PASSAGES, .status = 200, .run = search, .name = "persona.search",
      .summary = "Search its texts" },
    { "POST", "/api/personas/{persona}/search", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .body = SEARCH, .reply = PASSAGES, .status = 200, .run = search,
      .name = "persona.search.post", .summary = "Search its texts, with the question in the body" },
    ROUTE_END
};
