/* Text that nobody wrote, for benches of ingest: sentences in several languages with the function
 * words of each, a vocabulary that grows with the text as people's does, and names of people. The
 * same in every run after bench_seed.
 *
 *     bench_seed(1);
 *     made_sentences(&out, MADE_DE, 3);
 *     buf_adds(&out, made_person(7)); */
#ifndef LK_BENCH_MADE_TEXT_H
#define LK_BENCH_MADE_TEXT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum made_tongue { MADE_EN, MADE_DE, MADE_FR, MADE_ES, MADE_TONGUES };

#define MADE_PEOPLE 60

uint32_t made_below(uint32_t n);    /* 0 .. n-1 */
enum made_tongue made_tongue(void); /* English half of the time */
/* n sentences on one line. */
void made_sentences(struct buf *out, enum made_tongue t, int n);
/* A few words, as a subject or a short message has them. */
void made_words(struct buf *out, enum made_tongue t, int n);
const char *made_person(uint32_t i); /* "Ann Berg", i below MADE_PEOPLE; 0 is the persona */
const char *made_address(uint32_t i);

/* ---- files; 0, ERR_IO, ERR_NOMEM ---- */

/* A mailbox of about that many bytes: threads with quoted replies, plain and HTML alternatives in
 * several encodings, newsletters, attachments. *n: mails. */
int made_mbox(const char *path, uint64_t bytes, uint64_t *n, struct err *err);
/* A zip of an account's chats with that many messages in all: two fifths in a Slack export's day
 * files, as many in four WhatsApp chats, the rest in one Telegram export. */
int made_chats(const char *path, uint64_t messages, struct err *err);

#endif
