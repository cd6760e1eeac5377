/**
 * commands: which commands there are in RESP, and COMMAND, which lists them.
 *
 * They are the verbs (protocol/verbs.h), other forms of some of them, as RESET
 * without a key, and what clients of Redis send when they connect.
 */
#ifndef PROTOCOL_RESP_COMMANDS_H
#define PROTOCOL_RESP_COMMANDS_H

#include "protocol/resp/compat.h"
#include "protocol/resp/resp.h"
#include "protocol/verbs.h"

/** The verbs that RESP offers. */
#define RESP_VERBS (VERBS_DRIPGATE | VERBS_REDIS_CELL | VERBS_REDIS)

/** A command that is no verb, or a form of a verb that is not in its row. */
struct command_form {
	const char *name;        /* in lower case */
	size_t least, most;      /* words, the name among them */
	enum verb verb;          /* that it means; or VERB_COUNT: */
	compat_respond *respond; /* the response is known at once */
	bool is_probe; /* clients try it, and expect that it may fail: an error
			* is not counted */
};

/** The form that ${command} has, or NULL.  Verbs come first: ask verb_find()
 * before. */
const struct command_form *commands_find_form(
    const struct resp_command *command);

/** The name of the command that ${word} names, in any case, however many words
 * that takes; or NULL. */
const char *commands_name(const struct resp_word *word);

#endif
