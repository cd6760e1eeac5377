/**
 * gate_client: a connection to dripgated, by its line protocol.
 *
 * Blocks, but no longer than its timeout: to connect, and from a request to the
 * end of its response.
 */
#ifndef CLI_GATE_CLIENT_H
#define CLI_GATE_CLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_client {
	int fd; /* -1: closed */
	int64_t timeout_us;
	int64_t until_us; /* deadline of the whole response */
	struct buf in;    /* received bytes, including the last line returned */
	size_t taken;     /* length of that line, with its end */
	struct tls_context *tls_context; /* NULL: without TLS */
	struct tls *tls;
	bool more; /* TLS may hold bytes although the descriptor is not ready */
};

/** Where dripgated is. */
struct gate_address {
	const char *text;        /* with a slash: the path of a Unix socket;
				  * otherwise HOST:PORT */
	const char *certificate; /* its file, PEM; NULL: it has no TLS */
	const char *login;       /* the line that logs in; NULL: none */
};

/** Connect, and log in.  Return 0, or -1 and the reason in ${reason}. */
int gate_client_open(struct gate_client *client,
    const struct gate_address *address, int64_t timeout_us, char *reason,
    size_t size) MUST_USE;

/** Send a line, without its end.  Return 0, or -1 with errno. */
int gate_client_send(struct gate_client *client, const char *line) MUST_USE;

/** The next line, without its end, valid until the next call; or NULL with
 * errno (0: the connection was closed; EAGAIN: it takes too long; EINTR: the
 * user interrupted, see interrupt.h). */
const char *gate_client_line(struct gate_client *client) MUST_USE;

/** From now on, wait for lines until clock_us() is ${until_us}; 0: as long as
 * it takes. */
void gate_client_be_patient(struct gate_client *client, int64_t until_us);

/** What errno means after one of these, for people. */
const char *gate_client_why(const struct gate_client *client);

/** Close; a second time does nothing. */
void gate_client_close(struct gate_client *client);

#endif
