/* Exports in JSON. Programs write the name of a chat before or after its thousands of messages as
 * they like, so the file is gone through twice: first for everything but the list, which is passed
 * over without being kept, then for the list. */
#include "text/fmt_export.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX ((size_t)1 << 20) /* of one member beside the list */
#define TEXT_MAX (FORMAT_PIECE_MAX * 3)

struct export *export_new(struct format_in *in, const struct format_opts *o,
                          const struct piece_sink *sink, struct err *err)
{
    struct export *x = calloc(1, sizeof *x);
    if (!x || !(x->head = json_object())) {
        free(x);
        err_nomem(err);
        return NULL;
    }
    x->in = in;
    x->o = o;
    x->sink = sink;
    x->item.max = EXPORT_ITEM_MAX;
    x->text.max = x->quoted.max = TEXT_MAX;
    x->author.max = x->id.max = x->thread.max = x->title.max = TEXT_MAX;
    return x;
}

void export_free(struct export *x)
{
    if (!x) return;
    json_decref(x->head);
    struct buf *all[] = {
        &x->text, &x->quoted, &x->author, &x->id, &x->thread, &x->title, &x->item
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_free(all[i]);
    explicit_bzero(x, sizeof *x);
    free(x);
}

const json_t *export_at(const json_t *v, const char *path)
{
    char key[64];
    while (v && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof key) return NULL;
        memcpy(key, path, n);
        key[n] = 0;
        v = json_object_get(v, key);
        path += n + (path[n] == '.');
    }
    return v;
}

const char *export_str(const json_t *v, struct buf *out)
{
    buf_clear(out);
    json_text(v, out);
    return buf_str(out);
}

int64_t export_time(const struct export *x, const json_t *v)
{
    struct buf b = BUF_INIT(4096);
    int64_t t = CLOCK_NONE;
    if (json_is_real(v)) buf_printf(&b, "%.0f", json_real_value(v));
    else export_str(v, &b);
    if (!b.n || !fmt_when(x->o, -1, (struct span){ buf_str(&b), b.n }, &t)) t = CLOCK_NONE;
    buf_free(&b);
    return t;
}

int export_piece(struct export *x, enum piece_kind kind, struct piece *p, struct err *err)
{
    *p = fmt_piece(kind);
    p->text = buf_str(&x->text);
    p->quoted = buf_str(&x->quoted);
    p->author = buf_str(&x->author);
    p->author_id = buf_str(&x->id);
    p->thread = buf_str(&x->thread);
    p->title = buf_str(&x->title);
    bool bad = x->text.failed == ERR_NOMEM || x->quoted.failed == ERR_NOMEM || x->author.failed ||
               x->id.failed || x->thread.failed || x->title.failed;
    return bad ? err_nomem(err) : 0;
}

char export_first(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    return s.n ? *s.p : 0;
}

bool export_has(const struct format_in *in, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (!memmem(in->head, in->head_n, words, n)) return false;
        words += n + (words[n] == ' ');
    }
    return true;
}

/* ---- the two passes ---- */

static int keep_member(struct export *x, const char *key, struct err *err)
{
    struct buf b = BUF_INIT(HEAD_MAX);
    int rc = jscan_value(&x->scan, &b, err);
    json_t *v = rc || x->scan.cut ? NULL : json_of(buf_str(&b), b.n);
    if (v && json_object_set_new_nocheck(x->head, key, v)) rc = err_nomem(err);
    buf_free(&b);
    return rc;
}

static int read_head(struct export *x, const char *list, struct err *err)
{
    char key[64];
    int rc = jscan_init(&x->scan, x->in, NULL, err);
    if (!rc) rc = jscan_enter(&x->scan, '{', err);
    while (!rc && (rc = jscan_key(&x->scan, key, sizeof key, err)) > 0)
        rc = !strcmp(key, list) ? jscan_value(&x->scan, NULL, err) : keep_member(x, key, err);
    rewind(x->in->f);
    return rc;
}

typedef int item_fn(struct export *x, const json_t *item, uint64_t where, struct err *err);

static int read_list(struct export *x, item_fn *fn, struct err *err)
{
    int rc = jscan_enter(&x->scan, '[', err);
    while (!rc && (rc = jscan_item(&x->scan, err)) > 0) {
        if ((rc = jscan_value(&x->scan, &x->item, err))) break;
        uint64_t where = x->scan.value_at;
        json_t *v = x->scan.cut ? NULL : json_of(buf_str(&x->item), x->item.n);
        if (json_is_object(v)) {
            x->items++;
            rc = fn(x, v, where, err);
        } else {
            fmt_skip(x->sink, x->scan.cut ? "over-long message" : "broken message", where);
        }
        json_decref(v);
    }
    return rc;
}

/* From inside an object: to the list at a path of keys, and back out of the object. */
static int find_list(struct export *x, const char *path, item_fn *fn, bool *found, struct err *err)
{
    char key[64];
    size_t n = strcspn(path, ".");
    int rc = jscan_enter(&x->scan, '{', err);
    while (!rc && (rc = jscan_key(&x->scan, key, sizeof key, err)) > 0) {
        bool mine = strlen(key) == n && !memcmp(key, path, n);
        int c = mine ? jscan_peek(&x->scan, err) : 0;
        if (c < 0) return c;
        if (c == '[' && !path[n]) {
            *found = true;
            rc = read_list(x, fn, err);
        } else if (c == '{' && path[n] && !strchr(path + n + 1, '.')) {
            rc = find_list(x, path + n + 1, fn, found, err);
        } else {
            rc = jscan_value(&x->scan, NULL, err);
        }
    }
    return rc;
}

int export_walk(struct export *x, const char *key, item_fn *fn,
                int (*begin)(struct export *x, struct err *err), struct err *err)
{
    char outer[64];
    bool found = !key;
    snprintf(outer, sizeof outer, "%.*s", key ? (int)strcspn(key, ".") : 0, key ? key : "");
    int rc = key ? read_head(x, outer, err) : 0;
    if (!rc && begin) rc = begin(x, err);
    if (!rc) rc = jscan_init(&x->scan, x->in, x->sink, err);
    if (!rc) rc = key ? find_list(x, key, fn, &found, err) : read_list(x, fn, err);
    if (!rc && !found)
        rc = err_set(err, ERR_PARSE, "%s has no list \"%s\": it is not the export it looks like",
                     x->in->name, key);
    return rc;
}

int export_file(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                const char *key, item_fn *fn, int (*begin)(struct export *x, struct err *err),
                struct err *err)
{
    struct export *x = export_new(in, o, sink, err);
    int rc = x ? export_walk(x, key, fn, begin, err) : ERR_NOMEM;
    export_free(x);
    return rc;
}
