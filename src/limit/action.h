/**
 * action: limits that allow or deny whatever their keys ask: a list of keys. No
 * bucket is asked, and none is kept.
 *
 * To other code they have an algorithm, a row like any other one, but without
 * scripts: it is none of ALGORITHMS, and its decision needs no bucket.
 */
#ifndef LIMIT_ACTION_H
#define LIMIT_ACTION_H

#include "base/attr.h"
#include "limit/limit.h"
#include "limit/word.h"

extern const struct algorithm algorithm_action;

/** The word "action". */
int action_set(
    struct limit *limit, const char *value, struct limit_error *error);
const char *action_get(const struct limit *limit, char text[WORD_TEXT_MAX]);

/** Whether a limit with an action may have ${word}.  Return 0, or -1 with
 * ${error} set. */
int action_check_word(const struct limit *limit, const char *word,
    struct limit_error *error) MUST_USE;

/** Make a limit that has its action ready to decide. */
void action_finish(struct limit *limit);

#endif
