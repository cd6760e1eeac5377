#include "tool/redis_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct timeval
timeval_of(int64_t us)
{
	return (struct timeval){
	    .tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void
complain_of_loss(const struct redis_client *client)
{
	const redisContext *context = client->context;

	if (context->err == REDIS_ERR_IO && errno == EAGAIN)
		tool_complain("Redis at %s: no answer in time", client->name);
	else
		tool_complain("Redis at %s: %s", client->name, context->errstr);
}

static int
connect_to(struct redis_client *client)
{
	const struct link_options *link = &client->options.link;
	const struct endpoint *endpoint = &link->endpoint;
	const struct timeval patience = timeval_of(link->connect_timeout_us);

	if (*endpoint->unix_socket_path)
		client->context = redisConnectUnixWithTimeout(
		    endpoint->unix_socket_path, patience);
	else
		client->context = redisConnectWithTimeout(
		    endpoint->host, (int)endpoint->port, patience);
	if (!client->context) {
		tool_complain("out of memory");
		return -1;
	}
	if (client->context->err) {
		tool_complain("Redis at %s: %s (-c FILE says where it is)",
		    client->name, client->context->errstr);
		return -1;
	}
	return redisSetTimeout(client->context,
		   timeval_of(link->socket_timeout_us)) == REDIS_OK
		   ? 0
		   : -1;
}

/* Whether the server has taken what it was told. */
static int
take(redisReply *reply)
{
	if (reply)
		freeReplyObject(reply);
	return reply ? 0 : -1;
}

static int
authenticate(struct redis_client *client)
{
	const struct link_options *link = &client->options.link;

	if (!*link->password)
		return 0;
	if (*link->username)
		return take(redis_client_ask(
		    client, "AUTH %s %s", link->username, link->password));
	return take(redis_client_ask(client, "AUTH %s", link->password));
}

static int
select_database(struct redis_client *client)
{
	if (client->options.link.db == 0)
		return 0;
	return take(redis_client_ask(
	    client, "SELECT %lld", (long long)client->options.link.db));
}

int
redis_client_open(struct redis_client *client, struct tool *tool)
{
	const struct config *config = tool_config(tool);

	*client = (struct redis_client){0};
	if (!config)
		return -1;
	client->options = config_subscriber(config);
	endpoint_name(&client->options.link.endpoint, client->name);
	if (connect_to(client) == 0 && authenticate(client) == 0 &&
	    select_database(client) == 0)
		return 0;
	redis_client_close(client);
	return -1;
}

void
redis_client_close(struct redis_client *client)
{
	if (client->context)
		redisFree(client->context);
	client->context = NULL;
}

/* Pass on a reply that is no error; complain of what is none. */
static redisReply *
check(struct redis_client *client, redisReply *reply)
{
	if (!reply) {
		complain_of_loss(client);
		return NULL;
	}
	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	tool_complain("Redis at %s: %s", client->name, reply->str);
	freeReplyObject(reply);
	return NULL;
}

redisReply *
redis_client_ask(struct redis_client *client, const char *format, ...)
{
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redisvCommand(client->context, format, args);
	va_end(args);
	return check(client, reply);
}

int
redis_client_queue(struct redis_client *client, size_t count,
    const char **arguments, const size_t *lens)
{
	if (redisAppendCommandArgv(
		client->context, (int)count, arguments, lens) == REDIS_OK)
		return 0;
	complain_of_loss(client);
	return -1;
}

redisReply *
redis_client_answer(struct redis_client *client)
{
	void *reply = NULL;

	if (redisGetReply(client->context, &reply) != REDIS_OK)
		reply = NULL;
	return check(client, reply);
}

long long
redis_client_order(struct redis_client *client, const char *message)
{
	redisReply *reply = redis_client_ask(
	    client, "PUBLISH %s %s", client->options.channel, message);
	long long listeners = -1;

	if (reply)
		listeners = reply->integer;
	take(reply);
	return listeners;
}

int
redis_client_listen(struct redis_client *client, const char *channel)
{
	return take(redis_client_ask(client, "SUBSCRIBE %s", channel));
}

/* Whether it is ["message", channel, bytes]; the last are handed out. */
static bool
take_message(const redisReply *reply, char **bytes, size_t *len)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    strcmp(reply->element[0]->str, "message") != 0 ||
	    reply->element[2]->type != REDIS_REPLY_STRING)
		return false;
	*len = (size_t)reply->element[2]->len;
	*bytes = malloc(*len + 1);
	if (!*bytes)
		return false;
	memcpy(*bytes, reply->element[2]->str, *len + 1);
	return true;
}

/* Look for a message among what was received.  Return 1, 0 if there is none
 * yet, or -1. */
static int
next_message(struct redis_client *client, char **bytes, size_t *len)
{
	void *reply = NULL;
	bool found = false;

	do {
		if (redisGetReplyFromReader(client->context, &reply) !=
		    REDIS_OK) {
			complain_of_loss(client);
			return -1;
		}
		if (reply) {
			found = take_message(reply, bytes, len);
			freeReplyObject(reply);
		}
	} while (reply && !found);
	return found;
}

int
redis_client_hear(struct redis_client *client, int64_t until_us,
    enum wait_result *result, char **bytes, size_t *len)
{
	int found;

	*result = WAIT_READY;
	while ((found = next_message(client, bytes, len)) == 0) {
		*result = interrupt_wait(client->context->fd, until_us);
		if (*result != WAIT_READY)
			return 0;
		if (redisBufferRead(client->context) != REDIS_OK) {
			complain_of_loss(client);
			return -1;
		}
	}
	return found == -1 ? -1 : 0;
}
