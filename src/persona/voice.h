/* Voices: what turns a question and retrieved passages into an answer in the first person.
 *
 * `quote` needs no model: it answers with the person's own sentences. `native` lets a language
 * model in this process write the answer (native.h), `remote` one behind a server (remote.h). An
 * answer is a list of parts; each is a quotation, a connecting phrase, or a sentence that a model
 * made, which rests on a source or is marked as resting on none: so that a reader can always see
 * which words are the person's, and what the others are worth. */
#ifndef LK_PERSONA_VOICE_H
#define LK_PERSONA_VOICE_H

#include "model/engine.h"
#include "persona/profile.h"
#include "persona/retrieve.h"

enum answer_kind {
    ANSWER_FOUND,   /* the person wrote about it */
    ANSWER_CHANGED, /* and changed their mind: newest view first */
    ANSWER_NONE,    /* they did not: says so */
};

struct mask;

struct answer_part {
    const char *text;
    bool own;         /* the person's own sentence */
    bool made;        /* a model made it; else, when not own, a connecting phrase of the program */
    bool unsupported; /* made, and claims something that no passage says */
    int cite;         /* index into cites: what it is, or rests on; -1: nothing */
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
    struct generation {
        const char *model; /* name of the model that made it; NULL: none did */
        const char *host;  /* that it was asked for it; NULL: in this process */
        bool left;         /* host is another machine: question and passages went there */
        bool masked;       /* with pseudonyms for other people */
        struct engine_result result;
        size_t unsupported; /* sentences that no passage supports */
        size_t refused;     /* of these, left out (strict) */
    } made;
    struct {              /* what the model was given, for the turns to come; NULL without one */
        const char *user; /* the whole message */
        size_t examples_from, examples_to; /* bytes of it: retrieved text */
        const int64_t *chunk;              /* [n_chunks] the passages in it */
        size_t n_chunks;
    } given;
    struct arena *mem;
};
void answer_clear(struct answer *a);

struct said {
    int64_t piece;
    uint64_t sentence; /* hash64 of its bytes, seed 0 */
};

struct voice_turn { /* a turn before, oldest first */
    const char *question, *answer;
    const char *user; /* what the model was given, NULL: not known any more */
    size_t examples_from, examples_to;
    const int64_t *chunk; /* [n_chunks] the passages in it */
    size_t n_chunks;
};

/* How a model is to answer; zeroed means: as the voice likes. */
struct voice_making {
    struct native *model; /* NULL: voices that need one refuse */
    struct remote *remote;
    const struct sampler_opts *sampling;
    const char *const *stop; /* the answer ends before any of these */
    int n_stop;
    const char *wish; /* of the asker, about the manner of the answer; NULL: none */
    int max_tokens;   /* 0: 512 */
    bool strict;      /* leave out sentences that no passage supports */
    int mask;         /* other people are pseudonyms to the server (mask.h): 1 yes, -1 no, 0: as
                       * remote_masks says */
    bool veil;        /* who asks sees pseudonyms for other people, in all of the answer and in what
                       * is said (mask_answer); done by conversation_ask */
    uint64_t account; /* whose turn it costs */
    /* Text as it comes (whole sentences when strict), and now and then nothing, n 0; to return
     * anything but 0 stops the answer. */
    int (*said)(void *ud, const char *s, size_t n);
    void *ud;
};

struct voice_in {
    struct retriever *retriever;
    const struct profile *profile; /* NULL: none yet */
    const char *question;
    const char *before;      /* earlier questions and answers' subject, NULL */
    const struct said *said; /* what earlier turns quoted: not repeated, but its neighbours help */
    size_t n_said;
    struct query query; /* filters, k; text is set by the voice */
    const struct voice_turn *turns;
    size_t n_turns;
    const char *system_template, *user_template; /* NULL: the built-in ones */
    struct voice_making making;
    struct mask *mask; /* NULL; with making.veil: a model is told pseudonyms and knows no names */
    int64_t now;
};

struct voice {
    const char *name, *help;
    int (*answer)(const struct voice_in *in, struct answer *out, struct err *err);
};
extern const struct voice *const voices[];           /* NULL-terminated */
const struct voice *voice_by_name(const char *name); /* NULL if unknown */

#endif
