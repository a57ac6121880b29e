/* Small makers of JSON values. Everything that is shown may come from file names and from homes of
 * other machines, so broken UTF-8 is mended here rather than refused by jansson. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

json_t *jtext(const char *s)
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

json_t *jtime(int64_t t)
{
    char iso[32];
    return t == CLOCK_NONE ? json_null() : json_string(clock_iso(t, iso));
}

json_t *jreal(double x, int decimals)
{
    double unit = pow(10, decimals);
    return isfinite(x) ? json_real(round(x * unit) / unit) : json_null();
}

json_t *jgone(const struct gone *g)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "pieces", (json_int_t)g->pieces, "chunks",
                     (json_int_t)g->chunks, "vectors", (json_int_t)g->vectors, "turns",
                     (json_int_t)g->turns, "phrases", (json_int_t)g->phrases);
}
