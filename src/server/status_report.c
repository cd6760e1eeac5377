/*
 * Job: says in a few lines how the daemon is.
 * Invariant: each line is one word of what it is about, fields, and at its end
 * what may have blanks in it.
 * The heart: status_report_text().
 */
#include "server/status_report.h"

#include "base/num.h"
#include "gate/gate.h"
#include "limit/override.h"
#include "server/override_text.h"
#include "server/reports.h"
#include "upstream/upstream.h"

#include <string.h>

struct status {
	const struct slot *slot;
	struct gateway *gateway;
	struct buf *out;
	int64_t now_us;
};

/* How long ago that was. */
static const char *
status_ago(char *to, const struct status *status, int64_t then_us)
{
	int64_t us = status->now_us - then_us;

	return num_seconds(to, us > 0 ? us : 0);
}

static int
status_report_state(const struct status *status)
{
	const char *word;
	enum protocol_error error =
	    reports_readiness(status->slot->cache, &word);
	const char *state = error ? protocol_error_text(error) : word;
	char ago[NUM_MAX_LEN + 1];

	/* "READY redis"; or "fallback Redis does not ...": the code word. */
	if (!error)
		state += strlen("READY ");
	return buf_printf(status->out,
	    "daemon version=%s uptime=%s ready=%s state=%.*s\n", VERSION,
	    status_ago(ago, status, status->gateway->started_us),
	    error ? "no" : "yes", (int)strcspn(state, " "), state);
}

static int
status_report_limits(const struct status *status)
{
	struct gateway *gateway = status->gateway;
	char ago[NUM_MAX_LEN + 1], refused[NUM_MAX_LEN + 1];
	int result;

	pthread_mutex_lock(&gateway->lock);
	result = buf_printf(status->out,
	    "limits count=%zu digest=%s age=%s%s%s\n",
	    rules_count(gateway->rules), rules_digest(gateway->rules),
	    status_ago(ago, status, gateway->loaded_us),
	    *gateway->changes.text ? " changes=" : "", gateway->changes.text);
	if (result == 0 && *gateway->refused.text)
		result = buf_printf(status->out, "refused age=%s reason=%s\n",
		    status_ago(refused, status, gateway->refused_us),
		    gateway->refused.text);
	pthread_mutex_unlock(&gateway->lock);
	return result;
}

static int
status_report_overrides(const struct status *status)
{
	const struct rules_snapshot *snapshot =
	    status->slot->cache->gate->snapshot;

	for (size_t i = 0; i < rules_override_count(snapshot->rules); i++)
		if (override_left_us(
			rules_override_at(snapshot->rules, i)->override) > 0 &&
		    override_text_add(status->out, "override", snapshot, i) ==
			-1)
			return -1;
	return 0;
}

static int
status_report_server(
    const struct status *status, const struct server_view *view)
{
	const struct server *server = view->server;
	uint64_t errors = 0;
	char ago[NUM_MAX_LEN + 1];

	for (int i = 0; i < SERVER_ERROR_COUNT; i++)
		errors += server->errors[i];
	return buf_printf(status->out,
	    "server up=%s since=%s calls=%llu errors=%llu reconnects=%llu "
	    "name=%s\n",
	    view->up ? "yes" : "no", status_ago(ago, status, view->since_us),
	    (unsigned long long)server->calls, (unsigned long long)errors,
	    (unsigned long long)server->reconnects, server->name);
}

static int
status_report_servers(const struct status *status)
{
	struct server_view view;

	for (size_t i = 0; servers_at(status->gateway->servers, i, &view); i++)
		if (view.links > 0 && status_report_server(status, &view) == -1)
			return -1;
	return 0;
}

static int
status_report_upstream(
    const struct status *status, const struct upstream *upstream)
{
	struct cache_stats stats = {0};

	if (upstream->cache)
		cache_read_stats(upstream->cache, &stats);
	return buf_printf(status->out,
	    "upstream state=%s requests=%llu sent=%llu failed=%llu "
	    "refused=%llu hits=%llu stale=%llu entries=%llu bytes=%llu "
	    "name=%s\n",
	    upstream_state_name(upstream, status->now_us),
	    (unsigned long long)upstream->counts.requests,
	    (unsigned long long)upstream->counts.sent,
	    (unsigned long long)upstream->counts.failed,
	    (unsigned long long)upstream->counts.refused,
	    (unsigned long long)stats.events[CACHE_hits],
	    (unsigned long long)stats.events[CACHE_stale],
	    (unsigned long long)stats.entries, (unsigned long long)stats.bytes,
	    upstream->options.name);
}

static int
status_report_upstreams(const struct status *status)
{
	const struct upstream_set *set = status->slot->cache->upstreams;

	for (size_t i = 0; set && i < set->count; i++)
		if (status_report_upstream(status, set->items[i]) == -1)
			return -1;
	return 0;
}

static int
status_report_requests(const struct status *status)
{
	const struct gateway *gateway = status->gateway;
	uint64_t allowed = 0, denied = 0, fallback = 0;

	for (size_t i = 0; i < gateway->gates; i++) {
		const struct counters *counters = &gateway->counters[i];

		allowed += counters->allowed;
		denied += counters->denied;
		fallback += counters->fallback;
	}
	return buf_printf(status->out,
	    "requests allowed=%llu denied=%llu fallback=%llu\n",
	    (unsigned long long)allowed, (unsigned long long)denied,
	    (unsigned long long)fallback);
}

static int
status_report_text(struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;
	const struct status status = {slot, gate->gateway, out, gate_now(gate)};

	if (status_report_state(&status) == -1 ||
	    status_report_limits(&status) == -1 ||
	    status_report_overrides(&status) == -1 ||
	    status_report_servers(&status) == -1 ||
	    status_report_upstreams(&status) == -1)
		return -1;
	return status_report_requests(&status);
}

const struct report status_report = {.text = status_report_text};
