/*
 * Job: writes what Envoy is told, by nanopb.
 * Invariant: a response fits into GRPC_RESPONSE_MAX, whatever it says.
 * The heart: grpc_answer_write().
 */
#include "protocol/grpc/grpc_answer.h"

#include "src/protocol/grpc/ratelimit.pb.h"

#include <assert.h>
#include <pb_encode.h>
#include <string.h>

#define CODE(name) RateLimitResponse_Code_##name

static bool
grpc_answer_on_string(
    pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
	const char *string = *arg;

	return pb_encode_tag_for_field(stream, field) &&
	       pb_encode_string(
		   stream, (const pb_byte_t *)string, strlen(string));
}

static pb_callback_t
grpc_answer_string(const char *string)
{
	return (pb_callback_t){.funcs.encode = grpc_answer_on_string,
	    .arg = (void *)(uintptr_t)string};
}

/* A descriptor without a limit has no more than its code. */
static RateLimitResponse_DescriptorStatus
grpc_answer_status(const struct descriptor_status *status)
{
	RateLimitResponse_DescriptorStatus message = {.code = CODE(OK)};

	if (!status->has_limit)
		return message;
	if (status->is_denied)
		message.code = CODE(OVER_LIMIT);
	message.has_current_limit = true;
	message.current_limit.requests_per_unit = status->capacity;
	message.current_limit.unit = status->unit;
	message.current_limit.name = grpc_answer_string(status->name);
	message.limit_remaining = status->remaining;
	message.has_duration_until_reset = true;
	message.duration_until_reset.seconds = status->reset_us / 1000000;
	message.duration_until_reset.nanos =
	    (int32_t)(status->reset_us % 1000000 * 1000);
	return message;
}

static bool
grpc_answer_on_statuses(
    pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
	const struct grpc_answer *answer = *arg;

	for (unsigned i = 0; i < answer->status_count; i++) {
		RateLimitResponse_DescriptorStatus message =
		    grpc_answer_status(&answer->statuses[i]);

		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(stream,
			RateLimitResponse_DescriptorStatus_fields, &message))
			return false;
	}
	return true;
}

static bool
grpc_answer_on_headers(
    pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
	const struct grpc_answer *answer = *arg;

	for (unsigned i = 0; i < answer->header_count; i++) {
		const struct quota_header *header = &answer->headers[i];
		RateLimitResponse_HeaderValue message = {
		    grpc_answer_string(header->name),
		    grpc_answer_string(header->value)};

		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(
			stream, RateLimitResponse_HeaderValue_fields, &message))
			return false;
	}
	return true;
}

size_t
grpc_answer_write(char to[GRPC_RESPONSE_MAX], const struct grpc_answer *answer)
{
	pb_ostream_t stream =
	    pb_ostream_from_buffer((pb_byte_t *)to, GRPC_RESPONSE_MAX);
	RateLimitResponse response = {
	    .overall_code = answer->allowed ? CODE(OK) : CODE(OVER_LIMIT),
	    .statuses.funcs.encode = grpc_answer_on_statuses,
	    .statuses.arg = (void *)(uintptr_t)answer,
	    .response_headers_to_add.funcs.encode = grpc_answer_on_headers,
	    .response_headers_to_add.arg = (void *)(uintptr_t)answer,
	};
	bool fits;

	if (answer->body)
		response.raw_body = grpc_answer_string(answer->body);
	fits = pb_encode(&stream, RateLimitResponse_fields, &response);

	assert(fits);
	return fits ? stream.bytes_written : 0;
}
