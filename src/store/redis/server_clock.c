#include "store/redis/server_clock.h"

#include "base/num.h"

#include <string.h>

/* Two clocks drift apart by less than one part in this many. */
#define DRIFT 1000

int64_t
server_clock_look(struct server_clock *clock, int64_t server_us,
    int64_t called_us, int64_t read_us)
{
	int64_t least_us = server_us - read_us;
	int64_t most_us = server_us - called_us;
	int64_t drift_us = (read_us - clock->at_us) / DRIFT;
	int64_t ahead_us = clock->ahead_us - drift_us;
	bool is_back =
	    clock->known && most_us < ahead_us - SERVER_CLOCK_BACK_US;

	if (!clock->known || is_back || least_us > ahead_us)
		clock->ahead_us = least_us;
	else
		clock->ahead_us = ahead_us;
	if (is_back)
		clock->since_us = clock->at_us;
	clock->at_us = read_us;
	clock->known = true;
	return is_back ? ahead_us - most_us : 0;
}

int64_t
server_clock_now(
    const struct server_clock *clock, int64_t now_us, int64_t shift_us)
{
	return now_us + (clock->known ? clock->ahead_us : shift_us);
}

int64_t
server_clock_read_outside(const char *error)
{
	static const char word[] = "OUTSIDE ";
	const char *time = error + sizeof(word) - 1;
	int64_t us;

	if (strncmp(error, word, sizeof(word) - 1) != 0 ||
	    num_read_int(time, num_count_digits(time, strlen(time)), 0,
		SERVER_CLOCK_MAX_US, &us) == -1)
		return -1;
	return us;
}
