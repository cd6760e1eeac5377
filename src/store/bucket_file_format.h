/**
 * bucket_file_format: the file of buckets.  For bucket_file.c and
 * bucket_file_read.c only.
 *
 *   head | stripe 0 | stripe 1 | ... | shares | check
 *
 * All words are 64 bits in the order of the machine, which the head says.  A
 * stripe is the number of its buckets and these, as memory_internal.h has them.
 */
#ifndef STORE_BUCKET_FILE_FORMAT_H
#define STORE_BUCKET_FILE_FORMAT_H

#include "base/siphash.h"
#include "store/memory_internal.h"

#include <stddef.h>
#include <stdint.h>

#define BUCKET_FILE_MAGIC   "dripsnap"
#define BUCKET_FILE_ORDER   UINT64_C(0x0102030405060708)
#define BUCKET_FILE_VERSION 1

struct bucket_file_head {
	char magic[8];
	uint64_t order;
	uint64_t version;
	uint64_t algorithms; /* their names in their order, as a check */
	uint64_t stripes, shares, buckets;
	int64_t now_us;  /* by the clock of the process */
	int64_t wall_us; /* by the wall clock */
	uint64_t seed[2];
	uint64_t check; /* of the head up to here */
};

/* The number of a share, and what it is of. */
struct bucket_file_share {
	uint64_t share, tag;
	int64_t memory_us; /* of its blocks, as struct shares has it */
};

_Static_assert(sizeof(struct bucket_file_head) == 96, "no padding");
_Static_assert(sizeof(struct siphash_seed) == 2 * sizeof(uint64_t),
    "the seed is two words");

/** Of no bytes. */
#define BUCKET_FILE_CHECK_START UINT64_C(0xcbf29ce484222325)

/** The check with ${len} bytes more, whole words.  It finds what a disk or a
 * crash does, not what an enemy does. */
uint64_t bucket_file_check(uint64_t check, const void *bytes, size_t len);

/** The check of the names of all algorithms. */
uint64_t bucket_file_algorithms(void);

#define BUCKET_FILE_NAME     "buckets"
#define BUCKET_FILE_NEW_NAME "buckets.new"
#define BUCKET_FILE_PATH_MAX 4200

#endif
