/**
 * siphash: SipHash-2-4 with 128 bits of output, a keyed hash that an attacker
 * cannot steer.  J.-P.  Aumasson, D.  J.  Bernstein, "SipHash: a fast
 * short-input PRF", 2012, https://www.aumasson.jp/siphash/siphash.pdf, with the
 * 128-bit finalisation of the authors' reference code.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 {
	uint64_t lo;
	uint64_t hi;
};

static inline bool
hash128_equal(struct hash128 a, struct hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

struct siphash_seed {
	uint64_t k0;
	uint64_t k1;
};

/** Hash ${len} bytes under ${seed}. */
struct hash128 siphash128(
    const struct siphash_seed *seed, const void *bytes, size_t len);

/** Draw a seed from the system's random source (blocks until it is ready). */
struct siphash_seed siphash_seed_random(void);

#endif
