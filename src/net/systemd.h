/**
 * systemd: what a service sends to its manager, and gets from it.
 *
 * Without a manager (NOTIFY_SOCKET, LISTEN_FDS) all of it does nothing.  Never
 * waits for a manager that does not read: a state that was lost is sent later.
 */
#ifndef NET_SYSTEMD_H
#define NET_SYSTEMD_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One descriptor that was passed on: a socket to listen on, with its name
 * (FileDescriptorName=), or, without one, a client kept by
 * systemd_keep_clients() of our predecessor.  Non-blocking, the callee's. */
typedef void systemd_passed(int fd, const char *name, void *arg);

/** Hand over what systemd passed on.  Once, at the start. */
void systemd_take_passed(systemd_passed *passed, void *arg);

/** Whether systemd keeps clients for our successor: FileDescriptorStoreMax= and
 * FDSTORE in the environment (systemd 254 sets it, a unit may). */
bool systemd_keeps_clients(void);

/** Have systemd keep these connections over a restart.  They stay the caller's
 * to close.  Waits until systemd has them, in all calls together for at most
 * 0.8 s. */
void systemd_keep_clients(const int *fds, size_t count);

/** Say READY=1 with a status line. */
void systemd_ready(const char *status);

/** Say RELOADING=1; systemd_ready() ends it. */
void systemd_reloading(void);

/** Say STOPPING=1. */
void systemd_stopping(void);

/** Set the status line that systemctl status shows; send a lost state first. */
void systemd_status(const char *status);

/** Time within which the watchdog wants to be patted, 0 if it does not. */
int64_t systemd_watchdog_us(void);

/** Pat the watchdog. */
void systemd_watchdog_pat(void);

#endif
