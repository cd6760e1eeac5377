/*
 * Linked into the programs under torture, with --wrap: the calls below that our
 * own code makes are counted, and one of them fails.
 *
 *   TORTURE_AT     the number of the call that is to fail, from 1; 0: none
 *   TORTURE_NOTES  a file that gets a line for the call that failed, and at the
 *                  end one with the number of calls
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic long calls;
static long failing;
static const char *notes;

static void
torture_note(const char *text)
{
	int fd;

	if (!notes)
		return;
	fd = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	if (dprintf(fd, "%s\n", text) < 0)
		abort();
	close(fd);
}

__attribute__((constructor)) static void
torture_start(void)
{
	const char *at = getenv("TORTURE_AT");

	notes = getenv("TORTURE_NOTES");
	failing = at ? atol(at) : 0;
}

__attribute__((destructor)) static void
torture_end(void)
{
	char text[40];

	failing = 0; /* what comes now is not the program's */
	snprintf(text, sizeof(text), "calls %ld", calls);
	torture_note(text);
}

/* Say which call fails: its name, and the place in the program. */
static void
torture_tell(const char *name, const char *caller)
{
	char text[100];
	Dl_info info;

	if (dladdr(caller, &info) == 0)
		info.dli_fbase = NULL;
	snprintf(text, sizeof(text), "fails %s %#tx", name,
	    caller - (const char *)info.dli_fbase);
	torture_note(text);
}

static bool
torture_fails(const char *name, const void *caller, int error)
{
	if (++calls != failing)
		return false;
	torture_tell(name, caller);
	errno = error;
	return true;
}

/* A call that returns ${failed} when it is its turn. */
#define WRAP(type, name, parameters, arguments, error, failed)                 \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return torture_fails(                                          \
			   #name, __builtin_return_address(0), error)          \
			   ? failed                                            \
			   : __real_##name arguments;                          \
	}

WRAP(void *, malloc, (size_t size), (size), ENOMEM, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), ENOMEM, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), ENOMEM, NULL)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size),
    (old, count, size), ENOMEM, NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size),
    ENOMEM, NULL)
WRAP(char *, strdup, (const char *text), (text), ENOMEM, NULL)
WRAP(char *, strndup, (const char *text, size_t len), (text, len), ENOMEM, NULL)
WRAP(ssize_t, read, (int fd, void *to, size_t len), (fd, to, len), EIO, -1)
WRAP(ssize_t, recv, (int fd, void *to, size_t len, int flags),
    (fd, to, len, flags), ECONNRESET, -1)
WRAP(ssize_t, send, (int fd, const void *from, size_t len, int flags),
    (fd, from, len, flags), ECONNRESET, -1)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len), ECONNREFUSED, -1)
WRAP(int, socket, (int domain, int type, int protocol),
    (domain, type, protocol), EMFILE, -1)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE, -1)
WRAP(int, accept4,
    (int fd, struct sockaddr *from, socklen_t *restrict len, int flags),
    (fd, from, len, flags), EMFILE, -1)
WRAP(int, pthread_create,
    (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *),
	void *arg),
    (thread, attributes, run, arg), EAGAIN, EAGAIN)

ssize_t __real_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);

/* What is written to an eventfd is a number, and never fails. */
ssize_t
__wrap_write(int fd, const void *from, size_t len)
{
	return len != sizeof(uint64_t) &&
		       torture_fails("write", __builtin_return_address(0), EIO)
		   ? -1
		   : __real_write(fd, from, len);
}

int __real_vasprintf(char **text, const char *format, va_list arguments);
int __wrap_vasprintf(char **text, const char *format, va_list arguments);
int __wrap_asprintf(char **text, const char *format, ...);

__attribute__((format(printf, 2, 0))) int
__wrap_vasprintf(char **text, const char *format, va_list arguments)
{
	if (torture_fails("vasprintf", __builtin_return_address(0), ENOMEM))
		return -1;
	return __real_vasprintf(text, format, arguments);
}

__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	int len;

	if (torture_fails("asprintf", __builtin_return_address(0), ENOMEM))
		return -1;
	va_start(arguments, format);
	len = __real_vasprintf(text, format, arguments);
	va_end(arguments);
	return len;
}
