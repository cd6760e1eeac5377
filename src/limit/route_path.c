/*
 * Job: reads the pattern of a path, and tries it.
 * Invariant: two names have a text between them, so there is one way to match.
 * The heart: route_path_matches() and route_clean_path().
 */
#include "limit/route_path.h"

#include "limit/rules.h"
#include "limit/word.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

/*
 * Reading.
 */

static int
route_path_set_regex(struct route_path *path, struct limit_error *error)
{
	PCRE2_UCHAR reason[100];
	PCRE2_SIZE offset;
	uint32_t used, groups;
	int code;

	path->regex = pcre2_compile((PCRE2_SPTR)path->pattern + 1,
	    PCRE2_ZERO_TERMINATED, PCRE2_NEVER_UTF, &code, &offset, NULL);
	if (!path->regex) {
		if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
			reason[0] = '\0';
		return word_fail(
		    error, "path, at byte %zu: %s", offset + 1, (char *)reason);
	}
	pcre2_pattern_info(path->regex, PCRE2_INFO_ALLOPTIONS, &used);
	pcre2_pattern_info(path->regex, PCRE2_INFO_CAPTURECOUNT, &groups);
	path->anchored = (used & PCRE2_ANCHORED) != 0;
	return groups <= ROUTE_NAMES_MAX
		   ? 0
		   : word_fail(error, "path has more than %d groups",
			 ROUTE_NAMES_MAX);
}

static void
route_path_add(
    struct route_path *path, bool is_name, const char *bytes, size_t len)
{
	path->pieces[path->count++] =
	    (struct route_piece){is_name, {bytes, len}};
}

static bool
route_path_is_name(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
			    "yz0123456789_-",
			bytes[i]))
			return false;
	return len > 0;
}

/* "{id}", which is a whole segment.  Return what is behind it, or NULL: it is
 * none. */
static const char *
route_path_take_name(struct route_path *path, const char *at)
{
	const char *end = *at == '{' ? strchr(at, '}') : NULL;
	struct route_text name = {at + 1, end ? (size_t)(end - at - 1) : 0};

	if (!end || at[-1] != '/' || (end[1] && end[1] != '/') ||
	    !route_path_is_name(name.bytes, name.len) ||
	    route_path_find_name(path, &name) != -1)
		return NULL;
	route_path_add(path, true, name.bytes, name.len);
	return end + 1;
}

static int
route_path_set_pieces(struct route_path *path, struct limit_error *error)
{
	const char *at = path->pattern;

	if (*at != '/')
		return word_fail(error, "path must start with / or ~");
	while (*at && *at != '*') {
		size_t len = strcspn(at, "{}*");

		/* Behind a name: there is room for a text after the last. */
		if (len > 0)
			route_path_add(path, false, at, len);
		at += len;
		if (*at == '{' && path->count == COUNT(path->pieces))
			return word_fail(error, "path has more than %d {names}",
			    ROUTE_NAMES_MAX);
		if (*at && *at != '*')
			at = route_path_take_name(path, at);
		if (!at)
			return word_fail(error,
			    "path: {name} must be a whole segment, named once");
	}
	path->takes_rest = *at == '*';
	if (*at && at[1])
		return word_fail(error, "path: * must be at its end");
	path->literal = strndup(path->pattern, strcspn(path->pattern, "{*"));
	return path->literal ? 0 : word_fail(error, "out of memory");
}

int
route_path_set(
    struct route_path *path, const char *value, struct limit_error *error)
{
	path->pattern = strdup(value);
	if (!path->pattern)
		return word_fail(error, "out of memory");
	return *value == '~' ? route_path_set_regex(path, error)
			     : route_path_set_pieces(path, error);
}

void
route_path_free(struct route_path *path)
{
	pcre2_code_free(path->regex);
	free(path->literal);
	free(path->pattern);
}

