/*
 * Job: reads and writes messages, by nanopb.
 * Invariant: strings are looked at where they came, and nothing is allocated;
 * fields may come in any order, so the domain is read before all others.
 * The heart: grpc_message_read() and grpc_message_write().
 */
#include "protocol/grpc/grpc_message.h"

#include "src/protocol/grpc/ratelimit.pb.h"

#include <assert.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

/* Envoy's codes. */
#define CODE_OK         1
#define CODE_OVER_LIMIT 2

#define SERVING     1
#define NOT_SERVING 2

/* A message being read. */
struct grpc_reading {
	struct descriptors *asked;
	struct descriptor_text domain;
	uint32_t hits; /* for descriptors that say nothing else */
	const char *problem;
};

/*
 * Reading.
 */

/* The bytes of a field are in one piece: they are those of the message. */
static bool
grpc_message_on_text(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
	struct descriptor_text *text = *arg;

	(void)field;
	*text = (struct descriptor_text){stream->state, stream->bytes_left};
	return pb_read(stream, NULL, stream->bytes_left);
}

static pb_callback_t
grpc_message_text(struct descriptor_text *text)
{
	return (pb_callback_t){
	    .funcs.decode = grpc_message_on_text, .arg = text};
}

/* The next entry of the last key. */
static bool
grpc_message_on_entry(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
	const struct grpc_reading *reading = *arg;
	struct descriptor_text name = {"", 0}, value = {"", 0};
	wire_Entry entry = {
	    grpc_message_text(&name), grpc_message_text(&value)};

	(void)field;
	if (!pb_decode(stream, wire_Entry_fields, &entry))
		return false;
	descriptors_add(reading->asked, &name, &value);
	return true;
}

static bool
grpc_message_on_descriptor(
    pb_istream_t *stream, const pb_field_t *field, void **arg)
{
	struct grpc_reading *reading = *arg;
	wire_Descriptor descriptor = wire_Descriptor_init_zero;

	(void)field;
	if (descriptors_begin(reading->asked, &reading->domain) == -1) {
		reading->problem = DESCRIPTORS_TOO_MANY;
		return false;
	}
	descriptor.entries =
	    (pb_callback_t){.funcs.decode = grpc_message_on_entry, .arg = *arg};
	if (!pb_decode(stream, wire_Descriptor_fields, &descriptor))
		return false;
	descriptors_end(reading->asked,
	    descriptor.has_hits_addend ? descriptor.hits_addend.value
				       : reading->hits,
	    descriptor.is_negative_hits);
	return true;
}

static bool
grpc_message_decode(
    const pb_msgdesc_t *fields, void *message, const char *bytes, size_t len)
{
	pb_istream_t stream =
	    pb_istream_from_buffer((const pb_byte_t *)bytes, len);

	return pb_decode(&stream, fields, message);
}

/* Read what all descriptors need. */
static bool
grpc_message_read_domain(
    struct grpc_reading *reading, const char *bytes, size_t len)
{
	wire_RateLimitRequest request = wire_RateLimitRequest_init_zero;

	request.domain = grpc_message_text(&reading->domain);
	if (!grpc_message_decode(
		wire_RateLimitRequest_fields, &request, bytes, len))
		return false;
	reading->hits = request.hits_addend > 0 ? request.hits_addend : 1;
	return true;
}

static bool
grpc_message_read_descriptors(
    struct grpc_reading *reading, const char *bytes, size_t len)
{
	wire_RateLimitRequest request = wire_RateLimitRequest_init_zero;

	request.descriptors = (pb_callback_t){
	    .funcs.decode = grpc_message_on_descriptor, .arg = reading};
	return grpc_message_decode(
	    wire_RateLimitRequest_fields, &request, bytes, len);
}

