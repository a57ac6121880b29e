/* Names and files of models. A name is a file name without its ending, so that what `ls` shows is
 * what `likeness model ls` shows, and nothing has to be kept beside the files. */
#include "shelf/shelf.h"

#include "base/io.h"
#include "base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_MAX_BYTES 100

bool shelf_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (!n || n > NAME_MAX_BYTES || !isalnum((unsigned char)name[0])) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

void shelf_name_from(const char *path, char out[101])
{
    size_t len = strlen(path), n = 0;
    while (len && path[len - 1] == '/') len--;
    size_t from = len;
    while (from && path[from - 1] != '/') from--;
    if (len - from > 5 && !strncasecmp(path + len - 5, ".gguf", 5)) len -= 5;
    else if (len - from > 4 && !strncasecmp(path + len - 4, ".bin", 4)) len -= 4;
    for (size_t i = from; i < len && n < NAME_MAX_BYTES; i++) {
        int c = tolower((unsigned char)path[i]);
        bool good = isalnum(c) || (n && strchr("._-", c));
        if (good) out[n++] = (char)c;
        else if (n && out[n - 1] != '-') out[n++] = '-';
    }
    while (n && !isalnum((unsigned char)out[n - 1])) n--;
    out[n] = 0;
    if (!n) strcpy(out, "model");
}

int shelf_path(const char *dir, const char *name, bool make, struct buf *out, struct err *err)
{
    if (!shelf_name_ok(name))
        return err_set(err, ERR_INVAL,
                       "\"%.60s\" cannot be a model's name: use letters, digits, '.', '-' and '_'",
                       name);
    int rc = make ? io_mkdirs(dir, 0755, err) : 0;
    buf_clear(out);
    buf_printf(out, "%s/%s.gguf", dir, name);
    return rc ? rc : out->failed ? err_nomem(err) : 0;
}

struct finding {
    const char *name;
    struct buf *path;
};

static int same_name(void *ud, const struct shelf_model *m, struct err *err)
{
    struct finding *f = ud;
    if (m->part || strcasecmp(m->name, f->name)) return 0;
    buf_clear(f->path);
    return buf_adds(f->path, m->path) ? err_nomem(err) : 1;
}

int shelf_find(const char *dir, const char *what, struct buf *path, struct err *err)
{
    struct finding f = { what, path };
    const char *base = strrchr(what, '/');
    int rc = shelf_name_ok(what) ? shelf_each(dir, same_name, &f, err) : 0;
    if (rc) return rc < 0 ? rc : 0;
    if (io_exists(what)) {
        buf_clear(path);
        return buf_adds(path, what) ? err_nomem(err) : 0;
    }
    if (shelf_entry_by_name(what))
        return err_set(err, ERR_NOTFOUND,
                       "the model %s is not on this machine yet: likeness model pull %s", what,
                       what);
    return err_set(err, ERR_NOTFOUND,
                   "there is no model \"%.80s\": `likeness model ls` lists those that are there, "
                   "`likeness model catalogue` those worth having",
                   base && base[1] ? base + 1 : what);
}

/* Is this entry a model, or a part of one? Cuts the ending off. */
static bool model_name(char *name, bool *part)
{
    size_t n = strlen(name);
    *part = n > 10 && !strcmp(name + n - 10, ".gguf.part");
    if (*part) name[n - 10] = 0;
    else if (n > 5 && !strcmp(name + n - 5, ".gguf")) name[n - 5] = 0;
    else return false;
    return shelf_name_ok(name);
}

/* Names without their endings, so that "tiny" comes before "tiny-q8_0". */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    const char *x = (*a)->d_name, *y = (*b)->d_name;
    const char *ex = strstr(x, ".gguf"), *ey = strstr(y, ".gguf");
    size_t nx = ex ? (size_t)(ex - x) : strlen(x), ny = ey ? (size_t)(ey - y) : strlen(y);
    int c = memcmp(x, y, nx < ny ? nx : ny);
    return c ? c : nx != ny ? (nx > ny) - (nx < ny) : strcmp(x, y);
}

int shelf_each(const char *dir, int (*fn)(void *ud, const struct shelf_model *m, struct err *err),
               void *ud, struct err *err)
{
    struct dirent **list = NULL;
    struct buf path = BUF_INIT(0);
    int n = scandir(dir, &list, NULL, by_name), rc = 0;
    if (n < 0 && errno != ENOENT) return err_errno(err, "cannot list the models in %s", dir);
    for (int i = 0; i < n; i++) {
        struct stat st;
        bool part;
        buf_clear(&path);
        buf_printf(&path, "%s/%s", dir, list[i]->d_name);
        if (path.failed && !rc) rc = err_nomem(err);
        if (!rc && model_name(list[i]->d_name, &part) && !stat(path.p, &st) &&
            S_ISREG(st.st_mode)) {
            struct shelf_model m = { list[i]->d_name, path.p, (uint64_t)st.st_size, part };
            rc = fn(ud, &m, err);
        }
        free(list[i]);
    }
    free(list);
    buf_free(&path);
    return rc;
}
