/*
 * Job: reads a configuration of envoyproxy/ratelimit out of trees of YAML.
 * Invariant: a descriptor has a name, and is finished with all that is below
 * it; domains of several files are merged, as by MERGE_DOMAIN_CONFIG there.
 * The heart: words[] and envoy_config_read_map().
 */
#include "cli/envoy_config.h"

#include "base/file.h"
#include "base/num.h"
#include "cli/envoy_node.h"
#include "cli/tool.h"
#include "protocol/descriptors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* So deep may maps that are merged ("<<") merge others. */
#define MERGES_MAX 16

/* Where words are words. */
enum envoy_place {
	ROOT = 1,
	DESCRIPTOR = 2,
	LIMIT = 4,
	REPLACES = 8,
};

/* A map being read, for a node of ours. */
struct envoy_reading {
	struct envoy_config *config;
	const char *file;
	struct envoy_node *node;
	enum envoy_place place;
	unsigned depth; /* of descriptors */
	unsigned merges;
	unsigned given; /* words so far, a bit each */
};

struct envoy_word {
	const char *name;
	unsigned places;

	/** Return 0, or -1: the error was printed. */
	int (*take)(struct envoy_reading *reading,
	    const struct envoy_word *word, const struct yaml_tree_node *value);

	size_t to; /* where in the node it goes */
};

static int
envoy_config_fail(
    const struct envoy_reading *reading, unsigned line, const char *reason)
{
	return envoy_node_fail(reading->file, line, reason, NULL);
}

/*
 * Scalars.
 */

static bool
envoy_config_is(const struct yaml_tree_node *node, const char *text)
{
	return node->kind == YAML_TREE_SCALAR && node->len == strlen(text) &&
	       memcmp(node->text, text, node->len) == 0;
}

/* Whether it is one of these, without quotes. */
static bool
envoy_config_is_one_of(
    const struct yaml_tree_node *node, const char *const *texts)
{
	for (; *texts; texts++)
		if (node->is_plain && envoy_config_is(node, *texts))
			return true;
	return false;
}

static bool
envoy_config_is_null(const struct yaml_tree_node *node)
{
	static const char *const nulls[] = {
	    "", "~", "null", "Null", "NULL", NULL};

	return envoy_config_is_one_of(node, nulls);
}

/* A text; an empty one is none. */
static int
envoy_config_text(struct envoy_reading *reading, const struct envoy_word *word,
    const struct yaml_tree_node *value)
{
	if (value->kind != YAML_TREE_SCALAR)
		return envoy_node_fail(
		    reading->file, value->line, "must be a text", word->name);
	if (envoy_config_is_null(value) || value->len == 0)
		value = NULL;
	*(const struct yaml_tree_node **)(void *)((char *)reading->node +
						  word->to) = value;
	return 0;
}

static int
envoy_config_flag(struct envoy_reading *reading, const struct envoy_word *word,
    const struct yaml_tree_node *value)
{
	static const char *const yes[] = {"y", "Y", "yes", "Yes", "YES", "true",
	    "True", "TRUE", "on", "On", "ON", NULL};
	static const char *const no[] = {"n", "N", "no", "No", "NO", "false",
	    "False", "FALSE", "off", "Off", "OFF", NULL};
	bool is_set = envoy_config_is_one_of(value, yes);

	*(bool *)((char *)reading->node + word->to) = is_set;
	return is_set || envoy_config_is_null(value) ||
		       envoy_config_is_one_of(value, no)
		   ? 0
		   : envoy_node_fail(reading->file, value->line,
			 "must be true or false", word->name);
}

/* A number with a 0 before it would be octal to envoyproxy/ratelimit. */
static int
envoy_config_requests(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *value)
{
	int64_t number = 0;

	if (!envoy_config_is_null(value) &&
	    (value->kind != YAML_TREE_SCALAR || !value->is_plain ||
		(value->len > 1 && *value->text == '0') ||
		num_read_int(value->text, value->len, 0, UINT32_MAX, &number) ==
		    -1))
		return envoy_node_fail(reading->file, value->line,
		    "must be a whole number from 0 to 4294967295", word->name);
	reading->node->requests = number;
	return 0;
}

/* What is none is found to be missing. */
static int
envoy_config_unit(struct envoy_reading *reading, const struct envoy_word *word,
    const struct yaml_tree_node *value)
{
	(void)word;
	for (unsigned i = 1; i < DESCRIPTOR_UNITS; i++)
		if (value->kind == YAML_TREE_SCALAR &&
		    value->len == strlen(descriptor_units[i].name) &&
		    strcasecmp(value->text, descriptor_units[i].name) == 0)
			reading->node->unit = i;
	return 0;
}

/*
 * Maps and lists.
 */

static int envoy_config_read_map(
    struct envoy_reading *reading, const struct yaml_tree_node *map);

static int
envoy_config_metadata(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *value)
{
	if (envoy_config_is_null(value))
		return 0;
	if (value->kind != YAML_TREE_MAP)
		return envoy_node_fail(
		    reading->file, value->line, "must be a map", word->name);
	reading->node->surplus[ENVOY_METADATA] = value->count > 0;
	return 0;
}

