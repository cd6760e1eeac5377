/**
 * balance: which worker hands clients to which, and how much of its load.
 *
 * The busiest worker hands half of the difference between their loads to the
 * least busy one, the second busiest does so to the second least busy one, and
 * so on.
 *
 * Knows no workers and no clients, only their loads.  Any thread.
 */
#ifndef SERVER_BALANCE_H
#define SERVER_BALANCE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A load is the time that a worker spent on its clients in such a period. */
#define BALANCE_PERIOD_US INT64_C(500000)

struct balance;

/** For ${count} workers without a load; for free().  NULL: out of memory. */
struct balance *balance_new(size_t count) MUST_USE;

/** Set the load of worker number ${index}, from 0. */
void balance_set(struct balance *balance, size_t index, int64_t load_us);

/** Whether that worker must hand part of its load to another: then set ${to} to
 * that one's number, and ${part_us} to how much. */
bool balance_find(
    const struct balance *balance, size_t index, size_t *to, int64_t *part_us);

#endif
