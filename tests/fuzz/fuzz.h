/**
 * fuzz: what every fuzz target has: fuzz_NAME.c defines the one function.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/** Try ${size} bytes.  Return 0; end the process if they break a promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What must hold, also in a build without assert(). */
static inline void
check(bool condition)
{
	if (!condition)
		abort();
}

#endif
