#include "limit/action.h"

#include "base/choice.h"
#include "limit/algorithm.h"

#include <string.h>

static const struct choice actions[] = {
    {"allow", ACTION_ALLOW},
    {"deny", ACTION_DENY},
    {NULL, 0},
};

int
action_set(struct limit *limit, const char *value, struct limit_error *error)
{
	int chosen;

	if (choice_read(actions, value, &chosen) < 0)
		return word_fail(error, "action must be allow or deny");
	limit->action = (enum limit_action)chosen;
	return 0;
}

const char *
action_get(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->action == ACTION_NONE
		   ? NULL
		   : choice_name(actions, (int)limit->action);
}

int
action_check_word(
    const struct limit *limit, const char *word, struct limit_error *error)
{
	static const char *const words[] = {
	    "match", "segments", "action", "shadow", "also"};
	/* What it denies anyway is not worth charging. */
	size_t count = COUNT(words) - (limit->action == ACTION_DENY);

	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return 0;
	error->word = word;
	return word_fail(error, "%s does not go with action = %s", word,
	    choice_name(actions, (int)limit->action));
}

/* There is room for everything, or for nothing. */
void
action_finish(struct limit *limit)
{
	limit->algorithm = &algorithm_action;
	limit->capacity =
	    limit->action == ACTION_ALLOW ? LIMIT_CAPACITY_MAX : 0;
}

/*
 * The algorithm.
 */

static int
action_check(const struct limit *limit, struct limit_error *error)
{
	(void)limit;
	(void)error;
	return 0;
}

static int
action_describe(const struct limit *limit, struct buf *out)
{
	return buf_printf(
	    out, "action=%s", choice_name(actions, (int)limit->action));
}

static int64_t
action_life_us(const struct limit *limit)
{
	(void)limit;
	return 1;
}

/* What is given back is welcome also where nothing is let in. */
static bool
action_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	const bool allowed =
	    limit->action == ACTION_ALLOW || amount < 0 || op == OP_RESET;

	(void)now_us;
	(void)bucket;
	*decision = (struct decision){
	    .allowed = allowed,
	    .taken = allowed ? (int32_t)amount : 0,
	    .retry_us = allowed ? 0 : RETRY_NEVER,
	};
	return false;
}

/* No scripts, and no buckets that they would be about. */
const struct algorithm algorithm_action = {
    .name = "action",
    .check = action_check,
    .describe = action_describe,
    .life_us = action_life_us,
    .full_us = action_life_us,
    .decide = action_decide,
};
