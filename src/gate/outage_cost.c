/*
 * Job: counts what fell back in an outage.
 * Invariant: the counts of the limits are settled while Redis replies, and a
 * second after the last request that fell back; so an outage's are those since.
 * The heart: outage_cost_end() and outage_cost_tick().
 */
#include "gate/outage_cost.h"

#include "base/buf.h"
#include "base/clock.h"
#include "gate/gateway.h"

#include <stdlib.h>

/* A server that closes each connection must not fill the log with shorter
 * outages than this. */
#define SHORT_MS 1000

/* Limits that are named, those with the most requests. */
#define NAMED_MAX 8

struct outage_share {
	const char *name;
	uint64_t count;
};

struct outage_sum {
	struct outage_share shares[NAMED_MAX]; /* by count, most first */
	uint64_t all, named;
};

static uint64_t
outage_cost_count(const struct gateway *gateway)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < gateway->gates; i++)
		sum += gateway->counters[i].fallback;
	return sum;
}

static void
outage_cost_settle(struct gateway *gateway)
{
	struct outage_cost *outage = &gateway->outage_cost;

	outage->settled = outage->fallback = outage_cost_count(gateway);
	if (gateway->limit_stats)
		limit_stats_settle_fallback(gateway->limit_stats);
}

void
outage_cost_begin(struct gateway *gateway)
{
	pthread_mutex_lock(&gateway->lock);
	if (gateway->outage_cost.since_us == 0)
		gateway->outage_cost.since_us = clock_us();
	pthread_mutex_unlock(&gateway->lock);
}

void
outage_cost_tick(struct gateway *gateway)
{
	struct outage_cost *outage = &gateway->outage_cost;
	uint64_t count;

	pthread_mutex_lock(&gateway->lock);
	count = outage_cost_count(gateway);
	if (outage->since_us == 0 && count == outage->fallback &&
	    count != outage->settled)
		outage_cost_settle(gateway);
	outage->fallback = count;
	pthread_mutex_unlock(&gateway->lock);
}

/* Insert it, if it is among those with the most. */
static void
outage_cost_add_share(struct outage_sum *cost, struct outage_share share)
{
	for (size_t i = 0; i < NAMED_MAX; i++) {
		struct outage_share lower = cost->shares[i];

		if (share.count <= lower.count)
			continue;
		cost->shares[i] = share;
		share = lower;
	}
}

static void
outage_cost_measure(const struct gateway *gateway, struct outage_sum *cost)
{
	*cost = (struct outage_sum){
	    .all = outage_cost_count(gateway) - gateway->outage_cost.settled};
	for (size_t i = 0;
	     gateway->limit_stats && i < rules_count(gateway->rules); i++)
		outage_cost_add_share(cost,
		    (struct outage_share){rules_at(gateway->rules, i)->name,
			limit_stats_unsettled_fallback(
			    gateway->limit_stats, (unsigned)i)});
	for (size_t i = 0; i < NAMED_MAX; i++)
		cost->named += cost->shares[i].count;
}

static int
outage_cost_write(struct buf *out, const struct outage_sum *cost)
{
	const char *between = ": ";

	for (size_t i = 0; i < NAMED_MAX && cost->shares[i].count > 0; i++) {
		if (buf_printf(out, "%s%s %llu", between, cost->shares[i].name,
			(unsigned long long)cost->shares[i].count) == -1)
			return -1;
		between = ", ";
	}
	if (cost->all > cost->named &&
	    buf_printf(out, "%sothers %llu", between,
		(unsigned long long)(cost->all - cost->named)) == -1)
		return -1;
	return buf_add(out, "", 1);
}

static void
outage_cost_log(struct outage_cost *outage, const struct outage_sum *cost)
{
	int64_t took_ms = (clock_us() - outage->since_us) / 1000;
	struct buf shares = {0};

	if (outage_cost_write(&shares, cost) == 0)
		log_limited(took_ms < SHORT_MS ? &outage->limiter : NULL,
		    LOG_LEVEL_INFO,
		    "redis: back after %lld.%lld s; on_error decided %llu "
		    "requests%s",
		    (long long)took_ms / 1000, (long long)took_ms / 100 % 10,
		    (unsigned long long)cost->all, buf_data(&shares));
	buf_free(&shares);
}

void
outage_cost_end(struct gateway *gateway)
{
	struct outage_sum cost;

	pthread_mutex_lock(&gateway->lock);
	if (gateway->outage_cost.since_us > 0) {
		outage_cost_measure(gateway, &cost);
		outage_cost_log(&gateway->outage_cost, &cost);
		outage_cost_settle(gateway);
	}
	gateway->outage_cost.since_us = 0;
	pthread_mutex_unlock(&gateway->lock);
}
