/*
 * Job: reads what Envoy asks, by nanopb.
 * Invariant: strings are looked at where they came, and nothing is allocated;
 * fields may come in any order, so the domain is read before all others.
 * The heart: grpc_message_read() and grpc_message_on_descriptor().
 */
#include "protocol/grpc/grpc_message.h"

#include "protocol/grpc/grpc_reflection.h"
#include "protocol/grpc/grpc_wire.h"
#include "src/protocol/grpc/health.pb.h"
#include "src/protocol/grpc/ratelimit.pb.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

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
	RateLimitDescriptor_Entry entry = {
	    grpc_message_text(&name), grpc_message_text(&value)};

	(void)field;
	if (!pb_decode(stream, RateLimitDescriptor_Entry_fields, &entry))
		return false;
	descriptors_add(reading->asked, &name, &value);
	return true;
}

static bool
grpc_message_on_descriptor(
    pb_istream_t *stream, const pb_field_t *field, void **arg)
{
	struct grpc_reading *reading = *arg;
	RateLimitDescriptor descriptor = {.has_limit = false};

	(void)field;
	if (descriptors_begin(reading->asked, &reading->domain) == -1) {
		reading->problem = DESCRIPTORS_TOO_MANY;
		return false;
	}
	descriptor.entries =
	    (pb_callback_t){.funcs.decode = grpc_message_on_entry, .arg = *arg};
	if (!pb_decode(stream, RateLimitDescriptor_fields, &descriptor))
		return false;
	descriptors_end(reading->asked,
	    descriptor.has_hits_addend ? descriptor.hits_addend.value
				       : reading->hits,
	    descriptor.is_negative_hits);
	if (descriptor.has_limit &&
	    descriptors_take_limit(reading->asked,
		descriptor.limit.requests_per_unit,
		(uint32_t)descriptor.limit.unit) == -1) {
		reading->problem = DESCRIPTORS_BAD_LIMIT;
		return false;
	}
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
	RateLimitRequest request = RateLimitRequest_init_zero;

	request.domain = grpc_message_text(&reading->domain);
	if (!grpc_message_decode(RateLimitRequest_fields, &request, bytes, len))
		return false;
	reading->hits = request.hits_addend > 0 ? request.hits_addend : 1;
	return true;
}

static bool
grpc_message_read_descriptors(
    struct grpc_reading *reading, const char *bytes, size_t len)
{
	RateLimitRequest request = RateLimitRequest_init_zero;

	request.descriptors = (pb_callback_t){
	    .funcs.decode = grpc_message_on_descriptor, .arg = reading};
	return grpc_message_decode(
	    RateLimitRequest_fields, &request, bytes, len);
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
	struct descriptor_text service = {"", 0};
	HealthCheckRequest request = {grpc_message_text(&service)};

	if (!grpc_message_decode(
		HealthCheckRequest_fields, &request, bytes, len))
		return false;
	*known = service.len == 0 || grpc_reflection_has(&(struct grpc_text){
					 service.bytes, service.len});
	return true;
}

size_t
grpc_message_write_health(char to[GRPC_HEALTH_MAX], enum grpc_health health)
{
	pb_ostream_t stream =
	    pb_ostream_from_buffer((pb_byte_t *)to, GRPC_HEALTH_MAX);
	HealthCheckResponse response = {
	    (HealthCheckResponse_ServingStatus)health};

	return pb_encode(&stream, HealthCheckResponse_fields, &response)
		   ? stream.bytes_written
		   : 0;
}
