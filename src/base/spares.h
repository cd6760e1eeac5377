/**
 * spares: blocks of one size that are free, kept to be used again.
 *
 * Owns: the blocks put into it, until they are taken or freed.
 * Never: knows what is in them, but for the first pointer of each, which it
 * overwrites; the rest of a block stays as it was.
 *
 * What was spare all the time from one trim to the next is not needed: the next
 * trim frees it, but for a small reserve.  So after a burst the memory is given
 * back, and as long as a load comes and goes between two trims none is.
 */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include <stddef.h>

/** A trim leaves blocks of about this many bytes in all. */
#define SPARES_RESERVE 65536

typedef void spares_free_block(void *block);

/** A field of its user; all zero: none. */
struct spares {
	struct spare *head;
	size_t count;
	size_t fewest; /* of count, since the last trim */
};

struct spare {
	struct spare *next;
};

/** Take a block; NULL: there is none. */
static inline void *
spares_take(struct spares *spares)
{
	struct spare *spare = spares->head;

	if (!spare) {
		spares->fewest = 0;
		return NULL;
	}
	spares->head = spare->next;
	if (--spares->count < spares->fewest)
		spares->fewest = spares->count;
	return spare;
}

/** Put a block in, which is at least as large as a pointer. */
static inline void
spares_put(struct spares *spares, void *block)
{
	struct spare *spare = block;

	spare->next = spares->head;
	spares->head = spare;
	spares->count++;
}

/** Free the blocks that no one needed since the last trim, each of about
 * ${size} bytes.  Return how many. */
size_t spares_trim(
    struct spares *spares, size_t size, spares_free_block *free_block);

/** Free all. */
void spares_clear(struct spares *spares, spares_free_block *free_block);

#endif
