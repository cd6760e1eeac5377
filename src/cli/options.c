/*
 * options: reads the command line by the table of options.
 * Words and options may be mixed; after "--" there are only words.
 * The heart is options_read().
 */
#include "cli/options.h"

#include "base/num.h"
#include "base/suggest.h"

#include <getopt.h>
#include <string.h>

/* Many programs take this for -V. */
#define VERSION_ALIAS 'v'

#define DAY_US INT64_C(86400000000)

const struct option_row option_rows[OPTION_ROWS] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE",
	"dripgated's settings (" CONFIG_PATH ")"},
    [OPTION_HELP] = {"help", 'h', NULL, "what it does, and its options"},
    [OPTION_VERSION] = {"version", 'V', NULL, "the version; -v as well"},
    [OPTION_SOCKET] = {"socket", 's', "PATH|HOST:PORT",
	"where dripgated listens (as the settings say)"},
    [OPTION_USER] = {"user", 'u', "NAME", "log in to dripgated as this user"},
    [OPTION_SECRET_FILE] = {"secret-file", 0, "FILE",
	"the secret of that user, one line (DRIPGATE_SECRET)"},
    [OPTION_JSON] = {"json", 'j', NULL, "print JSON"},
    [OPTION_REDIS] = {"redis", 0, NULL,
	"those in Redis, even if dripgated uses a file"},
    [OPTION_PASSWORD_FILE] = {"password-file", 0, "FILE",
	"the password of Redis, one line"},
    [OPTION_IMMEDIATE] = {"immediate", 0, NULL, "reload at once"},
    [OPTION_SPREAD] = {"spread", 0, "TIME",
	"reload at random within TIME: 60, 60s, 5m"},
    [OPTION_NO_RELOAD] = {"no-reload", 0, NULL,
	"do not tell daemons to load them"},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL,
	"show what would change, and change nothing"},
    [OPTION_FORCE] = {"force", 'f', NULL, "replace what exists"},
    [OPTION_LISTEN] = {"listen", 'l', "CHANNEL",
	"then print the messages on CHANNEL"},
    [OPTION_TIMEOUT] = {"timeout", 't', "TIME",
	"give up after TIME (5s); --listen ends after it"},
    [OPTION_WAIT] = {"wait", 'w', "TIME", "wait for responses for TIME (1s)"},
    [OPTION_ALIVE] = {"alive", 0, NULL, "a response will do, whatever decides"},
    [OPTION_HEADER] = {"header", 'H', "NAME: VALUE",
	"a header of the request; several times for several"},
    [OPTION_DENIED] = {"denied", 0, NULL, "those that are denied (default)"},
    [OPTION_ALLOWED] = {"allowed", 0, NULL, "those that are allowed"},
    [OPTION_COUNT] = {"count", 0, "N", "stop after N times"},
};

/* A time of at most a day; a plain number is seconds. */
static int
options_read_time(const char *name, const char *text, int64_t *us)
{
	if (num_read_seconds(text, strlen(text), us) == 0 && *us > 0 &&
	    *us <= DAY_US)
		return 0;
	tool_error("--%s: %s is not a time from 1us to 1d, as 60, 60s or 5m",
	    name, text);
	return -1;
}

static int
options_read_count(const char *text, int64_t *count)
{
	if (num_read_int(text, strlen(text), 1, INT64_C(1000000000), count) ==
	    0)
		return 0;
	tool_error("--count: %s is not a whole number above 0", text);
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
options_set_option(struct tool *tool, enum option_id id, const char *argument)
{
	switch (id) {
	case OPTION_CONFIG:
		tool->config_path = argument;
		break;
	case OPTION_SOCKET:
		tool->socket = argument;
		break;
	case OPTION_USER:
		tool->user = argument;
		break;
	case OPTION_SECRET_FILE:
		tool->secret_file = argument;
		break;
	case OPTION_JSON:
		tool->json = true;
		break;
	case OPTION_PASSWORD_FILE:
		tool->password_file = argument;
		break;
	case OPTION_REDIS:
		tool->redis = true;
		break;
	case OPTION_IMMEDIATE:
		tool->immediate = true;
		break;
	case OPTION_SPREAD:
		return options_read_time("spread", argument, &tool->spread_us);
	case OPTION_NO_RELOAD:
		tool->no_reload = true;
		break;
	case OPTION_DRY_RUN:
		tool->dry_run = true;
		break;
	case OPTION_FORCE:
		tool->force = true;
		break;
	case OPTION_LISTEN:
		tool->listen = argument;
		break;
	case OPTION_TIMEOUT:
		return options_read_time(
		    "timeout", argument, &tool->timeout_us);
	case OPTION_WAIT:
		return options_read_time("wait", argument, &tool->wait_us);
	case OPTION_ALIVE:
		tool->alive = true;
		break;
	case OPTION_HEADER:
		return options_add_header(tool, argument);
	case OPTION_DENIED:
		tool->denied = true;
		break;
	case OPTION_ALLOWED:
		tool->allowed = true;
		break;
	case OPTION_COUNT:
		return options_read_count(argument, &tool->count);
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
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
    const struct getopt_tables *tables, unsigned *given)
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
	return options_set_option(tool, (enum option_id)id, optarg);
}

int
options_read(
    struct tool *tool, int argc, char **argv, size_t max, unsigned *given)
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
