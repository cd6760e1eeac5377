/*
 * Job: gathers what the process counts, and writes it as metrics.
 * Invariant: labels are names of limits and servers, and words of ours; their
 * number is bounded.
 * The heart: the table of families, and metrics_write_row().
 */
#include "server/metrics.h"

#include "base/clock.h"
#include "gate/gate.h"
#include "server/clients.h"
#include "server/metrics_process.h"
#include "server/reports.h"
#include "stats/exposition.h"
#include "upstream/upstream.h"

#include <stdio.h>
#include <string.h>

#define LABELS_MAX (2 * SERVER_NAME_MAX + 60)

struct metrics {
	const struct slot *slot;
	const struct gateway *gateway;
	const struct rules_snapshot *snapshot;
	struct exposition exposition;
	const struct metric *metric; /* being written */

	/* of families by limit */
	const char *limit;
	uint64_t sums[LIMIT_COUNT_COUNT];

	/* and by server */
	struct server_view view;
	char server[LABELS_MAX]; /* its label */

	/* and by upstream */
	const struct upstream *upstream;
	struct cache_stats stats;
};

static void
metrics_sample(struct metrics *metrics, const char *labels, int64_t value)
{
	exposition_sample(&metrics->exposition, metrics->metric, labels, value);
}

/*
 * By limit.
 */

/* Look at number ${i}: a limit, or those that have no samples of their own; or
 * return false: there is none. */
static bool
metrics_find_limit(struct metrics *metrics, size_t i)
{
	const struct rules_snapshot *snapshot = metrics->snapshot;
	size_t count = snapshot->limit_stats ? rules_count(snapshot->rules) : 0;
	size_t end = i < METRICS_LIMITS_MAX ? i + 1 : count;

	if (i >= count || i > METRICS_LIMITS_MAX)
		return false;
	metrics->limit = i < METRICS_LIMITS_MAX
			     ? rules_at(snapshot->rules, i)->name
			     : METRICS_OTHERS;
	memset(metrics->sums, 0, sizeof(metrics->sums));
	for (size_t limit = i; limit < end; limit++) {
		uint64_t counted[LIMIT_COUNT_COUNT];

		limit_stats_sum(
		    snapshot->limit_stats, (unsigned)limit, counted);
		for (size_t k = 0; k < LIMIT_COUNT_COUNT; k++)
			metrics->sums[k] += counted[k];
	}
	return true;
}

/* A sample of the limit; ${name} is that of another label, or NULL. */
static void
metrics_write_limit(struct metrics *metrics, const char *name,
    const char *value, enum limit_count count)
{
	char labels[LABELS_MAX] = "";

	exposition_label(labels, sizeof(labels), "limit", metrics->limit);
	if (name)
		exposition_label(labels, sizeof(labels), name, value);
	metrics_sample(metrics, labels, (int64_t)metrics->sums[count]);
}

static void
metrics_write_verdicts(struct metrics *metrics)
{
	metrics_write_limit(metrics, "verdict", "allowed", LIMIT_COUNT_allowed);
	metrics_write_limit(metrics, "verdict", "denied", LIMIT_COUNT_denied);
}

static void
metrics_write_shadow(struct metrics *metrics)
{
	metrics_write_limit(metrics, NULL, NULL, LIMIT_COUNT_shadow_denied);
}

static void
metrics_write_overridden(struct metrics *metrics)
{
	metrics_write_limit(metrics, NULL, NULL, LIMIT_COUNT_overridden);
}

static void
metrics_write_fallbacks(struct metrics *metrics)
{
	for (int k = 0; k < LIMIT_FALLBACK_COUNT; k++)
		metrics_write_limit(metrics, "reason", limit_fallback_names[k],
		    (enum limit_count)(LIMIT_FALLBACK_down + k));
}

/*
 * By server.
 */

