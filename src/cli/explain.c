/*
 * EXPLAIN: each line starts with a word that says what it is about.
 * Holds: the lines of one list, of limits that were passed over or of keys that
 * are charged too, come one after the other.
 * The heart is explain_take_line().
 */
#include "cli/explain.h"

#include "cli/client.h"
#include "cli/client_words.h"
#include "cli/commands.h"
#include "cli/fields.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_LEN 512

struct explaining {
	struct json *json;
	const char *list; /* the one that is open; NULL: none */
};

/* What follows is in this list; NULL: in none. */
static void
explain_enter(struct explaining *explaining, const char *list)
{
	if (explaining->list == list)
		return;
	if (explaining->list)
		json_close(explaining->json, ']');
	if (list)
		json_open(explaining->json, list, '[');
	explaining->list = list;
}

static void
explain_name(struct json *json, const char *name, size_t len)
{
	if (name[0] == '-' && len == 1)
		json_raw(json, "limit", "null");
	else
		json_bytes(json, "limit", name, len);
}

/* "NAME: why" */
static void
explain_write_verdict(struct explaining *explaining, const char *text)
{
	size_t len = strcspn(text, ":");

	explain_name(explaining->json, text, len);
	json_text(
	    explaining->json, "why", text + len + strspn(text + len, ": "));
}

static void
explain_write_passed_over(struct explaining *explaining, const char *text)
{
	json_open(explaining->json, NULL, '{');
	explain_write_verdict(explaining, text);
	json_close(explaining->json, '}');
}

/* "KEY: limit NAME level=..." */
static void
explain_write_also(struct explaining *explaining, const char *text)
{
	static const char between[] = ": limit ";
	const char *name = strstr(text, between);
	struct json *json = explaining->json;
	size_t len;

	if (!name)
		return; /* it is too long */
	json_open(json, NULL, '{');
	json_bytes(json, "key", text, (size_t)(name - text));
	name += strlen(between);
	len = strcspn(name, " ");
	explain_name(json, name, len);
	fields_write(json, name + len);
	json_close(json, '}');
}

static void
explain_write_key(struct explaining *explaining, const char *text)
{
	json_text(explaining->json, "key", text);
}

static void
explain_write_normalized(struct explaining *explaining, const char *text)
{
	json_text(explaining->json, "normalized", text);
}

static void
explain_write_store(struct explaining *explaining, const char *text)
{
	json_text(explaining->json, "store", text);
}

static void
explain_write_bucket(struct explaining *explaining, const char *text)
{
	json_open(explaining->json, "bucket", '{');
	fields_write(explaining->json, text);
	json_close(explaining->json, '}');
}

/* "state=blocked again=... name=NAME" */
static void
explain_write_upstream(struct explaining *explaining, const char *text)
{
	json_open(explaining->json, NULL, '{');
	fields_write(explaining->json, text);
	json_close(explaining->json, '}');
}

static const struct {
	const char *word;
	const char *list; /* that it is in; NULL: none */
	void (*write)(struct explaining *explaining, const char *text);
} lines[] = {
    {"key ", NULL, explain_write_key},
    {"not ", "passed_over", explain_write_passed_over},
    {"limit ", NULL, explain_write_verdict},
    {"normalized ", NULL, explain_write_normalized},
    {"store ", NULL, explain_write_store},
    {"bucket ", NULL, explain_write_bucket},
    {"also ", "also", explain_write_also},
    {"upstream ", "upstreams", explain_write_upstream},
};

static void
explain_take_line(const char *line, void *arg)
{
	struct explaining *explaining = arg;

	for (size_t i = 0; i < COUNT(lines); i++) {
		size_t len = strlen(lines[i].word);

		if (strncmp(line, lines[i].word, len) != 0)
			continue;
		explain_enter(explaining, lines[i].list);
		lines[i].write(explaining, line + len);
	}
}

int
explain_write_members(struct json *json, void *arg)
{
	struct tool *tool = arg;
	struct explaining explaining = {.json = json};
	char request[REQUEST_LEN];
	int status;

	snprintf(request, sizeof(request), "EXPLAIN %s", tool->words[0]);
	status = client_lines(tool, request, explain_take_line, &explaining);
	explain_enter(&explaining, NULL);
	return status;
}

int
explain_show(struct tool *tool)
{
	char request[REQUEST_LEN];

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	if (tool->json)
		return client_object(explain_write_members, tool);
	snprintf(request, sizeof(request), "EXPLAIN %s", tool->words[0]);
	return client_lines(tool, request, client_show_plain, NULL);
}