/* Have ${read} read each item of a list. */
static int
envoy_config_read_list(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *list,
    int (*read)(
	struct envoy_reading *reading, const struct yaml_tree_node *map))
{
	if (envoy_config_is_null(list))
		return 0;
	if (list->kind != YAML_TREE_LIST)
		return envoy_node_fail(
		    reading->file, list->line, "must be a list", word->name);
	for (size_t i = 0; i < list->count; i++)
		if (read(reading, list->items[i]) == -1)
			return -1;
	return 0;
}

static int
envoy_config_read_replaced(
    struct envoy_reading *parent, const struct yaml_tree_node *map)
{
	struct envoy_node ignored = {0};
	struct envoy_reading reading = {.config = parent->config,
	    .file = parent->file,
	    .node = &ignored,
	    .place = REPLACES};

	if (envoy_config_read_map(&reading, map) == -1)
		return -1;
	if (!ignored.key)
		return envoy_config_fail(parent, map->line,
		    "should not have an empty replaces entry");
	parent->node->surplus[ENVOY_REPLACES] = true;
	return 0;
}

static int
envoy_config_replaces(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *value)
{
	return envoy_config_read_list(
	    reading, word, value, envoy_config_read_replaced);
}

static int
envoy_config_rate_limit(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *value)
{
	struct envoy_reading part = *reading;
	struct envoy_node *node = reading->node;

	(void)word;
	if (envoy_config_is_null(value))
		return 0;
	part.place = LIMIT;
	part.given = part.merges = 0;
	if (envoy_config_read_map(&part, value) == -1)
		return -1;
	if (node->is_unlimited && node->unit > 0)
		return envoy_config_fail(reading, value->line,
		    "should not specify rate limit unit when unlimited");
	if (!node->is_unlimited && node->unit == 0)
		return envoy_config_fail(reading, value->line,
		    "unit must be second, minute, hour, day, week, month or "
		    "year");
	node->has_limit = true;
	return 0;
}

static int
envoy_config_read_descriptor(
    struct envoy_reading *parent, const struct yaml_tree_node *map)
{
	struct envoy_reading reading = {.config = parent->config,
	    .file = parent->file,
	    .depth = parent->depth + 1,
	    .place = DESCRIPTOR};

	if (reading.depth > ENVOY_DEPTH_MAX)
		return envoy_config_fail(
		    parent, map->line, "descriptors nest deeper than 32");
	reading.node = envoy_node_add(parent->node, parent->file, map->line);
	if (!reading.node)
		return envoy_config_fail(parent, map->line, "out of memory");
	if (envoy_config_read_map(&reading, map) == -1)
		return -1;
	if (!reading.node->key)
		return envoy_config_fail(
		    parent, map->line, "descriptor has empty key");
	return envoy_node_name(reading.node);
}

static int
envoy_config_descriptors(struct envoy_reading *reading,
    const struct envoy_word *word, const struct yaml_tree_node *value)
{
	return envoy_config_read_list(
	    reading, word, value, envoy_config_read_descriptor);
}

#define TO(member) offsetof(struct envoy_node, member)

static const struct envoy_word words[] = {
    {"domain", ROOT, envoy_config_text, TO(key)},
    {"descriptors", ROOT | DESCRIPTOR, envoy_config_descriptors, 0},
    {"key", DESCRIPTOR, envoy_config_text, TO(key)},
    {"value", DESCRIPTOR, envoy_config_text, TO(value)},
    {"rate_limit", DESCRIPTOR, envoy_config_rate_limit, 0},
    {"shadow_mode", DESCRIPTOR, envoy_config_flag, TO(is_shadow)},
    {"share_threshold", DESCRIPTOR, envoy_config_flag, TO(is_shared)},
    {"quota_mode", DESCRIPTOR, envoy_config_flag,
	TO(surplus) + ENVOY_QUOTA_MODE},
    {"detailed_metric", DESCRIPTOR, envoy_config_flag,
	TO(surplus) + ENVOY_DETAILED_METRIC},
    {"value_to_metric", DESCRIPTOR, envoy_config_flag,
	TO(surplus) + ENVOY_VALUE_TO_METRIC},
    {"metadata", DESCRIPTOR, envoy_config_metadata, 0},
    {"unit", LIMIT, envoy_config_unit, 0},
    {"requests_per_unit", LIMIT, envoy_config_requests, 0},
    {"unlimited", LIMIT, envoy_config_flag, TO(is_unlimited)},
    {"replaces", LIMIT, envoy_config_replaces, 0},
    {"name", LIMIT, envoy_config_text, TO(limit_name)},
    {"name", REPLACES, envoy_config_text, TO(key)},
};

_Static_assert(sizeof(bool) == 1, "surplus[] is counted in bytes");

