/*
 * ini: shows inih a text line by line, and reports what inih finds.
 * A line is reported once, as a section, a pair, a mistake, or not at all.
 * The heart is ini_take_line().
 *
 * inih finds pairs and splits them.  Debian's build takes 198 bytes of a line,
 * reports only the line number of a mistake, and does not know quotes.  So this
 * file cuts a longer line before it shows it to inih, and reads sections and
 * the values of pairs itself.
 */
#include "base/ini.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(INI_LINE_MAX == 32768, "ini_take_line() says so");

/* The text of one line, without blanks around it. */
struct line {
	const char *start, *end;
	unsigned column; /* of its start */
};

struct ini_reader {
	const char *next; /* start of the next line */
	const char *end;  /* end of the text */
	unsigned line;    /* number of the line read last */
	char *section;  /* the current one, allocated; NULL: before the first */
	bool is_python; /* the section follows Python's rules */
	bool is_lost;   /* the section's line was wrong: skip its pairs */
	bool has_failed; /* memory ran out */

	struct line shown; /* to inih, which calls ini_take_pair() for a pair */
	bool is_shown;     /* inih has not called yet */

	/* The last pair.  It is reported when no further line can continue it:
	 * at once, except under Python's rules. */
	bool has_pair;
	bool is_cut;
	struct ini_place place;
	struct buf name, value;

	const struct ini_events *events;
	void *arg;
};

static bool
ini_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *
ini_skip_blanks(const char *at, const char *end)
{
	while (at < end && ini_is_blank(*at))
		at++;
	return at;
}

static const char *
ini_trim_end(const char *start, const char *end)
{
	while (end > start && ini_is_blank(end[-1]))
		end--;
	return end;
}

/* Where a comment begins (a ';' after a blank), or the end.  If ${start} is a
 * ';', the byte before it belongs to the text too. */
static const char *
ini_find_comment(const char *start, const char *end)
{
	for (const char *at = start; at < end; at++)
		if (*at == ';' && ini_is_blank(at[-1]))
			return at;
	return end;
}

/* Whether only blanks or a comment follow. */
static bool
ini_is_rest_empty(const char *rest, const char *end)
{
	const char *at = ini_skip_blanks(rest, end);

	return at == end || (at > rest && *at == ';');
}

static void
ini_mistake(
    struct ini_reader *reader, const struct line *line, const char *reason)
{
	const struct ini_place place = {
	    reader->line, line->column, line->column};

	reader->events->mistake(reader->arg, &place, reason);
}

static void
ini_append(
    struct ini_reader *reader, struct buf *to, const char *bytes, size_t len)
{
	if (buf_add(to, bytes, len) == -1)
		reader->has_failed = true;
}

static void
ini_append_trimmed(struct ini_reader *reader, struct buf *to, const char *start,
    const char *end)
{
	ini_append(
	    reader, to, start, (size_t)(ini_trim_end(start, end) - start));
}

/* Report the pair that was read, if there is one. */
static void
ini_finish_pair(struct ini_reader *reader)
{
	bool has_pair = reader->has_pair;

	reader->has_pair = false;
	if (!has_pair || reader->is_lost)
		return;
	ini_append(reader, &reader->name, "", 1);
	ini_append(reader, &reader->value, "", 1);
	if (!reader->has_failed)
		reader->events->pair(reader->arg,
		    &(struct ini_pair){
			.section = reader->section ? reader->section : "",
			.name = buf_data(&reader->name),
			.value = buf_data(&reader->value),
			.is_cut = reader->is_cut,
			.place = reader->place,
		    });
}

/* Enter the section of the line "[name]". */
static void
ini_take_section(struct ini_reader *reader, const struct line *line)
{
	const char *name = line->start + 1;
	const char *close = memchr(name, ']', (size_t)(line->end - name));
	const struct ini_place place = {
	    reader->line, line->column, line->column};

	reader->is_lost = true;
	if (!close) {
		ini_mistake(reader, line, "a section's line needs a ']'");
		return;
	}
	if (!ini_is_rest_empty(close + 1, line->end)) {
		ini_mistake(reader, line, "nothing may follow a section's ']'");
		return;
	}
	reader->is_lost = false;
	free(reader->section);
	reader->section = strndup(name, (size_t)(close - name));
	if (reader->section)
		reader->is_python = reader->events->section(
		    reader->arg, reader->section, &place);
	else
		reader->has_failed = true;
}

/* Append the text in the quotes to the value.  Return where the closing quote
 * is, or NULL if there is none. */
static const char *
ini_take_quoted(struct ini_reader *reader, const char *start, const char *end)
{
	const char *piece = start + 1, *quote;

	while ((quote = memchr(piece, *start, (size_t)(end - piece)))) {
		ini_append(
		    reader, &reader->value, piece, (size_t)(quote - piece));
		if (quote + 1 == end || quote[1] != *start)
			break;
		ini_append(reader, &reader->value, quote, 1);
		piece = quote + 2;
	}
	return quote;
}

/* Read the value of a pair.  Return what is wrong, or NULL. */
static const char *
ini_take_value(struct ini_reader *reader, const char *start, const char *end)
{
	bool is_quoted = !reader->is_python && start < end &&
			 (*start == '"' || *start == '\'');
	const char *comment = ini_find_comment(start, end);
	const char *quote;

	reader->is_cut = !is_quoted && comment < end;
	if (!is_quoted) {
		ini_append_trimmed(reader, &reader->value, start, comment);
		return NULL;
	}
	quote = ini_take_quoted(reader, start, end);
	if (!quote)
		return "the quote that begins the value has no end";
	if (!ini_is_rest_empty(quote + 1, end))
		return "only a comment may follow a value in quotes";
	return NULL;
}

