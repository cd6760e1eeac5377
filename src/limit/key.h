/**
 * key: what is being limited, as chosen by the client.
 */
#ifndef LIMIT_KEY_H
#define LIMIT_KEY_H

#include "base/siphash.h"

#include <stdbool.h>
#include <stddef.h>

/** Most bytes of a key, and of one in a protocol of text. */
#define KEY_MAX      512
#define KEY_TEXT_MAX 255

/** Room for a key as UTF-8. */
#define KEY_UTF8_MAX (3 * KEY_MAX)

/** Room for a key that is shown, with its NUL. */
#define KEY_SHOWN_MAX (4 * KEY_MAX + 1)

struct key {
	const char *bytes;   /* borrowed, not terminated */
	size_t len;          /* 1..KEY_MAX */
	struct hash128 hash; /* of the bytes, under the process's seed */
};

/** Make this the process's seed, instead of one drawn at random: before the
 * first key is made.  Return false if that is past. */
bool key_set_seed(const struct siphash_seed *seed);

/** The process's seed. */
struct siphash_seed key_seed(void);

/** Whether ${len} bytes, of any number, are 0x21-0x7E or well-formed UTF-8
 * without blanks (RFC 3629; no C1 control characters, which are invisible, and
 * which terminals obey). */
bool key_is_text(const char *bytes, size_t len);

/** Whether ${len} bytes may be a key in a protocol of text: 1 to KEY_TEXT_MAX
 * bytes of such text. */
bool key_is_valid(const char *bytes, size_t len);

/** Write ${len} <= KEY_MAX bytes, with each byte that is not part of
 * well-formed UTF-8 as U+FFFD.  Return how many bytes that makes. */
size_t key_write_utf8(char to[KEY_UTF8_MAX], const char *bytes, size_t len);

/** Where in these bytes what key_write_utf8() wrote at ${at} comes from. */
size_t key_utf8_origin(const char *bytes, size_t len, size_t at);

/** Write a key for people: unchanged if key_is_text(), else with bytes that
 * are not printable ASCII as \xNN.  Return ${to}. */
const char *key_show(char to[KEY_SHOWN_MAX], const char *bytes, size_t len);

/** A key of ${len} bytes, which it borrows. */
struct key key_make(const char *bytes, size_t len);

#endif
