/**
 * window: how many queries a server may have at a time, so that it decides each
 * of them in time.
 */
#ifndef STORE_REDIS_WINDOW_H
#define STORE_REDIS_WINDOW_H

#include <stdint.h>

/** The window before the server's pace is known. */
#define WINDOW_FIRST 128

/** The next window: ${pending} queries were out, and the oldest of them took
 * ${took_us}; after ${timeout_us} it would have fallen back. */
unsigned window_adapt(
    unsigned window, unsigned pending, int64_t took_us, int64_t timeout_us);

#endif
