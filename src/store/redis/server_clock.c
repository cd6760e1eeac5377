#include "store/redis/server_clock.h"

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
