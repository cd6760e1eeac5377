/*
 * Job: decides by RFC 9111 what is stored, and what may be sent.
 * Invariant: what is not understood makes a response less fresh, never more.
 * The heart: freshness_of(), freshness_reuse().
 */
#include "upstream/freshness.h"

#include <string.h>
#include <strings.h>

#define SECOND_US INT64_C(1000000)

/* For so long a stale response with a validator is kept, to be validated. */
#define KEEP_US (INT64_C(86400) * SECOND_US)

/* What Cache-Control of a response says; -1: it does not say. */
struct response_control {
	bool no_store, no_cache, is_private, is_public;
	bool must_revalidate, proxy_revalidate, must_understand;
	int64_t max_age_us, s_maxage_us;
	int64_t stale_while_revalidate_us, stale_if_error_us;
};

/* The first number counts; one that is none counts as 0. */
static void
freshness_take_seconds(int64_t *us, struct part value)
{
	if (*us < 0 && !part_read_seconds(value, us))
		*us = 0;
}

static void
freshness_take_directive(
    struct response_control *control, const struct directive *directive)
{
	const struct {
		const char *name;
		bool *flag; /* of one without a value */
		int64_t *us;
	} known[] = {
	    {"no-store", &control->no_store, NULL},
	    {"no-cache", &control->no_cache, NULL},
	    {"private", &control->is_private, NULL},
	    {"public", &control->is_public, NULL},
	    {"must-revalidate", &control->must_revalidate, NULL},
	    {"proxy-revalidate", &control->proxy_revalidate, NULL},
	    {"must-understand", &control->must_understand, NULL},
	    {"max-age", NULL, &control->max_age_us},
	    {"s-maxage", NULL, &control->s_maxage_us},
	    {"stale-while-revalidate", NULL,
		&control->stale_while_revalidate_us},
	    {"stale-if-error", NULL, &control->stale_if_error_us},
	};

	for (size_t i = 0; i < COUNT(known); i++) {
		if (!part_is(directive->name, known[i].name))
			continue;
		if (known[i].us)
			freshness_take_seconds(known[i].us, directive->value);
		else if (!directive->value.bytes)
			*known[i].flag = true;
	}
}

static struct response_control
freshness_read_control(struct headers fields)
{
	struct response_control control = {
	    .max_age_us = -1,
	    .s_maxage_us = -1,
	    .stale_while_revalidate_us = -1,
	    .stale_if_error_us = -1,
	};
	struct http_header header;
	struct part member;

	while (headers_next(&fields, &header)) {
		if (!part_is(header.name, "cache-control"))
			continue;
		while (part_next_member(&header.value, &member)) {
			struct directive directive = directive_read(member);

			freshness_take_directive(&control, &directive);
		}
	}
	return control;
}

/* Whether it may not be sent once it is stale. */
static bool
freshness_forbids_stale(const struct response_control *control)
{
	return control->must_revalidate || control->proxy_revalidate ||
	       control->no_cache;
}

/* The statuses whose meaning is known, and that may be stored. */
static bool
freshness_knows_status(int status, bool *is_heuristic)
{
	static const struct {
		int status;
		bool is_heuristic; /* RFC 9110, section 15.1 */
	} known[] = {
	    {200, true},
	    {203, true},
	    {204, true},
	    {300, true},
	    {301, true},
	    {302, false},
	    {303, false},
	    {307, false},
	    {308, true},
	    {400, false},
	    {401, false},
	    {403, false},
	    {404, true},
	    {405, true},
	    {406, false},
	    {409, false},
	    {410, true},
	    {414, true},
	    {415, false},
	    {422, false},
	    {429, false},
	    {451, false},
	    {500, false},
	    {501, true},
	    {502, false},
	    {503, false},
	    {504, false},
	};

	*is_heuristic = false;
	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i].status == status) {
			*is_heuristic = known[i].is_heuristic;
			return true;
		}
	return false;
}

