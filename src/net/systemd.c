#include "net/systemd.h"

#include "base/log.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define CLIENT_NAME "client"

/* What fits into one message: SCM_MAX_FD of the kernel, 253, rounded. */
#define FDS_A_MESSAGE 250

#define KEEP_US (2 * 1000000)

void
systemd_take_passed(systemd_passed *passed, void *arg)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	bool clients = false;

	if (count < 0)
		log_error("what systemd passed on: %s", strerror(-count));
	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		bool is_client = strcmp(names[i], CLIENT_NAME) == 0;

		evutil_make_socket_nonblocking(fd);
		clients |= is_client;
		passed(fd, is_client, arg);
		free(names[i]);
	}
	free(names);
	/* As long as systemd has them too, our closing them closes nothing. */
	if (clients)
		sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" CLIENT_NAME);
}

bool
systemd_keeps_clients(void)
{
	const char *most = getenv("FDSTORE");

	return most && atoi(most) > 0;
}

void
systemd_keep_clients(const int *fds, size_t count)
{
	while (count > 0) {
		unsigned step = count < FDS_A_MESSAGE ? (unsigned)count
						      : FDS_A_MESSAGE;
		int result = sd_pid_notify_with_fds(0, 0,
		    "FDSTORE=1\nFDNAME=" CLIENT_NAME, fds, step);

		if (result < 0)
			log_error("keeping clients: %s", strerror(-result));
		fds += step;
		count -= step;
	}
	sd_notify_barrier(0, KEEP_US);
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
systemd_status(const char *status)
{
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
