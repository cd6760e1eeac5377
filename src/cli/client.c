/*
 * client: commands that send dripgated a request and show its response.  Each
 * word is checked before it is sent, since it must not become another request.
 * The heart is client_send().
 */
#include "cli/client.h"

#include "base/clock.h"
#include "base/num.h"
#include "cli/client_words.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/gate_client.h"
#include "cli/json.h"
#include "cli/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_LEN 8192

static int
client_print_silence(const struct gate_client *client, const char *address)
{
	return tool_error("%s: %s", address, gate_client_why(client));
}

/* Connect and send ${request}.  Return the first line of the response if it is
 * no error; or NULL: the error was printed. */
static const char *
client_send(struct tool *tool, struct gate_client *client, const char *request)
{
	struct gate_address address;
	const char *line;
	char reason[400];

	*client = (struct gate_client){.fd = -1};
	if (tool_find_gate(tool, &address) == -1)
		return NULL;
	if (gate_client_open(client, &address, tool_timeout_us(tool), reason,
		sizeof(reason)) == -1) {
		tool_error("%s; is dripgated running there? (--socket says "
			   "where, or -c FILE)",
		    reason);
		return NULL;
	}
	if (tool->wait_us > 0)
		gate_client_be_patient(
		    client, clock_us() + tool->wait_us + tool_timeout_us(tool));
	if (gate_client_send(client, request) == -1 ||
	    !(line = gate_client_line(client))) {
		client_print_silence(client, address.text);
		return NULL;
	}
	if (strncmp(line, "ERR ", 4) != 0)
		return line;
	tool_error("%s", line + 4);
	return NULL;
}

/* Some other program listens there. */
static int
client_print_nonsense(struct tool *tool, const char *line)
{
	return tool_error("%s: \"%.60s\" is not a response of dripgated",
	    tool_address(tool), line);
}

static void
client_show_decision(const struct tool *tool, const char *line, bool allowed)
{
	const char *fields = line + strcspn(line, " ");
	struct json json = {.to = stdout};

	if (!tool->json) {
		fputs(tool_colour(tool, allowed ? COLOUR_GREEN : COLOUR_RED),
		    stdout);
		text_write(stdout, line, (size_t)(fields - line));
		fputs(tool_plain(tool), stdout);
		text_line("%s", fields);
		return;
	}
	json_open(&json, NULL, '{');
	json_raw(&json, "allowed", allowed ? "true" : "false");
	fields_write(&json, fields);
	json_close(&json, '}');
	json_end(&json);
}

/* The verb and the words of the command, as a line. */
static void
client_write_request(
    char *to, size_t size, const char *verb, const struct tool *tool)
{
	size_t len = (size_t)snprintf(to, size, "%s", verb);

	for (size_t i = 0; i < tool->word_count && len < size; i++)
		len += (size_t)snprintf(
		    to + len, size - len, " %s", tool->words[i]);
	if (tool->id && len < size)
		snprintf(to + len, size - len, " id=%s", tool->id);
}

/* A request whose response is a decision. */
static int
client_decide(struct tool *tool, const char *request)
{
	struct gate_client client;
	const char *line = client_send(tool, &client, request);
	int status = STATUS_ERROR;

	if (line && strncmp(line, "ALLOW ", 6) == 0)
		status = STATUS_FINE;
	else if (line && strncmp(line, "DENY ", 5) == 0)
		status = STATUS_DIFFERENT;
	else if (line)
		client_print_nonsense(tool, line);
	if (status != STATUS_ERROR)
		client_show_decision(tool, line, status == STATUS_FINE);
	gate_client_close(&client);
	return status;
}

/* The same, of that verb and the words of the command. */
static int
client_decision(struct tool *tool, const char *verb)
{
	char request[REQUEST_LEN];

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	client_write_request(request, sizeof(request), verb, tool);
	return client_decide(tool, request);
}

static int
client_wait(struct tool *tool)
{
	char request[REQUEST_LEN], seconds[NUM_MAX_LEN + 1];

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	if (tool->id)
		return tool_error("--id and --wait do not go together");
	snprintf(request, sizeof(request), "WAIT %s %s %s", tool->words[0],
	    tool->word_count > 1 ? tool->words[1] : "1",
	    num_seconds(seconds, tool->wait_us));
	return client_decide(tool, request);
}

int
client_consume(struct tool *tool)
{
	return tool->wait_us > 0 ? client_wait(tool)
				 : client_decision(tool, "CONSUME");
}

int
client_peek(struct tool *tool)
{
	return client_decision(tool, "PEEK");
}

static int
client_joint_decision(struct tool *tool, const char *verb)
{
	if (tool->word_count % 2 == 0)
		return client_decision(tool, verb);
	tool_error("an amount must follow each key");
	return STATUS_ERROR;
}

int
client_mconsume(struct tool *tool)
{
	return client_joint_decision(tool, "MCONSUME");
}

