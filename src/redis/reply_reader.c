#include "redis/reply_reader.h"

/* The first byte of an alert in TLS. */
#define TLS_ALERT 0x15

int
reply_reader_open(struct reply_reader *reader, int64_t max_bytes)
{
	reply_arena_empty(&reader->arena);
	reader->reader = reply_arena_reader(&reader->arena);
	reader->guard = (struct reply_guard){.max_bytes = max_bytes};
	reader->heard = reader->given = false;
	return reader->reader ? 0 : -1;
}

const char *
reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t len)
{
	bool first = !reader->heard;

	reader->heard = true;
	if (first && bytes[0] == TLS_ALERT)
		return "is a port for TLS: set tls = yes";
	if (reply_guard_check(&reader->guard, bytes, len) == -1)
		return "sent a reply that is malformed or too large";
	if (redisReaderFeed(reader->reader, bytes, len) != REDIS_OK)
		return reader->reader->errstr;
	return NULL;
}

const redisReply *
reply_reader_next(struct reply_reader *reader, const char **reason)
{
	void *reply = NULL;

	*reason = NULL;
	if (!reader->reader)
		return NULL;
	if (reader->given)
		reply_arena_empty(&reader->arena);
	if (redisReaderGetReply(reader->reader, &reply) != REDIS_OK)
		*reason = reader->reader->errstr;
	reader->given = reply != NULL;
	return reply;
}

void
reply_reader_close(struct reply_reader *reader)
{
	redisReaderFree(reader->reader);
	reader->reader = NULL;
}

void
reply_reader_free(struct reply_reader *reader)
{
	reply_reader_close(reader);
	reply_arena_free(&reader->arena);
}
