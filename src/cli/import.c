/*
 * Job: writes limits that decide as envoyproxy/ratelimit does by its own
 * configuration.
 * Invariant: it looks descriptors up entry by entry, and never goes back; the
 * first limit that matches decides here.  So what is more special comes first,
 * and behind it come limits that never deny, for what it keeps from the less
 * special ones without having a limit for it.
 * The heart: import_children() and import_lacks().
 */
#include "base/ini.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/import_text.h"
#include "cli/limits.h"
#include "limit/key.h"
#include "limit/rules_text.h"
#include "protocol/descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct importing {
	bool leaky;    /* write leaky buckets */
	bool has_left; /* something was not carried over */
	size_t limits;
	struct buf out;
	struct hash_index names;
	struct import_path path;
};

/* A limit to be written. */
struct import_limit {
	const char *suffix; /* of its name */
	unsigned more;      /* entries behind the path */
	bool as_shared;
	int64_t capacity;
	unsigned unit;
	bool leaky, shadow;
	const char *action; /* that asks no bucket; or NULL */
	const char *also;   /* or NULL */
};

/* One that never denies. */
static const struct import_limit import_free = {
    .suffix = "", .action = "allow"};

static const struct envoy_node *
import_node_of(const struct importing *importing)
{
	return importing->path.nodes[importing->path.len - 1];
}

/* Say that something of the descriptor is not carried over. */
static void
import_leave(struct importing *importing, const char *reason)
{
	const struct envoy_node *node = import_node_of(importing);

	importing->has_left = true;
	envoy_node_fail(node->file, node->line, reason, node->name);
}

static int
import_fail_memory(void)
{
	tool_error("out of memory");
	return -1;
}

/*
 * Limits.
 */

static int
import_write_pair(
    struct importing *importing, const char *word, const char *value)
{
	return buf_printf(&importing->out, "%s = ", word) == -1 ||
		       ini_write_value(&importing->out, value) == -1 ||
		       buf_add(&importing->out, "\n", 1) == -1
		   ? -1
		   : 0;
}

static int
import_write_figures(
    struct importing *importing, const struct import_limit *limit)
{
	long long seconds = descriptor_units[limit->unit].seconds;
	long long capacity = limit->capacity;

	if (limit->action)
		return buf_printf(
		    &importing->out, "action = %s\n", limit->action);
	return limit->leaky ? buf_printf(&importing->out,
				  "capacity = %lld\nrate = %lld/%llds\n",
				  capacity, capacity, seconds)
			    : buf_printf(&importing->out,
				  "algorithm = fixed_window\ncapacity = %lld\n"
				  "window = %llds\n",
				  capacity, seconds);
}

/* "; FILE:LINE" and "[NAME]" */
static int
import_write_head(struct importing *importing, const char *name)
{
	const struct envoy_node *node = import_node_of(importing);
	char file[512];

	return buf_printf(&importing->out, "%s; %s:%u\n[%s]\n",
	    importing->limits > 1 ? "\n" : "",
	    log_escape(file, sizeof(file), node->file, strlen(node->file)),
	    node->line, name);
}

static int
import_write_words(struct importing *importing,
    const struct import_limit *limit, const struct import_pattern *pattern)
{
	if (import_write_pair(importing, "match", buf_data(&pattern->text)) ==
	    -1)
		return -1;
	if (pattern->stars > 0 &&
	    buf_printf(&importing->out, "segments = yes\n") == -1)
		return -1;
	if (import_write_figures(importing, limit) == -1)
		return -1;
	if (limit->also &&
	    import_write_pair(importing, "also", limit->also) == -1)
		return -1;
	return limit->shadow ? buf_printf(&importing->out, "shadow = yes\n")
			     : 0;
}

static int
import_write_section(struct importing *importing,
    const struct import_limit *limit, const struct import_pattern *pattern)
{
	char name[LIMIT_NAME_MAX + 1];

	if (pattern->least > KEY_MAX) {
		import_leave(importing,
		    "not carried over: its keys are longer than 512 bytes");
		return 0;
	}
	importing->limits++;
	return import_text_name(name, &importing->path, limit->suffix,
		   buf_data(&pattern->text), &importing->names) == -1 ||
		       import_write_head(importing, name) == -1 ||
		       import_write_words(importing, limit, pattern) == -1
		   ? -1
		   : 0;
}

/* Write a limit of the path.  Return 0, or -1: the error was printed. */
static int
import_write(struct importing *importing, const struct import_limit *limit)
{
	struct import_pattern pattern;
	int result;

	if (import_text_pattern(&pattern, &importing->path, limit->more,
		limit->as_shared) == -1)
		return import_fail_memory();
	result = import_write_section(importing, limit, &pattern);
	import_pattern_free(&pattern);
	return result == -1 ? import_fail_memory() : 0;
}

