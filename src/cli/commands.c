/*
 * The commands of the tool.  Invariant: what help and the completion say of a
 * command, and which options it takes, is in its row alone.  The heart:
 * command_rows[].
 */
#include "cli/commands.h"

#include "base/attr.h"
#include "protocol/verbs.h"

#include <string.h>

#define SOCKET                                                                 \
	(OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_USER) |                 \
	    OPTION_BIT(OPTION_SECRET_FILE))
#define JSON   OPTION_BIT(OPTION_JSON)
#define ID     OPTION_BIT(OPTION_ID)
#define RELOAD (OPTION_BIT(OPTION_IMMEDIATE) | OPTION_BIT(OPTION_SPREAD))
#define LOAD                                                                   \
	(RELOAD | OPTION_BIT(OPTION_NO_RELOAD) | OPTION_BIT(OPTION_DRY_RUN) |  \
	    OPTION_BIT(OPTION_FORCE) | OPTION_BIT(OPTION_YES) |                \
	    OPTION_BIT(OPTION_AUTHOR) | OPTION_BIT(OPTION_MESSAGE))

#define DECISION                                                               \
	"Prints the response of dripgated.  Exits with 0 for ALLOW, 1 for\n"   \
	"DENY, 2 if there is none."

#define REDIS              OPTION_BIT(OPTION_PASSWORD_FILE)
#define WORDS(least, most) .min = (least), .max = (most)

