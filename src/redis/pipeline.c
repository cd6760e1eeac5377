/*
 * Sends commands over one connection, and gives each reply to the oldest call.
 * No call waits in flight after its deadline: the pipeline fails first.
 * The heart: pipeline_deliver(), pipeline_receive(),
 * pipeline_check_deadlines().
 */
#include "redis/pipeline.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <errno.h>
#include <string.h>

/* Bytes read at a time: about the reply to a full batch. */
#define READ_LEN 16384

static void
pipeline_set_timer(struct pipeline *pipeline, int64_t at_us)
{
	pipeline->timer_us = at_us;
	timer_set(&pipeline->timer, at_us - clock_us());
}

/* Whether it was published, and is not the reply to a call.  Only replies to
 * (P)SUBSCRIBE begin with such a word. */
static bool
pipeline_is_message(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       strcmp(reply->element[0]->str, "message") == 0;
}

static void
pipeline_deliver(struct pipeline *pipeline, const redisReply *reply)
{
	if (pipeline_is_message(reply) &&
	    pipeline->events->message(reply, pipeline->arg))
		return;
	if (pipeline->calls.head)
		calls_deliver(&pipeline->calls, reply);
	else
		pipeline->events->failed(
		    "sent a reply to no call", pipeline->arg);
}

/* Deliver each reply that is complete.  A callback may close the pipeline, and
 * so the reader. */
static void
pipeline_deliver_replies(struct pipeline *pipeline)
{
	const redisReply *reply;
	const char *reason;

	while ((reply = reply_reader_next(&pipeline->reader, &reason)))
		pipeline_deliver(pipeline, reply);
	if (reason)
		pipeline->events->failed(reason, pipeline->arg);
}

/* What a read without bytes, of errno ${error} or 0, means. */
static void
pipeline_on_ended(struct pipeline *pipeline, int error)
{
	if (error == EPROTO)
		pipeline->events->failed(
		    stream_error(&pipeline->stream, EPROTO), pipeline->arg);
	else
		pipeline->events->closed(
		    error ? strerror(error) : "closed the connection",
		    pipeline->arg);
}

/* Read once.  Return whether there may be more. */
static bool
pipeline_receive(struct pipeline *pipeline)
{
	char bytes[READ_LEN];
	ssize_t len = stream_read(&pipeline->stream, bytes, sizeof(bytes));
	const char *reason;

	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (len <= 0) {
		pipeline_on_ended(pipeline, len ? errno : 0);
		return false;
	}
	reason = reply_reader_feed(&pipeline->reader, bytes, (size_t)len);
	if (reason)
		pipeline->events->failed(reason, pipeline->arg);
	else
		pipeline_deliver_replies(pipeline);
	return len == sizeof(bytes) && pipeline->stream.fd != -1;
}

/* Read everything, so that no timer fires for a reply that has arrived. */
static void
pipeline_on_readable(void *arg)
{
	while (pipeline_receive(arg))
		;
}

static void
pipeline_on_writable(void *arg)
{
	pipeline_flush(arg);
}

static const struct stream_events stream_events = {
    pipeline_on_readable, pipeline_on_writable};

/* The call may have got its reply in time.  Set the timer again only now, and
 * not at every reply. */
static void
pipeline_check_deadlines(struct pipeline *pipeline)
{
	int64_t deadline_us = calls_deadline_us(&pipeline->calls);
	const struct tls *tls = pipeline->stream.tls;

	if (!pipeline->calls.head)
		return;
	if (deadline_us <= clock_us())
		pipeline->events->failed(tls && !tls_is_ready(tls)
					     ? REPLY_NO_HANDSHAKE
					     : "did not reply in time",
		    pipeline->arg);
	else
		pipeline_set_timer(pipeline, deadline_us);
}

static void
pipeline_on_timer(void *arg)
{
	struct pipeline *pipeline = arg;

	pipeline->timer_us = 0;
	pipeline_check_deadlines(pipeline);
}

void
pipeline_init(struct pipeline *pipeline, struct loop *loop,
    const struct pipeline_events *events, void *arg)
{
	pipeline->stream.fd = -1;
	pipeline->events = events;
	pipeline->arg = arg;
	timer_init(&pipeline->timer, loop, pipeline_on_timer, pipeline);
}

int
pipeline_open(
    struct pipeline *pipeline, int fd, struct tls *tls, int64_t reply_max_bytes)
{
	stream_open(&pipeline->stream, pipeline->timer.loop, fd, &stream_events,
	    pipeline);
	stream_hurry(&pipeline->stream);
	stream_set_tls(&pipeline->stream, tls);
	return reply_reader_open(&pipeline->reader, reply_max_bytes);
}

int
pipeline_call(struct pipeline *pipeline, const struct command *command,
    const struct call *call)
{
	if (calls_add(&pipeline->calls, call, command, &pipeline->stream.out) ==
	    -1)
		return -1;
	if (!pipeline->timer_us || call->deadline_us < pipeline->timer_us)
		pipeline_set_timer(pipeline, call->deadline_us);
	return 0;
}

int
pipeline_take_calls(struct pipeline *pipeline, struct calls *calls,
    struct buf *bytes, int64_t later_us)
{
	struct buf *out = &pipeline->stream.out;

	if (buf_add(out, buf_data(bytes), buf_len(bytes)) == -1)
		return -1;
	buf_consume(bytes, buf_len(bytes));
	calls_move(calls, &pipeline->calls, later_us);
	pipeline_check_deadlines(pipeline);
	pipeline_flush(pipeline);
	return 0;
}

void
pipeline_flush(struct pipeline *pipeline)
{
	struct stream *stream = &pipeline->stream;

	if (stream->fd == -1 || buf_len(&stream->out) == 0)
		return;
	if (stream_flush(stream) == -1)
		pipeline->events->failed(
		    stream_error(stream, errno), pipeline->arg);
}

bool
pipeline_has_ended(struct pipeline *pipeline)
{
	char byte;
	ssize_t len = stream_peek(&pipeline->stream, &byte, 1);

	return len == 0 || (len == -1 && errno != EAGAIN && errno != EINTR);
}

void
pipeline_close(struct pipeline *pipeline)
{
	pipeline->timer_us = 0;
	timer_stop(&pipeline->timer);
	stream_close(&pipeline->stream);
	reply_reader_close(&pipeline->reader);
}

void
pipeline_abandon(struct pipeline *pipeline)
{
	calls_abandon(&pipeline->calls);
}

void
pipeline_free(struct pipeline *pipeline)
{
	calls_free(&pipeline->calls);
	reply_reader_free(&pipeline->reader);
}
