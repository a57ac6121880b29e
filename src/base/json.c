/* JSON values that jansson would refuse, or that look alike wherever they are shown. */
#include "base/json.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>

json_t *json_mended(const char *s)
{
    if (!s) return json_null();
    size_t n = strlen(s);
    if (utf8_valid(s, n)) return json_stringn(s, n);
    struct buf b = BUF_INIT(0);
    utf8_clean(&b, s, n);
    json_t *j = json_string(buf_str(&b));
    buf_free(&b);
    return j;
}

json_t *json_time(int64_t t)
{
    char iso[32];
    return t == CLOCK_NONE ? json_null() : json_string(clock_iso(t, iso));
}
