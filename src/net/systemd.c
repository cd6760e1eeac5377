#include "net/systemd.h"

#include "base/log.h"

#include <event2/util.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

int
systemd_sockets(int *first)
{
	int count = sd_listen_fds(1);

	if (count < 0) {
		log_error("the sockets passed by systemd: %s", strerror(-count));
		return 0;
	}
	*first = SD_LISTEN_FDS_START;
	for (int i = 0; i < count; i++)
		evutil_make_socket_nonblocking(SD_LISTEN_FDS_START + i);
	return count;
}

void
systemd_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
systemd_reloading(void)
{
	struct timespec now;

	/* systemd 253 and later (Type=notify-reload) wants the time with it. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
systemd_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=answering what was received");
}

void
systemd_status(const char *format, ...)
{
	char status[200];
	va_list args;

	va_start(args, format);
	vsnprintf(status, sizeof(status), format, args);
	va_end(args);
	sd_notifyf(0, "STATUS=%s", status);
}

int64_t
systemd_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)us : 0;
}

void
systemd_watchdog_pat(void)
{
	sd_notify(0, "WATCHDOG=1");
}
