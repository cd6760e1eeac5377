/*
 * Job: HTTP/2 between libnghttp2 and calls of gRPC.
 * Invariant: a stream is in ${all} from its headers until libnghttp2 closes
 * it; nothing that a client sends makes it hold more than MEMORY_MAX.
 * The heart: grpc_session_on_frame(), and grpc_session_respond().
 */
#include "protocol/grpc/grpc_session.h"

#include "base/clock.h"
#include "protocol/grpc/grpc_header.h"
#include "protocol/grpc/grpc_message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of a client: HTTP/2 itself, messages, streams. */
#define MEMORY_MAX 147456

/* Bytes before a message: whether it is compressed, and its length. */
#define FRAME_HEAD 5

#define BODIES_MAX (GRPC_MESSAGE_MAX + FRAME_HEAD)

#define STREAMS_MAX 100
#define WATCHES_MAX 8

/* Frames other than those that make calls are paid for: with each response, and
 * with time. */
#define CREDIT_MAX      1000
#define CREDIT_A_SECOND 100
#define CREDIT_A_FAULT  20

/*
 * Streams.
 */

void
grpc_session_drop_body(struct grpc_session *grpc, struct grpc_stream *stream)
{
	grpc->bodies -= stream->len;
	grpc_memory_free(&grpc->memory, stream->body);
	stream->body = NULL;
	stream->len = 0;
}

static void
grpc_session_free_stream(struct grpc_session *grpc, struct grpc_stream *stream)
{
	TAILQ_REMOVE(&grpc->all, stream, all);
	if (stream->is_whole)
		TAILQ_REMOVE(&grpc->whole, stream, whole);
	grpc_session_drop_body(grpc, stream);
	grpc->bodies -= stream->out_len;
	grpc_memory_free(&grpc->memory, stream->out);
	grpc_memory_free(&grpc->memory, stream->login);
	grpc_memory_free(&grpc->memory, stream);
}

struct grpc_stream *
grpc_session_find(struct grpc_session *grpc, int32_t id)
{
	return nghttp2_session_get_stream_user_data(grpc->h2, id);
}

bool
grpc_session_is_busy(const struct grpc_session *grpc)
{
	const struct grpc_stream *stream;

	TAILQ_FOREACH (stream, &grpc->all, all)
		if (!(stream->goes_on || stream->told) || stream->is_whole ||
		    stream->len > 0 || stream->out_len > 0)
			return true;
	return false;
}

bool
grpc_session_let_watch(struct grpc_session *grpc, struct grpc_stream *stream)
{
	const struct grpc_stream *other;
	unsigned count = 0;

	TAILQ_FOREACH (other, &grpc->all, all)
		count += other->watches;
	stream->watches = count < WATCHES_MAX;
	return stream->watches;
}

struct grpc_stream *
grpc_session_next(struct grpc_session *grpc)
{
	struct grpc_stream *stream = TAILQ_FIRST(&grpc->whole);

	if (!stream)
		return NULL;
	TAILQ_REMOVE(&grpc->whole, stream, whole);
	stream->is_whole = false;
	stream->was_taken = true;
	return stream;
}

static void
grpc_session_stand_in_line(
    struct grpc_session *grpc, struct grpc_stream *stream)
{
	if (stream->is_whole)
		return;
	stream->is_whole = true;
	TAILQ_INSERT_TAIL(&grpc->whole, stream, whole);
}

/* Bytes of the first message with its head, as that says. */
static size_t
grpc_session_first_len(const struct grpc_stream *stream)
{
	const unsigned char *head = stream->body;

	return FRAME_HEAD + ((size_t)head[1] << 24 | (size_t)head[2] << 16 |
				(size_t)head[3] << 8 | head[4]);
}

static bool
grpc_session_has_first(const struct grpc_stream *stream)
{
	return stream->len >= FRAME_HEAD &&
	       stream->len >= grpc_session_first_len(stream);
}

static bool
grpc_session_is_plain(struct grpc_stream *stream)
{
	if (stream->len < FRAME_HEAD || *stream->body == 0)
		return true;
	stream->code = GRPC_UNIMPLEMENTED;
	stream->problem = "messages must not be compressed";
	return false;
}

