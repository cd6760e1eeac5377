/*
 * Job: reads the texts of leases in Redis, which the scripts write.
 * Invariant: a bucket that was read is one that a script can have written: in
 * order, and with the sum that its head says.
 * The heart: leases_read().
 *
 * A text is "DROPSNAMES", and then so many leases with a name, "ENDDROPSNAME",
 * and those without, "ENDDROPS", each in the order of the ends.  All are
 * numbers to the base of 64, with the digits from '0' to 'o' in the order of
 * ASCII, the highest first: DROPS and NAMES of 3, END of 9, NAME of 11.
 */
#include "limit/leases.h"

#define DIGIT_FIRST '0'
#define DIGIT_BITS  6

#define DROPS_LEN 3
#define NAMES_LEN 3
#define END_LEN   9
#define NAME_LEN  LEASE_DIGITS

#define HEAD_LEN  (DROPS_LEN + NAMES_LEN)
#define LEASE_LEN (END_LEN + DROPS_LEN)
#define NAMED_LEN (LEASE_LEN + NAME_LEN)

/* Leases that have a name, or those that have none. */
struct leases_list {
	const char *at;
	size_t left;
	size_t len;         /* of each */
	struct lease lease; /* the one that ${at} is behind; end 0: none */
};

/* Read a number of ${len} digits.  False: it is none. */
static bool
leases_number(const char **at, size_t len, uint64_t *number)
{
	*number = 0;
	for (; len > 0; len--, ++*at) {
		unsigned digit = (unsigned char)**at - (unsigned)DIGIT_FIRST;

		if (digit >> DIGIT_BITS != 0 || *number >> (64 - DIGIT_BITS))
			return false;
		*number = *number << DIGIT_BITS | digit;
	}
	return true;
}

/* Go on to the next lease.  False: what follows is none, or not in order. */
static bool
leases_next(struct leases_list *list)
{
	const int64_t before_us = list->lease.end_us;
	uint64_t end, drops, name = 0;

	list->lease = (struct lease){0};
	if (list->left == 0)
		return true;
	list->left--;
	if (!leases_number(&list->at, END_LEN, &end) ||
	    !leases_number(&list->at, DROPS_LEN, &drops) ||
	    (list->len == NAMED_LEN &&
		(!leases_number(&list->at, NAME_LEN, &name) || name == 0)) ||
	    end == 0 || end > BUCKET_NUMBER_MAX || drops == 0 ||
	    (int64_t)end < before_us)
		return false;
	list->lease = (struct lease){(int64_t)end, name, (int32_t)drops};
	return true;
}

/* Bring the two lists into one order. */
static bool
leases_merge(struct leases_list *named, struct leases_list *others,
    struct lease_log *log)
{
	log->count = 0;
	log->drops = 0;
	if (!leases_next(named) || !leases_next(others))
		return false;
	while (named->lease.end_us > 0 || others->lease.end_us > 0) {
		struct leases_list *next =
		    others->lease.end_us == 0 ||
			    (named->lease.end_us > 0 &&
				named->lease.end_us <= others->lease.end_us)
			? named
			: others;

		log->leases[log->count++] = next->lease;
		log->drops += next->lease.drops;
		if (!leases_next(next))
			return false;
	}
	return true;
}

bool
leases_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket)
{
	struct lease_log *log = bucket->log.log;
	struct leases_list named = {.len = NAMED_LEN};
	struct leases_list others = {.len = LEASE_LEN};
	uint64_t drops, names;
	const char *at = text;

	(void)limit;
	if (len < HEAD_LEN || !leases_number(&at, DROPS_LEN, &drops) ||
	    !leases_number(&at, NAMES_LEN, &names) ||
	    names > (len - HEAD_LEN) / NAMED_LEN)
		return false;
	named.at = at;
	named.left = names;
	others.at = at + names * NAMED_LEN;
	len -= HEAD_LEN + names * NAMED_LEN;
	others.left = len / LEASE_LEN;
	if (len % LEASE_LEN != 0 || named.left + others.left > log->room)
		return false;
	if (!leases_merge(&named, &others, log) ||
	    log->drops != (int64_t)drops || log->count == 0) {
		log->count = 0;
		log->drops = 0;
		return false;
	}
	bucket->log.stamp_us = log->leases[log->count - 1].end_us;
	return true;
}

uint64_t
lease_name(const char *bytes, size_t len)
{
	static const struct siphash_seed seed;
	uint64_t name = siphash128(&seed, bytes, len).lo;

	return name == 0 ? 1 : name;
}

void
lease_name_write(char to[LEASE_DIGITS], uint64_t name)
{
	for (unsigned i = LEASE_DIGITS; i > 0; i--, name >>= DIGIT_BITS)
		to[i - 1] = (char)(DIGIT_FIRST +
				   (int)(name & ((1u << DIGIT_BITS) - 1)));
}

uint32_t
leases_room_for(const struct limit *limit, size_t len)
{
	size_t held = len / LEASE_LEN;
	size_t most = (size_t)limit_most(limit);

	return (uint32_t)(held > most ? held : most) + 2;
}

size_t
leases_longest(const struct limit *limit)
{
	return HEAD_LEN + (size_t)limit_most(limit) * NAMED_LEN;
}

void
leases_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters)
{
	(void)now_us;
	algorithm_add_number(parameters, limit->capacity);
	algorithm_add_number(parameters, limit->window_us);
}
