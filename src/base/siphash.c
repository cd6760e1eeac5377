#include "base/siphash.h"

#include "base/random.h"

#include <endian.h>
#include <string.h>

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline void
mix(struct state *s)
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
absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	mix(s);
	s->v0 ^= word;
}

static inline uint64_t
squeeze(struct state *s)
{
	for (int i = 0; i < 4; i++)
		mix(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t
load(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

/* The last 0 to 7 bytes, and the length modulo 256 in the topmost byte. */
static inline uint64_t
last_word(const unsigned char *tail, size_t len)
{
	uint64_t word = (uint64_t)len << 56;

	for (size_t i = 0; i < len % 8; i++)
		word |= (uint64_t)tail[i] << 8 * i;
	return word;
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
		absorb(&s, load(p));
	absorb(&s, last_word(tail, len));
	s.v2 ^= 0xee;
	hash.lo = squeeze(&s);
	s.v1 ^= 0xdd;
	hash.hi = squeeze(&s);
	return hash;
}

struct siphash_seed
siphash_seed_random(void)
{
	struct siphash_seed seed;

	random_fill(&seed, sizeof(seed));
	return seed;
}
