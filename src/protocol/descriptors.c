/*
 * Job: makes keys of descriptors, and a status of what became of each.
 * Invariant: two descriptors have one key only if they are equal, or too long.
 * The heart: descriptors_put_text().
 */
#include "protocol/descriptors.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The longest that a limit may be which comes with a descriptor. */
#define LIMIT_NS (LIMIT_INLINE_LIFE_US * 1000)

/* Bytes behind the key of one that does: "//4294967295/minute". */
#define SUFFIX_MAX 24

/*
 * Keys.
 */

bool
descriptor_is_plain(unsigned char byte, bool is_name)
{
	return byte > ' ' && byte != 0x7f && byte != '/' && byte != '%' &&
	       !(is_name && byte == '=');
}

/* Append a byte as it is; a key that is too long is cut. */
static void
descriptors_put(struct descriptors *to, char byte)
{
	struct check_key *key = &to->keys[to->count];

	if (key->len < KEY_MAX)
		to->text[to->count][key->len++] = byte;
}

static void
descriptors_put_text(
    struct descriptors *to, const struct descriptor_text *from, bool is_name)
{
	static const char digits[] = "0123456789ABCDEF";
	const struct check_key *key = &to->keys[to->count];

	for (size_t i = 0; i < from->len && key->len < KEY_MAX; i++) {
		unsigned char byte = (unsigned char)from->bytes[i];

		if (descriptor_is_plain(byte, is_name)) {
			descriptors_put(to, (char)byte);
			continue;
		}
		descriptors_put(to, '%');
		descriptors_put(to, digits[byte >> 4]);
		descriptors_put(to, digits[byte & 15]);
	}
}

int
descriptors_begin(struct descriptors *to, const struct descriptor_text *domain)
{
	if (to->count == CHECK_KEYS_MAX)
		return -1;
	to->keys[to->count] = (struct check_key){.bytes = to->text[to->count]};
	descriptors_put_text(to, domain, false);
	return 0;
}

void
descriptors_add(struct descriptors *to, const struct descriptor_text *name,
    const struct descriptor_text *value)
{
	descriptors_put(to, '/');
	descriptors_put_text(to, name, true);
	if (value->len == 0)
		return;
	descriptors_put(to, '=');
	descriptors_put_text(to, value, false);
}

void
descriptors_end(struct descriptors *to, uint64_t hits, bool gives_back)
{
	int64_t amount =
	    hits < LIMIT_AMOUNT_MAX ? (int64_t)hits : LIMIT_AMOUNT_MAX;

	to->keys[to->count++].amount = gives_back ? -amount : amount;
}

/*
 * Limits that come along.
 */

/* The key's bucket is one of this limit's own. */
static void
descriptors_add_suffix(
    struct check_key *key, char *text, uint32_t count, const char *unit)
{
	char suffix[SUFFIX_MAX];
	int len = snprintf(
	    suffix, sizeof(suffix), "//%lu/%s", (unsigned long)count, unit);

	if (key->len > KEY_MAX - (size_t)len)
		key->len = KEY_MAX - (size_t)len;
	for (int i = 0; i < len; i++)
		text[key->len++] = (char)tolower((unsigned char)suffix[i]);
}

/* Time for one drop of ${capacity} in ${ns}, rounded up, but not beyond what a
 * limit may last, and no less than a microsecond. */
static int64_t
descriptors_recharge_ns(int64_t ns, int64_t capacity)
{
	int64_t recharge_ns = (ns + capacity - 1) / capacity;

	if (recharge_ns > LIMIT_NS / capacity)
		recharge_ns = LIMIT_NS / capacity;
	return recharge_ns > 1000 ? recharge_ns : 1000;
}

int
descriptors_take_limit(struct descriptors *to, uint32_t count, uint32_t unit)
{
	struct check_key *key = &to->keys[to->count - 1];
	const struct descriptor_unit *row;

	if (!to->takes_limits)
		return 0;
	if (unit == 0 || unit >= DESCRIPTOR_UNITS)
		return -1;
	row = &descriptor_units[unit];
	if (row->seconds > LIMIT_NS / 1000000000)
		return -1;
	descriptors_add_suffix(key, to->text[to->count - 1], count, row->name);
	key->capacity = count < LIMIT_CAPACITY_MAX ? count : LIMIT_CAPACITY_MAX;
	/* No limit is of none: of one, more than that never passes. */
	if (count == 0) {
		key->capacity = 1;
		key->amount = LIMIT_AMOUNT_MAX;
	}
	key->recharge_ns =
	    descriptors_recharge_ns(row->seconds * 1000000000, key->capacity);
	return 0;
}

/*
 * Statuses.
 */

const struct descriptor_unit descriptor_units[DESCRIPTOR_UNITS] = {
    {"UNKNOWN", 0},
    {"SECOND", 1},
    {"MINUTE", 60},
    {"HOUR", 3600},
    {"DAY", 86400},
    {"MONTH", 30 * 86400},
    {"YEAR", 365 * 86400},
    {"WEEK", 7 * 86400},
};

/* Envoy's number of the unit of time in which a full bucket drains.  The time
 * for a drop may have been rounded up, by less than a microsecond. */
static uint32_t
descriptors_unit_of(const struct limit *limit)
{
	int64_t span_us = limit->window_us;

	if (span_us == 0)
		span_us = limit->capacity * limit->recharge_us +
			  limit->capacity * limit->recharge_ns / 1000;
	for (uint32_t i = 1; i < DESCRIPTOR_UNITS; i++) {
		int64_t more = span_us - descriptor_units[i].seconds * 1000000;

		if (more >= 0 && more <= span_us / 1000 &&
		    (more == 0 || more < limit->capacity))
			return i;
	}
	return 0;
}

static void
descriptors_describe(
    struct descriptor_status *status, const struct query *query)
{
	const struct decision *decision = &query->decision;
	const struct limit *limit = query->limit;
	bool is_decided = query->decided_by != DECIDED_BY_NONE;
	int64_t room;

	*status = (struct descriptor_status){.has_limit = true,
	    .capacity = (uint32_t)limit->capacity,
	    .unit = descriptors_unit_of(limit)};
	if (!limit->is_inline)
		memcpy(status->name, limit->name, sizeof(status->name));
	if (!is_decided)
		return;
	room = limit->capacity - decision->level;
	status->is_denied =
	    query->op != OP_GIVE_BACK && !decision->allowed && !limit->shadow;
	status->remaining = status->is_denied || room < 0 ? 0 : (uint32_t)room;
	status->reset_us = status->is_denied && decision->retry_us > 0
			       ? decision->retry_us
			       : decision->empty_us;
}

void
descriptor_status_set(
    struct descriptor_status *status, const struct check *check, unsigned i)
{
	const struct query *query = check_query_of(check, i);

	*status = (struct descriptor_status){0};
	if (query)
		descriptors_describe(status, query);
}
