#include "base/choice.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct choice choice_no_yes[] = {
    {"no", false},
    {"yes", true},
    {"false", false},
    {"true", true},
    {"off", false},
    {"on", true},
    {"0", false},
    {"1", true},
    {NULL, 0},
};

int
choice_read(const struct choice *choices, const char *word, int *value)
{
	for (const struct choice *row = choices; row->word; row++) {
		if (strcasecmp(row->word, word) == 0) {
			*value = row->value;
			return 0;
		}
	}
	errno = EINVAL;
	return -1;
}

const char *
choice_name(const struct choice *choices, int value)
{
	while (choices->word && choices->value != value)
		choices++;
	assert(choices->word);
	return choices->word;
}

bool
choice_is_name(const struct choice *choices, const struct choice *row)
{
	return choice_name(choices, row->value) == row->word;
}

void
choice_list(const struct choice *choices, char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (const struct choice *row = choices; row->word; row++)
		if (choice_is_name(choices, row) && used < size)
			used += (size_t)snprintf(to + used, size - used, "%s%s",
			    used ? " | " : "", row->word);
}
