/* The doctor: looks at keys, store, versions and derived things, repairs what loses nothing.
 * Each finding is one sentence without personal text; `repair` false only looks. */
#ifndef LK_PERSONA_DOCTOR_H
#define LK_PERSONA_DOCTOR_H

#include "persona/home.h"

struct doctor_report {
    struct store_report store;
    uint64_t stale_personas;    /* settled when repairing */
    uint64_t unreadable_bodies; /* rows that open but do not parse */
};
/* 0 also when problems were found: see store.problems - store.repaired. */
int doctor_run(struct home *h, bool repair, void (*say)(void *ud, bool problem, const char *text),
               void *ud, struct doctor_report *rep, struct err *err);

#endif
