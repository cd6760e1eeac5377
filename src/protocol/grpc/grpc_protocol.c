/*
 * Job: gRPC as a protocol: from calls to requests, and back.
 * Invariant: what the calls below "Writing" append is an outcome, a struct, and
 * becomes bytes of HTTP/2 only when it is sent: so libnghttp2 sees its streams
 * in the order in which the client does.
 * The heart: grpc_protocol_read() and grpc_protocol_frame().
 */
#include "base/clock.h"
#include "protocol/grpc/grpc_authorization.h"
#include "protocol/grpc/grpc_call.h"
#include "protocol/grpc/grpc_message.h"
#include "gate/gateway.h"
#include "protocol/session.h"

#include <stdlib.h>
#include <string.h>

static enum detect_result
grpc_protocol_detect(const char *bytes, size_t len)
{
	static const char preface[] = GRPC_PREFACE;
	size_t most = sizeof(preface) - 1;

	if (memcmp(bytes, preface, len < most ? len : most) != 0)
		return DETECT_NO;
	return len < most ? DETECT_MORE : DETECT_YES;
}

/*
 * Reading.
 */

/* Have what libnghttp2 wants to say be sent. */
static enum read_result
grpc_protocol_send(struct session *session, enum read_result result)
{
	const struct grpc_outcome none = {0};

	return grpc_outcome_put(&session->common->response, &none) == -1
		   ? READ_FAILED
		   : result;
}

/* What is stored of the client changed.  What HTTP/2 itself takes is bounded
 * apart: else many streams would leave no room for their requests. */
static void
grpc_protocol_count(struct session *session)
{
	session->stored = grpc_state_of(session)->grpc->bodies;
}

/* Return -1: the client is closed once all is sent. */
static int
grpc_protocol_take(struct session *session, const char *bytes, size_t len)
{
	struct grpc_session *grpc = grpc_state_of(session)->grpc;
	int result = grpc_session_take(grpc, bytes, len);

	session->last = result == -1 || grpc_session_is_over(grpc);
	grpc_protocol_count(session);
	return result;
}

static bool
grpc_protocol_has_queued(const struct session *session)
{
	const struct grpc_state *state = (const void *)session->state;

	return state->grpc && !TAILQ_EMPTY(&state->grpc->whole);
}

static bool
grpc_protocol_is_between(const struct session *session)
{
	const struct grpc_state *state = (const void *)session->state;

	return !state->grpc || !grpc_session_is_busy(state->grpc);
}

static enum read_result
grpc_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct grpc_state *state = grpc_state_of(session);
	struct grpc_stream *stream;

	if (!state->grpc && !(state->grpc = grpc_session_new()))
		return READ_FAILED;
	*used = grpc_protocol_has_queued(session) ? 0 : len;
	if (*used > 0 && grpc_protocol_take(session, bytes, len) == -1)
		return grpc_protocol_send(session, READ_BAD);
	stream = grpc_session_next(state->grpc);
	if (stream)
		return grpc_call_read(session, stream, request);
	if (nghttp2_session_want_write(state->grpc->h2))
		return grpc_protocol_send(session, READ_RESPONDED);
	return grpc_protocol_is_between(session) ? READ_RESPONDED : READ_MORE;
}

static void
grpc_protocol_end(struct session *session)
{
	struct grpc_state *state = grpc_state_of(session);

	grpc_session_free(state->grpc);
	free(state->asked);
	*state = (struct grpc_state){0};
}

/* Where requests end, only libnghttp2 knows. */
static size_t
grpc_protocol_first_len(
    const struct session *session, const char *bytes, size_t len)
{
	(void)bytes;
	return grpc_protocol_has_queued(session) ? 0 : len;
}

static enum read_result
grpc_protocol_cut(struct session *session)
{
	session->last = true;
	return READ_RESPONDED;
}

static bool
grpc_protocol_can_hand_over(const struct session *session)
{
	(void)session;
	return false;
}

/*
 * Writing.
 */

static int
grpc_protocol_decision(
    struct buf *out, unsigned encoding, const struct check *check)
{
	struct grpc_outcome outcome = {
	    .stream = (int32_t)encoding, .allowed = check->decision.allowed};
	outcome.quota = quota_of(check);
	if (check->limit)
		strcpy(outcome.limit, check->limit->name);
	outcome.count = check_key_count(check);
	for (unsigned i = 0; i < outcome.count; i++)
		descriptor_status_set(&outcome.statuses[i], check, i);
	return grpc_outcome_put(out, &outcome);
}

static int
grpc_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	const struct grpc_outcome outcome = {
	    .stream = (int32_t)encoding, .allowed = true};

	(void)word;
	return grpc_outcome_put(out, &outcome);
}

static int
grpc_protocol_number(struct buf *out, unsigned encoding, int64_t number)
{
	(void)number;
	return grpc_protocol_word(out, encoding, "");
}

static int
grpc_protocol_rows(struct buf *out, unsigned encoding, const struct rows *rows)
{
	return rows->last ? grpc_protocol_word(out, encoding, "") : 0;
}

/*
 * Sending.
 */

static size_t
grpc_protocol_write_answer(
    const struct session *session, char *to, const struct grpc_outcome *outcome)
{
	unsigned which = session->common->grpc_headers;
	const char *body = session->common->grpc_denied_body;
	struct quota_header headers[QUOTA_HEADERS_MAX];
	struct grpc_answer answer = {.allowed = outcome->allowed,
	    .statuses = outcome->statuses,
	    .status_count = outcome->count,
	    .headers = headers};

	if (which != HTTP_HEADERS_NONE)
		answer.header_count =
		    quota_write_headers(&outcome->quota, which, headers);
	if (!outcome->allowed && body && *body)
		answer.body = body;
	return grpc_answer_write(to, &answer);
}

