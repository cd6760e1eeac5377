/*
 * Makes hiredis build replies in chunks that are used again.  All of a reply is
 * in the chunks, and is freed in one step.  The heart is reply_arena_take().
 */
#include "redis/reply_arena.h"

#include "redis/hiredis.h"

#include <stdlib.h>
#include <string.h>

/* What the reply to a full batch fits into. */
#define CHUNK_LEN ((size_t)65536)

#define ALIGNMENT 16

struct chunk {
	struct chunk *next;
	size_t len; /* taken so far */
	size_t cap;
	_Alignas(ALIGNMENT) char bytes[];
};

static struct chunk *
reply_arena_add_chunk(struct reply_arena *arena, size_t least)
{
	size_t cap = least > CHUNK_LEN ? least : CHUNK_LEN;
	struct chunk *chunk = malloc(sizeof(*chunk) + cap);

	if (!chunk)
		return NULL;
	*chunk = (struct chunk){arena->filling, 0, cap};
	arena->filling = chunk;
	return chunk;
}

static void *
reply_arena_take(struct reply_arena *arena, size_t len)
{
	struct chunk *chunk = arena->filling;
	void *taken;

	len = (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!chunk || chunk->cap - chunk->len < len)
		chunk = reply_arena_add_chunk(arena, len);
	if (!chunk)
		return NULL;
	taken = chunk->bytes + chunk->len;
	chunk->len += len;
	return taken;
}

/* A reply, or the next element of the array being read. */
static redisReply *
reply_arena_create(const redisReadTask *task)
{
	redisReply *reply = reply_arena_take(task->privdata, sizeof(*reply));

	if (!reply)
		return NULL;
	*reply = (redisReply){.type = task->type};
	if (task->parent) {
		redisReply *parent = task->parent->obj;

		parent->element[task->idx] = reply;
	}
	return reply;
}

static void *
reply_arena_create_string(const redisReadTask *task, char *text, size_t len)
{
	redisReply *reply = reply_arena_create(task);
	char *copy = reply ? reply_arena_take(task->privdata, len + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	reply->str = copy;
	reply->len = len;
	return reply;
}

static void *
reply_arena_create_array(const redisReadTask *task, hiredis_count elements)
{
	redisReply *reply = reply_arena_create(task);

	if (!reply)
		return NULL;
	reply->elements = (size_t)elements;
	reply->element = reply_arena_take(
	    task->privdata, (size_t)elements * sizeof(reply->element[0]));
	return reply->element ? reply : NULL;
}

static void *
reply_arena_create_integer(const redisReadTask *task, long long value)
{
	redisReply *reply = reply_arena_create(task);

	if (reply)
		reply->integer = value;
	return reply;
}

static void *
reply_arena_create_nil(const redisReadTask *task)
{
	redisReply *reply = reply_arena_create(task);

	/* The task's type is that of what could have been there. */
	if (reply)
		reply->type = REDIS_REPLY_NIL;
	return reply;
}

/* An unfinished reply is freed with the rest. */
static void
reply_arena_free_nothing(void *reply)
{
	(void)reply;
}

redisReader *
reply_arena_reader(struct reply_arena *arena)
{
	/* The members left out are for RESP3, which only later versions
	 * have. */
	static redisReplyObjectFunctions functions = {
	    .createString = reply_arena_create_string,
	    .createArray = reply_arena_create_array,
	    .createInteger = reply_arena_create_integer,
	    .createNil = reply_arena_create_nil,
	    .freeObject = reply_arena_free_nothing,
	};
	redisReader *reader = redisReaderCreateWithFunctions(&functions);

	if (!reader)
		return NULL;
	reader->privdata = arena;
	reader->maxbuf = CHUNK_LEN; /* what it keeps for the next bytes */
	return reader;
}

void
reply_arena_empty(struct reply_arena *arena)
{
	struct chunk *chunk = arena->filling;

	while (chunk && (chunk->next || chunk->cap > CHUNK_LEN)) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	if (chunk)
		chunk->len = 0;
	arena->filling = chunk;
}

void
reply_arena_free(struct reply_arena *arena)
{
	reply_arena_empty(arena);
	free(arena->filling);
	arena->filling = NULL;
}
