/**
 * redis_client: a connection to the server of [control], which holds the limits
 * and the control channel, by hiredis's blocking calls.
 *
 * Complains itself, of the server by its name.
 */
#ifndef TOOL_REDIS_CLIENT_H
#define TOOL_REDIS_CLIENT_H

#include "base/attr.h"
#include "tool/interrupt.h"
#include "tool/tool.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

struct redis_client {
	redisContext *context;
	struct subscriber_options options; /* the strings are the config's */
	char name[ENDPOINT_NAME_MAX];
};

/** Connect, authenticate, select the database.  Return 0, or -1. */
int redis_client_open(struct redis_client *client, struct tool *tool) MUST_USE;

/** Close; one that is closed or zeroed: no-op. */
void redis_client_close(struct redis_client *client);

/** Call a command, as redisCommand() takes it.  Return its reply, the caller's
 * to free, which is no error; or NULL. */
redisReply *redis_client_ask(
    struct redis_client *client, const char *format, ...) MUST_USE;

/** Queue a command of ${count} arguments, without an answer yet. */
int redis_client_queue(struct redis_client *client, size_t count,
    const char **arguments, const size_t *lens) MUST_USE;

/** The answer to what was queued first, as of redis_client_ask(). */
redisReply *redis_client_answer(struct redis_client *client) MUST_USE;

/** Publish on the control channel.  Return how many listen, or -1. */
long long redis_client_order(
    struct redis_client *client, const char *message) MUST_USE;

/** Subscribe to a channel, and wait until that is acknowledged: nothing can be
 * asked any more.  Return 0, or -1. */
int redis_client_listen(
    struct redis_client *client, const char *channel) MUST_USE;

/** Wait, as interrupt_wait() does, for the next message on it: ${bytes} are the
 * caller's to free, and hold a NUL after the last.  -1: the connection is
 * lost. */
int redis_client_hear(struct redis_client *client, int64_t until_us,
    enum wait_result *result, char **bytes, size_t *len) MUST_USE;

#endif
