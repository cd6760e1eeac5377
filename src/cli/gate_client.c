/*
 * gate_client: a blocking connection that never blocks for long.  The last line
 * returned stays in the buffer until the next call.  The heart is
 * gate_client_line().
 */
#include "cli/gate_client.h"

#include "base/clock.h"
#include "base/host_port.h"
#include "base/num.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_LEN 65536

/* No line of dripgated is longer: if one is, another program listens there. */
#define LINE_MAX ((size_t)64 << 10)

/* A socket whose connect and send have a time-out. */
static int
gate_client_make_socket(int family, int64_t timeout_us)
{
	const struct timeval patience = {
	    .tv_sec = timeout_us / 1000000, .tv_usec = timeout_us % 1000000};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		setsockopt(
		    fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int
gate_client_try_connect(
    const struct sockaddr *address, socklen_t len, int64_t timeout_us)
{
	int fd = gate_client_make_socket(address->sa_family, timeout_us);
	int error;

	if (fd == -1 || connect(fd, address, len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error == EINPROGRESS ? ETIMEDOUT : error;
	return -1;
}

/* Return a descriptor, or -1 with errno. */
static int
gate_client_connect_unix(const char *path, int64_t timeout_us)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	return gate_client_try_connect(
	    (struct sockaddr *)&address, sizeof(address), timeout_us);
}

/* Return a descriptor, or -1 and why in ${why}. */
static int
gate_client_connect_tcp(
    const char *address, int64_t timeout_us, const char **why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct host_port read;
	int error, fd = -1;

	*why = "no address: neither a path nor HOST:PORT";
	if (!host_port_read(&read, address))
		return -1;
	/* If it listens on every address, use the loopback's. */
	error = getaddrinfo(
	    *read.host ? read.host : NULL, read.port, &hints, &found);
	*why = error ? gai_strerror(error) : NULL;
	for (struct addrinfo *i = found; i && fd == -1; i = i->ai_next)
		fd = gate_client_try_connect(
		    i->ai_addr, i->ai_addrlen, timeout_us);
	if (found)
		freeaddrinfo(found);
	return fd;
}

/* Encrypt the connection from now on.  Return 0, or -1 with the reason. */
static int
gate_client_start_tls(struct gate_client *client,
    const struct gate_address *address, char *reason, size_t size)
{
	const struct tls_options options = {.on = true,
	    .ca_file = address->certificate,
	    .cert_file = "",
	    .key_file = "",
	    .verify = true};
	struct reasons reasons = {0};

	client->tls_context = tls_context_new(
	    TLS_CLIENT_PINNED, &options, address->text, &reasons);
	if (client->tls_context)
		client->tls = tls_connect(client->tls_context, client->fd, "");
	if (client->tls && fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0) {
		signal(SIGPIPE, SIG_IGN); /* OpenSSL has no MSG_NOSIGNAL */
		return 0;
	}
	snprintf(reason, size, "%s",
	    reasons.count ? reasons_first(&reasons) : strerror(errno));
	gate_client_close(client);
	return -1;
}

/* Wait until the connection can go on.  Return 0, or -1 with errno. */
static int
gate_client_wait(const struct gate_client *client, bool to_write)
{
	switch (to_write ? interrupt_wait_to_write(client->fd, client->until_us)
			 : interrupt_wait(client->fd, client->until_us)) {
	case WAIT_READY:
		return 0;
	case WAIT_TIMEOUT:
		errno = EAGAIN;
		break;
	case WAIT_INTERRUPTED:
		errno = EINTR;
		break;
	}
	return -1;
}

/* Send part of it.  Return how much, 0 after a wait, or -1 with errno. */
static ssize_t
gate_client_write(struct gate_client *client, const struct buf *out)
{
	ssize_t sent;

	if (!client->tls)
		return send(
		    client->fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);
	sent = tls_write(client->tls, buf_data(out), buf_len(out));
	if (sent == -1 && errno == EAGAIN)
		return gate_client_wait(client, tls_wants_write(client->tls));
	if (sent == 0)
		errno = EPIPE;
	return sent > 0 ? sent : -1;
}

int
gate_client_send(struct gate_client *client, const char *line)
{
	struct buf out = {0};
	int status = buf_printf(&out, "%s\n", line);

	client->until_us = clock_us() + client->timeout_us;
	while (status == 0 && buf_len(&out) > 0) {
		ssize_t sent = gate_client_write(client, &out);

		if (sent >= 0)
			buf_consume(&out, (size_t)sent);
		else if (errno == EPIPE)
			break; /* why it was closed may be there to be read */
		else if (errno != EINTR)
			status = -1;
	}
	buf_free(&out);
	return status;
}

static ssize_t
gate_client_read_some(struct gate_client *client, char *room)
{
	ssize_t len;

	if (!client->tls)
		return recv(client->fd, room, READ_LEN, 0);
	len = tls_read(client->tls, room, READ_LEN);
	client->more = len == READ_LEN;
	return len;
}

/* As read(2), once there is something: part of a record of TLS is nothing. */
static ssize_t
gate_client_read(struct gate_client *client, char *room)
{
	ssize_t len;

	do {
		if (!client->more && gate_client_wait(client, false) == -1)
			return -1;
		len = gate_client_read_some(client, room);
	} while (len == -1 && (errno == EINTR || errno == EAGAIN));
	return len;
}

/* Receive more.  Return 0, or -1 with errno. */
static int
gate_client_receive(struct gate_client *client)
{
	char *room = buf_reserve(&client->in, READ_LEN);
	ssize_t len = 0;

	errno = buf_len(&client->in) > LINE_MAX ? EMSGSIZE : ENOMEM;
	if (!room || errno == EMSGSIZE)
		return -1;
	len = gate_client_read(client, room);
	if (len == 0)
		errno = 0;
	if (len <= 0)
		return -1;
	buf_commit(&client->in, (size_t)len);
	return 0;
}

const char *
gate_client_line(struct gate_client *client)
{
	char *head, *end = NULL;

	buf_consume(&client->in, client->taken);
	client->taken = 0;
	for (;;) {
		head = buf_data(&client->in);
		if (head)
			end = memchr(head, '\n', buf_len(&client->in));
		if (end)
			break;
		if (gate_client_receive(client) == -1)
			return NULL;
	}
	client->taken = (size_t)(end - head) + 1;
	*end = '\0';
	return head;
}

void
gate_client_be_patient(struct gate_client *client, int64_t until_us)
{
	client->until_us = until_us;
}

const char *
gate_client_why(const struct gate_client *client)
{
	static char late[60];
	char time[NUM_MAX_LEN + 1];

	if (errno == 0)
		return "dripgated closed the connection";
	if (client->tls && errno == EPROTO)
		return tls_reason(client->tls);
	if (errno != EAGAIN)
		return strerror(errno);
	time[num_write_duration(time, client->timeout_us)] = '\0';
	snprintf(late, sizeof(late), "no whole response within %s", time);
	return late;
}

/* Return 0, or -1 with the reason. */
static int
gate_client_log_in(struct gate_client *client,
    const struct gate_address *address, char *reason, size_t size)
{
	const char *line = NULL;

	if (gate_client_send(client, address->login) == 0)
		line = gate_client_line(client);
	if (line && strcmp(line, "OK") == 0)
		return 0;
	snprintf(reason, size, "%s: not logged in: %s", address->text,
	    line ? line : gate_client_why(client));
	gate_client_close(client);
	return -1;
}

int
gate_client_open(struct gate_client *client, const struct gate_address *address,
    int64_t timeout_us, char *reason, size_t size)
{
	const char *text = address->text;
	const char *why = NULL;

	*client = (struct gate_client){.fd = -1, .timeout_us = timeout_us};
	client->fd = strchr(text, '/')
			 ? gate_client_connect_unix(text, timeout_us)
			 : gate_client_connect_tcp(text, timeout_us, &why);
	if (client->fd == -1) {
		snprintf(
		    reason, size, "%s: %s", text, why ? why : strerror(errno));
		return -1;
	}
	if (address->certificate &&
	    gate_client_start_tls(client, address, reason, size) == -1)
		return -1;
	return address->login
		   ? gate_client_log_in(client, address, reason, size)
		   : 0;
}

void
gate_client_close(struct gate_client *client)
{
	tls_free(client->tls);
	tls_context_free(client->tls_context);
	client->tls = NULL;
	client->tls_context = NULL;
	if (client->fd != -1)
		close(client->fd);
	client->fd = -1;
	buf_free(&client->in);
	client->taken = 0;
}
