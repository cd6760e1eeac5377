/*
 * Job: sends the responses of calls.
 * Invariant: what libnghttp2 has not sent of a response is in its stream's
 * ${out}, and nothing is added to it once the stream has ${responded}.
 * The heart: grpc_respond_on_body(), which libnghttp2 calls when there is room.
 */
#include "protocol/grpc/grpc_session.h"

#include "base/attr.h"

#include <string.h>

/* Bytes before a message: whether it is compressed, and its length. */
#define FRAME_HEAD 5

/* Most bytes of messages that wait for their client to read others. */
#define WAITING_MAX 16384

#define CREDIT_A_RESPONSE 4

#define NV(name, value, len)                                                   \
	{                                                                      \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value),   \
		    sizeof(name) - 1, (len), NGHTTP2_NV_FLAG_NONE              \
	}
#define NV_TEXT(name, value) NV(name, value, sizeof(value) - 1)

/* A status code as text. */
struct grpc_code_text {
	char digits[2];
	size_t len;
};

static struct grpc_code_text
grpc_respond_code(enum grpc_code code)
{
	struct grpc_code_text text = {.len = code >= 10 ? 2 : 1};

	text.digits[0] = (char)('0' + (code >= 10 ? code / 10 : code));
	text.digits[1] = (char)('0' + code % 10);
	return text;
}

static void
grpc_respond_drop_out(struct grpc_session *grpc, struct grpc_stream *stream)
{
	grpc->bodies -= stream->out_len;
	grpc_memory_free(&grpc->memory, stream->out);
	stream->out = NULL;
	stream->out_len = stream->sent = 0;
}

static int
grpc_respond_put_trailer(
    nghttp2_session *h2, int32_t id, const struct grpc_stream *stream)
{
	const struct grpc_code_text text = grpc_respond_code(stream->code);
	const char *problem = stream->code ? stream->problem : "";
	const nghttp2_nv end[] = {NV("grpc-status", text.digits, text.len),
	    NV("grpc-message", problem, strlen(problem))};

	return nghttp2_submit_trailer(h2, id, end, stream->code ? 2 : 1);
}

static ssize_t
grpc_respond_on_body(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream = source->ptr;
	size_t len = stream->out_len - stream->sent;

	if (len == 0 && !stream->responded)
		return NGHTTP2_ERR_DEFERRED;
	if (len > room)
		len = room;
	if (len > 0)
		memcpy(to, stream->out + stream->sent, len);
	stream->sent += len;
	if (stream->sent < stream->out_len)
		return (ssize_t)len;
	grpc_respond_drop_out(grpc, stream);
	if (!stream->responded)
		return (ssize_t)len;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return grpc_respond_put_trailer(h2, id, stream) == 0
		   ? (ssize_t)len
		   : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
grpc_respond_begin(struct grpc_session *grpc, struct grpc_stream *stream)
{
	static const nghttp2_nv head[] = {NV_TEXT(":status", "200"),
	    NV_TEXT("content-type", "application/grpc")};
	nghttp2_data_provider provider = {
	    .source.ptr = stream, .read_callback = grpc_respond_on_body};

	stream->responds = true;
	return nghttp2_submit_response(
		   grpc->h2, stream->id, head, COUNT(head), &provider) == 0
		   ? 0
		   : -1;
}

/* Have libnghttp2 ask for what is new in a response.  If it has asked already,
 * that is no error. */
static int
grpc_respond_go_on(struct grpc_session *grpc, struct grpc_stream *stream)
{
	int result = stream->responds
			 ? nghttp2_session_resume_data(grpc->h2, stream->id)
			 : grpc_respond_begin(grpc, stream);

	return result == 0 || result == NGHTTP2_ERR_INVALID_ARGUMENT ? 0 : -1;
}

static int
grpc_respond_add(struct grpc_session *grpc, struct grpc_stream *stream,
    const char *message, size_t len)
{
	unsigned char *out = grpc_memory_resize(
	    &grpc->memory, stream->out, stream->out_len + FRAME_HEAD + len);
	unsigned char *to;

	if (!out)
		return -1;
	stream->out = out;
	to = out + stream->out_len;
	to[0] = 0;
	for (unsigned i = 0; i < 4; i++)
		to[1 + i] = (unsigned char)(len >> (24 - 8 * i));
	memcpy(to + FRAME_HEAD, message, len);
	stream->out_len += FRAME_HEAD + len;
	grpc->bodies += FRAME_HEAD + len;
	return 0;
}

int
grpc_session_push(struct grpc_session *grpc, struct grpc_stream *stream,
    const char *message, size_t len)
{
	if (stream->responded)
		return 0;
	if (stream->out_len - stream->sent + len > WAITING_MAX)
		return grpc_session_end(grpc, stream, GRPC_RESOURCE_EXHAUSTED,
		    "responses are not read");
	if (grpc_respond_add(grpc, stream, message, len) == -1)
		return -1;
	return grpc_respond_go_on(grpc, stream);
}

int
grpc_session_respond(struct grpc_session *grpc, struct grpc_stream *stream,
    const char *message, size_t len)
{
	grpc_session_raise_credit(grpc, CREDIT_A_RESPONSE);
	grpc_session_drop_body(grpc, stream);
	if (grpc_respond_add(grpc, stream, message, len) == -1)
		return -1;
	stream->responded = true;
	return grpc_respond_begin(grpc, stream);
}

/* A response without a message is its end. */
static int
grpc_respond_with_end(
    struct grpc_session *grpc, const struct grpc_stream *stream)
{
	const struct grpc_code_text text = grpc_respond_code(stream->code);
	const char *problem = stream->code ? stream->problem : "";
	const nghttp2_nv head[] = {NV_TEXT(":status", "200"),
	    NV_TEXT("content-type", "application/grpc"),
	    NV("grpc-status", text.digits, text.len),
	    NV("grpc-message", problem, strlen(problem))};

	return nghttp2_submit_response(
		   grpc->h2, stream->id, head, stream->code ? 4 : 3, NULL) == 0
		   ? 0
		   : -1;
}

int
grpc_session_end(struct grpc_session *grpc, struct grpc_stream *stream,
    enum grpc_code code, const char *problem)
{
	if (stream->responded)
		return 0;
	grpc_session_raise_credit(grpc, CREDIT_A_RESPONSE);
	grpc_session_drop_body(grpc, stream);
	stream->responded = true;
	stream->code = code;
	stream->problem = problem;
	return stream->responds ? grpc_respond_go_on(grpc, stream)
				: grpc_respond_with_end(grpc, stream);
}

int
grpc_session_end_open(struct grpc_session *grpc)
{
	struct grpc_stream *stream;

	TAILQ_FOREACH (stream, &grpc->all, all)
		if ((stream->goes_on || stream->told) &&
		    grpc_session_end(grpc, stream, GRPC_UNAVAILABLE,
			"the daemon is about to end") == -1)
			return -1;
	return 0;
}

int
grpc_session_send(struct grpc_session *grpc, struct buf *out)
{
	const uint8_t *bytes;
	ssize_t len;

	while ((len = nghttp2_session_mem_send(grpc->h2, &bytes)) > 0)
		if (buf_add(out, bytes, (size_t)len) == -1)
			return -1;
	return len == 0 ? 0 : -1;
}
