/**
 * heap: memory that was freed, back to the system.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

/** ${bytes} were freed that will not be needed soon: have the C library return
 * its free pages to the system, if that is worth the milliseconds that it
 * takes.  Does nothing where the C library has no such call. */
void heap_give_back(size_t bytes);

#endif