/* Whether the rules that have nothing to do with time let it be stored. */
static bool
freshness_may_store(const struct freshness_rules *rules,
    const struct request_control *request, const struct received *received,
    const struct response_control *control)
{
	bool is_heuristic;
	bool is_known = freshness_knows_status(received->status, &is_heuristic);
	struct part value;

	if (request->bypasses || received->status < 200 ||
	    received->status > 599 || received->status == 206 ||
	    received->status == 304)
		return false;
	if (control->must_understand ? !is_known : control->no_store)
		return false;
	if (control->is_private && !rules->keeps_private)
		return false;
	if (request->has_authorization && !control->is_public &&
	    !control->must_revalidate && control->s_maxage_us < 0)
		return false;
	if (headers_find(received->fields, "set-cookie", &value))
		return false;
	return is_heuristic || control->is_public || control->max_age_us >= 0 ||
	       control->s_maxage_us >= 0 ||
	       headers_find(received->fields, "expires", &value);
}

/* When the response was made, or else came, by the wall clock. */
static int64_t
freshness_date(const struct received *received)
{
	const int64_t wall_us = received->received_us + received->shift_us;
	int64_t date_us;
	struct part value;

	if (headers_find(received->fields, "date", &value) &&
	    part_read_date(value, wall_us, &date_us))
		return date_us;
	return wall_us;
}

/* For how long it is fresh from its date on. */
static int64_t
freshness_lifetime(const struct freshness_rules *rules,
    const struct received *received, const struct response_control *control)
{
	const int64_t wall_us = received->received_us + received->shift_us;
	const int64_t date_us = freshness_date(received);
	int64_t time_us;
	struct part value;

	if (control->s_maxage_us >= 0)
		return control->s_maxage_us;
	if (control->max_age_us >= 0)
		return control->max_age_us;
	if (headers_find(received->fields, "expires", &value))
		return part_read_date(value, wall_us, &time_us) &&
			       time_us > date_us
			   ? time_us - date_us
			   : 0;
	if (headers_find(received->fields, "last-modified", &value) &&
	    part_read_date(value, wall_us, &time_us))
		return time_us < date_us ? (date_us - time_us) / 10 : 0;
	return rules->default_us;
}

/* How old it was when it came (RFC 9111, section 4.2.3). */
static int64_t
freshness_age_then(const struct received *received)
{
	const int64_t wall_us = received->received_us + received->shift_us;
	int64_t apparent_us = wall_us - freshness_date(received);
	int64_t age_us = 0;
	struct part value, first;

	if (headers_find(received->fields, "age", &value) &&
	    part_next_member(&value, &first) &&
	    !part_read_seconds(first, &age_us))
		age_us = 0;
	age_us += received->received_us - received->sent_us;
	return age_us > apparent_us ? age_us : apparent_us;
}

static int64_t
freshness_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
freshness_most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What it says on being used when stale, or else the rules, or nothing. */
static int64_t
freshness_grace(
    const struct response_control *control, int64_t said_us, int64_t rule_us)
{
	if (freshness_forbids_stale(control))
		return 0;
	if (said_us >= 0)
		return said_us;
	return control->s_maxage_us >= 0 ? 0 : rule_us;
}

static bool
freshness_has_validator(struct headers fields)
{
	struct part value;

	return headers_find(fields, "etag", &value) ||
	       headers_find(fields, "last-modified", &value);
}

bool
freshness_of(struct freshness *freshness, const struct freshness_rules *rules,
    const struct request_control *request, const struct received *received)
{
	const struct response_control control =
	    freshness_read_control(received->fields);
	const int64_t now_us = received->received_us;
	struct freshness *f = freshness;

	if (!freshness_may_store(rules, request, received, &control))
		return false;
	f->received_us = now_us;
	f->age_us = freshness_age_then(received);
	f->must_validate =
	    freshness_forbids_stale(&control) || control.s_maxage_us >= 0;
	f->has_validator = freshness_has_validator(received->fields);
	f->fresh_until_us =
	    now_us + (control.no_cache
			     ? 0
			     : freshness_least(freshness_lifetime(
						   rules, received, &control) -
						   f->age_us,
				   rules->most_us));
	f->stale_until_us =
	    f->fresh_until_us + freshness_grace(&control,
				    control.stale_while_revalidate_us,
				    rules->stale_while_revalidate_us);
	f->error_until_us = f->fresh_until_us + freshness_grace(&control,
						    control.stale_if_error_us,
						    rules->stale_if_error_us);
	f->kept_until_us = freshness_most(f->stale_until_us, f->error_until_us);
	if (f->has_validator)
		f->kept_until_us =
		    freshness_most(f->kept_until_us, now_us) + KEEP_US;
	return f->kept_until_us > now_us;
}

