/*
 * Sets the wall clock of one process: a library to be preloaded, which adds the
 * microseconds in the file SET_CLOCK (8 bytes, mapped) to what the system says.
 * A look-up of a name waits while the file WAIT_NAMES is there.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_us;

__attribute__((constructor)) static void
set_clock_map(void)
{
	const char *path = getenv("SET_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at;

	if (fd == -1)
		return;
	at = mmap(NULL, sizeof(*shift_us), PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		shift_us = at;
}

static int64_t
set_clock_shift_us(void)
{
	return shift_us ? *shift_us : 0;
}

/* The same prototypes as the system's, whose own they hide. */
int set_clock_gettime(clockid_t id, struct timespec *ts) __asm__(
    "clock_gettime");
int set_clock_gettimeofday(struct timeval *tv, void *zone) __asm__(
    "gettimeofday");
int set_clock_getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints,
    struct addrinfo **result) __asm__("getaddrinfo");

int
set_clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	int64_t us;
	int status;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	status = real(id, ts);
	if (status == -1 || id != CLOCK_REALTIME)
		return status;
	us = (int64_t)ts->tv_sec * 1000000 + ts->tv_nsec / 1000 +
	     set_clock_shift_us();
	ts->tv_sec = us / 1000000;
	ts->tv_nsec = us % 1000000 * 1000;
	return 0;
}

int
set_clock_gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	if (set_clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

int
set_clock_getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **result)
{
	static int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	const char *path = getenv("WAIT_NAMES");

	while (path && access(path, F_OK) == 0)
		usleep(10000);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, result);
}
