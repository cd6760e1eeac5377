/*
 * topology: shows and changes what stands in Redis about the topology.  The
 * change is written to servers that are new first and to the first server of
 * before last, so that a daemon that follows finds it wherever it looks.  The
 * heart is topology_write_all().
 */
#include "cli/plan.h"

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/table.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a topology that is none. */
#define SHOWN_MAX 200

struct link_options
plan_link(
    const struct config *config, const struct plan_side *side, size_t place)
{
	struct link_options link = config->gate.redis.link;

	link.endpoint = side->topology.servers[place];
	if (topology_shares_hosts(side->where.kind))
		link.sentinel.hosts = NULL;
	if (link.socket_timeout_us < 5000000)
		link.socket_timeout_us = 5000000;
	return link;
}

static void
topology_close_side(struct plan_side *side)
{
	topology_close(&side->topology);
	topology_record_close(&side->record);
	free(side->text);
}

static int
topology_end(struct plan *plan, int status)
{
	topology_close_side(&plan->old);
	topology_close_side(&plan->new);
	for (size_t i = 0; i < plan->count; i++)
		free(plan->shares[i].limit);
	free(plan->shares);
	return status;
}

/* What ${text} makes of ${own}.  Return 0, or -1: the error was printed. */
static int
topology_open_side(struct plan_side *side, const char *text, size_t len,
    const struct topology_options *own)
{
	const char *reason = topology_record_read(&side->record, text, len);

	if (reason) {
		tool_error("topology \"%.*s\": %s",
		    len < SHOWN_MAX ? (int)len : SHOWN_MAX, text, reason);
		return -1;
	}
	side->where = topology_record_apply(&side->record, own, &side->first);
	side->text = topology_record_write(&side->where);
	if (side->text && topology_open(&side->topology, &side->where) == 0)
		return 0;
	tool_error("out of memory");
	return -1;
}

/* What stands at a server; "": nothing.  NULL: the error was printed. */
static char *
topology_read(struct tool *tool, const struct link_options *link)
{
	struct redis_client client;
	redisReply *reply;
	char *text = NULL;

	if (redis_client_open_link(&client, tool, link) == -1)
		return NULL;
	reply = redis_client_call(
	    &client, "GET %s", tool_config(tool)->topology_key);
	if (reply) {
		text =
		    strdup(reply->type == REDIS_REPLY_STRING ? reply->str : "");
		if (!text)
			tool_error("out of memory");
	}
	freeReplyObject(reply);
	redis_client_close(&client);
	return text;
}

/* On how many of its servers it stands: on a cluster, whichever is asked, on
 * the one that has the key. */
static size_t
topology_count_records(const struct plan_side *side)
{
	return topology_shares_hosts(side->where.kind)
		   ? side->topology.server_count
		   : 1;
}

/* What stands at each server of the settings. */
struct topology_texts {
	const struct plan_side *settings;
	size_t count;
	char **texts; /* as topology_read() */
};

static bool
topology_texts_name_tells(const char *name, const void *arg)
{
	const struct topology_texts *found = arg;
	const struct host_port *hosts = found->settings->topology.hosts;
	char each[HOST_PORT_NAME_MAX];

	for (size_t i = 0; i < found->count; i++) {
		host_port_name(&hosts[i], each);
		if (strcmp(name, each) == 0)
			return found->texts[i] && *found->texts[i];
	}
	return false;
}

/* Whether what stands at a server counts, and not what does at ${first}. */
static bool
topology_texts_leave_out(
    const struct topology_texts *found, size_t first, size_t server)
{
	const struct host_port *hosts = found->settings->topology.hosts;
	const char *text = found->texts[server];
	struct topology_record record;
	char first_name[HOST_PORT_NAME_MAX], name[HOST_PORT_NAME_MAX];
	bool result;

	if (topology_record_read(&record, text, strlen(text)))
		return false;
	host_port_name(&hosts[first], first_name);
	host_port_name(&hosts[server], name);
	result = topology_record_leaves_out(
	    &record, first_name, name, topology_texts_name_tells, found);
	topology_record_close(&record);
	return result;
}

/* Take the text that counts, as daemons see it; "": nothing stands anywhere.
 * NULL: none was read. */
static char *
topology_texts_take(const struct topology_texts *found)
{
	size_t place = found->count;
	char *text;

	for (size_t i = 0; i < found->count; i++)
		if (found->texts[i] &&
		    (place == found->count || !*found->texts[place] ||
			topology_texts_leave_out(found, place, i)))
			place = i;
	if (place == found->count)
		return NULL;
	text = found->texts[place];
	found->texts[place] = NULL;
	return text;
}

