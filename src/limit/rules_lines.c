/*
 * rules_lines: reads a set of limits from lines, a limit or a route each, or a
 * limit of Turnstile, which is both.  The heart is rules_lines_read().
 */
#include "limit/rules_text_internal.h"
#include "limit/turnstile.h"

#include <string.h>

/* Cut the next word off the text at ${at}.  NULL: no more words. */
static char *
rules_lines_next_word(char **at)
{
	char *word = *at + strspn(*at, " ");

	if (*word == '\0')
		return NULL;
	*at = word + strcspn(word, " ");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

static void
rules_lines_set_words(struct rules_reading *reading, char *at, const char *name)
{
	char *word;

	while ((word = rules_lines_next_word(&at))) {
		char *value = strchr(word, '=');

		if (!value) {
			rules_text_blame(reading, &reading->place, name,
			    "a word is not of the form name=value");
			continue;
		}
		*value++ = '\0';
		rules_text_set_word(reading, word, value);
	}
}

/* Whether a line is text and blanks. */
static bool
rules_lines_is_text(const struct rules_line *line)
{
	const char *at = line->bytes;
	const char *end = at + line->len;

	while (at < end) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		const char *stop = blank ? blank : end;

		if (!key_is_text(at, (size_t)(stop - at)))
			return false;
		at = blank ? blank + 1 : end;
	}
	return true;
}

static void
rules_lines_read(struct rules_reading *reading, const struct rules_line *line)
{
	char text[RULES_LINE_MAX + 1];
	char *at = text, *name = NULL;
	const char *reason = "is empty";

	if (line->len > RULES_LINE_MAX) {
		reason = "is longer than 4096 bytes";
	} else if (!rules_lines_is_text(line)) {
		reason = "is not one line of UTF-8 text";
	} else {
		memcpy(text, line->bytes, line->len);
		text[line->len] = '\0';
		name = rules_lines_next_word(&at);
	}
	if (!name) {
		rules_text_blame(reading, &reading->place, NULL, reason);
		return;
	}
	rules_text_begin_limit(reading, name);
	if (reading->open || reading->route)
		rules_lines_set_words(reading, at, name);
	rules_text_finish_limit(reading);
}

/* Each ends with a newline. */
static void
rules_lines_read_all(struct rules_reading *reading, struct buf *lines)
{
	const char *at = buf_data(lines), *end = at + buf_len(lines), *stop;

	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		rules_lines_read(
		    reading, &(struct rules_line){at, (size_t)(stop - at)});
	}
}

/* A limit of Turnstile is read as the lines that say the same. */
static void
rules_lines_read_turnstile(
    struct rules_reading *reading, const struct rules_line *member)
{
	struct buf lines = {0};
	struct limit_error why;
	enum turnstile_result result =
	    turnstile_write(&lines, member->bytes, member->len, &why);

	if (result == TURNSTILE_WRONG)
		rules_text_blame(reading, &reading->place, NULL, why.reason);
	else if (result == TURNSTILE_LEFT)
		rules_text_say(&reading->doubts, reading, &reading->place, NULL,
		    why.reason);
	else
		rules_lines_read_all(reading, &lines);
	buf_free(&lines);
}

struct rules *
rules_from_lines(const char *name, const struct rules_line *lines, size_t count,
    struct reasons *reasons)
{
	struct rules_reading reading;

	rules_text_start(&reading, name, reasons);
	for (size_t i = 0; reading.rules && i < count; i++) {
		reading.place = (struct ini_place){.line = (unsigned)i + 1};
		(turnstile_is_member(lines[i].bytes, lines[i].len)
			? rules_lines_read_turnstile
			: rules_lines_read)(&reading, &lines[i]);
	}
	return rules_text_end(&reading);
}