const char *
grpc_session_message(struct grpc_stream *stream, size_t *len)
{
	if (stream->code || !grpc_session_is_plain(stream))
		return NULL;
	if (stream->len < FRAME_HEAD ||
	    stream->len != grpc_session_first_len(stream)) {
		stream->code = GRPC_INTERNAL;
		stream->problem = "a call has one message";
		return NULL;
	}
	*len = stream->len - FRAME_HEAD;
	return (const char *)stream->body + FRAME_HEAD;
}

const char *
grpc_session_first(struct grpc_stream *stream, size_t *len)
{
	if (stream->code || !grpc_session_is_plain(stream))
		return NULL;
	if (!grpc_session_has_first(stream)) {
		if (stream->len > 0) {
			stream->code = GRPC_INTERNAL;
			stream->problem = "a message is cut";
		}
		return NULL;
	}
	*len = grpc_session_first_len(stream) - FRAME_HEAD;
	return (const char *)stream->body + FRAME_HEAD;
}

void
grpc_session_drop_first(struct grpc_session *grpc, struct grpc_stream *stream)
{
	size_t len = grpc_session_first_len(stream);

	memmove(stream->body, stream->body + len, stream->len - len);
	stream->len -= len;
	grpc->bodies -= len;
	if (stream->is_ended || grpc_session_has_first(stream))
		grpc_session_stand_in_line(grpc, stream);
}

/*
 * What libnghttp2 reads.  Each call returns 0, or an error: the client has to
 * go.
 */

static int
grpc_session_on_begin(
    nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = grpc_memory_new(&grpc->memory, sizeof(*stream));
	if (!stream)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	stream->id = frame->hd.stream_id;
	TAILQ_INSERT_TAIL(&grpc->all, stream, all);
	return nghttp2_session_set_stream_user_data(h2, stream->id, stream);
}

/* Headers behind the message are of no interest. */
static int
grpc_session_on_header(nghttp2_session *h2, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value,
    size_t value_len, uint8_t flags, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream =
	    grpc_session_find(grpc, frame->hd.stream_id);
	struct grpc_header header = {
	    (const char *)name, name_len, (const char *)value, value_len};

	(void)h2;
	(void)flags;
	if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	return grpc_header_take(stream, &grpc->memory, &header) == 0
		   ? 0
		   : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A message too long is read to its end, and dropped. */
static int
grpc_session_on_data(nghttp2_session *h2, uint8_t flags, int32_t id,
    const uint8_t *bytes, size_t len, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream = grpc_session_find(grpc, id);
	unsigned char *body;

	(void)h2;
	(void)flags;
	if (!stream || stream->code || stream->responded)
		return 0;
	body = grpc->bodies <= BODIES_MAX && len <= BODIES_MAX - grpc->bodies
		   ? grpc_memory_resize(
			 &grpc->memory, stream->body, stream->len + len)
		   : NULL;
	if (!body) {
		grpc_session_drop_body(grpc, stream);
		stream->code = GRPC_RESOURCE_EXHAUSTED;
		stream->problem = "messages are longer than 65536 bytes";
		if (stream->goes_on)
			grpc_session_stand_in_line(grpc, stream);
		return 0;
	}
	memcpy(body + stream->len, bytes, len);
	stream->body = body;
	stream->len += len;
	grpc->bodies += len;
	if (stream->goes_on && grpc_session_has_first(stream))
		grpc_session_stand_in_line(grpc, stream);
	return 0;
}

static int
grpc_session_on_frame(
    nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream = NULL;

	(void)h2;
	if (frame->hd.type != NGHTTP2_DATA || frame->hd.length == 0)
		grpc->credit--;
	if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
		stream = grpc_session_find(grpc, frame->hd.stream_id);
	if (!stream || stream->responded)
		return 0;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		stream->is_ended = true;
	else if (!stream->code || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	/* What is wrong in the headers needs no end. */
	if (stream->goes_on || !stream->was_taken)
		grpc_session_stand_in_line(grpc, stream);
	return 0;
}

static int
grpc_session_on_fault(
    nghttp2_session *h2, const nghttp2_frame *frame, int error, void *arg)
{
	struct grpc_session *grpc = arg;

	(void)h2;
	(void)frame;
	(void)error;
	grpc->credit -= CREDIT_A_FAULT;
	return 0;
}

static int
grpc_session_on_close(
    nghttp2_session *h2, int32_t id, uint32_t error, void *arg)
{
	struct grpc_session *grpc = arg;
	struct grpc_stream *stream = grpc_session_find(grpc, id);

	(void)h2;
	(void)error;
	if (stream)
		grpc_session_free_stream(grpc, stream);
	return 0;
}

/*
 * All of it.
 */

static nghttp2_session_callbacks *
grpc_session_callbacks(void)
{
	nghttp2_session_callbacks *to;

	if (nghttp2_session_callbacks_new(&to) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    to, grpc_session_on_begin);
	nghttp2_session_callbacks_set_on_header_callback(
	    to, grpc_session_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    to, grpc_session_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(
	    to, grpc_session_on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    to, grpc_session_on_fault);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    to, grpc_session_on_close);
	return to;
}

static nghttp2_option *
grpc_session_options(void)
{
	nghttp2_option *to;

	if (nghttp2_option_new(&to) != 0)
		return NULL;
	nghttp2_option_set_no_closed_streams(to, 1);
	nghttp2_option_set_max_settings(to, 16);
	return to;
}

/* Return 0, or -1. */
static int
grpc_session_open(struct grpc_session *grpc)
{
	static const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16384},
	};
	nghttp2_session_callbacks *callbacks = grpc_session_callbacks();
	nghttp2_option *option = grpc_session_options();
	nghttp2_mem hooks = grpc_memory_hooks(&grpc->memory);
	int result = -1;

	if (callbacks && option)
		result = nghttp2_session_server_new3(
		    &grpc->h2, callbacks, grpc, option, &hooks);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return result == 0 && nghttp2_submit_settings(
				  grpc->h2, 0, settings, COUNT(settings)) == 0
		   ? 0
		   : -1;
}

