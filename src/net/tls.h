/**
 * tls: the bytes of a connection, encrypted, by OpenSSL; version 1.2 or newer.
 *
 * A context is what many connections share: certificates and what is trusted.
 * It may be renewed while connections use it, which keep what they began with.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/attr.h"
#include "base/reasons.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum tls_role {
	TLS_CLIENT,
	TLS_CLIENT_PINNED, /* ${ca_file} is the server's own certificate */
	TLS_SERVER,
};

struct tls_options {
	bool on;

	/* PEM: the authorities to trust; "": a client trusts those of the
	 * system, a server asks for nothing. */
	const char *ca_file;

	/* PEM: our certificate and its chain, and its key; "": none, and in
	 * the cert_file. */
	const char *cert_file;
	const char *key_file;

	/* of clients */
	const char *server_name; /* in its certificate; "": the host dialled */
	bool verify;             /* whether the server must prove its name */
};

struct tls_context;

/** Read the files.  ${options} are borrowed.  NULL with ${reasons} added, each
 * with ${where} at its start. */
struct tls_context *tls_context_new(enum tls_role role,
    const struct tls_options *options, const char *where,
    struct reasons *reasons) MUST_USE;

/** Free it, or NULL; its connections go on. */
void tls_context_free(struct tls_context *context);

/** From now on, use what ${renewed} has read from the files.  From any thread;
 * ${renewed} stays the caller's to free. */
void tls_context_renew(
    struct tls_context *context, struct tls_context *renewed);

/** One connection. */
struct tls;

/** Start one to ${host}, "" on a Unix socket, on the connected ${fd}, which
 * stays the caller's; the handshake is made by the first reads and writes.
 * NULL: out of memory. */
struct tls *tls_connect(
    struct tls_context *context, int fd, const char *host) MUST_USE;

/** The same, of a client that has connected to us. */
struct tls *tls_accept(struct tls_context *context, int fd) MUST_USE;

/** As read(2) and send(2).  EAGAIN: not before the descriptor is ready, see
 * tls_wants_write().  EPROTO: see tls_reason().  tls_read() leaves nothing
 * decrypted behind if it returns less than ${len}. */
ssize_t tls_read(struct tls *tls, void *to, size_t len) MUST_USE;
ssize_t tls_peek(struct tls *tls, void *to, size_t len) MUST_USE;
ssize_t tls_write(struct tls *tls, const void *from, size_t len) MUST_USE;

/** After EAGAIN: whether to wait for room to write, not for something to read.
 */
bool tls_wants_write(const struct tls *tls);

/** Whether the handshake is over. */
bool tls_is_ready(const struct tls *tls);

/** The name of a peer, the common name in the certificate that was verified, or
 * ""; "" as well if it does not fit in ${size} bytes. */
void tls_peer_name(const struct tls *tls, char *to, size_t size);

/** After EPROTO: what is wrong, for people; valid until the next call. */
const char *tls_reason(const struct tls *tls);

/** Say that nothing more will be sent, as far as that goes without waiting. */
void tls_shutdown(struct tls *tls);

/** Free it, or NULL. */
void tls_free(struct tls *tls);

#endif
