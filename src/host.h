/**
 * host: what the machine gives to this process.
 */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>

/** Cores that it may run on, at least 1. */
size_t host_cores(void);

/** Have room for ${clients} connections, beside what else needs descriptors; or
 * warn that there is none. */
void host_raise_fd_limit(size_t clients);

#endif
