/*
 * Job: what a request says to caches: directives and conditions.
 * Invariant: nothing of a request makes a response fresher than it is.
 * The heart: request_control_read(), client_has_it().
 */
#include "upstream/freshness.h"

#include <string.h>

static void
request_control_take(
    struct request_control *control, const struct directive *directive)
{
	int64_t us;

	if (part_is(directive->name, "only-if-cached"))
		control->only_if_cached = true;
	else if (part_is(directive->name, "no-cache"))
		control->no_cache = true;
	else if (part_is(directive->name, "no-store"))
		control->bypasses = true;
	else if (part_is(directive->name, "max-stale"))
		control->max_stale_us =
		    !directive->value.bytes                    ? INT64_MAX
		    : part_read_seconds(directive->value, &us) ? us
							       : 0;
	else if (!part_read_seconds(directive->value, &us))
		return;
	else if (part_is(directive->name, "max-age"))
		control->max_age_us = us;
	else if (part_is(directive->name, "min-fresh"))
		control->min_fresh_us = us;
}

/* Not obeyed: what would have the upstream asked more often. */
static void
request_control_disobey(struct request_control *control)
{
	control->no_cache = false;
	control->max_age_us = -1;
	control->min_fresh_us = 0;
	control->bypasses = false;
}

static void
request_control_take_list(struct request_control *control, struct part list)
{
	struct part member;

	while (part_next_member(&list, &member)) {
		struct directive directive = directive_read(member);

		request_control_take(control, &directive);
	}
}

void
request_control_read(struct request_control *control,
    const struct freshness_rules *rules, struct headers request)
{
	static const char *const bypasses[] = {
	    "range", "if-range", "if-match", "if-unmodified-since"};
	struct part pragma = {0};
	struct headers rest = request;
	struct http_header header;
	bool has_cache_control = false;
	bool bypass = false;

	*control = (struct request_control){.max_age_us = -1};
	while (headers_next(&rest, &header)) {
		if (part_is(header.name, "cache-control")) {
			has_cache_control = true;
			request_control_take_list(control, header.value);
		} else if (part_is(header.name, "pragma")) {
			pragma = header.value;
		} else if (part_is(header.name, "authorization")) {
			control->has_authorization = true;
		}
		for (size_t i = 0; i < COUNT(bypasses); i++)
			bypass |= part_is(header.name, bypasses[i]);
	}
	if (!has_cache_control && part_is(pragma, "no-cache"))
		control->no_cache = true;
	if (!rules->obeys_clients)
		request_control_disobey(control);
	control->bypasses |= bypass;
}

int
validators_add(struct buf *to, struct headers stored)
{
	const struct {
		const char *name, *condition;
	} conditions[] = {
	    {"etag", "If-None-Match"},
	    {"last-modified", "If-Modified-Since"},
	};

	for (size_t i = 0; i < COUNT(conditions); i++) {
		struct http_header header = {
		    .name = {conditions[i].condition,
			strlen(conditions[i].condition)},
		};

		if (headers_find(stored, conditions[i].name, &header.value) &&
		    header_add(to, &header) != 0)
			return -1;
	}
	return 0;
}

/* The opaque part of an entity tag: a weak one is as good. */
static struct part
request_control_tag(struct part tag)
{
	if (tag.len >= 2 && memcmp(tag.bytes, "W/", 2) == 0)
		return (struct part){tag.bytes + 2, tag.len - 2};
	return tag;
}

static bool
request_control_has_tag(struct headers request, struct part etag, bool *asks)
{
	struct part wanted = request_control_tag(etag);
	struct http_header header;
	struct part member;
	bool has = false;

	*asks = false;
	while (headers_next(&request, &header)) {
		if (!part_is(header.name, "if-none-match"))
			continue;
		*asks = true;
		while (part_next_member(&header.value, &member)) {
			struct part tag = request_control_tag(member);

			has |=
			    part_is(member, "*") ||
			    (tag.len == wanted.len && tag.len > 0 &&
				memcmp(tag.bytes, wanted.bytes, tag.len) == 0);
		}
	}
	return has;
}

bool
client_has_it(
    struct headers request, struct headers stored, int status, int64_t wall_us)
{
	struct part etag = {0};
	struct part since, modified;
	int64_t since_us, modified_us;
	bool asks, has;

	if (status != 200)
		return false;
	headers_find(stored, "etag", &etag);
	has = request_control_has_tag(request, etag, &asks);
	if (asks)
		return has;
	return headers_find(request, "if-modified-since", &since) &&
	       (headers_find(stored, "last-modified", &modified) ||
		   headers_find(stored, "date", &modified)) &&
	       part_read_date(since, wall_us, &since_us) &&
	       part_read_date(modified, wall_us, &modified_us) &&
	       modified_us <= since_us;
}
