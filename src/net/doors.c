#include "net/doors.h"

#include "base/log.h"
#include "net/systemd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST 16

struct doors {
	struct event_base *base;
	listener_accepted *accepted;
	void *arg;
	struct listener *listeners[MOST];
	size_t count;
	bool passed;           /* they are systemd's */
	const char *unix_path; /* of a socket of ours, or NULL */
};

/* Takes over the descriptor. */
static int
add(struct doors *doors, int fd)
{
	struct listener *listener = NULL;

	errno = EMFILE;
	if (doors->count < MOST)
		listener = listener_new(
		    doors->base, fd, doors->accepted, doors->arg);
	if (!listener) {
		log_error("cannot listen on descriptor %d: %m", fd);
		close(fd);
		return -1;
	}
	doors->listeners[doors->count++] = listener;
	log_info("listening on %s", listener_address(listener));
	return 0;
}

static void
on_passed(int fd, bool is_client, void *arg)
{
	struct doors *doors = arg;

	if (is_client) {
		doors->accepted(fd, doors->arg);
	} else {
		doors->passed = true;
		add(doors, fd);
	}
}

static int
add_tcp(struct doors *doors, const char *address)
{
	int fd = *address ? listen_tcp(address) : -1;

	if (!*address)
		return 0;
	if (fd == -1) {
		log_error("[listen] line = %s: %m", address);
		return -1;
	}
	return add(doors, fd);
}

static int
add_unix(struct doors *doors, const char *path)
{
	int fd = *path ? listen_unix(path) : -1;

	if (!*path)
		return 0;
	if (fd == -1) {
		log_error("[listen] unix = %s: %m", path);
		return -1;
	}
	doors->unix_path = path;
	return add(doors, fd);
}

struct doors *
doors_open(struct event_base *base, const struct doors_options *options,
    listener_accepted *accepted, void *arg)
{
	struct doors *doors = calloc(1, sizeof(*doors));

	if (!doors)
		return NULL;
	doors->base = base;
	doors->accepted = accepted;
	doors->arg = arg;
	systemd_take_passed(on_passed, doors);
	if (!doors->passed && (add_tcp(doors, options->line) == -1 ||
				  add_unix(doors, options->unix_path) == -1)) {
		doors_close(doors);
		return NULL;
	}
	if (doors->count == 0) {
		log_error("nothing to listen on");
		doors_close(doors);
		return NULL;
	}
	return doors;
}

const char *
doors_address(const struct doors *doors)
{
	return listener_address(doors->listeners[0]);
}

void
doors_close(struct doors *doors)
{
	if (!doors)
		return;
	/* While the socket is open: later the file may be a successor's. */
	if (doors->unix_path)
		unlink(doors->unix_path);
	for (size_t i = 0; i < doors->count; i++) {
		if (!doors->passed)
			listener_accept(doors->listeners[i]);
		listener_free(doors->listeners[i]);
	}
	free(doors);
}
