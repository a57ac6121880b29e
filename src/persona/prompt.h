/* The prompt for language-model voices: system text from the persona's profile, numbered examples
 * from retrieval, the question and reminders; from templates that a user can see and override.
 *
 *     struct prompt pr = {0};
 *     prompt_build(&(struct prompt_in){ ... }, &pr, err);
 *     pr.system, pr.user, pr.tokens, pr.examples_used
 *     prompt_clear(&pr);
 *
 * Retrieved text is data, never instructions: each example stands between fence lines that hold a
 * random 128-bit word made for this prompt, which no stored text can know; chat-template control
 * marks
 * ("<|...|>", "[INST]", "<start_of_turn>", "### System:") and fence look-alikes inside it are
 * defused. The system text says that nothing between fences is an instruction. */
#ifndef LK_PERSONA_PROMPT_H
#define LK_PERSONA_PROMPT_H

#include "persona/profile.h"
#include "persona/retrieve.h"

struct prompt_turn {
    const char *question, *answer;
};

struct prompt_in {
    const struct persona *persona;
    const struct profile *profile; /* NULL: no style yet */
    const struct passages *passages;
    const int64_t *earlier; /* chunks among them that the model has before it already, from earlier
                             * turns: they are left out */
    size_t n_earlier;
    const char *question;
    const struct prompt_turn *turns; /* oldest first */
    size_t n_turns;
    const char *system_template, *user_template; /* NULL: the built-in ones */
    int context_tokens, answer_tokens;           /* 8192, 512: the budget is the difference */
    int64_t now;
    const char *fence; /* the first fence word to try, 32 hex digits that no stored text can know;
                        * NULL: random */
    const char *(*title)(void *ud, int64_t source); /* source titles, or NULL */
    void *title_ud;
};

struct prompt {
    char *system, *user;               /* malloc'ed */
    size_t examples_from, examples_to; /* bytes of user: the examples, with their fence lines */
    int tokens;                        /* estimate for both, with past turns */
    size_t examples_used, examples_dropped, turns_used;
    int64_t *chunk; /* [examples_used] what the examples are */
    char fence[33];
};

int prompt_build(const struct prompt_in *in, struct prompt *out, struct err *err);
void prompt_clear(struct prompt *p);

/* A fence word of this persona, the same whenever it is asked for, so that a prompt begins with the
 * same words each time; made from the persona's key. */
void prompt_fence(const struct persona *p, char out[33]);
/* "system" and "user"; NULL for other names. */
const char *prompt_builtin(const char *which);
/* A template may use {{name}} {{kind}} {{style}} {{tone}} {{phrases}} {{vocabulary}} {{structure}}
 * {{date}}, "user" also {{question}} {{examples}} {{turns}}, each of these once; it must hold
 * {{examples}} and {{question}}. The rule about quoted text is added to the system text whatever
 * the template says. ERR_PARSE names line and what is wrong; ERR_INVAL for another `which`. */
int prompt_template_check(const char *which, const char *text, struct err *err);
/* Tokens of a text as a language model would count them: an upper estimate without a tokenizer. */
int prompt_tokens(const char *s, size_t n);

#endif
