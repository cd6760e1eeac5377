/**
 * process: what the system gives this process.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/** What the process uses.  What the system does not say is 0. */
struct process_usage {
	int64_t cpu_us;
	int64_t resident_bytes, virtual_bytes;
	int64_t open_fds, max_fds;
	int64_t threads;
};

/** Measure it now. */
void process_measure(struct process_usage *usage);

/** Number of cores that it may run on, at least 1. */
size_t process_cores(void);

/** Raise the limit of descriptors to ${wanted} for clients and ${reserved} for
 * the rest, or as far as the system allows; then at least half are for clients.
 * Return how many clients there is room for, at most ${wanted}. */
size_t process_make_room(size_t wanted, size_t reserved);

#endif
