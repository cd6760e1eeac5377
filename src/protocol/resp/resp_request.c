/*
 * Makes a request of a command, or responds to it at once.
 * Holds: a command that is not a valid request gets exactly one response.
 * The heart is resp_request_read().
 */
#include "protocol/resp/resp_request.h"

#include "base/log.h"
#include "protocol/login.h"
#include "protocol/resp/commands.h"
#include "protocol/resp/resp_session.h"
#include "protocol/resp/throttle.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum read_result
resp_request_bad(int written)
{
	return written == -1 ? READ_FAILED : READ_BAD;
}

enum read_result
resp_request_refuse(const struct resp_command *command, struct session *session)
{
	const struct resp_word *word = &command->words[0];
	const char *name = commands_name(word);
	char shown[128], text[160];

	if (name)
		snprintf(text, sizeof(text),
		    "ERR wrong number of arguments for '%s' command", name);
	else
		snprintf(text, sizeof(text), "ERR unknown command '%s'",
		    log_escape(shown, sizeof(shown), word->bytes, word->len));
	return resp_request_bad(
	    resp_write_error(&session->common->response, text));
}

static enum read_result
resp_request_read_throttle(const struct resp_command *command,
    struct session *session, struct request *request)
{
	char why[THROTTLE_WHY_MAX];
	bool bad = throttle_read(command, request, why) == -1;

	if (!bad && !session->common->inline_limits) {
		bad = true;
		snprintf(why, sizeof(why),
		    "ERR CL.THROTTLE is switched off: "
		    "[listen] allow_inline_limits = no");
	}
	request->encoding = RESP_CELL;
	return bad ? resp_request_bad(
			 resp_write_error(&session->common->response, why))
		   : READ_REQUEST;
}

/* Take ${word} as argument ${i}, from 0.  A key may be any bytes. */
static enum protocol_error
resp_request_set(
    struct request *request, size_t i, const struct resp_word *word)
{
	enum argument argument =
	    verb_argument(verb_rows[request->verb].shape, i);

	if (argument == ARGUMENT_KEY || argument == ARGUMENT_EACH_KEY)
		return request_set_any_key(
		    request, argument, word->bytes, word->len);
	return request_set(request, argument, word->bytes, word->len);
}

/* Read the arguments of ${request}. */
static enum read_result
resp_request_read_arguments(const struct resp_command *command,
    struct session *session, struct request *request)
{
	enum protocol_error error = ERROR_NONE;

	for (size_t i = 1; i < command->count && !error; i++)
		error = resp_request_set(request, i - 1, &command->words[i]);
	if (!error)
		error = request_finish(request, command->count - 1);
	if (error)
		return resp_request_bad(resp_write_protocol_error(
		    &session->common->response, error));
	request->encoding =
	    resp_version(session) == 3 ? RESP_ARRAY3 : RESP_ARRAY;
	return READ_REQUEST;
}

static enum read_result
resp_request_respond(const struct command_form *form,
    const struct resp_command *command, struct session *session)
{
	struct buf *response = &session->common->response;

	if (form->respond(command, session, response) == -1)
		return READ_FAILED;
	return *buf_data(response) == '-' && !form->is_probe ? READ_BAD
							     : READ_RESPONDED;
}

static enum read_result
resp_request_read_form(const struct resp_command *command,
    struct session *session, struct request *request)
{
	const struct command_form *form = commands_find_form(command);

	if (!form)
		return resp_request_refuse(command, session);
	if (form->respond)
		return resp_request_respond(form, command, session);
	request_init(request, form->verb);
	return READ_REQUEST;
}

static bool
resp_request_is_id(const struct resp_word *word)
{
	return word->len >= 3 && strncasecmp(word->bytes, "id=", 3) == 0;
}

/* Whether the word before MAP can be the last one: an amount, or an id, which
 * in MCONSUME stands where a key would. */
