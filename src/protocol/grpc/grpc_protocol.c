/*
 * Job: gRPC as a protocol: from calls to requests, and back.
 * Invariant: what the calls below "Writing" append is an outcome, a struct, and
 * becomes bytes of HTTP/2 only when it is sent: so libnghttp2 sees its streams
 * in the order in which the client does.
 * The heart: grpc_protocol_read() and grpc_protocol_frame().
 */
#include "base/clock.h"
#include "protocol/grpc/grpc_message.h"
#include "protocol/grpc/grpc_session.h"
#include "protocol/login.h"
#include "protocol/session.h"

#include <stdlib.h>
#include <string.h>

/* What a session remembers. */
struct grpc_state {
	struct grpc_session *grpc; /* NULL: no byte was read yet */
	struct descriptors *asked; /* the last call's keys; NULL: none yet */
};

/* What became of a call. */
struct grpc_outcome {
	int32_t stream; /* 0: none; libnghttp2 has something to send */
	enum grpc_code code;
	const char *problem;       /* static */
	enum protocol_error error; /* where that comes from */
	bool allowed;
	unsigned count;
	struct descriptor_status statuses[CHECK_KEYS_MAX]; /* those in use */
};

static struct grpc_state *
grpc_protocol_state(struct session *session)
{
	return (void *)session->state;
}

static enum detect_result
grpc_protocol_detect(const char *bytes, size_t len)
{
	static const char preface[] = GRPC_PREFACE;
	size_t most = sizeof(preface) - 1;

	if (memcmp(bytes, preface, len < most ? len : most) != 0)
		return DETECT_NO;
	return len < most ? DETECT_MORE : DETECT_YES;
}

static int
grpc_protocol_put(struct buf *out, const struct grpc_outcome *outcome)
{
	return buf_add(out, outcome,
	    offsetof(struct grpc_outcome, statuses) +
		outcome->count * sizeof(*outcome->statuses));
}

/*
 * Reading.
 */

/* Have what libnghttp2 wants to say be sent. */
static enum read_result
grpc_protocol_send(struct session *session, enum read_result result)
{
	const struct grpc_outcome none = {0};

	return grpc_protocol_put(&session->common->response, &none) == -1
		   ? READ_FAILED
		   : result;
}

static enum read_result
grpc_protocol_refuse(struct session *session, const struct grpc_stream *stream,
    enum grpc_code code, const char *problem)
{
	const struct grpc_outcome outcome = {
	    .stream = stream->id, .code = code, .problem = problem};

	return grpc_protocol_put(&session->common->response, &outcome) == -1
		   ? READ_FAILED
		   : READ_BAD;
}

/* Each call says by itself who asks. */
static enum protocol_error
grpc_protocol_login(struct session *session, const struct grpc_stream *stream)
{
	if (!session->common->users)
		return ERROR_NONE;
	if (stream->login)
		return login_with_header(
		    session, stream->login, stream->login_len);
	login_forget(session);
	return ERROR_NONE;
}

static enum read_result
grpc_protocol_read_health(struct session *session, struct grpc_stream *stream,
    const char *bytes, size_t len, struct request *request)
{
	bool known;

	if (!grpc_message_read_health(bytes, len, &known))
		return grpc_protocol_refuse(session, stream,
		    GRPC_INVALID_ARGUMENT, "not a HealthCheckRequest");
	if (!known)
		return grpc_protocol_refuse(
		    session, stream, GRPC_NOT_FOUND, "unknown service");
	request_init(request, VERB_READY);
	return READ_REQUEST;
}

static enum read_result
grpc_protocol_read_limit(struct session *session, struct grpc_stream *stream,
    const char *bytes, size_t len, struct request *request)
{
	struct grpc_state *state = grpc_protocol_state(session);
	struct descriptors *asked = state->asked;
	const char *problem;

	if (!asked)
		asked = state->asked = malloc(sizeof(*asked));
	if (!asked)
		return READ_FAILED;
	problem = grpc_message_read(asked, bytes, len);
	if (problem)
		return grpc_protocol_refuse(
		    session, stream, GRPC_UNKNOWN, problem);
	request_init(request, VERB_MCONSUME);
	request->key_count = stream->key_count = asked->count;
	for (unsigned i = 0; i < asked->count; i++) {
		request->keys[i] = asked->keys[i];
		stream->keys[i] =
		    key_make(asked->keys[i].bytes, asked->keys[i].len).hash;
	}
	return READ_REQUEST;
}

static int grpc_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error);

static enum read_result
grpc_protocol_read_call(struct session *session, struct grpc_stream *stream,
    struct request *request)
{
	size_t len = 0;
	const char *bytes = grpc_session_message(stream, &len);
	enum protocol_error error;
	enum read_result result;

	if (!bytes)
		return grpc_protocol_refuse(
		    session, stream, stream->code, stream->problem);
	if (stream->deadline_us && clock_us() >= stream->deadline_us)
		return grpc_protocol_refuse(
		    session, stream, GRPC_DEADLINE_EXCEEDED, "came too late");
	error = grpc_protocol_login(session, stream);
	if (error)
		return grpc_protocol_error(&session->common->response,
			   (unsigned)stream->id, error) == -1
			   ? READ_FAILED
			   : READ_BAD;
	result =
	    (stream->method == GRPC_METHOD_HEALTH ? grpc_protocol_read_health
						  : grpc_protocol_read_limit)(
		session, stream, bytes, len, request);
	request->encoding = (unsigned)stream->id;
	return result;
}

