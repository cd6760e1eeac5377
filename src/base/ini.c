#include "base/ini.h"

/* inih has a type of the same name. */
#define ini_handler inih_handler
#include <ini.h>
#undef ini_handler

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What inih keeps of a name. */
#define NAME_MAX_LEN 49

/*
 * inih asks for a line at a time, and splits "name = value".  Sections are read
 * here, since inih cuts their names and is silent about empty ones: it is shown
 * a blank line instead.
 */
struct reader {
	const char *next; /* the line that comes next, */
	const char *end;  /* up to the end of the text */
	unsigned line;    /* number of the line read last; */
	unsigned column;  /* where its name starts; */
	unsigned value_column; /* and its value */
	char *section;    /* the one that we are in, allocated; NULL: none */
	bool is_pair_due; /* inih was shown a line for take_pair() */
	bool has_failed;  /* ${error} is set */

	ini_handler *handler;
	void *arg;
	struct ini_error *error;
};

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

PRINTF_LIKE(2, 3)
static int
fail(struct reader *reader, const char *format, ...)
{
	struct ini_error *error = reader->error;
	va_list args;

	reader->has_failed = true;
	error->line = reader->line;
	error->column = reader->column;
	va_start(args, format);
	vsnprintf(error->reason, sizeof(error->reason), format, args);
	va_end(args);
	return -1;
}

/* Hand a section (${name} NULL) or a pair over to the caller. */
static int
hand_over(struct reader *reader, const char *name, const char *value)
{
	const char *section = reader->section ? reader->section : "";

	reader->error->line = reader->line;
	reader->error->column = reader->column;
	reader->error->value_column = reader->value_column;
	if (reader->handler(reader->arg, section, name, value, reader->line,
		reader->error) == 0)
		return 0;
	reader->has_failed = true;
	return -1;
}

/* Whether nothing or a comment follows a section's ']'. */
static bool
is_rest_empty(const char *rest, const char *end)
{
	const char *p = rest;

	while (p < end && is_blank(*p))
		p++;
	return p == end || (p > rest && *p == ';');
}

/* Enter the section whose line, "[name]", is the text up to ${end}. */
static int
read_section(struct reader *reader, const char *line, const char *end)
{
	const char *name = line + 1;
	const char *close = memchr(name, ']', (size_t)(end - name));

	if (!close)
		return fail(reader, "a section's line needs a ']'");
	if (!is_rest_empty(close + 1, end))
		return fail(reader, "nothing may follow a section's ']'");
	free(reader->section);
	reader->section = strndup(name, (size_t)(close - name));
	if (!reader->section)
		return fail(reader, "out of memory");
	return hand_over(reader, NULL, NULL);
}

/* The column in which the value of a pair starts: what follows '=' or ':', as
 * inih splits it, or the end. */
static unsigned
find_value(const struct reader *reader, const char *line, size_t len)
{
	size_t at = 0;

	while (at < len && line[at] != '=' && line[at] != ':')
		at++;
	if (at < len)
		at++;
	while (at < len && is_blank(line[at]))
		at++;
	return reader->column + (unsigned)at;
}

/* Show inih a line for which it must call take_pair(). */
static void
show_pair(struct reader *reader, char *to, const char *line, size_t len)
{
	reader->value_column = find_value(reader, line, len);
	memcpy(to, line, len);
	to[len] = '\0';
	reader->is_pair_due = true;
}

/* inih's reader: put the next line, unindented, into ${to}. */
static char *
read_line(char *to, int size, void *arg)
{
	struct reader *reader = arg;
	const char *line = reader->next;
	const char *end, *start = line;
	size_t len;

	if (reader->has_failed || reader->is_pair_due || line == reader->end)
		return NULL;
	end = memchr(line, '\n', (size_t)(reader->end - line));
	reader->next = end ? end + 1 : reader->end;
	reader->line++;
	if (!end)
		end = reader->end;
	while (line < end && is_blank(*line))
		line++;
	len = (size_t)(end - line);
	reader->column = reader->value_column = (unsigned)(line - start) + 1;

	to[0] = '\0';
	if (memchr(line, '\0', len))
		fail(reader, "holds a NUL byte");
	else if (len >= (size_t)size)
		fail(reader, "longer than %d bytes", size - 1);
	else if (len > 0 && *line == '[')
		read_section(reader, line, end);
	else if (len > 0 && *line != ';' && *line != '#')
		show_pair(reader, to, line, len);
	return reader->has_failed ? NULL : to;
}

/* inih's handler: return nonzero to go on. */
static int
take_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;

	(void)section;
	reader->is_pair_due = false;
	if (strlen(name) > NAME_MAX_LEN)
		fail(reader, "the name is longer than %d bytes", NAME_MAX_LEN);
	else
		hand_over(reader, name, value);
	return !reader->has_failed;
}

int
ini_read(const char *text, size_t len, ini_handler *handler, void *arg,
    struct ini_error *error)
{
	static const char bom[] = {'\xEF', '\xBB', '\xBF'};
	bool has_bom = len >= sizeof(bom) && !memcmp(text, bom, sizeof(bom));
	struct reader reader = {
	    .next = has_bom ? text + sizeof(bom) : text,
	    .end = text + len,
	    .handler = handler,
	    .arg = arg,
	    .error = error,
	};
	int status = ini_parse_stream(read_line, &reader, take_pair, &reader);

	free(reader.section);
	if (reader.is_pair_due)
		fail(&reader, "neither [section] nor name = value");
	else if (status < 0)
		fail(&reader, "out of memory");
	return reader.has_failed ? -1 : 0;
}
