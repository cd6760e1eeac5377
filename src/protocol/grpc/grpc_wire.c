#include "protocol/grpc/grpc_wire.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

bool
grpc_wire_next(
    struct grpc_text *message, uint32_t *tag, struct grpc_text *value)
{
	pb_istream_t stream = pb_istream_from_buffer(
	    (const pb_byte_t *)message->bytes, message->len);
	pb_wire_type_t type;
	uint32_t len;
	bool is_end;

	*value = (struct grpc_text){0};
	if (message->len == 0 || !pb_decode_tag(&stream, &type, tag, &is_end))
		return false;
	if (type != PB_WT_STRING) {
		if (!pb_skip_field(&stream, type))
			return false;
	} else {
		if (!pb_decode_varint32(&stream, &len) ||
		    len > stream.bytes_left)
			return false;
		*value = (struct grpc_text){
		    message->bytes + message->len - stream.bytes_left, len};
		stream.bytes_left -= len;
	}
	message->bytes += message->len - stream.bytes_left;
	message->len = stream.bytes_left;
	return true;
}

struct grpc_text
grpc_wire_find(struct grpc_text message, uint32_t tag)
{
	struct grpc_text value, found = {0};
	uint32_t its;

	while (grpc_wire_next(&message, &its, &value))
		if (its == tag && value.bytes)
			found = value;
	return found;
}

static pb_ostream_t
grpc_wire_stream(struct grpc_writing *to)
{
	return pb_ostream_from_buffer(
	    (pb_byte_t *)to->bytes + to->len, to->room - to->len);
}

static void
grpc_wire_end(struct grpc_writing *to, const pb_ostream_t *stream, bool fits)
{
	if (fits)
		to->len += stream->bytes_written;
	else
		to->is_cut = true;
}

void
grpc_wire_put(
    struct grpc_writing *to, uint32_t tag, const char *bytes, size_t len)
{
	pb_ostream_t stream = grpc_wire_stream(to);
	bool fits = pb_encode_tag(&stream, PB_WT_STRING, tag) &&
		    pb_encode_string(&stream, (const pb_byte_t *)bytes, len);

	grpc_wire_end(to, &stream, fits);
}

void
grpc_wire_put_text(struct grpc_writing *to, uint32_t tag, const char *text)
{
	grpc_wire_put(to, tag, text, strlen(text));
}

void
grpc_wire_put_number(struct grpc_writing *to, uint32_t tag, uint64_t number)
{
	pb_ostream_t stream = grpc_wire_stream(to);
	bool fits = pb_encode_tag(&stream, PB_WT_VARINT, tag) &&
		    pb_encode_varint(&stream, number);

	grpc_wire_end(to, &stream, fits);
}

void
grpc_wire_put_message(
    struct grpc_writing *to, uint32_t tag, const struct grpc_writing *message)
{
	to->is_cut |= message->is_cut;
	grpc_wire_put(to, tag, message->bytes, message->len);
}
