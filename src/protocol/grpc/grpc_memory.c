#include "protocol/grpc/grpc_memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* What malloc rounds up may go a little above the bound. */
static bool
grpc_memory_has_room(const struct grpc_memory *memory, size_t size)
{
	return memory->used < memory->max && size <= memory->max - memory->used;
}

void *
grpc_memory_resize(struct grpc_memory *memory, void *old, size_t size)
{
	size_t had = malloc_usable_size(old);
	void *now;

	if (size > had && !grpc_memory_has_room(memory, size - had))
		return NULL;
	now = realloc(old, size > 0 ? size : 1);
	if (!now)
		return NULL;
	memory->used = memory->used - had + malloc_usable_size(now);
	return now;
}

void *
grpc_memory_new(struct grpc_memory *memory, size_t size)
{
	void *now;

	if (!grpc_memory_has_room(memory, size))
		return NULL;
	now = calloc(1, size > 0 ? size : 1);
	if (now)
		memory->used += malloc_usable_size(now);
	return now;
}

void
grpc_memory_free(struct grpc_memory *memory, void *old)
{
	memory->used -= malloc_usable_size(old);
	free(old);
}

static void *
grpc_memory_on_malloc(size_t size, void *arg)
{
	return grpc_memory_resize(arg, NULL, size);
}

static void *
grpc_memory_on_calloc(size_t count, size_t size, void *arg)
{
	return size > 0 && count > SIZE_MAX / size
		   ? NULL
		   : grpc_memory_new(arg, count * size);
}

static void *
grpc_memory_on_realloc(void *old, size_t size, void *arg)
{
	return grpc_memory_resize(arg, old, size);
}

static void
grpc_memory_on_free(void *old, void *arg)
{
	grpc_memory_free(arg, old);
}

nghttp2_mem
grpc_memory_hooks(struct grpc_memory *memory)
{
	return (nghttp2_mem){memory, grpc_memory_on_malloc, grpc_memory_on_free,
	    grpc_memory_on_calloc, grpc_memory_on_realloc};
}
