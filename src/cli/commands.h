/**
 * commands: the commands of dripgate, each declared once in one table.
 *
 * Help, completion and the checks of arguments derive from it.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"
#include "cli/tool.h"

#include <stddef.h>

struct command_row {
	const char *name;              /* one word or two */
	const char *arguments;         /* as help shows them */
	size_t min, max;               /* number of arguments */
	uint64_t options;              /* OPTION_BIT() of those that it takes */
	int (*run)(struct tool *tool); /* returns the exit status */
	const char *help;              /* one line */
	const char *more;              /* the rest, or NULL */
};

/** Most arguments of any command. */
#define COMMAND_WORDS_MAX 64

extern const struct command_row command_rows[];
extern const size_t command_count;

/** Options that all commands take. */
#define COMMAND_COMMON                                                         \
	(OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_TIMEOUT) |              \
	    OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))

/** The command of this name, or NULL. */
const struct command_row *command_find(const char *name);

/** Whether a command consists of ${word} and another. */
bool command_is_family(const char *word);

/* client.c: requests to one dripgated */
int client_consume(struct tool *tool);
int client_mconsume(struct tool *tool);
int client_mpeek(struct tool *tool);
int client_charge(struct tool *tool);
int client_take(struct tool *tool);
int client_hold(struct tool *tool);
int client_release(struct tool *tool);
int client_peek(struct tool *tool);
int client_reset(struct tool *tool);
int explain_show(struct tool *tool);
int client_stats(struct tool *tool);
int client_ping(struct tool *tool);

/* limits.c, list.c, load.c, dump.c, test.c, import.c: files of limits, and the
 * key in Redis */
int limits_check(struct tool *tool);
int limits_test(struct tool *tool);
int limits_load(struct tool *tool);
int limits_dump(struct tool *tool);
int limits_diff(struct tool *tool);
int limits_list(struct tool *tool);
int limits_import_envoy(struct tool *tool);
int limits_import_turnstile(struct tool *tool);

/* history_log.c, history_show.c, rollback.c: sets that were in Redis */
int limits_log(struct tool *tool);
int limits_show(struct tool *tool);
int limits_rollback(struct tool *tool);

/* override.c */
int override_set(struct tool *tool);
int override_remove(struct tool *tool);
int override_list(struct tool *tool);

/* route.c */
int route_show_request(struct tool *tool);

/* publish.c, nodes.c: the control channel */
int publish_reload(struct tool *tool);
int publish_command(struct tool *tool);
int nodes_show(struct tool *tool);

/* fleet.c, watch.c */
int fleet_show(struct tool *tool);
int watch_show(struct tool *tool);

/* top.c, why.c, tail.c: keys, of one dripgated; status.c: all of it */
int top_show(struct tool *tool);
int stored_show(struct tool *tool);
int stored_purge(struct tool *tool);
int why_show(struct tool *tool);
int tail_run(struct tool *tool);

/* what_if.c */
int what_if_run(struct tool *tool);
int status_show(struct tool *tool);

/* topology.c: where the buckets in Redis are */
int topology_show(struct tool *tool);
int topology_plan(struct tool *tool);
int topology_set(struct tool *tool);

/* acl.c: the users that the settings need in Redis */
int acl_show(struct tool *tool);

/* help.c */
int help_show(struct tool *tool);

/* hash.c: secrets of users of dripgated */
int hash_print(struct tool *tool);

#endif
