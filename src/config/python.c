/*
 * python: stores options, and expands their values.  A section has each option
 * once; a value is bounded in depth and length.  The heart is python_expand().
 */
#include "config/python.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* How deep values may refer to values. */
#define DEPTH_MAX 10

/* Longest name that is looked for. */
#define NAME_MAX_LEN 100

static void
python_free_option(struct python_option *option)
{
	free(option->section);
	free(option->name);
	free(option->value);
}

void
python_free(struct python_options *options)
{
	for (size_t i = 0; i < options->count; i++)
		python_free_option(&options->items[i]);
	free(options->items);
	*options = (struct python_options){0};
}

static char *
python_lower(char *text)
{
	for (char *at = text; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

/* The section's own option, or NULL. */
static struct python_option *
python_find_own(
    const struct python_options *options, const char *section, const char *name)
{
	for (size_t i = 0; i < options->count; i++)
		if (strcmp(options->items[i].section, section) == 0 &&
		    strcmp(options->items[i].name, name) == 0)
			return &options->items[i];
	return NULL;
}

struct python_option *
python_find(
    const struct python_options *options, const char *section, const char *name)
{
	struct python_option *own = python_find_own(options, section, name);

	return own ? own : python_find_own(options, PYTHON_DEFAULT, name);
}

enum python_result
python_add(struct python_options *options, const struct ini_pair *pair)
{
	struct python_option *items =
	    reallocarray(options->items, options->count + 1, sizeof(*items));
	struct python_option option = {
	    .section = strdup(pair->section),
	    .name = strdup(pair->name),
	    .value = strdup(pair->value),
	    .is_cut = pair->is_cut,
	    .place = pair->place,
	};
	enum python_result result = PYTHON_FAILED;

	if (items)
		options->items = items;
	if (items && option.section && option.name && option.value) {
		result = PYTHON_ADDED;
		if (python_find_own(
			options, option.section, python_lower(option.name)))
			result = PYTHON_TWICE;
	}
	if (result == PYTHON_ADDED)
		items[options->count++] = option;
	else
		python_free_option(&option);
	return result;
}

/* The state of one expansion, for one section. */
struct expansion {
	const struct python_options *options;
	const char *section;
	struct buf *out;
};

static const char *python_expand(
    struct expansion *expansion, const char *value, unsigned depth);

/* "%(name)s...": write the value of that name; move ${at} behind it. */
static const char *
python_expand_name(struct expansion *expansion, const char **at, unsigned depth)
{
	const char *name = *at + 2;
	size_t len = strcspn(name, ")");
	char lower[NAME_MAX_LEN + 1];
	struct python_option *option;

	if (len == 0 || len > NAME_MAX_LEN || name[len] == '\0' ||
	    name[len + 1] != 's')
		return "%( begins the name of another value: %(name)s";
	memcpy(lower, name, len);
	lower[len] = '\0';
	option = python_find(
	    expansion->options, expansion->section, python_lower(lower));
	if (!option)
		return "%(name)s: there is no value of that name";
	option->is_used = true;
	*at = name + len + 2;
	return python_expand(expansion, option->value, depth + 1);
}

static const char *
python_expand(struct expansion *expansion, const char *value, unsigned depth)
{
	const char *reason = NULL;

	if (depth > DEPTH_MAX)
		return "%(name)s: values refer to each other without end";
	while (*value && !reason) {
		size_t len = strcspn(value, "%");

		if (len == 0 && value[1] == '%') {
			len = 1; /* the second one is skipped below */
		} else if (len == 0 && value[1] == '(') {
			reason = python_expand_name(expansion, &value, depth);
			continue;
		} else if (len == 0) {
			return "a single %: write %%";
		}
		if (buf_len(expansion->out) + len > PYTHON_VALUE_MAX)
			return "%(name)s: the value is longer than 8192 bytes";
		if (buf_add(expansion->out, value, len) == -1)
			return "out of memory";
		value += *value == '%' ? 2 : len;
	}
	return reason;
}

const char *
python_value(const struct python_options *options, const char *section,
    struct python_option *option, struct buf *out)
{
	struct expansion expansion = {options, section, out};
	const char *reason = python_expand(&expansion, option->value, 0);

	option->is_used = true;
	if (!reason && buf_add(out, "", 1) == -1)
		return "out of memory";
	return reason;
}

int
python_write_value(struct buf *out, const char *value)
{
	for (; *value; value++)
		if (buf_add(out, value, 1) == -1 ||
		    (*value == '%' && buf_add(out, value, 1) == -1))
			return -1;
	return 0;
}
