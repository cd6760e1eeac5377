/**
 * history: the sets of limits that were in Redis, each with a number, in the
 * hash beside the key of limits, which lua/load.lua writes.
 *
 * It prints errors itself, unless the client is quiet.
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include "base/attr.h"
#include "cli/history_text.h"
#include "cli/json.h"
#include "cli/limit_set.h"
#include "cli/redis_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How many sets it has. */
#define HISTORY_MAX 50

/** Behind the key of limits. */
#define HISTORY_SUFFIX ":history"

struct history_entry {
	int64_t number;
	bool is_torn; /* and nothing is known about it */
	struct history_about about;
};

struct history {
	redisReply *head, *abouts;
	int64_t last;       /* number; 0: there is no history */
	const char *digest; /* of that set */
	struct history_entry entries[HISTORY_MAX]; /* the latest first */
	size_t count;
};

/** Read what is known about the sets.  Return 0, and history_free() is due; -1:
 * there is no history that this dripgate can read. */
int history_read(struct history *history, struct redis_client *client) MUST_USE;

void history_free(struct history *history);

/** The set of this number; NULL: the error was printed. */
const struct history_entry *history_find(const struct history *history,
    const struct redis_client *client, int64_t number) MUST_USE;

/** The same, of the number that a word says. */
const struct history_entry *history_find_word(const struct history *history,
    const struct redis_client *client, const char *word) MUST_USE;

/** Whether the key has the last set; -1: the error was printed. */
int history_is_present(
    const struct history *history, struct redis_client *client) MUST_USE;

/** Write what is known about a set, as members of the open object. */
void history_write_about(struct json *json, const struct history_about *about);

/** The number of the latest set with this digest; 0: none. */
int64_t history_number_of(const struct history *history, const char *digest);

/** Read the set itself, ${name} borrowed.  Return 0, or -1 with nothing to
 * free. */
int history_read_set(struct limit_set *set, struct redis_client *client,
    const struct history_entry *entry, const char *name) MUST_USE;

#endif
