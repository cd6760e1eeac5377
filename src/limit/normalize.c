/*
 * Job: writes the key whose bucket a limit uses.
 * Invariant: what is no address is left as it is.
 * The heart: normalize_key().
 */
#include "limit/normalize.h"

#include "base/network.h"
#include "base/num.h"
#include "limit/key_parts.h"

#include <assert.h>
#include <string.h>

enum { NORMALIZE_LOWER = 1, NORMALIZE_IP = 2, NORMALIZE_IP64 = 4 };

#define BLANKS      " \t,"
#define PORT_DIGITS 5

static const struct {
	const char *name;
	unsigned bit;
} forms[] = {
    {"lower", NORMALIZE_LOWER},
    {"ip", NORMALIZE_IP},
    {"ip64", NORMALIZE_IP64},
};

/*
 * The word.
 */

/* The bit of ${len} bytes, or 0. */
static unsigned
normalize_form(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(forms); i++)
		if (len == strlen(forms[i].name) &&
		    memcmp(name, forms[i].name, len) == 0)
			return forms[i].bit;
	return 0;
}

int
normalize_set(struct limit *limit, const char *value, struct limit_error *error)
{
	const unsigned addresses = NORMALIZE_IP | NORMALIZE_IP64;

	while (*(value += strspn(value, BLANKS))) {
		size_t len = strcspn(value, BLANKS);
		unsigned bit = normalize_form(value, len);

		if (!bit || limit->normalize & bit)
			return word_fail(error,
			    "normalize is one or more of lower, ip and ip64");
		limit->normalize |= bit;
		value += len;
	}
	if (!limit->normalize)
		return word_fail(
		    error, "normalize is one or more of lower, ip and ip64");
	if ((limit->normalize & addresses) == addresses)
		return word_fail(
		    error, "normalize: ip and ip64 exclude each other");
	return 0;
}

const char *
normalize_get(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	char *to = text;

	for (size_t i = 0; i < COUNT(forms); i++) {
		if (!(limit->normalize & forms[i].bit))
			continue;
		if (to > text)
			*to++ = ',';
		to = stpcpy(to, forms[i].name);
	}
	return to > text ? text : NULL;
}

int
normalize_check(const struct limit *limit, struct limit_error *error)
{
	if (!limit->normalize)
		return 0;
	if (limit->kind == MATCH_EXACT)
		return word_fail(
		    error, "normalize does nothing: match is one key as it is");
	if (limit->normalize & ~NORMALIZE_LOWER && key_parts_count(limit) == 0)
		return word_fail(error,
		    "normalize: match has no %s that could be an address",
		    limit->kind == MATCH_REGEX ? "group" : "*");
	return 0;
}

/*
 * Keys.
 */

/* The length of an address without its port, if it has one. */
static size_t
normalize_without_port(const char *text, size_t len)
{
	const char *colon = memrchr(text, ':', len);
	size_t before = colon ? (size_t)(colon - text) : 0;
	size_t digits = colon ? len - before - 1 : 0;

	if (digits < 1 || digits > PORT_DIGITS ||
	    num_count_digits(colon + 1, digits) != digits)
		return len;
	/* "[::1]:80", or "127.0.0.1:80" */
	return (*text == '[' && colon[-1] == ']') || !memchr(text, ':', before)
		   ? before
		   : len;
}

/* Write the address of ${part}.  Return its length, or 0: it is none. */
static size_t
normalize_address(const struct limit *limit, const struct glob_part *part,
    char to[ADDRESS_TEXT_MAX])
{
	struct ip_address address;

	if (part->len == 0 ||
	    address_read(&address, part->bytes,
		normalize_without_port(part->bytes, part->len)) == -1)
		return 0;
	return limit->normalize & NORMALIZE_IP64
		   ? address_write_64(to, &address)
		   : address_write(to, &address);
}

/* A key being written; what is behind ${from} of the one that came is still to
 * be. */
struct normalized {
	const char *from;
	char *to;
	size_t len;
	bool is_cut;
};

/* NORMALIZE_MORE is enough; should it not be, the key stays as it came. */
static void
normalize_copy(struct normalized *key, const char *bytes, size_t len)
{
	assert(len <= NORMALIZED_MAX - key->len);
	key->is_cut |= len > NORMALIZED_MAX - key->len;
	if (key->is_cut)
		return;
	memcpy(key->to + key->len, bytes, len);
	key->len += len;
}

/* One group may be within another one. */
static void
normalize_part(struct normalized *key, const struct limit *limit,
    const struct glob_part *part)
{
	char text[ADDRESS_TEXT_MAX];
	size_t len;

	if (!part->bytes || part->bytes < key->from)
		return;
	len = normalize_address(limit, part, text);
	if (len == 0)
		return;
	normalize_copy(key, key->from, (size_t)(part->bytes - key->from));
	normalize_copy(key, text, len);
	key->from = part->bytes + part->len;
}

static void
normalize_parts(struct normalized *to, const struct limit *limit,
    const struct key *key, struct rules_scratch *scratch)
{
	struct key_parts parts;

	key_parts_find(limit, key, scratch, &parts);
	for (size_t i = 1; i < KEY_PARTS_MAX; i++)
		normalize_part(to, limit, &parts.of[i]);
}

static void
normalize_lower(struct normalized *key)
{
	for (size_t i = 0; i < key->len; i++)
		if (key->to[i] >= 'A' && key->to[i] <= 'Z')
			key->to[i] = (char)(key->to[i] - 'A' + 'a');
}

struct key
normalize_key(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, char *to)
{
	struct normalized normalized = {key->bytes, to, 0, false};

	if (limit->normalize & (NORMALIZE_IP | NORMALIZE_IP64))
		normalize_parts(&normalized, limit, key, scratch);
	normalize_copy(&normalized, normalized.from,
	    (size_t)(key->bytes + key->len - normalized.from));
	if (limit->normalize & NORMALIZE_LOWER)
		normalize_lower(&normalized);
	if (normalized.is_cut || normalized.len > KEY_MAX ||
	    (normalized.len == key->len &&
		memcmp(to, key->bytes, key->len) == 0))
		return *key;
	return key_make(to, normalized.len);
}
