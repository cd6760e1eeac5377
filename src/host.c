#include "host.h"

#include "base/log.h"

#include <sched.h>
#include <sys/resource.h>

/* Descriptors beside those of clients. */
#define SPARE_FDS 256

size_t
host_cores(void)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) == -1)
		return 1;
	return (size_t)CPU_COUNT(&cores);
}

void
host_raise_fd_limit(size_t clients)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)clients + SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < needed)
		log_warning("%llu descriptors are too few for %zu clients",
		    (unsigned long long)limit.rlim_cur, clients);
}
