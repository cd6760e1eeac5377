/**
 * yaml_tree: a document of YAML as a tree, by libyaml.
 *
 * What an alias stands for is shared, not copied: a small text can be a large
 * tree for who walks along all its paths, but it has no cycles.
 */
#ifndef CLI_YAML_TREE_H
#define CLI_YAML_TREE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** So deep may a text nest; aliases add to that. */
#define YAML_TREE_DEPTH_MAX 64

/** Most anchors. */
#define YAML_TREE_ANCHORS_MAX 10000

enum yaml_tree_kind { YAML_TREE_SCALAR, YAML_TREE_LIST, YAML_TREE_MAP };

struct yaml_tree_node {
	enum yaml_tree_kind kind;
	unsigned line; /* from 1 */

	/* of a scalar */
	char *text; /* with a NUL behind it, and perhaps others in it */
	size_t len;
	bool is_plain; /* written without quotes and tag: 5, yes and null are
			* not text */

	/* items of a list; of a map, each name and its value */
	struct yaml_tree_node **items;
	size_t count, cap;

	bool is_open;                /* its end is still to come */
	struct yaml_tree_node *next; /* of all, for yaml_tree_free() */
};

struct yaml_tree {
	struct yaml_tree_node *root; /* NULL: the document is empty */
	struct yaml_tree_node *all;
};

/** What is wrong with a text. */
struct yaml_tree_error {
	unsigned line;
	char reason[160];
};

/** Read the one document of ${len} bytes.  Return 0, or -1 with ${error} set,
 * and nothing to free. */
int yaml_tree_read(struct yaml_tree *tree, const char *bytes, size_t len,
    struct yaml_tree_error *error) MUST_USE;

void yaml_tree_free(struct yaml_tree *tree);

#endif
