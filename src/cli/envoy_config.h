/**
 * envoy_config: a configuration of envoyproxy/ratelimit, checked: domains, with
 * their descriptors in descriptors.
 *
 * What is wrong is printed, once, with its place.
 */
#ifndef CLI_ENVOY_CONFIG_H
#define CLI_ENVOY_CONFIG_H

#include "base/attr.h"
#include "cli/envoy_node.h"
#include "cli/yaml_tree.h"

#include <stddef.h>

/** So deep may descriptors nest, and so many maps may there be, each time that
 * an alias stands for one. */
#define ENVOY_DEPTH_MAX 32
#define ENVOY_MAPS_MAX  1000000

struct envoy_config {
	struct envoy_node root; /* its children are the domains */
	struct yaml_tree *trees;
	size_t tree_count;
	size_t left; /* maps that may still come */
};

/** Read the files.  Return 0, or -1: the error was printed, and there is
 * nothing to free. */
int envoy_config_read(
    struct envoy_config *config, char *const *paths, size_t count) MUST_USE;

void envoy_config_free(struct envoy_config *config);

#endif
