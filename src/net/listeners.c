/*
 * All the sockets on which a daemon listens.
 * Holds: of each kind, either all are systemd's, or none is.
 * The heart is listeners_open().
 */
#include "net/listeners.h"

#include "base/log.h"
#include "net/listen.h"
#include "net/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 16

/* One that listens. */
struct listening {
	struct listeners *all;
	enum listener_kind kind;
	struct listener *listener;
};

struct listeners {
	const struct listeners_options *options;
	struct addrinfo *addresses[LISTENER_KINDS];         /* NULL: none */
	char reasons[LISTENER_KINDS][LISTENERS_REASON_MAX]; /* why, or "" */
	struct loop *loop;
	listeners_accepted *accepted;
	void *arg;
	struct listening places[MOST];
	size_t count;
	bool passed[LISTENER_KINDS]; /* systemd passed them on */
	struct listen_file file;     /* of a Unix socket of ours */
};

/* What differs by kind. */
static const struct {
	const char *setting;
	size_t offset;    /* of the address in the options */
	const char *name; /* FileDescriptorName=; NULL: any other */
	const char *what; /* for the log */
	bool optional;    /* decisions do not need it */
} kinds[LISTENER_KINDS] = {
    [LISTENER_LINE] = {"[listen] line",
	offsetof(struct listeners_options, line), NULL, "", false},
    [LISTENER_HTTP] = {"[http] listen",
	offsetof(struct listeners_options, http), "http", " (HTTP)", false},
    [LISTENER_ADMIN] = {"[admin] listen",
	offsetof(struct listeners_options, admin), "admin", " (admin)", true},
    [LISTENER_POLICY] = {"[policy] listen",
	offsetof(struct listeners_options, policy), "policy", " (policy)",
	false},
};

static const char *
listeners_option(
    const struct listeners_options *options, enum listener_kind kind)
{
	return *(const char *const *)(const void *)((const char *)options +
						    kinds[kind].offset);
}

/* Why a setting cannot be listened on. */
static void
listeners_explain(char reason[LISTENERS_REASON_MAX], const char *setting,
    const char *value, const char *why)
{
	snprintf(
	    reason, LISTENERS_REASON_MAX, "%s = %s: %s", setting, value, why);
}

static void
listeners_look_up(struct listeners *listeners, enum listener_kind kind)
{
	const char *address = listeners_option(listeners->options, kind);
	char why[LISTEN_REASON_MAX];

	if (!*address)
		return;
	listeners->addresses[kind] = listen_look_up(address, why);
	if (!listeners->addresses[kind])
		listeners_explain(listeners->reasons[kind], kinds[kind].setting,
		    address, why);
}

struct listeners *
listeners_new(const struct listeners_options *options)
{
	struct listeners *listeners = calloc(1, sizeof(*listeners));

	if (!listeners)
		return NULL;
	listeners->options = options;
	for (int kind = 0; kind < LISTENER_KINDS; kind++)
		listeners_look_up(listeners, (enum listener_kind)kind);
	return listeners;
}

static struct listen_unix
listeners_unix(const struct listeners_options *options)
{
	return (struct listen_unix){
	    options->unix_path, (int)options->unix_mode, options->unix_group};
}

/* Whether the addresses of a kind can be listened on. */
static bool
listeners_check_kind(const struct listeners *listeners, enum listener_kind kind,
    char reason[LISTENERS_REASON_MAX])
{
	const struct addrinfo *addresses = listeners->addresses[kind];
	char why[LISTEN_REASON_MAX];

	snprintf(reason, LISTENERS_REASON_MAX, "%s", listeners->reasons[kind]);
	if (addresses && !listen_is_possible(addresses, why))
		listeners_explain(reason, kinds[kind].setting,
		    listeners_option(listeners->options, kind), why);
	return !*reason;
}

bool
listeners_check(
    const struct listeners_options *options, char reason[LISTENERS_REASON_MAX])
{
	struct listeners *listeners = listeners_new(options);
	struct listen_unix unix_socket = listeners_unix(options);
	char why[LISTEN_REASON_MAX];

	*reason = '\0';
	if (!listeners) {
		snprintf(reason, LISTENERS_REASON_MAX, "out of memory");
		return false;
	}
	for (int kind = 0; kind < LISTENER_KINDS && !*reason; kind++)
		(void)listeners_check_kind(
		    listeners, (enum listener_kind)kind, reason);
	if (!*reason && *options->unix_path &&
	    !listen_unix_is_possible(&unix_socket, why))
		listeners_explain(
		    reason, "[listen] unix", options->unix_path, why);
	listeners_close(listeners);
	return !*reason;
}

static void
listeners_on_accepted(int fd, void *arg)
{
	const struct listening *place = arg;

	place->all->accepted(fd, place->kind, place->all->arg);
}

