/* Voices: what turns a question and retrieved passages into an answer in the first person.
 *
 * `quote` needs no model: it answers with the person's own sentences. Others (native, remote) come
 * to the same table. An answer is a list of parts; each is a quotation tied to its source, or a
 * connecting phrase that is marked as such, so that a reader can always see which words are the
 * person's. */
#ifndef LK_PERSONA_VOICE_H
#define LK_PERSONA_VOICE_H

#include "persona/profile.h"
#include "persona/retrieve.h"

enum answer_kind {
    ANSWER_FOUND,   /* the person wrote about it */
    ANSWER_CHANGED, /* and changed their mind: newest view first */
    ANSWER_NONE,    /* they did not: says so */
};

struct answer_part {
    const char *text;
    bool own; /* the person's own sentence; else a connecting phrase */
    int cite; /* index into cites, -1 for connecting phrases */
};

struct answer_cite {
    int64_t source, chunk, piece, written_at;
    float similarity;     /* cosine of question and passage */
    float support;        /* 0..1: how well the sentence answers, as the voice judged */
    const char *title;    /* of the source */
    const char *sentence; /* what was quoted */
    const char *question; /* what somebody had asked just before it, or "" */
};

struct answer {
    enum answer_kind kind;
    const char *text; /* all parts joined, ready to print */
    struct answer_part *part;
    size_t n_parts;
    struct answer_cite *cite;
    size_t n_cites;
    double seconds; /* retrieval and composing */
    struct arena *mem;
};
void answer_clear(struct answer *a);

struct said {
    int64_t piece;
    uint64_t sentence; /* hash64 of its bytes, seed 0 */
};

struct voice_in {
    struct retriever *retriever;
    const struct profile *profile; /* NULL: none yet */
    const char *question;
    const char *before;      /* earlier questions and answers' subject, NULL */
    const struct said *said; /* what earlier turns quoted: not repeated, but its neighbours help */
    size_t n_said;
    struct query query; /* filters, k; text is set by the voice */
    int64_t now;
};

struct voice {
    const char *name, *help;
    int (*answer)(const struct voice_in *in, struct answer *out, struct err *err);
};
extern const struct voice *const voices[];           /* NULL-terminated */
const struct voice *voice_by_name(const char *name); /* NULL if unknown */

#endif
