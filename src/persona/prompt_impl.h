/* Shared by prompt.c, prompt_templates.c and prompt_defuse.c only. */
#ifndef LK_PERSONA_PROMPT_IMPL_H
#define LK_PERSONA_PROMPT_IMPL_H

#include "persona/prompt.h"

/* ---- prompt_templates.c ---- */
/* X(name): what may stand between {{ and }}. */
#define PROMPT_SLOTS(X)                                                                            \
    X(name)                                                                                        \
    X(kind)                                                                                        \
    X(style) X(tone) X(phrases) X(vocabulary) X(structure) X(date) X(question) X(examples) X(turns)

enum prompt_slot {
#define X(id) SLOT_##id,
    PROMPT_SLOTS(X)
#undef X
        SLOT_COUNT
};

/* Appends the checked template with its placeholders replaced, in one pass: what comes in is never
 * looked at again. value[] may hold NULL for "". */
void prompt_expand(const char *text, const char *const value[SLOT_COUNT], struct buf *out);
bool prompt_uses(const char *text, enum prompt_slot slot);

/* ---- prompt_defuse.c ---- */
enum defuse_how {
    DEFUSE_LINE, /* one line: a title, a name; line ends become spaces */
    DEFUSE_TEXT, /* stored text: control marks, roles at line starts, fence look-alikes */
    DEFUSE_OWN,  /* the user's own question: control marks only */
};
/* Appends s made harmless. indent is put before each line ("" for none). Text without anything
 * suspicious comes through unchanged, but for the indent and for invisible characters. */
void prompt_defuse(const char *s, size_t n, enum defuse_how how, const char *indent,
                   struct buf *out);

#endif
