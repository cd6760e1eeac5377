/*
 * A right is noted once for each user.  What a daemon must be allowed is noted
 * twice: as a right, and as the call that it is for, which can be tried out.
 * The heart is the tables of commands and the rights_add_...() that use them.
 */
#include "config/rights.h"

#include "base/buf.h"
#include "base/script.h"
#include "limit/algorithm.h"
#include "store/redis/field.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The users for settings that name none. */
#define DAEMON   "dripgate"
#define OPERATOR "operator"

/* The channels on which daemons respond to "dripgate nodes". */
#define PONG_CHANNELS "&dripgate-*"
#define PONG_CHANNEL  "dripgate-check"

/* Prefixes of key patterns, by what the user may do. */
#define READ  "%R~"
#define WRITE "%W~"
#define BOTH  "~"

/* What a command is called with. */
enum needed_of {
	OF_NOTHING,
	OF_OPTIONAL, /* it works without this one: it is not tried out */
	OF_LIBRARY,  /* a subcommand, and a text */
	OF_SCRIPT,   /* and its number of keys */
	OF_BUCKETS,
	OF_LIMITS,
	OF_OVERRIDES,
	OF_FLEET,
	OF_ERRORS,
	OF_CHANNEL,
	OF_ERRORS_CHANNEL,
	OF_PONGS,
	NEEDED_OF_COUNT
};

/* The names of these; NULL: not tried out. */
struct names {
	const char *of[NEEDED_OF_COUNT];
};

struct needed {
	const char *command; /* NULL behind the last */
	enum needed_of of;
};

/* The commands outside scripts that each user needs. */
static const struct needed of_buckets[] = {{"info", OF_OPTIONAL},
    {"ping", OF_OPTIONAL}, {"eval", OF_SCRIPT}, {"evalsha", OF_SCRIPT}, {0}};
static const struct needed of_cache[] = {{"subscribe", OF_OPTIONAL},
    {"publish", OF_OPTIONAL}, {"zscan", OF_BUCKETS}, {"hmget", OF_BUCKETS},
    {0}};
static const struct needed of_bucket_functions[] = {{"info", OF_OPTIONAL},
    {"ping", OF_OPTIONAL}, {"eval", OF_OPTIONAL}, {"fcall", OF_SCRIPT},
    {"function|load", OF_LIBRARY}, {0}};
static const struct needed of_control_functions[] = {{"ping", OF_OPTIONAL},
    {"eval_ro", OF_OPTIONAL}, {"fcall_ro", OF_SCRIPT},
    {"function|load", OF_LIBRARY}, {0}};
static const struct needed of_control[] = {{"ping", OF_OPTIONAL},
    {"eval_ro", OF_SCRIPT}, {"evalsha_ro", OF_SCRIPT}, {0}};
static const struct needed of_fleet[] = {{"hset", OF_FLEET}, {"hdel", OF_FLEET},
    {"hscan", OF_FLEET}, {"expire", OF_FLEET}, {"sadd", OF_ERRORS},
    {"srem", OF_ERRORS}, {"subscribe", OF_CHANNEL},
    {"publish", OF_ERRORS_CHANNEL}, {"publish", OF_PONGS}, {0}};
static const struct needed of_master[] = {{"ping", OF_OPTIONAL},
    {"zrange", OF_LIMITS}, {"hgetall", OF_OVERRIDES}, {"subscribe", OF_CHANNEL},
    {0}};
static const struct needed of_target[] = {{"ping", OF_OPTIONAL},
    {"watch", OF_LIMITS}, {"unwatch", OF_NOTHING}, {"zrange", OF_LIMITS},
    {"multi", OF_NOTHING}, {"zrem", OF_LIMITS}, {"zadd", OF_LIMITS},
    {"hgetall", OF_OVERRIDES}, {"del", OF_OPTIONAL}, {"hset", OF_OVERRIDES},
    {"publish", OF_CHANNEL}, {"exec", OF_NOTHING}, {0}};
static const struct needed of_planner[] = {{"get", OF_LIMITS},
    {"set", OF_LIMITS}, {"scan", OF_NOTHING}, {"hlen", OF_LIMITS},
    {"hscan", OF_LIMITS}, {0}};
static const struct needed of_operator[] = {{"eval", OF_SCRIPT},
    {"zrange", OF_LIMITS}, {"hgetall", OF_FLEET}, {"hdel", OF_FLEET},
    {"hmget", OF_LIMITS}, {"subscribe", OF_CHANNEL}, {"publish", OF_CHANNEL},
    {0}};

