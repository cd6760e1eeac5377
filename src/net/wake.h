/**
 * wake: wakes the loop of another thread.
 *
 * A wake is a field of what is woken.
 */
#ifndef NET_WAKE_H
#define NET_WAKE_H

#include "base/attr.h"
#include "net/io.h"

struct wake {
	int fd; /* an eventfd; -1: closed */
	struct io io;
	void (*woken)(void *arg);
	void *arg;
};

/** Have ${loop} call ${woken} after wake_up(), or once after several.  Return
 * 0; or -1 with errno, and it stays closed. */
int wake_open(struct wake *wake, struct loop *loop, void (*woken)(void *arg),
    void *arg) MUST_USE;

/** Wake it.  From any thread. */
void wake_up(struct wake *wake);

/** Close it; one that is closed: no-op. */
void wake_close(struct wake *wake);

#endif