/* Look at server ${i}, or return false: there is none. */
static bool
metrics_find_server(struct metrics *metrics, size_t i)
{
	if (!servers_at(metrics->gateway->servers, i, &metrics->view))
		return false;
	metrics->server[0] = '\0';
	exposition_label(metrics->server, sizeof(metrics->server), "server",
	    metrics->view.server->name);
	return true;
}

static void
metrics_write_up(struct metrics *metrics)
{
	if (metrics->view.links > 0)
		metrics_sample(metrics, metrics->server, metrics->view.up);
}

static void
metrics_write_since(struct metrics *metrics)
{
	if (metrics->view.links > 0)
		metrics_sample(metrics, metrics->server,
		    metrics->view.since_us + clock_shift_us());
}

static void
metrics_write_reconnects(struct metrics *metrics)
{
	metrics_sample(metrics, metrics->server,
	    (int64_t)metrics->view.server->reconnects);
}

static void
metrics_write_calls(struct metrics *metrics)
{
	metrics_sample(
	    metrics, metrics->server, (int64_t)metrics->view.server->calls);
}

static void
metrics_write_errors(struct metrics *metrics)
{
	for (int k = 0; k < SERVER_ERROR_COUNT; k++) {
		char labels[LABELS_MAX];

		strcpy(labels, metrics->server);
		exposition_label(
		    labels, sizeof(labels), "kind", server_error_names[k]);
		metrics_sample(
		    metrics, labels, (int64_t)metrics->view.server->errors[k]);
	}
}

static void
metrics_write_took(struct metrics *metrics)
{
	exposition_histogram(&metrics->exposition, metrics->metric,
	    metrics->server, &metrics->view.server->took);
}

/*
 * Once: decisions, the limits in force, and the process.
 */

static bool
metrics_find_once(struct metrics *metrics, size_t i)
{
	(void)metrics;
	return i == 0;
}

/* The histogram at ${offset} of the counters, of all gates together. */
static void
metrics_write_histogram(struct metrics *metrics, size_t offset)
{
	const struct gateway *gateway = metrics->gateway;
	struct histogram sum = {0};

	for (size_t k = 0; k < gateway->gates; k++)
		histogram_sum(
		    &sum, (const void *)((const char *)&gateway->counters[k] +
					 offset));
	exposition_histogram(&metrics->exposition, metrics->metric, "", &sum);
}

static void
metrics_write_decisions(struct metrics *metrics)
{
	metrics_write_histogram(metrics, offsetof(struct counters, decisions));
}

static void
metrics_write_waited(struct metrics *metrics)
{
	metrics_write_histogram(metrics, offsetof(struct counters, waited));
}

static void
metrics_write_protocols(struct metrics *metrics)
{
	const struct clients *clients = metrics->slot->cache->clients;

	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		char labels[LABELS_MAX] = "";

		exposition_label(
		    labels, sizeof(labels), "protocol", protocol_at(i)->name);
		metrics_sample(
		    metrics, labels, (int64_t)clients->by_protocol[i]);
	}
}

static void
metrics_write_digest(struct metrics *metrics)
{
	char labels[LABELS_MAX] = "";

	metrics_sample(metrics,
	    exposition_label(labels, sizeof(labels), "digest",
		rules_digest(metrics->snapshot->rules)),
	    1);
}

static void
metrics_write_loaded(struct metrics *metrics)
{
	metrics_sample(
	    metrics, "", metrics->gateway->loaded_us + clock_shift_us());
}

static void
metrics_write_draining(struct metrics *metrics)
{
	metrics_sample(metrics, "", metrics->slot->cache->clients->draining);
}

static void
metrics_write_version(struct metrics *metrics)
{
	metrics_sample(metrics, "version=\"" VERSION "\"", 1);
}

static void
metrics_write_started(struct metrics *metrics)
{
	metrics_sample(
	    metrics, "", metrics->gateway->started_us + clock_shift_us());
}

/*
 * By upstream.
 */

