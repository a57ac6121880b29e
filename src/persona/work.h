/* The kinds of jobs that a persona's owner may wait for. Each is safe to run twice: pieces are
 * known again by their digests, deletions find nothing to do, an export replaces its own file.
 *
 *     kind      args                                                   result
 *     ingest    {"files": [{"spool": NAME, "name": "chat.txt", "bytes": N}],
 *                "as"?, "by"?, "map"?, "me"?, "tz"?: seconds, "day_first"?: -1, 0, 1,
 *                "keep_secrets"?: true, "dry_run"?: true}              {"files", "added", ...}
 *     settle    {}                                                     {}
 *     embed     {"embedder": NAME}                                     {"embedder"}
 *     delete    {"source": N}                                          {"pieces", "chunks", ...}
 *     forget    {}                                                     {}
 *     export    {"spool": NAME, "passphrase": TEXT, "mask_others"?: true}
 *                                                                      {"spool", "bytes", "masked"}
 *
 * NAME is a file of world.spool_dir: 32 hex digits. Arguments are sealed in the store. A dry run
 * stores nothing; its result has "sources" and "joins" (told.h). */
#ifndef LK_PERSONA_WORK_H
#define LK_PERSONA_WORK_H

#include "jobs/jobs.h"
#include "persona/world.h"

extern const struct job_kind *const work_kinds[]; /* NULL-terminated */
/* A settle job for a persona whose texts changed; at most one waits. */
int work_settle(struct world *w, const uint8_t persona[VAULT_UID], int64_t account,
                struct err *err);
/* HOME/incoming/NAME; ERR_INVAL when it is no name of a spool. */
#define SPOOL_NAME 32
int world_spool(const struct world *w, const char *name, char out[4096], struct err *err);
void world_spool_new(char name[SPOOL_NAME + 1]); /* random */

/* world.c: */
/* A persona that belongs to an account: ERR_EXISTS when the account has one of that name, ERR_LIMIT
 * when it has PERSONAS_MAX. n->uid and n->any_name are not looked at. May wait for the writer. */
#define PERSONAS_MAX 200
int world_persona_new(struct world *w, int64_t account, const struct persona_new *n,
                      uint8_t uid[VAULT_UID], struct err *err);
/* ERR_EXISTS when another persona that the account owns has this name. h: to read. */
int world_name_free(struct world *w, struct home *h, int64_t account, const char *name,
                    const uint8_t but[VAULT_UID], struct err *err);
/* Who owns it: 0 for one that was made on the command line. */
int world_owner(struct world *w, const uint8_t persona[VAULT_UID], int64_t *account,
                struct err *err);
/* The name of the service's note that says with whom it is shared: it goes with the persona. */
char *world_shares(const uint8_t persona[VAULT_UID], char out[64]);
/* At start, before the jobs: removes files of spool_dir that no job knows, exports older than a
 * day, and rights on personas that are not there; asks for the settling of personas that need it.
 */
int work_tidy(struct world *w, struct err *err);
/* Now and then: files that are older than a day and that no job waits for. */
void work_sweep(struct world *w);

#endif
