/**
 * rates: the counts of limits, and their rates a second.  Pure.
 */
#ifndef CLI_RATES_H
#define CLI_RATES_H

#include "base/attr.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, heading): fields of the lines of LIMITS. */
#define RATE_COUNTS(X)                                                         \
	X(allowed, " ALLOWED/S")                                               \
	X(denied, " DENIED/S")                                                 \
	X(shadow_denied, " SHADOW/S")                                          \
	X(fallback, " FALLBACK/S")                                             \
	X(denycache, " DENYCACHE/S")

enum rate_count {
#define X(name, heading) RATE_##name,
	RATE_COUNTS(X)
#undef X
	    RATES
};

struct rate_row {
	char name[LIMIT_NAME_MAX + 1];
	uint64_t counts[RATES];
	double per_second[RATES];
};

/** All limits at one time; all zero: none. */
struct rates {
	struct rate_row *rows;
	size_t count;
	size_t cap;
	int64_t at_us;   /* set by the caller */
	bool has_counts; /* some line had one */
};

/** Add a line of LIMITS.  Return 0, or -1 (out of memory). */
int rates_add(struct rates *rates, const char *line) MUST_USE;

/** After the last line: compute the rates since ${before}, and sort, busiest
 * first.  New limits, and counts that went back because the daemon restarted,
 * count from 0. */
void rates_finish(struct rates *rates, struct rates *before);

/** Add the rates of ${from}, finished, limit by limit.  Return 0, or -1 (out of
 * memory). */
int rates_sum(struct rates *to, const struct rates *from) MUST_USE;

/** The rates of all limits together. */
struct rate_row rates_total(const struct rates *rates);

/** "allowed", and the heading of its column. */
const char *rate_name(enum rate_count count);
const char *rate_heading(enum rate_count count);

/** Free it; it is empty, and can be used again. */
void rates_free(struct rates *rates);

#endif
