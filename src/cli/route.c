/*
 * Job: the command route: which route a request takes, and which keys it gets.
 * Invariant: it goes the way of a daemon's /check, the limits aside, which are
 * read where the daemon reads them.
 * The heart: route_ask() and route_show().
 */
#include "base/buf.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/limit_set.h"
#include "cli/text.h"
#include "protocol/http/http_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Most routes that are shown. */
#define ROUTES_SHOWN 32

struct route_asking {
	const struct rules *rules;
	struct rules_scratch *scratch;
	const struct route *routes[ROUTES_SHOWN];
	size_t count; /* of them */
	struct routed_request routed;
};

static void
route_note(const struct route *route, void *arg)
{
	struct route_asking *asking = arg;

	if (asking->count < ROUTES_SHOWN)
		asking->routes[asking->count++] = route;
}

/* The request, as a proxy asks about it.  Return 0, or -1 (out of memory). */
static int
route_write_head(const struct tool *tool, struct buf *head)
{
	const char *url = tool->words[1], *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : "localhost";
	size_t host_len = scheme ? strcspn(host, "/?") : strlen(host);
	const char *target = scheme ? host + host_len : url;
	bool has_host = false;

	for (size_t i = 0; i < tool->header_count; i++)
		has_host |= strncasecmp(tool->headers[i], "host:", 5) == 0;
	for (const char *at = tool->words[0]; *at; at++)
		if (buf_printf(head, "%c", toupper((unsigned char)*at)) == -1)
			return -1;
	if (buf_printf(head, " /check%s%s HTTP/1.1\r\n",
		*target == '/' ? "" : "/", target) == -1)
		return -1;
	if (!has_host &&
	    buf_printf(head, "Host: %.*s\r\n", (int)host_len, host) == -1)
		return -1;
	for (size_t i = 0; i < tool->header_count; i++)
		if (buf_printf(head, "%s\r\n", tool->headers[i]) == -1)
			return -1;
	return buf_printf(head, "\r\n");
}

/* Route the request of a head.  Return NULL, or what is wrong with it. */
static const struct http_problem *
route_head(struct route_asking *asking, const struct config *config,
    const struct buf *head)
{
	struct http_reader reader = {0};
	struct http_piece piece;
	struct http_word rest, query;
	struct networks trusted;
	struct original_routing routing = {.rules = asking->rules,
	    .scratch = asking->scratch,
	    .peer = {.kind = ADDRESS_IP,
		.bytes = {[10] = 0xFF, 0xFF, 127, 0, 0, 1}},
	    .trusted = &trusted,
	    .client_header = config->gate.client_header,
	    .visit = route_note,
	    .arg = asking};
	size_t used;
	const char *at, *end, *sign;

	networks_read(&trusted, config->gate.trusted_proxies);
	/* The command asks as a proxy that is trusted. */
	if (trusted.count == NETWORKS_MAX)
		trusted.count--;
	trusted.items[trusted.count++] =
	    (struct network){.address = routing.peer, .bits = 128};
	if (http_read(&reader, buf_data(head), buf_len(head), &used, &piece) !=
	    HTTP_HEAD_READ)
		return reader.problem ? reader.problem : HTTP_PROBLEM(BADLINE);
	at = piece.bytes + reader.head.target.at + strlen("/check");
	end = piece.bytes + reader.head.target.at + reader.head.target.len;
	sign = memchr(at, '?', (size_t)(end - at));
	rest = (struct http_word){
	    .bytes = at, .len = (size_t)((sign ? sign : end) - at)};
	query = (struct http_word){.bytes = sign ? sign + 1 : end,
	    .len = sign ? (size_t)(end - sign - 1) : 0};
	return http_check_route(
	    &routing, &reader.head, &piece, &rest, &query, &asking->routed);
}

/*
 * What is shown.
 */

