/**
 * commands: what dripgate can be told to do, each declared once in one table.
 *
 * Help, completion and the checks of arguments come from it.
 */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include "tool/options.h"
#include "tool/tool.h"

#include <stddef.h>

struct command_row {
	const char *name;              /* one word or two */
	const char *arguments;         /* as help shows them */
	size_t min, max;               /* number of arguments */
	unsigned options;              /* OPTION_BIT() of those that it takes */
	int (*run)(struct tool *tool); /* returns the exit status */
	const char *help;              /* one line */
	const char *more;              /* the rest, or "" */
};

/** Most arguments of any command. */
#define COMMAND_WORDS_MAX 64

extern const struct command_row command_rows[];
extern const size_t command_count;

/* ask.c: what dripgated answers */
int ask_consume(struct tool *tool);
int ask_peek(struct tool *tool);
int ask_reset(struct tool *tool);
int ask_explain(struct tool *tool);
int ask_stats(struct tool *tool);
int ask_ping(struct tool *tool);

/* limits.c, load.c, dump.c: files of limits, and the key in Redis */
int limits_check(struct tool *tool);
int limits_load(struct tool *tool);
int limits_dump(struct tool *tool);
int limits_diff(struct tool *tool);
int limits_list(struct tool *tool);

/* order.c, nodes.c: the control channel */
int order_reload(struct tool *tool);
int order_command(struct tool *tool);
int order_nodes(struct tool *tool);

/* fleet.c, watch.c */
int fleet_show(struct tool *tool);
int watch_show(struct tool *tool);

#endif
