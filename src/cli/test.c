/*
 * test: says which limit each key of standard input would get.
 */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/limit_set.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct testing {
	bool json;
	const struct rules *rules;
	struct rules_scratch *scratch;
	size_t line;
};

static void
test_show(const struct key *key, const char *limit)
{
	text_write(stdout, key->bytes, key->len);
	printf(" %s\n", limit);
}

static void
test_show_json(const struct key *key, const char *limit)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_bytes(&json, "key", key->bytes, key->len);
	json_text(&json, "limit", limit);
	json_close(&json, '}');
	json_end(&json);
}

/* No limit is shown as "-", as in decisions. */
static int
test_key(struct testing *testing, const char *bytes, size_t len)
{
	struct key key;
	const struct limit *limit;
	const char *name;

	if (len == 0 || len > KEY_MAX)
		return tool_error("line %zu: a key has 1 to %d bytes",
		    testing->line, KEY_MAX);
	key = key_make(bytes, len);
	limit = rules_match(testing->rules, &key, testing->scratch);
	name = limit ? limit->name : "-";
	if (testing->json)
		test_show_json(&key, name);
	else
		test_show(&key, name);
	return limit ? STATUS_FINE : STATUS_DIFFERENT;
}

/* Return the worst status of all keys. */
static int
test_keys(struct testing *testing)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int status = STATUS_FINE;

	while ((len = getline(&line, &size, stdin)) != -1) {
		int result;

		testing->line++;
		if (line[len - 1] == '\n')
			len--;
		result = test_key(testing, line, (size_t)len);
		if (result > status)
			status = result;
	}
	free(line);
	return ferror(stdin) ? tool_error("standard input: %m") : status;
}

int
limits_test(struct tool *tool)
{
	struct testing testing = {.json = tool->json};
	struct limit_set set;
	int status;

	if (limit_set_read_file(&set, tool->words[0]) == -1)
		return STATUS_ERROR;
	testing.scratch = rules_scratch_new();
	if (set.count == 0)
		status = tool_error("%s: no limits", set.name);
	else if (!testing.scratch)
		status = tool_error("out of memory");
	else {
		testing.rules = set.entries[0].rules;
		status = test_keys(&testing);
	}
	rules_scratch_free(testing.scratch);
	limit_set_free(&set);
	return status;
}
