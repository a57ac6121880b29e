/* Chat templates: messages to the token ids that a chat model was trained to read.
 *
 *     const struct template *t = template_of(g);             NULL: not known; see template_named
 *     struct template_part p[] = {
 *         { TEMPLATE_SYSTEM, "You are Ann.", 12, false, 0 },
 *         { TEMPLATE_USER, passage, n, false, 1 },            may go when the context overflows
 *         { TEMPLATE_USER, question, m, true, 0 },            same message as the part before
 *     };
 *     struct template_ids ids = { 0 };
 *     template_render(t, tokenizer, p, 3, &(struct template_opts){ .room = 7680 }, &ids, err);
 *     template_ids_free(&ids);
 *
 * A template is recognised from tokenizer.chat_template by its control marks, not interpreted.
 * Control tokens come from the template alone: whatever stands in a part, it never yields one. Text
 * between two control tokens is tokenised as one piece, as if the whole prompt had been rendered
 * first. */
#ifndef LK_MODEL_TEMPLATE_H
#define LK_MODEL_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum template_role { TEMPLATE_SYSTEM, TEMPLATE_USER, TEMPLATE_ASSISTANT };

struct template_part {
    enum template_role role;
    const char *s; /* UTF-8, not NUL-terminated; borrowed */
    size_t n;
    bool more; /* goes on the message of the part before, which has the same role */
    int drop;  /* 0: always kept. Else, on overflow, parts with the lowest number go first and those
                * with the same number go together; a message without parts goes too */
};

struct template_opts {
    size_t room;        /* tokens at most; 0: no limit */
    bool think;         /* models that can think first may; else they are told not to */
    bool no_generation; /* do not open the answer: what is rendered is a whole conversation */
};

struct template_ids {
    int32_t *ids; /* malloc'ed */
    size_t n;
    int dropped; /* parts that went */
};

struct template;
/* From the text of a Jinja template, or NULL when it is of no family known here. */
const struct template *template_recognise(const char *jinja, size_t n);
/* By tokenizer.chat_template, else by general.architecture and the control tokens there are. */
const struct template *template_of(const struct gguf *g);
const struct template *template_named(const char *name); /* NULL: no such */
const char *template_name(const struct template *t);     /* "llama-3" */
const struct template *template_at(int i);               /* for listing; NULL at the end */
/* The text as the Jinja template would give it, control tokens by their names. */
int template_text(const struct template *t, const struct template_part *p, size_t n,
                  const struct template_opts *o, struct buf *out, struct err *err);
/* ERR_INVAL: parts that no conversation has (an answer first, `more` after another role).
 * ERR_LIMIT: more than o->room tokens even without all that may go. */
int template_render(const struct template *t, const struct tokenizer *k,
                    const struct template_part *p, size_t n, const struct template_opts *o,
                    struct template_ids *out, struct err *err);
void template_ids_free(struct template_ids *ids); /* zeroes; accepts an empty one */

#endif