static bool
metrics_find_upstream(struct metrics *metrics, size_t i)
{
	const struct upstream_set *set = metrics->slot->cache->upstreams;

	if (!set || i >= set->count)
		return false;
	metrics->upstream = set->items[i];
	metrics->stats = (struct cache_stats){0};
	if (metrics->upstream->cache)
		cache_read_stats(metrics->upstream->cache, &metrics->stats);
	return true;
}

/* A sample of the upstream; ${event} is another label, or NULL. */
static void
metrics_write_upstream(
    struct metrics *metrics, const char *event, uint64_t value)
{
	char labels[LABELS_MAX] = "";

	exposition_label(labels, sizeof(labels), "upstream",
	    metrics->upstream->options.name);
	if (event)
		exposition_label(labels, sizeof(labels), "event", event);
	metrics_sample(metrics, labels, (int64_t)value);
}

static void
metrics_write_upstream_requests(struct metrics *metrics)
{
#define X(name, help)                                                          \
	metrics_write_upstream(metrics, #name, metrics->upstream->counts.name);
	UPSTREAM_COUNTS(X)
#undef X
}

static void
metrics_write_upstream_cache(struct metrics *metrics)
{
#define X(name, help)                                                          \
	metrics_write_upstream(                                                \
	    metrics, #name, metrics->stats.events[CACHE_##name]);
	CACHE_EVENTS(X)
#undef X
}

static void
metrics_write_upstream_bytes(struct metrics *metrics)
{
	metrics_write_upstream(metrics, NULL, metrics->stats.bytes);
}

static void
metrics_write_upstream_up(struct metrics *metrics)
{
	const struct upstream *upstream = metrics->upstream;

	metrics_write_upstream(metrics, NULL,
	    !upstream->is_failing && gate_now(metrics->slot->cache->gate) >=
					 upstream->blocked_until_us);
}

#define FAMILY(name, type, unit, help, per, write)                             \
	{                                                                      \
		{name, METRIC_##type, UNIT_##unit, help}, metrics_find_##per,  \
		    write                                                      \
	}

/* Behind what STATS shows. */
static const struct family {
	struct metric metric;

	/* Look at number ${i} of what it has samples of, or return false. */
	bool (*find)(struct metrics *metrics, size_t i);

	/* Write the samples of what was found. */
	void (*write)(struct metrics *metrics);
} families[] = {
    FAMILY("limit_decisions", COUNTER, NONE,
	"requests allowed and denied, by limit", limit, metrics_write_verdicts),
    FAMILY("limit_shadow_denied", COUNTER, NONE,
	"requests that the limit, in shadow, would have denied", limit,
	metrics_write_shadow),
    FAMILY("limit_overridden", COUNTER, NONE,
	"requests that an override of the limit changed", limit,
	metrics_write_overridden),
    FAMILY("limit_fallback_decisions", COUNTER, NONE,
	"requests that on_error decided, by limit and by why Redis did not",
	limit, metrics_write_fallbacks),
    FAMILY("protocol_clients", GAUGE, NONE,
	"clients that are connected, by protocol", once,
	metrics_write_protocols),
    FAMILY("decision_duration_us", HISTOGRAM, MICROSECONDS,
	"from the request received until it is decided, and responded to if "
	"Redis was not asked",
	once, metrics_write_decisions),
    FAMILY("wait_duration_us", HISTOGRAM, MICROSECONDS,
	"how long requests waited for room in their bucket", once,
	metrics_write_waited),
    FAMILY("redis_up", GAUGE, NONE,
	"1 if all workers are connected to the server", server,
	metrics_write_up),
    FAMILY("redis_up_changed_timestamp_us", GAUGE, MICROSECONDS,
	"when redis_up last changed, in Unix time", server,
	metrics_write_since),
    FAMILY("redis_reconnects", COUNTER, NONE,
	"connections to the server after the first of each worker", server,
	metrics_write_reconnects),
    FAMILY("redis_calls", COUNTER, NONE, "script calls sent to the server",
	server, metrics_write_calls),
    FAMILY("redis_errors", COUNTER, NONE,
	"calls and connections that failed, by kind", server,
	metrics_write_errors),
    FAMILY("redis_call_duration_us", HISTOGRAM, MICROSECONDS,
	"from a call sent until its reply", server, metrics_write_took),
    FAMILY("upstream_requests", COUNTER, NONE,
	"requests to the upstream that were not in memory, by what became of "
	"them",
	upstream, metrics_write_upstream_requests),
    FAMILY("upstream_cache", COUNTER, NONE,
	"what happened to requests and stored responses", upstream,
	metrics_write_upstream_cache),
    FAMILY("upstream_cache_bytes", GAUGE, BYTES, "memory of stored responses",
	upstream, metrics_write_upstream_bytes),
    FAMILY("upstream_up", GAUGE, NONE,
	"1 unless it fails, or said to come back later", upstream,
	metrics_write_upstream_up),
    FAMILY("limit_set", INFO, NONE, "which limits are in force", once,
	metrics_write_digest),
    FAMILY("limit_set_loaded_timestamp_us", GAUGE, MICROSECONDS,
	"when the limits came into force, in Unix time", once,
	metrics_write_loaded),
    FAMILY("draining", GAUGE, NONE, "1 once it was told to stop", once,
	metrics_write_draining),
    FAMILY("build", INFO, NONE, "which version this is", once,
	metrics_write_version),
    FAMILY("process_start_time_us", GAUGE, MICROSECONDS,
	"when the process started, in Unix time", once, metrics_write_started),
};

/*
 * One row after another: each metric of STATS, the groups of each family, and
 * the process.
 */

/* Write the next group of the family, or find that there is none. */
static void
metrics_write_group(struct metrics *metrics, struct slot_report *at)
{
	const struct family *family = &families[at->family];

	metrics->metric = &family->metric;
	if (at->sample == 0)
		exposition_begin(&metrics->exposition, metrics->metric);
	if (family->find(metrics, at->sample++)) {
		family->write(metrics);
	} else {
		at->family++;
		at->sample = 0;
	}
}

static void
metrics_write_row(struct metrics *metrics, struct slot_report *at, size_t i)
{
	uint64_t value;
	const struct metric *metric = reports_stat(metrics->slot, i, &value);

	if (metric) {
		exposition_begin(&metrics->exposition, metric);
		exposition_sample(
		    &metrics->exposition, metric, "", (int64_t)value);
	} else if (at->family < COUNT(families)) {
		metrics_write_group(metrics, at);
	} else {
		metrics_write_process(&metrics->exposition);
		exposition_end(&metrics->exposition);
		at->count = at->next; /* this was the last row */
	}
}

static int
metrics_row(struct slot *slot, size_t i, struct buf *text, bool is_open)
{
	struct metrics metrics = {.slot = slot,
	    .gateway = slot->cache->gate->gateway,
	    .snapshot = slot->report.snapshot,
	    .exposition = {.out = text, .is_open = is_open}};

	metrics_write_row(&metrics, &slot->report, i);
	return metrics.exposition.failed ? -1 : 0;
}

/* It is not known before the last row, and no protocol in which metrics can be
 * had asks for it. */
static size_t
metrics_count(const struct slot *slot)
{
	(void)slot;
	return SIZE_MAX;
}

static int
metrics_old_row(struct slot *slot, size_t i, struct buf *text)
{
	return metrics_row(slot, i, text, false);
}

static int
metrics_open_row(struct slot *slot, size_t i, struct buf *text)
{
	return metrics_row(slot, i, text, true);
}

const struct report metrics_report = {
    .count = metrics_count, .row = metrics_old_row};
const struct report metrics_report_open = {
    .count = metrics_count, .row = metrics_open_row};
