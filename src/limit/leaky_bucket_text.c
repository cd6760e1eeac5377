/*
 * A leaky bucket as text in Redis:
 *
 *   EMPTY_AT[.TICKS][ BLOCKED_UNTIL[*STRIKES]][/RECHARGE]
 *
 * with three digits for the ticks where they are fine, and the recharge in base
 * 62.
 */
#include "limit/leaky_bucket.h"

#include "base/num.h"

#include <stdio.h>

/* A recharge below this many nanoseconds that is not a whole number of
 * microseconds needs finer ticks. */
#define FINE_BELOW   1000000
#define TICKS_DIGITS 3

/* The text after EMPTY_AT: ".TICKS", if it is there. */
static bool
leaky_bucket_read_ticks(
    const char **at, const char *end, struct leaky_state *state)
{
	const char *digits = *at + 1;

	if (*at == end || **at != '.')
		return true;
	if (end - digits < TICKS_DIGITS ||
	    num_count_digits(digits, TICKS_DIGITS) != TICKS_DIGITS)
		return false;
	state->ticks = TICKS_FINE;
	for (int i = 0; i < TICKS_DIGITS; i++)
		state->empty_ticks =
		    state->empty_ticks * 10 + (digits[i] - '0');
	*at = digits + TICKS_DIGITS;
	return true;
}

/* The text after those: " BLOCKED_UNTIL" and "*STRIKES", if they are there. */
static bool
leaky_bucket_read_block(
    const char **at, const char *end, struct leaky_state *state)
{
	if (*at == end || **at != ' ')
		return true;
	++*at;
	if (!bucket_take_number(at, end, &state->blocked_until_us))
		return false;
	if (*at == end || **at != '*')
		return true;
	++*at;
	return bucket_take_number(at, end, &state->strikes) &&
	       state->strikes >= 1 && state->strikes <= STRIKES_MAX;
}

/* The text after the times: "/RECHARGE", if it is there, and nothing more. */
static bool
leaky_bucket_read_recharge(
    const char *at, const char *end, struct leaky_state *state)
{
	int64_t most = state->ticks == 1 ? SPAN_MAX : FINE_BELOW - 1;

	if (at == end)
		return true;
	return *at == '/' && num_read_compact(at + 1, (size_t)(end - at - 1),
				 most, &state->recharge) == 0;
}

bool
leaky_bucket_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket)
{
	struct leaky_state state = {.ticks = 1};
	const char *at = text, *end = text + len;

	(void)limit;
	if (!bucket_take_number(&at, end, &state.empty_at_us) ||
	    !leaky_bucket_read_ticks(&at, end, &state))
		return false;
	if (!leaky_bucket_read_block(&at, end, &state) ||
	    !leaky_bucket_read_recharge(at, end, &state) ||
	    (state.strikes > 0 && state.recharge >= STRIKES_RECHARGE_BELOW))
		return false;
	*bucket = leaky_state_close(&state);
	return true;
}

/* "BLOCK", or "BLOCK GROWTH MAX MEMORY" where blocks grow. */
static void
leaky_bucket_add_block(
    const struct limit *limit, struct algorithm_parameters *parameters)
{
	char text[ALGORITHM_PARAMETER_LEN + 1];

	if (limit->block_growth == 0) {
		algorithm_add_number(parameters, limit->block_us);
		return;
	}
	algorithm_add_text(parameters, text,
	    (size_t)snprintf(text, sizeof(text), "%lld %lld %lld %lld",
		(long long)limit->block_us, (long long)limit->block_growth,
		(long long)limit->block_max_us,
		(long long)limit_block_memory_us(limit)));
}

/* The recharge as decimal microseconds; and how a text ends that is written
 * under it. */
void
leaky_bucket_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters)
{
	char suffix[1 + NUM_MAX_LEN] = "/", recharge[WORD_TEXT_MAX];
	size_t len =
	    1 + num_write_compact(suffix + 1, leaky_bucket_recharge(limit));

	(void)now_us;
	algorithm_add_number(parameters, limit->capacity);
	if (limit->recharge_ns == 0)
		algorithm_add_number(parameters, limit->recharge_us);
	else
		algorithm_add_text(parameters, recharge,
		    leaky_bucket_write_fine(limit, recharge));
	leaky_bucket_add_block(limit, parameters);
	algorithm_add_text(parameters, suffix, limit->is_inline ? 0 : len);
}
