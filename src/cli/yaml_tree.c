/*
 * Job: makes a tree of libyaml's events.
 * Invariant: nodes that are open are on the stack; an alias of one would be a
 * cycle, and is refused.
 * The heart: yaml_tree_take().
 */
#include "cli/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_tree_anchor {
	char *name;
	struct yaml_tree_node *node;
};

struct yaml_tree_reading {
	yaml_parser_t parser;
	struct yaml_tree *tree;
	struct yaml_tree_error *error;

	struct yaml_tree_node *open[YAML_TREE_DEPTH_MAX];
	unsigned depth;
	unsigned documents;
	struct yaml_tree_anchor *anchors; /* room for all */
	unsigned anchor_count;
};

static unsigned
yaml_tree_line(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

/* Return -1. */
static int PRINTF_LIKE(3, 4) yaml_tree_fail(struct yaml_tree_reading *reading,
    const yaml_mark_t *mark, const char *format, ...)
{
	struct yaml_tree_error *error = reading->error;
	va_list args;

	va_start(args, format);
	vsnprintf(error->reason, sizeof(error->reason), format, args);
	va_end(args);
	error->line = yaml_tree_line(mark);
	return -1;
}

static int
yaml_tree_fail_memory(struct yaml_tree_reading *reading)
{
	return yaml_tree_fail(reading, &reading->parser.mark, "out of memory");
}

/* What libyaml says. */
static int
yaml_tree_fail_parser(struct yaml_tree_reading *reading)
{
	const yaml_parser_t *parser = &reading->parser;
	const yaml_mark_t *mark = &parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return yaml_tree_fail_memory(reading);
	/* Of a byte that is no text, only the place is known. */
	if (parser->error == YAML_READER_ERROR)
		return yaml_tree_fail(reading, &parser->mark, "%s, at byte %zu",
		    parser->problem, parser->problem_offset);
	return yaml_tree_fail(reading, mark, "%s",
	    parser->problem ? parser->problem : "is no YAML");
}

/*
 * Nodes.
 */

static struct yaml_tree_node *
yaml_tree_new_node(struct yaml_tree_reading *reading, enum yaml_tree_kind kind,
    const yaml_mark_t *mark)
{
	struct yaml_tree_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->line = yaml_tree_line(mark);
	node->next = reading->tree->all;
	reading->tree->all = node;
	return node;
}

static int
yaml_tree_append(struct yaml_tree_node *to, struct yaml_tree_node *node)
{
	if (to->count == to->cap) {
		size_t cap = to->cap ? 2 * to->cap : 4;
		struct yaml_tree_node **items =
		    reallocarray(to->items, cap, sizeof(*items));

		if (!items)
			return -1;
		to->items = items;
		to->cap = cap;
	}
	to->items[to->count++] = node;
	return 0;
}

static int
yaml_tree_add_anchor(struct yaml_tree_reading *reading, const char *name,
    struct yaml_tree_node *node, const yaml_mark_t *mark)
{
	struct yaml_tree_anchor *anchor;

	if (!name)
		return 0;
	if (reading->anchor_count == YAML_TREE_ANCHORS_MAX)
		return yaml_tree_fail(reading, mark, "more than %d anchors",
		    YAML_TREE_ANCHORS_MAX);
	anchor = &reading->anchors[reading->anchor_count];
	anchor->name = strdup(name);
	if (!anchor->name)
		return yaml_tree_fail_memory(reading);
	anchor->node = node;
	reading->anchor_count++;
	return 0;
}

/* Put a node where it belongs: into the innermost one that is open. */
static int
yaml_tree_place(struct yaml_tree_reading *reading, struct yaml_tree_node *node)
{
	if (reading->depth == 0) {
		reading->tree->root = node;
		return 0;
	}
	return yaml_tree_append(reading->open[reading->depth - 1], node) == -1
		   ? yaml_tree_fail_memory(reading)
		   : 0;
}

/*
 * Events.
 */

static int
yaml_tree_on_scalar(
    struct yaml_tree_reading *reading, const yaml_event_t *event)
{
	struct yaml_tree_node *node =
	    yaml_tree_new_node(reading, YAML_TREE_SCALAR, &event->start_mark);

	if (!node)
		return yaml_tree_fail_memory(reading);
	node->len = event->data.scalar.length;
	node->is_plain = event->data.scalar.plain_implicit &&
			 event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = malloc(node->len + 1);
	if (!node->text)
		return yaml_tree_fail_memory(reading);
	memcpy(node->text, event->data.scalar.value, node->len);
	node->text[node->len] = '\0';
	if (yaml_tree_add_anchor(reading,
		(const char *)event->data.scalar.anchor, node,
		&event->start_mark) == -1)
		return -1;
	return yaml_tree_place(reading, node);
}

static int
yaml_tree_on_open(struct yaml_tree_reading *reading, enum yaml_tree_kind kind,
    const yaml_char_t *anchor, const yaml_mark_t *mark)
{
	struct yaml_tree_node *node;

	if (reading->depth == YAML_TREE_DEPTH_MAX)
		return yaml_tree_fail(
		    reading, mark, "nests deeper than %d", YAML_TREE_DEPTH_MAX);
	node = yaml_tree_new_node(reading, kind, mark);
	if (!node)
		return yaml_tree_fail_memory(reading);
	if (yaml_tree_add_anchor(reading, (const char *)anchor, node, mark) ==
		-1 ||
	    yaml_tree_place(reading, node) == -1)
		return -1;
	node->is_open = true;
	reading->open[reading->depth++] = node;
	return 0;
}

static int
yaml_tree_on_close(struct yaml_tree_reading *reading)
{
	reading->open[--reading->depth]->is_open = false;
	return 0;
}

static int
yaml_tree_on_alias(struct yaml_tree_reading *reading, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (unsigned i = reading->anchor_count; i-- > 0;) {
		if (strcmp(reading->anchors[i].name, name) != 0)
			continue;
		if (reading->anchors[i].node->is_open)
			return yaml_tree_fail(reading, &event->start_mark,
			    "*%s is in itself", name);
		return yaml_tree_place(reading, reading->anchors[i].node);
	}
	return yaml_tree_fail(
	    reading, &event->start_mark, "there is no &%s before it", name);
}

static int
yaml_tree_on_document(
    struct yaml_tree_reading *reading, const yaml_event_t *event)
{
	return ++reading->documents > 1
		   ? yaml_tree_fail(reading, &event->start_mark,
			 "a second document begins")
		   : 0;
}

/* Return 0, 1 at the end, or -1. */
static int
yaml_tree_take(struct yaml_tree_reading *reading, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return yaml_tree_on_scalar(reading, event);
	case YAML_SEQUENCE_START_EVENT:
		return yaml_tree_on_open(reading, YAML_TREE_LIST,
		    event->data.sequence_start.anchor, &event->start_mark);
	case YAML_MAPPING_START_EVENT:
		return yaml_tree_on_open(reading, YAML_TREE_MAP,
		    event->data.mapping_start.anchor, &event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return yaml_tree_on_close(reading);
	case YAML_ALIAS_EVENT:
		return yaml_tree_on_alias(reading, event);
	case YAML_DOCUMENT_START_EVENT:
		return yaml_tree_on_document(reading, event);
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

static int
yaml_tree_run(struct yaml_tree_reading *reading)
{
	int result = 0;

	while (result == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&reading->parser, &event))
			return yaml_tree_fail_parser(reading);
		result = yaml_tree_take(reading, &event);
		yaml_event_delete(&event);
	}
	return result == 1 ? 0 : -1;
}

int
yaml_tree_read(struct yaml_tree *tree, const char *bytes, size_t len,
    struct yaml_tree_error *error)
{
	struct yaml_tree_reading reading = {.tree = tree, .error = error};
	int result;

	*tree = (struct yaml_tree){0};
	if (!yaml_parser_initialize(&reading.parser))
		return yaml_tree_fail_memory(&reading);
	yaml_parser_set_input_string(
	    &reading.parser, (const unsigned char *)bytes, len);
	reading.anchors =
	    calloc(YAML_TREE_ANCHORS_MAX, sizeof(*reading.anchors));
	result = reading.anchors ? yaml_tree_run(&reading)
				 : yaml_tree_fail_memory(&reading);
	while (reading.anchors && reading.anchor_count > 0)
		free(reading.anchors[--reading.anchor_count].name);
	free(reading.anchors);
	yaml_parser_delete(&reading.parser);
	if (result == -1)
		yaml_tree_free(tree);
	return result;
}

void
yaml_tree_free(struct yaml_tree *tree)
{
	struct yaml_tree_node *node, *next;

	for (node = tree->all; node; node = next) {
		next = node->next;
		free(node->items);
		free(node->text);
		free(node);
	}
	*tree = (struct yaml_tree){0};
}
