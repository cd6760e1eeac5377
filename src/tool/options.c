#include "tool/options.h"

#include "base/num.h"
#include "base/suggest.h"

#include <getopt.h>
#include <string.h>

#define DAY_US INT64_C(86400000000)

const struct option_row option_rows[OPTION_ROWS] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE",
	"dripgated's settings (" CONFIG_PATH ")"},
    [OPTION_HELP] = {"help", 'h', NULL, "what it does, and its options"},
    [OPTION_VERSION] = {"version", 'V', NULL, "the version"},
    [OPTION_SOCKET] = {"socket", 's', "PATH|HOST:PORT",
	"where dripgated listens (as the settings say)"},
    [OPTION_JSON] = {"json", 'j', NULL, "print JSON"},
    [OPTION_IMMEDIATE] = {"immediate", 0, NULL, "reload at once"},
    [OPTION_SPREAD] = {"spread", 0, "TIME",
	"reload at random within TIME: 60, 60s, 5m"},
    [OPTION_NO_RELOAD] = {"no-reload", 0, NULL, "order no reload"},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL,
	"show what would change, and change nothing"},
    [OPTION_FORCE] = {"force", 'f', NULL, "replace what is there"},
    [OPTION_LISTEN] = {"listen", 'l', "CHANNEL",
	"then print what is said on CHANNEL"},
    [OPTION_TIMEOUT] = {"timeout", 't', "TIME",
	"listen for TIME (until interrupted)"},
    [OPTION_WAIT] = {"wait", 'w', "TIME", "wait for answers for TIME (1s)"},
    [OPTION_COUNT] = {"count", 0, "N", "stop after N times"},
};

/* A time of at most a day; a plain number is seconds. */
static int
read_time(const char *name, const char *text, int64_t *us)
{
	if (num_read_seconds(text, strlen(text), us) == 0 && *us > 0 &&
	    *us <= DAY_US)
		return 0;
	tool_complain(
	    "--%s: %s is no time from 1us to 1d, as 60, 60s or 5m", name, text);
	return -1;
}

static int
read_count(const char *text, int64_t *count)
{
	if (num_read_int(text, strlen(text), 1, INT64_C(1000000000), count) ==
	    0)
		return 0;
	tool_complain("--count: %s is no whole number above 0", text);
	return -1;
}

static int
set_option(struct tool *tool, enum option_id id, const char *argument)
{
	switch (id) {
	case OPTION_CONFIG:
		tool->config_path = argument;
		break;
	case OPTION_SOCKET:
		tool->socket = argument;
		break;
	case OPTION_JSON:
		tool->json = true;
		break;
	case OPTION_IMMEDIATE:
		tool->immediate = true;
		break;
	case OPTION_SPREAD:
		return read_time("spread", argument, &tool->spread_us);
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
		return read_time("timeout", argument, &tool->timeout_us);
	case OPTION_WAIT:
		return read_time("wait", argument, &tool->wait_us);
	case OPTION_COUNT:
		return read_count(argument, &tool->count);
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return 0;
}

/* What getopt_long() wants to know. */
struct getopt_tables {
	struct option longs[OPTION_ROWS + 1];
	char shorts[2 * OPTION_ROWS + 3];
};

/* "+": whoever calls takes what is no option; ":" tells an option without its
 * argument from an unknown one. */
static void
fill_tables(struct getopt_tables *tables)
{
	char *letter = tables->shorts;

	*letter++ = '+';
	*letter++ = ':';
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
find_option(int found)
{
	if (found >= 1000)
		return found - 1000;
	for (int i = 0; i < OPTION_ROWS; i++)
		if (option_rows[i].letter == found)
			return i;
	return -1;
}

static int
complain_of_option(int found, const char *word)
{
	const char *names[OPTION_ROWS];
	const char *near;

	if (found == ':') {
		tool_complain("%s needs an argument", word);
		return -1;
	}
	for (int i = 0; i < OPTION_ROWS; i++)
		names[i] = option_rows[i].name;
	near = suggest(word + strspn(word, "-"), names, OPTION_ROWS);
	if (near && strncmp(word, "--", 2) == 0)
		tool_complain(
		    "unknown option %s, did you mean --%s?", word, near);
	else
		tool_complain("unknown option %s; try dripgate --help", word);
	return -1;
}

/* Whether it is an argument: no option, or a negative number. */
static bool
is_word(const char *text)
{
	return text[0] != '-' || text[1] == '\0' ||
	       (text[1] >= '0' && text[1] <= '9');
}

static int
add_word(struct tool *tool, char *word, size_t max)
{
	if (tool->word_count == max) {
		tool_complain("too many arguments");
		return -1;
	}
	tool->words[tool->word_count++] = word;
	return 0;
}

/* Read the option at the place that getopt_long() has come to. */
static int
read_option(struct tool *tool, int argc, char **argv,
    const struct getopt_tables *tables, unsigned *given)
{
	const char *word = argv[optind];
	int found =
	    getopt_long(argc, argv, tables->shorts, tables->longs, NULL);
	int id;

	if (found == -1) /* "--" */
		return 0;
	id = find_option(found);
	if (id == -1)
		return complain_of_option(found, word);
	*given |= OPTION_BIT(id);
	return set_option(tool, (enum option_id)id, optarg);
}

int
options_read(
    struct tool *tool, int argc, char **argv, size_t max, unsigned *given)
{
	struct getopt_tables tables = {0};
	bool only_words = false;

	fill_tables(&tables);
	opterr = 0;
	while (optind < argc) {
		char *word = argv[optind];
		int status;

		if (only_words || is_word(word)) {
			status = add_word(tool, word, max);
			optind++;
		} else {
			only_words = strcmp(word, "--") == 0;
			status = read_option(tool, argc, argv, &tables, given);
		}
		if (status == -1)
			return -1;
	}
	return 0;
}
