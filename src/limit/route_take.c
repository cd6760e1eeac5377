/*
 * Job: which requests take a route, and which keys they get.
 * Invariant: a request that a route matches has all its conditions.
 * The heart: route_matches() and route_write_keys().
 */
#include "limit/route_internal.h"

#include "base/num.h"
#include "limit/glob.h"

#include <string.h>

/* Whether a list has a word. */
static bool
route_list_has(const char *list, const struct route_text *word)
{
	struct route_text item;

	while (route_next_of(&list, &item))
		if (item.len == word->len &&
		    memcmp(item.bytes, word->bytes, item.len) == 0)
			return true;
	return false;
}

static bool
route_covers_methods(const struct route *route, const struct route *other)
{
	const char *at = other->methods;
	struct route_text item;

	if (!route->methods)
		return true;
	if (!at)
		return false;
	while (route_next_of(&at, &item))
		if (!route_list_has(route->methods, &item))
			return false;
	return true;
}

bool
route_covers(const struct route *route, const struct route *other)
{
	if (route->host &&
	    (!other->host || strcmp(route->host, other->host) != 0))
		return false;
	for (size_t i = 0; i < route->words_count; i++) {
		const struct route_word *word = &route->words[i];
		const struct route_word *same =
		    word->is_condition ? route_given(other, word->name) : word;

		if (!same || strcmp(same->value, word->value) != 0)
			return false;
	}
	return route_covers_methods(route, other) &&
	       route_path_covers(&route->path, &other->path);
}

/*
 * Requests.
 */

static bool
route_holds(const struct route_condition *condition,
    const struct route_request *request)
{
	char room[KEY_TEXT_MAX + 1];
	const struct route_names none = {0};
	struct route_text value =
	    route_part_value(&condition->part, request, &none, room);

	return value.bytes &&
	       glob_matches(condition->pattern, value.bytes, value.len);
}

bool
route_matches(const struct route *route, const struct route_request *request,
    struct rules_scratch *scratch, struct route_names *names)
{
	if (!route_path_matches(&route->path, &request->path, scratch, names))
		return false;
	if (route->methods && !route_list_has(route->methods, &request->method))
		return false;
	if (route->host && !glob_matches(route->host,
			       request->host.bytes ? request->host.bytes : "",
			       request->host.len))
		return false;
	for (unsigned i = 0; i < route->conditions_count; i++)
		if (!route_holds(&route->conditions[i], request))
			return false;
	return true;
}

/* A text that is no number, or a number below 1, counts as 1. */
static int64_t
route_amount(const struct route *route, const struct route_request *request,
    const struct route_names *names)
{
	char room[KEY_TEXT_MAX + 1];
	struct route_text value;
	int64_t amount;

	if (route->amount_part.source == ROUTE_TEXT)
		return route->amount;
	value = route_part_value(&route->amount_part, request, names, room);
	if (value.len == 0 ||
	    num_count_digits(value.bytes, value.len) < value.len)
		return 1;
	if (num_read_int(
		value.bytes, value.len, 0, route->amount_max, &amount) == -1)
		return route->amount_max;
	return amount > 0 ? amount : 1;
}

int
route_write_keys(const struct route *route, const struct route_request *request,
    const struct route_names *names, struct route_key *keys, unsigned room)
{
	int64_t amount = route_amount(route, request, names);
	unsigned count = 0;

	for (unsigned i = 0; i < route->keys_count; i++) {
		int written;

		if (count == room)
			return (int)room + 1;
		written = route_template_write(
		    &route->keys[i], request, names, &keys[count]);

		if (written == -1)
			return -1;
		keys[count].amount = amount;
		count += (unsigned)written;
	}
	return (int)count;
}
