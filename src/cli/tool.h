/**
 * tool: what all commands of dripgate share: the command line, the settings,
 * and how to print errors.
 */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include "base/attr.h"
#include "cli/gate_client.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Exit status of the process. */
enum status {
	STATUS_FINE,      /* or allowed */
	STATUS_DIFFERENT, /* or denied */
	STATUS_ERROR,
};

struct tool {
	/* options */
	const char *config_path;   /* NULL: not given */
	const char *socket;        /* of dripgated; NULL: as configured */
	const char *user;          /* of dripgated; NULL: not given */
	const char *secret_file;   /* with its secret; NULL: not given */
	const char *password_file; /* of Redis; NULL: not given */
	const char *listen;        /* a channel; NULL: none */
	const char *author;        /* of a load; NULL: not given */
	const char *message;       /* with it; NULL: none */
	const char *reason;        /* of an override; NULL: not given */
	int64_t for_us;            /* it lasts; 0: not given */
	int64_t spread_us;         /* 0: not given */
	int64_t timeout_us;        /* 0: not given */
	int64_t wait_us;           /* 0: not given */
	int64_t count;             /* 0: without end */
	bool json;
	bool redis; /* use the key in Redis */
	bool immediate;
	bool no_reload;
	bool dry_run;
	bool force;
	bool yes;
	bool alive;
	const char *headers[50]; /* of a request */
	size_t header_count;
	bool denied;
	bool allowed;
	const char *record;  /* a file for a recording; NULL: none */
	const char *demand;  /* such a file; NULL: none */
	const char *against; /* a file of limits; NULL: those in force */
	const char *chart;   /* a file for a chart; NULL: none */
	int64_t live_us;     /* 0: not given */
	bool hash_keys;
	bool leaky;
	const char *nodes; /* addresses of daemons; NULL: one */
	const char *id;    /* of a request; NULL: none */

	/* the command's arguments */
	char **words;
	size_t word_count;

	bool is_terminal; /* standard output is one that knows cursor codes */
	bool colours;     /* whether to use colours */
	struct config *config;           /* NULL: not read yet */
	char *login;                     /* as such a user; NULL: none */
	char *password;                  /* from a file of its own, or NULL */
	const char *unreadable_password; /* a credential that this user may not
					    read; NULL: none */
};

/** Print an error on standard error, as one line of printable ASCII, whatever
 * the arguments are.  Return STATUS_ERROR. */
int tool_error(const char *format, ...) PRINTF_LIKE(1, 2);

/** The settings, which the first call reads; they belong to the tool.  NULL:
 * the error was printed. */
const struct config *tool_config(struct tool *tool) MUST_USE;

/** The password of Redis, where the settings have none: from --password-file,
 * or from systemd's credential.  "": there is none.  NULL: the error was
 * printed. */
const char *tool_password(struct tool *tool) MUST_USE;

/** What to do when Redis wants a password. */
const char *tool_password_hint(const struct tool *tool);

/** Where dripgated listens, a path or HOST:PORT.  NULL: the error was printed.
 */
const char *tool_address(struct tool *tool) MUST_USE;

/** The certificate's file of the dripgated at tool_address(); NULL: it has no
 * TLS there. */
const char *tool_certificate(struct tool *tool) MUST_USE;

/** Set where dripgated is, and how to log in.  Return 0, or -1: the error was
 * printed. */
int tool_find_gate(struct tool *tool, struct gate_address *address) MUST_USE;

/** How long dripgated may take to connect, and to respond. */
int64_t tool_timeout_us(const struct tool *tool);

enum colour { COLOUR_GREEN, COLOUR_RED, COLOUR_YELLOW, COLOUR_BOLD };

/** The codes before and after a coloured text; "" without colours. */
const char *tool_colour(const struct tool *tool, enum colour colour);
const char *tool_plain(const struct tool *tool);

#endif
