/*
 * nodes: pings on the control channel, and gathers the pongs on a channel of
 * its own.  It subscribes before it pings, so that no pong is missed.  The
 * heart is nodes_gather().
 */
#include "base/clock.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/redis_client.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_LEN 48

/* Wait this long for responses, if it was not said. */
#define WAIT_US INT64_C(1000000)

struct node {
	char *name;       /* "": it has none */
	unsigned daemons; /* that have this name */
	int64_t after_us; /* of the first pong */
};

struct nodes {
	struct node *items;
	size_t count;
};

/* The name in "pong[:NODE]", or NULL if it is something else. */
static const char *
nodes_name_in(const char *pong)
{
	if (strcmp(pong, "pong") == 0)
		return "";
	return strncmp(pong, "pong:", 5) == 0 ? pong + 5 : NULL;
}

static int
nodes_add_pong(struct nodes *nodes, const char *name, int64_t after_us)
{
	struct node *items;
	char *copy;

	for (size_t i = 0; i < nodes->count; i++)
		if (strcmp(nodes->items[i].name, name) == 0) {
			nodes->items[i].daemons++;
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
nodes_compare(const void *a, const void *b)
{
	const struct node *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Gather the pongs that come within the wait. */
static int
nodes_gather(
    const struct tool *tool, struct redis_client *listener, struct nodes *nodes)
{
	int64_t wait_us = tool->wait_us > 0 ? tool->wait_us : WAIT_US;
	int64_t start_us = clock_us();
	enum wait_result result;
	char *bytes;
	size_t len;

	for (;;) {
		const char *name;
		int status = 0;

		if (redis_client_receive(listener, start_us + wait_us, &result,
			&bytes, &len) == -1)
			return -1;
		if (result != WAIT_READY)
			return 0;
		name = nodes_name_in(bytes);
		if (name)
			status =
			    nodes_add_pong(nodes, name, clock_us() - start_us);
		free(bytes);
		if (status == -1) {
			tool_error("out of memory");
			return -1;
		}
	}
}

static int
nodes_ping(struct tool *tool, const char *channel)
{
	struct redis_client client;
	char message[CHANNEL_LEN + 8];
	long long listeners;

	if (redis_client_open(&client, tool) == -1)
		return -1;
	snprintf(message, sizeof(message), "ping:%s", channel);
	listeners = redis_client_publish(&client, message);
	redis_client_close(&client);
	return listeners == -1 ? -1 : 0;
}

static int
nodes_ping_all(struct tool *tool, struct nodes *nodes)
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
	if (redis_client_subscribe(&listener, channel) == 0 &&
	    nodes_ping(tool, channel) == 0)
		status = nodes_gather(tool, &listener, nodes);
	redis_client_close(&listener);
	return status;
}

static int
nodes_show_nodes(const struct tool *tool, const struct nodes *nodes)
{
	struct table table = {.columns = 3};
	int status;

	table_add(&table, "NODE");
	table_add(&table, " DAEMONS");
	table_add(&table, " AFTER");
	for (size_t i = 0; i < nodes->count; i++) {
		const struct node *node = &nodes->items[i];

		table_add(&table, "%s", *node->name ? node->name : "-");
		table_add(&table, "%u", node->daemons);
		table_add(&table, "%.1fms", (double)node->after_us / 1000);
	}
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status;
}

static int
nodes_write_nodes(const struct nodes *nodes)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < nodes->count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "node", nodes->items[i].name);
		json_int(&json, "daemons", nodes->items[i].daemons);
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
nodes_show(struct tool *tool)
{
	struct nodes nodes = {0};
	int status = nodes_ping_all(tool, &nodes);

	if (status == 0 && nodes.count > 0)
		qsort(nodes.items, nodes.count, sizeof(*nodes.items),
		    nodes_compare);
	if (status == 0 && (tool->json || nodes.count > 0))
		status = tool->json ? nodes_write_nodes(&nodes)
				    : nodes_show_nodes(tool, &nodes);
	else if (status == 0)
		puts("no daemon responds");
	nodes_free(&nodes);
	return status == -1       ? STATUS_ERROR
	       : nodes.count == 0 ? STATUS_DIFFERENT
				  : STATUS_FINE;
}
