/* What the two files about jobs share. */
#ifndef LK_STORE_SERVICE_JOB_H
#define LK_STORE_SERVICE_JOB_H

#include "store/service_impl.h"

/* What a job's sealed columns are bound to; r needs account, persona, kind, created_at. */
struct bound job_bound(const struct row_job *r);
/* The version that a change about to be made gives its row. Inside a transaction. */
int job_version(struct service *sv, int64_t *version, struct err *err);

#endif
