/*
 * Reads CL.THROTTLE and writes its response, as redis-cell does.
 * Holds: a rate or a wait is rounded so that a client never gets more than it
 * asked for.
 * The heart is throttle_read().
 */
#include "protocol/resp/throttle.h"

#include "base/log.h"
#include "base/num.h"
#include "limit/limit.h"

#include <stdio.h>
#include <string.h>

/* Clients may look for redis-cell's errors: CELL is in front of those, OWN in
 * front of the ones that only we have. */
#define CELL "Cell error: Store error: "
#define OWN  "Cell error: "
#define USAGE                                                                  \
	"Usage: cl.throttle <key> <max_burst> <count per period> <period> "    \
	"[<quantity>]"

#define SECOND INT64_C(1000000)

#define LONGEST_NS (LIMIT_INLINE_LIFE_US * 1000)

/* In seconds; as microseconds it is still far from an overflow. */
#define PERIOD_MAX INT64_C(1000000000000)

enum { KEY = 1, MAX_BURST, COUNT_, PERIOD, QUANTITY, WORDS };

static int
throttle_bad(char *why, const char *text)
{
	snprintf(why, THROTTLE_WHY_MAX, "%s", text);
	return -1;
}

static int
throttle_bad_number(char *why, const struct resp_word *word)
{
	char shown[64];

	snprintf(why, THROTTLE_WHY_MAX, CELL "Couldn't parse as integer: %s",
	    log_escape(shown, sizeof(shown), word->bytes, word->len));
	return -1;
}

static int
throttle_read_numbers(
    const struct resp_command *command, int64_t numbers[WORDS], char *why)
{
	numbers[QUANTITY] = 1;
	for (size_t i = MAX_BURST; i < command->count; i++) {
		const struct resp_word *word = &command->words[i];

		if (num_read_int(word->bytes, word->len, INT64_MIN, INT64_MAX,
			&numbers[i]) == -1)
			return throttle_bad_number(why, word);
	}
	return 0;
}

static const char *
throttle_find_fault(const int64_t numbers[WORDS])
{
	if (numbers[COUNT_] == 0 || numbers[PERIOD] == 0)
		return CELL "Zero rates are not supported";
	if (numbers[MAX_BURST] < 0 || numbers[MAX_BURST] >= LIMIT_CAPACITY_MAX)
		return OWN "max_burst must be from 0 to 999999999";
	if (numbers[COUNT_] < 0 || numbers[PERIOD] < 0 ||
	    numbers[PERIOD] > PERIOD_MAX)
		return OWN "count and period must be above 0, and the period "
			   "at most 1000000000000";
	if (numbers[COUNT_] / SECOND > numbers[PERIOD] ||
	    numbers[COUNT_] > numbers[PERIOD] * SECOND)
		return OWN "the rate must be at most 1000000 a second";
	if (numbers[QUANTITY] < -LIMIT_AMOUNT_MAX ||
	    numbers[QUANTITY] > LIMIT_AMOUNT_MAX)
		return OWN "quantity must be from -1000000000 to 1000000000";
	return NULL;
}

/* The time for one of ${count} in ${period} seconds, rounded up. */
static int64_t
throttle_recharge_ns(int64_t period, int64_t count)
{
	int64_t us = period * SECOND / count, rest = period * SECOND % count;

	if (us > LONGEST_NS / 1000)
		return LONGEST_NS + 1;
	if (rest > INT64_MAX / 1000) /* and ${count} with it */
		return us * 1000 + rest / (count / 1000) + 1;
	rest *= 1000;
	return us * 1000 + rest / count + (rest % count != 0);
}

static int
throttle_set_limit(
    struct request *request, const int64_t numbers[WORDS], char *why)
{
	request->capacity = numbers[MAX_BURST] + 1;
	request->recharge_ns =
	    throttle_recharge_ns(numbers[PERIOD], numbers[COUNT_]);
	if (request->recharge_ns > LONGEST_NS / request->capacity)
		return throttle_bad(why,
		    OWN "(max_burst + 1) * period / count must be "
			"at most 30 days");
	return 0;
}

int
throttle_read(const struct resp_command *command, struct request *request,
    char why[THROTTLE_WHY_MAX])
{
	const struct resp_word *key = &command->words[KEY];
	int64_t numbers[WORDS];
	const char *fault;
	enum protocol_error error;

	if (command->count != QUANTITY && command->count != WORDS)
		return throttle_bad(why, CELL USAGE);
	if (throttle_read_numbers(command, numbers, why) == -1)
		return -1;
	fault = throttle_find_fault(numbers);
	if (fault)
		return throttle_bad(why, fault);
	request_init(request, VERB_THROTTLE);
	error =
	    request_set_any_key(request, ARGUMENT_KEY, key->bytes, key->len);
	if (error) {
		snprintf(why, THROTTLE_WHY_MAX, "ERR %s",
		    protocol_error_text(error));
		return -1;
	}
	request->amount = numbers[QUANTITY];
	if (request->amount == 0)
		request->op = OP_PEEK;
	return throttle_set_limit(request, numbers, why);
}

/* Rounded up: a client that waits that long does not come too early. */
static int64_t
throttle_seconds(int64_t us)
{
	return us / SECOND + (us % SECOND != 0);
}

int
throttle_write(struct buf *out, const struct check *check)
{
	const struct decision *decision = &check->decision;
	bool waits = !decision->allowed && decision->retry_us != RETRY_NEVER;

	if (resp_write_array(out, 5) == -1 ||
	    resp_write_int(out, !decision->allowed) == -1 ||
	    resp_write_int(out, check->limit->capacity) == -1 ||
	    resp_write_int(out, check->limit->capacity - decision->level) ==
		-1 ||
	    resp_write_int(
		out, waits ? throttle_seconds(decision->retry_us) : -1) == -1)
		return -1;
	return resp_write_int(out, throttle_seconds(decision->empty_us));
}