/* Each key charges the one that is shared, and has no limit of its own; the
 * shared one may be asked for, too. */
static int
import_write_shared(struct importing *importing, struct import_limit *limit)
{
	struct import_limit each = import_free;
	struct import_pattern also;
	int result;

	if (import_text_shared_key(&also, &importing->path) == -1)
		return import_fail_memory();
	if (also.has_separator || also.stars > 9) {
		import_pattern_free(&also);
		import_leave(importing,
		    "share_threshold is not carried over: each value has a "
		    "count of its own, as there is a comma, or more than 9 *");
		return import_write(importing, limit);
	}
	limit->as_shared = true;
	each.suffix = "_each";
	each.also = buf_data(&also.text);
	result = import_write(importing, limit);
	if (result == 0)
		result = import_write(importing, &each);
	import_pattern_free(&also);
	return result;
}

static bool
import_is_shared(const struct import_path *path)
{
	for (unsigned i = 1; i < path->len; i++)
		if (path->nodes[i]->is_shared)
			return true;
	return false;
}

/* Change what a limit of ours cannot have to the nearest that it can, and say
 * so.
 */
static void
import_bound(struct importing *importing, struct import_limit *limit)
{
	int64_t fastest = descriptor_units[limit->unit].seconds * 1000000;

	if (limit->capacity == 0)
		limit->action = "deny";
	if (limit->capacity > LIMIT_CAPACITY_MAX) {
		import_leave(importing,
		    "requests_per_unit is not carried over: 1000000000 is the "
		    "most");
		limit->capacity = LIMIT_CAPACITY_MAX;
	}
	if (limit->leaky && limit->capacity > fastest) {
		import_leave(importing,
		    "requests_per_unit is not carried over: a bucket leaks at "
		    "most 1000000 a second");
		limit->capacity = fastest;
	}
}

static int
import_limit(struct importing *importing)
{
	const struct envoy_node *node = import_node_of(importing);
	struct import_limit limit = {.suffix = "",
	    .capacity = node->requests,
	    .unit = node->unit,
	    .leaky = importing->leaky,
	    .shadow = node->is_shadow};

	if (!node->has_limit)
		return 0;
	if (node->is_unlimited)
		return import_write(importing, &import_free);
	import_bound(importing, &limit);
	return import_is_shared(&importing->path)
		   ? import_write_shared(importing, &limit)
		   : import_write(importing, &limit);
}

/* Say what the descriptor has that limits have not. */
static void
import_say_surplus(struct importing *importing)
{
	static const char *const reasons[ENVOY_SURPLUS_COUNT] = {
	    [ENVOY_REPLACES] = "replaces is not carried over: the limits that "
			       "it replaces count, too",
	    [ENVOY_QUOTA_MODE] = "quota_mode is not carried over: it denies as "
				 "other limits do",
	    [ENVOY_DETAILED_METRIC] = "detailed_metric is not carried over: "
				      "metrics are by limit",
	    [ENVOY_VALUE_TO_METRIC] = "value_to_metric is not carried over: "
				      "metrics are by limit",
	    [ENVOY_METADATA] = "metadata is not carried over: responses have "
			       "none",
	};
	const struct envoy_node *node = import_node_of(importing);

	for (unsigned i = 0; i < ENVOY_SURPLUS_COUNT; i++)
		if (node->surplus[i] &&
		    (node->has_limit || i == ENVOY_VALUE_TO_METRIC))
			import_leave(importing, reasons[i]);
	if (node->stray) {
		importing->has_left = true;
		envoy_node_fail(node->file, node->line,
		    "means nothing in its place", node->stray);
	}
}

/*
 * Descriptors.
 */

/* So deep below both ${other} has limits where ${node}, which takes its keys,
 * has none: a bit for each depth. */
static uint64_t
import_lacks(const struct envoy_node *node, const struct envoy_node *other)
{
	uint64_t depths = other->has_limit && !node->has_limit;

	for (size_t i = 0; i < other->count; i++) {
		const struct envoy_node *child = other->children[i];
		const struct envoy_node *own =
		    envoy_node_find(node, child->name, child->name_len);

		depths |= (own ? import_lacks(own, child) : child->depths) << 1;
	}
	return depths;
}

/* Whether ${other}, which comes later, would take keys of ${node}. */
static bool
import_is_less_special(
    const struct envoy_node *node, const struct envoy_node *other)
{
	if (node->key->len != other->key->len ||
	    memcmp(node->key->text, other->key->text, node->key->len) != 0)
		return false;
	return node->kind != ENVOY_EXACT || other->kind != ENVOY_WILDCARD ||
	       envoy_node_takes(other, node->name, node->name_len);
}

