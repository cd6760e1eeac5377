/*
 * One of each struct that dripgate.py shows, for test_debug.py to look at: gdb
 * stops in look().
 */
#include "base/buf.h"
#include "limit/bucket.h"
#include "limit/limit.h"
#include "protocol/protocol.h"
#include "server/queue.h"
#include "store/redis/batch.h"

#include <stdlib.h>

void look(void);

struct buf buf, no_buf, broken_buf = {.start = 5, .end = 3, .cap = 4};
struct bucket bucket = {.numbers = {INT64_C(1700000000000000), 7, 60000000}};
struct bucket no_bucket;
struct queue queue, no_queue;
struct batch batch;

void __attribute__((noinline)) look(void)
{
	__asm__ volatile("" ::: "memory");
}

static void
sample_queue(void)
{
	static const struct protocol protocol = {.name = "line"};
	static struct slot slots[2] = {
	    {.next = &slots[1], .protocol = &protocol, .ready = true},
	    {.protocol = &protocol, .check.state = CHECK_ASKED},
	};

	queue.head = &slots[0];
	queue.tail = &slots[1];
	queue.count = 2;
}

static int
sample_batch(void)
{
	static const struct limit limit = {.name = "login"};
	static struct query queries[2] = {{.next = &queries[1]}};

	batch.count = 1;
	batch.queries = 2;
	batch.entries[0].limit = &limit;
	batch.entries[0].key_at = 1;
	batch.entries[0].key_len = 6;
	batch.entries[0].first = &queries[0];
	batch.entries[0].last = &queries[1];
	return buf_add(&batch.keys, "xlogin:", 7);
}

int
main(void)
{
	if (buf_add(&buf, "say \"h\"\n", 8) == -1 || sample_batch() == -1)
		return EXIT_FAILURE;
	buf_consume(&buf, 1);
	sample_queue();
	look();
	return EXIT_SUCCESS;
}
