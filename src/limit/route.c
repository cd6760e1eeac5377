/*
 * Job: reads the words of a route, and writes them.
 * Invariant: ${words} are the words as they are written: lists with commas, in
 * one order; all else points into their values.
 * The heart: route_words[], route_set() and route_finish().
 */
#include "limit/route_internal.h"

#include "base/choice.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/num.h"
#include "base/suggest.h"
#include "limit/glob.h"
#include "limit/rules_text.h"
#include "limit/word.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool
route_next_of(const char **list, struct route_text *item)
{
	return word_next(list, &item->bytes, &item->len);
}

/*
 * Words.  Each call takes the value of one, which stays.
 */

static int
route_set_host(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	const char *fault = glob_fault(word->value);

	for (char *at = word->value; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	route->host = word->value;
	if (strpbrk(word->value, ":/"))
		return word_fail(error, "host is a name without a port");
	return fault ? word_fail(error, "host %s", fault) : 0;
}

static int
route_set_method(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	const char *at = word->value;
	struct route_text item;

	route->methods = word->value;
	while (route_next_of(&at, &item))
		for (size_t i = 0; i < item.len; i++)
			if (!isupper((unsigned char)item.bytes[i]) &&
			    item.bytes[i] != '-')
				return word_fail(error,
				    "method must be names as GET, in upper "
				    "case");
	return 0;
}

static int
route_set_path(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	return route_path_set(&route->path, word->value, error);
}

static int
route_set_condition(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	struct route_condition *condition =
	    &route->conditions[route->conditions_count];
	const char *fault = glob_fault(word->value);

	if (route->conditions_count == ROUTE_CONDITIONS_MAX)
		return word_fail(error, "a route has at most %d conditions",
		    ROUTE_CONDITIONS_MAX);
	if (fault)
		return word_fail(error, "%.60s %s", word->name, fault);
	if (route_part_read(&condition->part, word->name, strlen(word->name)) ==
	    -1)
		return word_fail(error, "%.60s is no condition", word->name);
	condition->pattern = word->value;
	route->conditions_count++;
	return 0;
}

static int
route_set_keys(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	const char *at = word->value;
	struct route_text item;

	while (route_next_of(&at, &item)) {
		if (route->keys_count == ROUTE_KEYS_MAX)
			return word_fail(error, "a route has at most %d keys",
			    ROUTE_KEYS_MAX);
		if (route_template_read(&route->keys[route->keys_count++],
			item.bytes, item.len, error) == -1)
			return -1;
	}
	return 0;
}

static int
route_set_amount(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	size_t len = strlen(word->value);

	if (*word->value == '$' &&
	    route_part_read(&route->amount_part, word->value + 1, len - 1) == 0)
		return 0;
	if (num_read_int(
		word->value, len, 1, LIMIT_AMOUNT_MAX, &route->amount) == 0)
		return 0;
	return word_fail(error,
	    "amount must be a whole number from 1 to %jd, or a part of the "
	    "request as $header.x-cost",
	    (intmax_t)LIMIT_AMOUNT_MAX);
}

static int
route_set_amount_max(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	if (num_read_int(word->value, strlen(word->value), 1, LIMIT_AMOUNT_MAX,
		&route->amount_max) == 0)
		return 0;
	return word_fail(error,
	    "amount_max must be a whole number from 1 to %jd",
	    (intmax_t)LIMIT_AMOUNT_MAX);
}

static int
route_read_flag(
    const struct route_word *word, bool *flag, struct limit_error *error)
{
	int chosen;

	if (choice_read(choice_no_yes, word->value, &chosen) == -1)
		return word_fail(error, "%s must be yes or no", word->name);
	*flag = chosen;
	return 0;
}

static int
route_set_required(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	return route_read_flag(word, &route->is_required, error);
}

static int
route_set_continue(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	return route_read_flag(word, &route->continues, error);
}

static int
route_set_denied(
    struct route *route, struct route_word *word, struct limit_error *error)
{
	static const struct choice actions[] = {
	    {"defer_if_permit", ROUTE_DEFER_IF_PERMIT},
	    {"defer", ROUTE_DEFER},
	    {"reject", ROUTE_REJECT},
	    {"hold", ROUTE_HOLD},
	    {"discard", ROUTE_DISCARD},
	    {NULL, 0},
	};
	char names[80];
	int chosen;

	choice_list(actions, names, sizeof(names));
	if (choice_read(actions, word->value, &chosen) == -1)
		return word_fail(error, "%s must be %s", word->name, names);
	route->denied = (enum route_denied)chosen;
	return 0;
}

/* In the order in which they are written. */
static const struct {
	const char *name;
	bool has_name; /* behind the dot */
	bool is_list;
	const char *fallback; /* which need not be written */
	int (*set)(struct route *route, struct route_word *word,
	    struct limit_error *error);
} route_words[] = {
    {"host", false, false, NULL, route_set_host},
    {"method", false, true, NULL, route_set_method},
    {"path", false, false, NULL, route_set_path},
    {"header.", true, false, NULL, route_set_condition},
    {"query.", true, false, NULL, route_set_condition},
    {"cookie.", true, false, NULL, route_set_condition},
    {"policy.", true, false, NULL, route_set_condition},
    {"keys", false, true, NULL, route_set_keys},
    {"amount", false, false, "1", route_set_amount},
    {"amount_max", false, false, NULL, route_set_amount_max},
    {"required", false, false, "no", route_set_required},
    {"continue", false, false, "no", route_set_continue},
    {"policy_denied", false, false, "defer_if_permit", route_set_denied},
};

/*
 * Building.
 */

struct route *
route_new(const char *name, struct limit_error *error)
{
	struct limit *named = limit_new(name, error);
	struct route *route;

	if (!named)
		return NULL;
	limit_free(named);
	route = calloc(1, sizeof(*route));
	if (!route) {
		word_fail(error, "out of memory");
		return NULL;
	}
	memcpy(route->name, name, strlen(name));
	route->amount = 1;
	return route;
}

void
route_free(struct route *route)
{
	if (!route)
		return;
	for (size_t i = 0; i < route->words_count; i++) {
		free(route->words[i].name);
		free(route->words[i].value);
	}
	free(route->words);
	route_path_free(&route->path);
	free(route);
}

static int
route_fail_unknown(const char *word, struct limit_error *error)
{
	const char *names[COUNT(route_words)], *near;
	char shown[50];

	for (size_t i = 0; i < COUNT(route_words); i++)
		names[i] = route_words[i].name;
	near = suggest(word, names, COUNT(names));
	log_escape(shown, sizeof(shown), word, strlen(word));
	if (!near)
		return word_fail(error, "unknown word '%s'", shown);
	return word_fail(
	    error, "unknown word '%s', did you mean '%s'?", shown, near);
}

static int
route_find_word(const char *word)
{
	for (size_t i = 0; i < COUNT(route_words); i++) {
		size_t len = strlen(route_words[i].name);

		if (route_words[i].has_name
			? strncmp(word, route_words[i].name, len) == 0 &&
			      word[len]
			: strcmp(word, route_words[i].name) == 0)
			return (int)i;
	}
	return -1;
}

/* Store a word.  NULL: out of memory. */
static struct route_word *
route_store_word(
    struct route *route, size_t rank, const char *name, const char *value)
{
	struct route_word *words =
	    reallocarray(route->words, route->words_count + 1, sizeof(*words));
	struct route_word *word;

	if (!words)
		return NULL;
	route->words = words;
	word = &words[route->words_count];
	*word = (struct route_word){
	    rank, route_words[rank].has_name, strdup(name), strdup(value)};
	if (!word->name || !word->value) {
		free(word->name);
		free(word->value);
		return NULL;
	}
	route->words_count++;
	if (route_words[rank].is_list)
		word_join_list(word->value);
	return word;
}

const struct route_word *
route_given(const struct route *route, const char *name)
{
	for (size_t i = 0; i < route->words_count; i++)
		if (strcmp(route->words[i].name, name) == 0)
			return &route->words[i];
	return NULL;
}

int
route_set(struct route *route, const char *name, const char *value,
    struct limit_error *error)
{
	int rank = route_find_word(name);
	struct route_word *word;

	error->is_value = false;
	error->word = NULL;
	if (rank == -1)
		return route_fail_unknown(name, error);
	if (route_given(route, name))
		return word_fail(error, "%.60s is given twice", name);
	word = route_store_word(route, (size_t)rank, name, value);
	if (!word)
		return word_fail(error, "out of memory");
	error->is_value = true;
	if (*word->value == '\0')
		return word_fail(error, "%.60s is empty", name);
	return route_words[rank].set(route, word, error);
}

static int
route_compare_words(const void *left, const void *right)
{
	const struct route_word *a = left, *b = right;

	return a->rank != b->rank ? (a->rank > b->rank ? 1 : -1)
				  : strcmp(a->name, b->name);
}

static int
route_check_amount(struct route *route, struct limit_error *error)
{
	struct route_template amount = {1, {route->amount_part}};
	bool is_part = route->amount_part.source != ROUTE_TEXT;

	if (is_part != (route->amount_max > 0))
		return word_fail(error,
		    is_part ? "amount_max must say how much amount may be"
			    : "amount_max goes with an amount as "
			      "$header.x-cost");
	if (route_template_resolve(&amount, &route->path, error) == -1)
		return -1;
	route->amount_part = amount.parts[0];
	return 0;
}

int
route_finish(struct route *route, struct limit_error *error)
{
	error->word = NULL;
	error->is_value = false;
	if (route->words_count == 0)
		return word_fail(error, "a route without any word");
	for (unsigned i = 0; i < route->keys_count; i++)
		if (route_template_resolve(
			&route->keys[i], &route->path, error) == -1)
			return -1;
	if (route_check_amount(route, error) == -1)
		return -1;
	qsort(route->words, route->words_count, sizeof(*route->words),
	    route_compare_words);
	return 0;
}

/*
 * Facts.
 */

const char *
route_name(const struct route *route)
{
	return route->name;
}

unsigned
route_line(const struct route *route)
{
	return route->line;
}

void
route_set_line(struct route *route, unsigned line)
{
	route->line = line;
}

unsigned
route_keys_count(const struct route *route)
{
	return route->keys_count;
}

bool
route_continues(const struct route *route)
{
	return route->continues;
}

bool
route_is_required(const struct route *route)
{
	return route->is_required;
}

enum route_denied
route_denied(const struct route *route)
{
	return route->denied;
}

const char *
route_literal(const struct route *route)
{
	return route->path.literal ? route->path.literal : "";
}

/*
 * Writing.
 */

static bool
route_is_written(const struct route_word *word)
{
	const char *fallback = route_words[word->rank].fallback;

	return !fallback || strcmp(word->value, fallback) != 0;
}

bool
route_has_blank(const struct route *route)
{
	for (size_t i = 0; i < route->words_count; i++)
		if (strpbrk(route->words[i].value, " \t"))
			return true;
	return false;
}

int
route_write_line(struct buf *out, const struct route *route)
{
	if (buf_printf(out, ROUTE_SIGN "%s", route->name) == -1)
		return -1;
	for (size_t i = 0; i < route->words_count; i++)
		if (route_is_written(&route->words[i]) &&
		    buf_printf(out, " %s=%s", route->words[i].name,
			route->words[i].value) == -1)
			return -1;
	return 0;
}

int
route_write_section(struct buf *out, const struct route *route)
{
	if (buf_printf(out, "[" ROUTE_SIGN "%s]\n", route->name) == -1)
		return -1;
	for (size_t i = 0; i < route->words_count; i++) {
		const struct route_word *word = &route->words[i];

		if (!route_is_written(word))
			continue;
		if (buf_printf(out, "%s = ", word->name) == -1 ||
		    ini_write_value(out, word->value) == -1 ||
		    buf_add(out, "\n", 1) == -1)
			return -1;
	}
	return 0;
}
