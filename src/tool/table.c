#include "tool/table.h"

#include <stdarg.h>
#include <stdlib.h>

/* Between two columns. */
#define GAP 2

/* Room for one more cell, or NULL. */
static struct table_cell *
make_room(struct table *table)
{
	size_t cap = table->cap ? table->cap * 2 : 64;
	struct table_cell *cells;

	if (table->count < table->cap)
		return &table->cells[table->count];
	cells = reallocarray(table->cells, cap, sizeof(*cells));
	if (!cells)
		return NULL;
	table->cells = cells;
	table->cap = cap;
	return &cells[table->count];
}

void
table_add(struct table *table, const char *format, ...)
{
	struct table_cell *cell = make_room(table);
	va_list args;

	if (!cell) {
		table->failed = true;
		return;
	}
	cell->colour = -1;
	va_start(args, format);
	if (vasprintf(&cell->text, format, args) == -1)
		table->failed = true;
	else
		table->count++;
	va_end(args);
}

void
table_colour(struct table *table, enum colour colour)
{
	if (!table->failed)
		table->cells[table->count - 1].colour = (int)colour;
}

/* Characters of UTF-8. */
static size_t
width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xC0) != 0x80;
	return count;
}

static void
pad(size_t count, FILE *to)
{
	while (count-- > 0)
		fputc(' ', to);
}

static void
print_cell(const struct table_cell *cell, const struct tool *tool, FILE *to)
{
	if (cell->colour >= 0)
		fputs(tool_colour(tool, (enum colour)cell->colour), to);
	fputs(cell->text, to);
	if (cell->colour >= 0)
		fputs(tool_plain(tool), to);
}

/* ${cells} are those of the row; no blanks at its end. */
static void
print_row(const struct table *table, const struct table_cell *cells,
    const size_t *rooms, const struct tool *tool, FILE *to)
{
	size_t blanks = 0;

	for (size_t i = 0; i < table->columns; i++) {
		size_t surplus = rooms[i] - width(cells[i].text);
		bool is_right = table->cells[i].text[0] == ' ';

		blanks += is_right ? surplus : 0;
		if (*cells[i].text) {
			pad(blanks, to);
			print_cell(&cells[i], tool, to);
			blanks = 0;
		}
		blanks += (is_right ? 0 : surplus) + GAP;
	}
	fputc('\n', to);
}

int
table_print(
    const struct table *table, const struct tool *tool, size_t lines, FILE *to)
{
	size_t rooms[TABLE_COLUMNS_MAX] = {0};
	size_t rows = table->count / table->columns;

	if (table->failed) {
		tool_complain("out of memory");
		return -1;
	}
	if (lines > 0 && lines < rows)
		rows = lines;
	for (size_t i = 0; i < rows * table->columns; i++) {
		size_t len = width(table->cells[i].text);

		if (len > rooms[i % table->columns])
			rooms[i % table->columns] = len;
	}
	for (size_t i = 0; i < rows; i++)
		print_row(
		    table, &table->cells[i * table->columns], rooms, tool, to);
	return 0;
}

void
table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
}
