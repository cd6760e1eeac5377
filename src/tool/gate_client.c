#include "tool/gate_client.h"

#include "base/clock.h"
#include "tool/interrupt.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_LEN 65536

/* An answer is never longer: something else listens there. */
#define LINE_MAX ((size_t)64 << 10)

/* A socket that neither connects nor sends for ever. */
static int
make_socket(int family)
{
	const struct timeval patience = {.tv_sec = GATE_CLIENT_PATIENCE};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		setsockopt(
		    fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int
try_connect(const struct sockaddr *address, socklen_t len)
{
	int fd = make_socket(address->sa_family);
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
connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	return try_connect((struct sockaddr *)&address, sizeof(address));
}

/* Split "host:port" or "[host]:port".  Return 0, or -1 if it is neither. */
static int
split(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool is_bracketed =
	    len > 1 && address[0] == '[' && address[len - 1] == ']';

	if (is_bracketed) {
		address++;
		len -= 2;
	}
	if (len == 0 || len >= size || colon[1] == '\0' ||
	    (!is_bracketed && memchr(address, ':', len)))
		return -1;
	memcpy(host, address, len);
	host[len] = '\0';
	*port = colon + 1;
	return 0;
}

/* Return a descriptor, or -1 and why in ${why}. */
static int
connect_tcp(const char *address, const char **why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[256];
	const char *port;
	int error, fd = -1;

	*why = "no address: neither a path nor HOST:PORT";
	if (split(address, host, sizeof(host), &port) == -1)
		return -1;
	error = getaddrinfo(host, port, &hints, &found);
	*why = error ? gai_strerror(error) : NULL;
	for (struct addrinfo *i = found; i && fd == -1; i = i->ai_next)
		fd = try_connect(i->ai_addr, i->ai_addrlen);
	if (found)
		freeaddrinfo(found);
	return fd;
}

int
gate_client_open(
    struct gate_client *client, const char *address, char *reason, size_t size)
{
	const char *why = NULL;

	*client = (struct gate_client){.fd = -1};
	client->fd = strchr(address, '/') ? connect_unix(address)
					  : connect_tcp(address, &why);
	if (client->fd != -1)
		return 0;
	snprintf(reason, size, "%s: %s", address, why ? why : strerror(errno));
	return -1;
}

int
gate_client_send(struct gate_client *client, const char *line)
{
	struct buf out = {0};
	int status = buf_printf(&out, "%s\n", line);

	while (status == 0 && buf_len(&out) > 0) {
		ssize_t sent = send(
		    client->fd, buf_head(&out), buf_len(&out), MSG_NOSIGNAL);

		if (sent > 0)
			buf_take(&out, (size_t)sent);
		else if (errno == EPIPE)
			break; /* why it was closed may be there to be read */
		else if (errno != EINTR)
			status = -1;
	}
	buf_free(&out);
	return status;
}

/* Wait for an answer.  Return 0, or -1 with errno. */
static int
wait_for_bytes(const struct gate_client *client)
{
	int64_t until_us = clock_us() + GATE_CLIENT_PATIENCE * 1000000;

	switch (interrupt_wait(client->fd, until_us)) {
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

/* Receive more.  Return 0, or -1 with errno. */
static int
receive(struct gate_client *client)
{
	char *room = buf_room(&client->in, READ_LEN);
	ssize_t len = 0;

	errno = buf_len(&client->in) > LINE_MAX ? EMSGSIZE : ENOMEM;
	if (!room || errno == EMSGSIZE || wait_for_bytes(client) == -1)
		return -1;
	do
		len = recv(client->fd, room, READ_LEN, 0);
	while (len == -1 && errno == EINTR);
	if (len == 0)
		errno = 0;
	if (len <= 0)
		return -1;
	buf_grow(&client->in, (size_t)len);
	return 0;
}

const char *
gate_client_line(struct gate_client *client)
{
	char *head, *end = NULL;

	buf_take(&client->in, client->taken);
	client->taken = 0;
	for (;;) {
		head = buf_head(&client->in);
		if (head)
			end = memchr(head, '\n', buf_len(&client->in));
		if (end)
			break;
		if (receive(client) == -1)
			return NULL;
	}
	client->taken = (size_t)(end - head) + 1;
	*end = '\0';
	return head;
}

const char *
gate_client_why(void)
{
	static char late[40];

	if (errno == 0)
		return "dripgated closed the connection";
	if (errno != EAGAIN)
		return strerror(errno);
	snprintf(late, sizeof(late), "no answer within %d seconds",
	    GATE_CLIENT_PATIENCE);
	return late;
}

void
gate_client_close(struct gate_client *client)
{
	if (client->fd != -1)
		close(client->fd);
	client->fd = -1;
	buf_free(&client->in);
	client->taken = 0;
}
