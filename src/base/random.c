#include "base/random.h"

#include <assert.h>
#include <sys/random.h>

/* getrandom(2) delivers up to this many bytes whole, or none of them. */
#define LEN_MAX 256

void
random_fill(void *to, size_t len)
{
	assert(len <= LEN_MAX);
	while (getrandom(to, len, 0) != (ssize_t)len)
		;
}

int64_t
random_below(int64_t bound)
{
	uint64_t number;

	if (bound <= 0)
		return 0;
	random_fill(&number, sizeof(number));
	return (int64_t)(number % (uint64_t)bound);
}

int64_t
random_near(int64_t us)
{
	return us - us / 5 + random_below(us / 5 * 2 + 1);
}