static struct rights_user *
rights_find_user(struct rights *rights, const char *server, const char *name)
{
	for (size_t i = 0; i < rights->count; i++)
		if (strcmp(rights->users[i].server, server) == 0 &&
		    strcmp(rights->users[i].name, name) == 0)
			return &rights->users[i];
	return NULL;
}

/* Find or add the user of that server.  There must be room for it. */
static struct rights_user *
rights_take_user(struct rights *rights, const struct link_options *link,
    const char *name, bool has_password)
{
	struct rights_user *user = &rights->users[rights->count];

	endpoint_name(&link->endpoint, user->server);
	if (rights_find_user(rights, user->server, name))
		return rights_find_user(rights, user->server, name);
	user->link = *link;
	user->name = name;
	user->has_password = has_password;
	rights->count++;
	return user;
}

/* The user of a daemon. */
static struct rights_user *
rights_take_daemon(struct rights *rights, const struct link_options *link)
{
	bool named = link->username && *link->username;

	return rights_take_user(rights, link, named ? link->username : DAEMON,
	    !named || *link->password || *link->password_file);
}

/* Add "${kind}${text}", unless the user has it. */
static void
rights_add(struct rights *rights, struct rights_user *user, const char *kind,
    const char *text)
{
	char *right = NULL;

	if (asprintf(&right, "%s%s", kind, text) == -1) {
		rights->failed = true;
		return;
	}
	for (size_t i = 0; i < user->count; i++) {
		if (strcmp(user->rights[i], right) == 0) {
			free(right);
			return;
		}
	}
	if (user->count < RIGHTS_MAX)
		user->rights[user->count++] = right;
	else
		free(right);
}

/* Add the keys or channels that start with ${text}, or equal it.  Redis allows
 * no blanks in a pattern: use "?" for them. */
static void
rights_add_names(struct rights *rights, struct rights_user *user,
    const char *kind, const char *text, const char *rest)
{
	struct buf pattern = {0};

	for (; *text; text++) {
		bool is_special = strchr("*?[]\\^", *text) != NULL;
		char shown = isspace((unsigned char)*text) ? '?' : *text;

		if (buf_printf(
			&pattern, "%s%c", is_special ? "\\" : "", shown) == -1)
			rights->failed = true;
	}
	if (buf_add(&pattern, rest, strlen(rest) + 1) == 0)
		rights_add(rights, user, kind, buf_data(&pattern));
	else
		rights->failed = true;
	buf_free(&pattern);
}

/* A copy of a word, the user's; NULL stays NULL. */
static const char *
rights_keep(struct rights *rights, struct rights_user *user, const char *word)
{
	char *copy = word ? strdup(word) : NULL;

	if (copy && user->word_count < RIGHTS_MAX)
		return user->words[user->word_count++] = copy;
	free(copy);
	rights->failed = rights->failed || word;
	return NULL;
}

/* Add a command with what it is called with. */
static void
rights_add_command(struct rights *rights, struct rights_user *user,
    const char *command, enum needed_of of, const struct names *names)
{
	struct server_call *call = &user->calls[user->call_count];

	rights_add(rights, user, "+", command);
	if (of == OF_OPTIONAL || (of > OF_SCRIPT && !names->of[of]) ||
	    user->call_count == RIGHTS_MAX)
		return;
	user->call_count++;
	if (of == OF_LIBRARY) {
		*call = (struct server_call){{"function", "load", "-"}};
		return;
	}
	call->words[0] = rights_keep(rights, user, command);
	call->words[1] =
	    of == OF_SCRIPT ? "-" : rights_keep(rights, user, names->of[of]);
	call->words[2] = of == OF_SCRIPT ? "0" : NULL;
}

static void
rights_add_commands(struct rights *rights, struct rights_user *user,
    const struct needed *needed, const struct names *names)
{
	for (; needed->command; needed++)
		rights_add_command(
		    rights, user, needed->command, needed->of, names);
}

static bool
rights_has(const struct rights_user *user, const char *command)
{
	for (size_t i = 0; i < user->count; i++)
		if (user->rights[i][0] == '+' &&
		    strcmp(user->rights[i] + 1, command) == 0)
			return true;
	return false;
}

/* Add those that a script calls: "call('HSET', ...", "try('HMGET', ...". */
static void
rights_add_script(struct rights *rights, struct rights_user *user,
    const struct script *script, enum needed_of of, const struct names *names)
{
	const char *at = script->text;

	while ((at = strstr(at, "('"))) {
		char name[40] = "";
		size_t len = 0;

		for (at += 2; isupper((unsigned char)*at); at++)
			if (len < sizeof(name) - 1)
				name[len++] = (char)tolower(*at);
		if (len > 0 && *at == '\'' && !rights_has(user, name))
			rights_add_command(rights, user, name,
			    strcmp(name, "time") == 0 ? OF_NOTHING : of, names);
	}
}

