/**
 * leases: the buckets that are a log of what went in, in the order in which it
 * ends.  A lease is some drops that count until their time is up; one with a
 * name can be renewed, and given back before.  The drops of a sliding
 * window are leases without a name, which end by time only.
 *
 * A bucket of this kind has a log, and beside it what was put in and taken out
 * since the log was written.  So a copy of a bucket is a bucket, and decide()
 * leaves the log as it is, except for OP_RESET.
 */
#ifndef LIMIT_LEASES_H
#define LIMIT_LEASES_H

#include "base/attr.h"
#include "limit/algorithm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most drops of a bucket: the capacity and the debt of its limit. */
#define LEASES_MAX 10000

struct lease {
	int64_t end_us; /* it counts until then */
	uint64_t name;  /* 0: it has none */
	int32_t drops;  /* >= 1 */
};

/** Those of a bucket, in the order of their ends. */
struct lease_log {
	uint32_t count, room;
	int64_t drops; /* of all of them */
	struct lease leases[];
};

/** Bytes of a log for ${room} leases. */
static inline size_t
leases_size(uint32_t room)
{
	return sizeof(struct lease_log) + room * sizeof(struct lease);
}

/** The number that stands for the id of a lease (limit/id.h), never 0, which is
 * the same for all daemons. */
uint64_t lease_name(const char *bytes, size_t len);

/** Write it as the scripts have it. */
#define LEASE_DIGITS 11
void lease_name_write(char to[LEASE_DIGITS], uint64_t name);

/** Start an empty log in ${size} bytes. */
struct lease_log *leases_start(void *bytes, size_t size);

/** How much room the log of a bucket needs whose text has ${len} bytes, and on
 * which any number of decisions are made at one time. */
uint32_t leases_room_for(const struct limit *limit, size_t len);

/** How much room a bucket's log must have for leases_settle(). */
uint32_t leases_room(const struct bucket *bucket, int64_t now_us);

/** Have the log say what the bucket says, without what is over at ${now_us}.
 * ${bucket} has a log of the room that leases_room() says, or nothing to keep.
 */
void leases_settle(
    const struct limit *limit, struct bucket *bucket, int64_t now_us);

/*
 * Members of the rows of the algorithms.
 */
int leases_check(const struct limit *limit, struct limit_error *error);
int64_t leases_life_us(const struct limit *limit);
bool leases_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision);
bool leases_lease(const struct limit *limit, enum op op, uint64_t name,
    int64_t amount, int64_t now_us, struct bucket *bucket,
    struct decision *decision);
void leases_give_back(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket);
bool leases_is_drained(const struct bucket *bucket, int64_t now_us);
bool leases_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket);
size_t leases_longest(const struct limit *limit);
void leases_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters);

#define LEASES_ROW                                                             \
	.script = "leases", .batch = &script_leases_batch,                     \
	.sweep = &script_leases_sweep, .life_us = leases_life_us,              \
	.full_us = leases_life_us, .decide = leases_decide,                    \
	.give_back = leases_give_back, .is_drained = leases_is_drained,        \
	.has_log = true, .read = leases_read, .longest = leases_longest,       \
	.parameters = 2, .add_parameters = leases_add_parameters

#endif
