/* Fetching a file over HTTPS, so that a broken line costs only what was on the way.
 *
 *     struct fetch f = { .url = "https://...", .path = "models/x.gguf", .progress = p };
 *     int rc = fetch_file(&f, err);
 *
 * Bytes go to PATH.part, with the server's name for them (ETag) in PATH.part.from. When the line
 * drops, or the program is stopped, the next try goes on where the last one ended, if the server
 * still has the same file. When all has come its SHA-256 is compared with the one that was promised
 * (by the caller, or by the server's X-Linked-ETag), the file is synced and renamed to PATH. So
 * PATH is whole or not there. Plain http is taken from this machine only. */
#ifndef LK_NET_FETCH_H
#define LK_NET_FETCH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch {
    const char *url, *path;
    const char *sha256; /* 64 hex digits that the file must have; NULL: what the server says */
    const char *token;  /* sent as a bearer token to the host of url only; NULL: none */
    bool replace;       /* PATH may be there already */
    const struct progress *progress;
    /* comes back */
    uint64_t size;    /* of the file */
    uint64_t resumed; /* bytes that earlier calls had brought */
    bool checked;     /* a SHA-256 was promised, and it is right */
    char got[65];     /* the file's SHA-256, in hex */
};

/* ERR_NOTFOUND, ERR_KEY (a token or an agreement is wanted), ERR_FULL (too little room, before
 * anything is fetched), ERR_EXISTS, ERR_BUSY (another process fetches the same), ERR_CANCEL,
 * ERR_PARSE (the SHA-256 is another; nothing stays), ERR_IO (the line; what came stays). */
int fetch_file(struct fetch *f, struct err *err);
/* A small document, at most max bytes, appended to out. */
int fetch_text(const char *url, const char *token, size_t max, struct buf *out, struct err *err);

#endif