/* What is stored of the client changed.  What HTTP/2 itself takes is bounded
 * apart: else many streams would leave no room for their requests. */
static void
grpc_protocol_count(struct session *session)
{
	session->stored = grpc_protocol_state(session)->grpc->bodies;
}

/* Return -1: the client is closed once all is sent. */
static int
grpc_protocol_take(struct session *session, const char *bytes, size_t len)
{
	struct grpc_session *grpc = grpc_protocol_state(session)->grpc;
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

	return !state->grpc || TAILQ_EMPTY(&state->grpc->all);
}

static enum read_result
grpc_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct grpc_state *state = grpc_protocol_state(session);
	struct grpc_stream *stream;

	if (!state->grpc && !(state->grpc = grpc_session_new()))
		return READ_FAILED;
	*used = grpc_protocol_has_queued(session) ? 0 : len;
	if (*used > 0 && grpc_protocol_take(session, bytes, len) == -1)
		return grpc_protocol_send(session, READ_BAD);
	stream = grpc_session_next(state->grpc);
	if (stream)
		return grpc_protocol_read_call(session, stream, request);
	if (nghttp2_session_want_write(state->grpc->h2))
		return grpc_protocol_send(session, READ_RESPONDED);
	return grpc_protocol_is_between(session) ? READ_RESPONDED : READ_MORE;
}

static void
grpc_protocol_end(struct session *session)
{
	struct grpc_state *state = grpc_protocol_state(session);

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
	const struct query *queries;
	unsigned count = check_queries(check, &queries);

	for (unsigned i = 0; i < count; i++)
		descriptor_status_set(
		    &outcome.statuses[outcome.count++], &queries[i]);
	return grpc_protocol_put(out, &outcome);
}

static int
grpc_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	static const enum grpc_code codes[ERROR_COUNT] = {
	    [ERROR_NOLIMIT] = GRPC_NOT_FOUND,
	    [ERROR_TOOMANY] = GRPC_INVALID_ARGUMENT,
	    [ERROR_BADBYTES] = GRPC_INVALID_ARGUMENT,
	    [ERROR_NOAUTH] = GRPC_UNAUTHENTICATED,
	    [ERROR_WRONGPASS] = GRPC_UNAUTHENTICATED,
	    [ERROR_SLOWDOWN] = GRPC_RESOURCE_EXHAUSTED,
	    [ERROR_NOPERM] = GRPC_PERMISSION_DENIED,
	};
	const struct grpc_outcome outcome = {
	    .stream = (int32_t)encoding,
	    .code = codes[error] ? codes[error] : GRPC_UNAVAILABLE,
	    .problem = protocol_error_text(error),
	    .error = error,
	};

	return grpc_protocol_put(out, &outcome);
}

static int
grpc_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	const struct grpc_outcome outcome = {
	    .stream = (int32_t)encoding, .allowed = true};

	(void)word;
	return grpc_protocol_put(out, &outcome);
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

static int
grpc_protocol_respond(struct grpc_session *grpc, struct grpc_stream *stream,
    const struct grpc_outcome *outcome)
{
	struct grpc_answer answer = {.allowed = outcome->allowed,
	    .keys = stream->keys,
	    .key_count = stream->key_count,
	    .statuses = outcome->statuses,
	    .status_count = outcome->count};
	char message[GRPC_RESPONSE_MAX];
	bool is_unready = outcome->error == ERROR_DRAINING ||
			  outcome->error == ERROR_NOLIMITS ||
			  outcome->error == ERROR_FALLBACK;
	size_t len;

	if (outcome->code && !is_unready)
		return grpc_session_fail(
		    grpc, stream, outcome->code, outcome->problem);
	if (stream->deadline_us && clock_us() >= stream->deadline_us)
		return grpc_session_fail(grpc, stream, GRPC_DEADLINE_EXCEEDED,
		    "was not decided in time");
	len = stream->method == GRPC_METHOD_HEALTH
		  ? grpc_message_write_health(message, !is_unready)
		  : grpc_message_write(message, &answer);
	return grpc_session_respond(grpc, stream, message, len);
}

static int
grpc_protocol_frame(
    struct session *session, const char *bytes, size_t len, struct buf *out)
{
	struct grpc_session *grpc = grpc_protocol_state(session)->grpc;
	struct grpc_outcome outcome;
	struct grpc_stream *stream;
	int result = 0;

	memcpy(&outcome, bytes, len);
	stream =
	    outcome.stream ? grpc_session_find(grpc, outcome.stream) : NULL;
	if (stream)
		result = grpc_protocol_respond(grpc, stream, &outcome);
	if (result == 0)
		result = grpc_session_send(grpc, out);
	session->last |= grpc_session_is_over(grpc);
	grpc_protocol_count(session);
	return result;
}

static int
grpc_protocol_drain(struct session *session, struct buf *out)
{
	struct grpc_session *grpc = grpc_protocol_state(session)->grpc;

	if (!grpc)
		return 0;
	return grpc_session_go_away(grpc) == -1 ? -1
						: grpc_session_send(grpc, out);
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
    .error = grpc_protocol_error,
    .word = grpc_protocol_word,
    .number = grpc_protocol_number,
    .rows = grpc_protocol_rows,
    .frame = grpc_protocol_frame,
    .drain = grpc_protocol_drain,
};
