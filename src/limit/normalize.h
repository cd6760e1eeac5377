/**
 * normalize: one bucket for a key however it is written: "normalize = lower
 * ip".
 *
 * lower: letters of ASCII in lower case.  ip: what a * of the limit's match, or
 * a group of its regular expression, stands for, if it is an address of IPv4 or
 * IPv6, perhaps with a port, in its one text (RFC 5952) and without the port.
 * ip64: likewise, and of IPv6 the network of 64 bits.  Limits are matched with
 * keys as they came.
 */
#ifndef LIMIT_NORMALIZE_H
#define LIMIT_NORMALIZE_H

#include "base/attr.h"
#include "limit/key.h"
#include "limit/key_parts.h"
#include "limit/rules.h"
#include "limit/word.h"

/** By how many bytes a key becomes longer at most, and room for one: an address
 * by six ("::f:f" is "::0.15.0.15"), and there are nine. */
#define NORMALIZE_MORE (6 * (KEY_PARTS_MAX - 1))
#define NORMALIZED_MAX (KEY_MAX + NORMALIZE_MORE)

/** As struct limit_word has them. */
int normalize_set(
    struct limit *limit, const char *value, struct limit_error *error);
const char *normalize_get(const struct limit *limit, char text[WORD_TEXT_MAX]);

/** All words are set: check that there is something to normalize.  Return 0, or
 * -1 with ${error} set. */
int normalize_check(
    const struct limit *limit, struct limit_error *error) MUST_USE;

/** The key whose bucket ${limit}, which matches ${key}, uses: in ${to}, with
 * room for NORMALIZE_MORE bytes more than ${key} has; or ${key} itself if
 * nothing is to be changed, or the result would be longer than KEY_MAX. */
struct key normalize_key(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, char *to);

#endif
