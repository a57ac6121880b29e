#include "store/sql.h"
int store_check(struct store *st, bool repair, void (*say)(void *, bool, const char *), void *ud,
                struct store_report *rep, struct err *err)
{
    *rep = (struct store_report){ 0 };
    return 0;
}
