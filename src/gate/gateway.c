/*
 * Holds what the workers share.  What changes while they run is under the lock,
 * but for the placing, which is replaced whole.  The heart:
 * gateway_set_rules(), gateway_get_rules().
 */
#include "gate/gateway.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static void
gateway_free_tops(struct top **tops, size_t gates)
{
	for (size_t i = 0; tops && i < gates; i++)
		top_free(tops[i]);
	free(tops);
}

static struct top **
gateway_new_tops(size_t gates)
{
	struct top **tops = calloc(gates, sizeof(*tops));

	for (size_t i = 0; tops && i < gates; i++) {
		tops[i] = top_new(clock_us());
		if (!tops[i]) {
			gateway_free_tops(tops, gates);
			return NULL;
		}
	}
	return tops;
}

int
gateway_set_topology(
    struct gateway *gateway, const struct topology_options *where)
{
	struct shard_options settings = gateway->options->redis;
	struct placing *placing;

	settings.servers = gateway->servers;
	placing = placing_new(&settings, where, &gateway->topology_reader);
	if (!placing)
		return -1;
	placing->older = gateway->placing;
	gateway->placing = placing;
	return 0;
}

void
gateway_note_topology(struct gateway *gateway, int64_t asked_us)
{
	topology_seen_note(&gateway->placing->seen, asked_us);
}

static int
gateway_open_topology(struct gateway *gateway)
{
	struct topology_options where = gateway->options->redis.where;

	if (gateway->options->store != STORE_REDIS)
		return 0;
	where.endpoint = gateway->options->redis.link.endpoint;
	return gateway_set_topology(gateway, &where);
}

int
gateway_init(struct gateway *gateway, const struct gateway_options *options,
    size_t workers, struct rules *rules)
{
	*gateway = (struct gateway){
	    .options = options,
	    .started_us = clock_us(),
	    .workers = workers,
	    .gates = workers + 1,
	    .rules = rules,
	    .loaded_us = clock_us(),
	};
	pthread_mutex_init(&gateway->lock, NULL);
	topology_reader_init(&gateway->topology_reader);
	gateway->limit_stats = limit_stats_new(rules, gateway->gates, NULL);
	gateway->memory = memory_new(&options->memory);
	gateway->deny_marks = deny_marks_new();
	gateway->counters = counters_new(gateway->gates);
	gateway->tops = gateway_new_tops(gateway->gates);
	gateway->recent = recent_new();
	gateway->fleet = fleet_board_new();
	gateway->servers = servers_new();
	if (gateway->memory)
		memory_know_limits(gateway->memory, rules);
	return gateway->memory && gateway->deny_marks && gateway->counters &&
		       gateway->servers && gateway->tops && gateway->recent &&
		       gateway->fleet && gateway_open_topology(gateway) == 0
		   ? 0
		   : -1;
}

void
gateway_clear(struct gateway *gateway)
{
	free(gateway->counters);
	gateway_free_tops(gateway->tops, gateway->gates);
	recent_free(gateway->recent);
	fleet_board_free(gateway->fleet);
	servers_free(gateway->servers);
	placing_free(gateway->placing);
	deny_marks_free(gateway->deny_marks);
	memory_free(gateway->memory);
	limit_stats_unref(gateway->limit_stats);
	rules_unref(gateway->rules);
	topology_reader_clear(&gateway->topology_reader);
	pthread_mutex_destroy(&gateway->lock);
}

void
gateway_set_rules(
    struct gateway *gateway, struct rules *rules, struct rules_changes *changes)
{
	struct rules *old;
	struct limit_stats *old_stats;
	struct rules_changes differences;

	/* No other thread replaces them. */
	rules_compare(&differences, gateway->rules, rules);
	if (changes)
		*changes = differences;

	memory_know_limits(gateway->memory, rules);
	pthread_mutex_lock(&gateway->lock);
	old = gateway->rules;
	gateway->changes = differences;
	gateway->refused.text[0] = '\0';
	old_stats = gateway->limit_stats;
	gateway->rules = rules;
	gateway->limit_stats =
	    limit_stats_new(rules, gateway->gates, old_stats);
	gateway->loaded_us = clock_us();
	gateway->adopters = 0;
	gateway->generation++;
	pthread_mutex_unlock(&gateway->lock);
	rules_unref(old);
	limit_stats_unref(old_stats);
}

void
gateway_note_refused(struct gateway *gateway, const char *reason)
{
	pthread_mutex_lock(&gateway->lock);
	snprintf(
	    gateway->refused.text, sizeof(gateway->refused.text), "%s", reason);
	gateway->refused_us = clock_us();
	if (*reason)
		gateway->reload_errors++;
	pthread_mutex_unlock(&gateway->lock);
}

struct rules *
gateway_get_rules(struct gateway *gateway, size_t number,
    struct limit_stats **limit_stats, unsigned *generation)
{
	struct rules *rules;

	pthread_mutex_lock(&gateway->lock);
	rules = rules_ref(gateway->rules);
	*limit_stats = limit_stats_ref(gateway->limit_stats);
	*generation = gateway->generation;
	if (number < gateway->workers &&
	    ++gateway->adopters == gateway->workers)
		gateway->reloads = gateway->generation;
	pthread_mutex_unlock(&gateway->lock);
	return rules;
}
