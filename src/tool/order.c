#include "tool/order.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "tool/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_LEN 64

/* Longest line that is printed of a message. */
#define SHOWN_LEN 4096

/*
 * reload
 */

int
order_check(const struct tool *tool)
{
	int ways = tool->immediate + (tool->spread_us > 0) + tool->no_reload;

	if (ways > 1)
		return tool_complain("--immediate, --spread and --no-reload "
				     "exclude each other");
	return STATUS_FINE;
}

/* Seconds, with a fraction only where there is one. */
static void
write_spread(char *to, int64_t us)
{
	size_t len = num_write_seconds(to, us);

	if (us % 1000000 == 0)
		len -= strlen(".000000");
	to[len] = '\0';
}

static void
write_reload(const struct tool *tool, char *to, size_t size)
{
	char spread[NUM_MAX_LEN + 1];

	if (tool->immediate) {
		snprintf(to, size, "reload:immediate");
	} else if (tool->spread_us > 0) {
		write_spread(spread, tool->spread_us);
		snprintf(to, size, "reload:spread:%s", spread);
	} else {
		snprintf(to, size, "reload");
	}
}

int
order_send_reload(const struct tool *tool, struct redis_client *client)
{
	char message[MESSAGE_LEN];
	long long listeners;

	write_reload(tool, message, sizeof(message));
	listeners = redis_client_order(client, message);
	if (listeners == -1)
		return STATUS_ERROR;
	printf("%s on %s, heard by %lld\n", message, client->options.channel,
	    listeners);
	return STATUS_FINE;
}

int
order_reload(struct tool *tool)
{
	struct redis_client client;
	int status;

	if (order_check(tool) != STATUS_FINE ||
	    redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	status = order_send_reload(tool, &client);
	redis_client_close(&client);
	return status;
}

/*
 * command
 */

/* "word:argument:argument", the caller's to free, or NULL: complained. */
static char *
join_words(const struct tool *tool)
{
	struct buf text = {0};
	int status = 0;

	if (*tool->words[0] == '\0' || *tool->words[0] == '_') {
		tool_complain("a command is a word that does not start with _");
		return NULL;
	}
	for (size_t i = 0; status == 0 && i < tool->word_count; i++)
		status =
		    buf_printf(&text, "%s%s", i > 0 ? ":" : "", tool->words[i]);
	if (status == 0 && buf_add(&text, "", 1) == 0)
		return text.bytes;
	buf_free(&text);
	tool_complain("out of memory");
	return NULL;
}

/* Print what is said on the channel that is listened to. */
static int
print_messages(const struct tool *tool, struct redis_client *listener)
{
	int64_t until_us = tool->timeout_us ? clock_us() + tool->timeout_us : 0;
	enum wait_result result;
	char shown[SHOWN_LEN];
	char *bytes;
	size_t len;

	interrupt_catch();
	for (;;) {
		if (redis_client_hear(
			listener, until_us, &result, &bytes, &len) == -1)
			return STATUS_ERROR;
		if (result != WAIT_READY)
			return STATUS_FINE;
		puts(log_escape(shown, sizeof(shown), bytes, len));
		free(bytes);
		/* Whoever reads along shall see it now. */
		if (fflush(stdout) == EOF)
			return STATUS_ERROR;
	}
}

static int
send_command(struct tool *tool, const char *message)
{
	struct redis_client client;
	long long listeners;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	listeners = redis_client_order(&client, message);
	redis_client_close(&client);
	if (listeners == -1)
		return STATUS_ERROR;
	if (!tool->listen)
		printf("heard by %lld\n", listeners);
	return STATUS_FINE;
}

/* Listen first, so that no answer is missed. */
static int
send_and_listen(struct tool *tool, const char *message)
{
	struct redis_client listener;
	int status = STATUS_ERROR;

	if (redis_client_open(&listener, tool) == -1)
		return STATUS_ERROR;
	if (redis_client_listen(&listener, tool->listen) == 0)
		status = send_command(tool, message);
	if (status == STATUS_FINE)
		status = print_messages(tool, &listener);
	redis_client_close(&listener);
	return status;
}

int
order_command(struct tool *tool)
{
	char *message;
	int status;

	if (tool->timeout_us && !tool->listen)
		return tool_complain("--timeout goes with --listen");
	message = join_words(tool);
	if (!message)
		return STATUS_ERROR;
	status = tool->listen ? send_and_listen(tool, message)
			      : send_command(tool, message);
	free(message);
	return status;
}
