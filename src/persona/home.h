/* A home: the folder that holds a vault and a store, opened with its key.
 *
 *     struct home *h;
 *     home_open("/home/ann/.local/share/likeness", &secret, STORE_WRITE, &h, err);
 *     ...
 *     home_close(h); */
#ifndef LK_PERSONA_HOME_H
#define LK_PERSONA_HOME_H

#include "store/store.h"
#include "vault/vault.h"

struct home {
    char *path;
    struct vault *vault;
    struct store *store;
    bool shared; /* the vault is another home's */
};

/* Where changes go when the home at hand is to read only: take hands out one to write, or says why
 * not; give gets it back. */
struct home_writer {
    int (*take)(void *ud, struct home **out, struct err *err);
    void (*give)(void *ud, struct home *h);
    void *ud;
};

/* Make folder, keys and an empty store. ERR_EXISTS when a home is there; after any other error
 * nothing is left behind that was not there before. */
int home_create(const char *path, const struct secret *s, struct err *err);
int home_open(const char *path, const struct secret *s, enum store_mode mode, struct home **out,
              struct err *err);
/* The same home once more, with a store of its own, e.g. for another thread. The vault is shared
 * and does not change: h is to be closed last. */
int home_again(const struct home *h, enum store_mode mode, struct home **out, struct err *err);
void home_close(struct home *h); /* zeroes keys; accepts NULL */

#endif
