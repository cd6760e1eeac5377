/*
 * Any bytes as the file of buckets; their checks are made right, so that what
 * is behind them is reached.  What is read can be decided on; what is refused
 * leaves nothing.
 */
#include "fuzz.h"
#include "limit/key.h"
#include "store/bucket_file.h"
#include "store/bucket_file_format.h"

#include <string.h>

#define NOW INT64_C(1700000000000000)

static const struct limit limit = {
    .id = {11, 10},
    .algorithm = &algorithm_leaky_bucket,
    .capacity = 5,
    .recharge_us = 60000000,
};

/* Make the file as long as its head says, if that is possible, and sign it. */
static void
sign(char *bytes, size_t size)
{
	struct bucket_file_head head;
	uint64_t check, shares;

	memcpy(&head, bytes, sizeof(head));
	memcpy(head.magic, BUCKET_FILE_MAGIC, sizeof(head.magic));
	head.order = BUCKET_FILE_ORDER;
	head.version = BUCKET_FILE_VERSION;
	head.algorithms = bucket_file_algorithms();
	shares = head.shares % 64 * sizeof(struct bucket_file_share);
	if (size >= sizeof(head) + 16 + shares)
		head.buckets = (size - sizeof(head) - 16 - shares) / 32;
	head.check = bucket_file_check(BUCKET_FILE_CHECK_START, &head,
	    offsetof(struct bucket_file_head, check));
	memcpy(bytes, &head, sizeof(head));
	check = bucket_file_check(BUCKET_FILE_CHECK_START, bytes + sizeof(head),
	    size - sizeof(head) - sizeof(check));
	memcpy(bytes + size - sizeof(check), &check, sizeof(check));
}

static void
try_bytes(const char *bytes, size_t size)
{
	struct memory *memory =
	    memory_new(&(struct memory_options){100, ON_FULL_DENY});
	char reason[BUCKET_FILE_REASON_MAX];
	struct bucket_file_count count;
	struct decision decision;
	struct key key = key_make("k", 1);

	check(memory != NULL);
	if (bucket_file_read_bytes(bytes, size, memory, NOW, &count, reason) ==
	    -1) {
		check(*reason != '\0');
		check(memory_buckets(memory) == 0);
	} else {
		check(memory_buckets(memory) <= count.buckets);
	}
	memory_decide(memory, &limit, &key, OP_CONSUME, 1, NOW, &decision);
	memory_sweep(memory, memory_slots(memory), NOW + 1);
	memory_free(memory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = calloc(1, size + 8);

	check(bytes != NULL);
	if (size > 0)
		memcpy(bytes, data, size);
	try_bytes(bytes, size);
	if (size >= sizeof(struct bucket_file_head) + sizeof(uint64_t)) {
		sign(bytes, size);
		try_bytes(bytes, size);
	}
	free(bytes);
	return 0;
}
