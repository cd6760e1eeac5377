#include "limit/rules_text.h"

#include "base/ini.h"
#include "base/log.h"
#include "limit/index.h"

#include <stdio.h>
#include <string.h>

/* What is being read, whatever from. */
struct reading {
	struct rules *rules;
	struct limit *open;      /* the last of ${rules}, which takes words */
	unsigned open_column;    /* where it begins */
	struct hash_index names; /* of the limits so far */
	unsigned column;         /* of the line's word, in a file */
	unsigned value_column;   /* and of its value */
};

/* Where a line or section is wrong, and why. */
struct blame {
	unsigned line;
	unsigned column;
	char reason[256];
};

static int
fail(struct blame *blame, unsigned line, unsigned column, const char *limit,
    const char *reason)
{
	char shown[LIMIT_NAME_MAX + 4];

	log_escape(shown, sizeof(shown), limit, strlen(limit));
	blame->line = line;
	blame->column = column;
	snprintf(
	    blame->reason, sizeof(blame->reason), "[%s]: %s", shown, reason);
	return -1;
}

static int
finish_limit(struct reading *reading, struct blame *blame)
{
	struct limit *limit = reading->open;
	struct limit_error why;

	reading->open = NULL;
	if (!limit || limit_finish(limit, &why) == 0)
		return 0;
	return fail(blame, limit->line, reading->open_column, limit->name,
	    why.reason);
}

static int
begin_limit(struct reading *reading, const char *name, unsigned line,
    struct blame *blame)
{
	struct hash128 hash = key_make(name, strlen(name)).hash;
	unsigned column = reading->column;
	struct limit_error why;
	struct limit *limit;

	if (hash_index_find(&reading->names, &hash) != INDEX_NONE)
		return fail(blame, line, column, name, "stands above already");
	limit = limit_new(name, &why);
	if (!limit)
		return fail(blame, line, column, name, why.reason);
	limit->line = line;
	if (rules_add(reading->rules, limit) < 0) {
		limit_free(limit);
		return fail(blame, line, column, name, "out of memory");
	}
	reading->open = limit;
	reading->open_column = column;
	if (hash_index_add(&reading->names, &hash, limit->order) < 0)
		return fail(blame, line, column, name, "out of memory");
	return 0;
}

static int
set_word(struct reading *reading, const char *word, const char *value,
    unsigned line, struct blame *blame)
{
	struct limit_error why;

	if (limit_set(reading->open, word, value, &why) < 0)
		return fail(blame, line,
		    why.is_value ? reading->value_column : reading->column,
		    reading->open->name, why.reason);
	return 0;
}

static int
start(struct reading *reading)
{
	*reading = (struct reading){.rules = rules_new()};
	return reading->rules ? 0 : -1;
}

/* Return the set if it was read and can be used, or NULL. */
static struct rules *
end(struct reading *reading, int status)
{
	struct rules *rules = reading->rules;

	hash_index_free(&reading->names);
	if (rules && status == 0 && rules_finish(rules) == 0)
		return rules;
	rules_unref(rules);
	return NULL;
}

/*
 * INI.
 */

/* An ini_handler. */
static int
take_ini(void *arg, const char *section, const char *name, const char *value,
    unsigned line, struct ini_error *error)
{
	struct reading *reading = arg;
	struct blame blame = {
	    line, error->column, "stands before the first [section]"};
	int status = -1;

	reading->column = error->column;
	reading->value_column = error->value_column;
	if (!name) {
		status = finish_limit(reading, &blame);
		if (status == 0)
			status = begin_limit(reading, section, line, &blame);
	} else if (reading->open) {
		status = set_word(reading, name, value, line, &blame);
	}
	if (status == -1) {
		error->line = blame.line;
		error->column = blame.column;
		memcpy(error->reason, blame.reason, sizeof(error->reason));
	}
	return status;
}

static int
read_ini(struct reading *reading, const char *text, size_t len,
    struct ini_error *error)
{
	struct blame blame;

	if (ini_read(text, len, take_ini, reading, error) == -1)
		return -1;
	if (finish_limit(reading, &blame) == 0)
		return 0;
	error->line = blame.line;
	error->column = blame.column;
	memcpy(error->reason, blame.reason, sizeof(error->reason));
	return -1;
}

