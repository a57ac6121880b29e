/* Bringing a model onto the shelf from the network.
 *
 *     struct pull p = { .what = "llama-3.2-1b", .dir = dir, .progress = pr };
 *     int rc = pull_model(&p, &path, err);
 *
 * what: a name of the catalogue; hf:OWNER/REPO or hf:OWNER/REPO/FILE at the hub (huggingface.co, or
 * the address in HF_ENDPOINT); or the https:// address of a GGUF file. A repository without GGUF
 * files but with safetensors is fetched into a folder DIR/NAME.fetch and imported; the folder goes
 * away when that is done. HF_TOKEN is sent to the hub when set. */
#ifndef LK_SHELF_PULL_H
#define LK_SHELF_PULL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stdint.h>

struct pull {
    const char *what, *dir;
    const char *name;   /* on the shelf; NULL: made from what */
    const char *sha256; /* 64 hex digits; NULL: what the server promises, if it does */
    bool replace;
    const struct progress *progress;
    /* comes back */
    uint64_t size, resumed;
    bool checked;
    char sum[65];
};
int pull_model(struct pull *p, struct buf *path, struct err *err);

#endif
