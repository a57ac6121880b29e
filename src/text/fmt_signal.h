/* What the two files that read Signal share. Not for callers outside src/text. */
#ifndef LK_TEXT_FMT_SIGNAL_H
#define LK_TEXT_FMT_SIGNAL_H

#include "text/fmt_export.h"

/* Signal's own export: main.jsonl. */
bool signal_backup_is(const struct format_in *in);
int signal_backup_parse(struct export *x, struct err *err); /* x->ud: a struct names of its own */

#endif
