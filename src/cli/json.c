/* JSON values that only the command line shows; the others are in base/json.h. */
#include "cli/cli.h"

#include <math.h>

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
