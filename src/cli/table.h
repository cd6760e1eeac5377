/**
 * table: text in columns.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/attr.h"
#include "cli/tool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 8

struct table_cell {
	char *text;
	int colour; /* enum colour, or -1 */
};

/** ${columns} is set by the caller, the rest zeroed. */
struct table {
	size_t columns;
	struct table_cell *cells;
	size_t count; /* of cells; row after row */
	size_t cap;
	bool failed; /* memory ran out: reported once, at the end */
};

/** Append a cell, which is escaped (text.h). */
void table_add(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
void table_add_bytes(struct table *table, const char *bytes, size_t len);

/** Colour the cell that was added last. */
void table_colour(struct table *table, enum colour colour);

/** The space that a table may use; 0: all it needs. */
struct table_room {
	size_t lines;
	size_t width; /* in characters */
};

/** Print it; the first row is the heading.  Rows, and columns on the right,
 * that have no room are left out; names in the first column are cut so that the
 * second one fits.  Columns whose heading starts with a blank are flush right.
 * Return 0, or -1: the error was printed. */
int table_print(const struct table *table, const struct tool *tool,
    struct table_room room, FILE *to) MUST_USE;

void table_free(struct table *table);

#endif
