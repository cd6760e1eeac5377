#include "base/file.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STEP 65536

/* Read up to the end.  Return 0, or -1 with errno. */
static int
file_read_all(int fd, struct buf *text)
{
	for (;;) {
		char *room = buf_reserve(text, STEP + 1);
		ssize_t len = room ? read(fd, room, STEP) : -1;

		if (len == -1 && (!room || errno != EINTR))
			return -1;
		if (len == 0) {
			*room = '\0';
			return 0;
		}
		if (len > 0)
			buf_commit(text, (size_t)len);
		if (buf_len(text) > FILE_READ_MAX) {
			errno = EFBIG;
			return -1;
		}
	}
}

/* Takes over the descriptor. */
static char *
file_read_descriptor(int fd, size_t *len)
{
	struct buf text = {0};
	int error;

	if (file_read_all(fd, &text) == -1) {
		error = errno;
		buf_free(&text);
		errno = error;
	} else {
		*len = text.end;
	}
	error = errno;
	close(fd);
	errno = error;
	return text.bytes;
}

/* Whether reading never waits: a regular file, or /dev/null. */
static bool
file_is_ready(const struct stat *st)
{
	return S_ISREG(st->st_mode) ||
	       (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
}

/* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
static int
file_open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int error;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0) {
		if (file_is_ready(&st))
			return fd;
		errno = S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

char *
file_read(const char *path, size_t *len)
{
	int fd = file_open_regular(path);

	return fd == -1 ? NULL : file_read_descriptor(fd, len);
}

char *
file_read_any(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd == -1 ? NULL : file_read_descriptor(fd, len);
}

struct file_stamp
file_stamp(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return (struct file_stamp){.error = errno};
	return (struct file_stamp){
	    .device = st.st_dev,
	    .inode = st.st_ino,
	    .size = st.st_size,
	    .written = st.st_mtim,
	    .changed = st.st_ctim,
	};
}

static bool
file_is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
file_stamp_is_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->error == b->error && a->device == b->device &&
	       a->inode == b->inode && a->size == b->size &&
	       file_is_same_time(a->written, b->written) &&
	       file_is_same_time(a->changed, b->changed);
}

const char *
file_error(int error)
{
	switch (error) {
	case ENOTSUP:
	case ENXIO: /* a socket cannot even be opened */
		return "not a regular file";
	case EFBIG:
		return "larger than 64 MiB";
	}
	return strerror(error);
}
