#include "base/siphash.h"

#include "base/bytes.h"
#include "base/random.h"

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline void
siphash_mix(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = ROTATE(s->v1, 13) ^ s->v0;
	s->v0 = ROTATE(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = ROTATE(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = ROTATE(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = ROTATE(s->v1, 17) ^ s->v2;
	s->v2 = ROTATE(s->v2, 32);
}

static inline void
siphash_absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_mix(s);
	siphash_mix(s);
	s->v0 ^= word;
}

static inline uint64_t
siphash_squeeze(struct state *s)
{
	for (int i = 0; i < 4; i++)
		siphash_mix(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The 0 to 7 bytes up to ${end}, and the length modulo 256 in the topmost
 * byte.  The bytes are the topmost ones of the last eight, if there are as
 * many. */
static inline uint64_t
siphash_last_word(const unsigned char *end, size_t len)
{
	const size_t rest = len % 8;
	uint64_t word = 0;

	if (len >= 8)
		word = bytes_load(end - 8) >> 8 >> (56 - 8 * rest);
	else
		for (size_t i = 0; i < rest; i++)
			word |= (uint64_t)(end - rest)[i] << 8 * i;
	return word | (uint64_t)len << 56;
}

struct hash128
siphash128(const struct siphash_seed *seed, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	const unsigned char *tail = p + len - len % 8;
	struct state s = {
	    seed->k0 ^ 0x736f6d6570736575,
	    seed->k1 ^ 0x646f72616e646f6d ^ 0xee,
	    seed->k0 ^ 0x6c7967656e657261,
	    seed->k1 ^ 0x7465646279746573,
	};
	struct hash128 hash;

	for (; p < tail; p += 8)
		siphash_absorb(&s, bytes_load(p));
	siphash_absorb(&s, siphash_last_word(p + len % 8, len));
	s.v2 ^= 0xee;
	hash.lo = siphash_squeeze(&s);
	s.v1 ^= 0xdd;
	hash.hi = siphash_squeeze(&s);
	return hash;
}

struct siphash_seed
siphash_seed_random(void)
{
	struct siphash_seed seed;

	random_fill(&seed, sizeof(seed));
	return seed;
}
