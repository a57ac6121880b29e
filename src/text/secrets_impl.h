/* What secrets.c and secrets_said.c share; nobody else includes it. */
#ifndef LK_TEXT_SECRETS_IMPL_H
#define LK_TEXT_SECRETS_IMPL_H

#include "text/secrets.h"

struct scan {
    const char *s;
    size_t n;
    size_t key_end;          /* where the next "-----END" is, once it was looked for; n: nowhere */
    size_t odd_from, odd_to; /* on one line: up to what no key has inside */
    size_t run_from, run_to; /* letters of base64url */
};

struct secret_hit {
    enum secret_kind kind;
    size_t from, to;
};

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static inline bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
static inline char at(const struct scan *x, size_t i) { return i < x->n ? x->s[i] : 0; }

/* Bytes of a space or hyphen between groups of digits; 0: something else. */
size_t secret_gap(const struct scan *x, size_t i);
/* Something that is called a password, PIN or code by the word that begins at i, or, of a code, by
 * the words after it. */
bool secret_said(const struct scan *x, size_t i, struct secret_hit *h);
/* A line that is a wallet's words; four words and more to the end of the line, none of which is of
 * a sentence; a password in the address whose user begins at i. */
bool secret_wallet(const struct scan *x, size_t i, struct secret_hit *h);
bool secret_pass_phrase(const struct scan *x, size_t i, enum secret_kind kind,
                        struct secret_hit *h);
bool secret_in_address(const struct scan *x, size_t i, struct secret_hit *h);

#endif
