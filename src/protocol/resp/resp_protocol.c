/*
 * Job: RESP as a protocol: from bytes to requests, and back.
 * Invariant: a transaction that executes is read before the client's bytes.
 * The heart: resp_protocol_read().
 */
#include "protocol/resp/commands.h"
#include "protocol/resp/multi.h"
#include "protocol/resp/resp.h"
#include "protocol/resp/resp_inline.h"
#include "protocol/resp/resp_request.h"
#include "protocol/resp/resp_session.h"
#include "protocol/resp/throttle.h"
#include "protocol/session.h"

_Static_assert(sizeof(struct resp_session) <= SESSION_STATE_MAX &&
		   sizeof(struct resp_command) <= SESSION_SCRATCH_MAX,
    "a session has room for it");
_Static_assert(RESP_HELD_MAX <= PROTOCOL_HELD_MAX, "the session holds as much");

static enum detect_result
resp_protocol_detect(const char *bytes, size_t len)
{
	if (*bytes == '*')
		return DETECT_YES;
	switch (resp_inline_detect(bytes, len)) {
	case RESP_COMMAND:
		return DETECT_YES;
	case RESP_MORE:
		return DETECT_MORE;
	case RESP_BAD:
		break;
	}
	return DETECT_NO;
}

/* The bytes are not the protocol: where the next command starts is unknown. */
static enum read_result
resp_protocol_refuse(struct session *session, const char *why)
{
	session->last = true;
	return resp_write_error(&session->common->response, why) == -1
		   ? READ_FAILED
		   : READ_BAD;
}

/* Say what keeps a command out of a transaction. */
static enum read_result
resp_protocol_abort(struct session *session, int written)
{
	multi_abort(session);
	return written == -1 ? READ_FAILED : READ_BAD;
}

/* Store a command of a transaction, unless it can never be carried out. */
static enum read_result
resp_protocol_store(struct session *session, const char *bytes, size_t len,
    const struct resp_command *command)
{
	struct buf *response = &session->common->response;
	enum protocol_error error;

	if (!resp_request_is_known(command)) {
		multi_abort(session);
		return resp_request_refuse(command, session);
	}
	if (resp_word_is(&command->words[0], "MONITOR"))
		return resp_protocol_abort(
		    session, resp_write_error(response,
				 "ERR MONITOR inside MULTI is not allowed"));
	error = session->common->users ? resp_request_check(command, session)
				       : ERROR_NONE;
	if (error)
		return resp_protocol_abort(
		    session, resp_write_protocol_error(response, error));
	if (multi_store(session, bytes, len, response) == -1)
		return READ_FAILED;
	return *buf_data(response) == '-' ? READ_BAD : READ_RESPONDED;
}

/* Read the next command of a transaction that executes. */
static enum read_result
resp_protocol_read_queued(struct session *session, struct request *request)
{
	struct resp_command *command = (void *)session->common->scratch;
	struct resp_reader reader = {0};
	size_t len, used;
	const char *bytes = multi_bytes(session, &len);

	if (resp_read(&reader, bytes, len, &used, command) != RESP_COMMAND)
		return READ_FAILED; /* it was whole when it was stored */
	multi_consume(session, used);
	return resp_request_read(command, session, request);
}

static enum read_result
resp_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct resp_command *command = (void *)session->common->scratch;
	struct resp_session *state = resp_session_of(session);
	struct resp_reader *reader = &state->reader;

	if (state->multi && multi_has_queued(session))
		return resp_protocol_read_queued(session, request);

	switch (resp_read(reader, bytes, len, used, command)) {
	case RESP_MORE:
		return READ_MORE;
	case RESP_BAD:
		return resp_protocol_refuse(session, command->why);
	case RESP_COMMAND:
		break;
	}
	if (command->count == 0)
		return READ_RESPONDED;
	if (state->multi && multi_takes(session, command))
		return resp_protocol_store(session, bytes, *used, command);
	return resp_request_read(command, session, request);
}

static size_t
resp_protocol_first_len(
    const struct session *session, const char *bytes, size_t len)
{
	struct resp_command *command = (void *)session->common->scratch;
	const struct resp_session *state = (const void *)session->state;
	struct resp_reader reader = state->reader;
	size_t used;

	if (multi_has_queued(session))
		return 0;
	return resp_read(&reader, bytes, len, &used, command) == RESP_MORE
		   ? len
		   : used;
}

/* As Redis does: without a response. */
static enum read_result
resp_protocol_cut(struct session *session)
{
	(void)session;
	return READ_RESPONDED;
}

static bool
resp_protocol_is_between(const struct session *session)
{
	const struct resp_session *state = (const void *)session->state;

	return state->reader.at == 0 && !multi_has_queued(session);
}

/* Only this process knows that the client sent HELLO 3, or MULTI. */
static bool
resp_protocol_can_hand_over(const struct session *session)
{
	const struct resp_session *state = (const void *)session->state;

	return resp_version(session) == 2 && !state->multi;
}

static int
resp_protocol_decision(
    struct buf *out, unsigned encoding, const struct check *check)
{
	switch ((enum resp_encoding)encoding) {
	case RESP_ARRAY:
	case RESP_ARRAY3:
		return resp_write_decision(out, check);
	case RESP_MAP2:
		return resp_write_decision_map(out, check, 2);
	case RESP_MAP3:
		return resp_write_decision_map(out, check, 3);
	case RESP_CELL:
		break;
	}
	return throttle_write(out, check);
}

static int
resp_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	(void)encoding;
	return resp_write_protocol_error(out, error);
}

static int
resp_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	(void)encoding;
	return resp_write_status(out, word);
}

static int
resp_protocol_number(struct buf *out, unsigned encoding, int64_t number)
{
	(void)encoding;
	return resp_write_int(out, number);
}

static int
resp_protocol_rows(struct buf *out, unsigned encoding, const struct rows *rows)
{
	(void)encoding;
	if (rows->is_feed)
		return resp_write_words(out, rows->text, rows->len);
	if (rows->first && resp_write_array(out, rows->count) == -1)
		return -1;
	return resp_write_lines(out, rows->text, rows->len);
}

/* The body as a string; none of an upstream is passed on here. */
static int
resp_protocol_passed(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	if (part->code)
		return resp_write_null(out, encoding == RESP_ARRAY3 ? 3 : 2);
	if (part->first && resp_write_bulk_start(out, part->length) == -1)
		return -1;
	if (part->len > 0 && buf_add(out, part->bytes, part->len) == -1)
		return -1;
	return part->last ? buf_add(out, "\r\n", 2) : 0;
}

const struct protocol resp_protocol = {
    .name = "resp",
    .families = RESP_VERBS,
    .bye = "OK",
    .detect = resp_protocol_detect,
    .read = resp_protocol_read,
    .has_queued = multi_has_queued,
    .end = multi_end,
    .first_len = resp_protocol_first_len,
    .cut = resp_protocol_cut,
    .is_between = resp_protocol_is_between,
    .can_hand_over = resp_protocol_can_hand_over,
    .decision = resp_protocol_decision,
    .error = resp_protocol_error,
    .word = resp_protocol_word,
    .number = resp_protocol_number,
    .rows = resp_protocol_rows,
    .passed = resp_protocol_passed,
};
