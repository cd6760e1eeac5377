#include "cli/fields.h"

#include <stdio.h>
#include <string.h>

/* Longest name of a field that becomes a name in JSON. */
#define NAME_LEN 40

bool
field_is(const struct field *field, const char *name)
{
	return field->name_len == strlen(name) &&
	       memcmp(field->name, name, field->name_len) == 0;
}

/* Its value goes on to the end. */
static bool
fields_is_last(const struct field *field)
{
	return field_is(field, "match") || field_is(field, "override");
}

bool
fields_is_override(const char *row)
{
	return strncmp(row, "override.", strlen("override.")) == 0;
}

bool
fields_next(const char **at, struct field *field)
{
	const char *text = *at;
	size_t name_len;

	do {
		text += strspn(text, " ");
		name_len = strcspn(text, " =");
		if (text[name_len] == '=')
			break;
		text += name_len;
	} while (*text != '\0');
	if (*text == '\0')
		return false;
	*field = (struct field){text, name_len, text + name_len + 1, 0};
	field->value_len = fields_is_last(field) ? strlen(field->value)
						 : strcspn(field->value, " ");
	*at = field->value + field->value_len;
	return true;
}

static bool
fields_is_value(const struct field *field, const char *value)
{
	return field->value_len == strlen(value) &&
	       memcmp(field->value, value, field->value_len) == 0;
}

/* A limit may be called 42, which is not a number here. */
static bool
fields_is_text(const struct field *field)
{
	return field_is(field, "limit") || field_is(field, "normalized") ||
	       fields_is_last(field);
}

static void
fields_write_field(struct json *json, const struct field *field)
{
	char name[NAME_LEN], value[NAME_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)field->name_len, field->name);
	snprintf(
	    value, sizeof(value), "%.*s", (int)field->value_len, field->value);
	if (fields_is_value(field, "never") ||
	    (field_is(field, "limit") && fields_is_value(field, "-")))
		json_raw(json, name, "null");
	else if (!fields_is_text(field) && field->value_len < sizeof(value) &&
		 json_is_number(field->value, field->value_len))
		json_raw(json, name, value);
	else
		json_bytes(json, name, field->value, field->value_len);
}

void
fields_write(struct json *json, const char *text)
{
	struct field field;

	while (fields_next(&text, &field))
		fields_write_field(json, &field);
}
