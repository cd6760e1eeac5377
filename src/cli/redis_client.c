/*
 * redis_client: blocking calls of one Redis server.  A function that fails has
 * printed its error, with the name of the server.  The heart is
 * redis_client_check().
 */
#include "cli/redis_client.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RIGHTS_HINT "; dripgate acl prints the rights that are needed"

/* The connection is of no use any more: ${error} is the errno of what failed,
 * or 0 where the server closed it. */
static void
redis_client_print_loss(const struct redis_client *client, int error)
{
	const char *reason = error ? strerror(error) : "closed the connection";

	if (client->tls && error == EPROTO)
		reason = tls_reason(client->tls);
	else if (!client->has_replied && !client->tls)
		reason = REPLY_SILENCE;
	tool_error("Redis at %s: %s", client->name, reason);
}

void
redis_client_close(struct redis_client *client)
{
	tls_free(client->tls);
	tls_context_free(client->tls_context);
	if (client->context)
		redisFree(client->context);
	buf_free(&client->out);
	client->context = NULL;
	client->tls = NULL;
	client->tls_context = NULL;
}

/* Return a reply that is not an error; print one that is. */
static redisReply *
redis_client_check(struct redis_client *client, redisReply *reply)
{
	char text[REPLY_EXPLAIN_MAX];

	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	reply_explain(reply->str, reply->len, NULL, text);
	if (client->is_quiet)
		;
	else if (reply_is_error(reply, "NOAUTH"))
		tool_error("Redis at %s: %s; %s", client->name, text,
		    tool_password_hint(client->tool));
	else
		tool_error("Redis at %s: %s%s", client->name, text,
		    reply_is_error(reply, "NOPERM") ? RIGHTS_HINT : "");
	freeReplyObject(reply);
	return NULL;
}

static int
redis_client_check_wait(
    const struct redis_client *client, enum wait_result result)
{
	if (result == WAIT_TIMEOUT)
		tool_error("Redis at %s: %s", client->name,
		    client->tls && !tls_is_ready(client->tls)
			? REPLY_NO_HANDSHAKE
			: "no reply in time");
	return result == WAIT_READY ? 0 : -1;
}

/* After EAGAIN, wait for what the write needs. */
static int
redis_client_wait_to_send(const struct redis_client *client, int64_t until_us)
{
	int fd = client->context->fd;

	if (client->tls && !tls_wants_write(client->tls))
		return redis_client_check_wait(
		    client, interrupt_wait(fd, until_us));
	return redis_client_check_wait(
	    client, interrupt_wait_to_write(fd, until_us));
}

static ssize_t
redis_client_write(const struct redis_client *client)
{
	const struct buf *out = &client->out;

	if (client->tls)
		return tls_write(client->tls, buf_data(out), buf_len(out));
	return send(
	    client->context->fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);
}

/* Send all that was queued. */
static int
redis_client_send(struct redis_client *client, int64_t until_us)
{
	while (buf_len(&client->out) > 0) {
		ssize_t sent = redis_client_write(client);

		if (sent > 0) {
			buf_consume(&client->out, (size_t)sent);
		} else if (sent == -1 && errno == EAGAIN) {
			if (redis_client_wait_to_send(client, until_us) == -1)
				return -1;
		} else if (sent == 0 || errno != EINTR) {
			redis_client_print_loss(client, sent ? errno : 0);
			return -1;
		}
	}
	return 0;
}

/* Read what has arrived, and feed it to the reader.  Return 0, or -1. */
static int
redis_client_read(struct redis_client *client)
{
	char bytes[16384];
	int fd = client->context->fd;
	ssize_t len = client->tls ? tls_read(client->tls, bytes, sizeof(bytes))
				  : read(fd, bytes, sizeof(bytes));

	client->more = client->tls && len == sizeof(bytes);
	if (len > 0) {
		redisReaderFeed(client->context->reader, bytes, (size_t)len);
		return 0;
	}
	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	redis_client_print_loss(client, len ? errno : 0);
	return -1;
}

/* Wait until there is something to read. */
static enum wait_result
redis_client_wait(const struct redis_client *client, int64_t until_us)
{
	if (client->more)
		return WAIT_READY;
	return interrupt_wait(client->context->fd, until_us);
}

