/* What the files of masks share; nobody else includes it. */
#ifndef LK_PERSONA_MASK_IMPL_H
#define LK_PERSONA_MASK_IMPL_H

#include "base/arena.h"
#include "base/map.h"
#include "persona/mask.h"
#include "persona/named.h"

#define NAME_WORDS 8
#define SHOWN_MAX  48
#define MASK_KEY   (MENTION_WORDS * 17 + 8)

/* X(ID, before the number, after it) */
#define KINDS(X)                                                                                   \
    X(PERSON, "Person ", "")                                                                       \
    X(MAIL, "mail-", "@example.invalid")                                                           \
    X(PHONE, "[phone ", "]")                                                                       \
    X(ADDRESS, "[address ", "]")                                                                   \
    X(ACCOUNT, "[account ", "]")

enum kind {
#define X(id, before, after) KIND_##id,
    KINDS(X)
#undef X
        KIND_COUNT
};

extern const char *const mask_befores[], *const mask_afters[];

struct entry { /* a name, or a part of one */
    struct entry *next;
    const char *shown; /* what stands for it */
    uint64_t word[NAME_WORDS];
    int n;
    unsigned only; /* MASK_LARGE, MASK_LABELS */
};
enum {
    MASK_LARGE = 1, /* when it begins with a capital letter */
    MASK_LABELS = 2 /* in labels and titles */
};

struct mask {
    const struct persona *p;
    struct arena *mem;
    struct map names;   /* hash of the first word -> struct entry, chained */
    struct map own;     /* hashes of the words of the persona's names */
    struct map shown;   /* hash of a pseudonym -> what it stands for */
    struct map given;   /* hash of kind and thing -> its pseudonym */
    struct map literal; /* hashes of pseudonyms that stood in a text */
    struct map vouched; /* of those that were put into labels, which may come back in a text */
    struct map alone;   /* of this text: key of a name's word -> its pseudonym, or SEVERAL */
    struct mentions in;
    bool label; /* this text is a label or a title */
    size_t numbered[KIND_COUNT];
};

struct mask_words { /* of a name */
    uint64_t hash[NAME_WORDS];
    char text[NAME_WORDS][64]; /* folded */
    size_t chars[NAME_WORDS];
    int n;
    bool more; /* than there is room for */
};
void mask_words_of(const char *name, struct mask_words *w);
/* Whom these words are a name of, all of them; NULL: nobody. */
const char *mask_entry(const struct mask *m, const uint64_t *word, int n);
int mask_entry_add(struct mask *m, const uint64_t *word, int n, unsigned only, const char *shown);
/* What the pseudonym of somebody goes by who is only spoken of. */
const char *mask_key_of_name(const uint64_t *word, int n, char out[MASK_KEY]);
/* Length of the pseudonym that s begins with, 0: none; *cut: s ends before that is certain. */
size_t mask_pseudonym_at(const char *s, size_t n, bool *cut);
/* As mask_text, of a title that is written as titles are. */
int mask_heading(struct mask *m, const char *s, size_t n, struct buf *out);
/* Those who are only spoken of. 0 or ERR_NOMEM. */
int mask_named(struct mask *m, const struct named_list *l);

/* The pseudonym of a thing: key says which it is, real is what it is called; NULL: no memory. */
const char *mask_pseudonym(struct mask *m, enum kind kind, const char *key, const char *real);
uint64_t mask_hash(const char *s, int kind); /* of `given`, of `shown` with kind 0 */
const char *mask_pointer(const struct map *m, uint64_t key);
/* What words of names are compared by, without a possessive; and how long they are without it. */
uint64_t mask_word(const char *s, size_t n);
size_t mask_base(const char *s, size_t n);
/* What numbers and addresses are compared by. */
bool mask_phone_key(const char *s, char out[16]);
void mask_mail_key(const char *s, char out[320]);

/* Each: what begins at i (a word or mark begins there) is one; where it ends, or i. */
size_t mask_mail_at(const char *s, size_t n, size_t i);
size_t mask_phone_at(const char *s, size_t n, size_t i);
/* Seven digits and more, whatever they are: somebody's number may be written in any way. */
size_t mask_number_at(const char *s, size_t n, size_t i);
size_t mask_address_at(const char *s, size_t n, size_t i);

#endif
