/**
 * file: a whole file at once.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/** Largest file that is read. */
#define FILE_READ_MAX ((size_t)64 << 20)

/** Read the regular file at ${path}, or /dev/null.  Refuse anything that could
 * make the reader wait, such as a FIFO or another device.  Return its bytes,
 * which the caller frees, with a NUL after the last one, which ${len} does not
 * count; or NULL with errno, for file_error(). */
char *file_read(const char *path, size_t *len) MUST_USE;

/** Read anything at ${path}, for instance a pipe, and wait for it. */
char *file_read_any(const char *path, size_t *len) MUST_USE;

/** What a path leads to now.  If it changes, so does this: if another file
 * takes its place, if that is written to, or if its rights change. */
struct file_stamp {
	int error; /* errno; 0: there is one */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

/** Take the stamp of the file at ${path}. */
struct file_stamp file_stamp(const char *path);

/** Whether they are of the same file, unchanged. */
bool file_stamp_is_same(const struct file_stamp *a, const struct file_stamp *b);

/** The text for an errno that these functions set. */
const char *file_error(int error) MUST_USE;

#endif
