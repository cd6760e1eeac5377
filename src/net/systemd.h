/**
 * systemd: what a service says to its manager, and gets from it, by libsystemd.
 * Without systemd all of it does nothing.
 */
#ifndef NET_SYSTEMD_H
#define NET_SYSTEMD_H

#include "base/attr.h"

#include <stdint.h>

/** Sockets passed by socket activation; ${first} is set to the first one's
 * descriptor, the others follow.  All are made non-blocking. */
int systemd_sockets(int *first);

/** Say READY=1 with a status line. */
void systemd_ready(const char *status);

/** Say RELOADING=1; systemd_ready() ends it. */
void systemd_reloading(void);

/** Say STOPPING=1. */
void systemd_stopping(void);

/** Set the status line that systemctl status shows. */
void systemd_status(const char *format, ...) PRINTF_LIKE(1, 2);

/** Time within which the watchdog wants to be patted, 0 if it does not. */
int64_t systemd_watchdog_us(void);

/** Pat the watchdog. */
void systemd_watchdog_pat(void);

#endif
