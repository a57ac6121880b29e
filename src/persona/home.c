/* A home is made and opened as one thing: vault first (keys), then store (rows sealed with them).
 */
#include "persona/home.h"

#include "base/io.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first part of path that is not there yet; "" when all of it is. */
static void first_missing(const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s", path);
    for (char *p = out + (*out != 0); *out; p++) {
        char c = *p;
        if (c && c != '/') continue;
        *p = 0;
        if (!io_exists(out)) return;
        if (!c) break;
        *p = c;
    }
    *out = 0;
}

/* Take away what a failed home_create put there, and nothing else. `made`: the outermost folder
 * that was not there before. */
static void undo_create(const char *path, const struct secret *s, const char *made, bool vault_made)
{
    static const char *const files[] = { "vault",           "keys",
                                         "likeness.db",     "likeness.db-wal",
                                         "likeness.db-shm", "lock" };
    char t[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (snprintf(t, sizeof t, "%s/%s", path, files[i]) < (int)sizeof t) io_remove_tree(t, NULL);
    if (vault_made && s->key_file) vault_shred(s->key_file, NULL);
    snprintf(t, sizeof t, "%s", path);
    for (size_t n = strlen(t); *made && n >= strlen(made) && !rmdir(t); t[n] = 0)
        while (n && t[--n] != '/') continue;
}

/* A folder without a vault may still hold what a vault opened, and is then left alone. */
static int check_empty(const char *path, struct err *err)
{
    static const char *const files[] = { "vault", "keys", "likeness.db" };
    struct vault_info info;
    char t[PATH_MAX];
    if (!vault_peek(path, &info, NULL))
        return err_set(err, ERR_EXISTS,
                       "there is a home at %s already: use it, or choose another "
                       "place with --home",
                       path);
    snprintf(t, sizeof t, "%s/keys", path);
    rmdir(t); /* empty: left by a creation that was killed */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (snprintf(t, sizeof t, "%s/%s", path, files[i]) < (int)sizeof t && io_exists(t))
            return err_set(err, ERR_EXISTS,
                           "%s is there: %s holds a home that is damaged or not "
                           "whole; restore it from a backup, or choose another place",
                           t, path);
    return 0;
}

int home_create(const char *path, const struct secret *s, struct err *err)
{
    struct vault *v = NULL;
    char made[PATH_MAX];
    bool vault_made = false;
    int rc = check_empty(path, err);
    if (rc) return rc;
    first_missing(path, made);
    rc = io_mkdirs(path, 0700, err);
    if (!rc) rc = vault_create(path, s, err);
    vault_made = !rc;
    if (!rc) rc = vault_unlock(path, s, &v, err);
    if (!rc) rc = store_create(path, v, err);
    vault_lock(v);
    if (rc) undo_create(path, s, made, vault_made);
    return rc;
}

int home_open(const char *path, const struct secret *s, enum store_mode mode, struct home **out,
              struct err *err)
{
    struct home *h = calloc(1, sizeof *h);
    int rc;
    *out = NULL;
    if (!h || !(h->path = str_dup(path))) {
        rc = err_nomem(err);
        goto fail;
    }
    if ((rc = vault_unlock(path, s, &h->vault, err))) goto fail;
    if ((rc = store_open(path, h->vault, mode, &h->store, err))) goto fail;
    *out = h;
    return 0;
fail:
    home_close(h);
    return rc;
}

void home_close(struct home *h)
{
    if (!h) return;
    store_close(h->store);
    vault_lock(h->vault);
    free(h->path);
    free(h);
}
