/*
 * fleet: shows which daemon runs which limits, as each reports in the hash
 * KEY:fleet.  A field that cannot be read is an error, and is left alone.  The
 * heart is fleet_take_member().
 */
#include "base/log.h"
#include "base/num.h"
#include "base/script.h"
#include "cli/commands.h"
#include "control/fleet.h"
#include "control/node_id.h"
#include "cli/json.h"
#include "cli/redis_client.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A daemon not seen for this many seconds is gone, and later forgotten. */
#define GONE_S      120
#define FORGOTTEN_S FLEET_FORGOTTEN_S

#define DIGEST_LEN   48
#define SHORT_DIGEST 8
#define NAME_LEN     300

enum member_state { MEMBER_CURRENT, MEMBER_LAGS, MEMBER_KEPT, MEMBER_GONE };

static const struct {
	const char *name;
	enum colour colour;
} states[] = {
    [MEMBER_CURRENT] = {"current", COLOUR_GREEN},
    [MEMBER_LAGS] = {"lags", COLOUR_RED},
    [MEMBER_KEPT] = {"kept", COLOUR_YELLOW},
    [MEMBER_GONE] = {"gone", COLOUR_YELLOW},
};

struct fleet_node {
	const char *name; /* "NODE#ID", the reply's */
	size_t name_len;
	size_t node_len; /* of NODE; ID is there if it is less than the name */
	bool shared;     /* another daemon has this NODE */
	char digest[DIGEST_LEN]; /* "-": runs limits that it saved */
	int64_t loaded_at, count, seen_at;
	enum member_state state;
};

struct fleet_view {
	struct fleet_node *items;
	size_t count;
	int64_t now;             /* seconds since 1970 */
	char digest[DIGEST_LEN]; /* of the key */
	bool has_strange;        /* a field was not read */
};

/* Read "DIGEST LOADED_AT COUNT SEEN_AT". */
static int
fleet_read_node(struct fleet_node *node, const char *text)
{
	const char *word = text + strcspn(text, " ");
	int64_t *const numbers[] = {
	    &node->loaded_at, &node->count, &node->seen_at};

	if (word == text || (size_t)(word - text) >= DIGEST_LEN)
		return -1;
	memcpy(node->digest, text, (size_t)(word - text));
	for (size_t i = 0; i < COUNT(numbers); i++) {
		size_t len;

		word += *word == ' ';
		len = strcspn(word, " ");
		if (num_read_int(word, len, 0, INT64_MAX / 2, numbers[i]) == -1)
			return -1;
		word += len;
	}
	return *word == '\0' ? 0 : -1;
}

/* The length of NODE in "NODE#ID". */
static size_t
fleet_node_len(const char *name, size_t len)
{
	const size_t id_len = NODE_ID_LEN + 1;

	if (len <= id_len || name[len - id_len] != '#' ||
	    strspn(name + len - NODE_ID_LEN, "0123456789abcdef") < NODE_ID_LEN)
		return len;
	return len - id_len;
}

static enum member_state
fleet_state_of(const struct fleet_view *view, const struct fleet_node *node)
{
	if (view->now - node->seen_at > GONE_S)
		return MEMBER_GONE;
	if (strcmp(node->digest, "-") == 0)
		return MEMBER_KEPT;
	return strcmp(node->digest, view->digest) == 0 ? MEMBER_CURRENT
						       : MEMBER_LAGS;
}

/* Store the report in the field ${name}, if it can be read.  Return false if it
 * is so old that the field must be removed. */
static bool
fleet_take_member(
    struct fleet_view *view, const redisReply *name, const redisReply *value)
{
	struct fleet_node *node = &view->items[view->count];

	*node = (struct fleet_node){.name = name->str,
	    .name_len = (size_t)name->len,
	    .node_len = fleet_node_len(name->str, (size_t)name->len)};
	if (fleet_read_node(node, value->str) == -1) {
		char shown[NAME_LEN];

		tool_error("%s: not a daemon's report",
		    log_escape(
			shown, sizeof(shown), name->str, (size_t)name->len));
		view->has_strange = true;
		return true;
	}
	if (view->now - node->seen_at > FORGOTTEN_S)
		return false;
	node->state = fleet_state_of(view, node);
	view->count++;
	return true;
}

