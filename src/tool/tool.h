/**
 * tool: what all commands of dripgate have in common: what was asked for on the
 * command line, the settings, and how complaints are made.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include "base/attr.h"
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the process exits with. */
enum status {
	STATUS_FINE,      /* or allowed */
	STATUS_DIFFERENT, /* or denied */
	STATUS_ERROR,
};

struct tool {
	/* options */
	const char *config_path; /* NULL: not given */
	const char *socket;      /* of dripgated; NULL: as configured */
	const char *listen;      /* a channel; NULL: none */
	int64_t spread_us;       /* 0: not given */
	int64_t timeout_us;      /* 0: for ever */
	int64_t wait_us;
	int64_t count; /* 0: without end */
	bool json;
	bool immediate;
	bool no_reload;
	bool dry_run;
	bool force;

	/* the command's arguments */
	char **words;
	size_t word_count;

	bool colours;          /* standard output is a terminal */
	struct config *config; /* NULL: not read yet */
};

/** Say on standard error what is wrong, in one line of printable ASCII,
 * whatever the arguments.  Return STATUS_ERROR. */
int tool_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/** The settings, read when first asked for; the tool's.  NULL: complained. */
const struct config *tool_config(struct tool *tool) MUST_USE;

/** Where dripgated listens, a path or HOST:PORT.  NULL: complained. */
const char *tool_address(struct tool *tool) MUST_USE;

enum colour { COLOUR_GREEN, COLOUR_RED, COLOUR_YELLOW, COLOUR_BOLD };

/** What is to stand before and after a coloured text; "" without colours. */
const char *tool_colour(const struct tool *tool, enum colour colour);
const char *tool_plain(const struct tool *tool);

#endif
