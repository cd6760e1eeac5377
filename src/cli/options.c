/*
 * options: reads the command line by the table of options.
 * Words and options may be mixed; after "--" there are only words.
 * The heart is options_read().
 */
#include "cli/options.h"

#include "base/num.h"
#include "base/suggest.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Many programs take this for -V. */
#define VERSION_ALIAS 'v'

#define DAY_US   INT64_C(86400000000)
#define DAYS_MAX 366 /* of a long time */

#define TO(id, field) OPTION_##id, offsetof(struct tool, field)
#define FLAG(field)   TO(FLAG, field)
#define TEXT(field)   TO(TEXT, field)
#define TIME(field)   TO(TIME, field)
#define LONG(field)   TO(LONG, field)
#define NUMBER(field) TO(NUMBER, field)
#define LIST(field)   TO(LIST, field)

const struct option_row option_rows[OPTION_ROWS] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE",
	"dripgated's settings (" CONFIG_PATH ")", TEXT(config_path)},
    [OPTION_HELP] = {"help", 'h', NULL, "what it does, and its options"},
    [OPTION_VERSION] = {"version", 'V', NULL, "the version; -v as well"},
    [OPTION_SOCKET] = {"socket", 's', "PATH|HOST:PORT",
	"where dripgated listens (as the settings say)", TEXT(socket)},
    [OPTION_USER] = {"user", 'u', "NAME", "log in to dripgated as this user",
	TEXT(user)},
    [OPTION_SECRET_FILE] = {"secret-file", 0, "FILE",
	"the secret of that user, one line (DRIPGATE_SECRET)",
	TEXT(secret_file)},
    [OPTION_JSON] = {"json", 'j', NULL, "print JSON", FLAG(json)},
    [OPTION_REDIS] = {"redis", 0, NULL,
	"those in Redis, even if dripgated uses a file", FLAG(redis)},
    [OPTION_PASSWORD_FILE] = {"password-file", 0, "FILE",
	"the password of Redis, one line", TEXT(password_file)},
    [OPTION_IMMEDIATE] = {"immediate", 0, NULL, "reload at once",
	FLAG(immediate)},
    [OPTION_SPREAD] = {"spread", 0, "TIME",
	"reload at random within TIME: 60, 60s, 5m", TIME(spread_us)},
    [OPTION_NO_RELOAD] = {"no-reload", 0, NULL,
	"do not tell daemons to load them", FLAG(no_reload)},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL,
	"show what would change, and change nothing", FLAG(dry_run)},
    [OPTION_FORCE] = {"force", 'f', NULL, "replace what exists", FLAG(force)},
    [OPTION_YES] = {"yes", 'y', NULL, "also if buckets are lost by it",
	FLAG(yes)},
    [OPTION_AUTHOR] = {"author", 0, "NAME",
	"who loads them, for the history (USER@HOST)", TEXT(author)},
    [OPTION_MESSAGE] = {"message", 'm', "TEXT", "why, for the history",
	TEXT(message)},
    [OPTION_LISTEN] = {"listen", 'l', "CHANNEL",
	"then print the messages on CHANNEL", TEXT(listen)},
    [OPTION_TIMEOUT] = {"timeout", 't', "TIME",
	"give up after TIME (5s); --listen ends after it", TIME(timeout_us)},
    [OPTION_WAIT] = {"wait", 'w', "TIME",
	"wait for room, or for responses (1s), for TIME", TIME(wait_us)},
    [OPTION_ALIVE] = {"alive", 0, NULL, "a response will do, whatever decides",
	FLAG(alive)},
    [OPTION_HEADER] = {"header", 'H', "NAME: VALUE",
	"a header of the request; several times for several", LIST(headers)},
    [OPTION_DENIED] = {"denied", 0, NULL, "those that are denied (default)",
	FLAG(denied)},
    [OPTION_ALLOWED] = {"allowed", 0, NULL, "those that are allowed",
	FLAG(allowed)},
    [OPTION_COUNT] = {"count", 0, "N", "stop after N times", NUMBER(count)},
    [OPTION_RECORD] = {"record", 0, "FILE",
	"write them to FILE, for what-if, instead of showing them",
	TEXT(record)},
    [OPTION_HASH_KEYS] = {"hash-keys", 0, NULL,
	"write hashes of what is behind the first : of keys", FLAG(hash_keys)},
    [OPTION_DEMAND] = {"demand", 0, "FILE", "a recording by tail --record",
	TEXT(demand)},
    [OPTION_LIVE] = {"live", 0, "TIME",
	"record for TIME first, to the FILE of --demand, if given",
	TIME(live_us)},
    [OPTION_AGAINST] = {"against", 0, "FILE",
	"compare with the limits of FILE, not with dripgated's", TEXT(against)},
    [OPTION_CHART] = {"chart", 0, "FILE", "draw a chart, SVG, to FILE",
	TEXT(chart)},
    [OPTION_LEAKY] = {"leaky", 0, NULL,
	"write leaky buckets, not fixed windows", FLAG(leaky)},
    [OPTION_NODES] = {"nodes", 0, "LIST",
	"several dripgated, addresses as for --socket, with commas between",
	TEXT(nodes)},
    [OPTION_FOR] = {"for", 0, "TIME", "how long it lasts: 2h", LONG(for_us)},
    [OPTION_REASON] = {"reason", 0, "TEXT", "why, for people who ask",
	TEXT(reason)},
    [OPTION_ID] = {"id", 0, "ID",
	"the same ID again is charged once, and told the same", TEXT(id)},
};

