/* Errors. See err.h for the idiom. Messages are cut, not grown: an error path must not allocate.
 * They are cut between characters, since programs read them as JSON too. */
#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* After snprintf that wanted n bytes: mend a character that was cut in two. */
static void end_whole(char *s, size_t cap, int n)
{
    if (n < 0 || (size_t)n < cap) return;
    size_t at = cap - 1;
    while (at && ((unsigned char)s[at - 1] & 0xC0) == 0x80) at--;
    if (at && (unsigned char)s[at - 1] >= 0xC0 && !utf8_valid(s + at - 1, cap - at)) s[at - 1] = 0;
}

static int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (!err) return code;
    /* Formatted aside first: an argument may be err->msg itself. */
    char tmp[sizeof err->msg] = { 0 };
    end_whole(tmp, sizeof tmp, vsnprintf(tmp, sizeof tmp, fmt, ap));
    memcpy(err->msg, tmp, sizeof tmp);
    err->code = code;
    return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

static int code_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS: return ERR_FULL;
    case ENOENT: return ERR_NOTFOUND;
    case ENOMEM: return ERR_NOMEM;
    case EEXIST: return ERR_EXISTS;
    default: return ERR_IO;
    }
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int e = errno, code = code_of_errno(e);
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    if (err) {
        size_t n = strlen(err->msg);
        size_t left = sizeof err->msg - n;
        end_whole(err->msg + n, left, snprintf(err->msg + n, left, ": %s", strerror(e)));
    }
    return code;
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
    if (!err) return code;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->msg), left = sizeof err->msg - n;
    end_whole(err->msg + n, left, snprintf(err->msg + n, left, ": %s", old));
    return code;
}

void err_set_nomem(struct err *err)
{
    err_set(err, ERR_NOMEM, "out of memory: close other programs, or try a smaller input");
}

const char *err_name(int code)
{
    switch (code) {
#define X(name, num, text)                                                                         \
    case num: return #name;
        ERR_LIST(X)
#undef X
    default: return code == 0 ? "OK" : "INTERNAL";
    }
}

const char *err_text(int code)
{
    switch (code) {
#define X(name, num, text)                                                                         \
    case num: return text;
        ERR_LIST(X)
#undef X
    default: return code == 0 ? "no error" : "internal error";
    }
}
