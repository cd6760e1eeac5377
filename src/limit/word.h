/**
 * word: one of the words that a limit is written in.
 *
 * Some belong to every limit (limit.c), the others to an algorithm.
 */
#ifndef LIMIT_WORD_H
#define LIMIT_WORD_H

#include "base/attr.h"
#include "base/num.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest text that is made of a value: two times and some words, with the NUL
 * at the end. */
#define WORD_TEXT_MAX (2 * NUM_MAX_LEN + 20)

/** The error for a value that is not a time. */
#define WORD_TIME_EXPECTED                                                     \
	"must be a number and a unit (us ms s m h d), as in 60s"

struct limit_word {
	const char *name;

	/** Read ${value} into the limit.  Return 0, or -1 with ${error} set. */
	int (*set)(
	    struct limit *limit, const char *value, struct limit_error *error);

	/** The value of a finished limit, which may be written to ${text}.
	 * NULL: it need not be written, since it is the default, or another
	 * word says it.  A word without this function is never written. */
	const char *(*get)(const struct limit *limit, char text[WORD_TEXT_MAX]);
};

/** Set the reason.  Return -1. */
int word_fail(struct limit_error *error, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** Read a time of at least ${min_us} and below LIMIT_SPAN_MAX.  Return 0, or -1
 * with ${error} set, which names the ${word}. */
int word_read_time(const char *word, const char *value, int64_t min_us,
    int64_t *us, struct limit_error *error) MUST_USE;

/** Write a time or a number to ${text}, and return it. */
const char *word_write_time(char text[WORD_TEXT_MAX], int64_t us);
const char *word_write_number(char text[WORD_TEXT_MAX], int64_t number);

/** Make a list with blanks or commas one with single commas. */
void word_join_list(char *value);

/** Take the next item off such a list: ${len} bytes.  False: there is none. */
bool word_next(const char **list, const char **item, size_t *len);

/** Whether the limit was given the word of that name. */
bool word_is_given(const struct limit *limit, const char *name);

/** Return 0 if it was, or -1 with ${error} set. */
int word_require(const struct limit *limit, const char *name,
    struct limit_error *error) MUST_USE;

#endif