const char *
grpc_message_read(struct descriptors *asked, const char *bytes, size_t len)
{
	struct grpc_reading reading = {
	    .asked = asked, .problem = "not a RateLimitRequest"};

	asked->count = 0;
	if (!grpc_message_read_domain(&reading, bytes, len))
		return reading.problem;
	if (reading.domain.len == 0)
		return DESCRIPTORS_NO_DOMAIN;
	if (!grpc_message_read_descriptors(&reading, bytes, len))
		return reading.problem;
	return asked->count > 0 ? NULL : DESCRIPTORS_NONE;
}

bool
grpc_message_read_health(const char *bytes, size_t len, bool *known)
{
	static const char *const ours[] = {"",
	    "envoy.service.ratelimit.v3.RateLimitService",
	    "grpc.health.v1.Health"};
	struct descriptor_text service = {"", 0};
	wire_HealthRequest request = {grpc_message_text(&service)};

	*known = false;
	if (!grpc_message_decode(
		wire_HealthRequest_fields, &request, bytes, len))
		return false;
	for (size_t i = 0; i < COUNT(ours); i++)
		*known |= strlen(ours[i]) == service.len &&
			  memcmp(ours[i], service.bytes, service.len) == 0;
	return true;
}

/*
 * Writing.
 */

static const struct descriptor_status *
grpc_message_find(const struct grpc_answer *answer, struct hash128 key)
{
	for (unsigned i = 0; i < answer->status_count; i++)
		if (hash128_equal(answer->statuses[i].key, key))
			return &answer->statuses[i];
	return NULL;
}

static bool
grpc_message_on_name(
    pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
	const char *name = *arg;

	return pb_encode_tag_for_field(stream, field) &&
	       pb_encode_string(stream, (const pb_byte_t *)name, strlen(name));
}

/* A descriptor without a limit has no more than its code. */
static wire_Status
grpc_message_status(const struct descriptor_status *status)
{
	wire_Status message = {.code = CODE_OK};

	if (!status)
		return message;
	if (status->is_denied)
		message.code = CODE_OVER_LIMIT;
	message.has_current_limit = true;
	message.current_limit.requests_per_unit = status->capacity;
	message.current_limit.unit = status->unit;
	message.current_limit.name.funcs.encode = grpc_message_on_name;
	message.current_limit.name.arg = (void *)(uintptr_t)status->name;
	message.limit_remaining = status->remaining;
	message.has_duration_until_reset = true;
	message.duration_until_reset.seconds = status->reset_us / 1000000;
	message.duration_until_reset.nanos =
	    (int32_t)(status->reset_us % 1000000 * 1000);
	return message;
}

static bool
grpc_message_on_statuses(
    pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
	const struct grpc_answer *answer = *arg;

	for (unsigned i = 0; i < answer->key_count; i++) {
		wire_Status message = grpc_message_status(
		    grpc_message_find(answer, answer->keys[i]));

		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(stream, wire_Status_fields, &message))
			return false;
	}
	return true;
}

size_t
grpc_message_write(char to[GRPC_RESPONSE_MAX], const struct grpc_answer *answer)
{
	pb_ostream_t stream =
	    pb_ostream_from_buffer((pb_byte_t *)to, GRPC_RESPONSE_MAX);
	wire_RateLimitResponse response = {
	    .overall_code = answer->allowed ? CODE_OK : CODE_OVER_LIMIT,
	    .statuses.funcs.encode = grpc_message_on_statuses,
	    .statuses.arg = (void *)(uintptr_t)answer,
	};
	bool fits =
	    pb_encode(&stream, wire_RateLimitResponse_fields, &response);

	assert(fits);
	return fits ? stream.bytes_written : 0;
}

size_t
grpc_message_write_health(char to[GRPC_RESPONSE_MAX], bool serves)
{
	pb_ostream_t stream =
	    pb_ostream_from_buffer((pb_byte_t *)to, GRPC_RESPONSE_MAX);
	wire_HealthResponse response = {serves ? SERVING : NOT_SERVING};

	return pb_encode(&stream, wire_HealthResponse_fields, &response)
		   ? stream.bytes_written
		   : 0;
}