/* Takes over the descriptor. */
static int
listeners_add(struct listeners *listeners, enum listener_kind kind, int fd)
{
	struct listening *place = &listeners->places[listeners->count];

	errno = EMFILE;
	if (listeners->count < MOST) {
		place->all = listeners;
		place->kind = kind;
		place->listener = listener_new(
		    listeners->loop, fd, listeners_on_accepted, place);
	}
	if (listeners->count == MOST || !place->listener) {
		log_error("cannot listen on descriptor %d: %m", fd);
		close(fd);
		return -1;
	}
	listeners->count++;
	log_info("listening on %s%s", listener_address(place->listener),
	    kinds[kind].what);
	return 0;
}

static enum listener_kind
listeners_kind_of_name(const char *name)
{
	for (int kind = 0; kind < LISTENER_KINDS; kind++)
		if (kinds[kind].name && strcmp(kinds[kind].name, name) == 0)
			return (enum listener_kind)kind;
	return LISTENER_LINE;
}

static void
listeners_on_passed(int fd, const char *name, void *arg)
{
	struct listeners *listeners = arg;
	enum listener_kind kind;

	if (!name) {
		listeners->accepted(fd, LISTENER_LINE, listeners->arg);
		return;
	}
	kind = listeners_kind_of_name(name);
	listeners->passed[kind] = true;
	listeners_add(listeners, kind, fd);
}

static int
listeners_add_tcp(struct listeners *listeners, enum listener_kind kind)
{
	int fds[LISTEN_TCP_MAX];
	char why[LISTEN_REASON_MAX];
	int result = 0;
	int count = listen_tcp(listeners->addresses[kind], fds, why);

	if (count == -1)
		listeners_explain(listeners->reasons[kind], kinds[kind].setting,
		    listeners_option(listeners->options, kind), why);
	for (int i = 0; i < count; i++)
		if (listeners_add(listeners, kind, fds[i]) == -1)
			result = -1;
	return result;
}

static int
listeners_add_unix(struct listeners *listeners)
{
	struct listen_unix unix_socket = listeners_unix(listeners->options);
	char why[LISTEN_REASON_MAX];
	int fd = listen_unix(&unix_socket, &listeners->file, why);

	if (fd != -1)
		return listeners_add(listeners, LISTENER_LINE, fd);
	listeners_explain(listeners->reasons[LISTENER_LINE], "[listen] unix",
	    unix_socket.path, why);
	return -1;
}

/* Open those of our own of a kind. */
static int
listeners_open_kind(struct listeners *listeners, enum listener_kind kind)
{
	const char *reason = listeners->reasons[kind];

	if ((!listeners->addresses[kind] ||
		listeners_add_tcp(listeners, kind) == 0) &&
	    (kind != LISTENER_LINE || !*listeners->options->unix_path ||
		listeners_add_unix(listeners) == 0) &&
	    !*reason)
		return 0;
	if (kinds[kind].optional) {
		log_warning("%s: goes on without it", reason);
		return 0;
	}
	if (*reason)
		log_error("%s", reason);
	return -1;
}

int
listeners_open(struct listeners *listeners, struct loop *loop,
    listeners_accepted *accepted, void *arg)
{
	listeners->loop = loop;
	listeners->accepted = accepted;
	listeners->arg = arg;
	systemd_take_passed(listeners_on_passed, listeners);
	for (int kind = 0; kind < LISTENER_KINDS; kind++)
		if (!listeners->passed[kind] &&
		    listeners_open_kind(listeners, (enum listener_kind)kind) ==
			-1)
			return -1;
	if (listeners->count == 0) {
		log_error("nothing to listen on");
		return -1;
	}
	return 0;
}

const char *
listeners_address(const struct listeners *listeners, enum listener_kind *kind)
{
	const struct listening *first = &listeners->places[0];

	for (size_t i = 1; i < listeners->count; i++)
		if (listeners->places[i].kind < first->kind)
			first = &listeners->places[i];
	*kind = first->kind;
	return listener_address(first->listener);
}

/* Whether only this host reaches it: a path, or a loopback address. */
static bool
listeners_is_local(const char *address)
{
	return *address == '/' || *address == '@' ||
	       strncmp(address, "127.", 4) == 0 ||
	       strncmp(address, "[::1]", 5) == 0;
}

const char *
listeners_exposed(const struct listeners *listeners, enum listener_kind kind)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listening *place = &listeners->places[i];
		const char *address = listener_address(place->listener);

		if (place->kind == kind && !listeners_is_local(address))
			return address;
	}
	return NULL;
}

void
listeners_close(struct listeners *listeners)
{
	if (!listeners)
		return;
	/* Remove the file while the socket is open: later it may be our
	 * successor's. */
	listen_remove(&listeners->file);
	for (size_t i = 0; i < listeners->count; i++) {
		struct listening *place = &listeners->places[i];

		if (!listeners->passed[place->kind])
			listener_accept(place->listener);
		listener_free(place->listener);
	}
	for (int kind = 0; kind < LISTENER_KINDS; kind++)
		if (listeners->addresses[kind])
			freeaddrinfo(listeners->addresses[kind]);
	free(listeners);
}
