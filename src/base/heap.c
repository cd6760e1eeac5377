#include "base/heap.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#else
#define malloc_trim(pad) 0
#endif

/* All that is free is walked through. */
#define HEAP_WORTH ((size_t)1 << 20)

void
heap_give_back(size_t bytes)
{
	if (bytes >= HEAP_WORTH)
		(void)malloc_trim(0);
}
