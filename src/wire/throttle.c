#include "wire/throttle.h"

#include "base/log.h"
#include "base/num.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "wire/line.h"

#include <stdio.h>
#include <string.h>

/* Clients may look for redis-cell's errors: its words, and this in front of
 * them; and in front of what only we refuse. */
#define CELL "Cell error: Store error: "
#define OWN  "Cell error: "
#define USAGE                                                                  \
	"Usage: cl.throttle <key> <max_burst> <count per period> <period> "    \
	"[<quantity>]"

#define SECOND INT64_C(1000000)

/* In seconds; as microseconds it is still far from an overflow. */
#define PERIOD_MAX INT64_C(1000000000000)

enum { KEY = 1, MAX_BURST, COUNT_, PERIOD, QUANTITY, WORDS };

static int
bad(char *why, const char *text)
{
	snprintf(why, THROTTLE_WHY_MAX, "%s", text);
	return -1;
}

static int
bad_number(char *why, const struct resp_word *word)
{
	char shown[64];

	snprintf(why, THROTTLE_WHY_MAX, CELL "Couldn't parse as integer: %s",
	    log_escape(shown, sizeof(shown), word->bytes, word->len));
	return -1;
}

static int
read_numbers(
    const struct resp_command *command, int64_t numbers[WORDS], char *why)
{
	numbers[QUANTITY] = 1;
	for (size_t i = MAX_BURST; i < command->count; i++) {
		const struct resp_word *word = &command->words[i];

		if (num_read_int(word->bytes, word->len, INT64_MIN, INT64_MAX,
			&numbers[i]) == -1)
			return bad_number(why, word);
	}
	return 0;
}

static const char *
find_fault(const int64_t numbers[WORDS])
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
	if (numbers[QUANTITY] < 0 || numbers[QUANTITY] > LIMIT_AMOUNT_MAX)
		return OWN "quantity must be from 0 to 1000000000";
	return NULL;
}

static int
set_limit(struct request *request, const int64_t numbers[WORDS], char *why)
{
	int64_t period_us = numbers[PERIOD] * SECOND;
	int64_t count = numbers[COUNT_];

	request->capacity = numbers[MAX_BURST] + 1;
	request->recharge_us = period_us / count + (period_us % count != 0);
	if (request->recharge_us > LIMIT_INLINE_LIFE_US / request->capacity)
		return bad(why, OWN "(max_burst + 1) * period / count must be "
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

	if (command->count != QUANTITY && command->count != WORDS)
		return bad(why, CELL USAGE);
	if (read_numbers(command, numbers, why) == -1)
		return -1;
	fault = find_fault(numbers);
	if (fault)
		return bad(why, fault);
	if (!key_is_valid(key->bytes, key->len))
		return bad(why, line_error_text(LINE_ERR_BADKEY));
	*request = (struct request){
	    .verb = VERB_THROTTLE,
	    .key = key->bytes,
	    .key_len = key->len,
	    .amount = numbers[QUANTITY],
	};
	return set_limit(request, numbers, why);
}

static int64_t
seconds(int64_t us)
{
	return us / SECOND + (us % SECOND >= 1000);
}

int
throttle_write(struct buf *out, const struct reply *reply)
{
	const struct decision *decision = &reply->decision;
	int64_t fill_us = decision->next_us;
	bool waits = !decision->allowed && decision->retry_us != RETRY_NEVER;

	if (decision->level > 0)
		fill_us += (decision->level - 1) * reply->limit->recharge_us;
	if (resp_write_array(out, 5) == -1 ||
	    resp_write_int(out, !decision->allowed) == -1 ||
	    resp_write_int(out, reply->limit->capacity) == -1 ||
	    resp_write_int(out, reply->limit->capacity - decision->level) ==
		-1 ||
	    resp_write_int(out, waits ? seconds(decision->retry_us) : -1) == -1)
		return -1;
	return resp_write_int(out, seconds(fill_us));
}