static bool
resp_request_ends_at(const struct resp_command *command,
    const struct verb_shape *shape, size_t i)
{
	enum argument argument = verb_argument(shape, i - 1);

	return argument == ARGUMENT_AMOUNT || argument == ARGUMENT_DROPS ||
	       argument == ARGUMENT_EACH_AMOUNT || argument == ARGUMENT_ID ||
	       argument == ARGUMENT_SECONDS || argument == ARGUMENT_LEASE ||
	       (argument == ARGUMENT_EACH_KEY && verb_takes_id(shape) &&
		   resp_request_is_id(&command->words[i]));
}

/* Whether it is a verb that takes amounts, then MAP: "CONSUME key 1 MAP". */
static bool
resp_request_wants_map(
    const struct resp_command *command, const struct verb_shape *shape)
{
	size_t last = command->count - 1;

	return shape && last >= 3 && last - 1 <= shape->most &&
	       resp_request_ends_at(command, shape, last - 1) &&
	       resp_word_is(&command->words[last], "MAP");
}

static enum read_result
resp_request_read_map(const struct resp_command *command,
    struct session *session, struct request *request)
{
	struct resp_command rest = {.count = command->count - 1};
	enum read_result result;

	memcpy(rest.words, command->words, rest.count * sizeof(*rest.words));
	result = resp_request_read_arguments(&rest, session, request);
	request->encoding = resp_version(session) == 3 ? RESP_MAP3 : RESP_MAP2;
	return result;
}

/* Whether the command is of ${shape}, or NULL.  Of the most words, the last one
 * is an id.  Keys may be more, which has an error of its own. */
static bool
resp_request_has_shape(
    const struct resp_command *command, const struct verb_shape *shape)
{
	size_t count = command->count - 1;

	return shape && count >= shape->fewest &&
	       (count <= shape->most ||
		   shape->arguments[0] == ARGUMENT_EACH_KEY) &&
	       (count != shape->most || !verb_takes_id(shape) ||
		   resp_request_is_id(&command->words[count]));
}

static enum verb
resp_request_find(
    const struct resp_command *command, const struct verb_shape **shape)
{
	const struct resp_word *name = &command->words[0];
	enum verb verb = verb_find(name->bytes, name->len, RESP_VERBS);

	*shape = verb == VERB_COUNT ? NULL : verb_rows[verb].shape;
	return verb;
}

bool
resp_request_is_known(const struct resp_command *command)
{
	const struct verb_shape *shape;

	(void)resp_request_find(command, &shape);
	return resp_request_has_shape(command, shape) ||
	       resp_request_wants_map(command, shape) ||
	       commands_find_form(command);
}

enum protocol_error
resp_request_check(const struct resp_command *command, struct session *session)
{
	const struct command_form *form = commands_find_form(command);
	const struct verb_shape *shape;
	struct request request;
	enum verb verb = resp_request_find(command, &shape);

	if (verb == VERB_COUNT && form)
		verb = form->verb;
	if (verb == VERB_COUNT || (form && form->respond))
		return ERROR_NONE; /* none has to do with keys */
	request_init(&request, verb);
	if (verb_has_key(&verb_rows[verb]) && command->count > 1) {
		request.key = command->words[1].bytes;
		request.key_len = command->words[1].len;
	}
	return login_check(session, &request);
}

enum read_result
resp_request_read(const struct resp_command *command, struct session *session,
    struct request *request)
{
	const struct verb_shape *shape;
	enum verb verb = resp_request_find(command, &shape);

	if (resp_request_wants_map(command, shape)) {
		request_init(request, verb);
		return resp_request_read_map(command, session, request);
	}
	if (!resp_request_has_shape(command, shape))
		return resp_request_read_form(command, session, request);
	if (verb_rows[verb].family == VERBS_REDIS_CELL)
		return resp_request_read_throttle(command, session, request);
	request_init(request, verb);
	return resp_request_read_arguments(command, session, request);
}
