/*
 * rules_text: reads a set of limits from a text, and reports each mistake.  A
 * text with a mistake is read to its end, and gives no set.  The heart is
 * rules_text_begin_limit() and rules_text_set_word().
 */
#include "limit/rules_text_internal.h"

#include "base/ini.h"
#include "base/log.h"
#include "limit/index.h"
#include "limit/pattern.h"
#include "limit/rules_write.h"

#include <stdio.h>
#include <string.h>

/* Add a reason: it is about the text at ${place}, of a limit of that name, or
 * of none. */
void
rules_text_say(struct reasons *reasons, const struct rules_reading *reading,
    const struct ini_place *place, const char *limit, const char *reason)
{
	char shown[sizeof(ROUTE_SIGN) + LIMIT_NAME_MAX + 4] = "",
							 where[40] = "";

	if (limit)
		log_escape(shown, sizeof(shown), limit, strlen(limit));
	if (place->column > 0)
		snprintf(where, sizeof(where), ":%u:%u: ", place->line,
		    place->column);
	else if (*reading->name)
		snprintf(where, sizeof(where), ": member %u: ", place->line);
	reasons_add(reasons, "%s%s%s%s%s%s", reading->name, where,
	    limit ? "[" : "", shown, limit ? "]: " : "", reason);
}

/* It is wrong. */
void
rules_text_blame(struct rules_reading *reading, const struct ini_place *place,
    const char *limit, const char *reason)
{
	rules_text_say(reading->reasons, reading, place, limit, reason);
}

/* All words of the open route were read. */
static void
rules_text_finish_route(struct rules_reading *reading)
{
	struct route *route = reading->route;
	struct limit_error why;
	char name[sizeof(ROUTE_SIGN) + LIMIT_NAME_MAX];

	reading->route = NULL;
	if (!route || route_finish(route, &why) == 0)
		return;
	snprintf(name, sizeof(name), ROUTE_SIGN "%s", route_name(route));
	rules_text_blame(reading, &reading->begin, name, why.reason);
}

/* All words of the open limit were read.  Which ones it needs depends on its
 * algorithm. */
void
rules_text_finish_limit(struct rules_reading *reading)
{
	struct limit *limit = reading->open;
	struct limit_error why;

	rules_text_finish_route(reading);
	reading->open = NULL;
	if (!limit || reading->is_open_unclear)
		return;
	while (limit_finish(limit, &why) < 0) {
		rules_text_blame(
		    reading, &reading->begin, limit->name, why.reason);
		if (!why.word)
			break;
		limit_pass_over(limit, why.word);
	}
}

/* Note the name of a limit or of a route.  Return whether it is a new one. */
static bool
rules_text_take_name(struct rules_reading *reading, const char *name)
{
	struct hash128 hash = key_make(name, strlen(name)).hash;
	const char *reason = "is defined above already";

	if (hash_index_find(&reading->names, &hash) == INDEX_NONE) {
		if (hash_index_add(&reading->names, &hash, 0) == 0)
			return true;
		reason = "out of memory";
	}
	rules_text_blame(reading, &reading->place, name, reason);
	return false;
}

/* Add a limit to the set.  Return it, or NULL: it is refused. */
static struct limit *
rules_text_add_limit(struct rules_reading *reading, const char *name)
{
	struct limit_error why;
	struct limit *limit;

	if (!rules_text_take_name(reading, name))
		return NULL;
	limit = limit_new(name, &why);
	if (!limit) {
		rules_text_blame(reading, &reading->place, name, why.reason);
		return NULL;
	}
	limit->line = reading->place.line;
	if (rules_add(reading->rules, limit) == 0)
		return limit;
	rules_text_blame(reading, &reading->place, name, "out of memory");
	limit_free(limit);
	return NULL;
}

/* The same for a route, of which ${name} begins with the sign. */
static struct route *
rules_text_add_route(struct rules_reading *reading, const char *name)
{
	struct limit_error why;
	struct route *route;

	if (!rules_text_take_name(reading, name))
		return NULL;
	route = route_new(name + strlen(ROUTE_SIGN), &why);
	if (!route) {
		rules_text_blame(reading, &reading->place, name, why.reason);
		return NULL;
	}
	route_set_line(route, reading->place.line);
	if (rules_add_route(reading->rules, route) == 0)
		return route;
	rules_text_blame(reading, &reading->place, name, "out of memory");
	route_free(route);
	return NULL;
}

