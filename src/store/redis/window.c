#include "store/redis/window.h"

/*
 * A query that waits for longer than socket_timeout falls back, although the
 * server is well.  So the shard takes no more queries than the server decides
 * in a quarter of that time, which leaves the rest for a server or a machine
 * that pauses; further requests stay in their clients' sockets.  By Little's
 * law that number is the server's pace times this time, and its pace is the
 * number of pending queries divided by the time that the oldest of them took.
 * Until the pace is known, the server is assumed to be slow.
 */
#define WINDOW_SHARE 4
#define WINDOW_MIN   16
#define WINDOW_MAX   65536

static int64_t
window_clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* Move towards what the server decides in time: up by an eighth of the way,
 * down by half of it. */
unsigned
window_adapt(
    unsigned window, unsigned pending, int64_t took_us, int64_t timeout_us)
{
	int64_t next = window, fits;

	if (pending < window / 2)
		return window; /* it was not put to the test */
	fits =
	    pending * (timeout_us / WINDOW_SHARE) / (took_us > 0 ? took_us : 1);
	fits = window_clamp(fits, 0, 2 * next);
	next += (fits - next) / (fits > next ? 8 : 2);
	return (unsigned)window_clamp(next, WINDOW_MIN, WINDOW_MAX);
}
