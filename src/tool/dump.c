/*
 * limits dump: the limits in Redis as a file.
 */
#include "tool/commands.h"
#include "tool/limit_set.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int
write_sections(struct buf *out, const struct limit_set *set)
{
	for (size_t i = 0; i < limit_set_count(set); i++)
		if ((i > 0 && buf_add(out, "\n", 1) == -1) ||
		    rules_write_section(out, rules_at(set->rules, i)) == -1)
			return -1;
	return 0;
}

/* Whether limit ${i} reads from a file as it stands in Redis. */
static bool
is_same(const struct limit_set *set, size_t i, const struct rules *read)
{
	struct buf line = {0};
	bool same = rules_write_line(&line, rules_at(read, i)) == 0 &&
		    buf_len(&line) == set->lines[i].len &&
		    memcmp(buf_head(&line), set->lines[i].bytes,
			set->lines[i].len) == 0;

	buf_free(&line);
	return same;
}

/* What is shown must be what is there: files have shorter lines, comments. */
static int
check_text(const struct limit_set *set, const struct buf *text)
{
	struct rules_error error;
	struct rules *read =
	    rules_from_ini("as a file", buf_head(text), buf_len(text), &error);
	int status = STATUS_FINE;

	if (!read)
		return tool_complain(
		    "these limits cannot stand in a file: %s", error.reason);
	for (size_t i = 0; status == STATUS_FINE && i < limit_set_count(set);
	     i++)
		if (!is_same(set, i, read))
			status = tool_complain("these limits cannot stand in a "
					       "file: [%s] would be another",
			    rules_at(set->rules, i)->name);
	rules_unref(read);
	return status;
}

static int
write_file(const struct tool *tool, const char *path, const struct buf *text)
{
	FILE *file = fopen(path, tool->force ? "we" : "wxe");
	size_t written;

	if (!file && errno == EEXIST)
		return tool_complain("%s: exists; --force replaces it", path);
	if (!file)
		return tool_complain("%s: %s", path, strerror(errno));
	written = fwrite(buf_head(text), 1, buf_len(text), file);
	if (fclose(file) == 0 && written == buf_len(text))
		return STATUS_FINE;
	return tool_complain(
	    "%s: not written whole: %s", path, strerror(errno));
}

static int
dump(const struct tool *tool, const struct limit_set *set)
{
	struct buf text = {0};
	int status;

	if (limit_set_count(set) == 0)
		return tool_complain("%s: no limits in it", set->name);
	if (write_sections(&text, set) == -1)
		status = tool_complain("out of memory");
	else
		status = check_text(set, &text);
	if (status == STATUS_FINE && tool->word_count > 0)
		status = write_file(tool, tool->words[0], &text);
	else if (status == STATUS_FINE)
		fwrite(buf_head(&text), 1, buf_len(&text), stdout);
	buf_free(&text);
	return status;
}

int
limits_dump(struct tool *tool)
{
	struct limit_set set;
	int status;

	if (limit_set_fetch(&set, tool) == -1)
		return STATUS_ERROR;
	status = dump(tool, &set);
	limit_set_free(&set);
	return status;
}
