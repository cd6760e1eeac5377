/**
 * options: the options of dripgate, each declared once in one table.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/attr.h"
#include "cli/tool.h"

#include <stddef.h>
#include <stdint.h>

enum option_id {
	OPTION_CONFIG,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_SOCKET,
	OPTION_USER,
	OPTION_SECRET_FILE,
	OPTION_JSON,
	OPTION_REDIS,
	OPTION_PASSWORD_FILE,
	OPTION_IMMEDIATE,
	OPTION_SPREAD,
	OPTION_NO_RELOAD,
	OPTION_DRY_RUN,
	OPTION_FORCE,
	OPTION_YES,
	OPTION_AUTHOR,
	OPTION_MESSAGE,
	OPTION_LISTEN,
	OPTION_TIMEOUT,
	OPTION_WAIT,
	OPTION_ALIVE,
	OPTION_HEADER,
	OPTION_DENIED,
	OPTION_ALLOWED,
	OPTION_COUNT,
	OPTION_RECORD,
	OPTION_HASH_KEYS,
	OPTION_DEMAND,
	OPTION_LIVE,
	OPTION_AGAINST,
	OPTION_CHART,
	OPTION_LEAKY,
	OPTION_NODES,
	OPTION_FOR,
	OPTION_REASON,
	OPTION_ID,
	OPTION_ROWS
};

#define OPTION_BIT(id) (UINT64_C(1) << (id))

/** What the field of struct tool is that an option sets. */
enum option_kind {
	OPTION_NONE, /* it is acted upon elsewhere */
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char * */
	OPTION_TIME, /* int64_t, microseconds, up to a day */
	OPTION_LONG, /* the same, up to a year */
	OPTION_NUMBER,
	OPTION_LIST, /* of headers */
};

struct option_row {
	const char *name;
	int letter;           /* 0: none */
	const char *argument; /* as help shows it; NULL: takes none */
	const char *help;
	enum option_kind kind;
	size_t to; /* where in struct tool */
};

extern const struct option_row option_rows[OPTION_ROWS];

/** Read the command line: set the options in ${tool}, add a bit for each to
 * ${given}, and gather the other words in ${tool}->words, at most ${max}.
 * Return 0, or -1: the error was printed. */
int options_read(struct tool *tool, int argc, char **argv, size_t max,
    uint64_t *given) MUST_USE;

#endif
