/**
 * doors: all the sockets on which a daemon listens, its own or systemd's.
 */
#ifndef NET_DOORS_H
#define NET_DOORS_H

#include "base/attr.h"
#include "net/listener.h"

struct doors_options {
	const char *line;      /* TCP address, "": none */
	const char *unix_path; /* "": none */
};

struct doors;

/** Listen on the sockets that systemd passed on, or, if there are none, on
 * those of ${options}, which are borrowed.  ${accepted} gets each client, and,
 * from within, the connections that systemd kept over a restart.  NULL if one
 * cannot be listened on, or none was asked for; the log says why. */
struct doors *doors_open(struct event_base *base,
    const struct doors_options *options, listener_accepted *accepted,
    void *arg) MUST_USE;

/** The first address listened on, as text.  Owned by the doors. */
const char *doors_address(const struct doors *doors);

/** Close them, or NULL.  Who waits is let in first, except at systemd's
 * sockets, where he waits for our successor. */
void doors_close(struct doors *doors);

#endif
