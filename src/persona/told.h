/* Persons, languages and what a dry run foretells, in JSON: the same over HTTP, in the results of
 * jobs and by --json.
 *
 *     size_t room = 300000;                            bytes of JSON; SIZE_MAX: any
 *     uint64_t more = 0;
 *     json_t *sources = told_sources(v, 50, &room, &more);
 *
 * Makers return new references; NULL: out of memory. */
#ifndef LK_PERSONA_TOLD_H
#define LK_PERSONA_TOLD_H

#include "persona/preview.h"

#include <jansson.h>

json_t *told_person(const struct person *p);
json_t *told_tongues(const struct tongue_count *c, size_t n);
/* Puts one (taken) at the end of list, unless it finds no room: then it is counted in *more. 0 or
 * ERR_NOMEM. */
int told_add(json_t *list, json_t *one, size_t *room, uint64_t *more);
/* The sources that would come in, each with so many of its speakers at most, and the people who
 * would be taken for one. */
json_t *told_sources(const struct ingest_preview *v, size_t speakers, size_t *room, uint64_t *more);
json_t *told_joins(const struct ingest_preview *v, size_t *room, uint64_t *more);

#endif
