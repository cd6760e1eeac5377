/**
 * fields: "name=value name=value ...", as dripgated's answers have them.  Pure.
 */
#ifndef TOOL_FIELDS_H
#define TOOL_FIELDS_H

#include "tool/json.h"

#include <stdbool.h>
#include <stddef.h>

/** Borrowed from the text. */
struct field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

/** Take the next field off the text at ${at}, which moves on; false: there is
 * none.  "match" is the last one: its value goes on to the end. */
bool fields_next(const char **at, struct field *field);

/** Whether the field is called so. */
bool field_is(const struct field *field, const char *name);

/** Write each field as a member of the open object: numbers as numbers,
 * "never" and the name of no limit ("-") as null. */
void fields_write(struct json *json, const char *text);

#endif
