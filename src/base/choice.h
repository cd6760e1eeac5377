/**
 * choice: words that name the values of an enumeration.
 *
 * A table has a row for each word and ends with a row without one.  The first
 * word of a value is its name; the others are synonyms, which are read and
 * never written.  Upper and lower case are the same.
 */
#ifndef BASE_CHOICE_H
#define BASE_CHOICE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct choice {
	const char *word; /* NULL: the table ends here */
	int value;
};

/** no and yes, for a bool. */
extern const struct choice choice_no_yes[];

/** Set ${value} to the one that ${word} names.  Return 0, or -1 with errno
 * EINVAL. */
int choice_read(
    const struct choice *choices, const char *word, int *value) MUST_USE;

/** The name of ${value}, which the table has. */
const char *choice_name(const struct choice *choices, int value);

/** Whether this row's word is the name of its value, and no synonym. */
bool choice_is_name(const struct choice *choices, const struct choice *row);

/** Write all names to ${to}, as "a | b | c"; cut if there is no room. */
void choice_list(const struct choice *choices, char *to, size_t size);

#endif
