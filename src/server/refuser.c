#include "server/refuser.h"

#include "base/log.h"
#include "net/io.h"
#include "net/timer.h"
#include "protocol/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that sends nothing for this long is refused in the line protocol.
 */
#define WAIT_US INT64_C(100000)

/* When the refuser waits for this many, it refuses the next at once. */
#define WAITING_MAX 32

/* A client whose first bytes the refuser waits for. */
struct waiting {
	int fd; /* -1: none */
	struct io readable;
	struct timer timeout;
};

struct refuser {
	struct loop *loop;
	struct waiting waiting[WAITING_MAX];
};

static void
refuser_end(int fd)
{
	struct buf error = {0};
	char bytes[4096];
	ssize_t len = recv(fd, bytes, sizeof(bytes), 0);
	const struct protocol *protocol =
	    protocol_guess(bytes, len > 0 ? (size_t)len : 0);

	/* Read what came meanwhile too: closing with unread bytes would make
	 * the kernel discard the error. */
	if (protocol->error(&error, 0, ERROR_CLIENTS) == -1 ||
	    send(fd, buf_data(&error), buf_len(&error), MSG_NOSIGNAL) == -1 ||
	    (recv(fd, bytes, sizeof(bytes), 0) == -1 && errno != EAGAIN))
		log_debug("refusing a client: %m");
	buf_free(&error);
	close(fd);
}

static void
refuser_on_waited(void *arg)
{
	struct waiting *waiting = arg;
	int fd = waiting->fd;

	io_stop(&waiting->readable);
	timer_stop(&waiting->timeout);
	waiting->fd = -1;
	refuser_end(fd);
}

static bool
refuser_has_input(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) != -1 || errno != EAGAIN;
}

static struct waiting *
refuser_find_place(struct refuser *refuser)
{
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (refuser->waiting[i].fd == -1)
			return &refuser->waiting[i];
	return NULL;
}

struct refuser *
refuser_new(struct loop *loop)
{
	struct refuser *refuser = calloc(1, sizeof(*refuser));

	if (!refuser)
		return NULL;
	refuser->loop = loop;
	for (size_t i = 0; i < WAITING_MAX; i++)
		refuser->waiting[i].fd = -1;
	return refuser;
}

void
refuser_refuse(struct refuser *refuser, int fd)
{
	struct waiting *waiting = refuser_find_place(refuser);

	if (!waiting || refuser_has_input(fd)) {
		refuser_end(fd);
		return;
	}
	waiting->fd = fd;
	io_init(&waiting->readable, refuser->loop, fd, IO_READ);
	timer_init(
	    &waiting->timeout, refuser->loop, refuser_on_waited, waiting);
	io_start(&waiting->readable, refuser_on_waited, waiting);
	timer_set(&waiting->timeout, WAIT_US);
}

void
refuser_free(struct refuser *refuser)
{
	if (!refuser)
		return;
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (refuser->waiting[i].fd != -1)
			refuser_on_waited(&refuser->waiting[i]);
	free(refuser);
}
