#include "base/spares.h"

static void
spares_drop(struct spares *spares, size_t count, spares_free_block *free_block)
{
	while (count-- > 0) {
		struct spare *spare = spares->head;

		spares->head = spare->next;
		spares->count--;
		free_block(spare);
	}
}

size_t
spares_trim(struct spares *spares, size_t size, spares_free_block *free_block)
{
	size_t reserve = SPARES_RESERVE / size + 1;
	size_t count = spares->fewest > reserve ? spares->fewest - reserve : 0;

	spares_drop(spares, count, free_block);
	spares->fewest = spares->count;
	return count;
}

void
spares_clear(struct spares *spares, spares_free_block *free_block)
{
	spares_drop(spares, spares->count, free_block);
	spares->fewest = 0;
}
