/*
 * limit_set: reads a set of limits, and prints what is wrong with it.
 * A set that was read has one line for each of its entries.
 * The heart is limit_set_add().
 */
#include "cli/limit_set.h"

#include "base/file.h"
#include "base/ini.h"
#include "cli/client.h"
#include "cli/fields.h"
#include "cli/limits_key.h"
#include "cli/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bytes shown of a member that is not a limit. */
#define SHOWN_LEN 80

/* Make room for ${count} entries. */
static int
limit_set_start(struct limit_set *set, const char *name, size_t count)
{
	*set = (struct limit_set){.name = name};
	set->entries = calloc(count + 1, sizeof(*set->entries));
	set->lines = calloc(count + 1, sizeof(*set->lines));
	return set->entries && set->lines ? 0 : -1;
}

/* Add an entry whose line is the end of the text, from ${start} on.  The lines
 * get their bytes in limit_set_finish(): the text may move. */
static void
limit_set_add(
    struct limit_set *set, const struct limit_entry *entry, size_t start)
{
	set->lines[set->count].len = buf_len(&set->text) - start;
	set->wrong += entry->reason != NULL;
	set->entries[set->count++] = *entry;
}

static int
limit_set_add_limit(
    struct limit_set *set, struct rules *rules, const struct limit *limit)
{
	size_t start = buf_len(&set->text);

	if (rules_write_line(&set->text, limit) == -1)
		return -1;
	limit_set_add(set,
	    &(struct limit_entry){.limit = limit, .rules = rules_ref(rules)},
	    start);
	return 0;
}

static int
limit_set_add_route(
    struct limit_set *set, struct rules *rules, const struct route *route)
{
	size_t start = buf_len(&set->text);

	if (route_write_line(&set->text, route) == -1)
		return -1;
	limit_set_add(set,
	    &(struct limit_entry){.route = route, .rules = rules_ref(rules)},
	    start);
	return 0;
}

static int
limit_set_add_wrong(
    struct limit_set *set, const struct rules_line *line, const char *reason)
{
	size_t start = buf_len(&set->text);
	char *copy = strdup(reason);

	if (!copy || buf_add(&set->text, line->bytes, line->len) == -1) {
		free(copy);
		return -1;
	}
	limit_set_add(set, &(struct limit_entry){.reason = copy}, start);
	return 0;
}

/* Return ${status}, with nothing to free if it is -1. */
static int
limit_set_finish(struct limit_set *set, int status)
{
	const char *at = buf_data(&set->text);

	for (size_t i = 0; i < set->count; i++) {
		set->lines[i].bytes = at;
		at += set->lines[i].len;
	}
	if (status == -1) {
		tool_error("out of memory");
		limit_set_free(set);
	}
	return status;
}

int
limit_set_from_rules(
    struct limit_set *set, const char *name, struct rules *rules)
{
	const struct routes *routes = rules_routes(rules);
	size_t count = rules_count(rules) + routes->count, limits = 0;
	int status = limit_set_start(set, name, count);

	/* In the order in which they were written. */
	while (status == 0 && set->count < count) {
		size_t i = set->count - limits;
		const struct limit *limit = limits < rules_count(rules)
						? rules_at(rules, limits)
						: NULL;

		if (limit && (i == routes->count ||
				 limit->line < route_line(routes->items[i]))) {
			limits++;
			status = limit_set_add_limit(set, rules, limit);
		} else {
			status =
			    limit_set_add_route(set, rules, routes->items[i]);
		}
	}
	rules_unref(rules);
	return limit_set_finish(set, status);
}

void
limit_set_free(struct limit_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free(set->entries[i].reason);
		rules_unref(set->entries[i].rules);
	}
	free(set->entries);
	free(set->lines);
	buf_free(&set->text);
	*set = (struct limit_set){0};
}

/*
 * A file.
 */

/* The place comes first, as compilers have it, so that editors find it. */
static void
limit_set_print_reason(const char *reason, void *arg)
{
	(void)arg;
	fflush(stdout);
	fprintf(stderr, "%s\n", reason);
}

static void
limit_set_print_warning(const char *reason, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s (warning)\n", reason);
}

int
limit_set_read_file(struct limit_set *set, const char *path)
{
	struct reasons reasons;
	struct rules *rules;
	size_t len;
	char *text = file_read_any(path, &len);

	if (!text) {
		tool_error("%s: %s", path, file_error(errno));
		return -1;
	}
	rules = rules_from_ini(path, text, len, &reasons);
	free(text);
	reasons_each(&reasons,
	    rules ? limit_set_print_warning : limit_set_print_reason, NULL);
	return rules ? limit_set_from_rules(set, path, rules) : -1;
}

