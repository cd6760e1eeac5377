/**
 * wake: tells the loop of another thread to look at what is wanted of it.
 *
 * A wake is a field of what is woken.
 */
#ifndef NET_WAKE_H
#define NET_WAKE_H

#include "base/attr.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct wake {
	int fd;             /* an eventfd; -1: closed */
	struct event event;
	void (*woken)(void *arg);
	void *arg;
};

/** Have ${base} call ${woken} after wake_up(): after several, at least once.
 * Return 0, or -1 with errno, and closed. */
int wake_open(struct wake *wake, struct event_base *base,
    void (*woken)(void *arg), void *arg) MUST_USE;

/** Wake it.  From any thread. */
void wake_up(struct wake *wake);

/** Close it; one that is closed: no-op. */
void wake_close(struct wake *wake);

#endif