bool
freshness_bound(struct freshness *f, const struct freshness *by)
{
	f->fresh_until_us =
	    freshness_least(f->fresh_until_us, by->fresh_until_us);
	f->stale_until_us =
	    freshness_least(f->stale_until_us, by->stale_until_us);
	f->error_until_us =
	    freshness_least(f->error_until_us, by->error_until_us);
	f->kept_until_us = freshness_most(f->stale_until_us, f->error_until_us);
	f->must_validate |= by->must_validate;
	f->has_validator = false;
	return f->kept_until_us > f->received_us;
}

/* Whether a list of that field's, or of a directive of it, has ${name}. */
static bool
freshness_lists(struct part list, struct part name)
{
	struct part member;

	while (part_next_member(&list, &member))
		if (member.len == name.len &&
		    strncasecmp(member.bytes, name.bytes, name.len) == 0)
			return true;
	return false;
}

/* Whether Cache-Control says of this field alone that it is not for all. */
static bool
freshness_excludes(struct part cache_control, struct part name)
{
	struct part member;

	while (part_next_member(&cache_control, &member)) {
		struct directive directive = directive_read(member);

		if (directive.value.bytes &&
		    (part_is(directive.name, "no-cache") ||
			part_is(directive.name, "private")) &&
		    freshness_lists(directive.value, name))
			return true;
	}
	return false;
}

bool
header_may_be_stored(struct headers headers, struct part name)
{
	static const char *const never[] = {"connection", "keep-alive", "te",
	    "proxy-connection", "trailer", "transfer-encoding", "upgrade",
	    "proxy-authenticate", "proxy-authentication-info",
	    "proxy-authorization", "set-cookie", "set-cookie2",
	    "content-length", "age"};
	struct http_header header;

	for (size_t i = 0; i < COUNT(never); i++)
		if (part_is(name, never[i]))
			return false;
	while (headers_next(&headers, &header))
		if ((part_is(header.name, "connection") &&
			freshness_lists(header.value, name)) ||
		    (part_is(header.name, "cache-control") &&
			freshness_excludes(header.value, name)))
			return false;
	return true;
}

/* Whether a stale response is one that the client takes. */
static bool
freshness_suits_client(const struct freshness *freshness,
    const struct request_control *control, int64_t now_us)
{
	return !freshness->must_validate && control->max_stale_us > 0 &&
	       now_us - freshness->fresh_until_us < control->max_stale_us;
}

enum reuse
freshness_reuse(const struct freshness *freshness,
    const struct request_control *control, int64_t now_us)
{
	const int64_t age_us =
	    now_us - freshness->received_us + freshness->age_us;

	if (control->bypasses || now_us >= freshness->kept_until_us)
		return REUSE_NOT;
	if (control->no_cache ||
	    (control->max_age_us >= 0 && age_us >= control->max_age_us) ||
	    (control->min_fresh_us > 0 &&
		freshness->fresh_until_us - now_us < control->min_fresh_us))
		return REUSE_VALIDATE;
	if (now_us < freshness->fresh_until_us)
		return REUSE_FRESH;
	if (now_us < freshness->stale_until_us ||
	    freshness_suits_client(freshness, control, now_us))
		return REUSE_STALE;
	return REUSE_VALIDATE;
}

bool
freshness_covers_error(const struct freshness *freshness,
    const struct request_control *control, int64_t now_us)
{
	return !control->bypasses && !control->no_cache &&
	       (now_us < freshness->error_until_us ||
		   freshness_suits_client(freshness, control, now_us));
}

bool
status_is_error(int status)
{
	return status == 500 || (status >= 502 && status <= 504);
}

bool
status_is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

int64_t
freshness_age_s(const struct freshness *freshness, int64_t now_us)
{
	return (now_us - freshness->received_us + freshness->age_us) /
	       SECOND_US;
}

bool
method_invalidates(const char *method, size_t len, int status)
{
	static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE",
	    "PROPFIND", "REPORT", "SEARCH", "QUERY"};

	for (size_t i = 0; i < COUNT(safe); i++)
		if (len == strlen(safe[i]) && memcmp(method, safe[i], len) == 0)
			return false;
	return status >= 200 && status < 400;
}
