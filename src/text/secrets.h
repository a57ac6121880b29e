/* Secrets: what opens accounts and should not be kept among somebody's texts.
 *
 *     struct secrets found = { 0 };
 *     struct buf out = BUF_INIT(0);
 *     if (secrets_leave_out(s, n, &out, &found)) use(out);       else use(s): there is none in it
 *
 * Each is replaced by a mark such as "[card number left out]"; the text around it stays as it is.
 * What has a check (cards, IBANs) must pass it, what has a shape (keys of services) must have it; a
 * password or a code is one only where it is called so, or stands in an address. Telephone numbers
 * and dates are none. */
#ifndef LK_TEXT_SECRETS_H
#define LK_TEXT_SECRETS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* X(ID, "what it is") */
#define SECRET_KINDS(X)                                                                            \
    X(CARD, "card number")                                                                         \
    X(IBAN, "bank account number")                                                                 \
    X(KEY, "private key")                                                                          \
    X(TOKEN, "access key")                                                                         \
    X(PASSWORD, "password")                                                                        \
    X(CODE, "code")                                                                                \
    X(SSN, "social security number")                                                               \
    X(PHRASE, "recovery phrase")

enum secret_kind {
#define X(id, word) SECRET_##id,
    SECRET_KINDS(X)
#undef X
        SECRET_KIND_COUNT
};

struct secrets {
    uint64_t count[SECRET_KIND_COUNT];
};
const char *secret_name(enum secret_kind k);

/* True: out has the text without them, and found what it had more. False: out has nothing. s is
 * valid UTF-8; so is out, and at most 8 times as long. out->failed is for the caller to look at. */
bool secrets_leave_out(const char *s, size_t n, struct buf *out, struct secrets *found);

#endif