int
client_mpeek(struct tool *tool)
{
	return client_joint_decision(tool, "MPEEK");
}

int
client_charge(struct tool *tool)
{
	return client_decision(tool, "CHARGE");
}

int
client_take(struct tool *tool)
{
	return client_decision(tool, "TAKE");
}

static int
client_lease_decision(struct tool *tool, const char *verb)
{
	char request[REQUEST_LEN];

	if (client_words_check_lease(tool) == -1)
		return STATUS_ERROR;
	client_write_request(request, sizeof(request), verb, tool);
	return client_decide(tool, request);
}

int
client_hold(struct tool *tool)
{
	return client_lease_decision(tool, "HOLD");
}

int
client_release(struct tool *tool)
{
	return client_lease_decision(tool, "RELEASE");
}

/* A response that is one word: as JSON, an object of which ${name} is true, and
 * ${from} what decides, unless that is NULL. */
static void
client_show_word(const struct tool *tool, const char *text, const char *name,
    const char *from)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		puts(text);
		return;
	}
	json_open(&json, NULL, '{');
	json_raw(&json, name, "true");
	if (from)
		json_text(&json, "from", from);
	json_close(&json, '}');
	json_end(&json);
}

/* A request whose response is one word. */
static int
client_short(struct tool *tool, const char *request, const char *expected,
    const char *name)
{
	struct gate_client client;
	const char *line = client_send(tool, &client, request);
	int status = STATUS_ERROR;

	if (line && strcmp(line, expected) == 0) {
		client_show_word(tool, line, name, NULL);
		status = STATUS_FINE;
	} else if (line) {
		client_print_nonsense(tool, line);
	}
	gate_client_close(&client);
	return status;
}

int
client_line(struct tool *tool, const char *request, char *to, size_t size)
{
	struct gate_client client;
	const char *line = client_send(tool, &client, request);

	if (line)
		snprintf(to, size, "%s", line);
	gate_client_close(&client);
	return line ? STATUS_FINE : STATUS_ERROR;
}

int
client_reset(struct tool *tool)
{
	char request[REQUEST_LEN];

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	snprintf(request, sizeof(request), "RESET %s", tool->words[0]);
	return client_short(tool, request, "OK", "reset");
}

/* Whether it can be asked for decisions, and Redis makes them where it is to.
 */
static int
client_ready(struct tool *tool)
{
	struct gate_client client;
	const char *line = client_send(tool, &client, "READY");
	int status = STATUS_ERROR;

	if (line && strcmp(line, "READY fallback") == 0) {
		client_show_word(tool,
		    "PONG, but decisions come from fallback: Redis does not "
		    "respond",
		    "responds", "fallback");
		status = STATUS_DIFFERENT;
	} else if (line && strncmp(line, "READY ", 6) == 0) {
		client_show_word(tool, "PONG", "responds", line + 6);
		status = STATUS_FINE;
	} else if (line) {
		client_print_nonsense(tool, line);
	}
	gate_client_close(&client);
	return status;
}

int
client_ping(struct tool *tool)
{
	return tool->alive ? client_short(tool, "PING", "PONG", "responds")
			   : client_ready(tool);
}

int
client_lines(
    struct tool *tool, const char *request, client_take_line *take, void *arg)
{
	struct gate_client client;
	const char *line = client_send(tool, &client, request);
	int status = line ? STATUS_FINE : STATUS_ERROR;

	while (line && strcmp(line, "END") != 0) {
		take(line, arg);
		line = gate_client_line(&client);
		if (!line)
			status =
			    client_print_silence(&client, tool_address(tool));
	}
	gate_client_close(&client);
	return status;
}

int
client_object(client_write_members *write, void *arg)
{
	struct json json = {0};
	char *text = NULL;
	size_t len;
	int status;

	json.to = open_memstream(&text, &len);
	if (!json.to)
		return tool_error("%s", strerror(errno));
	json_open(&json, NULL, '{');
	status = write(&json, arg);
	json_close(&json, '}');
	json_end(&json);
	fclose(json.to);
	if (status == STATUS_FINE)
		fwrite(text, 1, len, stdout);
	free(text);
	return status;
}

void
client_show_plain(const char *line, void *arg)
{
	(void)arg;
	text_line("%s", line);
}

/* "name value" */
static void
client_write_stat(const char *line, void *arg)
{
	size_t len = strcspn(line, " ");
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)len, line);
	if (line[len] != '\0' &&
	    json_is_number(line + len + 1, strlen(line + len + 1)))
		json_raw(arg, name, line + len + 1);
}

static int
client_write_stats(struct json *json, void *arg)
{
	return client_lines(arg, "STATS", client_write_stat, json);
}

int
client_stats(struct tool *tool)
{
	return tool->json
		   ? client_object(client_write_stats, tool)
		   : client_lines(tool, "STATS", client_show_plain, NULL);
}
