#include "base/random.h"

#include "fake/fake.h"
#include "fake/turn.h"

#include <string.h>

static double chance;
static int64_t last_bound;
static uint64_t state;

void
fake_reset_chance(void)
{
	chance = 0.5;
	last_bound = 0;
	state = 0;
}

void
fake_chance(double share)
{
	chance = share;
}

int64_t
fake_chance_bound(void)
{
	return last_bound;
}

/* splitmix64: the same bytes in every run. */
static uint64_t
random_next(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
random_fill(void *to, size_t len)
{
	char *at = to;

	while (len > 0) {
		uint64_t number = random_next();
		size_t step = len < sizeof(number) ? len : sizeof(number);

		memcpy(at, &number, step);
		at += step;
		len -= step;
	}
}

int64_t
random_below(int64_t bound)
{
	int64_t number = (int64_t)(chance * (double)bound);

	last_bound = bound;
	if (bound <= 0)
		return 0;
	return number < bound ? number : bound - 1;
}

int64_t
random_near(int64_t us)
{
	return us - us / 5 + random_below(us / 5 * 2 + 1);
}
