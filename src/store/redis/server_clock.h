/**
 * server_clock: notices that a server's clock was set back.
 *
 * Pure.  The server reads its clock at some time between a call and its reply,
 * which we time by our clock, which never jumps.  So each reply gives a lower
 * and an upper bound of how far the server's clock is ahead of ours, however
 * long the reply took.  If that is less than before, the server's clock was set
 * back.
 */
#ifndef STORE_REDIS_SERVER_CLOCK_H
#define STORE_REDIS_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** Smaller steps back are not noticed. */
#define SERVER_CLOCK_BACK_US INT64_C(1000000)

/** Later than any time that a server says. */
#define SERVER_CLOCK_MAX_US (INT64_C(1) << 53)

/** All zero to begin with. */
struct server_clock {
	bool known;
	int64_t ahead_us; /* of ours, at least */
	int64_t at_us;    /* at this time of ours */
	int64_t since_us; /* it was set back last after this time of ours */
};

/** The server read ${server_us} between ${called_us} and ${read_us} of our
 * clock.  Return by how much it was set back since the last call; 0: it was
 * not. */
int64_t server_clock_look(struct server_clock *clock, int64_t server_us,
    int64_t called_us, int64_t read_us);

/** About what the server's clock shows at ${now_us} of ours, the wall clock
 * being ahead of that by ${shift_us}: counts while the server's is not known.
 */
int64_t server_clock_now(
    const struct server_clock *clock, int64_t now_us, int64_t shift_us);

/** The server's time from the error of a script that was given boundaries of
 * another time, and wrote nothing; or -1: it is another error. */
int64_t server_clock_read_outside(const char *error);

#endif
