/**
 * fields: "name=value name=value ...", as dripgated's responses have them.
 * Pure.
 */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H

#include "cli/json.h"

#include <stdbool.h>
#include <stddef.h>

/** Borrowed from the text. */
struct field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

/** Whether a row of LIMITS is of an override: those come before the limits. */
bool fields_is_override(const char *row);

/** Take the next field off the text at ${at}, which moves on; false: there is
 * none.  "match" and "override" are the last ones: their value goes on to the
 * end.
 */
bool fields_next(const char **at, struct field *field);

/** Whether the field has this name. */
bool field_is(const struct field *field, const char *name);

/** Write each field as a member of the open object: numbers as numbers,
 * "never" and the name of no limit ("-") as null. */
void fields_write(struct json *json, const char *text);

#endif
