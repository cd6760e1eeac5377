#include "redis/reply_arena.h"

#include <stdlib.h>
#include <string.h>

/* What the reply to a full batch fits into. */
#define CHUNK_LEN ((size_t)65536)

#define ALIGNMENT 16

struct chunk {
	struct chunk *next;
	size_t len;             /* taken so far */
	size_t cap;
	_Alignas(ALIGNMENT) char bytes[];
};

static struct chunk *
add_chunk(struct reply_arena *arena, size_t least)
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
take(struct reply_arena *arena, size_t len)
{
	struct chunk *chunk = arena->filling;
	void *taken;

	len = (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!chunk || chunk->cap - chunk->len < len)
		chunk = add_chunk(arena, len);
	if (!chunk)
		return NULL;
	taken = chunk->bytes + chunk->len;
	chunk->len += len;
	return taken;
}

/* A reply, or the next element of the array being read. */
static redisReply *
create(const redisReadTask *task)
{
	redisReply *reply = take(task->privdata, sizeof(*reply));

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
create_string(const redisReadTask *task, char *text, size_t len)
{
	redisReply *reply = create(task);
	char *copy = reply ? take(task->privdata, len + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	reply->str = copy;
	reply->len = len;
	return reply;
}

static void *
create_array(const redisReadTask *task, int elements)
{
	redisReply *reply = create(task);

	if (!reply)
		return NULL;
	reply->elements = (size_t)elements;
	reply->element = take(
	    task->privdata, (size_t)elements * sizeof(reply->element[0]));
	return reply->element ? reply : NULL;
}

static void *
create_integer(const redisReadTask *task, long long value)
{
	redisReply *reply = create(task);

	if (reply)
		reply->integer = value;
	return reply;
}

static void *
create_nil(const redisReadTask *task)
{
	redisReply *reply = create(task);

	/* The task's type is that of what could have been there. */
	if (reply)
		reply->type = REDIS_REPLY_NIL;
	return reply;
}

/* What was begun and goes wrong goes with the rest. */
static void
free_nothing(void *reply)
{
	(void)reply;
}

redisReader *
reply_arena_reader(struct reply_arena *arena)
{
	static redisReplyObjectFunctions functions = {create_string,
	    create_array, create_integer, create_nil, free_nothing};
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
