/*
 * Job: reads RateLimitRequests and writes RateLimitResponses, in JSON
 * (https://protobuf.dev/programming-guides/json/).
 * Invariant: objects are those of the tables below, so they nest no deeper than
 * these do.  Descriptors are read twice, as the domain may come behind them.
 * The heart: http_descriptors_object().
 */
#include "protocol/http/http_descriptors.h"

#include "base/num.h"
#include "protocol/http/http_json_part.h"
#include "protocol/http/http_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Longest text of a status. */
#define STATUS_MAX (LIMIT_NAME_MAX + 4 * NUM_MAX_LEN + 200)

/* A request being read. */
struct http_descriptors {
	struct http_json json;
	struct descriptors *to;

	/* of the request */
	struct http_json_text domain;
	uint64_t hits;           /* for descriptors that say nothing else */
	const char *descriptors; /* where they are; NULL: nowhere */

	/* of the last descriptor */
	bool has_hits, gives_back, has_limit;
	uint64_t own_hits;
	uint64_t limit_count, limit_unit; /* which it brings along */

	/* of its last entry */
	struct http_json_text key, value;
};

/* A field of an object.  ${take} returns NULL, or what is wrong. */
struct http_member {
	const char *name, *proto_name;
	const struct http_problem *(*take)(struct http_descriptors *reading);
};

static const struct http_problem *
http_descriptors_wrong(bool is_fine)
{
	return is_fine ? NULL : HTTP_PROBLEM(BADREQUEST);
}

/*
 * Values.
 */

/* A number, or one in quotes. */
static const struct http_problem *
http_descriptors_number(
    struct http_descriptors *reading, int64_t most, uint64_t *to)
{
	struct http_json_text text;
	struct http_word word;
	int64_t number = most;

	if (http_json_take_string(&reading->json, &text))
		word = (struct http_word){.bytes = text.bytes, .len = text.len};
	else if (!http_json_take_number(&reading->json, &word))
		return HTTP_PROBLEM(BADREQUEST);
	if (word.len == 0 || *word.bytes == '-' ||
	    (num_read_int(word.bytes, word.len, 0, most, &number) == -1 &&
		(errno != ERANGE || most == UINT32_MAX)))
		return HTTP_PROBLEM(BADREQUEST);
	*to = (uint64_t)number;
	return NULL;
}

static const struct http_problem *
http_descriptors_take_domain(struct http_descriptors *reading)
{
	return http_descriptors_wrong(
	    http_json_take_string(&reading->json, &reading->domain));
}

static const struct http_problem *
http_descriptors_take_hits(struct http_descriptors *reading)
{
	return http_descriptors_number(reading, UINT32_MAX, &reading->hits);
}

static const struct http_problem *
http_descriptors_take_key(struct http_descriptors *reading)
{
	return http_descriptors_wrong(
	    http_json_take_string(&reading->json, &reading->key));
}

static const struct http_problem *
http_descriptors_take_value(struct http_descriptors *reading)
{
	return http_descriptors_wrong(
	    http_json_take_string(&reading->json, &reading->value));
}

static const struct http_problem *
http_descriptors_take_own_hits(struct http_descriptors *reading)
{
	reading->has_hits = true;
	return http_descriptors_number(reading, INT64_MAX, &reading->own_hits);
}

static const struct http_problem *
http_descriptors_take_sign(struct http_descriptors *reading)
{
	reading->gives_back = http_json_take_word(&reading->json, "true");
	return http_descriptors_wrong(
	    reading->gives_back ||
	    http_json_take_word(&reading->json, "false"));
}

static const struct http_problem *
http_descriptors_take_count(struct http_descriptors *reading)
{
	return http_descriptors_number(
	    reading, UINT32_MAX, &reading->limit_count);
}

/* Its name, or Envoy's number of it; one that is none is refused later. */
static const struct http_problem *
http_descriptors_take_unit(struct http_descriptors *reading)
{
	struct http_json_text text;

	if (!http_json_take_string(&reading->json, &text))
		return http_descriptors_number(
		    reading, UINT32_MAX, &reading->limit_unit);
	reading->limit_unit = 0;
	for (uint32_t i = 1; i < DESCRIPTOR_UNITS; i++)
		if (text.len == strlen(descriptor_units[i].name) &&
		    memcmp(text.bytes, descriptor_units[i].name, text.len) == 0)
			reading->limit_unit = i;
	return NULL;
}

/*
 * Objects and lists.
 */

