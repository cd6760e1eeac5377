#include "protocol/verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum { CHEAP, EXPENSIVE };

/* By their own names, so that a row of VERBS names a shape. */
#define X(id, fewest, most, usage, ...)                                        \
	static const struct verb_shape shape_##id = {                          \
	    fewest, most, usage, {__VA_ARGS__}};
VERB_SHAPES(X)
#undef X

const struct verb_row verb_rows[VERB_COUNT] = {
#define X(id, name, shape, op, cost, family, help)                             \
	[VERB_##id] = {name, sizeof(name) - 1, &shape_##shape, op,             \
	    (cost) == EXPENSIVE, VERBS_##family, help},
    VERBS(X)
#undef X
};

enum verb
verb_find(const char *name, size_t len, unsigned families)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		const struct verb_row *row = &verb_rows[i];

		if (len == row->name_len && (families & row->family) &&
		    strncasecmp(name, row->name, len) == 0)
			return (enum verb)i;
	}
	return VERB_COUNT;
}

static int
verbs_write_row(struct buf *out, const struct verb_row *row)
{
	char call[80];

	snprintf(call, sizeof(call), "%s%s", row->name, row->shape->usage);
	for (size_t i = 0; i < row->name_len; i++)
		call[i] = (char)toupper((unsigned char)call[i]);
	return buf_printf(out, "%-20s  %s\n", call, row->help);
}

size_t
verbs_help_count(unsigned families)
{
	size_t count = 0;

	for (size_t verb = 0; verb < VERB_COUNT; verb++)
		count += (families & verb_rows[verb].family) != 0;
	return count;
}

int
verbs_help_row(struct buf *out, unsigned families, size_t i)
{
	const struct verb_row *row = verb_rows;

	for (; !(families & row->family) || i > 0; row++)
		i -= (families & row->family) != 0;
	return verbs_write_row(out, row);
}