/* A time of at most so many days; a plain number is seconds. */
static int
options_read_time(const char *name, const char *text, int days, int64_t *us)
{
	if (num_read_seconds(text, strlen(text), us) == 0 && *us > 0 &&
	    *us <= days * DAY_US)
		return 0;
	tool_error("--%s: %s is not a time from 1us to %dd, as 60, 60s or 5m",
	    name, text, days);
	return -1;
}

static int
options_read_number(const char *name, const char *text, int64_t *number)
{
	if (num_read_int(text, strlen(text), 1, INT64_C(1000000000), number) ==
	    0)
		return 0;
	tool_error("--%s: %s is not a whole number above 0", name, text);
	return -1;
}

static int
options_add_header(struct tool *tool, const char *header)
{
	if (tool->header_count == COUNT(tool->headers)) {
		tool_error("more than %zu headers", COUNT(tool->headers));
		return -1;
	}
	tool->headers[tool->header_count++] = header;
	return 0;
}

static int
options_set_option(
    struct tool *tool, const struct option_row *row, const char *argument)
{
	void *to = (char *)tool + row->to;

	switch (row->kind) {
	case OPTION_NONE:
		break;
	case OPTION_FLAG:
		*(bool *)to = true;
		break;
	case OPTION_TEXT:
		*(const char **)to = argument;
		break;
	case OPTION_TIME:
		return options_read_time(row->name, argument, 1, to);
	case OPTION_LONG:
		return options_read_time(row->name, argument, DAYS_MAX, to);
	case OPTION_NUMBER:
		return options_read_number(row->name, argument, to);
	case OPTION_LIST:
		return options_add_header(tool, argument);
	}
	return 0;
}

/* The tables for getopt_long(). */
struct getopt_tables {
	struct option longs[OPTION_ROWS + 1];
	char shorts[2 * OPTION_ROWS + 4];
};

/* "+": the caller takes words that are not options; ":" distinguishes an option
 * without its argument from an unknown one. */
static void
options_fill_tables(struct getopt_tables *tables)
{
	char *letter = tables->shorts;

	*letter++ = '+';
	*letter++ = ':';
	*letter++ = VERSION_ALIAS;
	for (int i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];

		tables->longs[i] = (struct option){row->name,
		    row->argument ? required_argument : no_argument, NULL,
		    1000 + i};
		if (row->letter)
			*letter++ = (char)row->letter;
		if (row->letter && row->argument)
			*letter++ = ':';
	}
}

/* The option that getopt_long() found, or -1. */
static int
options_find_option(int found)
{
	if (found >= 1000)
		return found - 1000;
	if (found == VERSION_ALIAS)
		return OPTION_VERSION;
	for (int i = 0; i < OPTION_ROWS; i++)
		if (option_rows[i].letter == found)
			return i;
	return -1;
}

static int
options_unknown(int found, const char *word)
{
	const char *names[OPTION_ROWS];
	const char *near;

	if (found == ':') {
		tool_error("%s needs an argument", word);
		return -1;
	}
	for (int i = 0; i < OPTION_ROWS; i++)
		names[i] = option_rows[i].name;
	near = suggest(word + strspn(word, "-"), names, OPTION_ROWS);
	if (near && strncmp(word, "--", 2) == 0)
		tool_error("unknown option %s, did you mean --%s?", word, near);
	else
		tool_error("unknown option %s; try dripgate --help", word);
	return -1;
}

/* Whether it is an argument: not an option, or a negative number. */
static bool
options_is_word(const char *text)
{
	return text[0] != '-' || text[1] == '\0' ||
	       (text[1] >= '0' && text[1] <= '9');
}

static int
options_add_word(struct tool *tool, char *word, size_t max)
{
	if (tool->word_count == max) {
		tool_error("too many arguments");
		return -1;
	}
	tool->words[tool->word_count++] = word;
	return 0;
}

/* Read the option that getopt_long() is at. */
static int
options_read_option(struct tool *tool, int argc, char **argv,
    const struct getopt_tables *tables, uint64_t *given)
{
	const char *word = argv[optind];
	int found =
	    getopt_long(argc, argv, tables->shorts, tables->longs, NULL);
	int id;

	if (found == -1) /* "--" */
		return 0;
	id = options_find_option(found);
	if (id == -1)
		return options_unknown(found, word);
	*given |= OPTION_BIT(id);
	return options_set_option(tool, &option_rows[id], optarg);
}

int
options_read(
    struct tool *tool, int argc, char **argv, size_t max, uint64_t *given)
{
	struct getopt_tables tables = {0};
	bool only_words = false;

	options_fill_tables(&tables);
	opterr = 0;
	while (optind < argc) {
		char *word = argv[optind];
		int status;

		if (only_words || options_is_word(word)) {
			status = options_add_word(tool, word, max);
			optind++;
		} else {
			only_words = strcmp(word, "--") == 0;
			status = options_read_option(
			    tool, argc, argv, &tables, given);
		}
		if (status == -1)
			return -1;
	}
	return 0;
}
