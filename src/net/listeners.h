/**
 * listeners: all the sockets on which a daemon listens, its own or systemd's.
 */
#ifndef NET_LISTENERS_H
#define NET_LISTENERS_H

#include "base/attr.h"
#include "net/listener.h"

#include <stdbool.h>
#include <stdint.h>

/** Room for why something cannot be listened on, and which setting says it. */
#define LISTENERS_REASON_MAX 400

/** What a listener is for. */
enum listener_kind {
	LISTENER_LINE, /* any protocol; a Unix socket too */
	LISTENER_HTTP,
	LISTENER_ADMIN,
	LISTENER_POLICY,
	LISTENER_KINDS
};

struct listeners_options {
	const char *line;       /* TCP address (host_port.h), "": none */
	const char *http;       /* the same */
	const char *admin;      /* the same */
	const char *policy;     /* the same */
	const char *unix_path;  /* "": none */
	int64_t unix_mode;      /* of its file; -1: 0777 less the umask */
	const char *unix_group; /* "": ours */
};

struct listeners;

/** A client came: ${fd} is non-blocking and the callee's. */
typedef void listeners_accepted(int fd, enum listener_kind kind, void *arg);

/** Look up the addresses in ${options}, which are borrowed.  Waits for the
 * resolver: call it before the loop runs.  NULL: out of memory. */
struct listeners *listeners_new(
    const struct listeners_options *options) MUST_USE;

/** Whether this host can listen on what ${options} say, apart from sockets in
 * use now.  If not, ${reason} says why. */
bool listeners_check(const struct listeners_options *options,
    char reason[LISTENERS_REASON_MAX]) MUST_USE;

/** Listen on the sockets that systemd passed on, and, of a kind of which there
 * are none, on those of the options.  ${accepted} gets each client, and, from
 * within, the connections that systemd kept over a restart.  Return 0; or -1 if
 * one cannot be listened on, or the options name none: the log says why.
 * Without LISTENER_ADMIN it goes on, with a warning. */
int listeners_open(struct listeners *listeners, struct loop *loop,
    listeners_accepted *accepted, void *arg) MUST_USE;

/** The first address listened on, of the first kind that there is, as text,
 * owned by the listeners; ${kind} is set. */
const char *listeners_address(
    const struct listeners *listeners, enum listener_kind *kind);

/** The first address of this kind that other hosts may reach, as above; NULL:
 * there is none. */
const char *listeners_exposed(
    const struct listeners *listeners, enum listener_kind kind);

/** Close them; NULL: no-op.  Clients that wait are let in first, except at
 * systemd's sockets, where they wait for our successor. */
void listeners_close(struct listeners *listeners);

#endif
