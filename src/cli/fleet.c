/*
 * fleet: shows which daemon runs which limits, as each reports in the hash
 * KEY:fleet.  A field that cannot be read is an error, and is left alone.  The
 * heart is fleet_take_member().
 */
#include "base/log.h"
#include "cli/commands.h"
#include "control/fleet.h"
#include "control/fleet_member.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/limits_key.h"
#include "cli/redis_client.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_LEN     300
#define SHORT_DIGEST 8

static const enum colour state_colours[FLEET_STATE_COUNT] = {
    [FLEET_CURRENT] = COLOUR_GREEN,
    [FLEET_LAGS] = COLOUR_RED,
    [FLEET_KEPT] = COLOUR_YELLOW,
    [FLEET_GONE] = COLOUR_YELLOW,
};

struct fleet_node {
	struct fleet_member member; /* its name is the reply's */
	bool shared;                /* another daemon has this NODE */
	enum fleet_state state;
};

struct fleet_view {
	struct fleet_node *items;
	size_t count;
	int64_t now;                    /* seconds since 1970 */
	char digest[FLEET_DIGEST_SIZE]; /* of the key */
	bool has_strange;               /* a field was not read */
	struct history history;
	bool has_history;
};

/* Store the report in the field ${name}, if it can be read.  Return false if it
 * is so old that the field must be removed. */
static bool
fleet_take_member(
    struct fleet_view *view, const redisReply *name, const redisReply *value)
{
	struct fleet_node *node = &view->items[view->count];

	*node = (struct fleet_node){0};
	if (fleet_member_read(&node->member, name, value) == -1) {
		char shown[NAME_LEN];

		tool_error("%s: not a daemon's report",
		    log_escape(
			shown, sizeof(shown), name->str, (size_t)name->len));
		view->has_strange = true;
		return true;
	}
	if (view->now - node->member.seen_at > FLEET_FORGOTTEN_S)
		return false;
	node->state =
	    fleet_member_state(&node->member, view->digest, view->now);
	view->count++;
	return true;
}

static int
fleet_compare_nodes(
    const struct fleet_node *left, const struct fleet_node *right)
{
	size_t len = left->member.node_len < right->member.node_len
			 ? left->member.node_len
			 : right->member.node_len;
	int result = memcmp(left->member.name, right->member.name, len);

	if (result)
		return result;
	return (left->member.node_len > right->member.node_len) -
	       (left->member.node_len < right->member.node_len);
}

static int
fleet_compare(const void *a, const void *b)
{
	const struct fleet_node *left = a, *right = b;
	int result = fleet_compare_nodes(left, right);

	return result ? result : strcmp(left->member.name, right->member.name);
}

/* Find the daemons, sorted, that need their ids to be told apart. */
static void
fleet_find_shared(struct fleet_view *view)
{
	for (size_t i = 1; i < view->count; i++)
		if (fleet_compare_nodes(&view->items[i - 1], &view->items[i]) ==
		    0)
			view->items[i - 1].shared = view->items[i].shared =
			    true;
}

/* Remove the field of a daemon that is forgotten. */
static int
fleet_remove_node(struct redis_client *client, const redisReply *name)
{
	redisReply *reply = redis_client_call(client, "HDEL %s:fleet %b",
	    client->options.limits_key, name->str, (size_t)name->len);

	if (!reply)
		return -1;
	freeReplyObject(reply);
	return 0;
}

/* Fill in the daemons.  Their names point into ${fields}. */
static int
fleet_read_nodes(struct fleet_view *view, struct redis_client *client,
    const redisReply *fields)
{
	view->items = calloc(fields->elements / 2 + 1, sizeof(*view->items));
	if (!view->items) {
		tool_error("out of memory");
		return -1;
	}
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (!fleet_take_member(
			view, fields->element[i], fields->element[i + 1]) &&
		    fleet_remove_node(client, fields->element[i]) == -1)
			return -1;
	if (view->count > 0)
		qsort(view->items, view->count, sizeof(*view->items),
		    fleet_compare);
	fleet_find_shared(view);
	return 0;
}

/* The digest of the key, and the history.  What a user may not read, or another
 * program wrote, must not hide the fleet. */
static int
fleet_read_key(struct fleet_view *view, struct redis_client *client)
{
	struct limits_key key;

	if (limits_key_read(&key, client, "") == -1)
		return -1;
	snprintf(view->digest, sizeof(view->digest), "%s", key.digest);
	limits_key_free(&key);
	client->is_quiet = true;
	view->has_history = history_read(&view->history, client) == 0 &&
			    view->history.count > 0;
	client->is_quiet = false;
	return 0;
}

