/* Errors: one list of codes, one struct that carries a sentence a user can act on.
 *
 *     int thing_open(const char *path, struct err *err)
 *     {
 *         int fd = open(path, O_RDONLY);
 *         if (fd < 0) return err_errno(err, "cannot open %s", path);
 *         ...
 *
 * Functions return 0 or a negative code from this list; `err` may be NULL. A message names the
 * file, the place and the remedy; it never holds personal text (message bodies, names,
 * passphrases). */
#ifndef LK_BASE_ERR_H
#define LK_BASE_ERR_H

/* X(NAME, code, "what it means"). The codes are public (likeness.h repeats them) and are also what
 * the program's exit status is made from; add at the end, never renumber. */
#define ERR_LIST(X)                                                                                \
    X(NOMEM, -1, "out of memory")                                                                  \
    X(INVAL, -2, "an argument is not usable")                                                      \
    X(IO, -3, "reading or writing failed")                                                         \
    X(FULL, -4, "the disk is full or read-only")                                                   \
    X(NOTFOUND, -5, "there is no such thing")                                                      \
    X(EXISTS, -6, "it exists already")                                                             \
    X(PARSE, -7, "the input is not in the format it should be")                                    \
    X(KEY, -8, "wrong or missing key or passphrase")                                               \
    X(SEAL, -9, "sealed data was changed or belongs elsewhere")                                    \
    X(VERSION, -10, "made by a newer version")                                                     \
    X(BUSY, -11, "in use by another process")                                                      \
    X(LIMIT, -12, "a limit was reached")                                                           \
    X(CANCEL, -13, "cancelled")                                                                    \
    X(CONSENT, -14, "consent is missing")                                                          \
    X(INTERNAL, -15, "internal error")                                                             \
    X(AWAY, -16, "another server that was asked is away, or refuses")

enum err_code {
    ERR_OK = 0,
#define X(name, code, text) ERR_##name = code,
    ERR_LIST(X)
#undef X
};

struct err {
    int code;
    char msg[480];
};

/* Set code and message; returns code, so `return err_set(...)` reads well. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with the code chosen from errno (ENOSPC, EROFS -> FULL, ENOENT -> NOTFOUND, ENOMEM ->
 * NOMEM, EEXIST -> EXISTS, else IO) and ": strerror" added. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "prefix: " before the message already in err; returns err->code (or code if err is NULL). */
int err_prefix(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void err_set_nomem(struct err *err);
/* ERR_NOMEM, said; inline, so that readers and analysers see that it is never 0. */
static inline int err_nomem(struct err *err)
{
    err_set_nomem(err);
    return ERR_NOMEM;
}

/* "NOMEM", "IO", ... and what it means; never NULL. */
const char *err_name(int code);
const char *err_text(int code);

#endif