static void
rights_add_database(struct rights *rights, struct rights_user *user,
    const struct link_options *link)
{
	if (link->db != 0)
		rights_add(rights, user, "+", "select");
	if (link->sentinel.hosts && link->sentinel.cluster_key) {
		rights_add(rights, user, "+", "cluster|shards");
		rights_add(rights, user, "+", "cluster|slots");
	}
}

/* Responses of upstreams, below the same prefix. */
static void
rights_add_cache(struct rights *rights, struct rights_user *user,
    const struct config *config, const struct names *names)
{
	static const struct script *const scripts[] = {
	    &script_cache_touch, &script_cache_put, &script_cache_purge};
	bool is_used = false;

	for (size_t i = 0; i < config->upstream_count; i++)
		is_used |= config->upstreams[i].cache == UPSTREAM_CACHE_REDIS;
	if (!is_used)
		return;
	rights_add_names(
	    rights, user, "&", config->gate.redis.prefix, "cache:purge");
	rights_add_commands(rights, user, of_cache, names);
	for (size_t i = 0; i < COUNT(scripts); i++)
		rights_add_script(rights, user, scripts[i], OF_BUCKETS, names);
}

static void
rights_add_buckets(struct rights *rights, const struct config *config,
    const struct endpoint *endpoint)
{
	const struct shard_options *options = &config->gate.redis;
	struct link_options link = options->link;
	struct rights_user *user;
	char key[FIELD_PREFIX_MAX + 10];
	const struct names names = {{[OF_BUCKETS] = key}};

	link.endpoint = *endpoint;
	link.kind = LINK_TO_MASTER;
	snprintf(key, sizeof(key), "%scheck", options->prefix);
	user = rights_take_daemon(rights, &link);
	user->has_buckets = true;
	user->replicas = options->wait_replicas;
	rights_add_names(rights, user, BOTH, options->prefix, "*");
	rights_add_database(rights, user, &options->link);
	if (options->link.sentinel.cluster_key)
		rights_add(rights, user, "+", "asking");
	if (options->wait_replicas > 0)
		rights_add_command(rights, user, "wait", OF_NOTHING, &names);
	rights_add_commands(rights, user,
	    link.script == SCRIPT_FUNCTION ? of_bucket_functions : of_buckets,
	    &names);
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		rights_add_script(
		    rights, user, algorithm_at(i)->batch, OF_BUCKETS, &names);
		rights_add_script(
		    rights, user, algorithm_at(i)->sweep, OF_BUCKETS, &names);
	}
	rights_add_cache(rights, user, config, &names);
}

static void
rights_add_control(
    struct rights *rights, const struct subscriber_options *options)
{
	struct rights_user *user = rights_take_daemon(rights, &options->link);
	char fleet[300];
	const struct names names = {{
	    [OF_LIMITS] = options->limits_key,
	    [OF_FLEET] = fleet,
	    [OF_ERRORS] = options->errors_key,
	    [OF_CHANNEL] = options->channel,
	    [OF_ERRORS_CHANNEL] = options->errors_channel,
	    [OF_PONGS] = PONG_CHANNEL,
	}};

	snprintf(fleet, sizeof(fleet), "%s:fleet", options->limits_key);
	rights_add_names(rights, user, "&", options->channel, "");
	rights_add_names(rights, user, "&", options->errors_channel, "");
	rights_add(rights, user, PONG_CHANNELS, "");
	rights_add_names(rights, user, READ, options->limits_key, "");
	rights_add_names(rights, user, BOTH, options->limits_key, ":fleet");
	rights_add_names(rights, user, READ, options->limits_key, ":history");
	rights_add_names(rights, user, READ, options->limits_key, ":overrides");
	rights_add_names(rights, user, WRITE, options->errors_key, "");
	rights_add_database(rights, user, &options->link);
	rights_add_commands(rights, user,
	    options->link.script == SCRIPT_FUNCTION ? of_control_functions
						    : of_control,
	    &names);
	rights_add_commands(rights, user, of_fleet, &names);
	rights_add_script(rights, user, &script_limits, OF_LIMITS, &names);
}

static void
rights_add_operator(
    struct rights *rights, const struct subscriber_options *options)
{
	struct rights_user *user =
	    rights_take_user(rights, &options->link, OPERATOR, true);
	const struct names none = {{NULL}};