/* "5s", "3m", "2h", "4d" ago. */
static void
fleet_write_age(char *to, size_t size, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	/* Use the largest unit of which there are at least two. */
	while (i + 1 < COUNT(units) && seconds < 2 * units[i].seconds)
		i++;
	snprintf(to, size, "%lld%c", (long long)(seconds / units[i].seconds),
	    units[i].unit);
}

static void
fleet_show_number(
    struct table *table, const struct fleet_view *view, const char *digest)
{
	int64_t number = history_number_of(&view->history, digest);

	if (number > 0)
		table_add(table, "%lld", (long long)number);
	else
		table_add(table, "-");
}

static void
fleet_show_member(struct table *table, const struct fleet_view *view, size_t i)
{
	const struct fleet_node *node = &view->items[i];
	char loaded[24], seen[24];

	fleet_write_age(
	    loaded, sizeof(loaded), view->now - node->member.loaded_at);
	fleet_write_age(seen, sizeof(seen), view->now - node->member.seen_at);
	table_add_bytes(table, node->member.name,
	    node->shared ? node->member.name_len : node->member.node_len);
	table_add(table, "%.*s", SHORT_DIGEST, node->member.digest);
	if (view->has_history)
		fleet_show_number(table, view, node->member.digest);
	table_add(table, "%lld", (long long)node->member.count);
	table_add(table, "%s", loaded);
	table_add(table, "%s", seen);
	table_add(table, "%s", fleet_state_words[node->state]);
	table_colour(table, state_colours[node->state]);
}

static int
fleet_show_members(const struct tool *tool, const struct fleet_view *view)
{
	static const char *const headings[] = {"NODE", "DIGEST", " NUMBER",
	    " LIMITS", " LOADED", " SEEN", "STATE"};
	struct table table = {.columns = COUNT(headings) - !view->has_history};
	int status;

	if (view->count == 0) {
		puts("no daemons");
		return 0;
	}
	for (size_t i = 0; i < COUNT(headings); i++)
		if (view->has_history || strcmp(headings[i], " NUMBER") != 0)
			table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < view->count; i++)
		fleet_show_member(&table, view, i);
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status;
}

static void
fleet_write_number(
    struct json *json, const struct fleet_view *view, const char *digest)
{
	int64_t number = history_number_of(&view->history, digest);

	if (number > 0)
		json_int(json, "number", number);
	else
		json_raw(json, "number", "null");
}

static void
fleet_write_node(struct json *json, const struct fleet_view *view,
    const struct fleet_node *node)
{
	json_open(json, NULL, '{');
	json_bytes(json, "node", node->member.name, node->member.node_len);
	if (node->member.node_len < node->member.name_len)
		json_text(
		    json, "id", node->member.name + node->member.node_len + 1);
	else
		json_raw(json, "id", "null");
	if (strcmp(node->member.digest, "-") == 0)
		json_raw(json, "digest", "null");
	else
		json_text(json, "digest", node->member.digest);
	fleet_write_number(json, view, node->member.digest);
	json_int(json, "limits", node->member.count);
	json_int(json, "loaded_at", node->member.loaded_at);
	json_int(json, "seen_at", node->member.seen_at);
	json_text(json, "state", fleet_state_words[node->state]);
	json_close(json, '}');
}

static int
fleet_write_nodes(const struct fleet_view *view)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "digest", view->digest);
	fleet_write_number(&json, view, view->digest);
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < view->count; i++)
		fleet_write_node(&json, view, &view->items[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return 0;
}

static int
fleet_show_view(const struct tool *tool, const struct fleet_view *view)
{
	int status = STATUS_FINE;

	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].state == FLEET_LAGS)
			status = STATUS_DIFFERENT;
	if ((tool->json ? fleet_write_nodes(view)
			: fleet_show_members(tool, view)) == -1 ||
	    view->has_strange)
		return STATUS_ERROR;
	return status;
}

int
fleet_show(struct tool *tool)
{
	struct fleet_view view = {.now = (int64_t)time(NULL)};
	struct redis_client client;
	redisReply *fields;
	int status = STATUS_ERROR;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	fields = redis_client_call_texts(
	    &client, "HGETALL %s:fleet", client.options.limits_key);
	if (fields && fleet_read_key(&view, &client) == 0 &&
	    fleet_read_nodes(&view, &client, fields) == 0)
		status = fleet_show_view(tool, &view);
	free(view.items);
	history_free(&view.history);
	if (fields)
		freeReplyObject(fields);
	redis_client_close(&client);
	return status;
}