/* Take the next complete reply; NULL if there is none.  Return 0, or -1. */
static int
redis_client_next(struct redis_client *client, redisReply **reply)
{
	redisReader *reader = client->context->reader;
	void *next = NULL;

	*reply = NULL;
	if (redisReaderGetReply(reader, &next) == REDIS_OK) {
		*reply = next;
		return 0;
	}
	tool_error("Redis at %s: %s", client->name, reader->errstr);
	return -1;
}

redisReply *
redis_client_reply(struct redis_client *client)
{
	int64_t until_us = clock_us() + client->timeout_us;
	redisReply *reply;

	if (redis_client_send(client, until_us) == -1)
		return NULL;
	for (;;) {
		if (redis_client_next(client, &reply) == -1)
			return NULL;
		if (reply) {
			client->has_replied = true;
			return redis_client_check(client, reply);
		}
		if (redis_client_check_wait(
			client, redis_client_wait(client, until_us)) == -1 ||
		    redis_client_read(client) == -1)
			return NULL;
	}
}

/* Queue a command of ${len} bytes, or -1: out of memory. */
static int
redis_client_queue_bytes(
    struct redis_client *client, char *command, long long len)
{
	int result = -1;

	if (len > 0)
		result = buf_add(&client->out, command, (size_t)len);
	if (len > 0)
		redisFreeCommand(command);
	if (result == -1)
		tool_error("out of memory");
	return result;
}

static redisReply *
redis_client_vcall(
    struct redis_client *client, const char *format, va_list args)
{
	char *command = NULL;
	int len = redisvFormatCommand(&command, format, args);

	if (redis_client_queue_bytes(client, command, len) == -1)
		return NULL;
	return redis_client_reply(client);
}

int
redis_client_run(struct redis_client *client, const char *format, ...)
{
	redisReply *reply;
	va_list args;
	int result;

	va_start(args, format);
	reply = redis_client_vcall(client, format, args);
	va_end(args);
	result = reply ? 0 : -1;
	freeReplyObject(reply);
	return result;
}

redisReply *
redis_client_call(struct redis_client *client, const char *format, ...)
{
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redis_client_vcall(client, format, args);
	va_end(args);
	return reply;
}

static bool
redis_client_is_texts(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return true;
}

redisReply *
redis_client_call_texts(struct redis_client *client, const char *format, ...)
{
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redis_client_vcall(client, format, args);
	va_end(args);
	if (!reply || redis_client_is_texts(reply))
		return reply;
	tool_error("Redis at %s: sent a reply that is not a list of texts",
	    client->name);
	freeReplyObject(reply);
	return NULL;
}

int
redis_client_queue(struct redis_client *client, size_t count,
    const char **arguments, const size_t *lens)
{
	char *command = NULL;
	long long len =
	    redisFormatCommandArgv(&command, (int)count, arguments, lens);

	return redis_client_queue_bytes(client, command, len);
}

long long
redis_client_publish(struct redis_client *client, const char *message)
{
	redisReply *reply = redis_client_call(
	    client, "PUBLISH %s %s", client->options.channel, message);
	long long listeners = -1;

	if (reply)
		listeners = reply->integer;
	freeReplyObject(reply);
	return listeners;
}

int
redis_client_subscribe(struct redis_client *client, const char *channel)
{
	return redis_client_run(client, "SUBSCRIBE %s", channel);
}

/* Whether it is ["message", channel, bytes]; return the bytes. */
static bool
redis_client_take_message(const redisReply *reply, char **bytes, size_t *len)
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
redis_client_next_message(
    struct redis_client *client, char **bytes, size_t *len)
{
	redisReply *reply;
	bool found = false;

	do {
		if (redis_client_next(client, &reply) == -1)
			return -1;
		if (reply) {
			found = redis_client_take_message(reply, bytes, len);
			freeReplyObject(reply);
		}
	} while (reply && !found);
	return found;
}

int
redis_client_receive(struct redis_client *client, int64_t until_us,
    enum wait_result *result, char **bytes, size_t *len)
{
	int found;

	*result = WAIT_READY;
	while ((found = redis_client_next_message(client, bytes, len)) == 0) {
		*result = redis_client_wait(client, until_us);
		if (*result != WAIT_READY)
			return 0;
		if (redis_client_read(client) == -1)
			return -1;
	}
	return found == -1 ? -1 : 0;
}
