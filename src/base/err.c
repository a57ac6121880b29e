/* Errors. See err.h for the idiom. Messages are cut, not grown: an error path must not allocate. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (!err) return code;
    /* Formatted aside first: an argument may be err->msg itself. */
    char tmp[sizeof err->msg];
    vsnprintf(tmp, sizeof tmp, fmt, ap);
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
        snprintf(err->msg + n, sizeof err->msg - n, ": %s", strerror(e));
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
    size_t n = strlen(err->msg);
    snprintf(err->msg + n, sizeof err->msg - n, ": %s", old);
    return code;
}

int err_nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory: close other programs, or try a smaller input");
}

const char *err_name(int code)
{
    switch (code) {
#define X(name, num, text) case num: return #name;
        ERR_LIST(X)
#undef X
    default: return code == 0 ? "OK" : "INTERNAL";
    }
}

const char *err_text(int code)
{
    switch (code) {
#define X(name, num, text) case num: return text;
        ERR_LIST(X)
#undef X
    default: return code == 0 ? "no error" : "internal error";
    }
}
