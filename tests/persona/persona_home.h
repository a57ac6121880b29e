/* A throw-away home with a persona, for tests of the persona room. Everything lies below TMPDIR. */
#ifndef LK_TESTS_PERSONA_HOME_H
#define LK_TESTS_PERSONA_HOME_H

#include "check.h"

#include "base/io.h"
#include "kernels/kernels.h"
#include "persona/ingest.h"

#define SAMPLE_ME                                                                                  \
    "Marit Penhallow,marit@penhallow.example.org,m.penhallow@tollickferries.example.com,"          \
    "shop@secondwind.example.org,Marit at Second Wind,Marit P,Marit"

struct test_home {
    char dir[300], path[400], key[400];
    struct secret secret;
    struct home *home;
    struct persona *persona;
};

static inline void test_home_reopen(struct test_home *t, enum store_mode mode)
{
    struct err err = { 0 };
    persona_close(t->persona);
    home_close(t->home);
    t->persona = NULL;
    t->home = NULL;
    check_ok(home_open(t->path, &t->secret, mode, &t->home, &err), err);
    check_ok(persona_open(t->home, "", &t->persona, &err), err);
}

static inline void test_home_open(struct test_home *t)
{
    struct err err = { 0 };
    struct persona_new n = { .name = "Marit",
                             .kind = PERSONA_FICTIONAL,
                             .consent_by = "the authors",
                             .consent_to = "tests",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    memset(t, 0, sizeof *t);
    setenv("LIKENESS_KDF", "fast", 1);
    kernels_init(NULL, NULL);
    snprintf(t->dir, sizeof t->dir, "%s", check_tmp_dir());
    snprintf(t->path, sizeof t->path, "%s/home", t->dir);
    snprintf(t->key, sizeof t->key, "%s/home.key", t->dir);
    t->secret.key_file = t->key;
    check_ok(home_create(t->path, &t->secret, &err), err);
    check_ok(home_open(t->path, &t->secret, STORE_WRITE, &t->home, &err), err);
    check_ok(persona_create(t->home, &n, &t->persona, &err), err);
}

static inline int test_home_add(struct test_home *t, const char *path, struct ingest_totals *tot)
{
    struct err err = { 0 };
    struct ingest in = { .home = t->home, .persona = t->persona, .day_first = -1 };
    int rc = ingest_paths(&in, &path, 1, tot, &err);
    if (rc) print_message("# %s\n", err.msg);
    return rc;
}

static inline void test_home_sample(struct test_home *t)
{
    struct err err = { 0 };
    struct ingest_totals tot;
    check_ok(persona_alias_add(t->home, t->persona, SAMPLE_ME, &err), err);
    check_int(test_home_add(t, "examples/person", &tot), 0);
}

static inline void test_home_close(struct test_home *t)
{
    persona_close(t->persona);
    home_close(t->home);
    io_remove_tree(t->dir, NULL);
    memset(t, 0, sizeof *t);
}

#endif
