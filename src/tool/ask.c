/*
 * Commands that put a question to dripgated and show its answer.
 */
#include "base/num.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "tool/commands.h"
#include "tool/fields.h"
#include "tool/gate_client.h"
#include "tool/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_LEN 512

static int
complain_of_silence(const char *address)
{
	return tool_complain("%s: %s", address, gate_client_why());
}

/* Connect, send ${request}, and return the first line of the answer if it is no
 * error; or NULL, having complained. */
static const char *
ask(struct tool *tool, struct gate_client *client, const char *request)
{
	const char *address = tool_address(tool);
	const char *line;
	char reason[400];

	*client = (struct gate_client){.fd = -1};
	if (!address)
		return NULL;
	if (gate_client_open(client, address, reason, sizeof(reason)) == -1) {
		tool_complain("%s; is dripgated running there? (--socket says "
			      "where, or -c FILE)",
		    reason);
		return NULL;
	}
	if (gate_client_send(client, request) == -1 ||
	    !(line = gate_client_line(client))) {
		complain_of_silence(address);
		return NULL;
	}
	if (strncmp(line, "ERR ", 4) != 0)
		return line;
	tool_complain("%s", line + 4);
	return NULL;
}

/* What would be another request, or none, must not be sent. */
static int
check_words(const struct tool *tool)
{
	int64_t amount;

	if (!key_is_valid(tool->words[0], strlen(tool->words[0]))) {
		tool_complain("a key is 1 to %d bytes of printable ASCII or "
			      "UTF-8, without blanks",
		    KEY_MAX);
		return -1;
	}
	if (tool->word_count > 1 &&
	    num_read_int(tool->words[1], strlen(tool->words[1]),
		-LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX, &amount) == -1) {
		tool_complain("%s: an amount is a whole number from %lld to "
			      "%lld",
		    tool->words[1], (long long)-LIMIT_AMOUNT_MAX,
		    (long long)LIMIT_AMOUNT_MAX);
		return -1;
	}
	return 0;
}

static void
show_decision(const struct tool *tool, const char *line, bool allowed)
{
	const char *fields = line + strcspn(line, " ");
	struct json json = {.to = stdout};

	if (!tool->json) {
		printf("%s%.*s%s%s\n",
		    tool_colour(tool, allowed ? COLOUR_GREEN : COLOUR_RED),
		    (int)(fields - line), line, tool_plain(tool), fields);
		return;
	}
	json_open(&json, NULL, '{');
	json_raw(&json, "allowed", allowed ? "true" : "false");
	fields_write(&json, fields);
	json_close(&json, '}');
	json_end(&json);
}

/* A verb whose answer is a decision. */
static int
ask_decision(struct tool *tool, const char *verb)
{
	struct gate_client client;
	char request[REQUEST_LEN];
	const char *line;
	bool allowed;

	if (check_words(tool) == -1)
		return STATUS_ERROR;
	snprintf(request, sizeof(request), "%s %s %s", verb, tool->words[0],
	    tool->word_count > 1 ? tool->words[1] : "1");
	line = ask(tool, &client, request);
	if (line) {
		allowed = strncmp(line, "ALLOW ", 6) == 0;
		show_decision(tool, line, allowed);
	}
	gate_client_close(&client);
	return !line ? STATUS_ERROR : allowed ? STATUS_FINE : STATUS_DIFFERENT;
}

int
ask_consume(struct tool *tool)
{
	return ask_decision(tool, "CONSUME");
}

int
ask_peek(struct tool *tool)
{
	return ask_decision(tool, "PEEK");
}

/* A request whose answer is one line that says little. */
static int
ask_short(struct tool *tool, const char *request)
{
	struct gate_client client;
	const char *line = ask(tool, &client, request);

	if (line)
		puts(line);
	gate_client_close(&client);
	return line ? STATUS_FINE : STATUS_ERROR;
}

int
ask_reset(struct tool *tool)
{
	char request[REQUEST_LEN];

	if (check_words(tool) == -1)
		return STATUS_ERROR;
	snprintf(request, sizeof(request), "RESET %s", tool->words[0]);
	return ask_short(tool, request);
}