struct grpc_session *
grpc_session_new(void)
{
	struct grpc_session *grpc = calloc(1, sizeof(*grpc));

	if (!grpc)
		return NULL;
	grpc->memory.max = MEMORY_MAX;
	TAILQ_INIT(&grpc->all);
	TAILQ_INIT(&grpc->whole);
	grpc->credit = CREDIT_MAX;
	grpc->credit_us = clock_us();
	if (grpc_session_open(grpc) == 0)
		return grpc;
	grpc_session_free(grpc);
	return NULL;
}

void
grpc_session_free(struct grpc_session *grpc)
{
	struct grpc_stream *stream;

	if (!grpc)
		return;
	while ((stream = TAILQ_FIRST(&grpc->all)))
		grpc_session_free_stream(grpc, stream);
	nghttp2_session_del(grpc->h2);
	free(grpc);
}

void
grpc_session_raise_credit(struct grpc_session *grpc, int64_t credit)
{
	grpc->credit = credit > CREDIT_MAX - grpc->credit
			   ? CREDIT_MAX
			   : grpc->credit + (int)credit;
}

int
grpc_session_take(struct grpc_session *grpc, const char *bytes, size_t len)
{
	int64_t now_us = clock_us();
	int64_t seconds = (now_us - grpc->credit_us) / 1000000;

	if (seconds > 0) {
		grpc_session_raise_credit(grpc, seconds * CREDIT_A_SECOND);
		grpc->credit_us = now_us;
	}
	if (nghttp2_session_mem_recv(grpc->h2, (const uint8_t *)bytes, len) !=
	    (ssize_t)len)
		return -1;
	if (grpc->credit >= 0)
		return 0;
	nghttp2_session_terminate_session(grpc->h2, NGHTTP2_ENHANCE_YOUR_CALM);
	return -1;
}

bool
grpc_session_is_over(const struct grpc_session *grpc)
{
	return !nghttp2_session_want_read(grpc->h2);
}

int
grpc_session_go_away(struct grpc_session *grpc)
{
	if (grpc->goes_away)
		return 0;
	grpc->goes_away = true;
	return nghttp2_submit_goaway(grpc->h2, NGHTTP2_FLAG_NONE,
		   nghttp2_session_get_last_proc_stream_id(grpc->h2),
		   NGHTTP2_NO_ERROR, NULL, 0) == 0
		   ? 0
		   : -1;
}
