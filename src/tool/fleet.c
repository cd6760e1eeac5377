/*
 * fleet: who runs which limits, by what each daemon says of itself in the hash
 * KEY:fleet (control/fleet.h).
 */
#include "base/log.h"
#include "base/num.h"
#include "redis/script.h"
#include "tool/commands.h"
#include "tool/json.h"
#include "tool/redis_client.h"
#include "tool/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Who was not seen for so long, in seconds, is gone; then forgotten. */
#define GONE_S      120
#define FORGOTTEN_S 3600

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

struct node {
	const char *name; /* the reply's */
	size_t name_len;
	char digest[DIGEST_LEN]; /* "-": runs limits that it kept */
	int64_t loaded_at, count, seen_at;
	enum member_state state;
};

struct fleet_view {
	struct node *items;
	size_t count;
	int64_t now;             /* seconds since 1970 */
	char digest[DIGEST_LEN]; /* of the key */
	bool has_strange;        /* a field was not read */
};

/* Read "DIGEST LOADED_AT COUNT SEEN_AT". */
static int
read_node(struct node *node, const char *text)
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

static enum member_state
state_of(const struct fleet_view *view, const struct node *node)
{
	if (view->now - node->seen_at > GONE_S)
		return MEMBER_GONE;
	if (strcmp(node->digest, "-") == 0)
		return MEMBER_KEPT;
	return strcmp(node->digest, view->digest) == 0 ? MEMBER_CURRENT
							 : MEMBER_LAGS;
}

/* Take down what the field ${name} holds, if it can be read.  Return whether
 * the field may stay: it is not too old. */
static bool
take_member(
    struct fleet_view *view, const redisReply *name, const redisReply *value)
{
	struct node *node = &view->items[view->count];

	*node =
	    (struct node){.name = name->str, .name_len = (size_t)name->len};
	if (read_node(node, value->str) == -1) {
		char shown[NAME_LEN];

		tool_complain("%s: is not what a daemon says of itself",
		    log_escape(
			shown, sizeof(shown), name->str, (size_t)name->len));
		view->has_strange = true;
		return true;
	}
	if (view->now - node->seen_at > FORGOTTEN_S)
		return false;
	node->state = state_of(view, node);
	view->count++;
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct node *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Remove the field of who was not seen for long. */
static int
forget(struct redis_client *client, const redisReply *name)
{
	redisReply *reply = redis_client_ask(client, "HDEL %s:fleet %b",
	    client->options.limits_key, name->str, (size_t)name->len);

	if (!reply)
		return -1;
	freeReplyObject(reply);
	return 0;
}

/* Fill in who there is.  The names are those of ${fields}. */
static int
read_nodes(struct fleet_view *view, struct redis_client *client,
    const redisReply *fields)
{
	view->items = calloc(fields->elements / 2 + 1, sizeof(*view->items));
	if (!view->items) {
		tool_complain("out of memory");
		return -1;
	}
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (!take_member(
			view, fields->element[i], fields->element[i + 1]) &&
		    forget(client, fields->element[i]) == -1)
			return -1;
	if (view->count > 0)
		qsort(view->items, view->count, sizeof(*view->items), compare);
	return 0;
}

/* The digest of the key, by the script that the daemons use. */
static int
read_digest(struct fleet_view *view, struct redis_client *client)
{
	redisReply *reply = redis_client_ask(client, "EVAL %s 1 %s %s %d %lld",
	    script_text(SCRIPT_LIMITS), client->options.limits_key, "",
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
write_age(char *to, size_t size, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	/* Two of a unit tell more than one of a larger one. */
	while (i + 1 < COUNT(units) && seconds < 2 * units[i].seconds)
		i++;
	snprintf(to, size, "%lld%c", (long long)(seconds / units[i].seconds),
	    units[i].unit);
}

static void
show_member(struct table *table, const struct fleet_view *view, size_t i)
{
	const struct node *node = &view->items[i];
	char shown[NAME_LEN], loaded[24], seen[24];

	write_age(loaded, sizeof(loaded), view->now - node->loaded_at);
	write_age(seen, sizeof(seen), view->now - node->seen_at);
	table_add(table, "%s",
	    log_escape(shown, sizeof(shown), node->name, node->name_len));
	table_add(table, "%.*s", SHORT_DIGEST, node->digest);
	table_add(table, "%lld", (long long)node->count);
	table_add(table, "%s", loaded);
	table_add(table, "%s", seen);
	table_add(table, "%s", states[node->state].name);
	table_colour(table, states[node->state].colour);
}

static int
show_members(const struct tool *tool, const struct fleet_view *view)
{
	static const char *const headings[] = {
	    "NODE", "DIGEST", " LIMITS", " LOADED", " SEEN", "STATE"};
	struct table table = {.columns = COUNT(headings)};
	int status;

	if (view->count == 0) {
		puts("nobody");
		return 0;
	}
	for (size_t i = 0; i < COUNT(headings); i++)
		table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < view->count; i++)
		show_member(&table, view, i);
	status = table_print(&table, tool, 0, stdout);
	table_free(&table);
	return status;
}

static void
write_node(struct json *json, const struct node *node)
{
	json_open(json, NULL, '{');
	json_bytes(json, "node", node->name, node->name_len);
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
write_nodes(const struct fleet_view *view)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "digest", view->digest);
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < view->count; i++)
		write_node(&json, &view->items[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return 0;
}

static int
show(const struct tool *tool, const struct fleet_view *view)
{
	int status = STATUS_FINE;

	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].state == MEMBER_LAGS)
			status = STATUS_DIFFERENT;
	if ((tool->json ? write_nodes(view) : show_members(tool, view)) ==
		-1 ||
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
	fields = redis_client_ask(
	    &client, "HGETALL %s:fleet", client.options.limits_key);
	if (fields && read_digest(&view, &client) == 0 &&
	    read_nodes(&view, &client, fields) == 0)
		status = show(tool, &view);
	free(view.items);
	if (fields)
		freeReplyObject(fields);
	redis_client_close(&client);
	return status;
}