	user->is_operator = true;
	rights_add_names(rights, user, "&", options->channel, "");
	rights_add(rights, user, PONG_CHANNELS, "");
	rights_add_names(rights, user, BOTH, options->limits_key, "");
	rights_add_names(rights, user, BOTH, options->limits_key, ":fleet");
	rights_add_names(rights, user, BOTH, options->limits_key, ":history");
	rights_add_names(rights, user, BOTH, options->limits_key, ":overrides");
	rights_add_database(rights, user, &options->link);
	rights_add_commands(rights, user, of_operator, &none);
	rights_add_script(rights, user, &script_limits, OF_LIMITS, &none);
	rights_add_script(rights, user, &script_load, OF_LIMITS, &none);
	rights_add_script(rights, user, &script_override, OF_LIMITS, &none);
}

/* Who looks at the topology, and changes it, where there is one worth that. */
static void
rights_add_planner(struct rights *rights, const struct config *config,
    const struct endpoint *endpoint)
{
	struct link_options link = config->gate.redis.link;
	const struct names none = {{NULL}};
	struct rights_user *user;

	link.endpoint = *endpoint;
	user = rights_take_user(rights, &link, OPERATOR, true);
	user->is_operator = true;
	rights_add_names(rights, user, READ, config->gate.redis.prefix, "*");
	rights_add_names(rights, user, BOTH, config->topology_key, "");
	rights_add_database(rights, user, &link);
	rights_add_commands(rights, user, of_planner, &none);
}

static void
rights_add_distributor(
    struct rights *rights, const struct distributor_options *options)
{
	struct rights_user *user = rights_take_daemon(rights, &options->master);
	char overrides[300];
	const struct names names = {{
	    [OF_LIMITS] = options->limits_key,
	    [OF_OVERRIDES] = overrides,
	    [OF_CHANNEL] = options->channel,
	}};

	snprintf(
	    overrides, sizeof(overrides), "%s:overrides", options->limits_key);
	rights_add_names(rights, user, "&", options->channel, "");
	rights_add_names(rights, user, READ, options->limits_key, "");
	rights_add_names(rights, user, READ, options->limits_key, ":overrides");
	rights_add_database(rights, user, &options->master);
	rights_add_commands(rights, user, of_master, &names);
	for (size_t i = 0; i < options->target_count; i++) {
		const struct link_options *link = &options->targets[i].link;

		user = rights_take_daemon(rights, link);
		rights_add_names(rights, user, "&", options->channel, "");
		rights_add_names(rights, user, BOTH, options->limits_key, "");
		rights_add_names(
		    rights, user, BOTH, options->limits_key, ":overrides");
		rights_add_database(rights, user, link);
		rights_add_commands(rights, user, of_target, &names);
	}
}

static void
rights_add_all(struct rights *rights, const struct config *config)
{
	const struct subscriber_options control = config_subscriber(config);
	bool follows_redis = config->limits_source == LIMITS_REDIS;

	for (size_t i = 0; i < rights->topology.server_count; i++)
		rights_add_buckets(
		    rights, config, &rights->topology.servers[i]);
	if (follows_redis)
		rights_add_control(rights, &control);
	if (config->distributor.target_count > 0)
		rights_add_distributor(rights, &config->distributor);
	if (follows_redis)
		rights_add_operator(rights, &control);
	for (size_t i = 0; config->gate.redis.where.partitions > 1 &&
			   i < rights->topology.server_count;
	     i++)
		rights_add_planner(
		    rights, config, &rights->topology.servers[i]);
}

int
rights_open(struct rights *rights, const struct config *config)
{
	struct topology_options where = config->gate.redis.where;
	size_t most;

	*rights = (struct rights){0};
	where.endpoint = config->gate.redis.link.endpoint;
	if (config->gate.store == STORE_REDIS &&
	    topology_open(&rights->topology, &where) == -1)
		return -1;
	/* Those of control, operator, master; and one to look at. */
	most = 4 + 2 * rights->topology.server_count +
	       config->distributor.target_count;
	rights->users = calloc(most, sizeof(*rights->users));
	if (!rights->users)
		return -1;
	rights_add_all(rights, config);
	return rights->failed ? -1 : 0;
}

void
rights_close(struct rights *rights)
{
	for (size_t i = 0; i < rights->count; i++) {
		struct rights_user *user = &rights->users[i];

		for (size_t k = 0; k < user->count; k++)
			free(user->rights[k]);
		for (size_t k = 0; k < user->word_count; k++)
			free(user->words[k]);
	}
	free(rights->users);
	topology_close(&rights->topology);
	*rights = (struct rights){0};
}

const char *
rights_eval(const struct rights_user *user)
{
	if (rights_has(user, "eval"))
		return "EVAL";
	return rights_has(user, "eval_ro") ? "EVAL_RO" : NULL;
}