int
route_path_find_name(
    const struct route_path *path, const struct route_text *name)
{
	char text[LIMIT_NAME_MAX + 1];
	int number = 0;

	if (name->len > LIMIT_NAME_MAX)
		return -1;
	if (path->regex) {
		memcpy(text, name->bytes, name->len);
		text[name->len] = '\0';
		number = pcre2_substring_number_from_name(
		    path->regex, (PCRE2_SPTR)text);
		return number > 0 ? number : -1;
	}
	for (unsigned i = 0; i < path->count; i++) {
		const struct route_piece *piece = &path->pieces[i];

		number += piece->is_name;
		if (piece->is_name && piece->text.len == name->len &&
		    memcmp(piece->text.bytes, name->bytes, name->len) == 0)
			return number;
	}
	return -1;
}

/*
 * Trying.
 */

static bool
route_path_matches_regex(const struct route_path *path,
    const struct route_text *text, struct rules_scratch *scratch,
    struct route_names *names)
{
	int count = rules_scratch_try(
	    scratch, path->regex, path->anchored, text->bytes, text->len);

	if (count == PCRE2_ERROR_NOMATCH)
		return false;
	*names = (struct route_names){0};
	for (int i = 1; i < count; i++)
		names->values[i].bytes = rules_scratch_group(
		    scratch, i, text->bytes, &names->values[i].len);
	return true;
}

static bool
route_path_matches_pieces(const struct route_path *path,
    const struct route_text *text, struct route_names *names)
{
	const char *at = text->bytes, *end = at + text->len;
	unsigned number = 0;

	for (unsigned i = 0; i < path->count; i++) {
		const struct route_piece *piece = &path->pieces[i];
		size_t len = piece->text.len;

		if (piece->is_name) {
			const char *slash = memchr(at, '/', (size_t)(end - at));

			len = (size_t)((slash ? slash : end) - at);
			if (len == 0)
				return false;
			names->values[++number] = (struct route_text){at, len};
		} else if ((size_t)(end - at) < len ||
			   memcmp(at, piece->text.bytes, len) != 0) {
			return false;
		}
		at += len;
	}
	return path->takes_rest || at == end;
}

bool
route_path_matches(const struct route_path *path, const struct route_text *text,
    struct rules_scratch *scratch, struct route_names *names)
{
	if (!path->pattern)
		return true;
	return path->regex
		   ? route_path_matches_regex(path, text, scratch, names)
		   : route_path_matches_pieces(path, text, names);
}

bool
route_path_covers(const struct route_path *path, const struct route_path *other)
{
	if (!path->pattern)
		return true;
	if (!other->pattern)
		return false;
	if (strcmp(path->pattern, other->pattern) == 0)
		return true;
	return path->takes_rest && path->count == 1 && other->literal &&
	       strncmp(other->literal, path->literal, strlen(path->literal)) ==
		   0;
}

/*
 * Cleaning.
 */

/* What is no %XX stays. */
static size_t
route_path_decode(char *to, const char *path, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high = -1, low = -1;

		if (path[i] == '%' && len - i > 2) {
			high = num_hex(path[i + 1]);
			low = num_hex(path[i + 2]);
		}
		if (high == -1 || low == -1) {
			to[out++] = path[i];
			continue;
		}
		to[out++] = (char)(16 * high + low);
		i += 2;
	}
	return out;
}

/* The length of ${len} bytes without their last segment. */
static size_t
route_path_parent(const char *path, size_t len)
{
	while (len > 0 && path[--len] != '/')
		;
	return len;
}

size_t
route_clean_path(char *to, const char *path, size_t len)
{
	size_t end = route_path_decode(to, path, len), out = 0, at = 0, next;

	if (end == 0 || *to != '/')
		return end;
	for (; at < end; at = next) {
		const char *segment = to + at + 1;
		const char *slash = memchr(segment, '/', end - at - 1);
		size_t size;

		next = slash ? (size_t)(slash - to) : end;
		size = next - at - 1;
		if (size == 2 && memcmp(segment, "..", 2) == 0) {
			out = route_path_parent(to, out);
		} else if (size > 0 && (size != 1 || *segment != '.')) {
			memmove(to + out, to + at, size + 1);
			out += size + 1;
			continue;
		}
		if (next == end)
			to[out++] = '/';
	}
	return out;
}
