/* Numbers within bounds, digit by digit. A number is written as [-] whole [. fraction] without an
 * exponent; what has been written so far fixes an interval, with more digits an interval each, and
 * a digit may come when one of these meets the bounds. All in integers: units of 1 for integers, of
 * 10^-6 for numbers, of which at most 15 and 12 + 6 digits are written, so nothing overflows and
 * any reader parses it. Minus zero is not written. */
#include "model/schema_impl.h"

enum { NOTHING, MINUS, WHOLE, FRACTION, NEGATIVE = 4, PLACES = 6 };

static const int64_t ten[] = { 1,
                               10,
                               100,
                               1000,
                               10000,
                               100000,
                               1000000,
                               10000000,
                               100000000,
                               1000000000,
                               10000000000,
                               100000000000,
                               1000000000000,
                               10000000000000,
                               100000000000000,
                               1000000000000000 };

/* Is there a multiple of unit in [lo, hi]? All from 0. */
static bool multiple(int64_t lo, int64_t hi, int64_t unit)
{
    return lo <= hi && hi / unit * unit >= lo;
}

static int64_t higher(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t lower(int64_t a, int64_t b) { return a < b ? a : b; }

/* Fewest further bytes to a value within [lo, hi], sizes without sign. [from, to]: what the written
 * digits allow; already places after the point. */
static uint32_t fraction_cost(int64_t from, int64_t to, int places, int64_t lo, int64_t hi)
{
    for (int more = 0; places + more <= PLACES; more++)
        if (places + more > 0 &&
            multiple(higher(from, lo), lower(to, hi), ten[PLACES - places - more]))
            return (uint32_t)more;
    return SCHEMA_INF;
}

static uint32_t whole_cost(const struct node *num, struct digits d, int64_t lo, int64_t hi)
{
    int most = num->integer ? 15 : 12;
    int64_t unit = num->integer ? 1 : ten[PLACES];
    uint32_t best = SCHEMA_INF;
    for (int more = 0; d.n + more <= most; more++) {
        if (d.n + more == 0 || (d.n > 0 && d.v == 0 && more > 0)) continue;
        int64_t from = d.v * ten[more], to = from + ten[more] - 1;
        if (d.n == 0 && more > 1) from = ten[more - 1]; /* no leading zeros */
        int64_t low = from * unit, high = to * unit + unit - 1;
        uint32_t cost = SCHEMA_INF;
        if (multiple(higher(low, lo), lower(high, hi), unit)) cost = (uint32_t)more;
        else if (!num->integer) {
            uint32_t f = fraction_cost(low, high, 0, lo, hi);
            if (f < SCHEMA_INF) cost = (uint32_t)more + 1 + f;
        }
        if (cost < best) best = cost;
    }
    return best;
}

uint32_t number_shortest(const struct node *num, struct digits d)
{
    bool negative = d.part & NEGATIVE;
    int64_t lo = negative ? -num->hi : num->lo, hi = negative ? -num->lo : num->hi;
    int part = d.part & 3;
    if (part == NOTHING) {
        uint32_t plus = whole_cost(num, d, higher(num->lo, 0), num->hi);
        uint32_t minus = number_shortest(num, (struct digits){ 0, 0, MINUS | NEGATIVE });
        return minus + 1 < plus ? minus + 1 : plus;
    }
    lo = higher(lo, negative ? 1 : 0);
    if (part == FRACTION) return fraction_cost(d.v, d.v + ten[PLACES - d.n] - 1, d.n, lo, hi);
    return whole_cost(num, d, lo, hi);
}

bool number_take(const struct node *num, struct digits *d, uint8_t byte)
{
    struct digits to = *d;
    int part = d->part & 3, sign = d->part & NEGATIVE;
    if (byte == '-' && part == NOTHING) {
        to.part = MINUS | NEGATIVE;
    } else if (byte == '.' && part == WHOLE && !num->integer) {
        to.part = FRACTION | sign;
        to.v = d->v * ten[PLACES];
        to.n = 0;
    } else if (byte >= '0' && byte <= '9' && part == FRACTION) {
        if (d->n == PLACES) return false;
        to.n = d->n + 1;
        to.v = d->v + (byte - '0') * ten[PLACES - to.n];
    } else if (byte >= '0' && byte <= '9') {
        if (part == WHOLE && (d->v == 0 || d->n == (num->integer ? 15 : 12))) return false;
        to.part = WHOLE | sign;
        to.v = d->v * 10 + (byte - '0');
        to.n = d->n + 1;
    } else {
        return false;
    }
    if (number_shortest(num, to) >= SCHEMA_INF) return false;
    *d = to;
    return true;
}