/* The bit of the member, which must be a new one. */
static int
http_descriptors_find(const struct http_member *members,
    const struct http_json_text *name, unsigned given)
{
	for (int i = 0; members[i].name; i++)
		if ((name->len == strlen(members[i].name) &&
			memcmp(name->bytes, members[i].name, name->len) == 0) ||
		    (name->len == strlen(members[i].proto_name) &&
			memcmp(name->bytes, members[i].proto_name, name->len) ==
			    0))
			return given >> i & 1 ? -1 : i;
	return -1;
}

/* An object of ${members}, which end with one without a name.  A null is as if
 * it were not there. */
static const struct http_problem *
http_descriptors_object(
    struct http_descriptors *reading, const struct http_member *members)
{
	struct http_json *json = &reading->json;
	struct http_json_text name;
	unsigned given = 0;

	if (!http_json_take(json, '{'))
		return HTTP_PROBLEM(BADREQUEST);
	if (http_json_take(json, '}'))
		return NULL;
	do {
		const struct http_problem *problem = NULL;
		int i;

		if (!http_json_take_string(json, &name) ||
		    !http_json_take(json, ':'))
			return HTTP_PROBLEM(BADREQUEST);
		i = http_descriptors_find(members, &name, given);
		if (i == -1)
			return HTTP_PROBLEM(BADREQUEST);
		given |= 1u << i;
		if (!http_json_take_word(json, "null"))
			problem = members[i].take(reading);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_descriptors_wrong(http_json_take(json, '}'));
}

/* A list, of which ${take} takes each item. */
static const struct http_problem *
http_descriptors_list(struct http_descriptors *reading,
    const struct http_problem *(*take)(struct http_descriptors *reading))
{
	struct http_json *json = &reading->json;

	if (!http_json_take(json, '['))
		return HTTP_PROBLEM(BADREQUEST);
	if (http_json_take(json, ']'))
		return NULL;
	do {
		const struct http_problem *problem = take(reading);

		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_descriptors_wrong(http_json_take(json, ']'));
}

static const struct http_member entry_members[] = {
    {"key", "key", http_descriptors_take_key},
    {"value", "value", http_descriptors_take_value},
    {0},
};

static const struct http_problem *
http_descriptors_entry(struct http_descriptors *reading)
{
	const struct http_problem *problem;

	reading->key.len = reading->value.len = 0;
	problem = http_descriptors_object(reading, entry_members);
	if (problem)
		return problem;
	descriptors_add(reading->to,
	    &(struct descriptor_text){reading->key.bytes, reading->key.len},
	    &(struct descriptor_text){
		reading->value.bytes, reading->value.len});
	return NULL;
}

static const struct http_problem *
http_descriptors_take_entries(struct http_descriptors *reading)
{
	return http_descriptors_list(reading, http_descriptors_entry);
}

static const struct http_member limit_members[] = {
    {"requestsPerUnit", "requests_per_unit", http_descriptors_take_count},
    {"unit", "unit", http_descriptors_take_unit},
    {0},
};

static const struct http_problem *
http_descriptors_take_limit(struct http_descriptors *reading)
{
	reading->has_limit = true;
	return http_descriptors_object(reading, limit_members);
}

static const struct http_member descriptor_members[] = {
    {"entries", "entries", http_descriptors_take_entries},
    {"limit", "limit", http_descriptors_take_limit},
    {"hitsAddend", "hits_addend", http_descriptors_take_own_hits},
    {"isNegativeHits", "is_negative_hits", http_descriptors_take_sign},
    {0},
};

static const struct http_problem *
http_descriptors_descriptor(struct http_descriptors *reading)
{
	const struct descriptor_text domain = {
	    reading->domain.bytes, reading->domain.len};
	const struct http_problem *problem;

	if (descriptors_begin(reading->to, &domain) == -1)
		return HTTP_PROBLEM(DESCRIPTORS);
	reading->has_hits = reading->gives_back = reading->has_limit = false;
	reading->limit_count = reading->limit_unit = 0;
	problem = http_descriptors_object(reading, descriptor_members);
	if (problem)
		return problem;
	descriptors_end(reading->to,
	    reading->has_hits ? reading->own_hits : reading->hits,
	    reading->gives_back);
	if (reading->has_limit &&
	    descriptors_take_limit(reading->to, (uint32_t)reading->limit_count,
		(uint32_t)reading->limit_unit) == -1)
		return HTTP_PROBLEM(DESCRIPTORLIMIT);
	return NULL;
}

static const struct http_problem *
http_descriptors_take_descriptors(struct http_descriptors *reading)
{
	reading->descriptors = reading->json.at;
	reading->to->count = 0;
	return http_descriptors_list(reading, http_descriptors_descriptor);
}

static const struct http_member request_members[] = {
    {"domain", "domain", http_descriptors_take_domain},
    {"descriptors", "descriptors", http_descriptors_take_descriptors},
    {"hitsAddend", "hits_addend", http_descriptors_take_hits},
    {0},
};

static const struct http_problem *
http_descriptors_request(struct http_descriptors *reading)
{
	struct http_json *json = &reading->json;
	const struct http_problem *problem =
	    http_descriptors_object(reading, request_members);

	http_json_skip_space(json);
	if (problem)
		return problem;
	if (json->at < json->end)
		return HTTP_PROBLEM(BADREQUEST);
	if (reading->domain.len == 0)
		return HTTP_PROBLEM(NODOMAIN);
	if (reading->to->count == 0)
		return HTTP_PROBLEM(NODESCRIPTORS);
	if (reading->hits == 0)
		reading->hits = 1;
	json->at = reading->descriptors;
	return http_descriptors_take_descriptors(reading);
}

const struct http_problem *
http_descriptors_read(struct request *request, struct session_common *common,
    const struct http_word *body)
{
	struct descriptors *room = &common->descriptors;
	struct http_descriptors reading;
	const struct http_problem *problem;

	reading.json = (struct http_json){body->bytes, body->bytes + body->len};
	reading.to = room;
	reading.domain.len = 0;
	reading.hits = 0;
	reading.descriptors = NULL;
	room->count = 0;
	room->takes_limits = common->inline_limits;
	problem = http_descriptors_request(&reading);
	if (problem)
		return problem;
	request->charges_each = common->grpc_charge_all;
	request->key_count = room->count;
	for (unsigned i = 0; i < room->count; i++)
		request->keys[i] = room->keys[i];
	return NULL;
}

/*
 * The response.  What is zero is left out.
 */

static const char *
http_descriptors_code(bool is_denied)
{
	return is_denied ? "OVER_LIMIT" : "OK";
}

static int
http_descriptors_put_limit(
    char *to, size_t size, const struct descriptor_status *status)
{
	const char *unit = descriptor_units[status->unit].name;

	return snprintf(to, size,
	    ",\"currentLimit\":{\"requestsPerUnit\":%u%s%s%s%s%s%s}",
	    status->capacity, status->unit ? ",\"unit\":\"" : "",
	    status->unit ? unit : "", status->unit ? "\"" : "",
	    *status->name ? ",\"name\":\"" : "", status->name,
	    *status->name ? "\"" : "");
}

static int
http_descriptors_put_figures(
    char *to, size_t size, const struct descriptor_status *status)
{
	long long seconds = status->reset_us / 1000000;
	unsigned us = (unsigned)(status->reset_us % 1000000);
	char remaining[NUM_MAX_LEN + 40] = "", fraction[NUM_MAX_LEN] = "";

	if (status->remaining > 0)
		snprintf(remaining, sizeof(remaining), ",\"limitRemaining\":%u",
		    status->remaining);
	if (us > 0)
		snprintf(fraction, sizeof(fraction), ".%06u", us);
	return snprintf(to, size, "%s,\"durationUntilReset\":\"%lld%ss\"",
	    remaining, seconds, fraction);
}

/* A descriptor without a limit has no more than its code. */
static size_t
http_descriptors_put_status(
    char *to, const struct check *check, unsigned i, const char *before)
{
	struct descriptor_status status;
	int len;

	descriptor_status_set(&status, check, i);
	len = snprintf(to, STATUS_MAX, "%s{\"code\":\"%s\"", before,
	    http_descriptors_code(status.is_denied));
	if (status.has_limit)
		len += http_descriptors_put_limit(
		    to + len, STATUS_MAX - (size_t)len, &status);
	if (status.has_limit)
		len += http_descriptors_put_figures(
		    to + len, STATUS_MAX - (size_t)len, &status);
	to[len] = '}';
	return (size_t)len + 1;
}

int
http_descriptors_write(
    struct buf *out, unsigned encoding, const struct check *check)
{
	char text[100 + CHECK_KEYS_MAX * STATUS_MAX];
	unsigned count = check_key_count(check);
	bool is_denied = !check->decision.allowed;
	size_t len = (size_t)snprintf(text, 100,
	    "{\"overallCode\":\"%s\",\"statuses\":[",
	    http_descriptors_code(is_denied));

	for (unsigned i = 0; i < count; i++)
		len += http_descriptors_put_status(
		    text + len, check, i, i > 0 ? "," : "");
	memcpy(text + len, "]}", 2);
	len += 2;
	return http_write_response(out, encoding, is_denied ? 429 : 200,
	    "application/json", &(struct http_word){.bytes = text, .len = len});
}
