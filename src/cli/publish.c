/*
 * publish: the commands that publish a message on the control channel.  A
 * message is one line: from the options, or from the user's words.  The heart
 * is redis_client_publish(), in redis_client.c.
 */
#include "cli/publish.h"

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * reload
 */

int
publish_check_options(const struct tool *tool)
{
	int ways = tool->immediate + (tool->spread_us > 0) + tool->no_reload;

	if (ways > 1)
		return tool_error("--immediate, --spread and --no-reload "
				  "exclude each other");
	return STATUS_FINE;
}

/* The message of the reload that the options ask for. */
static struct notice
publish_notice(const struct tool *tool)
{
	if (tool->immediate)
		return (struct notice){.text = "reload:immediate"};
	return notice_plain(tool->spread_us);
}

int
publish_reload_message(const struct tool *tool, struct redis_client *client,
    struct published *published)
{
	published->notice = publish_notice(tool);
	published->channel = client->options.channel;
	published->listeners =
	    redis_client_publish(client, published->notice.text);
	return published->listeners == -1 ? -1 : 0;
}

void
publish_print(const struct published *published)
{
	text_line("%s on %s, heard by %lld%s", published->notice.text,
	    published->channel, published->listeners,
	    published->listeners > 0 ? "" : ": no daemon follows this channel");
}

static void
publish_write_message(struct json *json, const char *name, const char *message,
    const char *channel, long long listeners)
{
	json_open(json, name, '{');
	json_text(json, "message", message);
	json_text(json, "channel", channel);
	json_int(json, "heard_by", listeners);
	json_close(json, '}');
}

void
publish_write(
    struct json *json, const char *name, const struct published *published)
{
	publish_write_message(json, name, published->notice.text,
	    published->channel, published->listeners);
}

static void
publish_show(const struct tool *tool, const struct published *published)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		publish_print(published);
		return;
	}
	publish_write(&json, NULL, published);
	json_end(&json);
}

int
publish_reload(struct tool *tool)
{
	struct redis_client client;
	struct published published;
	int status = STATUS_ERROR;

	if (publish_check_options(tool) != STATUS_FINE ||
	    redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	if (publish_reload_message(tool, &client, &published) == 0) {
		publish_show(tool, &published);
		status = STATUS_FINE;
	}
	redis_client_close(&client);
	return status;
}

/*
 * command
 */

/* "word:argument:argument", the caller's to free, or NULL: the error was
 * printed. */
static char *
publish_join_words(const struct tool *tool)
{
	struct buf text = {0};
	int status = 0;

	if (*tool->words[0] == '\0' || *tool->words[0] == '_') {
		tool_error("a command is a word that does not start with _");
		return NULL;
	}
	for (size_t i = 0; status == 0 && i < tool->word_count; i++)
		status =
		    buf_printf(&text, "%s%s", i > 0 ? ":" : "", tool->words[i]);
	if (status == 0 && buf_add(&text, "", 1) == 0)
		return text.bytes;
	buf_free(&text);
	tool_error("out of memory");
	return NULL;
}

static void
publish_show_message(const struct tool *tool, const char *bytes, size_t len)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		text_write(stdout, bytes, len);
		putchar('\n');
		return;
	}
	json_open(&json, NULL, '{');
	json_bytes(&json, "message", bytes, len);
	json_close(&json, '}');
	json_end(&json);
}

/* Print the messages on the channel that --listen names. */
static int
publish_print_messages(const struct tool *tool, struct redis_client *listener)
{
	int64_t until_us = tool->timeout_us ? clock_us() + tool->timeout_us : 0;
	enum wait_result result;
	char *bytes;
	size_t len;

	interrupt_catch();
	for (;;) {
		if (redis_client_receive(
			listener, until_us, &result, &bytes, &len) == -1)
			return STATUS_ERROR;
		if (result != WAIT_READY)
			return STATUS_FINE;
		publish_show_message(tool, bytes, len);
		free(bytes);
		/* Whatever reads the output must see it now. */
		if (fflush(stdout) == EOF)
			return STATUS_ERROR;
	}
}

static void
publish_show_command(const struct tool *tool, const char *message,
    const char *channel, long long listeners)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		printf("heard by %lld\n", listeners);
		return;
	}
	publish_write_message(&json, NULL, message, channel, listeners);
	json_end(&json);
}

static int
publish_send_command(struct tool *tool, const char *message)
{
	struct redis_client client;
	long long listeners;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	listeners = redis_client_publish(&client, message);
	if (listeners != -1 && !tool->listen)
		publish_show_command(
		    tool, message, client.options.channel, listeners);
	redis_client_close(&client);
	return listeners == -1 ? STATUS_ERROR : STATUS_FINE;
}

/* Subscribe first, so that no response is missed. */
static int
publish_send_and_listen(struct tool *tool, const char *message)
{
	struct redis_client listener;
	int status = STATUS_ERROR;

	if (redis_client_open(&listener, tool) == -1)
		return STATUS_ERROR;
	if (redis_client_subscribe(&listener, tool->listen) == 0)
		status = publish_send_command(tool, message);
	if (status == STATUS_FINE)
		status = publish_print_messages(tool, &listener);
	redis_client_close(&listener);
	return status;
}

int
publish_command(struct tool *tool)
{
	char *message;
	int status;

	message = publish_join_words(tool);
	if (!message)
		return STATUS_ERROR;
	status = tool->listen ? publish_send_and_listen(tool, message)
			      : publish_send_command(tool, message);
	free(message);
	return status;
}
