/*
 * redis_client_open: connects to the server of [control], by way of sentinels
 * if it has some, and logs in.  A client that could not be opened is closed.
 * The heart is redis_client_connect(), and redis_client_ask_sentinel().
 */
#include "cli/redis_client.h"

#include "base/host_port.h"
#include "redis/cluster_map.h"
#include "redis/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static struct timeval
redis_client_timeval_of(int64_t us)
{
	return (struct timeval){
	    .tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void
redis_client_print_reason(const char *reason, void *arg)
{
	(void)arg;
	tool_error("%s", reason);
}

/* Encrypt the connection from now on, if it has TLS. */
static int
redis_client_start_tls(struct redis_client *client)
{
	const struct link_options *link = &client->options.link;
	const char *unix_path = link->endpoint.unix_socket_path;
	struct reasons reasons = {0};

	if (!link->tls.on)
		return 0;
	client->tls_context =
	    tls_context_new(TLS_CLIENT, &link->tls, client->name, &reasons);
	reasons_each(&reasons, redis_client_print_reason, NULL);
	if (!client->tls_context)
		return -1;
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	client->tls = tls_connect(client->tls_context, client->context->fd,
	    *unix_path ? "" : link->endpoint.host);
	if (!client->tls)
		tool_error("out of memory");
	return client->tls ? 0 : -1;
}

static int
redis_client_connect_to(struct redis_client *client)
{
	const struct link_options *link = &client->options.link;
	const struct endpoint *endpoint = &link->endpoint;
	const struct timeval patience =
	    redis_client_timeval_of(link->connect_timeout_us);

	if (*endpoint->unix_socket_path)
		client->context = redisConnectUnixWithTimeout(
		    endpoint->unix_socket_path, patience);
	else
		client->context = redisConnectWithTimeout(
		    endpoint->host, (int)endpoint->port, patience);
	if (!client->context) {
		tool_error("out of memory");
		return -1;
	}
	if (client->context->err) {
		tool_error("Redis at %s: %s (-c FILE says where it is)",
		    client->name, client->context->errstr);
		return -1;
	}
	if (fcntl(client->context->fd, F_SETFL, O_NONBLOCK) == -1) {
		tool_error("Redis at %s: %s", client->name, strerror(errno));
		return -1;
	}
	return redis_client_start_tls(client);
}

static int
redis_client_authenticate(struct redis_client *client)
{
	const struct link_options *link = &client->options.link;

	/* The password of a user may be empty ("nopass"). */
	if (!*link->username && !*link->password)
		return 0;
	if (*link->username)
		return redis_client_run(
		    client, "AUTH %s %s", link->username, link->password);
	return redis_client_run(client, "AUTH %s", link->password);
}

static int
redis_client_select_database(struct redis_client *client)
{
	if (client->options.link.db == 0)
		return 0;
	return redis_client_run(
	    client, "SELECT %lld", (long long)client->options.link.db);
}

/* A file that the user names comes before the settings and the file that they
 * name, a credential after them. */
static int
redis_client_set_password(struct redis_client *client)
{
	struct link_options *link = &client->options.link;

	if (!client->tool->password_file && *link->password_file)
		client->tool->password_file = link->password_file;
	if (!*link->password || client->tool->password_file)
		link->password = tool_password(client->tool);
	return link->password ? 0 : -1;
}

static int
redis_client_connect(struct redis_client *client)
{
	endpoint_name(&client->options.link.endpoint, client->name);
	if (redis_client_connect_to(client) == 0 &&
	    redis_client_authenticate(client) == 0 &&
	    redis_client_select_database(client) == 0)
		return 0;
	redis_client_close(client);
	return -1;
}

/* Take the address of the slot's master from the reply of a cluster's node. */
static int
redis_client_take_slots(struct redis_client *client, const redisReply *reply,
    const struct redis_client *node)
{
	const struct link_options *link = &client->options.link;
	const struct cluster_asked asked = {
	    node->options.link.endpoint.host, link->tls.on};
	const char *key = link->sentinel.cluster_key;
	struct cluster_server at;

	if (cluster_map_find(reply, partition_slot(key, strlen(key)), &asked,
		&at) != CLUSTER_FOUND) {
		tool_error("Redis at %s: knows no master of a slot: see "
			   "redis-cli --cluster check",
		    node->name);
		return -1;
	}
	snprintf(client->master, sizeof(client->master), "%s", at.host);
	client->options.link.endpoint =
	    (struct endpoint){"", client->master, at.port};
	return 0;
}

static int
redis_client_ask_node(struct redis_client *client, struct redis_client *node)
{
	redisReply *reply;
	int result = -1;

	if (redis_client_connect(node) == -1)
		return -1;
	reply = redis_client_call(node, "CLUSTER SHARDS");
	if (reply)
		result = redis_client_take_slots(client, reply, node);
	freeReplyObject(reply);
	redis_client_close(node);
	return result;
}

/* Take the address of the master from a sentinel's reply. */
static int
redis_client_take_master(
    struct redis_client *client, const redisReply *reply, const char *sentinel)
{
	const char *name = client->options.link.sentinel.master_name;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING) {
		tool_error("Redis at %s: knows no master %s (master_name)",
		    sentinel, name);
		return -1;
	}
	snprintf(client->master, sizeof(client->master), "%s",
	    reply->element[0]->str);
	client->options.link.endpoint = (struct endpoint){
	    "", client->master, strtol(reply->element[1]->str, NULL, 10)};
	return 0;
}

static int
redis_client_ask_sentinel(
    struct redis_client *client, const struct host_port *at)
{
	const struct link_options *link = &client->options.link;
	struct redis_client sentinel = {
	    .tool = client->tool, .timeout_us = client->timeout_us};
	struct link_options *own = &sentinel.options.link;
	redisReply *reply;
	int result = -1;

	*own = *link;
	own->endpoint =
	    (struct endpoint){"", at->host, strtol(at->port, NULL, 10)};
	if (link->sentinel.cluster_key)
		return redis_client_ask_node(client, &sentinel);
	own->username = link->sentinel.username;
	own->password = link->sentinel.password;
	own->tls.on = link->sentinel.tls;
	own->db = 0;
	if (redis_client_connect(&sentinel) == -1)
		return -1;
	reply = redis_client_call(&sentinel,
	    "SENTINEL GET-MASTER-ADDR-BY-NAME %s", link->sentinel.master_name);
	if (reply)
		result = redis_client_take_master(client, reply, sentinel.name);
	freeReplyObject(reply);
	redis_client_close(&sentinel);
	return result;
}

/* Find out which server it is, from the first sentinel that knows. */
static int
redis_client_locate(struct redis_client *client)
{
	const char *list = client->options.link.sentinel.hosts;
	struct host_port at;

	if (!list)
		return 0;
	while (host_port_read_next(&at, &list))
		if (redis_client_ask_sentinel(client, &at) == 0)
			return 0;
	return -1;
}

/* To the server of its options. */
static int
redis_client_start(struct redis_client *client)
{
	struct link_options *link = &client->options.link;
	const struct tool *tool = client->tool;

	if (tool->timeout_us) {
		link->connect_timeout_us = tool->timeout_us;
		link->socket_timeout_us = tool->timeout_us;
	}
	client->timeout_us = link->socket_timeout_us;
	if (redis_client_set_password(client) == -1)
		return -1;
	return redis_client_locate(client) == 0 ? redis_client_connect(client)
						: -1;
}

int
redis_client_open_link(struct redis_client *client, struct tool *tool,
    const struct link_options *link)
{
	*client = (struct redis_client){.tool = tool, .options.link = *link};
	return redis_client_start(client);
}

int
redis_client_open(struct redis_client *client, struct tool *tool)
{
	const struct config *config = tool_config(tool);

	*client = (struct redis_client){.tool = tool};
	if (!config)
		return -1;
	client->options = config_subscriber(config);
	return redis_client_start(client);
}
