#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

size_t
process_cores(void)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) == -1)
		return 1;
	return (size_t)CPU_COUNT(&cores);
}

/* Raise the limit to ${needed}, or as far as the system allows.  Return it. */
static rlim_t
process_raise_fd_limit(rlim_t needed)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return needed;
	if (limit.rlim_cur >= needed)
		return limit.rlim_cur;
	raised = limit;
	raised.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur
						      : limit.rlim_cur;
}

size_t
process_make_room(size_t wanted, size_t reserved)
{
	size_t limit = (size_t)process_raise_fd_limit(wanted + reserved);
	size_t room;

	if (reserved > limit / 2)
		reserved = limit / 2;
	room = limit - reserved;
	return room < wanted ? room : wanted;
}

/* The number behind a word of /proc/self/status. */
static int64_t
process_read_status(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoll(at + strlen(word), NULL, 10) : 0;
}

/* Linux before 6.2 does not say how many there are. */
static int64_t
process_count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int64_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count > 3 ? count - 3 : 0; /* ".", "..", and the folder's own */
}

static void
process_measure_status(struct process_usage *usage)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd != -1)
		close(fd);
	if (len <= 0)
		return;
	text[len] = '\0';
	usage->resident_bytes = process_read_status(text, "\nVmRSS:") * 1024;
	usage->virtual_bytes = process_read_status(text, "\nVmSize:") * 1024;
	usage->threads = process_read_status(text, "\nThreads:");
}

void
process_measure(struct process_usage *usage)
{
	struct rusage times;
	struct rlimit limit;
	struct stat folder;

	*usage = (struct process_usage){0};
	if (getrusage(RUSAGE_SELF, &times) == 0)
		usage->cpu_us =
		    (times.ru_utime.tv_sec + times.ru_stime.tv_sec) *
			INT64_C(1000000) +
		    times.ru_utime.tv_usec + times.ru_stime.tv_usec;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		usage->max_fds = (int64_t)limit.rlim_cur;
	usage->open_fds =
	    stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0
		? (int64_t)folder.st_size
		: process_count_fds();
	process_measure_status(usage);
}
