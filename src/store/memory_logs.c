/*
 * Job: keeps the logs of buckets in memory.
 * Invariant: a log belongs to the slot of its bucket, and ends with it; all of
 * them together have no more bytes than the table would have if it were full.
 * The heart: memory_settle().
 */
#include "limit/leases.h"
#include "store/memory_internal.h"

#include <stdlib.h>

/* Bytes of logs for each bucket that there is room for. */
#define LOG_BYTES 40

#define ROOM_MIN 2

static bool
memory_reserve_log(struct memory *memory, size_t size)
{
	const uint64_t most = memory->max_buckets * LOG_BYTES;

	if (atomic_fetch_add_explicit(
		&memory->log_bytes, size, memory_order_relaxed) +
		size <=
	    most)
		return true;
	atomic_fetch_sub_explicit(
	    &memory->log_bytes, size, memory_order_relaxed);
	return false;
}

static size_t
memory_log_size(const struct bucket *bucket)
{
	return bucket->log.log ? leases_size(bucket->log.log->room) : 0;
}

/* Have the log of the bucket, or a new one, have so much room.  False: there is
 * no memory for it. */
static bool
memory_resize_log(struct memory *memory, struct bucket *bucket, uint32_t room)
{
	const size_t was = memory_log_size(bucket), size = leases_size(room);
	struct lease_log *log;

	if (!memory_reserve_log(memory, size))
		return false;
	log = realloc(bucket->log.log, size);
	atomic_fetch_sub_explicit(
	    &memory->log_bytes, log ? was : size, memory_order_relaxed);
	if (!log)
		return false;
	if (!bucket->log.log)
		leases_start(log, size);
	log->room = room;
	bucket->log.log = log;
	return true;
}

bool
memory_make_log(
    struct memory *memory, struct bucket *bucket, uint32_t more, int64_t now_us)
{
	const uint32_t need = leases_room(bucket, now_us) + more;
	const uint32_t held = bucket->log.log ? bucket->log.log->room : 0;
	uint32_t room = held > ROOM_MIN ? held : ROOM_MIN;

	if (need <= held)
		return true;
	while (room < need)
		room *= 2;
	return memory_resize_log(memory, bucket, room);
}

/* Give back memory that a log had more use for once.  Nothing needs to be: it
 * may fail. */
static void
memory_shrink_log(struct memory *memory, struct bucket *bucket)
{
	const struct lease_log *log = bucket->log.log;

	if (log && log->room > ROOM_MIN && log->count < log->room / 4)
		(void)memory_resize_log(memory, bucket, log->room / 2);
}

bool
memory_settle(struct memory *memory, const struct limit *limit,
    struct bucket *bucket, int64_t now_us)
{
	if (!memory_make_log(memory, bucket, 0, now_us))
		return false;
	leases_settle(limit, bucket, now_us);
	memory_shrink_log(memory, bucket);
	return true;
}

void
memory_drop_log(struct memory *memory, struct bucket *bucket)
{
	atomic_fetch_sub_explicit(
	    &memory->log_bytes, memory_log_size(bucket), memory_order_relaxed);
	free(bucket->log.log);
	bucket->log.log = NULL;
}

void
memory_drop_logs(struct memory *memory)
{
	for (size_t i = 0;
	     memory->slots && i < memory_slots(memory) && memory->log_bytes > 0;
	     i++) {
		struct memory_slot *slot = &memory->slots[i];
		struct bucket bucket = memory_unpack(slot);

		if (!memory_is_free(slot) && memory_algorithm_of(slot)->has_log)
			memory_drop_log(memory, &bucket);
	}
}