struct rules *
rules_from_ini(
    const char *name, const char *text, size_t len, struct rules_error *error)
{
	struct reading reading;
	struct ini_error why;
	struct rules *rules;
	int status = start(&reading);

	snprintf(error->reason, sizeof(error->reason), "%s: out of memory",
	    name);
	if (status == 0 &&
	    (status = read_ini(&reading, text, len, &why)) == -1)
		snprintf(error->reason, sizeof(error->reason), "%s:%u:%u: %s",
		    name, why.line, why.column, why.reason);
	rules = end(&reading, status);
	if (!rules || rules_count(rules) > 0)
		return rules;
	snprintf(error->reason, sizeof(error->reason), "%s: no limits in it",
	    name);
	rules_unref(rules);
	return NULL;
}

/*
 * Lines.
 */

/* Cut the next word off the text at ${at}.  NULL: there is none. */
static char *
next_word(char **at)
{
	char *word = *at + strspn(*at, " ");

	if (*word == '\0')
		return NULL;
	*at = word + strcspn(word, " ");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

static int
set_words(
    struct reading *reading, char *at, unsigned line, struct blame *blame)
{
	char *word;

	while ((word = next_word(&at))) {
		char *value = strchr(word, '=');

		if (!value)
			return fail(blame, line, 0, reading->open->name,
			    "a word is not of the form name=value");
		*value++ = '\0';
		if (set_word(reading, word, value, line, blame) == -1)
			return -1;
	}
	return finish_limit(reading, blame);
}

/* Whether a line is text and blanks. */
static bool
is_text(const struct rules_line *line)
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

static int
read_line(struct reading *reading, const struct rules_line *line,
    unsigned number, struct blame *blame)
{
	char text[RULES_LINE_MAX + 1];
	char *at = text;
	char *name;

	*blame = (struct blame){number, 0, "is longer than 4096 bytes"};
	if (line->len > RULES_LINE_MAX)
		return -1;
	strcpy(blame->reason, "is not one line of UTF-8 text");
	if (!is_text(line))
		return -1;
	memcpy(text, line->bytes, line->len);
	text[line->len] = '\0';
	strcpy(blame->reason, "is empty");
	name = next_word(&at);
	if (!name || begin_limit(reading, name, number, blame) == -1)
		return -1;
	return set_words(reading, at, number, blame);
}

struct rules *
rules_from_lines(const char *name, const struct rules_line *lines,
    size_t count, struct rules_error *error)
{
	struct reading reading;
	struct blame blame;
	int status = start(&reading);

	snprintf(error->reason, sizeof(error->reason), "%s: out of memory",
	    name);
	for (size_t i = 0; status == 0 && i < count; i++) {
		status =
		    read_line(&reading, &lines[i], (unsigned)i + 1, &blame);
		if (status == -1)
			snprintf(error->reason, sizeof(error->reason),
			    "%s: member %u: %s", name, blame.line,
			    blame.reason);
	}
	return end(&reading, status);
}

/*
 * Writing.
 */

/* A word and its value stand so: BEFORE word BETWEEN value AFTER. */
struct writing {
	struct buf *out;
	const char *before, *between, *after;
	int status;
};

static void
write_word(const char *word, const char *value, void *arg)
{
	struct writing *writing = arg;

	if (buf_printf(writing->out, "%s%s%s%s%s", writing->before, word,
		writing->between, value, writing->after) == -1)
		writing->status = -1;
}

int
rules_write_line(struct buf *out, const struct limit *limit)
{
	struct writing writing = {out, " ", "=", "", 0};

	if (buf_printf(out, "%s", limit->name) == -1)
		return -1;
	limit_each_word(limit, write_word, &writing);
	return writing.status;
}

int
rules_write_section(struct buf *out, const struct limit *limit)
{
	struct writing writing = {out, "", " = ", "\n", 0};

	if (buf_printf(out, "[%s]\n", limit->name) == -1)
		return -1;
	limit_each_word(limit, write_word, &writing);
	return writing.status;
}
