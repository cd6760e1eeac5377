#include "tool/commands.h"

#include "base/attr.h"

#define ASK    (OPTION_BIT(OPTION_SOCKET))
#define JSON   OPTION_BIT(OPTION_JSON)
#define RELOAD (OPTION_BIT(OPTION_IMMEDIATE) | OPTION_BIT(OPTION_SPREAD))
#define LOAD                                                                   \
	(RELOAD | OPTION_BIT(OPTION_NO_RELOAD) | OPTION_BIT(OPTION_DRY_RUN) |  \
	    OPTION_BIT(OPTION_FORCE))
#define LISTEN (OPTION_BIT(OPTION_LISTEN) | OPTION_BIT(OPTION_TIMEOUT))

#define DECISION                                                               \
	"Prints the answer of dripgated.  Exits with 0 for ALLOW, 1 for\n"     \
	"DENY, 2 if there is no answer."

const struct command_row command_rows[] = {
    {"consume", "KEY [N]", 1, 2, ASK | JSON, ask_consume,
	"put N drops (1) into the bucket of KEY; a negative N gives back",
	DECISION},
    {"peek", "KEY [N]", 1, 2, ASK | JSON, ask_peek,
	"say what consume would, and change nothing", DECISION},
    {"reset", "KEY", 1, 1, ASK, ask_reset,
	"forget the bucket of KEY, and its block", ""},
    {"explain", "KEY", 1, 1, ASK | JSON, ask_explain,
	"which limit applies to KEY and why, and its bucket", ""},
    {"stats", "", 0, 0, ASK | JSON, ask_stats, "the counters of dripgated", ""},
    {"ping", "", 0, 0, ASK, ask_ping, "see whether dripgated answers", ""},
    {"limits check", "FILE", 1, 1, 0, limits_check,
	"see whether dripgated would take FILE",
	"What is wrong is said as FILE:LINE:COLUMN."},
    {"limits load", "FILE", 1, 1, LOAD, limits_load,
	"replace the limits in Redis by those of FILE, order the reload",
	"The key is replaced in one step, or not at all.  What is there\n"
	"and is no limit is replaced with --force only."},
    {"limits dump", "[FILE]", 0, 1, OPTION_BIT(OPTION_FORCE), limits_dump,
	"write the limits in Redis as a file",
	"Without FILE, to standard output.  A FILE that exists is\n"
	"replaced with --force only."},
    {"limits diff", "FILE", 1, 1, JSON, limits_diff,
	"compare the limits in Redis (-) with those of FILE (+)",
	"Exits with 0 if they are the same, 1 if not, 2 if that is not known."},
    {"limits list", "", 0, 0, JSON, limits_list, "show the limits in Redis",
	""},
    {"reload", "", 0, 0, RELOAD, order_reload,
	"order all daemons to load their limits",
	"Without an option, each does as its reload_spread says."},
    {"command", "WORD [ARG...]", 1, COMMAND_WORDS_MAX, LISTEN, order_command,
	"say WORD:ARG:... on the control channel", ""},
    {"nodes", "", 0, 0, OPTION_BIT(OPTION_WAIT) | JSON, order_nodes,
	"which daemons answer a ping on the control channel",
	"Exits with 1 if nobody answers."},
    {"fleet", "", 0, 0, JSON, fleet_show,
	"which daemon runs which limits, and who lags",
	"current: runs what is in Redis.  lags: runs something else.\n"
	"kept: runs what it kept from before, since Redis did not answer.\n"
	"gone: was not seen for two minutes; forgotten after an hour.\n"
	"Exits with 1 if anybody lags."},
    {"watch", "", 0, 0, ASK | JSON | OPTION_BIT(OPTION_COUNT), watch_show,
	"requests a second under each limit, as top does",
	"Busiest first, once a second until interrupted, or --count times."},
};

const size_t command_count = COUNT(command_rows);
