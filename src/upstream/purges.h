/**
 * purges: what is to be forgotten in Redis, on its way to the upstream thread.
 */
#ifndef UPSTREAM_PURGES_H
#define UPSTREAM_PURGES_H

#include "base/attr.h"
#include "base/list.h"

#include <pthread.h>

/** What matches ${glob} of the upstream of that name. */
struct purge {
	TAILQ_ENTRY(purge) all;
	char *name, *glob;
};

struct purges {
	pthread_mutex_t lock;
	TAILQ_HEAD(, purge) list;
};

void purges_init(struct purges *purges);

/** Add one, any thread.  Return 0, or -1 (out of memory). */
int purges_add(
    struct purges *purges, const char *name, const char *glob) MUST_USE;

/** Take the oldest, for purge_free(); NULL: there is none. */
struct purge *purges_take(struct purges *purges) MUST_USE;

void purge_free(struct purge *purge);

/** Free those that are left. */
void purges_clear(struct purges *purges);

#endif
