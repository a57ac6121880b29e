/* Shared by topics.c, topic_label.c and topic_json.c only. */
#ifndef LK_PERSONA_TOPIC_IMPL_H
#define LK_PERSONA_TOPIC_IMPL_H

#include "persona/topics.h"

#include <stdbool.h>

/* Fills label and phrases of every topic from the phrases of its items. 0 or ERR_NOMEM. */
int topics_label(struct topics *ts, const struct topic_item *item, size_t n);

#endif
