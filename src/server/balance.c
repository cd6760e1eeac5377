#include "server/balance.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Leave two workers alone if their loads differ by less than this, or by less
 * than an eighth of their sum: that may be chance.  So the busiest one ends
 * with at most 1.3 times the mean of all. */
#define DIFFERENCE_MIN_US (BALANCE_PERIOD_US / 50)

struct balance {
	size_t count;
	_Atomic int64_t loads_us[];
};

struct balance *
balance_new(size_t count)
{
	struct balance *balance =
	    calloc(1, sizeof(*balance) + count * sizeof(balance->loads_us[0]));

	if (balance)
		balance->count = count;
	return balance;
}

void
balance_set(struct balance *balance, size_t index, int64_t load_us)
{
	balance->loads_us[index] = load_us;
}

/* Number of workers that are busier, or as busy and before it. */
static size_t
balance_rank(const struct balance *balance, size_t index)
{
	int64_t load_us = balance->loads_us[index];
	size_t rank = 0;

	for (size_t i = 0; i < balance->count; i++) {
		int64_t other_us = balance->loads_us[i];

		rank +=
		    other_us > load_us || (other_us == load_us && i < index);
	}
	return rank;
}

/* The worker with that rank; ${none} if the loads changed meanwhile and none
 * has it. */
static size_t
balance_at_rank(const struct balance *balance, size_t rank, size_t none)
{
	for (size_t i = 0; i < balance->count; i++)
		if (balance_rank(balance, i) == rank)
			return i;
	return none;
}

bool
balance_find(
    const struct balance *balance, size_t index, size_t *to, int64_t *part_us)
{
	size_t rank = balance_rank(balance, index);
	int64_t ours_us = balance->loads_us[index];
	int64_t theirs_us;

	if (rank >= balance->count / 2)
		return false;
	*to = balance_at_rank(balance, balance->count - 1 - rank, index);
	theirs_us = balance->loads_us[*to];
	*part_us = (ours_us - theirs_us) / 2;
	return ours_us - theirs_us > DIFFERENCE_MIN_US &&
	       ours_us - theirs_us > (ours_us + theirs_us) / 8;
}
