/*
 * Job: writes patterns and names of limits for descriptors.
 * Invariant: a pattern matches the keys that protocol/descriptors.c makes of
 * the descriptors that envoyproxy/ratelimit would match, and no others.
 * The heart: import_text_put_entry().
 */
#include "cli/import_text.h"

#include "base/num.h"
#include "limit/key.h"
#include "protocol/descriptors.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What a * becomes. */
enum import_star {
	STAR_TEXT, /* a character */
	STAR_TOLD, /* the same, of what the pattern has a * for */
	STAR_STAR, /* any characters */
	STAR_PART, /* $1, $2... */
};

/* What is written. */
struct import_writing {
	struct import_pattern *to;
	bool is_key; /* for also, not for match */
	bool has_failed;
};

/* Append text that is no character of a key, or more than one. */
static void
import_text_put(struct import_writing *writing, const char *bytes, size_t len)
{
	if (buf_add(&writing->to->text, bytes, len) == -1)
		writing->has_failed = true;
}

/* A character of the key; in front of the special ones there is a sign. */
static void
import_text_put_character(struct import_writing *writing, char c)
{
	if (writing->is_key && c == '$')
		import_text_put(writing, "$", 1);
	else if (!writing->is_key && strchr("*?[\\~^$", c))
		import_text_put(writing, "\\", 1);
	writing->to->has_separator |= c == ',';
	writing->to->least++;
	import_text_put(writing, &c, 1);
}

static void
import_text_put_star(struct import_writing *writing, enum import_star star)
{
	char part[NUM_MAX_LEN + 2];
	int len;

	writing->to->stars++;
	if (star == STAR_STAR) {
		import_text_put(writing, "*", 1);
		return;
	}
	len = snprintf(part, sizeof(part), "$%u", writing->to->stars);
	import_text_put(writing, part, (size_t)len);
}

/* A text as it is in a key. */
static void
import_text_put_text(struct import_writing *writing,
    const struct yaml_tree_node *text, bool is_name, enum import_star star)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text->len; i++) {
		unsigned char byte = (unsigned char)text->text[i];
		bool is_star = byte == '*' && star != STAR_TEXT;
		bool is_next = is_star && i > 0 && text->text[i - 1] == '*';

		if (is_star && star == STAR_TOLD) {
			writing->to->stars += !is_next;
			import_text_put_character(writing, '*');
		} else if (is_next) {
			continue; /* several in a row are one */
		} else if (is_star) {
			import_text_put_star(writing, star);
		} else if (descriptor_is_plain(byte, is_name)) {
			import_text_put_character(writing, (char)byte);
		} else {
			import_text_put_character(writing, '%');
			import_text_put_character(writing, digits[byte >> 4]);
			import_text_put_character(writing, digits[byte & 15]);
		}
	}
}

/* "/key=value"; ${is_shared}: its * are characters.  With "=*" there may be no
 * value at all. */
static void
import_text_put_entry(struct import_writing *writing,
    const struct envoy_node *node, bool is_shared)
{
	enum import_star star = writing->is_key ? STAR_PART : STAR_STAR;
	enum import_star shared = writing->is_key ? STAR_TOLD : STAR_TEXT;

	import_text_put_character(writing, '/');
	import_text_put_text(writing, node->key, true, STAR_TEXT);
	import_text_put(writing, "=", 1);
	if (node->kind == ENVOY_ANY) {
		import_text_put_star(writing, star);
		return;
	}
	writing->to->least++;
	import_text_put_text(
	    writing, node->value, false, is_shared ? shared : star);
}

static int
import_text_write(struct import_writing *writing,
    const struct import_path *path, unsigned more, bool as_shared)
{
	*writing->to = (struct import_pattern){0};
	import_text_put_text(writing, path->nodes[0]->key, false, STAR_TEXT);
	for (unsigned i = 1; i < path->len; i++)
		import_text_put_entry(writing, path->nodes[i],
		    as_shared && path->nodes[i]->is_shared);
	for (; more > 0; more--) {
		import_text_put_character(writing, '/');
		import_text_put_star(writing, STAR_STAR);
	}
	import_text_put(writing, "", 1);
	if (!writing->has_failed)
		return 0;
	import_pattern_free(writing->to);
	return -1;
}

int
import_text_pattern(struct import_pattern *to, const struct import_path *path,
    unsigned more, bool as_shared)
{
	struct import_writing writing = {.to = to};

	return import_text_write(&writing, path, more, as_shared);
}

int
import_text_shared_key(
    struct import_pattern *to, const struct import_path *path)
{
	struct import_writing writing = {.to = to, .is_key = true};

	return import_text_write(&writing, path, 0, true);
}

void
import_pattern_free(struct import_pattern *pattern)
{
	buf_free(&pattern->text);
}

/*
 * Names.
 */

/* A name being made, of which only the first bytes are kept. */
struct import_name {
	char bytes[LIMIT_NAME_MAX];
	size_t len;
};

/* What a name may not have is one _, in a row. */
static void
import_text_add_name(struct import_name *to, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		bool is_fine = c < 0x80 && (isalnum(c) || c == '-');
		char letter = '_';

		if (!is_fine && to->len > 0 && to->len <= LIMIT_NAME_MAX &&
		    to->bytes[to->len - 1] == '_')
			continue;
		if (is_fine)
			letter = (char)c;
		if (to->len < LIMIT_NAME_MAX)
			to->bytes[to->len] = letter;
		to->len++;
	}
}

static void
import_text_make_name(
    struct import_name *to, const struct import_path *path, const char *suffix)
{
	to->len = 0;
	for (unsigned i = 0; i < path->len; i++) {
		const struct envoy_node *node = path->nodes[i];

		if (i > 0)
			import_text_add_name(to, "_", 1);
		import_text_add_name(to, node->name, node->name_len);
	}
	import_text_add_name(to, suffix, strlen(suffix));
}

/* Return 1: the name is new; 0: it is there already; -1: out of memory. */
static int
import_text_take_name(struct hash_index *names, const char *name)
{
	struct hash128 hash = key_make(name, strlen(name)).hash;

	if (hash_index_find(names, &hash) != INDEX_NONE)
		return 0;
	return hash_index_add(names, &hash, 0) == 0 ? 1 : -1;
}

/* The same pattern makes the same name each time: a limit that keeps its name
 * keeps its buckets. */
int
import_text_name(char name[LIMIT_NAME_MAX + 1], const struct import_path *path,
    const char *suffix, const char *pattern, struct hash_index *names)
{
	static const struct siphash_seed seed = {0, 0};
	struct hash128 hash = siphash128(&seed, pattern, strlen(pattern));
	struct import_name made;
	int is_new = 0;

	import_text_make_name(&made, path, suffix);
	if (made.len <= LIMIT_NAME_MAX) {
		snprintf(name, LIMIT_NAME_MAX + 1, "%.*s", (int)made.len,
		    made.bytes);
		is_new = import_text_take_name(names, name);
	}
	while (is_new == 0) {
		snprintf(name, LIMIT_NAME_MAX + 1, "%.*s_%08x",
		    (int)(made.len < 55 ? made.len : 55), made.bytes,
		    (unsigned)hash.lo++);
		is_new = import_text_take_name(names, name);
	}
	return is_new == 1 ? 0 : -1;
}
