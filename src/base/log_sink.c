#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum sink_kind {
	SINK_FILE,   /* never blocks */
	SINK_SOCKET, /* takes MSG_DONTWAIT */
	SINK_OWN,    /* opened again, with O_NONBLOCK */
	SINK_POLLED, /* poll() comes before each write */
};

static int sink_fd = STDERR_FILENO;
static enum sink_kind sink_kind = SINK_POLLED;
static bool sink_is_journal;
static pthread_once_t sink_once = PTHREAD_ONCE_INIT;

/* systemd.exec(5): JOURNAL_STREAM names the journal's stream.  It counts only
 * while standard error is that stream. */
static bool
log_sink_find_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       device == st->st_dev && inode == st->st_ino;
}

/* Other processes share standard error, and O_NONBLOCK would affect them too.
 * So open a pipe or a terminal a second time. */
static void
log_sink_set_up(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) == -1)
		return;
	sink_is_journal = log_sink_find_journal(&st);
	if (S_ISREG(st.st_mode)) {
		sink_kind = SINK_FILE;
	} else if (S_ISSOCK(st.st_mode)) {
		sink_kind = SINK_SOCKET;
	} else {
		fd = open("/proc/self/fd/2",
		    O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd != -1) {
			sink_fd = fd;
			sink_kind = SINK_OWN;
		}
	}
}

static ssize_t
log_sink_write_once(const char *bytes, size_t len)
{
	struct pollfd polled = {.fd = sink_fd, .events = POLLOUT};

	switch (sink_kind) {
	case SINK_SOCKET:
		return send(sink_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case SINK_POLLED:
		if (poll(&polled, 1, 0) != 1 || !(polled.revents & POLLOUT))
			return 0;
		break;
	case SINK_FILE:
	case SINK_OWN:
		break;
	}
	return write(sink_fd, bytes, len);
}

bool
log_sink_write(const char *bytes, size_t len)
{
	int saved_errno = errno;
	ssize_t written;

	pthread_once(&sink_once, log_sink_set_up);
	do
		written = log_sink_write_once(bytes, len);
	while (written == -1 && errno == EINTR);
	errno = saved_errno;
	return written > 0;
}

bool
log_sink_is_journal(void)
{
	pthread_once(&sink_once, log_sink_set_up);
	return sink_is_journal;
}