/* What stands in Redis; "": nothing.  NULL: the errors were printed. */
static char *
topology_find(struct tool *tool, const struct plan_side *settings)
{
	struct topology_texts found = {
	    settings, topology_count_records(settings), NULL};
	char *result;

	found.texts = calloc(found.count, sizeof(*found.texts));
	if (!found.texts) {
		tool_error("out of memory");
		return NULL;
	}
	for (size_t i = 0; i < found.count; i++) {
		struct link_options link =
		    plan_link(tool_config(tool), settings, i);

		found.texts[i] = topology_read(tool, &link);
	}
	result = topology_texts_take(&found);
	for (size_t i = 0; i < found.count; i++)
		free(found.texts[i]);
	free(found.texts);
	return result;
}

/* Use ${text}, found in Redis, as the topology if it is one, as daemons do.
 * Return 0, or -1: the error was printed. */
static int
topology_take_record(struct plan *plan,
    const struct topology_follower_options *settings, const char *text,
    bool *stands)
{
	struct topology_record record;
	const char *reason = topology_record_read(&record, text, strlen(text));

	if (reason) {
		tool_error("key '%s' is no topology, and daemons ignore it: %s",
		    settings->key, reason);
		return 0;
	}
	topology_record_close(&record);
	*stands = true;
	topology_close_side(&plan->old);
	plan->old = (struct plan_side){0};
	return topology_open_side(
	    &plan->old, text, strlen(text), &settings->where);
}

/* The topology in use: what stands in Redis, or else that of the settings.  Set
 * ${stands} to whether something does. */
static int
topology_open_old(struct plan *plan, struct tool *tool, bool *stands)
{
	const struct config *config = tool_config(tool);
	struct topology_follower_options settings;
	char *text, *own;
	int result;

	if (!config)
		return -1;
	if (config->gate.store != STORE_REDIS) {
		tool_error("these settings have no buckets in Redis");
		return -1;
	}
	settings = config_topology(config);
	own = topology_record_write(&settings.where);
	if (!own)
		tool_error("out of memory");
	result = own ? topology_open_side(
			   &plan->old, own, strlen(own), &settings.where)
		     : -1;
	free(own);
	*stands = false;
	if (result == -1)
		return -1;
	text = topology_find(tool, &plan->old);
	if (!text)
		return -1;
	if (*text)
		result = topology_take_record(plan, &settings, text, stands);
	free(text);
	return result;
}

/* The word of the command that begins so, or NULL. */
static const char *
topology_find_word(const struct tool *tool, const char *begin)
{
	for (size_t i = 0; i < tool->word_count; i++)
		if (strncmp(tool->words[i], begin, strlen(begin)) == 0)
			return tool->words[i];
	return NULL;
}

static int
topology_open_new(struct plan *plan, const struct tool *tool)
{
	const char *partitions = topology_find_word(tool, "partitions=");
	const char *hosts = topology_find_word(tool, "hosts=");
	const char *old_hosts = strstr(plan->old.text, "hosts=");
	char old_partitions[40];
	struct buf text = {0};
	int result = -1;

	if (!partitions + !hosts != (int)(2 - tool->word_count)) {
		tool_error("say partitions=N, hosts=HOST:PORT,..., or both");
		return -1;
	}
	snprintf(old_partitions, sizeof(old_partitions), "partitions=%u",
	    plan->old.topology.partitions.count);
	if (!hosts)
		hosts = old_hosts ? old_hosts : "";
	if (buf_printf(&text, "%s %s", partitions ? partitions : old_partitions,
		hosts) == -1)
		tool_error("out of memory");
	else
		result = topology_open_side(&plan->new, buf_data(&text),
		    buf_len(&text), &plan->old.where);
	buf_free(&text);
	return result;
}

static int
topology_prepare(struct plan *plan, struct tool *tool)
{
	bool stands;

	return topology_open_old(plan, tool, &stands) == 0
		   ? topology_open_new(plan, tool)
		   : -1;
}

/*
 * As JSON, a topology is an object of the words that stand in Redis.
 */

static void
topology_write_old(const struct plan *plan, bool stands)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	fields_write(&json, plan->old.text);
	json_raw(&json, "stands", stands ? "true" : "false");
	json_close(&json, '}');
	json_end(&json);
}

static void
topology_write_sides(struct json *json, const struct plan *plan)
{
	json_open(json, "from", '{');
	fields_write(json, plan->old.text);
	json_close(json, '}');
	json_open(json, "to", '{');
	fields_write(json, plan->new.text);
	json_close(json, '}');
}

