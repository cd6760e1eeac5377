/*
 * Job: a key after the other: mark it as blocked; look, fill, charge.
 * Invariant: a block is freed when its last check is decided; once flights end,
 * it asks nothing more.
 * The heart: steps[] and block_go_on().
 */
#include "upstream/block.h"

#include "limit/limit.h"
#include "upstream/flight.h"

#include <stdlib.h>

/* Most drops of a bucket that is a block.  Of more microseconds, a drop is
 * several: the block is longer by a millionth at most. */
#define BLOCK_DROPS INT64_C(1000000)

/* Sixteen queries about one key become one. */
const struct check_key block_question = {
    .amount = 1, .capacity = CHECK_KEYS_MAX, .recharge_ns = 1000};

/* What is asked of a key, in this order. */
enum block_step {
	BLOCK_MARK,
	BLOCK_LOOK,
	BLOCK_FILL,
	BLOCK_CHARGE,
	BLOCK_STEPS
};

struct check_key
block_filling(int64_t block_us)
{
	int64_t length_us = block_us + CHECK_KEYS_MAX;
	int64_t drop_us = (length_us + BLOCK_DROPS - 1) / BLOCK_DROPS;
	/* In a bucket that is not empty, a part of a drop may have no room. */
	int64_t drops = (length_us + drop_us - 1) / drop_us + 1;

	return (struct check_key){
	    .amount = drops, .capacity = drops, .recharge_ns = drop_us * 1000};
}

struct block {
	struct flights *flights;
	struct upstream *upstream; /* a reference */
	int64_t block_us;
	unsigned key;
	enum block_step step;
	int64_t amount; /* of the step */
	int64_t drops;  /* that leak in the time that is missing */
	struct check check;
};

/* How many drops leak until the time is over, of what the limit lets it
 * charge. */
static int64_t
block_count_drops(const struct block *block, const struct check *check)
{
	const struct limit *limit = check->limit;
	int64_t until_us = check->decision.retry_us;
	int64_t drops;

	if (!limit || limit->debt == 0 || limit->recharge_us == 0 ||
	    until_us < 0 || until_us >= block->block_us)
		return 0;
	drops = (block->block_us - until_us) / limit->recharge_us + 1;
	return drops < limit->debt ? drops : limit->debt;
}

static const enum op block_ops[BLOCK_STEPS] = {
    [BLOCK_MARK] = OP_TAKE,
    [BLOCK_LOOK] = OP_PEEK,
    [BLOCK_FILL] = OP_TAKE,
    [BLOCK_CHARGE] = OP_CHARGE,
};

/* Find out what is next, now that a step is done.  Return false: nothing. */
static bool
block_advance(struct block *block)
{
	const struct check *check = &block->check;

	if (block->step == BLOCK_LOOK)
		block->drops = block_count_drops(block, check);
	if (block->step == BLOCK_CHARGE ||
	    (block->step == BLOCK_LOOK && block->drops == 0)) {
		block->step = BLOCK_MARK;
		return ++block->key < block->upstream->key_count;
	}
	block->step++;
	block->amount = block->step == BLOCK_LOOK   ? 1
			: block->step == BLOCK_FILL ? check->limit->capacity
						    : block->drops;
	return true;
}

static void
block_mark(struct block *block)
{
	const struct check_key *key = &block->upstream->block_list[block->key];
	struct check_key filling = block_filling(block->block_us);

	check_add(&block->check, OP_TAKE, key->bytes, key->len, filling.amount);
	check_use_inline_limit(
	    &block->check, filling.capacity, filling.recharge_ns);
}

/* Ask what is next.  Return whether that is decided already. */
static bool
block_ask(struct block *block)
{
	const struct check_key *key = &block->upstream->key_list[block->key];

	if (block->step == BLOCK_MARK) {
		block_mark(block);
		return check_start(&block->check);
	}
	check_add(&block->check, block_ops[block->step], key->bytes, key->len,
	    block->amount);
	check_keep_alone(&block->check);
	return check_start(&block->check);
}

/* A step is decided. */
static void
block_go_on(struct block *block)
{
	bool more;

	do {
		more = block_advance(block) && !block->flights->ending;
		check_end(&block->check);
	} while (more && block_ask(block));
	if (more)
		return; /* it is called again */
	upstream_unref(block->upstream);
	free(block);
}

static void
block_on_check(struct check *check)
{
	block_go_on(CONTAINER_OF(check, struct block, check));
}

void
block_start(
    struct flights *flights, struct upstream *upstream, int64_t block_us)
{
	struct block *block =
	    upstream->key_count > 0 ? calloc(1, sizeof(*block)) : NULL;

	if (!block)
		return;
	block->flights = flights;
	block->upstream = upstream_ref(upstream);
	block->block_us = block_us;
	check_init(&block->check, flights->gate, block_on_check);
	if (block_ask(block))
		block_go_on(block);
}
