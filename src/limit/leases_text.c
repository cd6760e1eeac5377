/*
 * Job: reads the texts of leases in Redis, which the scripts write.
 * Invariant: a bucket that was read is one that a script can have written: in
 * order, and with the sum that its head says.
 * The heart: leases_read().
 *
 * A text is "DROPS"; behind that, if there are leases with a name, "NAMES" and
 * so many "ENDDROPSNAME"; and behind that, if there are leases without,
 * "WIDTHBASE" and each as "LOWDROP".  Both kinds are in the order of their
 * ends.  Numbers are bytes, the highest first: DROPS 3, NAMES 2, END and BASE
 * 7, DROP 1.  NAME is 11 digits to the base of 64, from '0' to 'o' in the order
 * of ASCII; WIDTH is a digit from 3 to 7, which no NAMES starts with.  LOW is
 * the last WIDTH bytes of an end: the latest such time that is not after BASE.
 */
#include "limit/leases.h"

#define DIGIT_FIRST '0'
#define DIGIT_BITS  6

#define DROPS_LEN 3
#define NAMES_LEN 2
#define END_LEN   7
#define NAME_LEN  LEASE_DIGITS
#define NAMED_LEN (END_LEN + DROPS_LEN + NAME_LEN)

#define WIDTH_LEN 1
#define WIDTH_MIN 3
#define WIDTH_MAX END_LEN
#define DROP_LEN  1

/* Leases that have a name, or those that have none. */
struct leases_list {
	const char *at;
	size_t left;
	size_t width; /* of LOW; 0: they have names */
	uint64_t base;
	struct lease lease; /* the one that ${at} is behind; end 0: none */
};

/* Read a number of ${len} bytes. */
static uint64_t
leases_number(const char **at, size_t len)
{
	uint64_t number = 0;

	for (; len > 0; len--)
		number = number << 8 | (unsigned char)*(*at)++;
	return number;
}

/* Read the number that stands for an id.  0: it is none. */
static uint64_t
leases_name(const char **at)
{
	uint64_t name = 0;

	for (unsigned i = 0; i < NAME_LEN; i++) {
		unsigned digit =
		    (unsigned char)*(*at)++ - (unsigned)DIGIT_FIRST;

		if (digit >> DIGIT_BITS != 0 || name >> (64 - DIGIT_BITS))
			return 0;
		name = name << DIGIT_BITS | digit;
	}
	return name;
}

/* The end whose last bytes are ${low}; above BUCKET_NUMBER_MAX: none. */
static uint64_t
leases_end(const struct leases_list *list, uint64_t low)
{
	const uint64_t cycle = UINT64_C(1) << (8 * list->width);

	return list->base - ((list->base - low) & (cycle - 1));
}

/* Go on to the next lease.  False: what follows is none, or not in order. */
static bool
leases_next(struct leases_list *list)
{
	const bool has_name = list->width == 0;
	const int64_t before_us = list->lease.end_us;
	uint64_t end, drops, name;

	list->lease = (struct lease){0};
	if (list->left == 0)
		return true;
	list->left--;
	end = has_name
		  ? leases_number(&list->at, END_LEN)
		  : leases_end(list, leases_number(&list->at, list->width));
	drops = leases_number(&list->at, has_name ? DROPS_LEN : DROP_LEN);
	name = has_name ? leases_name(&list->at) : 0;
	if (end == 0 || end > BUCKET_NUMBER_MAX || drops == 0 ||
	    (has_name && name == 0) || (int64_t)end < before_us)
		return false;
	list->lease = (struct lease){(int64_t)end, name, (int32_t)drops};
	return true;
}

/* Append a lease; those without a name that end at one time are one. */
static void
leases_append(struct lease_log *log, const struct lease *lease)
{
	struct lease *last = &log->leases[log->count];

	log->drops += lease->drops;
	if (log->count > 0 && last[-1].end_us == lease->end_us &&
	    last[-1].name == 0 && lease->name == 0)
		last[-1].drops += lease->drops;
	else
		log->leases[log->count++] = *lease;
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

		leases_append(log, &next->lease);
		if (!leases_next(next))
			return false;
	}
	return true;
}

/* Find the leases with a name, which there may be, in what is left of a text:
 * ${len} bytes from ${at} on. */
static bool
leases_find_named(struct leases_list *list, const char **at, size_t *len)
{
	if (*len == 0 || (unsigned char)**at >= DIGIT_FIRST + WIDTH_MIN)
		return true;
	if (*len < NAMES_LEN)
		return false;
	list->left = leases_number(at, NAMES_LEN);
	list->at = *at;
	*len -= NAMES_LEN;
	if (list->left == 0 || list->left > *len / NAMED_LEN)
		return false;
	*at += list->left * NAMED_LEN;
	*len -= list->left * NAMED_LEN;
	return true;
}

/* The same with those without, which are all that is left. */
static bool
leases_find_others(struct leases_list *list, const char *at, size_t len)
{
	if (len == 0)
		return true;
	if (len <= WIDTH_LEN + END_LEN)
		return false;
	list->width = leases_number(&at, WIDTH_LEN) - DIGIT_FIRST;
	list->base = leases_number(&at, END_LEN);
	list->at = at;
	len -= WIDTH_LEN + END_LEN;
	if (list->width < WIDTH_MIN || list->width > WIDTH_MAX ||
	    len % (list->width + DROP_LEN) != 0)
		return false;
	list->left = len / (list->width + DROP_LEN);
	return true;
}

bool
leases_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket)
{
	struct lease_log *log = bucket->log.log;
	struct leases_list named = {0}, others = {0};
	const char *at = text;
	uint64_t drops;

	(void)limit;
	if (len < DROPS_LEN)
		return false;
	drops = leases_number(&at, DROPS_LEN);
	len -= DROPS_LEN;
	if (!leases_find_named(&named, &at, &len) ||
	    !leases_find_others(&others, at, len) ||
	    named.left + others.left > log->room)
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
	size_t held = len / (WIDTH_MIN + DROP_LEN);
	size_t most = (size_t)limit_most(limit);

	return (uint32_t)(held > most ? held : most) + 2;
}

/* What has no name is shorter, however it is written. */
size_t
leases_longest(const struct limit *limit)
{
	const size_t each =
	    limit->algorithm->lease ? NAMED_LEN : WIDTH_MAX + DROP_LEN;

	return DROPS_LEN + NAMES_LEN + WIDTH_LEN + END_LEN +
	       (size_t)limit_most(limit) * each;
}

void
leases_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters)
{
	(void)now_us;
	algorithm_add_number(parameters, limit->capacity);
	algorithm_add_number(parameters, limit->window_us);
}
