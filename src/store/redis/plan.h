/**
 * plan: a batch whose queries are decided in the order they came, step by step.
 *
 * A step is a query, or several that are decided together.  The script
 * lua/plan.lua takes the steps on the server; the same steps are repeated here
 * on the buckets of its reply.
 */
#ifndef STORE_REDIS_PLAN_H
#define STORE_REDIS_PLAN_H

#include "redis/command.h"
#include "store/redis/batch.h"

/** Append ${query} and its mates, whose entries are in the batch, as a step. */
void plan_add_step(struct batch *batch, struct query *query);

/** Number of arguments of the steps. */
size_t plan_count_steps(const struct batch *batch);

/** Write the names of the memos of all steps that have an id: keys, as
 * batch_write() writes hashes. */
void plan_write_memo_names(const struct batch *batch, const char *prefix,
    const struct partitions *partitions, struct command *command);

/** Write the steps. */
void plan_write_steps(struct batch *batch, struct command *command);

/** As batch_take_reply(), of a reply that has the form of the script's. */
int plan_take_reply(struct batch *batch, const redisReply *reply,
    const char **foreign) MUST_USE;

#endif
