/**
 * clock: the time in microseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/**
 * Microseconds since the Unix epoch.  The first call takes the time of the wall
 * clock; from then on this clock runs with the machine (also while it is
 * suspended) and never jumps, even if the wall clock is set.  Thread-safe.
 */
int64_t clock_us(void);

/** How far the wall clock is ahead of clock_us(): about 0 until the wall clock
 * is set. */
int64_t clock_shift_us(void);

/** Make this thread sleep for at least ${us} microseconds. */
void clock_sleep(int64_t us);

#endif
