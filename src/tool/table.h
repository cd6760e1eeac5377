/**
 * table: text in columns.
 */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include "base/attr.h"
#include "tool/tool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 8

struct table_cell {
	char *text;
	int colour; /* enum colour, or -1 */
};

/** ${columns} is set by whoever makes it, the rest zeroed. */
struct table {
	size_t columns;
	struct table_cell *cells;
	size_t count; /* of cells; row after row */
	size_t cap;
	bool failed; /* memory ran out: said once, at the end */
};

/** Append a cell. */
void table_add(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/** Colour the cell that was added last. */
void table_colour(struct table *table, enum colour colour);

/** Print it, but at most ${lines} rows (0: all); the first row is the heading.
 * Columns whose heading starts with a blank are flush right.  Return 0, or -1:
 * complained that memory ran out. */
int table_print(const struct table *table, const struct tool *tool,
    size_t lines, FILE *to) MUST_USE;

void table_free(struct table *table);

#endif
