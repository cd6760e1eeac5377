#include "limit/word.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
word_fail(struct limit_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->reason, sizeof(error->reason), format, args);
	va_end(args);
	return -1;
}

int
word_read_time(const char *word, const char *value, int64_t min_us, int64_t *us,
    struct limit_error *error)
{
	int status = num_read_duration(value, strlen(value), us);

	if (status < 0 && errno == EINVAL)
		return word_fail(error, "%s %s", word, WORD_TIME_EXPECTED);
	if (status < 0 || *us < min_us || *us >= LIMIT_SPAN_MAX)
		return word_fail(error, "%s must be from %jdus to 52124d", word,
		    (intmax_t)min_us);
	return 0;
}

const char *
word_write_time(char text[WORD_TEXT_MAX], int64_t us)
{
	text[num_write_duration(text, us)] = '\0';
	return text;
}

const char *
word_write_number(char text[WORD_TEXT_MAX], int64_t number)
{
	text[num_write_int(text, number)] = '\0';
	return text;
}

int
word_require(
    const struct limit *limit, const char *name, struct limit_error *error)
{
	if (word_is_given(limit, name))
		return 0;
	error->word = name;
	return word_fail(error, "%s is missing", name);
}

void
word_join_list(char *value)
{
	char *to = value;

	for (char *at = value; *at;) {
		size_t len = strcspn(at, " \t,");

		if (len > 0 && to > value)
			*to++ = ',';
		memmove(to, at, len);
		to += len;
		at += len + (at[len] != '\0');
	}
	*to = '\0';
}

bool
word_next(const char **list, const char **item, size_t *len)
{
	if (**list == '\0')
		return false;
	*item = *list;
	*len = strcspn(*list, ",");
	*list += *len + ((*list)[*len] == ',');
	return true;
}