static int
import_keep(struct importing *importing, uint64_t depths)
{
	static const char anys[] = "_any_any_any_any_any_any_any_any";
	struct import_limit limit = import_free;

	for (; depths > 0; depths >>= 1, limit.more++) {
		unsigned some = limit.more < 8 ? limit.more : 8;

		limit.suffix = anys + sizeof(anys) - 1 - 4 * (size_t)some;
		if ((depths & 1) && import_write(importing, &limit) == -1)
			return -1;
	}
	return 0;
}

/* By kind, and then as they were written. */
static int
import_compare(const void *left, const void *right)
{
	const struct envoy_node *a = *(struct envoy_node *const *)left;
	const struct envoy_node *b = *(struct envoy_node *const *)right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->place > b->place) - (a->place < b->place);
}

static int import_children(
    struct importing *importing, const struct envoy_node *node);

/* The descriptor at the end of the path, and what is below it. */
static int
import_descriptor(struct importing *importing)
{
	const struct envoy_node *node = import_node_of(importing);

	import_say_surplus(importing);
	if (memchr(node->key->text, '*', node->key->len)) {
		import_leave(
		    importing, "not carried over: there is a * in its key");
		return 0;
	}
	return import_limit(importing) == -1 ? -1
					     : import_children(importing, node);
}

/* Child ${i} of those in order, where ${special} are of their own value. */
static int
import_child(struct importing *importing, const struct envoy_node *parent,
    struct envoy_node *const *children, size_t i, size_t special)
{
	const struct envoy_node *child = children[i], *any;
	uint64_t depths = 0;
	int result;

	importing->path.nodes[importing->path.len++] = child;
	result = import_descriptor(importing);
	for (size_t k = i < special ? special : i + 1;
	     k < parent->count && children[k]->kind == ENVOY_WILDCARD; k++)
		if (import_is_less_special(child, children[k]))
			depths |= import_lacks(child, children[k]);
	any = child->kind == ENVOY_ANY
		  ? NULL
		  : envoy_node_find(parent, child->key->text, child->key->len);
	if (any && any->kind == ENVOY_ANY)
		depths |= import_lacks(child, any);
	if (result == 0)
		result = import_keep(importing, depths);
	importing->path.len--;
	return result;
}

static int
import_children(struct importing *importing, const struct envoy_node *node)
{
	struct envoy_node **children;
	size_t special = 0;
	int result = 0;

	if (node->count == 0)
		return 0;
	children = malloc(node->count * sizeof(*children));
	if (!children)
		return import_fail_memory();
	memcpy(children, node->children, node->count * sizeof(*children));
	qsort(children, node->count, sizeof(*children), import_compare);
	while (special < node->count && children[special]->kind == ENVOY_EXACT)
		special++;
	for (size_t i = 0; i < node->count && result == 0; i++)
		result = import_child(importing, node, children, i, special);
	free(children);
	return result;
}

static int
import_domains(struct importing *importing, const struct envoy_node *root)
{
	for (size_t i = 0; i < root->count; i++) {
		importing->path = (struct import_path){
		    .nodes = {root->children[i]}, .len = 1};
		import_say_surplus(importing);
		if (import_children(importing, root->children[i]) == -1)
			return -1;
	}
	return 0;
}

/* Print them, as a file or as an array, if dripgated would take them.  If not,
 * it is our fault. */
static int
import_print(const struct importing *importing, bool is_json)
{
	struct limit_set set;
	struct reasons reasons;
	struct rules *rules = rules_from_ini("limits",
	    buf_data(&importing->out), buf_len(&importing->out), &reasons);

	if (!rules)
		return tool_error("the limits are wrong, which is a bug: %s",
		    reasons_first(&reasons));
	if (limit_set_from_rules(&set, "limits", rules) == -1)
		return STATUS_ERROR;
	if (is_json)
		limits_write_set(stdout, &set);
	else
		fwrite(buf_data(&importing->out), 1, buf_len(&importing->out),
		    stdout);
	limit_set_free(&set);
	return importing->has_left ? STATUS_DIFFERENT : STATUS_FINE;
}

static int
import_all(
    struct importing *importing, const struct envoy_node *root, bool is_json)
{
	if (import_domains(importing, root) == -1)
		return STATUS_ERROR;
	if (importing->limits == 0)
		return tool_error("there are no limits");
	return import_print(importing, is_json);
}

int
limits_import_envoy(struct tool *tool)
{
	struct importing importing = {.leaky = tool->leaky};
	struct envoy_config config;
	int status;

	if (envoy_config_read(&config, tool->words, tool->word_count) == -1)
		return STATUS_ERROR;
	status = import_all(&importing, &config.root, tool->json);
	buf_free(&importing.out);
	hash_index_free(&importing.names);
	envoy_config_free(&config);
	return status;
}
