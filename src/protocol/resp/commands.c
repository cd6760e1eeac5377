/*
 * The commands of RESP: verbs, and what is no verb.  Invariant: COMMAND derives
 * what it says of a name from its verb and its forms, so that it cannot differ
 * from what is accepted.  The heart: the table of forms, and
 * commands_describe().
 */
#include "protocol/resp/commands.h"

#include "protocol/resp/multi.h"
#include "protocol/resp/resp_session.h"

#include <stdint.h>
#include <string.h>

static compat_respond commands_respond_command;

#define ANY RESP_WORDS_MAX

static const struct command_form forms[] = {
    /* of verbs */
    {"reset", 1, 1, VERB_COUNT, compat_reset, false},
    {"ping", 2, 2, VERB_COUNT, compat_echo, false},
    {"quit", 2, ANY, VERB_QUIT, NULL, false},

    /* what clients of Redis send */
    {"hello", 1, ANY, VERB_COUNT, compat_hello, false},
    {"auth", 2, 3, VERB_COUNT, compat_auth, false},
    {"echo", 2, 2, VERB_COUNT, compat_echo, false},
    {"select", 2, 2, VERB_COUNT, compat_select, false},
    {"client", 2, ANY, VERB_COUNT, compat_client, true},
    {"info", 1, ANY, VERB_COUNT, compat_info, false},
    {"command", 1, ANY, VERB_COUNT, commands_respond_command, false},
    {"config", 3, ANY, VERB_COUNT, compat_config, false},
    {"cluster", 2, ANY, VERB_COUNT, compat_cluster, true},
    {"time", 1, 1, VERB_COUNT, compat_time, false},
    {"multi", 1, 1, VERB_COUNT, multi_begin, false},
    {"exec", 1, 1, VERB_COUNT, multi_exec, false},
    {"discard", 1, 1, VERB_COUNT, multi_discard, false},
    {"watch", 2, ANY, VERB_COUNT, multi_watch, false},
    {"unwatch", 1, 1, VERB_COUNT, multi_unwatch, false},
    {"dbsize", 1, 1, VERB_COUNT, compat_dbsize, false},
};

/* What COMMAND says of a command, over all its forms. */
struct description {
	const char *name;
	size_t least, most; /* words, the name among them */
	bool writes;
	int64_t first, last, step; /* the places of its keys */
};

const struct command_form *
commands_find_form(const struct resp_command *command)
{
	for (size_t i = 0; i < COUNT(forms); i++)
		if (command->count >= forms[i].least &&
		    command->count <= forms[i].most &&
		    resp_word_is(&command->words[0], forms[i].name))
			return &forms[i];
	return NULL;
}

static void
commands_widen(struct description *description, size_t least, size_t most)
{
	if (least < description->least)
		description->least = least;
	if (most > description->most)
		description->most = most;
}

static void
commands_add_verb(struct description *description, const struct verb_row *row)
{
	description->name = row->name;
	description->first = verb_has_key(row) || verb_has_keys(row);
	description->last = verb_has_keys(row) ? -2 : description->first;
	description->step = verb_has_keys(row) ? 2 : description->first;
	description->writes = description->first && row->op != OP_PEEK;
	commands_widen(
	    description, row->shape->fewest + 1, row->shape->most + 1);
}

static bool
commands_describe(const struct resp_word *word, struct description *description)
{
	enum verb verb = verb_find(word->bytes, word->len, RESP_VERBS);

	*description = (struct description){.least = SIZE_MAX};
	if (verb != VERB_COUNT)
		commands_add_verb(description, &verb_rows[verb]);
	for (size_t i = 0; i < COUNT(forms); i++) {
		if (!resp_word_is(word, forms[i].name))
			continue;
		description->name = forms[i].name;
		commands_widen(description, forms[i].least, forms[i].most);
	}
	return description->name != NULL;
}

const char *
commands_name(const struct resp_word *word)
{
	struct description description;

	return commands_describe(word, &description) ? description.name : NULL;
}

/* Name, arity (negative: at the least), flags, and where the keys are. */
static int
commands_write(struct buf *out, const struct description *description)
{
	int64_t least = (int64_t)description->least;

	if (resp_write_array(out, 6) == -1 ||
	    resp_write_text(out, description->name) == -1 ||
	    resp_write_int(out,
		description->most == description->least ? least : -least) ==
		-1 ||
	    resp_write_array(out, 2) == -1 ||
	    resp_write_status(
		out, description->writes ? "write" : "readonly") == -1 ||
	    resp_write_status(out, "fast") == -1 ||
	    resp_write_int(out, description->first) == -1 ||
	    resp_write_int(out, description->last) == -1 ||
	    resp_write_int(out, description->step) == -1)
		return -1;
	return 0;
}

/* The name of command ${i}, or NULL: there are fewer.  Verbs come first. */
static const char *
commands_name_at(size_t i)
{
	for (size_t verb = 0; verb < VERB_COUNT; verb++)
		if ((RESP_VERBS & verb_rows[verb].family) && i-- == 0)
			return verb_rows[verb].name;
	for (size_t form = 0; form < COUNT(forms); form++) {
		const char *name = forms[form].name;

		if (verb_find(name, strlen(name), RESP_VERBS) == VERB_COUNT &&
		    i-- == 0)
			return name;
	}
	return NULL;
}

static size_t
commands_count(void)
{
	size_t count = 0;

	while (commands_name_at(count))
		count++;
	return count;
}

static int
commands_write_name(struct buf *out, const char *name)
{
	return resp_write_text(out, name);
}

static int
commands_write_named(struct buf *out, const char *name)
{
	const struct resp_word word = {name, strlen(name)};
	struct description description;

	return commands_describe(&word, &description)
		   ? commands_write(out, &description)
		   : -1;
}

static int
commands_write_all(
    struct buf *out, int (*write)(struct buf *out, const char *name))
{
	size_t count = commands_count();

	if (resp_write_array(out, count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (write(out, commands_name_at(i)) == -1)
			return -1;
	return 0;
}

/* COMMAND INFO name ... */
static int
commands_write_some(
    struct buf *out, const struct resp_command *command, int version)
{
	if (command->count == 2)
		return commands_write_all(out, commands_write_named);
	if (resp_write_array(out, command->count - 2) == -1)
		return -1;
	for (size_t i = 2; i < command->count; i++) {
		struct description description;

		if ((commands_describe(&command->words[i], &description)
			    ? commands_write(out, &description)
			    : resp_write_null(out, version)) == -1)
			return -1;
	}
	return 0;
}

/* COMMAND DOCS gets no docs: redis-cli works without. */
static int
commands_respond_command(const struct resp_command *command,
    struct session *session, struct buf *out)
{
	const struct resp_word *word = &command->words[1];

	if (command->count == 1)
		return commands_write_all(out, commands_write_named);
	if (resp_word_is(word, "COUNT"))
		return resp_write_int(out, (int64_t)commands_count());
	if (resp_word_is(word, "LIST"))
		return commands_write_all(out, commands_write_name);
	if (resp_word_is(word, "INFO"))
		return commands_write_some(out, command, resp_version(session));
	if (resp_word_is(word, "DOCS"))
		return resp_write_map(out, 0, resp_version(session));
	return compat_unknown_subcommand(out, command);
}
