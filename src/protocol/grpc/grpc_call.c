/*
 * Job: turns a call into a request, or responds to it at once.
 * Invariant: whatever a call says, one outcome follows, or the request does.
 * The heart: grpc_call_read().
 */
#include "protocol/grpc/grpc_call.h"

#include "base/clock.h"
#include "protocol/grpc/grpc_authorization.h"
#include "protocol/grpc/grpc_message.h"
#include "protocol/grpc/grpc_reflection.h"
#include "protocol/login.h"

#include <stdlib.h>

static enum read_result
grpc_call_refuse(struct session *session, const struct grpc_stream *stream,
    enum grpc_code code, const char *problem)
{
	const struct grpc_outcome outcome = {
	    .stream = stream->id, .code = code, .problem = problem};

	return grpc_outcome_put(&session->common->response, &outcome) == -1
		   ? READ_FAILED
		   : READ_BAD;
}

/* Each call says by itself who asks. */
static enum protocol_error
grpc_call_login(struct session *session, const struct grpc_stream *stream)
{
	if (!session->common->users)
		return ERROR_NONE;
	if (stream->login)
		return login_with_header(
		    session, stream->login, stream->login_len);
	login_forget(session);
	return ERROR_NONE;
}

/* A service that is not ours: one who watches is told that, and waits. */
static enum read_result
grpc_call_know_not(struct session *session, struct grpc_stream *stream)
{
	char message[GRPC_HEALTH_MAX];
	const struct grpc_outcome outcome = {.stream = stream->id,
	    .len =
		grpc_message_write_health(message, GRPC_HEALTH_SERVICE_UNKNOWN),
	    .message = message};

	if (stream->method != GRPC_METHOD_WATCH)
		return grpc_call_refuse(
		    session, stream, GRPC_NOT_FOUND, "unknown service");
	stream->told = GRPC_HEALTH_SERVICE_UNKNOWN;
	return grpc_outcome_put(&session->common->response, &outcome) == -1
		   ? READ_FAILED
		   : READ_RESPONDED;
}

static enum read_result
grpc_call_read_health(struct session *session, struct grpc_stream *stream,
    const char *bytes, size_t len, struct request *request)
{
	bool known;

	if (!grpc_message_read_health(bytes, len, &known))
		return grpc_call_refuse(session, stream, GRPC_INVALID_ARGUMENT,
		    "not a HealthCheckRequest");
	if (stream->method == GRPC_METHOD_WATCH &&
	    !grpc_session_let_watch(grpc_state_of(session)->grpc, stream))
		return grpc_call_refuse(session, stream,
		    GRPC_RESOURCE_EXHAUSTED, "more than 8 watches");
	if (!known)
		return grpc_call_know_not(session, stream);
	request_init(request, VERB_READY);
	return READ_REQUEST;
}

static enum read_result
grpc_call_read_limit(struct session *session, struct grpc_stream *stream,
    const char *bytes, size_t len, struct request *request)
{
	struct grpc_state *state = grpc_state_of(session);
	struct descriptors *asked = state->asked;
	const char *problem;

	if (!asked)
		asked = state->asked = malloc(sizeof(*asked));
	if (!asked)
		return READ_FAILED;
	asked->takes_limits = session->common->inline_limits;
	problem = grpc_message_read(asked, bytes, len);
	if (problem)
		return grpc_call_refuse(session, stream, GRPC_UNKNOWN, problem);
	request_init(request, VERB_MCONSUME);
	request->charges_each = session->common->grpc_charge_all;
	request->key_count = asked->count;
	for (unsigned i = 0; i < asked->count; i++)
		request->keys[i] = asked->keys[i];
	return READ_REQUEST;
}

/* Routes say the keys of the request that Envoy asks about.  Who its client is,
 * Envoy says, and perhaps those before it. */
static enum read_result
grpc_call_read_original(struct session *session, struct grpc_stream *stream,
    const char *bytes, size_t len, struct request *request)
{
	const struct grpc_text message = {bytes, len};
	struct original_routing routing = session_routing(session);
	struct routed_request *routed = &session->common->routed;
	struct original original;
	const char *problem =
	    grpc_authorization_read(&message, &original, &routing.peer);

	if (!problem && original_route(&routing, &original, routed) == -1)
		problem = "a path is at most 8192 bytes";
	if (!problem && routed->routed == ROUTED_TOOLONG)
		problem = "a key of the route is too long";
	if (!problem && routed->routed == ROUTED_TOOMANY)
		problem = "the routes have more than 16 keys for it";
	if (problem)
		return grpc_call_refuse(
		    session, stream, GRPC_INVALID_ARGUMENT, problem);
	request_init(request, VERB_CHECK);
	request->routed = routed;
	return READ_REQUEST;
}

/* Respond at once to the first message, which came, of a call that goes on. */
static enum read_result
grpc_call_reflect(struct session *session, struct grpc_stream *stream,
    const struct grpc_text *request)
{
	char room[GRPC_REFLECTION_MAX];
	struct grpc_writing message = {.bytes = room, .room = sizeof(room)};
	struct grpc_outcome outcome = {.stream = stream->id, .message = room};

	if (request->len > GRPC_REFLECTION_ASKED_MAX)
		return grpc_call_refuse(session, stream,
		    GRPC_RESOURCE_EXHAUSTED, "longer than 1024 bytes");
	grpc_reflection_respond(&message, request);
	outcome.len = message.len;
	grpc_session_drop_first(grpc_state_of(session)->grpc, stream);
	return grpc_outcome_put(&session->common->response, &outcome) == -1
		   ? READ_FAILED
		   : READ_RESPONDED;
}

/* Its next message, or its end. */
static enum read_result
grpc_call_read_next(struct session *session, struct grpc_stream *stream)
{
	const struct grpc_outcome end = {.stream = stream->id};
	struct grpc_text request;

	request.bytes = grpc_session_first(stream, &request.len);
	if (request.bytes)
		return grpc_call_reflect(session, stream, &request);
	if (stream->code)
		return grpc_call_refuse(
		    session, stream, stream->code, stream->problem);
	return grpc_outcome_put(&session->common->response, &end) == -1
		   ? READ_FAILED
		   : READ_RESPONDED;
}

enum read_result
grpc_call_read(struct session *session, struct grpc_stream *stream,
    struct request *request)
{
	static enum read_result (*const reads[])(struct session *,
	    struct grpc_stream *, const char *, size_t, struct request *) = {
	    [GRPC_METHOD_RATE_LIMIT] = grpc_call_read_limit,
	    [GRPC_METHOD_HEALTH] = grpc_call_read_health,
	    [GRPC_METHOD_WATCH] = grpc_call_read_health,
	    [GRPC_METHOD_AUTHORIZE] = grpc_call_read_original,
	};
	size_t len = 0;
	const char *bytes;
	enum protocol_error error;
	enum read_result result;

	if (stream->goes_on)
		return grpc_call_read_next(session, stream);
	bytes = grpc_session_message(stream, &len);
	if (!bytes)
		return grpc_call_refuse(
		    session, stream, stream->code, stream->problem);
	if (stream->deadline_us && clock_us() >= stream->deadline_us)
		return grpc_call_refuse(
		    session, stream, GRPC_DEADLINE_EXCEEDED, "came too late");
	error = grpc_call_login(session, stream);
	if (error)
		return grpc_outcome_error(&session->common->response,
			   (unsigned)stream->id, error) == -1
			   ? READ_FAILED
			   : READ_BAD;
	result = reads[stream->method](session, stream, bytes, len, request);
	request->encoding = (unsigned)stream->id;
	return result;
}
