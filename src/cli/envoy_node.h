/**
 * envoy_node: the descriptors of envoyproxy/ratelimit as a tree.
 */
#ifndef CLI_ENVOY_NODE_H
#define CLI_ENVOY_NODE_H

#include "base/attr.h"
#include "cli/yaml_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a descriptor has that limits have not: what is said of it. */
enum envoy_surplus {
	ENVOY_REPLACES,
	ENVOY_QUOTA_MODE,
	ENVOY_DETAILED_METRIC,
	ENVOY_VALUE_TO_METRIC,
	ENVOY_METADATA,
	ENVOY_SURPLUS_COUNT
};

/** Which entries a descriptor takes, the most special ones first: a key with
 * its value; with a value that has a *; with any value, or none. */
enum envoy_kind { ENVOY_EXACT, ENVOY_WILDCARD, ENVOY_ANY };

/** A descriptor; or a domain, as its ${key}. */
struct envoy_node {
	const char *file; /* borrowed */
	unsigned line;
	unsigned place; /* among those of its parent, from 0 */

	const struct yaml_tree_node *key, *value; /* value NULL: none */
	enum envoy_kind kind;
	char *name; /* "key" or "key_value", by which it is found */
	size_t name_len;

	const struct yaml_tree_node *limit_name; /* or NULL */
	bool has_limit, is_unlimited, is_shadow, is_shared;
	unsigned unit; /* of descriptor_units */
	int64_t requests;
	bool surplus[ENVOY_SURPLUS_COUNT];
	const char *stray; /* a word that means nothing there, or NULL */

	/* as they were written; once finished, by their names, and no two
	 * have one */
	struct envoy_node **children;
	size_t count, cap;
	uint64_t depths; /* at which there are limits below it, a bit each; 1:
			  * itself */
};

/** Print "FILE:LINE: REASON", with ${what} before the reason unless it is NULL.
 * Return -1. */
int envoy_node_fail(
    const char *file, unsigned line, const char *reason, const char *what);

/** Add a child.  NULL: out of memory. */
struct envoy_node *envoy_node_add(
    struct envoy_node *parent, const char *file, unsigned line) MUST_USE;

/** It has its key and its value: set ${kind} and ${name}.  Return 0, or -1: the
 * error was printed. */
int envoy_node_name(struct envoy_node *node) MUST_USE;

/** All is there: sort the children of a root that are domains, merging those of
 * one name, and all below them.  Return 0, or -1: the error was printed. */
int envoy_node_finish(struct envoy_node *root) MUST_USE;

/** The child of a finished node that has that name; NULL: there is none. */
const struct envoy_node *envoy_node_find(
    const struct envoy_node *parent, const char *name, size_t len);

/** Whether a child of ${kind} ENVOY_WILDCARD takes what has this name. */
bool envoy_node_takes(
    const struct envoy_node *wildcard, const char *name, size_t len);

/** Free what is below it, and its name. */
void envoy_node_clear(struct envoy_node *node);

#endif
