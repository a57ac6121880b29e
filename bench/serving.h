/* `likeness serve` as its users have it: the program itself in a process of its own, over a home
 * made for the occasion, with one account that owns what is in it.
 *
 *     struct serving s;
 *     serving_start(&s, true, err);        true: the account's persona has the diary
 *     load_ask(s.port, "GET", "/api/me", s.token, NULL, &answer, err);
 *     serving_stop(&s);
 *
 * The program is ../src/cli/likeness beside the bench, or what LIKENESS_PROGRAM names. Rate limits
 * are off; all else is as it is by default. */
#ifndef LK_BENCH_SERVING_H
#define LK_BENCH_SERVING_H

#include "pepys.h"

#include <sys/types.h>

#define SERVING_EMAIL    "samuel@example.org"
#define SERVING_PASSWORD "and so to bed"

struct serving {
    struct pepys_home at;
    pid_t pid;
    int port;
    char token[1100]; /* of the account */
};
int serving_start(struct serving *s, bool text, struct err *err);
void serving_stop(struct serving *s);
double serving_rss(const struct serving *s);     /* bytes the server has in memory now */
double serving_seconds(const struct serving *s); /* processor time it has used */

#endif