/*
 * The key in Redis.
 */

/* Whether an earlier entry of the same kind has the name of this one. */
static bool
limit_set_has_name(const struct limit_set *set, const struct limit_entry *entry)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct limit_entry *other = &set->entries[i];

		if (entry->limit && other->limit &&
		    strcmp(other->limit->name, entry->limit->name) == 0)
			return true;
		if (entry->route && other->route &&
		    strcmp(route_name(other->route),
			route_name(entry->route)) == 0)
			return true;
	}
	return false;
}

/* Add the entries of a member: one, or those of a limit of Turnstile, two, or
 * none if it is left out. */
static int
limit_set_add_entries(struct limit_set *set, struct rules *rules)
{
	const struct routes *routes = rules_routes(rules);
	int status = 0;

	for (size_t i = 0; status == 0 && i < routes->count; i++)
		status = limit_set_add_route(set, rules, routes->items[i]);
	for (size_t i = 0; status == 0 && i < rules_count(rules); i++)
		status = limit_set_add_limit(set, rules, rules_at(rules, i));
	return status;
}

/* Whether an earlier entry has the name of one of these. */
static bool
limit_set_has_entries(const struct limit_set *set, const struct rules *rules)
{
	const struct routes *routes = rules_routes(rules);

	for (size_t i = 0; i < routes->count; i++)
		if (limit_set_has_name(
			set, &(struct limit_entry){.route = routes->items[i]}))
			return true;
	for (size_t i = 0; i < rules_count(rules); i++)
		if (limit_set_has_name(set,
			&(struct limit_entry){.limit = rules_at(rules, i)}))
			return true;
	return false;
}

static int
limit_set_add_member(struct limit_set *set, const struct rules_line *line)
{
	struct reasons reasons;
	struct rules *rules = rules_from_lines("", line, 1, &reasons);
	int status;

	if (!rules)
		return limit_set_add_wrong(set, line, reasons_first(&reasons));
	status = limit_set_has_entries(set, rules)
		     ? limit_set_add_wrong(
			   set, line, "another limit of this name comes before")
		     : limit_set_add_entries(set, rules);
	rules_unref(rules);
	return status;
}

/* Read member by member, since some are not limits. */
static int
limit_set_from_members(struct limit_set *set, const char *key,
    const struct rules_line *lines, size_t count)
{
	/* One of Turnstile is two. */
	int status = limit_set_start(set, key, 2 * count);

	for (size_t i = 0; status == 0 && i < count; i++)
		status = limit_set_add_member(set, &lines[i]);
	return limit_set_finish(set, status);
}

int
limit_set_from_lines(struct limit_set *set, const char *name,
    const struct rules_line *lines, size_t count)
{
	struct reasons reasons;
	struct rules *rules = rules_from_lines(name, lines, count, &reasons);

	return rules ? limit_set_from_rules(set, name, rules)
		     : limit_set_from_members(set, name, lines, count);
}

