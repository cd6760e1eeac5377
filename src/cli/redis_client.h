/**
 * redis_client: a connection to the server of [control], which holds the limits
 * and the control channel; its calls wait for their replies.
 *
 * It prints errors itself, with the name of the server.
 */
#ifndef CLI_REDIS_CLIENT_H
#define CLI_REDIS_CLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "cli/interrupt.h"
#include "cli/tool.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_client {
	redisContext *context; /* connected; its buffers are not used */
	struct buf out;        /* commands that were not sent */
	struct tls_context *tls_context; /* NULL: the link has no TLS */
	struct tls *tls;
	bool more; /* TLS may hold what makes no descriptor ready */
	struct tool *tool;
	bool has_replied;
	bool is_quiet;      /* errors that Redis replies are not printed */
	int64_t timeout_us; /* of a reply */
	struct subscriber_options options; /* the strings are the config's */
	char master[256];                  /* the host that a sentinel named */
	char name[ENDPOINT_NAME_MAX];
};

/** Connect, authenticate, select the database.  Return 0, or -1. */
int redis_client_open(struct redis_client *client, struct tool *tool) MUST_USE;

/** The same, of another server than that of [control]. */
int redis_client_open_link(struct redis_client *client, struct tool *tool,
    const struct link_options *link) MUST_USE;

/** Close; one that is closed or zeroed: no-op. */
void redis_client_close(struct redis_client *client);

/** Call a command, as redisCommand() takes it.  Return its reply, which is not
 * an error, and which the caller frees; or NULL. */
redisReply *redis_client_call(
    struct redis_client *client, const char *format, ...) MUST_USE;

/** The same, of a command whose reply is a list of texts; any other reply is an
 * error, too. */
redisReply *redis_client_call_texts(
    struct redis_client *client, const char *format, ...) MUST_USE;

/** Call a command of which only the success matters.  Return 0, or -1. */
int redis_client_run(
    struct redis_client *client, const char *format, ...) MUST_USE;

/** Queue a command of ${count} arguments, without a reply yet. */
int redis_client_queue(struct redis_client *client, size_t count,
    const char **arguments, const size_t *lens) MUST_USE;

/** The reply to the oldest queued command, as redis_client_call() returns
 * it. */
redisReply *redis_client_reply(struct redis_client *client) MUST_USE;

/** Publish on the control channel.  Return how many listen, or -1. */
long long redis_client_publish(
    struct redis_client *client, const char *message) MUST_USE;

/** Subscribe to a channel, and wait until that is acknowledged: nothing can be
 * called any more.  Return 0, or -1. */
int redis_client_subscribe(
    struct redis_client *client, const char *channel) MUST_USE;

/** Wait, as interrupt_wait() does, for the next message on it.  The caller
 * frees
 * ${bytes}, which have a NUL after the last. -1: the connection is lost. */
int redis_client_receive(struct redis_client *client, int64_t until_us,
    enum wait_result *result, char **bytes, size_t *len) MUST_USE;

#endif
