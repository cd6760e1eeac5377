/**
 * explain_upstream: what EXPLAIN says of a key that is an upstream's limit_key.
 */
#ifndef SERVER_EXPLAIN_UPSTREAM_H
#define SERVER_EXPLAIN_UPSTREAM_H

#include "base/buf.h"
#include "server/queue.h"

#include <stddef.h>

/** Upstreams that charge the key of ${slot}: a row each. */
size_t explain_upstream_count(const struct slot *slot);

/** Write row ${i} of these.  Return 0, or -1 (out of memory). */
int explain_upstream_row(const struct slot *slot, size_t i, struct buf *out);

#endif
