/* What the kinds of jobs on personas share: work.c has it, and all kinds but the one that brings
 * files in (work_ingest.c). */
#ifndef LK_PERSONA_WORK_IMPL_H
#define LK_PERSONA_WORK_IMPL_H

#include "persona/work.h"

#include <jansson.h>

struct work {
    struct job_run *run;
    struct world *world;
    const uint8_t *uid;
    json_t *args;
    struct err *err;
};

int work_begin(struct work *k, struct job_run *r, struct err *err); /* args: to be given back */
int work_reply(struct work *k, json_t *j); /* the job's result; takes j, which may be NULL */
const char *work_arg(const struct work *k, const char *name);
/* The writer with the persona open, and back: its desks are told when something changed. */
int work_write_begin(struct work *k, struct home **h, struct persona **p);
void work_write_end(struct work *k, struct home *h, struct persona *p, bool changed);
int work_settle_now(struct work *k, const char *embedder); /* NULL: as it is */
void work_remove_spool(const struct world *w, const char *name);

int work_run_ingest(struct job_run *r, struct err *err);
void work_over_ingest(void *world, const struct row_job *job, enum job_state state);

#endif
