/*
 * key: what may be a key, and its hash.
 * Invariant: all keys of a process are hashed under one seed.
 * The heart is key_make().
 */
#include "limit/key.h"

#include "base/attr.h"
#include "base/bytes.h"
#include "base/log.h"

#include <pthread.h>
#include <string.h>

/* One random seed for each process: an attacker cannot aim keys at one place of
 * a table. */
static struct siphash_seed seed;
static const struct siphash_seed *given; /* NULL: draw one */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
key_draw_seed(void)
{
	seed = given ? *given : siphash_seed_random();
}

bool
key_set_seed(const struct siphash_seed *wanted)
{
	bool is_set;

	given = wanted;
	pthread_once(&once, key_draw_seed);
	given = NULL;
	is_set = seed.k0 == wanted->k0 && seed.k1 == wanted->k1;
	return is_set;
}

struct siphash_seed
key_seed(void)
{
	pthread_once(&once, key_draw_seed);
	return seed;
}

struct key
key_make(const char *bytes, size_t len)
{
	pthread_once(&once, key_draw_seed);
	return (struct key){bytes, len, siphash128(&seed, bytes, len)};
}

/* Length of the well-formed UTF-8 sequence of two bytes or more that starts at
 * ${s}, 0 if there is none: RFC 3629, section 4. */
static size_t
key_utf8_sequence(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char first, last; /* of the lead byte */
		unsigned char low, high;   /* of the second byte */
		unsigned char len;
	} forms[] = {
	    {0xC2, 0xDF, 0x80, 0xBF, 2},
	    {0xE0, 0xE0, 0xA0, 0xBF, 3}, /* no overlong forms */
	    {0xE1, 0xEC, 0x80, 0xBF, 3},
	    {0xED, 0xED, 0x80, 0x9F, 3}, /* no surrogates */
	    {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
	    {0xF1, 0xF3, 0x80, 0xBF, 4},
	    {0xF4, 0xF4, 0x80, 0x8F, 4}, /* up to U+10FFFF */
	};

	for (size_t i = 0; i < COUNT(forms); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (len < forms[i].len || s[1] < forms[i].low ||
		    s[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xC0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* Those that a key of text may have: past the C1 controls, which end at U+009F.
 */
static size_t
key_text_sequence(const unsigned char *s, size_t len)
{
	if (len > 1 && s[0] == 0xC2 && s[1] < 0xA0)
		return 0;
	return key_utf8_sequence(s, len);
}

/* How many bytes from the start, in whole words, are 0x21-0x7E. */
static size_t
key_graphic_words(const char *bytes, size_t len)
{
	size_t i = 0;

	while (len - i >= BYTES_WORD) {
		uint64_t word = bytes_load(bytes + i);

		if (bytes_below(word, 0x21) | bytes_above(word, 0x7E))
			break;
		i += BYTES_WORD;
	}
	return i;
}

bool
key_is_text(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t i = key_graphic_words(bytes, len);

	while (i < len) {
		size_t step = 1;

		if (s[i] < 0x21 || s[i] > 0x7E)
			step = key_text_sequence(s + i, len - i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

/* The length of the character that ${len} > 0 bytes start with; 0: none. */
static size_t
key_character(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;

	return *s < 0x80 ? 1 : key_utf8_sequence(s, len);
}

size_t
key_utf8_origin(const char *bytes, size_t len, size_t at)
{
	size_t i = 0;

	for (size_t used = 0; i < len && used < at;) {
		size_t step = key_character(bytes + i, len - i);

		used += step ? step : 3;
		i += step ? step : 1;
	}
	return i;
}

size_t
key_write_utf8(char to[KEY_UTF8_MAX], const char *bytes, size_t len)
{
	static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t step = key_character(bytes + i, len - i);

		memcpy(
		    to + used, step ? bytes + i : replacement, step ? step : 3);
		used += step ? step : 3;
		i += step ? step : 1;
	}
	return used;
}

bool
key_is_valid(const char *bytes, size_t len)
{
	return len >= 1 && len <= KEY_TEXT_MAX && key_is_text(bytes, len);
}

const char *
key_show(char to[KEY_SHOWN_MAX], const char *bytes, size_t len)
{
	if (!key_is_text(bytes, len))
		return log_escape(to, KEY_SHOWN_MAX, bytes, len);
	memcpy(to, bytes, len);
	to[len] = '\0';
	return to;
}