const struct command_row command_rows[] = {
    {"consume", "KEY [N]", WORDS(1, 2),
	.options = SOCKET | JSON | ID | OPTION_BIT(OPTION_WAIT),
	.run = client_consume,
	.help = "put N drops (1) into the bucket of KEY; a negative N gives "
		"back",
	.more = DECISION},
    {"peek", "KEY [N]", WORDS(1, 2), .options = SOCKET | JSON,
	.run = client_peek,
	.help = "say what consume would, and change nothing", .more = DECISION},
    {"mconsume", "KEY N [KEY N...]", WORDS(2, 2 * VERB_KEYS_MAX),
	.options = SOCKET | JSON | ID, .run = client_mconsume,
	.help = "put drops into the buckets of all keys, or of none",
	.more = DECISION},
    {"mpeek", "KEY N [KEY N...]", WORDS(2, 2 * VERB_KEYS_MAX),
	.options = SOCKET | JSON, .run = client_mpeek,
	.help = "say what mconsume would, and change nothing",
	.more = DECISION},
    {"charge", "KEY N", WORDS(2, 2), .options = SOCKET | JSON | ID,
	.run = client_charge,
	.help = "put N drops into the bucket of KEY, up to the debt of its "
		"limit",
	.more = DECISION},
    {"take", "KEY N", WORDS(2, 2), .options = SOCKET | JSON | ID,
	.run = client_take,
	.help = "put as many of N drops into the bucket of KEY as fit",
	.more = DECISION "\n"
			 "taken= is how many went in; DENY: none."},
    {"hold", "KEY ID [N]", WORDS(2, 3), .options = SOCKET | JSON,
	.run = client_hold,
	.help = "hold N drops (1) of KEY under ID, or renew them",
	.more = DECISION},
    {"release", "KEY ID", WORDS(2, 2), .options = SOCKET | JSON,
	.run = client_release, .help = "give back what is held under ID",
	.more = DECISION},
    {"reset", "KEY", WORDS(1, 1), .options = SOCKET | JSON, .run = client_reset,
	.help = "forget the bucket of KEY, and its block"},
    {"explain", "KEY", WORDS(1, 1), .options = SOCKET | JSON,
	.run = explain_show,
	.help = "which limit applies to KEY and why, and its bucket"},
    {"why", "KEY", WORDS(1, 1), .options = SOCKET | JSON, .run = why_show,
	.help = "whether KEY is denied, and why, in one sentence",
	.more = "Then what EXPLAIN says.  Exits with 0 if one drop more is "
		"allowed,\n"
		"1 if it is denied, 2 if that is not known."},
    {"status", "", .options = SOCKET | JSON, .run = status_show,
	.help = "how dripgated, its limits and its Redis are",
	.more = "Exits with 0 if all is well, 1 if decisions come from "
		"fallback, a\n"
		"server is down, there are no limits or new ones were "
		"refused, 2 if\n"
		"there is no response."},
    {"stats", "", .options = SOCKET | JSON, .run = client_stats,
	.help = "the counters of dripgated"},
    {"ping", "", .options = SOCKET | JSON | OPTION_BIT(OPTION_ALIVE),
	.run = client_ping,
	.help = "see whether dripgated responds, and with Redis",
	.more =
	    "Exits with 0 if so, 1 if decisions come from fallback, 2 if it "
	    "is\nnot ready for requests."},
    {"limits check", "FILE", WORDS(1, 1), .options = JSON, .run = limits_check,
	.help = "see whether dripgated would take FILE",
	.more = "Prints each mistake as FILE:LINE:COLUMN: REASON."},
    {"limits test", "FILE", WORDS(1, 1), .options = JSON, .run = limits_test,
	.help = "which limit of FILE each key of standard input would get",
	.more = "A key a line; - is no limit.  Exits with 1 if a key has "
		"none."},
    {"limits load", "FILE", WORDS(1, 1), .options = REDIS | JSON | LOAD,
	.run = limits_load,
	.help = "replace the limits in Redis by those of FILE, and have them "
		"loaded",
	.more =
	    "The key is replaced in one step, or not at all, and the set is "
	    "kept in\n"
	    "the history.  A limit that loses its buckets by it, or nine "
	    "tenths of its\n"
	    "capacity or rate, needs --yes.  A key that has something else "
	    "than limits\n"
	    "is replaced only with --force."},
    {"limits dump", "[FILE]", WORDS(0, 1),
	.options = REDIS | JSON | OPTION_BIT(OPTION_FORCE), .run = limits_dump,
	.help = "write the limits in Redis as a file",
	.more = "Without FILE, to standard output.  A FILE that exists is\n"
		"replaced with --force only."},
    {"limits diff", "FILE|N [M]", WORDS(1, 2), .options = REDIS | JSON,
	.run = limits_diff,
	.help = "compare the limits in Redis (-) with those of FILE (+)",
	.more = "With numbers of the history, number N (-) with number M, or "
		"else with\n"
		"those in Redis (+).  Exits with 0 if they are the same, 1 "
		"if not, 2 if\n"
		"that is not known."},
    {"limits log", "", .options = REDIS | JSON, .run = limits_log,
	.help = "which limits were loaded when, by whom, and why",
	.more = "The last 50 sets, the latest first, each with its number."},
    {"limits show", "N", WORDS(1, 1), .options = REDIS | JSON,
	.run = limits_show,
	.help = "write number N of the history as a file of limits"},
    {"limits rollback", "[N]", WORDS(0, 1), .options = REDIS | LOAD | JSON,
	.run = limits_rollback,
	.help = "load number N of the history again, by default the one "
		"before",
	.more = "That is a load, too, with a number of its own: a second one "
		"undoes it.\n"
		"It needs --yes where a load does."},
    {"limits list", "",
	.options = SOCKET | REDIS | JSON | OPTION_BIT(OPTION_REDIS),
	.run = limits_list,
	.help = "show the limits of dripgated, or those in Redis",
	.more = "They are in Redis where the settings say so.  What is no "
		"limit is\n"
		"shown with the reason, and is an error."},
    {"limits import-envoy", "FILE...", WORDS(1, COMMAND_WORDS_MAX),
	.options = JSON | OPTION_BIT(OPTION_LEAKY), .run = limits_import_envoy,
	.help = "write limits that decide as envoyproxy/ratelimit does by "
		"FILEs",
	.more = "To standard output, for dripgated's [limits] file.  What is "
		"not carried\n"
		"over is printed as FILE:LINE: REASON, and makes it exit with "
		"1."},
    {"limits import-turnstile", "", .options = REDIS | JSON,
	.run = limits_import_turnstile,
	.help = "write the limits in Redis, those of Turnstile as ours",
	.more = "To standard output, for a load.  A limit of a class of its "
		"own is left\n"
		"out, is named on standard error, and makes it exit with 1."},
    {"route", "METHOD URL", WORDS(2, 2),
	.options =
	    REDIS | JSON | OPTION_BIT(OPTION_REDIS) | OPTION_BIT(OPTION_HEADER),
	.run = route_show_request,
	.help = "which route a request takes, and which keys it gets",
	.more =
	    "Of the limits in the file, or in Redis where the settings say "
	    "so.\nIt asks as a proxy does: the client is what the header of "
	    "[http]\nclient_header says.  Exits with 1 if no route "
	    "matches."},
    {"override set", "KEY|GLOB allow|deny|xN", WORDS(2, 2),
	.options = REDIS | JSON | OPTION_BIT(OPTION_FOR) |
		   OPTION_BIT(OPTION_REASON) | OPTION_BIT(OPTION_AUTHOR),
	.run = override_set,
	.help = "allow keys, deny them, or let N times as much in, for a while",
	.more = "In front of all limits, on all daemons within a second; --for "
		"and --reason\n"
		"must be there.  xN multiplies the limit that a key has, and "
		"keeps its bucket."},
    {"override remove", "KEY|GLOB", WORDS(1, 1), .options = REDIS | JSON,
	.run = override_remove, .help = "end an override now",
	.more = "Exits with 1 if there was none."},
    {"override list", "",
	.options = REDIS | JSON | OPTION_BIT(OPTION_NODES) |
		   OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_SECRET_FILE),
	.run = override_list,
	.help = "which overrides there are, until when, by whom, and why",
	.more = "With --nodes, how many requests each changed there, since it "
		"was set."},
    {"reload", "", .options = REDIS | JSON | RELOAD, .run = publish_reload,
	.help = "have all daemons load their limits",
	.more = "Without an option, each does as its reload_spread says."},
    {"command", "WORD [ARG...]", WORDS(1, COMMAND_WORDS_MAX),
	.options = REDIS | JSON | OPTION_BIT(OPTION_LISTEN),
	.run = publish_command,
	.help = "say WORD:ARG:... on the control channel"},
    {"nodes", "", .options = REDIS | OPTION_BIT(OPTION_WAIT) | JSON,
	.run = nodes_show,
	.help = "which daemons respond to a ping on the control channel",
	.more = "Exits with 1 if no daemon responds."},
    {"fleet", "", .options = REDIS | JSON, .run = fleet_show,
	.help = "which daemon runs which limits, and which lag",
	.more =
	    "current: runs what is in Redis.  lags: runs something else.\n"
	    "kept: runs the limits that it saved, since Redis did not reply.\n"
	    "gone: was not seen for two minutes; forgotten after an hour.\n"
	    "Exits with 1 if a daemon lags."},
    {"acl", "", .options = JSON, .run = acl_show,
	.help = "print the users that the settings need in Redis",
	.more = "One line for each, for redis-cli: put the password in place "
		"of\n"
		"PASSWORD."},
    {"topology show", "", .options = REDIS | JSON, .run = topology_show,
	.help = "what stands in Redis about partitions and hosts",
	.more = "It counts for all daemons, whatever their settings say."},
    {"topology plan", "WORD...", WORDS(1, 2), .options = REDIS | JSON,
	.run = topology_plan, .help = "say what another topology would lose",
	.more = "partitions=N and hosts=HOST:PORT,... say what changes.  A "
		"bucket\n"
		"that moves is lost: its key starts with an empty one."},
    {"topology set", "WORD...", WORDS(1, 2), .options = REDIS | JSON,
	.run = topology_set, .help = "have all daemons use another topology",
	.more = "The words are those of plan.  Daemons follow within some two "
		"seconds,\n"
		"without a restart."},
    {"hash", "", .options = JSON, .run = hash_print,
	.help = "make what the file of users has of a secret",
	.more = "Reads the secret from standard input, one line, and prints "
		"secret=...,\nfor a line of the file that [listen] users "
		"names."},
    {"top", "[LIMIT]", WORDS(0, 1),
	.options = SOCKET | JSON | OPTION_BIT(OPTION_DENIED) |
		   OPTION_BIT(OPTION_ALLOWED),
	.run = top_show, .help = "which keys are denied most, or allowed most",
	.more = "Of the last half minute, busiest first; of all limits, or of "
		"LIMIT."},
    {"tail", "[GLOB]", WORDS(0, 1),
	.options = SOCKET | JSON | OPTION_BIT(OPTION_DENIED) |
		   OPTION_BIT(OPTION_ALLOWED) | OPTION_BIT(OPTION_COUNT) |
		   OPTION_BIT(OPTION_RECORD) | OPTION_BIT(OPTION_HASH_KEYS) |
		   OPTION_BIT(OPTION_FORCE),
	.run = tail_run,
	.help = "decisions as they are made, of keys that match GLOB",
	.more = "Until interrupted, or --count decisions.  Says how many it "
		"does not\n"
		"show because they were too many."},
    {"what-if", "FILE", WORDS(1, 1),
	.options = SOCKET | JSON | OPTION_BIT(OPTION_DEMAND) |
		   OPTION_BIT(OPTION_LIVE) | OPTION_BIT(OPTION_HASH_KEYS) |
		   OPTION_BIT(OPTION_AGAINST) | OPTION_BIT(OPTION_CHART),
	.run = what_if_run,
	.help = "what the limits of FILE would do to recorded demand",
	.more = "Compared with those in force.  Exits with 1 if a key is "
		"denied more\noften."},
    {"watch", "",
	.options =
	    SOCKET | JSON | OPTION_BIT(OPTION_COUNT) | OPTION_BIT(OPTION_NODES),
	.run = watch_show,
	.help = "requests a second under each limit, as top(1) shows processes",
	.more = "Busiest first, once a second until interrupted, or --count "
		"times."},
    {"cache stats", "", .options = SOCKET | JSON, .run = stored_show,
	.help = "what dripgated stores of each upstream, and how often it is "
		"used"},
    {"cache purge", "UPSTREAM[:GLOB]", WORDS(1, 1), .options = SOCKET | JSON,
	.run = stored_purge,
	.help = "forget what is stored of the paths that match GLOB",
	.more = "As github:/repos/*; a path is with its query.  Of an upstream "
		"whose\n"
		"responses are in Redis, all daemons forget it.  Exits with 1 "
		"if no upstream\nof that name stores responses."},
    {"help", "[COMMAND]", WORDS(0, 2), .options = JSON, .run = help_show,
	.help = "all commands, or what COMMAND does and its options"},
};

const size_t command_count = COUNT(command_rows);

const struct command_row *
command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(command_rows[i].name, name) == 0)
			return &command_rows[i];
	return NULL;
}

bool
command_is_family(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < command_count; i++)
		if (strncmp(command_rows[i].name, word, len) == 0 &&
		    command_rows[i].name[len] == ' ')
			return true;
	return false;
}