static const char *const route_outcomes[] = {
    [ROUTED_NOWHERE] = "no route matches: [limits] unmatched decides",
    [ROUTED_FREE] = "no key: allowed",
    [ROUTED_DENIED] = "no key, which is required: denied",
    [ROUTED_TOOLONG] = "a key is too long",
    [ROUTED_TOOMANY] = "more than 16 keys",
    [ROUTED_KEYS] = "",
};

static const char *
route_limit_of(const struct route_asking *asking, const struct route_key *key)
{
	struct key made = key_make(key->bytes, key->len);
	const struct limit *limit =
	    rules_match(asking->rules, &made, asking->scratch);

	return limit ? limit->name : "-";
}

static void
route_show(const struct route_asking *asking)
{
	const struct routed_request *routed = &asking->routed;

	for (size_t i = 0; i < asking->count; i++)
		text_line("route %s", route_name(asking->routes[i]));
	for (unsigned i = 0; i < routed->count; i++) {
		const struct route_key *key = &routed->keys[i];

		text_line("key %.*s amount=%lld limit=%s", (int)key->len,
		    key->bytes, (long long)key->amount,
		    route_limit_of(asking, key));
	}
	if (routed->routed != ROUTED_KEYS)
		text_line("%s", route_outcomes[routed->routed]);
}

static void
route_show_json(const struct route_asking *asking)
{
	const struct routed_request *routed = &asking->routed;
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_open(&json, "routes", '[');
	for (size_t i = 0; i < asking->count; i++)
		json_text(&json, NULL, route_name(asking->routes[i]));
	json_close(&json, ']');
	json_open(&json, "keys", '[');
	for (unsigned i = 0; i < routed->count; i++) {
		const struct route_key *key = &routed->keys[i];
		char amount[24];

		snprintf(
		    amount, sizeof(amount), "%lld", (long long)key->amount);
		json_open(&json, NULL, '{');
		json_bytes(&json, "key", key->bytes, key->len);
		json_raw(&json, "amount", amount);
		json_text(&json, "limit", route_limit_of(asking, key));
		json_close(&json, '}');
	}
	json_close(&json, ']');
	if (routed->routed != ROUTED_KEYS)
		json_text(&json, "outcome", route_outcomes[routed->routed]);
	json_close(&json, '}');
	json_end(&json);
}

/*
 * All of it.
 */

static int
route_ask(const struct tool *tool, const struct config *config,
    struct route_asking *asking)
{
	struct buf head = {0};
	const struct http_problem *problem;

	if (route_write_head(tool, &head) == -1) {
		buf_free(&head);
		return tool_error("out of memory");
	}
	problem = route_head(asking, config, &head);
	buf_free(&head);
	if (problem && asking->routed.routed != ROUTED_TOOLONG &&
	    asking->routed.routed != ROUTED_TOOMANY)
		return tool_error(
		    "%s %s: %s", tool->words[0], tool->words[1], problem->text);
	if (tool->json)
		route_show_json(asking);
	else
		route_show(asking);
	return asking->count > 0 ? STATUS_FINE : STATUS_DIFFERENT;
}

static int
route_ask_set(const struct tool *tool, const struct config *config,
    const struct limit_set *set)
{
	struct route_asking asking = {.scratch = rules_scratch_new()};
	int status;

	if (limit_set_check(set, "") == STATUS_ERROR || set->count == 0) {
		rules_scratch_free(asking.scratch);
		return set->count == 0 ? tool_error("%s: no limits", set->name)
				       : STATUS_ERROR;
	}
	asking.rules = set->entries[0].rules;
	status = asking.scratch ? route_ask(tool, config, &asking)
				: tool_error("out of memory");
	rules_scratch_free(asking.scratch);
	return status;
}

int
route_show_request(struct tool *tool)
{
	const struct config *config = tool_config(tool);
	struct limit_set set;
	int status;

	if (!config ||
	    (tool->redis || config->limits_source == LIMITS_REDIS
		    ? limit_set_fetch(&set, tool)
		    : limit_set_read_file(&set, config->limits_file)) == -1)
		return STATUS_ERROR;
	status = route_ask_set(tool, config, &set);
	limit_set_free(&set);
	return status;
}
