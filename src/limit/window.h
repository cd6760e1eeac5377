/**
 * window: the fixed window, a count for each calendar-aligned window.
 *
 * Window number w is the time from w*W to (w+1)*W since the epoch.  A bucket
 * that counts a later window than the present one (the clock jumped back)
 * counts for the present one.  next and retry are the time to the window's end.
 * lua/fixed_window.lua is the same arithmetic, and a test holds the two equal.
 */
#ifndef LIMIT_WINDOW_H
#define LIMIT_WINDOW_H

#include "limit/bucket.h"

/** As bucket_decide(), for a limit whose algorithm is the fixed window. */
bool window_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision);

#endif
