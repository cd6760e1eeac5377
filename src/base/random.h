/**
 * random: unpredictable numbers from the system (getrandom(2)).
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Fill ${len} bytes, at most 256.  Waits until the system's source is
 * ready. */
void random_fill(void *to, size_t len);

/** A number from 0 to below ${bound}; 0 if that is not above 0. */
int64_t random_below(int64_t bound);

/** ${us} plus or minus up to a fifth, so that what many start together drifts
 * apart. */
int64_t random_near(int64_t us);

#endif
