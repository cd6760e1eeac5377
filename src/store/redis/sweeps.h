/**
 * sweeps: one sweep (sweep.h) for each server of a topology.
 */
#ifndef STORE_REDIS_SWEEPS_H
#define STORE_REDIS_SWEEPS_H

#include "base/attr.h"
#include "store/redis/sweep.h"

struct sweeps;

/** Start all.  NULL: out of memory. */
struct sweeps *sweeps_new(const struct sweep_common *common) MUST_USE;

/** As sweep_include_inline(). */
void sweeps_include_inline(struct sweeps *sweeps);

/** As sweep_trim(), for the server at ${place} in the topology. */
void sweeps_trim(
    struct sweeps *sweeps, size_t place, int64_t back_us, int64_t since_us);

/** As sweep_set_rules(). */
void sweeps_set_rules(struct sweeps *sweeps, struct rules *rules);

/** Stop and free all; NULL: no-op. */
void sweeps_free(struct sweeps *sweeps);

#endif
