/**
 * descriptors: what Envoy's rate limit service is asked, as keys, and what
 * became of each; in whichever encoding.  Pure.
 */
#ifndef PROTOCOL_DESCRIPTORS_H
#define PROTOCOL_DESCRIPTORS_H

#include "base/attr.h"
#include "base/siphash.h"
#include "gate/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is wrong with requests, in the words of envoyproxy/ratelimit where it
 * has some. */
#define DESCRIPTORS_NO_DOMAIN "rate limit domain must not be empty"
#define DESCRIPTORS_NONE      "rate limit descriptor list must not be empty"
#define DESCRIPTORS_TOO_MANY  "more than 16 descriptors"
#define DESCRIPTORS_BAD_LIMIT                                                  \
	"the limit of a descriptor needs a unit, at most a month"

/** Some text, borrowed. */
struct descriptor_text {
	const char *bytes;
	size_t len;
};

/** What a client asks for: a key of each descriptor,
 *
 *     domain/entry=value/entry
 *
 * cut after KEY_MAX bytes.  "/", "%", blanks and control characters are
 * written as %XX, and so is "=" in the name of an entry.  One that brings its
 * limit along has a bucket of its own:
 *
 *     domain/entry=value//10/minute
 */
struct descriptors {
	bool takes_limits; /* those that come along; given */
	unsigned count;
	struct check_key keys[CHECK_KEYS_MAX]; /* in ${text} */
	char text[CHECK_KEYS_MAX][KEY_MAX];
};

/** Begin the key of the next descriptor, which counts once it ends.  Return 0,
 * or -1: there are CHECK_KEYS_MAX already. */
int descriptors_begin(
    struct descriptors *to, const struct descriptor_text *domain) MUST_USE;

/** Append an entry; a value without bytes is none. */
void descriptors_add(struct descriptors *to, const struct descriptor_text *name,
    const struct descriptor_text *value);

/** End the key: it asks for so many hits, or ${gives_back} them. */
void descriptors_end(struct descriptors *to, uint64_t hits, bool gives_back);

/** The descriptor that ended last brings its limit along: ${count} requests in
 * a unit, Envoy's number of it.  Return 0, or -1: that is no limit of ours. */
int descriptors_take_limit(
    struct descriptors *to, uint32_t count, uint32_t unit) MUST_USE;

/** Whether a byte stands for itself in a key, in a name or elsewhere. */
bool descriptor_is_plain(unsigned char byte, bool is_name);

/** Envoy's units of time, by their numbers; the first is unknown, and has no
 * seconds. */
#define DESCRIPTOR_UNITS 8

struct descriptor_unit {
	const char *name; /* "MINUTE" */
	int64_t seconds;
};

extern const struct descriptor_unit descriptor_units[DESCRIPTOR_UNITS];

/** What became of a descriptor. */
struct descriptor_status {
	bool has_limit; /* else all else is zero */
	bool is_denied;
	uint32_t capacity; /* of its limit */
	uint32_t unit;     /* Envoy's number of the time in which as many drops
			    * leak; 0: it has none */
	uint32_t remaining;
	int64_t reset_us;
	char name[LIMIT_NAME_MAX + 1]; /* "": it came along */
};

/** Set ${status} to what became of descriptor number ${i} of a decided check.
 */
void descriptor_status_set(
    struct descriptor_status *status, const struct check *check, unsigned i);

#endif
