/**
 * gate_client: a connection to dripgated, which asks and answers in lines.
 *
 * Blocks, but never for longer than GATE_CLIENT_PATIENCE seconds.
 */
#ifndef TOOL_GATE_CLIENT_H
#define TOOL_GATE_CLIENT_H

#include "base/attr.h"
#include "base/buf.h"

#include <stddef.h>

#define GATE_CLIENT_PATIENCE 10

struct gate_client {
	int fd;        /* -1: closed */
	struct buf in; /* received; the line that was returned last included */
	size_t taken;  /* length of that line, with its end */
};

/** Connect to ${address}: what has a slash is the path of a Unix socket,
 * anything else HOST:PORT.  Return 0, or -1 and the reason in ${reason}. */
int gate_client_open(struct gate_client *client, const char *address,
    char *reason, size_t size) MUST_USE;

/** Send a line, without its end.  Return 0, or -1 with errno. */
int gate_client_send(struct gate_client *client, const char *line) MUST_USE;

/** The next line, without its end, valid until the next call; or NULL with
 * errno (0: the connection was closed; EAGAIN: it takes too long; EINTR: the
 * user had enough, see interrupt.h). */
const char *gate_client_line(struct gate_client *client) MUST_USE;

/** What errno means after one of these, for people. */
const char *gate_client_why(void);

/** Close; a second time does nothing. */
void gate_client_close(struct gate_client *client);

#endif
