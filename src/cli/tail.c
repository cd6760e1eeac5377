/*
 * tail: shows the decisions of one dripgated as they are made.
 * Holds: dripgated says how many decisions it does not show because they were
 * too many, and so does this.
 * The heart is tail_follow().
 */
#include "cli/tail.h"

#include "base/attr.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/gate_client.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/record.h"
#include "cli/text.h"
#include "limit/glob.h"
#include "limit/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tail {
	const struct tool *tool;
	int64_t shown;
	struct recording_writer writer; /* of --record */
};

/* The clock of a line: 14:23:05.123. */
static void
tail_write_clock(const char *seconds)
{
	char text[40];
	double at = strtod(seconds, NULL);
	time_t whole = (time_t)at;
	struct tm tm;

	localtime_r(&whole, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03d ", text, (int)((at - (double)whole) * 1000));
}

static void
tail_show(const struct tail *tail, const char *line, const char *key)
{
	bool denied = strncmp(line, "DENY ", 5) == 0;
	const char *at = strstr(line, " at=");
	const char *fields = line + strcspn(line, " ");
	struct json json = {.to = stdout};

	if (tail->tool->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "key", key);
		json_raw(&json, "allowed", denied ? "false" : "true");
		fields_write(&json, fields);
		json_close(&json, '}');
		json_end(&json);
		return;
	}
	if (at)
		tail_write_clock(at + strlen(" at="));
	fputs(tool_colour(tail->tool, denied ? COLOUR_RED : COLOUR_GREEN),
	    stdout);
	fputs(denied ? "DENY " : "ALLOW", stdout);
	fputs(tool_plain(tail->tool), stdout);
	putchar(' ');
	text_write(stdout, key, strlen(key));
	text_write(stdout, fields, at ? (size_t)(at - fields) : strlen(fields));
	putchar('\n');
}

/* "DROPPED n" */
static void
tail_show_dropped(const struct tail *tail, const char *count)
{
	if (!tail->tool->json)
		text_line("... %s decisions were too many", count);
}

/* A decision, with its key at the end, or how many are not shown. */
static bool
tail_show_line(const char *line, void *arg)
{
	struct tail *tail = arg;
	char copy[4096];
	char *key;

	if (strncmp(line, "DROPPED ", 8) == 0) {
		tail_show_dropped(tail, line + 8);
		return fflush(stdout) != EOF;
	}
	snprintf(copy, sizeof(copy), "%s", line);
	key = strstr(copy, " key=");
	if (!key)
		return true;
	*key = '\0';
	key += strlen(" key=");
	tail_show(tail, copy, key);
	return fflush(stdout) != EOF && ++tail->shown != tail->tool->count;
}

static bool
tail_record_line(const char *line, void *arg)
{
	struct tail *tail = arg;

	return record_line(&tail->writer, line) == 0 &&
	       fflush(tail->writer.to) != EOF &&
	       !(tail->tool->count && tail->writer.count >= tail->tool->count);
}

/*
 * Following.
 */

static int
tail_fail(const struct gate_client *client, const char *address)
{
	return tool_error("%s: %s", address, gate_client_why(client));
}

static int
tail_start(const struct tool *tool, struct gate_client *client,
    const char *address, const char *glob)
{
	char request[600];
	const char *line;

	snprintf(request, sizeof(request), "MONITOR %s%s", glob,
	    tool->denied    ? " denied"
	    : tool->allowed ? " allowed"
			    : "");
	if (gate_client_send(client, request) == -1)
		return tail_fail(client, address);
	line = gate_client_line(client);
	if (!line)
		return tail_fail(client, address);
	if (strncmp(line, "ERR ", 4) == 0)
		return tool_error("%s", line + 4);
	return STATUS_FINE;
}

static int
tail_loop(struct gate_client *client, const char *address, int64_t until_us,
    tail_take *take, void *arg)
{
	const char *line;

	gate_client_be_patient(client, until_us);
	do
		line = gate_client_line(client);
	while (line && take(line, arg));
	if (line || errno == EINTR ||
	    (until_us > 0 && errno == EAGAIN && clock_us() >= until_us))
		return STATUS_FINE;
	return tail_fail(client, address);
}

int
tail_follow(struct tool *tool, const char *glob, int64_t for_us,
    tail_take *take, void *arg)
{
	struct gate_address address;
	struct gate_client client;
	char reason[400];
	int status;

	if (tool_find_gate(tool, &address) == -1)
		return STATUS_ERROR;
	if (gate_client_open(&client, &address, tool_timeout_us(tool), reason,
		sizeof(reason)) == -1)
		return tool_error("%s; is dripgated running there?", reason);
	interrupt_catch();
	status = tail_start(tool, &client, address.text, glob);
	if (status == STATUS_FINE)
		status = tail_loop(&client, address.text,
		    for_us > 0 ? clock_us() + for_us : 0, take, arg);
	gate_client_close(&client);
	return status;
}

/*
 * The command.
 */

static int
tail_record(struct tail *tail, struct tool *tool, const char *glob)
{
	FILE *to = fopen(tool->record, tool->force ? "we" : "wxe");
	int status;

	if (!to && errno == EEXIST)
		return tool_error(
		    "%s exists: use --force to replace it", tool->record);
	if (!to)
		return tool_error("%s: %m", tool->record);
	recording_start(&tail->writer, to, tool->hash_keys);
	status = tail_follow(tool, glob, 0, tail_record_line, tail);
	if (ferror(to) | (fclose(to) == EOF))
		return tool_error("%s: cannot be written: %m", tool->record);
	text_line("%lld requests are in %s; %lld were too many",
	    (long long)tail->writer.count, tool->record,
	    (long long)tail->writer.dropped);
	return tail->writer.failed ? STATUS_ERROR : status;
}

int
tail_run(struct tool *tool)
{
	struct tail tail = {.tool = tool};
	const char *glob = tool->word_count > 0 ? tool->words[0] : "*";

	if (strlen(glob) > KEY_MAX)
		return tool_error("%s is too long", glob);
	if (glob_fault(glob))
		return tool_error("%s %s", glob, glob_fault(glob));
	if (tool->denied && tool->allowed)
		return tool_error("--denied or --allowed, not both");
	if (tool->hash_keys && !tool->record)
		return tool_error("--hash-keys is for --record");
	return tool->record ? tail_record(&tail, tool, glob)
			    : tail_follow(tool, glob, 0, tail_show_line, &tail);
}