static int
fleet_compare_nodes(
    const struct fleet_node *left, const struct fleet_node *right)
{
	size_t len =
	    left->node_len < right->node_len ? left->node_len : right->node_len;
	int result = memcmp(left->name, right->name, len);

	if (result)
		return result;
	return (left->node_len > right->node_len) -
	       (left->node_len < right->node_len);
}

static int
fleet_compare(const void *a, const void *b)
{
	const struct fleet_node *left = a, *right = b;
	int result = fleet_compare_nodes(left, right);

	return result ? result : strcmp(left->name, right->name);
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

/* The digest of the key, by the script that the daemons use. */
static int
fleet_read_digest(struct fleet_view *view, struct redis_client *client)
{
	redisReply *reply =
	    redis_client_call_texts(client, "EVAL %s 1 %s %s %d %lld",
		script_limits.text, client->options.limits_key, "",
		SUBSCRIBER_LIMITS_MAX, (long long)SUBSCRIBER_BYTES_MAX);

	if (!reply)
		return -1;
	if (reply->elements > 0)
		snprintf(view->digest, sizeof(view->digest), "%s",
		    reply->element[0]->str);
	freeReplyObject(reply);
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
fleet_show_member(struct table *table, const struct fleet_view *view, size_t i)
{
	const struct fleet_node *node = &view->items[i];
	char loaded[24], seen[24];

	fleet_write_age(loaded, sizeof(loaded), view->now - node->loaded_at);
	fleet_write_age(seen, sizeof(seen), view->now - node->seen_at);
	table_add_bytes(
	    table, node->name, node->shared ? node->name_len : node->node_len);
	table_add(table, "%.*s", SHORT_DIGEST, node->digest);
	table_add(table, "%lld", (long long)node->count);
	table_add(table, "%s", loaded);
	table_add(table, "%s", seen);
	table_add(table, "%s", states[node->state].name);
	table_colour(table, states[node->state].colour);
}

static int
fleet_show_members(const struct tool *tool, const struct fleet_view *view)
{
	static const char *const headings[] = {
	    "NODE", "DIGEST", " LIMITS", " LOADED", " SEEN", "STATE"};
	struct table table = {.columns = COUNT(headings)};
	int status;

	if (view->count == 0) {
		puts("no daemons");
		return 0;
	}
	for (size_t i = 0; i < COUNT(headings); i++)
		table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < view->count; i++)
		fleet_show_member(&table, view, i);
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status;
}

static void
fleet_write_node(struct json *json, const struct fleet_node *node)
{
	json_open(json, NULL, '{');
	json_bytes(json, "node", node->name, node->node_len);
	if (node->node_len < node->name_len)
		json_text(json, "id", node->name + node->node_len + 1);
	else
		json_raw(json, "id", "null");
	if (strcmp(node->digest, "-") == 0)
		json_raw(json, "digest", "null");
	else
		json_text(json, "digest", node->digest);
	json_int(json, "limits", node->count);
	json_int(json, "loaded_at", node->loaded_at);
	json_int(json, "seen_at", node->seen_at);
	json_text(json, "state", states[node->state].name);
	json_close(json, '}');
}

static int
fleet_write_nodes(const struct fleet_view *view)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "digest", view->digest);
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < view->count; i++)
		fleet_write_node(&json, &view->items[i]);
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
		if (view->items[i].state == MEMBER_LAGS)
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
	if (fields && fleet_read_digest(&view, &client) == 0 &&
	    fleet_read_nodes(&view, &client, fields) == 0)
		status = fleet_show_view(tool, &view);
	free(view.items);
	if (fields)
		freeReplyObject(fields);
	redis_client_close(&client);
	return status;
}