/* A limit or a route begins. */
void
rules_text_begin_limit(struct rules_reading *reading, const char *name)
{
	reading->begin = reading->place;
	reading->is_open_unclear = false;
	reading->open = NULL;
	if (strncmp(name, ROUTE_SIGN, strlen(ROUTE_SIGN)) == 0)
		reading->route = rules_text_add_route(reading, name);
	else
		reading->open = rules_text_add_limit(reading, name);
}

/* A pattern may not be what was meant. */
static void
rules_text_doubt_pattern(struct rules_reading *reading)
{
	const struct limit *limit = reading->open;
	struct ini_place place = reading->place;
	const char *doubt = pattern_doubt(limit);
	char reason[REASON_SIZE];

	if (!doubt)
		return;
	place.column = place.value_column;
	snprintf(reason, sizeof(reason), "match = %s %s", limit->match, doubt);
	rules_text_say(&reading->doubts, reading, &place, limit->name, reason);
}

static void
rules_text_set_route_word(
    struct rules_reading *reading, const char *word, const char *value)
{
	struct ini_place place = reading->place;
	struct limit_error why;
	char name[sizeof(ROUTE_SIGN) + LIMIT_NAME_MAX];

	if (route_set(reading->route, word, value, &why) == 0)
		return;
	if (why.is_value)
		place.column = place.value_column;
	snprintf(
	    name, sizeof(name), ROUTE_SIGN "%s", route_name(reading->route));
	rules_text_blame(reading, &place, name, why.reason);
}

void
rules_text_set_word(
    struct rules_reading *reading, const char *word, const char *value)
{
	struct ini_place place = reading->place;
	struct limit_error why;

	if (reading->route) {
		rules_text_set_route_word(reading, word, value);
		return;
	}
	if (limit_set(reading->open, word, value, &why) == 0) {
		if (strcmp(word, "match") == 0)
			rules_text_doubt_pattern(reading);
		return;
	}
	if (why.is_value)
		place.column = place.value_column;
	rules_text_blame(reading, &place, reading->open->name, why.reason);
	if (why.word)
		limit_assume(reading->open, why.word);
	if (why.word && (strcmp(why.word, "algorithm") == 0 ||
			    strcmp(why.word, "action") == 0))
		reading->is_open_unclear = true;
}

void
rules_text_start(
    struct rules_reading *reading, const char *name, struct reasons *reasons)
{
	reasons_clear(reasons);
	*reading = (struct rules_reading){
	    .name = name, .reasons = reasons, .rules = rules_new()};
	if (!reading->rules)
		reasons_add(reasons, "%s: out of memory", name);
}

/* A limit before ${limit} in the set that has the same pattern, or NULL. */
static const struct limit *
rules_text_find_same(const struct rules *rules, struct hash_index *patterns,
    const struct limit *limit)
{
	struct hash128 hash = pattern_hash(limit);
	unsigned order = hash_index_find(patterns, &hash);

	/* Without memory there are fewer warnings. */
	if (order == INDEX_NONE &&
	    hash_index_add(patterns, &hash, limit->order) < 0)
		return NULL;
	return order == INDEX_NONE ? NULL : rules_at(rules, order);
}

/* No key reaches ${limit}: one before takes them all. */
static void
rules_text_doubt_reach(struct rules_reading *reading, const struct limit *limit,
    const char *before, const char *how)
{
	struct ini_place place = {
	    .line = limit->line, .column = reading->begin.column > 0};
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason), "no key reaches it: [%s] before it %s",
	    before, how);
	rules_text_say(&reading->doubts, reading, &place, limit->name, reason);
}

static void
rules_text_doubt_limits(struct rules_reading *reading)
{
	const struct rules *rules = reading->rules;
	struct hash_index patterns = {0};

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct limit *limit = rules_at(rules, i);
		const struct limit *same =
		    rules_text_find_same(rules, &patterns, limit);
		const struct limit *cover =
		    same ? NULL : rules_cover(rules, limit);

		if (same)
			rules_text_doubt_reach(
			    reading, limit, same->name, "has the same match");
		else if (cover)
			rules_text_doubt_reach(reading, limit, cover->name,
			    "matches all that it matches");
	}
	hash_index_free(&patterns);
}