/* What is lost. */
static void
topology_write_plan(const struct plan *plan)
{
	struct json json = {.to = stdout};
	long long buckets = 0, moved = 0;

	json_open(&json, NULL, '{');
	topology_write_sides(&json, plan);
	json_open(&json, "limits", '[');
	for (size_t i = 0; i < plan->count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "limit", plan->shares[i].limit);
		json_int(&json, "buckets", plan->shares[i].buckets);
		json_int(&json, "lost", plan->shares[i].moved);
		json_close(&json, '}');
		buckets += plan->shares[i].buckets;
		moved += plan->shares[i].moved;
	}
	json_close(&json, ']');
	json_int(&json, "buckets", buckets);
	json_int(&json, "lost", moved);
	json_close(&json, '}');
	json_end(&json);
}

int
topology_show(struct tool *tool)
{
	struct plan plan = {0};
	bool stands;

	if (topology_open_old(&plan, tool, &stands) == -1)
		return topology_end(&plan, STATUS_ERROR);
	if (tool->json)
		topology_write_old(&plan, stands);
	else
		text_line("%s%s", plan.old.text,
		    stands ? ""
			   : " (of the settings: no topology stands in Redis)");
	return topology_end(&plan, STATUS_FINE);
}

static int
topology_print(const struct plan *plan, const struct tool *tool)
{
	struct table table = {.columns = 3};
	long long buckets = 0, moved = 0;
	int result = 0;

	if (tool->json) {
		topology_write_plan(plan);
		return STATUS_FINE;
	}
	table_add(&table, "LIMIT");
	table_add(&table, " BUCKETS");
	table_add(&table, " LOST");
	for (size_t i = 0; i < plan->count; i++) {
		table_add(&table, "%s", plan->shares[i].limit);
		table_add(&table, "%lld", plan->shares[i].buckets);
		table_add(&table, "%lld", plan->shares[i].moved);
		buckets += plan->shares[i].buckets;
		moved += plan->shares[i].moved;
	}
	text_line("from %s", plan->old.text);
	text_line("to   %s", plan->new.text);
	if (plan->count > 0)
		result =
		    table_print(&table, tool, (struct table_room){0}, stdout);
	text_line("%lld of %lld buckets move and are lost", moved, buckets);
	if (plan->hides_keys &&
	    plan->old.where.partitions != plan->new.where.partitions)
		text_line("keys are hidden, so all count as lost: it is not "
			  "known which stay");
	table_free(&table);
	return result == 0 ? STATUS_FINE : STATUS_ERROR;
}

int
topology_plan(struct tool *tool)
{
	struct plan plan = {0};

	if (topology_prepare(&plan, tool) == -1 ||
	    plan_count(&plan, tool) == -1)
		return topology_end(&plan, STATUS_ERROR);
	return topology_end(&plan, topology_print(&plan, tool));
}

static int
topology_write(struct tool *tool, const struct plan *plan,
    const struct plan_side *side, size_t place)
{
	const struct config *config = tool_config(tool);
	struct link_options link = plan_link(config, side, place);
	struct redis_client client;
	int result;

	if (redis_client_open_link(&client, tool, &link) == -1)
		return -1;
	result = redis_client_run(
	    &client, "SET %s %s", config->topology_key, plan->new.text);
	redis_client_close(&client);
	return result;
}

/* Whether a side has the server, which may be called in another way. */
static bool
topology_has(const struct plan_side *side, const struct endpoint *server)
{
	char name[ENDPOINT_NAME_MAX], each[ENDPOINT_NAME_MAX];

	endpoint_name(server, name);
	for (size_t i = 0; i < side->topology.server_count; i++) {
		endpoint_name(&side->topology.servers[i], each);
		if (strcasecmp(name, each) == 0)
			return true;
	}
	return false;
}

/* A server that goes need not reply. */
static int
topology_write_all(struct tool *tool, const struct plan *plan)
{
	const struct topology *new = &plan->new.topology;
	const struct topology *old = &plan->old.topology;

	for (size_t i = 0; i < topology_count_records(&plan->new); i++)
		if (!topology_has(&plan->old, &new->servers[i]) &&
		    topology_write(tool, plan, &plan->new, i) == -1)
			return -1;
	for (size_t i = topology_count_records(&plan->old); i-- > 0;)
		if (topology_write(tool, plan, &plan->old, i) == -1 &&
		    topology_has(&plan->new, &old->servers[i]))
			return -1;
	return 0;
}

static void
topology_show_change(const struct plan *plan, const struct tool *tool)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		text_line("from %s", plan->old.text);
		text_line("to   %s", plan->new.text);
		return;
	}
	json_open(&json, NULL, '{');
	topology_write_sides(&json, plan);
	json_close(&json, '}');
	json_end(&json);
}

int
topology_set(struct tool *tool)
{
	struct plan plan = {0};

	if (topology_prepare(&plan, tool) == -1 ||
	    topology_write_all(tool, &plan) == -1)
		return topology_end(&plan, STATUS_ERROR);
	topology_show_change(&plan, tool);
	return topology_end(&plan, STATUS_FINE);
}
