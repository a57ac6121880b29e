/* The kinds of jobs that a persona's owner may wait for. Each is safe to run twice: pieces are known
 * again by their digests, deletions find nothing to do, an export replaces its own file.
 *
 *     kind      args                                                   result
 *     ingest    {"files": [{"spool": NAME, "name": "chat.txt"}], "as"?, "by"?, "map"?, "tz"?}
 *                                                                      {"files": [...], "added", ...}
 *     settle    {}                                                     {}
 *     embed     {"embedder": NAME}                                     {"embedder"}
 *     delete    {"source": N}                                          {"pieces", "chunks", ...}
 *     forget    {}                                                     {}
 *     export    {"spool": NAME, "passphrase": sealed with the args}    {"spool": NAME, "bytes"}
 *
 * NAME is a file of world.spool_dir: 32 hex digits. */
#ifndef LK_PERSONA_WORK_H
#define LK_PERSONA_WORK_H

#include "jobs/jobs.h"
#include "persona/world.h"

extern const struct job_kind *const work_kinds[]; /* NULL-terminated */
/* A settle job for a persona whose texts changed; at most one waits. */
int work_settle(struct world *w, const uint8_t persona[VAULT_UID], int64_t account,
                struct err *err);
/* Removes files of spool_dir that no job knows: at start, after recovery. */
int work_tidy(struct world *w, struct err *err);

#endif
