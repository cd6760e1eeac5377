#include "limit/bucket.h"

#include "limit/algorithm.h"

struct hash128
bucket_id(const struct limit *limit, const struct key *key)
{
	uint64_t hi = key->hash.hi ^ limit->id.hi;

	return (struct hash128){
	    .lo = key->hash.lo ^ limit->id.lo,
	    .hi = (hi & ~(uint64_t)ALGORITHM_MASK) |
		  (limit->algorithm->place + 1),
	};
}

/* Leading zeros are allowed. */
bool
bucket_take_number(const char **at, const char *end, int64_t *number)
{
	const char *start = *at;
	int64_t value = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		value = value * 10 + (**at - '0');
		if (value > BUCKET_NUMBER_MAX)
			return false;
	}
	*number = value;
	return *at > start;
}

size_t
bucket_read_numbers(const char *text, size_t len, int64_t *numbers, size_t most)
{
	const char *at = text, *end = text + len;

	for (size_t i = 0; i < most; i++) {
		if (!bucket_take_number(&at, end, &numbers[i]))
			return 0;
		if (at == end)
			return i + 1;
		if (*at++ != ' ')
			return 0;
	}
	return 0;
}
