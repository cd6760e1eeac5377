/*
 * dump: writes the limits in Redis to a file.  It replaces an existing file
 * only with --force.  The heart is limits_write_file().
 */
#include "base/ini.h"
#include "cli/commands.h"
#include "cli/limits.h"
#include "cli/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Write "name word=value ...", which is not a valid limit, as a section as well
 * as possible.  Return 0, or -1 (out of memory). */
static int
dump_write_words(struct buf *out, char *line)
{
	char *rest = NULL;
	char *name = strtok_r(line, " ", &rest), *word;

	if (buf_printf(out, "[%s]\n", name) == -1)
		return -1;
	while ((word = strtok_r(NULL, " ", &rest))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (buf_printf(out, "%s%s", word, value ? " = " : "") == -1 ||
		    (value && ini_write_value(out, value) == -1) ||
		    buf_add(out, "\n", 1) == -1)
			return -1;
	}
	return 0;
}

/* Whether it is one line of text with words in it. */
static bool
dump_is_text(const struct rules_line *line)
{
	size_t blanks = 0;

	for (size_t i = 0; i < line->len; i++) {
		unsigned char byte = (unsigned char)line->bytes[i];

		if (byte < 0x20 || byte == 0x7F)
			return false;
		blanks += byte == ' ';
	}
	return blanks < line->len;
}

/* A member that is not a limit is in the file, too, so that a check of the file
 * shows where: with the reason, as a section or else as a comment. */
static int
dump_write_wrong(struct buf *out, const struct limit_entry *entry,
    const struct rules_line *line)
{
	char *text = malloc(line->len * TEXT_ESCAPED_MAX + 1);
	int status = -1;

	if (!text)
		return -1;
	if (buf_printf(out, "; not a limit: %s\n", entry->reason) == 0) {
		if (dump_is_text(line)) {
			memcpy(text, line->bytes, line->len);
			text[line->len] = '\0';
			status = dump_write_words(out, text);
		} else {
			text_escape(text, line->bytes, line->len);
			status = buf_printf(out, "; %s\n", text);
		}
	}
	free(text);
	return status;
}

static int
dump_write_entry(struct buf *out, const struct limit_entry *entry,
    const struct rules_line *line)
{
	if (entry->limit)
		return rules_write_section(out, entry->limit);
	return entry->route ? route_write_section(out, entry->route)
			    : dump_write_wrong(out, entry, line);
}

int
limits_write_file(struct buf *out, const struct limit_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct limit_entry *entry = &set->entries[i];

		if (i > 0 && buf_add(out, "\n", 1) == -1)
			return -1;
		if (dump_write_entry(out, entry, &set->lines[i]) == -1)
			return -1;
	}
	return 0;
}

static int
dump_write_json(struct buf *out, const struct limit_set *set)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int status;

	if (!to)
		return -1;
	limits_write_set(to, set);
	status = fclose(to) == 0 ? buf_add(out, text, len) : -1;
	free(text);
	return status;
}

static int
dump_write_file(
    const struct tool *tool, const char *path, const struct buf *text)
{
	FILE *file = fopen(path, tool->force ? "we" : "wxe");
	size_t written;

	if (!file && errno == EEXIST)
		return tool_error("%s: exists; --force replaces it", path);
	if (!file)
		return tool_error("%s: %s", path, strerror(errno));
	written = fwrite(buf_data(text), 1, buf_len(text), file);
	if (fclose(file) == 0 && written == buf_len(text))
		return STATUS_FINE;
	return tool_error("%s: not written whole: %s", path, strerror(errno));
}

int
limits_dump_set(const struct tool *tool, const struct limit_set *set)
{
	struct buf text = {0};
	int status = STATUS_FINE;

	if (set->count == 0)
		return tool_error("%s: no limits in it", set->name);
	if ((tool->json ? dump_write_json : limits_write_file)(&text, set) ==
	    -1)
		status = tool_error("out of memory");
	else if (tool->word_count > 0)
		status = dump_write_file(tool, tool->words[0], &text);
	else
		fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	buf_free(&text);
	return status == STATUS_FINE ? limit_set_check(set, "") : status;
}

int
limits_dump(struct tool *tool)
{
	struct limit_set set;
	int status;

	if (limit_set_fetch(&set, tool) == -1)
		return STATUS_ERROR;
	status = limits_dump_set(tool, &set);
	limit_set_free(&set);
	return status;
}
