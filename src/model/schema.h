/* JSON schemas as a constraint on sampling: the answer is a document of the schema, whatever the
 * model would rather say.
 *
 *     struct schema_vocab *v;
 *     schema_vocab_new(tokenizer, &v, err);               once a model; shared, never changes
 *     struct schema *s;
 *     schema_open(v, json, n, &s, err);                   ERR_INVAL names a keyword it cannot do
 *     schema_start(s, max_tokens, err);
 *     while (!schema_done(s)) {
 *         const uint32_t *mask = schema_mask(s, tokens_left);
 *         id = sampler_pick(..., mask, ...);
 *         if (tokenizer_ends(tokenizer, id)) break;        only allowed when the document is whole
 *         schema_take(s, id);
 *     }
 *
 * Done: type (also a list), properties, required, additionalProperties, items, minItems, maxItems,
 * enum, const, anyOf, minLength, maxLength, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
 * $ref to "#", "#/$defs/..." and "#/definitions/...", also recursive. Titles, descriptions,
 * defaults and examples are passed over; all else is refused by name.
 *
 * What is written is narrower than what JSON allows, so that it is always valid: properties in the
 * schema's order, further ones only where additionalProperties asks for them or there are no
 * others; at most one space after a colon or comma; integers of at most 15 digits, numbers of 12
 * before and 6 after the point; no \u escapes. */
#ifndef LK_MODEL_SCHEMA_H
#define LK_MODEL_SCHEMA_H

#include "base/err.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schema_vocab;
struct schema;
/* k is borrowed until schema_vocab_free. ERR_INVAL when the vocabulary cannot spell JSON. */
int schema_vocab_new(const struct tokenizer *k, struct schema_vocab **out, struct err *err);
void schema_vocab_free(struct schema_vocab *v); /* accepts NULL */
/* v is borrowed until schema_free. One thread at a time. */
int schema_open(const struct schema_vocab *v, const char *json, size_t n, struct schema **out,
                struct err *err);
void schema_free(struct schema *s); /* accepts NULL */
/* Tokens of one byte that the shortest document takes. */
int schema_shortest(const struct schema *s);
/* Back to the beginning. ERR_LIMIT when no document fits into max_tokens. */
int schema_start(struct schema *s, int max_tokens, struct err *err);
/* Tokens that may come next when `left` tokens may still be made, this one included: after any of
 * them the document can still be closed in time, so near the end only what closes it remains. Those
 * that end an answer are among them when the document is whole. Borrowed until the next call. NULL
 * when memory is short. Never empty before the document is done, as long as `left` goes down by one
 * each time. */
const uint32_t *schema_mask(struct schema *s, int left);
/* ERR_INVAL when the token may not come next (nothing has changed then); ERR_NOMEM. */
int schema_take(struct schema *s, int32_t id);
bool schema_whole(const struct schema *s); /* what was taken is a document */
bool schema_done(const struct schema *s);  /* ... and nothing can follow */

#endif
