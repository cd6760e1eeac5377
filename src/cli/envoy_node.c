/*
 * Job: a tree of descriptors: built, merged, sorted, searched.
 * Invariant: what is below a node is finished before it is.
 * The heart: envoy_node_finish_children().
 */
#include "cli/envoy_node.h"

#include "base/log.h"
#include "cli/tool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
envoy_node_fail(
    const char *file, unsigned line, const char *reason, const char *what)
{
	char text[1024], shown[1024];
	int len = snprintf(text, sizeof(text), "%s:%u: %s%s%s", file, line,
	    what ? what : "", what ? ": " : "", reason);

	if ((size_t)len >= sizeof(text))
		len = sizeof(text) - 1;
	fflush(stdout);
	fprintf(stderr, "%s\n",
	    log_escape(shown, sizeof(shown), text, (size_t)len));
	return -1;
}

static int
envoy_node_append(struct envoy_node *parent, struct envoy_node *node)
{
	if (parent->count == parent->cap) {
		size_t cap = parent->cap ? 2 * parent->cap : 4;
		struct envoy_node **children =
		    reallocarray(parent->children, cap, sizeof(*children));

		if (!children)
			return -1;
		parent->children = children;
		parent->cap = cap;
	}
	node->place = (unsigned)parent->count;
	parent->children[parent->count++] = node;
	return 0;
}

struct envoy_node *
envoy_node_add(struct envoy_node *parent, const char *file, unsigned line)
{
	struct envoy_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->file = file;
	node->line = line;
	if (envoy_node_append(parent, node) == 0)
		return node;
	free(node);
	return NULL;
}

int
envoy_node_name(struct envoy_node *node)
{
	size_t key_len = node->key->len;
	size_t value_len = node->value ? node->value->len : 0;

	node->name_len = key_len + (node->value ? 1 + value_len : 0);
	node->name = malloc(node->name_len + 1);
	if (!node->name)
		return envoy_node_fail(
		    node->file, node->line, "out of memory", NULL);
	memcpy(node->name, node->key->text, key_len);
	if (node->value) {
		node->name[key_len] = '_';
		memcpy(node->name + key_len + 1, node->value->text, value_len);
	}
	node->name[node->name_len] = '\0';
	node->kind = !node->value ? ENVOY_ANY : ENVOY_EXACT;
	if (memchr(node->name, '*', node->name_len))
		node->kind = ENVOY_WILDCARD;
	return 0;
}

void
envoy_node_clear(struct envoy_node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		envoy_node_clear(node->children[i]);
		free(node->children[i]);
	}
	free(node->children);
	free(node->name);
	node->children = NULL;
	node->name = NULL;
	node->count = node->cap = 0;
}

/*
 * Finishing.
 */

static int
envoy_node_compare_names(
    const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* By name, and then as they were written. */
static int
envoy_node_compare(const void *left, const void *right)
{
	const struct envoy_node *a = *(struct envoy_node *const *)left;
	const struct envoy_node *b = *(struct envoy_node *const *)right;
	int order = envoy_node_compare_names(
	    a->name, a->name_len, b->name, b->name_len);

	return order ? order : (a->place > b->place) - (a->place < b->place);
}

static void
envoy_node_sort(struct envoy_node *node)
{
	if (node->count > 0)
		qsort(node->children, node->count, sizeof(*node->children),
		    envoy_node_compare);
}

static bool
envoy_node_is_same(const struct envoy_node *a, const struct envoy_node *b)
{
	return a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

/* What would be found twice is refused, also where it is another key. */
static int
envoy_node_check_twins(const struct envoy_node *node)
{
	for (size_t i = 1; i < node->count; i++)
		if (envoy_node_is_same(
			node->children[i - 1], node->children[i]))
			return envoy_node_fail(node->children[i]->file,
			    node->children[i]->line,
			    "duplicate descriptor composite key",
			    node->children[i]->name);
	return 0;
}

static int
envoy_node_check(const struct envoy_node *node)
{
	if (node->is_shared && node->kind != ENVOY_WILDCARD)
		return envoy_node_fail(node->file, node->line,
		    "share_threshold can only be used with wildcard values",
		    node->name);
	return 0;
}

static int
envoy_node_finish_children(struct envoy_node *node)
{
	envoy_node_sort(node);
	if (envoy_node_check(node) == -1 || envoy_node_check_twins(node) == -1)
		return -1;
	node->depths = node->has_limit;
	for (size_t i = 0; i < node->count; i++) {
		if (envoy_node_finish_children(node->children[i]) == -1)
			return -1;
		node->depths |= node->children[i]->depths << 1;
	}
	return 0;
}

/* Move the children of ${from} to ${to}. */
static int
envoy_node_merge(struct envoy_node *to, struct envoy_node *from)
{
	size_t moved = 0;

	while (moved < from->count &&
	       envoy_node_append(to, from->children[moved]) == 0)
		moved++;
	from->count -= moved;
	if (from->count == 0)
		return 0;
	memmove(from->children, from->children + moved,
	    from->count * sizeof(*from->children));
	return envoy_node_fail(from->file, from->line, "out of memory", NULL);
}

int
envoy_node_finish(struct envoy_node *root)
{
	size_t kept = 0;

	envoy_node_sort(root);
	for (size_t i = 1; i < root->count; i++) {
		struct envoy_node *domain = root->children[i];

		if (!envoy_node_is_same(root->children[kept], domain)) {
			kept = i;
			continue;
		}
		if (envoy_node_merge(root->children[kept], domain) == -1)
			return -1;
	}
	for (size_t i = 0; i < root->count; i++)
		if (envoy_node_finish_children(root->children[i]) == -1)
			return -1;
	return 0;
}

/*
 * Looking.
 */

const struct envoy_node *
envoy_node_find(const struct envoy_node *parent, const char *name, size_t len)
{
	size_t low = 0, high = parent->count;

	while (low < high) {
		size_t i = low + (high - low) / 2;
		const struct envoy_node *node = parent->children[i];
		int order = envoy_node_compare_names(
		    node->name, node->name_len, name, len);

		if (order == 0)
			return node;
		if (order < 0)
			low = i + 1;
		else
			high = i;
	}
	return NULL;
}

bool
envoy_node_takes(
    const struct envoy_node *wildcard, const char *name, size_t len)
{
	const char *pattern = wildcard->name, *star = NULL, *back = NULL;
	const char *pattern_end = pattern + wildcard->name_len;
	const char *end = name + len;

	assert(wildcard->kind == ENVOY_WILDCARD);
	while (name < end) {
		if (pattern < pattern_end && *pattern == '*') {
			star = ++pattern;
			back = name;
		} else if (pattern < pattern_end && *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++back;
		} else {
			return false;
		}
	}
	while (pattern < pattern_end && *pattern == '*')
		pattern++;
	return pattern == pattern_end;
}
