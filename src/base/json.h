/* Small makers of JSON values (jansson), for replies, reports and stored documents. The caller owns
 * what comes back; NULL when memory is short, as jansson has it. */
#ifndef LK_BASE_JSON_H
#define LK_BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

/* A string, or null for NULL. Broken UTF-8, as it comes from file names and from homes of other
 * machines, is mended rather than refused. */
json_t *json_mended(const char *s);
json_t *json_time(int64_t t); /* ISO 8601, or null for CLOCK_NONE */

#endif