/* inih's handler: inih found a pair in the line that it was shown.  Return
 * nonzero to go on. */
static int
ini_take_pair(
    void *arg, const char *section, const char *name, const char *shown_value)
{
	struct ini_reader *reader = arg;
	const struct line *line = &reader->shown;
	const char *separator =
	    ini_skip_blanks(line->start + strlen(name), line->end);
	const char *value = ini_skip_blanks(separator + 1, line->end);
	const char *reason;

	(void)section;
	(void)shown_value;
	reader->is_shown = false;
	reader->place = (struct ini_place){reader->line, line->column,
	    line->column + (unsigned)(value - line->start)};
	buf_consume(&reader->name, buf_len(&reader->name));
	buf_consume(&reader->value, buf_len(&reader->value));
	ini_append(reader, &reader->name, name, strlen(name));
	reason = ini_take_value(reader, value, line->end);
	reader->has_pair = !reason;
	if (reason)
		ini_mistake(reader, line, reason);
	if (!reader->is_python)
		ini_finish_pair(reader);
	return !reader->has_failed;
}

/* inih was shown a line, and found no pair in it. */
static void
ini_end_shown(struct ini_reader *reader)
{
	if (reader->is_shown)
		ini_mistake(reader, &reader->shown,
		    "neither [section] nor name = value");
	reader->is_shown = false;
}

/* Whether the line continues the value above, as in Python; if so, append
 * it. */
static bool
ini_continue(struct ini_reader *reader, const struct line *line)
{
	const char *comment = ini_find_comment(line->start, line->end);

	if (!reader->has_pair || line->column <= reader->place.column)
		return false;
	ini_append(reader, &reader->value, "\n", 1);
	ini_append_trimmed(reader, &reader->value, line->start, comment);
	return true;
}

static void
ini_show(struct ini_reader *reader, const struct line *line)
{
	reader->shown = *line;
	reader->is_shown = true;
}

static void
ini_take_line(struct ini_reader *reader, const struct line *line)
{
	size_t len = (size_t)(line->end - line->start);

	if (memchr(line->start, '\0', len)) {
		ini_mistake(reader, line, "holds a NUL byte");
		return;
	}
	if (len > INI_LINE_MAX) {
		ini_mistake(reader, line, "longer than 32768 bytes");
		return;
	}
	if (len == 0 || *line->start == ';' || *line->start == '#')
		return;
	if (reader->is_python && ini_continue(reader, line))
		return;
	ini_finish_pair(reader);
	if (*line->start == '[')
		ini_take_section(reader, line);
	else
		ini_show(reader, line);
}

/* Take the next line off the text.  Return whether there was one. */
static bool
ini_next_line(struct ini_reader *reader, struct line *line)
{
	const char *start = reader->next, *end;

	if (start == reader->end)
		return false;
	end = memchr(start, '\n', (size_t)(reader->end - start));
	reader->next = end ? end + 1 : reader->end;
	reader->line++;
	if (!end)
		end = reader->end;
	line->start = ini_skip_blanks(start, end);
	line->end = ini_trim_end(line->start, end);
	line->column = (unsigned)(line->start - start) + 1;
	return true;
}

/* inih's reader: put the next line into ${to}, as much of it as inih takes, or
 * an empty line if inih must not see it.  Never fill ${to}: newer versions of
 * inih take a full buffer for a line that is too long, report an error and skip
 * to its end. */
static char *
ini_give_line(char *to, int size, void *arg)
{
	struct ini_reader *reader = arg;
	struct line line;
	size_t len = 0;

	ini_end_shown(reader);
	if (reader->has_failed || !ini_next_line(reader, &line))
		return NULL;
	ini_take_line(reader, &line);
	if (reader->is_shown)
		len = (size_t)(line.end - line.start);
	if (len > (size_t)size - 2)
		len = (size_t)size - 2;
	memcpy(to, line.start, len);
	to[len] = '\0';
	return to;
}

int
ini_read(
    const char *text, size_t len, const struct ini_events *events, void *arg)
{
	static const char bom[] = {'\xEF', '\xBB', '\xBF'};
	bool has_bom = len >= sizeof(bom) && !memcmp(text, bom, sizeof(bom));
	struct ini_reader reader = {
	    .next = has_bom ? text + sizeof(bom) : text,
	    .end = text + len,
	    .events = events,
	    .arg = arg,
	};
	bool is_out_of_memory = ini_parse_stream(ini_give_line, &reader,
				    ini_take_pair, &reader) < 0;

	ini_finish_pair(&reader);
	free(reader.section);
	buf_free(&reader.name);
	buf_free(&reader.value);
	return is_out_of_memory || reader.has_failed ? -1 : 0;
}

bool
ini_is_one_line(const char *value)
{
	const char *end = value + strlen(value);

	return *value != ';' && ini_skip_blanks(value, end) == value &&
	       ini_trim_end(value, end) == end &&
	       ini_find_comment(value, end) == end && !strchr(value, '\n');
}

static bool
ini_is_plain(const char *value)
{
	return *value != '"' && *value != '\'' && ini_is_one_line(value);
}

int
ini_write_value(struct buf *out, const char *value)
{
	if (ini_is_plain(value))
		return buf_printf(out, "%s", value);
	if (buf_add(out, "\"", 1) == -1)
		return -1;
	for (; *value; value++)
		if (buf_add(out, value, 1) == -1 ||
		    (*value == '"' && buf_add(out, value, 1) == -1))
			return -1;
	return buf_add(out, "\"", 1);
}
