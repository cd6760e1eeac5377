/*
 * A hash of whole texts, and a sorted index of prefixes.
 * Holds: the parent of an entry is a prefix of it, and comes before it.
 * The heart is index_append() and index_climb().
 */
#include "limit/index.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_CAP 16

/* The slot of ${hash}, or the free slot where it belongs. */
static struct hash_slot *
index_find_slot(const struct hash_index *index, const struct hash128 *hash)
{
	size_t i = hash->lo;

	for (;; i++) {
		struct hash_slot *slot = &index->slots[i & (index->cap - 1)];

		if (slot->order == INDEX_NONE ||
		    hash128_equal(slot->hash, *hash))
			return slot;
	}
}

static int
index_grow(struct hash_index *index)
{
	struct hash_index larger = {
	    .cap = index->cap ? index->cap * 2 : SMALLEST_CAP,
	    .count = index->count,
	};

	larger.slots = calloc(larger.cap, sizeof(*larger.slots));
	if (!larger.slots)
		return -1;
	for (size_t i = 0; i < larger.cap; i++)
		larger.slots[i].order = INDEX_NONE;
	for (size_t i = 0; i < index->cap; i++)
		if (index->slots[i].order != INDEX_NONE)
			*index_find_slot(&larger, &index->slots[i].hash) =
			    index->slots[i];
	free(index->slots);
	*index = larger;
	return 0;
}

int
hash_index_add(
    struct hash_index *index, const struct hash128 *hash, unsigned order)
{
	struct hash_slot *slot;

	if ((index->count + 1) * 2 > index->cap && index_grow(index) < 0)
		return -1;
	slot = index_find_slot(index, hash);
	if (slot->order != INDEX_NONE)
		return 0;
	*slot = (struct hash_slot){*hash, order};
	index->count++;
	return 0;
}

unsigned
hash_index_find(const struct hash_index *index, const struct hash128 *hash)
{
	if (index->count == 0)
		return INDEX_NONE;
	return index_find_slot(index, hash)->order;
}

void
hash_index_free(struct hash_index *index)
{
	free(index->slots);
	*index = (struct hash_index){0};
}

/* The first eight bytes as a big-endian number, which compares as they do;
 * missing bytes are zeros. */
static uint64_t
index_head_of(const char *bytes, size_t len)
{
	uint64_t head = 0;

	if (len >= sizeof(head))
		memcpy(&head, bytes, sizeof(head));
	else
		memcpy(&head, bytes, len);
	return be64toh(head);
}

static int
index_compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* By bytes, and among equals by order. */
static int
index_compare_prefixes(const void *left, const void *right)
{
	const struct prefix *a = left;
	const struct prefix *b = right;
	int order = index_compare_bytes(a->bytes, a->len, b->bytes, b->len);

	return order ? order : (a->order < b->order) - (a->order > b->order);
}

/* Whether ${len} bytes start with prefix ${i}.  Most prefixes are in their
 * heads as a whole. */
static bool
index_starts_with(
    const struct prefix_index *index, unsigned i, const char *bytes, size_t len)
{
	const struct prefix *prefix = &index->entries[i].prefix;
	uint64_t differs;

	if (len < prefix->len)
		return false;
	if (prefix->len > sizeof(uint64_t))
		return memcmp(bytes, prefix->bytes, prefix->len) == 0;
	differs = index_head_of(bytes, len) ^ index->heads[i];
	return prefix->len == 0 || differs >> (64 - 8 * prefix->len) == 0;
}

/* Of entry ${i}, its parent, the parent's parent and so on: the first with
 * which ${len} bytes start. */
static unsigned
index_climb(
    const struct prefix_index *index, unsigned i, const char *bytes, size_t len)
{
	while (i != INDEX_NONE && !index_starts_with(index, i, bytes, len))
		i = index->entries[i].parent;
	return i;
}

/* Add a prefix that sorts after all others. */
static void
index_append(struct prefix_index *index, const struct prefix *prefix)
{
	struct prefix_entry *entry = &index->entries[index->count];
	unsigned parent = INDEX_NONE;

	if (index->count > 0)
		parent = index_climb(index, (unsigned)index->count - 1,
		    prefix->bytes, prefix->len);
	*entry = (struct prefix_entry){*prefix, prefix->order, parent};
	if (parent != INDEX_NONE && index->entries[parent].first < entry->first)
		entry->first = index->entries[parent].first;
	index->heads[index->count++] =
	    index_head_of(prefix->bytes, prefix->len);
}

int
prefix_index_build(
    struct prefix_index *index, struct prefix *prefixes, size_t count)
{
	if (count == 0)
		return 0;
	index->heads = calloc(count, sizeof(*index->heads));
	index->entries = calloc(count, sizeof(*index->entries));
	if (!index->heads || !index->entries) {
		prefix_index_free(index);
		return -1;
	}
	qsort(prefixes, count, sizeof(*prefixes), index_compare_prefixes);
	for (size_t i = 0; i < count; i++)
		index_append(index, &prefixes[i]);
	for (size_t i = 0; i < count; i++)
		index->below[(index->heads[i] >> 56) + 1]++;
	for (size_t byte = 0; byte < 256; byte++)
		index->below[byte + 1] += index->below[byte];
	return 0;
}

/* How many heads are below ${head}.  A table gives those with a smaller first
 * byte.  Each step of the search among the others adds a product instead of
 * branching: the processor would predict half of the branches wrong. */
static size_t
index_count_below(const struct prefix_index *index, uint64_t head)
{
	const uint64_t *heads = index->heads;
	const unsigned *below = &index->below[head >> 56];
	size_t low = below[0];

	for (size_t left = below[1] - below[0]; left > 0;) {
		size_t half = (left + 1) / 2;

		low += half * (heads[low + half - 1] < head);
		left -= half;
	}
	return low;
}

/* How many entries sort before ${bytes} or equal them. */
static size_t
index_count_before(
    const struct prefix_index *index, const char *bytes, size_t len)
{
	uint64_t head = index_head_of(bytes, len);
	size_t low = index_count_below(index, head);
	size_t high;

	if (low == index->count || index->heads[low] != head)
		return low;
	high = head == UINT64_MAX ? index->count
				  : index_count_below(index, head + 1);
	while (low < high) {
		size_t i = low + (high - low) / 2;
		const struct prefix *prefix = &index->entries[i].prefix;

		if (index_compare_bytes(
			prefix->bytes, prefix->len, bytes, len) <= 0)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

unsigned
prefix_index_longest(
    const struct prefix_index *index, const char *bytes, size_t len)
{
	size_t before;

	if (index->count == 0)
		return INDEX_NONE;
	before = index_count_before(index, bytes, len);
	/* Every entry that sorts between a prefix of the key and the key starts
	 * with that prefix too.  So each prefix is the last entry before the
	 * key, or an ancestor of it. */
	return before == 0
		   ? INDEX_NONE
		   : index_climb(index, (unsigned)before - 1, bytes, len);
}

unsigned
prefix_index_find(
    const struct prefix_index *index, const char *bytes, size_t len)
{
	unsigned i = prefix_index_longest(index, bytes, len);

	return i == INDEX_NONE ? INDEX_NONE : index->entries[i].first;
}

void
prefix_index_free(struct prefix_index *index)
{
	free(index->heads);
	free(index->entries);
	*index = (struct prefix_index){0};
}