/* Tell one who watches, unless it knows. */
static int
grpc_protocol_tell(struct grpc_session *grpc, struct grpc_stream *stream,
    enum grpc_health health)
{
	char message[GRPC_HEALTH_MAX];
	size_t len = grpc_message_write_health(message, health);

	if (stream->told == health ||
	    stream->told == GRPC_HEALTH_SERVICE_UNKNOWN)
		return 0;
	stream->told = health;
	return grpc_session_push(grpc, stream, message, len);
}

/* Tell all whose watch has begun. */
static int
grpc_protocol_tell_all(struct grpc_session *grpc, enum grpc_health health)
{
	struct grpc_stream *stream;

	TAILQ_FOREACH (stream, &grpc->all, all)
		if (stream->told &&
		    grpc_protocol_tell(grpc, stream, health) == -1)
			return -1;
	return 0;
}

static int
grpc_protocol_permit(const struct session *session, struct grpc_session *grpc,
    struct grpc_stream *stream, const struct grpc_outcome *outcome)
{
	char room[GRPC_AUTHORIZATION_MAX];
	struct grpc_writing message = {.bytes = room, .room = sizeof(room)};

	grpc_authorization_write(&message, outcome->allowed, &outcome->quota,
	    session->common->http_headers);
	return grpc_session_respond(grpc, stream, room, message.len);
}

static int
grpc_protocol_respond(const struct session *session, struct grpc_session *grpc,
    struct grpc_stream *stream, const struct grpc_outcome *outcome)
{
	char message[GRPC_RESPONSE_MAX];
	bool is_unready = outcome->error == ERROR_DRAINING ||
			  outcome->error == ERROR_NOLIMITS ||
			  outcome->error == ERROR_FALLBACK;
	size_t len;

	if (outcome->code && !is_unready)
		return grpc_session_end(
		    grpc, stream, outcome->code, outcome->problem);
	if (outcome->len > 0)
		return grpc_session_push(
		    grpc, stream, outcome->message, outcome->len);
	if (stream->goes_on)
		return grpc_session_end(grpc, stream, GRPC_OK, NULL);
	if (stream->watches)
		return grpc_protocol_tell(grpc, stream,
		    is_unready ? GRPC_HEALTH_NOT_SERVING : GRPC_HEALTH_SERVING);
	if (stream->deadline_us && clock_us() >= stream->deadline_us)
		return grpc_session_end(grpc, stream, GRPC_DEADLINE_EXCEEDED,
		    "was not decided in time");
	if (stream->method == GRPC_METHOD_AUTHORIZE)
		return grpc_protocol_permit(session, grpc, stream, outcome);
	len = stream->method == GRPC_METHOD_HEALTH
		  ? grpc_message_write_health(
			message, is_unready ? GRPC_HEALTH_NOT_SERVING
					    : GRPC_HEALTH_SERVING)
		  : grpc_protocol_write_answer(session, message, outcome);
	return grpc_session_respond(grpc, stream, message, len);
}

static int
grpc_protocol_frame(
    struct session *session, const char *bytes, size_t len, struct buf *out)
{
	struct grpc_session *grpc = grpc_state_of(session)->grpc;
	struct grpc_outcome outcome;
	struct grpc_stream *stream;
	int result = 0;

	grpc_outcome_take(&outcome, bytes, len);
	stream =
	    outcome.stream ? grpc_session_find(grpc, outcome.stream) : NULL;
	if (stream)
		result = grpc_protocol_respond(session, grpc, stream, &outcome);
	if (result == 0)
		result = grpc_session_send(grpc, out);
	session->last |= grpc_session_is_over(grpc);
	grpc_protocol_count(session);
	return result;
}

static int
grpc_protocol_tell_ready(
    struct session *session, enum protocol_error error, struct buf *out)
{
	struct grpc_session *grpc = grpc_state_of(session)->grpc;

	if (!grpc)
		return 0;
	if (grpc_protocol_tell_all(grpc,
		error ? GRPC_HEALTH_NOT_SERVING : GRPC_HEALTH_SERVING) == -1)
		return -1;
	return grpc_session_send(grpc, out);
}

static int
grpc_protocol_drain(struct session *session, struct buf *out)
{
	struct grpc_session *grpc = grpc_state_of(session)->grpc;

	if (!grpc)
		return 0;
	if (grpc_protocol_tell_all(grpc, GRPC_HEALTH_NOT_SERVING) == -1 ||
	    grpc_session_end_open(grpc) == -1 ||
	    grpc_session_go_away(grpc) == -1)
		return -1;
	return grpc_session_send(grpc, out);
}

const struct protocol grpc_protocol = {
    .name = "grpc",
    .detect = grpc_protocol_detect,
    .read = grpc_protocol_read,
    .has_queued = grpc_protocol_has_queued,
    .end = grpc_protocol_end,
    .first_len = grpc_protocol_first_len,
    .cut = grpc_protocol_cut,
    .is_between = grpc_protocol_is_between,
    .can_hand_over = grpc_protocol_can_hand_over,
    .decision = grpc_protocol_decision,
    .error = grpc_outcome_error,
    .word = grpc_protocol_word,
    .number = grpc_protocol_number,
    .rows = grpc_protocol_rows,
    .frame = grpc_protocol_frame,
    .tell_ready = grpc_protocol_tell_ready,
    .drain = grpc_protocol_drain,
};
