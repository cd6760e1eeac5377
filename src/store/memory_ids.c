/*
 * Job: what became of requests that had an id, for those that keep their
 * buckets in memory. Invariant: an id is decided under the lock, so that two
 * threads that are asked with one id decide it once; memos are in a place of
 * the table each, and in the list of ages, and their bytes are within
 * IDS_BYTES_MAX. The heart: memory_decide_once().
 */
#include "base/list.h"
#include "limit/id.h"
#include "store/mates.h"
#include "store/memory_internal.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define IDS_PLACES 16384 /* a power of two */

/* The oldest are forgotten beyond: some 100,000 ids of one key each. */
#define IDS_BYTES_MAX (16U << 20)

/* The most that are forgotten at a time, by a sweep and for one more: that may
 * have the bytes of several. */
#define IDS_SWEPT   4096
#define IDS_TRIMMED 64

/* A request and what became of it. */
struct memory_memo {
	struct memory_memo *next; /* in its place */
	TAILQ_ENTRY(memory_memo) age;
	struct hash128 hash; /* of the first key and the id */
	int64_t until_us;
	size_t bytes;
	enum op op;
	bool passed;
	unsigned count;
	struct memory_part {
		int64_t amount;
		bool charged;
		struct decision decision;
	} parts[];
};

TAILQ_HEAD(memory_ages, memory_memo);

struct memory_ids {
	pthread_mutex_t lock;
	size_t bytes;            /* of all memos */
	struct memory_ages ages; /* oldest first */
	struct memory_memo *places[IDS_PLACES];
};

struct memory_ids *
memory_ids_new(void)
{
	struct memory_ids *ids = calloc(1, sizeof(*ids));

	if (!ids)
		return NULL;
	pthread_mutex_init(&ids->lock, NULL);
	TAILQ_INIT(&ids->ages);
	return ids;
}

static struct memory_memo **
memory_ids_place(struct memory_ids *ids, struct hash128 hash)
{
	return &ids->places[hash.lo & (IDS_PLACES - 1)];
}

static void
memory_ids_forget(struct memory_ids *ids, struct memory_memo *memo)
{
	struct memory_memo **at = memory_ids_place(ids, memo->hash);

	while (*at != memo)
		at = &(*at)->next;
	*at = memo->next;
	TAILQ_REMOVE(&ids->ages, memo, age);
	ids->bytes -= memo->bytes;
	free(memo);
}

/* Forget the oldest, as long as its time is up, or all have more bytes than
 * ${most}; at most ${count}. */
static void
memory_ids_trim(
    struct memory_ids *ids, size_t most, unsigned count, int64_t now_us)
{
	struct memory_memo *memo;

	for (; count > 0 && (memo = TAILQ_FIRST(&ids->ages)); count--) {
		if (memo->until_us > now_us && ids->bytes <= most)
			break;
		memory_ids_forget(ids, memo);
	}
}

void
memory_ids_free(struct memory_ids *ids)
{
	if (!ids)
		return;
	memory_ids_trim(ids, 0, UINT_MAX, 0);
	pthread_mutex_destroy(&ids->lock);
	free(ids);
}

void
memory_ids_sweep(struct memory_ids *ids, int64_t now_us)
{
	pthread_mutex_lock(&ids->lock);
	memory_ids_trim(ids, IDS_BYTES_MAX, IDS_SWEPT, now_us);
	pthread_mutex_unlock(&ids->lock);
}

/* No id has a blank, so that no two pairs of key and id are hashed alike. */
static struct hash128
memory_ids_hash(const struct query *first)
{
	const struct once *once = first->once;
	char name[KEY_MAX + 1 + ID_MAX];
	size_t len = first->key.len;

	memcpy(name, first->key.bytes, len);
	name[len++] = ' ';
	memcpy(name + len, once->id, once->len);
	return key_make(name, len + once->len).hash;
}

