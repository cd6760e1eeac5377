/*
 * table: prints cells in columns that are as wide as their widest cell.  It
 * leaves out columns on the right and rows at the bottom that do not fit.  The
 * heart is table_print().
 */
#include "cli/table.h"

#include "cli/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Between two columns. */
#define GAP 2

/* Room for one more cell, or NULL. */
static struct table_cell *
table_make_room(struct table *table)
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
table_add_bytes(struct table *table, const char *bytes, size_t len)
{
	struct table_cell *cell = table_make_room(table);
	char *text = cell ? malloc(len * TEXT_ESCAPED_MAX + 1) : NULL;

	if (!text) {
		table->failed = true;
		return;
	}
	text_escape(text, bytes, len);
	*cell = (struct table_cell){.text = text, .colour = -1};
	table->count++;
}

void
table_add(struct table *table, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) != -1) {
		table_add_bytes(table, text, strlen(text));
		free(text);
	} else {
		table->failed = true;
	}
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
table_width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xC0) != 0x80;
	return count;
}

static void
table_pad(size_t count, FILE *to)
{
	while (count-- > 0)
		fputc(' ', to);
}

/* Print at most ${width} characters. */
static void
table_print_text(const char *text, size_t width, FILE *to)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text & 0xC0) != 0x80 && width-- == 0)
			break;
		fputc(*text, to);
	}
}

static void
table_print_cell(const struct table_cell *cell, size_t width,
    const struct tool *tool, FILE *to)
{
	if (cell->colour >= 0)
		fputs(tool_colour(tool, (enum colour)cell->colour), to);
	table_print_text(cell->text, width, to);
	if (cell->colour >= 0)
		fputs(tool_plain(tool), to);
}

/* Those columns of a table that are printed. */
struct table_layout {
	size_t widths[TABLE_COLUMNS_MAX];
	size_t columns;
};

/* ${cells} are those of the row; no blanks at its end. */
static void
table_print_row(const struct table *table, const struct table_cell *cells,
    const struct table_layout *layout, const struct tool *tool, FILE *to)
{
	size_t blanks = 0;

	for (size_t i = 0; i < layout->columns; i++) {
		size_t room = layout->widths[i];
		size_t width = table_width(cells[i].text);
		size_t surplus = width < room ? room - width : 0;
		bool is_right = table->cells[i].text[0] == ' ';

		blanks += is_right ? surplus : 0;
		if (*cells[i].text) {
			table_pad(blanks, to);
			table_print_cell(&cells[i], room, tool, to);
			blanks = 0;
		}
		blanks += (is_right ? 0 : surplus) + GAP;
	}
	fputc('\n', to);
}

/* Leave out what does not fit in ${width}. */
static void
table_fit(struct table_layout *layout, size_t width)
{
	size_t *widths = layout->widths;
	size_t used = widths[0], fitting = 1;

	while (
	    fitting < layout->columns && used + GAP + widths[fitting] <= width)
		used += GAP + widths[fitting++];
	if (fitting == 1 && layout->columns > 1 && width > GAP + widths[1]) {
		widths[0] = width - GAP - widths[1];
		fitting = 2;
	}
	if (widths[0] > width)
		widths[0] = width;
	layout->columns = fitting;
}

int
table_print(const struct table *table, const struct tool *tool,
    struct table_room room, FILE *to)
{
	struct table_layout layout = {.columns = table->columns};
	size_t rows = table->count / table->columns;

	if (table->failed) {
		tool_error("out of memory");
		return -1;
	}
	if (room.lines > 0 && room.lines < rows)
		rows = room.lines;
	for (size_t i = 0; i < rows * table->columns; i++) {
		size_t width = table_width(table->cells[i].text);

		if (width > layout.widths[i % table->columns])
			layout.widths[i % table->columns] = width;
	}
	if (room.width > 0)
		table_fit(&layout, room.width);
	for (size_t i = 0; i < rows; i++)
		table_print_row(table, &table->cells[i * table->columns],
		    &layout, tool, to);
	return 0;
}

void
table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
}
