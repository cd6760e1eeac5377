#include "base/heap.h"

#include "fake/fake.h"

static size_t given_back;

void
heap_give_back(size_t bytes)
{
	given_back += bytes;
}

size_t
fake_given_back(void)
{
	size_t bytes = given_back;

	given_back = 0;
	return bytes;
}