/* The memo of ${hash}, or NULL. */
static struct memory_memo *
memory_ids_find(struct memory_ids *ids, struct hash128 hash, int64_t now_us)
{
	struct memory_memo *memo = *memory_ids_place(ids, hash);

	while (memo && !hash128_equal(memo->hash, hash))
		memo = memo->next;
	if (!memo || memo->until_us > now_us)
		return memo;
	memory_ids_forget(ids, memo);
	return NULL;
}

/* Whether ${first} asks what the memo is about. */
static bool
memory_ids_is_about(const struct memory_memo *memo, const struct query *first)
{
	if (memo->op != first->op || memo->count != mates_count(first))
		return false;
	for (unsigned i = 0; first; first = first->mate, i++)
		if (memo->parts[i].amount != first->amount)
			return false;
	return true;
}

/* Remember what became of ${first}.  Out of memory: it is not. */
static void
memory_ids_add(
    struct memory_ids *ids, struct hash128 hash, const struct query *first)
{
	const unsigned count = mates_count(first);
	const size_t bytes =
	    sizeof(struct memory_memo) + count * sizeof(struct memory_part);
	struct memory_memo **place = memory_ids_place(ids, hash);
	struct memory_memo *memo;
	struct memory_part *part;

	memory_ids_trim(ids, IDS_BYTES_MAX - bytes, IDS_TRIMMED, first->now_us);
	memo = malloc(bytes);
	if (!memo)
		return;
	*memo = (struct memory_memo){
	    .next = *place,
	    .hash = hash,
	    .until_us = first->now_us + first->limit->id_memory_us,
	    .bytes = bytes,
	    .op = first->op,
	    .passed = mates_passed(first),
	    .count = count,
	};
	part = memo->parts;
	for (const struct query *query = first; query; query = query->mate)
		*part++ = (struct memory_part){
		    query->amount, query->charged, query->decision};
	*place = memo;
	TAILQ_INSERT_TAIL(&ids->ages, memo, age);
	ids->bytes += bytes;
}

/* Give ${first} the results that it had. */
static void
memory_ids_repeat(const struct memory_memo *memo, struct query *first)
{
	const struct memory_part *part = memo->parts;

	first->once->result = ONCE_REPEATED;
	for (struct query *query = first; query; query = query->mate, part++) {
		query->result = RESULT_DECISION;
		query->decided_by = DECIDED_BY_MEMORY;
		query->charged = part->charged;
		query->decision = part->decision;
	}
}

/* Decide what was denied, if it fits now.  A denial says again what it said. */
static void
memory_ids_try_again(
    struct memory *memory, struct memory_memo *memo, struct query *first)
{
	const struct hash128 hash = memo->hash;

	memory_decide_mates(memory, first, true);
	if (!mates_passed(first)) {
		memory_ids_repeat(memo, first);
		return;
	}
	memory_ids_forget(memory->ids, memo);
	memory_ids_add(memory->ids, hash, first);
}

static void
memory_ids_decide(struct memory *memory, struct query *first)
{
	struct memory_ids *ids = memory->ids;
	struct hash128 hash = memory_ids_hash(first);
	struct memory_memo *memo = memory_ids_find(ids, hash, first->now_us);

	first->once->result = ONCE_NEW;
	if (!memo) {
		memory_decide_together(memory, first);
		memory_ids_add(ids, hash, first);
	} else if (!memory_ids_is_about(memo, first)) {
		first->once->result = ONCE_OTHER;
		mates_abandon(first, UNAVAILABLE_REFUSED);
	} else if (memo->passed) {
		memory_ids_repeat(memo, first);
	} else {
		memory_ids_try_again(memory, memo, first);
	}
}

void
memory_decide_once(struct memory *memory, struct query *first)
{
	pthread_mutex_lock(&memory->ids->lock);
	memory_ids_decide(memory, first);
	pthread_mutex_unlock(&memory->ids->lock);
}
