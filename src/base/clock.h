/**
 * clock: the time in microseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/**
 * Microseconds since the Unix epoch, as the wall clock had it when the process
 * first asked; from then on it runs with the machine (suspension included) and
 * never jumps, whatever is done to the wall clock.  Thread-safe.
 */
int64_t clock_us(void);

#endif
