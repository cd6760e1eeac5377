/*
 * nodes: a ping on the control channel, with a channel for the answers that
 * nobody else listens to.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "tool/commands.h"
#include "tool/json.h"
#include "tool/redis_client.h"
#include "tool/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_LEN 48

/* Longest name that is shown. */
#define NAME_LEN 300

struct node {
	char *name;       /* "": it has none */
	unsigned answers; /* so many daemons have this name */
	int64_t after_us; /* of the first answer */
};

struct nodes {
	struct node *items;
	size_t count;
};

/* The name in "pong[:NODE]", or NULL if it is something else. */
static const char *
name_in(const char *answer)
{
	if (strcmp(answer, "pong") == 0)
		return "";
	return strncmp(answer, "pong:", 5) == 0 ? answer + 5 : NULL;
}

static int
add_answer(struct nodes *nodes, const char *name, int64_t after_us)
{
	struct node *items;
	char *copy;

	for (size_t i = 0; i < nodes->count; i++)
		if (strcmp(nodes->items[i].name, name) == 0) {
			nodes->items[i].answers++;
			return 0;
		}
	items =
	    reallocarray(nodes->items, nodes->count + 1, sizeof(*nodes->items));
	if (!items)
		return -1;
	nodes->items = items;
	copy = strdup(name);
	if (!copy)
		return -1;
	items[nodes->count++] = (struct node){copy, 1, after_us};
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct node *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Gather what is answered within the wait. */
static int
gather(
    const struct tool *tool, struct redis_client *listener, struct nodes *nodes)
{
	int64_t start_us = clock_us();
	enum wait_result result;
	char *bytes;
	size_t len;

	for (;;) {
		const char *name;
		int status = 0;

		if (redis_client_hear(listener, start_us + tool->wait_us,
			&result, &bytes, &len) == -1)
			return -1;
		if (result != WAIT_READY)
			return 0;
		name = name_in(bytes);
		if (name)
			status = add_answer(nodes, name, clock_us() - start_us);
		free(bytes);
		if (status == -1) {
			tool_complain("out of memory");
			return -1;
		}
	}
}

static int
ping(struct tool *tool, const char *channel)
{
	struct redis_client client;
	char message[CHANNEL_LEN + 8];
	long long listeners;

	if (redis_client_open(&client, tool) == -1)
		return -1;
	snprintf(message, sizeof(message), "ping:%s", channel);
	listeners = redis_client_order(&client, message);
	redis_client_close(&client);
	return listeners == -1 ? -1 : 0;
}

static int
ask_all(struct tool *tool, struct nodes *nodes)
{
	struct redis_client listener;
	char channel[CHANNEL_LEN];
	uint64_t number;
	int status = -1;

	if (redis_client_open(&listener, tool) == -1)
		return -1;
	random_fill(&number, sizeof(number));
	snprintf(channel, sizeof(channel), "dripgate-%016llx",
	    (unsigned long long)number);
	if (redis_client_listen(&listener, channel) == 0 &&
	    ping(tool, channel) == 0)
		status = gather(tool, &listener, nodes);
	redis_client_close(&listener);
	return status;
}

static int
show_nodes(const struct tool *tool, const struct nodes *nodes)
{
	struct table table = {.columns = 3};
	char shown[NAME_LEN];
	int status;

	table_add(&table, "NODE");
	table_add(&table, " DAEMONS");
	table_add(&table, " AFTER");
	for (size_t i = 0; i < nodes->count; i++) {
		const struct node *node = &nodes->items[i];

		table_add(&table, "%s",
		    *node->name ? log_escape(shown, sizeof(shown), node->name,
				      strlen(node->name))
				: "-");
		table_add(&table, "%u", node->answers);
		table_add(&table, "%.1fms", (double)node->after_us / 1000);
	}
	status = table_print(&table, tool, 0, stdout);
	table_free(&table);
	return status;
}

static int
write_nodes(const struct nodes *nodes)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < nodes->count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "node", nodes->items[i].name);
		json_int(&json, "daemons", nodes->items[i].answers);
		json_int(&json, "after_us", nodes->items[i].after_us);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
	return 0;
}

static void
nodes_free(struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		free(nodes->items[i].name);
	free(nodes->items);
}

int
order_nodes(struct tool *tool)
{
	struct nodes nodes = {0};
	int status = ask_all(tool, &nodes);

	if (status == 0 && nodes.count > 0)
		qsort(nodes.items, nodes.count, sizeof(*nodes.items), compare);
	if (status == 0 && (tool->json || nodes.count > 0))
		status =
		    tool->json ? write_nodes(&nodes) : show_nodes(tool, &nodes);
	else if (status == 0)
		puts("nobody answers");
	nodes_free(&nodes);
	return status == -1	  ? STATUS_ERROR
	       : nodes.count == 0 ? STATUS_DIFFERENT
				  : STATUS_FINE;
}