/* The word of that name, of this place if it has one there. */
static const struct envoy_word *
envoy_config_find_word(
    const struct yaml_tree_node *name, enum envoy_place place)
{
	const struct envoy_word *found = NULL;

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!envoy_config_is(name, words[i].name))
			continue;
		found = &words[i];
		if (found->places & place)
			break;
	}
	return found;
}

/* A word that belongs elsewhere means nothing to envoyproxy/ratelimit. */
static int
envoy_config_take_pair(struct envoy_reading *reading,
    const struct yaml_tree_node *name, const struct yaml_tree_node *value)
{
	const struct envoy_word *word =
	    envoy_config_find_word(name, reading->place);
	unsigned bit;

	if (name->kind != YAML_TREE_SCALAR)
		return envoy_config_fail(
		    reading, name->line, "a name must be a text");
	if (!word)
		return envoy_node_fail(
		    reading->file, name->line, "unknown key", name->text);
	if (!(word->places & reading->place)) {
		reading->node->stray = word->name;
		return 0;
	}
	bit = 1u << (word - words);
	if (reading->given & bit)
		return reading->merges > 0
			   ? 0
			   : envoy_node_fail(reading->file, name->line,
				 "is given twice", word->name);
	reading->given |= bit;
	return word->take(reading, word, value);
}

static bool
envoy_config_is_merge(const struct yaml_tree_node *name)
{
	return name->is_plain && envoy_config_is(name, "<<");
}

/* "<<": the maps give what was not given yet. */
static int
envoy_config_merge(
    struct envoy_reading *reading, const struct yaml_tree_node *value)
{
	int result = 0;

	if (reading->merges == MERGES_MAX)
		return envoy_config_fail(
		    reading, value->line, "merges nest deeper than 16");
	reading->merges++;
	if (value->kind != YAML_TREE_LIST)
		result = envoy_config_read_map(reading, value);
	for (size_t i = 0;
	     value->kind == YAML_TREE_LIST && i < value->count && result == 0;
	     i++)
		result = envoy_config_read_map(reading, value->items[i]);
	reading->merges--;
	return result;
}

/* Maps count, so that aliases of aliases end. */
static int
envoy_config_read_map(
    struct envoy_reading *reading, const struct yaml_tree_node *map)
{
	if (map->kind != YAML_TREE_MAP)
		return envoy_config_fail(reading, map->line, "must be a map");
	if (reading->config->left-- == 0)
		return envoy_config_fail(reading, map->line,
		    "too large, with all that aliases stand for");
	for (size_t i = 0; i < map->count; i += 2)
		if (!envoy_config_is_merge(map->items[i]) &&
		    envoy_config_take_pair(
			reading, map->items[i], map->items[i + 1]) == -1)
			return -1;
	for (size_t i = 0; i < map->count; i += 2)
		if (envoy_config_is_merge(map->items[i]) &&
		    envoy_config_merge(reading, map->items[i + 1]) == -1)
			return -1;
	return 0;
}

/*
 * Files.
 */

/* Read a domain. */
static int
envoy_config_read_root(struct envoy_config *config, const char *file,
    const struct yaml_tree_node *map)
{
	struct envoy_reading reading = {
	    .config = config, .file = file, .place = ROOT};

	reading.node = envoy_node_add(&config->root, file, map ? map->line : 1);
	if (!reading.node)
		return envoy_config_fail(&reading, 1, "out of memory");
	if (map && !envoy_config_is_null(map) &&
	    envoy_config_read_map(&reading, map) == -1)
		return -1;
	if (!reading.node->key)
		return envoy_config_fail(&reading, reading.node->line,
		    "config file cannot have empty domain");
	return envoy_node_name(reading.node);
}

static int
envoy_config_read_file(struct envoy_config *config, const char *path)
{
	struct yaml_tree *tree = &config->trees[config->tree_count];
	struct yaml_tree_error error;
	size_t len;
	char *text = file_read_any(path, &len);
	int result;

	if (!text) {
		tool_error("%s: %s", path, file_error(errno));
		return -1;
	}
	result = yaml_tree_read(tree, text, len, &error);
	free(text);
	if (result == -1)
		return envoy_node_fail(path, error.line, error.reason, NULL);
	config->tree_count++;
	return envoy_config_read_root(config, path, tree->root);
}

int
envoy_config_read(struct envoy_config *config, char *const *paths, size_t count)
{
	int result = 0;

	*config = (struct envoy_config){.left = ENVOY_MAPS_MAX};
	config->trees = calloc(count, sizeof(*config->trees));
	if (!config->trees) {
		tool_error("out of memory");
		return -1;
	}
	for (size_t i = 0; i < count && result == 0; i++)
		result = envoy_config_read_file(config, paths[i]);
	if (result == 0)
		result = envoy_node_finish(&config->root);
	if (result == -1)
		envoy_config_free(config);
	return result;
}

void
envoy_config_free(struct envoy_config *config)
{
	envoy_node_clear(&config->root);
	for (size_t i = 0; i < config->tree_count; i++)
		yaml_tree_free(&config->trees[i]);
	free(config->trees);
	*config = (struct envoy_config){0};
}
