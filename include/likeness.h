/* liblikeness: a persona made of a person's own words, inside your program.
 *
 *     #include <likeness.h>
 *
 *     lk_error err;
 *     lk_home *home;
 *     lk_persona *ann;
 *     lk_answer *a;
 *     lk_secret secret = { .key_file = key };
 *     if (lk_home_open("/home/ann/.local/share/likeness", &secret, LK_WRITE, &home, &err))
 *         return fprintf(stderr, "%s\n", err.message), 1;
 *     lk_persona_open(home, "Ann", &ann, &err);
 *     lk_add(ann, "letters.mbox", NULL, NULL, &err);
 *     lk_ask(ann, "What do you think of boats?", NULL, &a, &err);
 *     puts(lk_answer_text(a));
 *     for (size_t i = 0; i < lk_answer_sources(a); i++) puts(lk_answer_source(a, i)->title);
 *     lk_answer_free(a);
 *     lk_persona_close(ann);
 *     lk_home_close(home);
 *
 * Functions return 0 or a negative code below; lk_error (may be NULL) then holds a sentence that a
 * user can act on, without personal text. Free functions accept NULL. A home and what was opened
 * from it belong to one thread at a time; open the home once more (LK_READ) for another thread.
 * Close personas before their home. All text is UTF-8. Times are seconds since 1970 UTC;
 * LK_TIME_NONE means not known. Two programs to start from: examples/library/. Link with
 * `pkg-config --cflags --libs likeness`. */
#ifndef LIKENESS_H
#define LIKENESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_API       __attribute__((visibility("default")))
#define LK_TIME_NONE INT64_MIN

enum lk_code {
    LK_OK = 0,
    LK_NOMEM = -1,     /* out of memory */
    LK_INVAL = -2,     /* an argument is not usable */
    LK_IO = -3,        /* reading or writing failed */
    LK_FULL = -4,      /* the disk is full or read-only */
    LK_NOTFOUND = -5,  /* there is no such thing */
    LK_EXISTS = -6,    /* it exists already */
    LK_PARSE = -7,     /* the input is not in the format it should be */
    LK_KEY = -8,       /* wrong or missing key or passphrase */
    LK_SEAL = -9,      /* sealed data was changed or belongs elsewhere */
    LK_VERSION = -10,  /* made by a newer version */
    LK_BUSY = -11,     /* in use by another process */
    LK_LIMIT = -12,    /* a limit was reached */
    LK_CANCEL = -13,   /* cancelled */
    LK_CONSENT = -14,  /* consent is missing */
    LK_INTERNAL = -15, /* internal error */
    LK_AWAY = -16      /* another server that was asked is away, or refuses */
};

typedef struct {
    int code;
    char message[480];
} lk_error;

typedef struct {          /* what opens a home: one of the two */
    const char *key_file; /* path */
    const char *passphrase;
} lk_secret;

typedef struct lk_home lk_home;
typedef struct lk_persona lk_persona;
typedef struct lk_answer lk_answer;
typedef struct lk_results lk_results;

/* "0.1.0" */
LK_API const char *lk_version(void);
/* "KEY", "BUSY", ... ; never NULL. */
LK_API const char *lk_code_name(int code);

/* ---- homes ---- */

enum lk_mode { LK_READ, LK_WRITE }; /* one writer at a time, any number of readers */

/* Make a home: folder, keys, empty store. The key file is made too and must not exist. */
LK_API int lk_home_create(const char *path, const lk_secret *s, lk_error *err);
/* *out is to be closed with lk_home_close; NULL after an error. */
LK_API int lk_home_open(const char *path, const lk_secret *s, enum lk_mode mode, lk_home **out,
                        lk_error *err);
LK_API void lk_home_close(lk_home *h);

/* ---- personas ---- */

/* kind: "self", "consented", "legacy" or "fictional". by agreed to what: both are required
 * (LK_CONSENT). */
LK_API int lk_persona_create(lk_home *h, const char *name, const char *kind, const char *consent_by,
                             const char *consent_to, lk_persona **out, lk_error *err);
/* By name, id, or NULL when there is only one. */
LK_API int lk_persona_open(lk_home *h, const char *name, lk_persona **out, lk_error *err);
LK_API void lk_persona_close(lk_persona *p);
LK_API const char *lk_persona_name(const lk_persona *p); /* borrowed until close */
/* Destroys the persona's key, then everything of it. There is no way back. Close it first. The name
 * (or id) is required. */
LK_API int lk_persona_forget(lk_home *h, const char *name, lk_error *err);
/* Comma-separated names, mail addresses, numbers under which the persona writes. Pieces that are in
 * already become the persona's own where they match: call lk_settle after it. */
LK_API int lk_persona_me(lk_persona *p, const char *aliases, lk_error *err);

/* ---- what they wrote ---- */

typedef struct {
    uint64_t files, failed;  /* looked at; of them unreadable */
    uint64_t added, known;   /* pieces: new, there before */
    uint64_t voice, context; /* of the new: the persona's, others' */
} lk_added;

/* A file or folder; format NULL recognises it. What is in is searchable when this returns. added
 * may be NULL. LK_INVAL when several people write in it and lk_persona_me was not called yet. */
LK_API int lk_add(lk_persona *p, const char *path, const char *format, lk_added *added,
                  lk_error *err);
/* A text by the persona; title may be NULL. Cheap: call lk_settle after the last of many. */
LK_API int lk_add_text(lk_persona *p, const char *title, const char *text, size_t n,
                       int64_t written_at, lk_error *err);
LK_API int lk_settle(lk_persona *p, lk_error *err);

/* ---- questions ---- */

typedef struct {       /* zeroed: the defaults */
    int k;             /* passages, 0: 5 */
    int fixed_k;       /* 1: exactly k; 0: those near enough, at least 3, at most k */
    int64_t from, to;  /* written in [from, to); 0 both: any time */
    int64_t source;    /* 0: any */
    int topic_plus_1;  /* 0: any */
    const char *voice; /* NULL: "quote" */
    int remember;      /* 1: follows the last question to this lk_persona by this voice */
} lk_options;

typedef struct {
    int64_t source, written_at; /* source id; when it was written, or LK_TIME_NONE */
    double similarity;          /* cosine of question and passage, -1 .. 1 */
    const char *title;          /* of the source */
    const char *text;           /* the sentence quoted, or the passage found */
} lk_source;                    /* strings are borrowed from the answer or the results */

enum lk_kind {
    LK_FOUND,
    LK_CHANGED,
    LK_NONE
}; /* answered; changed their mind; never wrote about it */

/* o may be NULL. *out is to be freed with lk_answer_free; NULL after an error. */
LK_API int lk_ask(lk_persona *p, const char *question, const lk_options *o, lk_answer **out,
                  lk_error *err);
LK_API const char *lk_answer_text(const lk_answer *a);
LK_API enum lk_kind lk_answer_kind(const lk_answer *a);
LK_API size_t lk_answer_sources(const lk_answer *a);
LK_API const lk_source *lk_answer_source(const lk_answer *a, size_t i); /* NULL beyond the end */
LK_API void lk_answer_free(lk_answer *a);

LK_API int lk_search(lk_persona *p, const char *query, const lk_options *o, lk_results **out,
                     lk_error *err);
LK_API size_t lk_results_count(const lk_results *r);
LK_API const lk_source *lk_results_get(const lk_results *r,
                                       size_t i); /* best first; NULL beyond the end */
LK_API void lk_results_free(lk_results *r);

#ifdef __cplusplus
}
#endif
#endif
