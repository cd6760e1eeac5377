/*
 * Job: takes header fields, lists and dates apart.
 * Invariant: what does not follow the grammar is no such thing: it is not
 * guessed at.
 * The heart: headers_next(), part_next_member().
 */
#include "upstream/headers.h"

#include "base/num.h"

#include <string.h>
#include <strings.h>

#define SECOND_US INT64_C(1000000)

static bool
headers_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct part
headers_trim(const char *from, const char *end)
{
	while (from < end && headers_is_blank(*from))
		from++;
	while (from < end && headers_is_blank(end[-1]))
		end--;
	return (struct part){from, (size_t)(end - from)};
}

bool
headers_next(struct headers *rest, struct http_header *header)
{
	while (rest->len > 0) {
		const char *line = rest->bytes;
		const char *lf = memchr(line, '\n', rest->len);
		const char *end = lf ? lf : line + rest->len;
		const char *colon;

		rest->len -= (size_t)(end - line) + (lf != NULL);
		rest->bytes = lf ? lf + 1 : end;
		if (end > line && end[-1] == '\r')
			end--;
		colon = memchr(line, ':', (size_t)(end - line));
		if (!colon || colon == line || headers_is_blank(colon[-1]) ||
		    headers_is_blank(*line))
			continue;
		header->name = (struct part){line, (size_t)(colon - line)};
		header->value = headers_trim(colon + 1, end);
		return true;
	}
	return false;
}

bool
headers_find(struct headers headers, const char *name, struct part *value)
{
	struct http_header header;

	while (headers_next(&headers, &header))
		if (part_is(header.name, name)) {
			*value = header.value;
			return true;
		}
	return false;
}

bool
part_is(struct part part, const char *text)
{
	return part.len == strlen(text) &&
	       strncasecmp(part.bytes, text, part.len) == 0;
}

/* Where the member that starts at ${from} ends: at a comma outside quotes. */
static const char *
headers_end_of_member(const char *from, const char *end)
{
	bool quoted = false;

	for (const char *c = from; c < end; c++) {
		if (quoted && *c == '\\' && c + 1 < end)
			c++;
		else if (*c == '"')
			quoted = !quoted;
		else if (*c == ',' && !quoted)
			return c;
	}
	return end;
}

bool
part_next_member(struct part *rest, struct part *member)
{
	while (rest->len > 0) {
		const char *end = rest->bytes + rest->len;
		const char *comma = headers_end_of_member(rest->bytes, end);

		*member = headers_trim(rest->bytes, comma);
		rest->bytes = comma < end ? comma + 1 : end;
		rest->len = (size_t)(end - rest->bytes);
		if (member->len > 0)
			return true;
	}
	return false;
}

struct directive
directive_read(struct part member)
{
	const char *end = member.bytes + member.len;
	const char *equals = memchr(member.bytes, '=', member.len);
	struct directive directive = {.name = member};

	if (!equals)
		return directive;
	directive.name.len = (size_t)(equals - member.bytes);
	directive.value.bytes = equals + 1;
	directive.value.len = (size_t)(end - equals - 1);
	if (directive.value.len >= 2 && equals[1] == '"' && end[-1] == '"') {
		directive.value.bytes++;
		directive.value.len -= 2;
	}
	return directive;
}

