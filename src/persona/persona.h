/* Personas: who they are, and who agreed to what. No persona without a consent record.
 *
 *     struct persona_new n = { "Ann", PERSONA_SELF, "Ann Lee", "all uses on this machine",
 * clock_now() }; persona_create(h, &n, &p, err); persona_alias_add(h, p, "Ann
 * Lee,ann@example.org,+44 20 7946 0000", err); persona_close(p); */
#ifndef LK_PERSONA_PERSONA_H
#define LK_PERSONA_PERSONA_H

#include "persona/home.h"

#include <stdbool.h>

/* X(ID, "word", "who that is") */
#define PERSONA_KINDS(X)                                                                           \
    X(SELF, "self", "yourself: you agree by making it")                                            \
    X(CONSENTED, "consented", "a living person who agreed: say who and to what")                   \
    X(LEGACY, "legacy", "a person who died: say who decides for them")                             \
    X(FICTIONAL, "fictional", "an invented person: say who wrote it")

enum persona_kind {
#define X(id, word, help) PERSONA_##id,
    PERSONA_KINDS(X)
#undef X
        PERSONA_KIND_COUNT
};

struct persona {
    struct sealed seal; /* row id, uid, key */
    char id[9];         /* first 8 hex digits of uid, as shown */
    char *name;
    enum persona_kind kind;
    char *consent_by, *consent_to; /* who agreed, to what */
    int64_t consent_at, created_at;
    char **aliases; /* names, mail addresses and phone numbers of the persona */
    size_t n_aliases;
    int chunk_tokens, chunk_overlap; /* 512, 64 */
    char *embedder;                  /* "hash" */
    char *tokenizer; /* of the model that counts a chunk's tokens, as embed_find takes it; "": words
                      * and marks are counted */
    struct tokenizer *counter; /* the same, once it was needed */
    bool mask_shares;          /* those it is shared with see pseudonyms of other people (mask.h) */
    bool stale;                /* derived things are behind the pieces; persona_settle mends */
};

struct persona_new {
    const char *name;
    enum persona_kind kind;
    const char *consent_by, *consent_to;
    int64_t consent_at;
    int chunk_tokens, chunk_overlap; /* 0, -1: defaults */
    const char *tokenizer;           /* see struct persona; NULL: "" */
    bool any_name;                   /* whoever makes it has seen to it that the name is free */
    const uint8_t *uid;              /* VAULT_UID random bytes; NULL: drawn here */
};

/* ERR_CONSENT when by or to is empty; ERR_EXISTS when another persona has that name. */
int persona_create(struct home *h, const struct persona_new *n, struct persona **out,
                   struct err *err);
/* By name (case ignored), or id or a unique prefix of it (>= 4 digits). "" or NULL: the only
 * persona there is. ERR_NOTFOUND's message lists no names, only how to see them. */
int persona_open(struct home *h, const char *name, struct persona **out, struct err *err);
/* By its whole uid. ERR_NOTFOUND also for one that is forgotten or being so. */
int persona_open_uid(struct home *h, const uint8_t uid[VAULT_UID], struct persona **out,
                     struct err *err);
/* Do two names look the same to a person (letters' case and accents aside)? */
bool persona_same_name(const char *a, const char *b);
void persona_close(struct persona *p); /* zeroes; accepts NULL */
int persona_each(struct home *h, int (*fn)(void *ud, const struct persona *p), void *ud,
                 struct err *err);
int persona_rename(struct home *h, struct persona *p, const char *name, struct err *err);
/* The same, where the caller has seen to it that the name is free. */
int persona_rename_any(struct home *h, struct persona *p, const char *name, struct err *err);
int persona_forget_uid(struct home *h, const uint8_t uid[VAULT_UID], struct err *err);
/* What shares below the right to manage get to see of other people; true for new personas. */
int persona_mask_shares(struct home *h, struct persona *p, bool on, struct err *err);
int persona_consent(struct home *h, struct persona *p, const char *by, const char *to, int64_t at,
                    struct err *err);
/* Comma-separated names, addresses, numbers; "Ann Lee <ann@example.org>" is two; those already
 * there are left. An alias changes which messages are voice: pieces already stored are looked at
 * again, and when some became voice the persona is stale and needs persona_settle. */
int persona_alias_add(struct home *h, struct persona *p, const char *list, struct err *err);
/* The reverse: takes names, addresses or numbers back. ERR_NOTFOUND when the persona has none of
 * them. */
int persona_alias_remove(struct home *h, struct persona *p, const char *list, struct err *err);
/* Is this author the persona? Names match folded and in either order of "Last, First"; addresses
 * case-blind; phone numbers by their last 9 digits, or by all (7 or 8) when one has fewer. */
bool persona_is(const struct persona *p, const char *author, const char *author_id);
/* The name is required; an id does too, also of a persona that opens no more. */
int persona_forget(struct home *h, const char *name, struct err *err);
enum persona_kind persona_kind_parse(const char *word); /* PERSONA_KIND_COUNT if unknown */
const char *persona_kind_word(enum persona_kind k);

struct persona_counts {
    uint64_t sources, pieces, voice, chunks;
    int64_t from, to; /* CLOCK_NONE when nothing is dated */
};
int persona_counts(struct home *h, const struct persona *p, struct persona_counts *out,
                   struct err *err);

#endif
