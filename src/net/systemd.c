/*
 * The protocols of sd_notify(3) and sd_listen_fds(3), without the library: its
 * calls wait for a manager that does not read.  Holds: nothing here waits,
 * except systemd_keep_clients(), for at most KEEP_US.  The heart is
 * systemd_send().
 */
#include "net/systemd.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_NAME "client"

/* The first descriptor that is passed on. */
#define PASSED_FDS_START 3

/* Descriptors in one message; the kernel allows SCM_MAX_FD, 253. */
#define FDS_A_MESSAGE 250

/* Longest time that keeping clients takes in all. */
#define KEEP_US 800000

#define TEXT_MAX 700

/* Names are at most 255 bytes (systemd.socket(5)). */
#define SYSTEMD_NAME_MAX 256

/* Descriptors that go with a message, and until when it may wait for room. */
struct systemd_notice {
	const int *fds;
	size_t count;
	int64_t until_us; /* 0: not at all */
};

static char unsaid[TEXT_MAX]; /* the last state, until the manager has it */
static struct log_limiter limiter;

/* A socket that is connected to the manager's, or -1 with errno. */
static int
systemd_open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd, error;

	if ((*path != '/' && *path != '@') || len >= sizeof(address.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(address.sun_path, path, len);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	len += offsetof(struct sockaddr_un, sun_path);
	if (connect(fd, (struct sockaddr *)&address, (socklen_t)len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Wait for room for a message.  Return whether to try again. */
static bool
systemd_wait_for_room(int fd, int64_t until_us)
{
	struct pollfd polled = {.fd = fd, .events = POLLOUT};
	int64_t wait_us = until_us - clock_us();

	return wait_us > 0 && poll(&polled, 1, (int)(wait_us / 1000) + 1) >= 0;
}

static int
systemd_send_message(
    int fd, const char *text, const struct systemd_notice *notice)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(FDS_A_MESSAGE * sizeof(int))];
	} control = {0};
	struct iovec bytes = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	size_t len = notice->count * sizeof(int);

	if (notice->count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(len);
		control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		    .cmsg_type = SCM_RIGHTS,
		    .cmsg_len = CMSG_LEN(len)};
		memcpy(CMSG_DATA(&control.align), notice->fds, len);
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL) == -1)
		if (errno != EINTR &&
		    (errno != EAGAIN ||
			!systemd_wait_for_room(fd, notice->until_us)))
			return -1;
	return 0;
}

/* Return 0, also without a manager; or -1 if the manager did not get it. */
static int
systemd_send(const char *text, const struct systemd_notice *notice)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int result, fd;

	if (!path || !*path)
		return 0;
	fd = systemd_open_socket(path);
	result = fd == -1 ? -1 : systemd_send_message(fd, text, notice);
	if (result == -1)
		log_limited(&limiter, LOG_LEVEL_WARNING,
		    "cannot notify the service manager at %s: %m", path);
	if (fd != -1)
		close(fd);
	return result;
}

static int
systemd_say(const char *text)
{
	static const struct systemd_notice plain;

	return systemd_send(text, &plain);
}

/* Send a state; if that fails, systemd_status() sends it later. */
static void
systemd_say_state(const char *text)
{
	snprintf(unsaid, sizeof(unsaid), "%s", text);
	if (systemd_say(text) == 0)
		unsaid[0] = '\0';
}

/* Number of descriptors that systemd passed to this process. */
static int
systemd_count_passed(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");

	if (!pid || !count || strtol(pid, NULL, 10) != getpid())
		return 0;
	return atoi(count);
}

/* Copy the next of the names, which are separated by colons. */
static void
systemd_next_name(const char **names, char *to, size_t size)
{
	size_t len = strcspn(*names, ":");

	snprintf(to, size, "%.*s", (int)len, *names);
	*names += len;
	if (**names)
		(*names)++;
}

static bool
systemd_make_ours(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

void
systemd_take_passed(systemd_passed *passed, void *arg)
{
	int count = systemd_count_passed();
	const char *names = getenv("LISTEN_FDNAMES");
	bool clients = false;

	if (!names)
		names = "";
	for (int fd = PASSED_FDS_START; fd < PASSED_FDS_START + count; fd++) {
		char name[SYSTEMD_NAME_MAX];
		bool is_client;

		systemd_next_name(&names, name, sizeof(name));
		is_client = strcmp(name, CLIENT_NAME) == 0;
		clients |= is_client;
		if (systemd_make_ours(fd))
			passed(fd, is_client ? NULL : name, arg);
		else
			log_error(
			    "descriptor %d from systemd cannot be used: %m",
			    fd);
	}
	/* While systemd has them too, closing ours closes no connection. */
	if (clients)
		systemd_say("FDSTOREREMOVE=1\nFDNAME=" CLIENT_NAME);
}

bool
systemd_keeps_clients(void)
{
	const char *most = getenv("FDSTORE");

	return most && atoi(most) > 0;
}

/* The manager closes its end once it has read what was sent before. */
static void
systemd_wait_until_read(int64_t until_us)
{
	int ends[2];
	struct pollfd polled = {.fd = -1};
	struct systemd_notice notice = {&ends[1], 1, until_us};
	int64_t wait_us;
	int sent;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return;
	sent = systemd_send("BARRIER=1", &notice);
	close(ends[1]);
	polled.fd = ends[0];
	wait_us = until_us - clock_us();
	if (sent == 0 && wait_us > 0)
		poll(&polled, 1, (int)(wait_us / 1000) + 1);
	close(ends[0]);
}

void
systemd_keep_clients(const int *fds, size_t count)
{
	static int64_t until_us; /* of the first call, for all */

	if (until_us == 0)
		until_us = clock_us() + KEEP_US;
	while (count > 0) {
		size_t step = count < FDS_A_MESSAGE ? count : FDS_A_MESSAGE;
		struct systemd_notice notice = {fds, step, until_us};

		if (systemd_send("FDSTORE=1\nFDNAME=" CLIENT_NAME, &notice) ==
		    -1) {
			log_error("%zu connections are not kept over the "
				  "restart",
			    count);
			return;
		}
		fds += step;
		count -= step;
	}
	systemd_wait_until_read(until_us);
}

void
systemd_ready(const char *status)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	systemd_say_state(text);
}

void
systemd_reloading(void)
{
	struct timespec now;
	char text[TEXT_MAX];

	/* systemd 253 and later (Type=notify-reload) wants the time with it. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	systemd_say_state(text);
}

void
systemd_stopping(void)
{
	systemd_say_state(
	    "STOPPING=1\nSTATUS=draining: responding to what was received");
}

void
systemd_status(const char *status)
{
	char text[TEXT_MAX];

	if (unsaid[0] && systemd_say(unsaid) == -1)
		return;
	unsaid[0] = '\0';
	snprintf(text, sizeof(text), "STATUS=%s", status);
	systemd_say(text);
}

/* Whether the watchdog watches this process. */
static bool
systemd_is_watched(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	return !pid || strtol(pid, NULL, 10) == getpid();
}

int64_t
systemd_watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	long long result = us ? strtoll(us, NULL, 10) : 0;

	return result > 0 && systemd_is_watched() ? result : 0;
}

void
systemd_watchdog_pat(void)
{
	if (systemd_watchdog_us() > 0)
		systemd_say("WATCHDOG=1");
}
