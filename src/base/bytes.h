/**
 * bytes: eight at a time, in one word of the processor.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/** Number of bytes in a word. */
#define BYTES_WORD 8

/** The same byte in all places. */
#define BYTES_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/** A word of the bytes at ${bytes}; the first is its lowest. */
static inline uint64_t
bytes_load(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

/** Non-zero if there is a byte below ${bound}, at most 0x80, in the word: the
 * lowest bit set is the topmost one of the first such byte. */
static inline uint64_t
bytes_below(uint64_t word, unsigned char bound)
{
	return (word - BYTES_EACH(bound)) & ~word & BYTES_EACH(0x80);
}

/** Non-zero if there is a byte above ${bound}, from 0 to 0x7F. */
static inline uint64_t
bytes_above(uint64_t word, unsigned char bound)
{
	return ((word + BYTES_EACH(0x7F - bound)) | word) & BYTES_EACH(0x80);
}

/** Where the byte is, from 0, to which the lowest bit of a result belongs. */
static inline unsigned
bytes_first(uint64_t found)
{
	return (unsigned)__builtin_ctzll(found) / 8;
}

#endif
