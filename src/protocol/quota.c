/*
 * Job: makes the figures of headers out of a decision, and those headers.
 * Invariant: what is rounded to seconds is rounded up.
 * The heart: quota_of() and quota_write_headers().
 */
#include "protocol/quota.h"

#include "base/attr.h"
#include "gate/gateway.h"
#include "limit/algorithm.h"

#include <stdarg.h>
#include <stdio.h>

int64_t
quota_seconds(int64_t us)
{
	return us > 0 ? (us + 999999) / 1000000 : 0;
}

/* Until a drop leaks that leaves room for another one.  Those beyond the
 * capacity leak at the pace of those between the first and the last. */
static int64_t
quota_leak_us(const struct check *check)
{
	const struct decision *decision = &check->decision;
	int64_t over = decision->level - check->limit->capacity;

	if (over <= 0)
		return decision->next_us;
	return decision->next_us + (decision->empty_us - decision->next_us) /
				       (decision->level - 1) * over;
}

/* Until more is available: that drop leaks, or the block ends, behind which
 * there may be room already. */
static int64_t
quota_wait_us(const struct check *check)
{
	const struct decision *decision = &check->decision;
	bool has_room = decision->level < check->limit->capacity;
	int64_t leak_us = quota_leak_us(check);

	if (decision->blocked_us > 0 &&
	    (has_room || decision->blocked_us > leak_us))
		return decision->blocked_us;
	return leak_us;
}

/* Until all of it is. */
static int64_t
quota_empty_us(const struct decision *decision)
{
	return decision->blocked_us > decision->empty_us ? decision->blocked_us
							 : decision->empty_us;
}

/* What is denied though nothing is in the bucket, on_error denies: nothing
 * remains. */
static int64_t
quota_remaining(const struct check *check)
{
	const struct decision *decision = &check->decision;

	if (decision->blocked_us > 0 ||
	    (!decision->allowed && check->decided_by == DECIDED_BY_FALLBACK &&
		check->limit->on_error == ON_ERROR_DENY))
		return 0;
	return check->limit->capacity > decision->level
		   ? check->limit->capacity - decision->level
		   : 0;
}

static int64_t
quota_window(const struct limit *limit)
{
	int64_t window = quota_seconds(limit->algorithm->full_us(limit));

	return window > 0 ? window : 1;
}

struct quota
quota_of(const struct check *check)
{
	const struct decision *decision = &check->decision;
	struct quota quota = {
	    .retry = decision->allowed ? 0 : quota_seconds(decision->retry_us),
	    .decided_by = check->decided_by,
	};

	if (!check->limit || check->limit->action != ACTION_NONE)
		return quota;
	quota.limit = check->limit->name;
	quota.capacity = check->limit->capacity;
	quota.window = quota_window(check->limit);
	quota.remaining = quota_remaining(check);
	quota.wait = quota_seconds(quota_wait_us(check));
	quota.reset = quota_seconds(quota_empty_us(decision));
	return quota;
}

/* Headers being written. */
struct quota_headers {
	struct quota_header *items;
	unsigned count;
};

static void PRINTF_LIKE(3, 4) quota_add(
    struct quota_headers *to, const char *name, const char *format, ...)
{
	struct quota_header *header = &to->items[to->count++];
	va_list args;

	header->name = name;
	va_start(args, format);
	vsnprintf(header->value, sizeof(header->value), format, args);
	va_end(args);
}

static void
quota_add_number(struct quota_headers *to, const char *name, int64_t number)
{
	quota_add(to, name, "%lld", (long long)number);
}

static void
quota_add_standard(struct quota_headers *to, const struct quota *quota)
{
	quota_add(to, "ratelimit-policy", "\"%s\";q=%lld;w=%lld", quota->limit,
	    (long long)quota->capacity, (long long)quota->window);
	if (quota->wait > 0)
		quota_add(to, "ratelimit", "\"%s\";r=%lld;t=%lld", quota->limit,
		    (long long)quota->remaining, (long long)quota->wait);
	else
		quota_add(to, "ratelimit", "\"%s\";r=%lld", quota->limit,
		    (long long)quota->remaining);
}

static void
quota_add_legacy(struct quota_headers *to, const struct quota *quota)
{
	quota_add_number(to, "x-ratelimit-limit", quota->capacity);
	quota_add_number(to, "x-ratelimit-remaining", quota->remaining);
	quota_add_number(to, "x-ratelimit-reset", quota->reset);
}

unsigned
quota_write_headers(const struct quota *quota, unsigned which,
    struct quota_header headers[QUOTA_HEADERS_MAX])
{
	struct quota_headers to = {.items = headers};

	if (quota->limit && (which & HTTP_HEADERS_STANDARD))
		quota_add_standard(&to, quota);
	if (quota->limit && (which & HTTP_HEADERS_LEGACY))
		quota_add_legacy(&to, quota);
	if (quota->retry > 0)
		quota_add_number(&to, "retry-after", quota->retry);
	if (which != HTTP_HEADERS_NONE ||
	    quota->decided_by == DECIDED_BY_FALLBACK)
		quota_add(&to, "x-dripgate-from", "%s",
		    decided_by_name(quota->decided_by));
	return to.count;
}