/* Routes that no request takes. */
static void
rules_text_doubt_routes(struct rules_reading *reading)
{
	const struct routes *routes = rules_routes(reading->rules);

	for (size_t i = 0; i < routes->count; i++) {
		const struct route *route = routes->items[i];
		const struct route *cover = routes_cover(routes, i);
		struct ini_place place = {.line = route_line(route),
		    .column = reading->begin.column > 0};
		char name[sizeof(ROUTE_SIGN) + LIMIT_NAME_MAX];
		char reason[REASON_SIZE];

		if (!cover)
			continue;
		snprintf(
		    name, sizeof(name), ROUTE_SIGN "%s", route_name(route));
		snprintf(reason, sizeof(reason),
		    "no request reaches it: [" ROUTE_SIGN
		    "%s] before it matches all that it matches",
		    route_name(cover));
		rules_text_say(&reading->doubts, reading, &place, name, reason);
	}
}

/* A check has room for so many keys.  Where it is not seen that a request has
 * more, it may be that none has. */
static void
rules_text_check_routes(struct rules_reading *reading)
{
	const struct routes *routes = rules_routes(reading->rules);
	size_t most = routes_most_keys(routes), sure = 0;

	if (most > ROUTE_KEYS_MAX)
		sure = routes_sure_keys(routes);
	if (sure > ROUTE_KEYS_MAX)
		reasons_add(reading->reasons,
		    "%s: a request could get %zu keys of its routes, "
		    "those with continue = yes together; at most %d",
		    reading->name, sure, ROUTE_KEYS_MAX);
	else if (most > ROUTE_KEYS_MAX)
		reasons_add(&reading->doubts,
		    "%s: a request that took all routes with continue = yes "
		    "would get %zu keys; with more than %d it is refused",
		    reading->name, most, ROUTE_KEYS_MAX);
}

/* Return the set if nothing is wrong with it, or NULL. */
struct rules *
rules_text_end(struct rules_reading *reading)
{
	struct rules *rules = reading->rules;

	hash_index_free(&reading->names);
	if (rules)
		rules_text_check_routes(reading);
	if (reading->reasons->count == 0 &&
	    (rules_finish(rules) < 0 || rules_write_digest(rules) == -1))
		reasons_add(
		    reading->reasons, "%s: out of memory", reading->name);
	if (reading->reasons->count == 0) {
		rules_text_doubt_limits(reading);
		rules_text_doubt_routes(reading);
		*reading->reasons = reading->doubts;
		return rules;
	}
	rules_unref(rules);
	return NULL;
}

/*
 * INI.
 */

static bool
rules_text_on_section(
    void *arg, const char *name, const struct ini_place *place)
{
	struct rules_reading *reading = arg;

	rules_text_finish_limit(reading);
	reading->place = *place;
	rules_text_begin_limit(reading, name);
	return false;
}

/* The words of a limit that was refused are not looked at. */
static void
rules_text_on_pair(void *arg, const struct ini_pair *pair)
{
	struct rules_reading *reading = arg;

	reading->place = pair->place;
	if (reading->open || reading->route)
		rules_text_set_word(reading, pair->name, pair->value);
	else if (*pair->section == '\0' && reading->begin.line == 0)
		rules_text_blame(reading, &reading->place, NULL,
		    "comes before the first [section]");
}

static void
rules_text_on_mistake(
    void *arg, const struct ini_place *place, const char *reason)
{
	rules_text_blame(arg, place, NULL, reason);
}

struct rules *
rules_from_ini(
    const char *name, const char *text, size_t len, struct reasons *reasons)
{
	static const struct ini_events events = {
	    rules_text_on_section, rules_text_on_pair, rules_text_on_mistake};
	struct rules_reading reading;

	rules_text_start(&reading, name, reasons);
	if (reading.rules && ini_read(text, len, &events, &reading) < 0)
		reasons_add(reasons, "%s: out of memory", name);
	rules_text_finish_limit(&reading);
	if (reasons->count == 0 && rules_count(reading.rules) == 0)
		reasons_add(reasons, "%s: no limits in it", name);
	return rules_text_end(&reading);
}
