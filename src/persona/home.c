/* A home is made and opened as one thing: vault first (keys), then store (rows sealed with them).
 *
 * Making one takes as long as Argon2id does, and two processes may set out to make the same. So
 * HOME/lock is held from the second look at what is there to the end, and who fails takes away only
 * what it knows to have made itself: never a folder with something in it, never a file by its name
 * alone. */
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

/* The folders from path up to `made`, the outermost that was not there before; each only when
 * nothing is in it. */
static void remove_folders(const char *path, const char *made)
{
    char t[PATH_MAX];
    snprintf(t, sizeof t, "%s", path);
    for (size_t n = strlen(t); *made && n >= strlen(made) && !rmdir(t); t[n] = 0)
        while (n && t[--n] != '/') continue;
}

/* Take away what this home_create put there, and nothing else; the store has taken away its own. */
static void undo_create(const char *path, const struct secret *s, bool vault_made)
{
    char t[PATH_MAX];
    if (vault_made && snprintf(t, sizeof t, "%s/vault", path) < (int)sizeof t) unlink(t);
    if (snprintf(t, sizeof t, "%s/keys", path) < (int)sizeof t) rmdir(t);
    if (vault_made && s->key_file) vault_shred(s->key_file, NULL);
    if (snprintf(t, sizeof t, "%s/lock", path) < (int)sizeof t) unlink(t);
}

static int check_no_home(const char *path, struct err *err)
{
    struct vault_info info;
    if (vault_peek(path, &info, NULL)) return 0;
    return err_set(err, ERR_EXISTS,
                   "there is a home at %s already: use it, or choose another "
                   "place with --home",
                   path);
}

/* With the lock held. A folder without a vault may still hold what a vault opened, and is then left
 * alone. */
static int check_empty(const char *path, struct err *err)
{
    static const char *const files[] = { "vault", "keys", "likeness.db" };
    char t[PATH_MAX];
    int rc = check_no_home(path, err);
    if (rc) return rc;
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

/* With the lock held. */
static int create_locked(const char *path, const struct secret *s, struct err *err)
{
    struct vault *v = NULL;
    bool vault_made = false;
    int rc = check_empty(path, err);
    if (rc) return rc;
    rc = vault_create(path, s, err);
    vault_made = !rc;
    if (!rc) rc = vault_unlock(path, s, &v, err);
    if (!rc) rc = store_create_locked(path, v, err);
    vault_lock(v);
    if (rc) undo_create(path, s, vault_made);
    return rc;
}

int home_create(const char *path, const struct secret *s, struct err *err)
{
    char made[PATH_MAX];
    int lock = -1, rc = check_no_home(path, err); /* one that is there is not even locked */
    if (rc) return rc;
    first_missing(path, made);
    rc = io_mkdirs(path, 0700, err);
    if (!rc) rc = store_lock(path, &lock, err);
    if (!rc) rc = create_locked(path, s, err);
    store_unlock(&lock);
    if (rc) remove_folders(path, made);
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

int home_again(const struct home *h, enum store_mode mode, struct home **out, struct err *err)
{
    struct home *again = calloc(1, sizeof *again);
    int rc;
    *out = NULL;
    if (!again || !(again->path = str_dup(h->path))) {
        rc = err_nomem(err);
        goto fail;
    }
    again->vault = h->vault;
    again->shared = true;
    if ((rc = store_open(h->path, h->vault, mode, &again->store, err))) goto fail;
    *out = again;
    return 0;
fail:
    home_close(again);
    return rc;
}

void home_close(struct home *h)
{
    if (!h) return;
    store_close(h->store);
    if (!h->shared) vault_lock(h->vault);
    free(h->path);
    free(h);
}
