/* A home is made and opened as one thing: vault first (keys), then store (rows sealed with them). */
#include "persona/home.h"

#include "base/io.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Take away what a failed home_create put there, and nothing else. */
static void undo_create(const char *path, const struct secret *s, bool made_folder)
{
    static const char *const files[] = { "vault", "keys", "likeness.db", "likeness.db-wal",
                                         "likeness.db-shm", "lock" };
    char t[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (snprintf(t, sizeof t, "%s/%s", path, files[i]) < (int)sizeof t) io_remove_tree(t, NULL);
    if (made_folder) rmdir(path);
    if (s->key_file) unlink(s->key_file);
}

int home_create(const char *path, const struct secret *s, struct err *err)
{
    struct vault *v = NULL;
    struct vault_info info;
    bool made = !io_exists(path);
    int rc = 0;
    if (!made && !vault_peek(path, &info, NULL))
        return err_set(err, ERR_EXISTS, "there is a home at %s already: use it, or choose another "
                       "place with --home", path);
    if ((rc = io_mkdirs(path, 0700, err))) return rc;
    if ((rc = vault_create(path, s, err))) goto out;
    if ((rc = vault_unlock(path, s, &v, err)) == 0) rc = store_create(path, v, err);
    vault_lock(v);
    if (rc) undo_create(path, s, made);
    return rc;
out:
    if (made) rmdir(path);
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