bool
part_read_seconds(struct part part, int64_t *us)
{
	int64_t seconds = 0;

	if (part.len == 0 || num_count_digits(part.bytes, part.len) < part.len)
		return false;
	for (size_t i = 0; i < part.len && seconds < SECONDS_MAX; i++)
		seconds = seconds * 10 + (part.bytes[i] - '0');
	*us = (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * SECOND_US;
	return true;
}

/* The parts of a date. */
struct date {
	int year, month, day, hour, minute, second; /* month from 1 */
};

/* The place of the word at ${text} in ${words}, each of which ends with a
 * blank, from 1; 0: it is none of them. */
static int
headers_read_word(const char *text, size_t len, const char *words, size_t *read)
{
	for (int i = 1; *words; i++) {
		size_t word = strcspn(words, " ");

		if (word <= len && strncasecmp(text, words, word) == 0) {
			*read = word;
			return i;
		}
		words += word + 1;
	}
	return 0;
}

/* Read ${digits} digits; -1: there are not so many. */
static int
headers_read_digits(const char *text, size_t len, size_t digits)
{
	int value = 0;

	if (len < digits || num_count_digits(text, digits) < digits)
		return -1;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

/* Take what the letter ${form} of a pattern says off ${text}.  Return its
 * length, 0 if it is not there. */
static size_t
headers_read_piece(char form, const char *text, size_t len, struct date *date)
{
	const struct {
		char letter;
		size_t digits;
		int *value;
	} numbers[] = {
	    {'d', 2, &date->day},
	    {'e', 2, &date->day},
	    {'H', 2, &date->hour},
	    {'M', 2, &date->minute},
	    {'S', 2, &date->second},
	    {'y', 2, &date->year},
	    {'Y', 4, &date->year},
	};
	size_t read = 0;

	if (form == 'a')
		headers_read_word(
		    text, len, "Mon Tue Wed Thu Fri Sat Sun ", &read);
	else if (form == 'A')
		headers_read_word(text, len,
		    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday ",
		    &read);
	else if (form == 'b')
		date->month = headers_read_word(text, len,
		    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ", &read);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		/* A blank stands in place of the first 0 of %e. */
		size_t blanks = form == 'e' && len > 0 && *text == ' ';

		if (numbers[i].letter != form)
			continue;
		*numbers[i].value = headers_read_digits(
		    text + blanks, len - blanks, numbers[i].digits - blanks);
		read = *numbers[i].value < 0 ? 0 : numbers[i].digits;
	}
	return read;
}

/* Read a date by a pattern, whose letters after a % are those of strftime(3).
 */
static bool
headers_read_form(const char *pattern, struct part part, struct date *date)
{
	const char *at = part.bytes;
	size_t left = part.len;

	for (; *pattern; pattern++) {
		size_t read = 1;

		if (*pattern == '%')
			read = headers_read_piece(*++pattern, at, left, date);
		else if (left == 0 || strncasecmp(at, pattern, 1) != 0)
			return false;
		if (read == 0)
			return false;
		at += read;
		left -= read;
	}
	return left == 0;
}

/* Days from 1970 on, of the Gregorian calendar: years start in March, so that
 * the leap day is the last. */
static int64_t
headers_count_days(const struct date *date)
{
	const int64_t year = date->year - (date->month <= 2);
	const int64_t month = (date->month + 9) % 12;

	return year * 365 + year / 4 - year / 100 + year / 400 +
	       (month * 153 + 2) / 5 + date->day - 1 - 719468;
}

static int64_t
headers_date_us(const struct date *date)
{
	return ((headers_count_days(date) * 24 + date->hour) * 60 +
		   date->minute) *
		   60 * SECOND_US +
	       date->second * SECOND_US;
}

bool
part_read_date(struct part part, int64_t now_us, int64_t *us)
{
	static const char *const forms[] = {
	    "%a, %d %b %Y %H:%M:%S GMT",
	    "%A, %d-%b-%y %H:%M:%S GMT",
	    "%a %b %e %H:%M:%S %Y",
	};
	const int64_t fifty_years = INT64_C(50) * 36525 * 864 * SECOND_US;
	struct date date;

	for (size_t i = 0; i < COUNT(forms); i++) {
		date = (struct date){0};
		if (!headers_read_form(forms[i], part, &date))
			continue;
		if (date.day < 1 || date.day > 31 || date.hour > 23 ||
		    date.minute > 59 || date.second > 60)
			return false;
		if (date.year < 100) {
			date.year += 2000;
			if (headers_date_us(&date) > now_us + fifty_years)
				date.year -= 100;
		}
		*us = headers_date_us(&date);
		return true;
	}
	return false;
}

int
header_add(struct buf *to, const struct http_header *header)
{
	char *room = buf_reserve(to, header->name.len + header->value.len + 4);

	if (!room)
		return -1;
	room = mempcpy(room, header->name.bytes, header->name.len);
	room = mempcpy(room, ": ", 2);
	room = mempcpy(room, header->value.bytes, header->value.len);
	memcpy(room, "\r\n", 2);
	buf_commit(to, header->name.len + header->value.len + 4);
	return 0;
}
