/**
 * victims: the keys that are denied by either of two sets of limits.
 */
#ifndef CLI_VICTIMS_H
#define CLI_VICTIMS_H

#include "base/attr.h"
#include "limit/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct victim {
	struct hash128 hash;
	char *key;
	size_t len;
	const char *limit; /* which denied it last; the caller's */
	int64_t denied_now, denied_then;
	int64_t first_us; /* when the new set first denied it; 0: never */
};

struct victims;

/** NULL: out of memory. */
struct victims *victims_new(void) MUST_USE;

/** A request for the key was denied by the set in force, by the new one, whose
 * limit has that name, or by both.  Return 0, or -1 (out of memory). */
int victims_add(struct victims *victims, const struct key *key,
    const char *limit, int64_t at_us, bool now, bool then) MUST_USE;

/** Set ${list} to those that the new set denies more often than the one in
 * force, hit hardest first.  Return how many they are.  None may be added
 * behind it. */
size_t victims_sort(struct victims *victims, const struct victim **list);

/** Whether there are any such. */
bool victims_gained(const struct victims *victims);

/** Free them, or NULL. */
void victims_free(struct victims *victims);

#endif