int
limit_set_from_replies(struct limit_set *set, const char *name,
    redisReply *const *members, size_t count)
{
	struct rules_line *lines = calloc(count + 1, sizeof(*lines));
	int status;

	if (!lines) {
		tool_error("out of memory");
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		lines[i] = (struct rules_line){
		    members[i]->str, (size_t)members[i]->len};
	status = limit_set_from_lines(set, name, lines, count);
	free(lines);
	return status;
}

int
limit_set_read_key(struct limit_set *set, struct redis_client *client)
{
	const char *key = client->options.limits_key;
	redisReply *reply =
	    redis_client_call_texts(client, "ZRANGE %s 0 -1", key);
	int status;

	if (!reply)
		return -1;
	status =
	    limit_set_from_replies(set, key, reply->element, reply->elements);
	freeReplyObject(reply);
	return status;
}

int
limit_set_read_with_digest(struct limit_set *set, struct redis_client *client,
    char digest[LIMIT_SET_DIGEST_SIZE])
{
	struct limits_key key;
	int status;

	if (limits_key_read(&key, client, "") == -1)
		return -1;
	snprintf(digest, LIMIT_SET_DIGEST_SIZE, "%s", key.digest);
	status = limit_set_from_replies(
	    set, client->options.limits_key, key.members, key.count);
	limits_key_free(&key);
	return status;
}

int
limit_set_fetch(struct limit_set *set, struct tool *tool)
{
	struct redis_client client;
	int status;

	if (redis_client_open(&client, tool) == -1)
		return -1;
	status = limit_set_read_key(set, &client);
	redis_client_close(&client);
	return status;
}

int
limit_set_check(const struct limit_set *set, const char *hint)
{
	char shown[SHOWN_LEN * TEXT_ESCAPED_MAX + 1];
	size_t i = 0;

	if (set->wrong == 0)
		return STATUS_FINE;
	while (!set->entries[i].reason)
		i++;
	text_escape(shown, set->lines[i].bytes,
	    set->lines[i].len < SHOWN_LEN ? set->lines[i].len : SHOWN_LEN);
	return tool_error("%s: daemons refuse this set: %zu of %zu members are "
			  "no limits; member %zu: %s: %s%s",
	    set->name, set->wrong, set->count, i + 1, set->entries[i].reason,
	    shown, hint);
}

/*
 * A daemon.
 */

/* What LIMITS lists, as it comes. */
struct limit_listing {
	struct rules *rules;
	bool has_failed;
};

/* Whether LIMITS shows it of a limit with an action, which has no such word. */
static bool
limit_set_is_of_bucket(const struct field *field)
{
	return field_is(field, "algorithm") || field_is(field, "capacity") ||
	       field_is(field, "on_error");
}

/* Write the value as a limit has it: times are plain seconds in LIMITS. */
static void
limit_set_write_value(
    const struct field *field, char value[static INI_LINE_MAX + 2])
{
	const char *at = field->value;
	bool is_time = !field_is(field, "match") && !field_is(field, "also") &&
		       memchr(at, '.', field->value_len) &&
		       strspn(at, "0123456789.") >= field->value_len;

	snprintf(value, INI_LINE_MAX + 2, "%.*s%s", (int)field->value_len, at,
	    is_time ? "s" : "");
}

/* A block that grows has three fields, of which the first is ${field}, and the
 * others are at ${line}; a limit has one word for them. */
static void
limit_set_join_block(const char **line, const struct field *field,
    char value[static INI_LINE_MAX + 2])
{
	const char *at = *line;
	struct field growth, max;

	if (!field_is(field, "block") || !fields_next(&at, &growth) ||
	    !field_is(&growth, "block_growth") || !fields_next(&at, &max))
		return;
	snprintf(value, INI_LINE_MAX + 2, "%.*ss,x%.*s,max,%.*ss",
	    (int)field->value_len, field->value, (int)growth.value_len,
	    growth.value, (int)max.value_len, max.value);
	*line = at;
}

/* Set the words of a limit to what LIMITS shows at ${line}.  It shows counts,
 * too, which are no words.  Return 0, or -1: a word does not take its value. */
static int
limit_set_take_fields(struct limit *limit, const char *line)
{
	bool has_action = strncmp(line, " algorithm=action ", 18) == 0;
	char word[40], value[INI_LINE_MAX + 2];
	struct limit_error why;
	struct field field;

	while (fields_next(&line, &field)) {
		if (has_action && limit_set_is_of_bucket(&field))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)field.name_len,
		    field.name);
		limit_set_write_value(&field, value);
		limit_set_join_block(&line, &field, value);
		if (limit_set(limit, word, value, &why) == -1 && why.is_value)
			return -1;
	}
	return limit_finish(limit, &why);
}

/* "NAME word=value ... match=PATTERN" */
static void
limit_set_take_line(const char *line, void *arg)
{
	struct limit_listing *listing = arg;
	char name[LIMIT_NAME_MAX + 1];
	struct limit_error why;
	struct limit *limit;

	if (fields_is_override(line))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, " "), line);
	limit = limit_new(name, &why);
	if (!limit || rules_add(listing->rules, limit) == -1) {
		limit_free(limit);
		listing->has_failed = true;
		return;
	}
	if (limit_set_take_fields(limit, line + strcspn(line, " ")) == -1)
		listing->has_failed = true;
}

int
limit_set_read_daemon(struct limit_set *set, struct tool *tool)
{
	struct limit_listing listing = {.rules = rules_new()};

	if (!listing.rules) {
		tool_error("out of memory");
		return -1;
	}
	if (client_lines(tool, "LIMITS", limit_set_take_line, &listing) !=
	    STATUS_FINE) {
		rules_unref(listing.rules);
		return -1;
	}
	if (!listing.has_failed && rules_finish(listing.rules) == -1) {
		rules_unref(listing.rules);
		tool_error("out of memory");
		return -1;
	}
	if (!listing.has_failed)
		return limit_set_from_rules(
		    set, tool_address(tool), listing.rules);
	rules_unref(listing.rules);
	tool_error("%s: sent limits that this dripgate does not know",
	    tool_address(tool));
	return -1;
}
