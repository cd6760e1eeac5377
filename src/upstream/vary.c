/*
 * Job: the fields of a request that Vary names, as a text that selects a
 * response.
 * The heart: vary_put_field(), which writes the text, or compares it.
 */
#include "upstream/freshness.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Longest name of a field. */
#define NAME_MAX_LEN 256

/* Text that is written, or compared with one that was. */
struct vary_text {
	struct buf *to; /* NULL: it is compared */
	struct part left;
	bool failed;
};

static void
vary_put(struct vary_text *text, const char *bytes, size_t len)
{
	if (text->to) {
		text->failed |= buf_len(text->to) + len > VARY_MAX ||
				buf_add(text->to, bytes, len) != 0;
	} else if (text->left.len < len ||
		   memcmp(text->left.bytes, bytes, len) != 0) {
		text->failed = true;
	} else {
		text->left.bytes += len;
		text->left.len -= len;
	}
}

/* "NAME:MEMBER,MEMBER" LF, of all fields of that name in the request; without
 * the colon if there are none. */
static void
vary_put_field(struct vary_text *text, struct part name, struct headers request)
{
	struct http_header header;
	struct part member;
	bool has = false, has_member = false;

	vary_put(text, name.bytes, name.len);
	while (!text->failed && headers_next(&request, &header)) {
		if (header.name.len != name.len ||
		    strncasecmp(header.name.bytes, name.bytes, name.len) != 0)
			continue;
		if (!has)
			vary_put(text, ":", 1);
		has = true;
		while (part_next_member(&header.value, &member)) {
			if (has_member)
				vary_put(text, ",", 1);
			has_member = true;
			vary_put(text, member.bytes, member.len);
		}
	}
	vary_put(text, "\n", 1);
}

/* Write the name of a field in lower case to ${to}.  Return whether it can be
 * one; "*" can. */
static bool
vary_lower(char to[NAME_MAX_LEN], struct part name)
{
	if (name.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		to[i] = (char)tolower((unsigned char)name.bytes[i]);
		if (to[i] <= ' ' || to[i] > '~' || to[i] == ':')
			return false;
	}
	return true;
}

int
vary_select(struct buf *to, struct headers response, struct headers request)
{
	struct vary_text text = {.to = to};
	struct http_header header;
	char lower[NAME_MAX_LEN];
	struct part name;

	while (headers_next(&response, &header)) {
		if (!part_is(header.name, "vary"))
			continue;
		while (part_next_member(&header.value, &name)) {
			if (part_is(name, "*") || !vary_lower(lower, name))
				return -1;
			name.bytes = lower;
			vary_put_field(&text, name, request);
		}
	}
	return text.failed ? -1 : 0;
}

/* Take the next name off ${rest}, lines of names, perhaps with what stands in
 * the request behind them.  Return whether there is one. */
static bool
vary_next_name(struct part *rest, struct part *name)
{
	const char *end = memchr(rest->bytes, '\n', rest->len);
	const char *colon;

	if (!end)
		return false;
	*name = (struct part){rest->bytes, (size_t)(end - rest->bytes)};
	colon = memchr(name->bytes, ':', name->len);
	if (colon)
		name->len = (size_t)(colon - name->bytes);
	rest->len -= (size_t)(end + 1 - rest->bytes);
	rest->bytes = end + 1;
	return true;
}

int
vary_names(struct buf *to, struct part selecting)
{
	struct part name;

	while (selecting.len > 0 && vary_next_name(&selecting, &name))
		if (buf_add(to, name.bytes, name.len) == -1 ||
		    buf_add(to, "\n", 1) == -1)
			return -1;
	return 0;
}

int
vary_select_names(struct buf *to, struct part names, struct headers request)
{
	struct vary_text text = {.to = to};
	struct part name;

	while (names.len > 0 && !text.failed && vary_next_name(&names, &name))
		vary_put_field(&text, name, request);
	return text.failed ? -1 : 0;
}

bool
vary_matches(struct part selecting, struct headers request)
{
	struct vary_text text = {.left = selecting};
	struct part name;

	while (text.left.len > 0 && !text.failed) {
		struct part rest = text.left;

		if (!vary_next_name(&rest, &name))
			return false;
		vary_put_field(&text, name, request);
	}
	return !text.failed;
}
