/*
 * Job: stores the commands of a transaction, and hands them out again.
 * Invariant: a transaction that executes has a whole command at ${at}, or is
 * done.
 * Heart: multi_store() and multi_exec().
 */
#include "protocol/resp/multi.h"

#include "protocol/resp/resp_session.h"

#include <stdlib.h>

/* A transaction that is longer than this gets room for the longest: the steps
 * between would leave holes in the heap. */
#define MULTI_SHORT 4096

struct resp_multi {
	struct buf commands;
	size_t count; /* of them */
	bool aborted; /* EXEC fails */
	bool executing;
	size_t at; /* the next command to be read */
};

static struct resp_multi *
multi_of(const struct session *session)
{
	const struct resp_session *state = (const void *)session->state;

	return state->multi;
}

static bool
multi_is_open(const struct session *session)
{
	const struct resp_multi *multi = multi_of(session);

	return multi && !multi->executing;
}

int
multi_begin(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	struct resp_session *state = resp_session_of(session);

	(void)command;
	if (multi_is_open(session))
		return resp_write_error(
		    out, "ERR MULTI calls can not be nested");
	multi_end(session);
	state->multi = calloc(1, sizeof(*state->multi));
	return state->multi ? resp_write_status(out, "OK") : -1;
}

bool
multi_takes(const struct session *session, const struct resp_command *command)
{
	static const char *const others[] = {
	    "MULTI", "EXEC", "DISCARD", "WATCH", "QUIT"};
	const struct resp_word *name = &command->words[0];

	if (!multi_is_open(session))
		return false;
	for (size_t i = 0; i < COUNT(others); i++)
		if (resp_word_is(name, others[i]))
			return false;
	return command->count > 1 || !resp_word_is(name, "RESET");
}

void
multi_abort(struct session *session)
{
	struct resp_multi *multi = multi_of(session);

	multi->aborted = true;
	buf_free(&multi->commands);
	session->stored = 0;
}

static int
multi_make_room(struct buf *commands, size_t len)
{
	size_t held = buf_len(commands);

	if (held + len <= MULTI_SHORT)
		return 0;
	return buf_reserve(commands, MULTI_BYTES_MAX - held) ? 0 : -1;
}

int
multi_store(
    struct session *session, const char *bytes, size_t len, struct buf *out)
{
	struct resp_multi *multi = multi_of(session);

	if (multi->aborted)
		return resp_write_status(out, "QUEUED");
	if (buf_len(&multi->commands) + len > MULTI_BYTES_MAX) {
		multi_abort(session);
		return resp_write_error(
		    out, "ERR a transaction is at most 65536 bytes");
	}
	if (multi_make_room(&multi->commands, len) == -1 ||
	    buf_add(&multi->commands, bytes, len) == -1)
		return -1;
	multi->count++;
	session->stored += len;
	return resp_write_status(out, "QUEUED");
}

int
multi_exec(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	struct resp_multi *multi = multi_of(session);

	(void)command;
	if (!multi_is_open(session))
		return resp_write_error(out, "ERR EXEC without MULTI");
	if (multi->aborted) {
		multi_end(session);
		return resp_write_error(out,
		    "EXECABORT Transaction discarded because of previous "
		    "errors.");
	}
	multi->executing = true;
	return resp_write_array(out, multi->count);
}

int
multi_discard(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	if (!multi_is_open(session))
		return resp_write_error(out, "ERR DISCARD without MULTI");
	multi_end(session);
	return resp_write_status(out, "OK");
}

int
multi_watch(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	if (multi_is_open(session))
		return resp_write_error(
		    out, "ERR WATCH inside MULTI is not allowed");
	return resp_write_status(out, "OK");
}

int
multi_unwatch(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	(void)session;
	return resp_write_status(out, "OK");
}

bool
multi_has_queued(const struct session *session)
{
	const struct resp_multi *multi = multi_of(session);

	return multi && multi->executing &&
	       multi->at < buf_len(&multi->commands);
}

const char *
multi_bytes(const struct session *session, size_t *len)
{
	const struct resp_multi *multi = multi_of(session);

	*len = buf_len(&multi->commands) - multi->at;
	return buf_data(&multi->commands) + multi->at;
}

void
multi_consume(struct session *session, size_t len)
{
	multi_of(session)->at += len;
}

void
multi_end(struct session *session)
{
	struct resp_session *state = resp_session_of(session);

	if (!state->multi)
		return;
	buf_free(&state->multi->commands);
	free(state->multi);
	state->multi = NULL;
	session->stored = 0;
}