int
ask_ping(struct tool *tool)
{
	return ask_short(tool, "PING");
}

/* Shows one line of a long answer. */
typedef void show_line(const char *line, void *arg);

/* A request whose answer ends with END. */
static int
ask_long(struct tool *tool, const char *request, show_line *show, void *arg)
{
	struct gate_client client;
	const char *line = ask(tool, &client, request);
	int status = line ? STATUS_FINE : STATUS_ERROR;

	while (line && strcmp(line, "END") != 0) {
		show(line, arg);
		line = gate_client_line(&client);
		if (!line)
			status = complain_of_silence(tool_address(tool));
	}
	gate_client_close(&client);
	return status;
}

static void
show_plain(const char *line, void *arg)
{
	(void)arg;
	puts(line);
}

/*
 * EXPLAIN as JSON: each line starts with a word that says what it is about.
 */

struct explaining {
	struct json json;
	bool is_listing; /* limits that were passed over */
};

/* "NAME: why" */
static void
write_verdict(struct json *json, const char *text)
{
	size_t len = strcspn(text, ":");
	const char *why = text + len + strspn(text + len, ": ");

	if (text[0] == '-' && len == 1)
		json_raw(json, "limit", "null");
	else
		json_bytes(json, "limit", text, len);
	json_text(json, "why", why);
}

static void
write_passed_over(struct explaining *explaining, const char *text)
{
	struct json *json = &explaining->json;

	if (!explaining->is_listing)
		json_open(json, "passed_over", '[');
	explaining->is_listing = true;
	json_open(json, NULL, '{');
	write_verdict(json, text);
	json_close(json, '}');
}

static void
write_bucket(struct json *json, const char *text)
{
	json_open(json, "bucket", '{');
	fields_write(json, text);
	json_close(json, '}');
}

static void
write_explanation(const char *line, void *arg)
{
	struct explaining *explaining = arg;
	struct json *json = &explaining->json;
	size_t len = strcspn(line, " ");
	const char *rest = line + len + strspn(line + len, " ");

	if (strncmp(line, "not ", 4) == 0) {
		write_passed_over(explaining, rest);
		return;
	}
	if (explaining->is_listing)
		json_close(json, ']');
	explaining->is_listing = false;
	if (strncmp(line, "key ", 4) == 0)
		json_text(json, "key", rest);
	else if (strncmp(line, "limit ", 6) == 0)
		write_verdict(json, rest);
	else if (strncmp(line, "store ", 6) == 0)
		json_text(json, "store", rest);
	else if (strncmp(line, "bucket ", 7) == 0)
		write_bucket(json, rest);
}

/* All that ${show} writes is one object, shown once it is whole. */
static int
ask_object(struct tool *tool, const char *request, show_line *show, void *arg,
    struct json *json)
{
	char *text = NULL;
	size_t len;
	int status;

	json->to = open_memstream(&text, &len);
	if (!json->to)
		return tool_complain("%s", strerror(errno));
	json_open(json, NULL, '{');
	status = ask_long(tool, request, show, arg);
	json_close(json, '}');
	json_end(json);
	fclose(json->to);
	if (status == STATUS_FINE)
		fwrite(text, 1, len, stdout);
	free(text);
	return status;
}

int
ask_explain(struct tool *tool)
{
	struct explaining explaining = {0};
	char request[REQUEST_LEN];

	if (check_words(tool) == -1)
		return STATUS_ERROR;
	snprintf(request, sizeof(request), "EXPLAIN %s", tool->words[0]);
	if (!tool->json)
		return ask_long(tool, request, show_plain, NULL);
	return ask_object(
	    tool, request, write_explanation, &explaining, &explaining.json);
}

/* "name value" */
static void
write_stat(const char *line, void *arg)
{
	size_t len = strcspn(line, " ");
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)len, line);
	if (line[len] != '\0' &&
	    json_is_number(line + len + 1, strlen(line + len + 1)))
		json_raw(arg, name, line + len + 1);
}

int
ask_stats(struct tool *tool)
{
	struct json json = {0};

	if (!tool->json)
		return ask_long(tool, "STATS", show_plain, NULL);
	return ask_object(tool, "STATS", write_stat, &json, &json);
}
