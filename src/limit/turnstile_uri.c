/*
 * Job: reads a uri as Routes 2 does, and writes it as the path of a route.
 * Invariant: what is written matches the same paths, and has no blank.
 * The heart: turnstile_uri_take() and turnstile_uri_put_piece().
 */
#include "limit/turnstile_uri.h"

#include "limit/word.h"

#include <ctype.h>
#include <string.h>

/* What a backslash takes its meaning from, in a uri. */
#define SIGNS "\\:*{}"

/* Where a name without braces ends. */
#define NAME_ENDS "/,;.#-"

/*
 * Reading.
 */

static bool
turnstile_uri_is_name(const struct route_text *name)
{
	for (size_t i = 0; i < name->len; i++)
		if (!isalnum((unsigned char)name->bytes[i]) &&
		    name->bytes[i] != '_')
			return false;
	return name->len > 0 && !isdigit((unsigned char)*name->bytes);
}

static int
turnstile_uri_add(struct turnstile_uri *uri, struct turnstile_piece piece,
    struct limit_error *error)
{
	if (uri->count == TURNSTILE_PIECES_MAX)
		return word_fail(error, "uri has more than %d names and texts",
		    TURNSTILE_PIECES_MAX);
	if (piece.kind != TURNSTILE_PIECE_TEXT) {
		if (!turnstile_uri_is_name(&piece.text))
			return word_fail(
			    error, "uri: a name is of A-Z a-z 0-9 _");
		if (turnstile_uri_find(uri, &piece.text))
			return word_fail(error, "uri names {%.*s} twice",
			    (int)(piece.text.len < 40 ? piece.text.len : 40),
			    piece.text.bytes);
	}
	uri->pieces[uri->count++] = piece;
	return 0;
}

/* What is behind "{": "name}", "name:regex}" or ".name}".  Return the length of
 * it, with the brace, or 0. */
static size_t
turnstile_uri_take_braces(
    struct turnstile_piece *piece, const char *at, const char *end)
{
	const char *stop = at, *colon;

	while (stop < end && *stop != '}')
		stop += *stop == '\\' && end - stop > 1 ? 2 : 1;
	if (stop == end)
		return 0;
	piece->kind = TURNSTILE_PIECE_SEGMENT;
	piece->text = (struct route_text){at, (size_t)(stop - at)};
	if (piece->text.len > 0 && *at == '.') {
		piece->kind = TURNSTILE_PIECE_EXTENSION;
		piece->text.bytes++;
		piece->text.len--;
	}
	colon = memchr(piece->text.bytes, ':', piece->text.len);
	if (colon) {
		piece->text.len = (size_t)(colon - piece->text.bytes);
		if (colon + 1 < stop)
			piece->regex = (struct route_text){
			    colon + 1, (size_t)(stop - colon - 1)};
		piece->is_inline = true;
	}
	return (size_t)(stop + 1 - at);
}

/* What is behind ":" or "*": "name" or "(name)".  Return its length, or 0. */
static size_t
turnstile_uri_take_name(
    struct turnstile_piece *piece, const char *at, const char *end)
{
	bool is_enclosed = at < end && *at == '(';
	const char *name = at + is_enclosed, *stop = name;

	while (stop < end &&
	       (is_enclosed ? *stop != ')' : !strchr(NAME_ENDS, *stop)))
		stop++;
	if (is_enclosed && stop == end)
		return 0;
	piece->text = (struct route_text){name, (size_t)(stop - name)};
	return (size_t)(stop - at) + is_enclosed;
}

/* Take a piece off the uri at ${at}.  Return its length; 0: it is none. */
static size_t
turnstile_uri_take(
    struct turnstile_piece *piece, const char *at, const char *end)
{
	size_t len;

	*piece = (struct turnstile_piece){.kind = TURNSTILE_PIECE_TEXT};
	if (*at == '\\') {
		/* It is part of the text where it means nothing. */
		bool is_sign = end - at > 1 && strchr(SIGNS, at[1]);

		len = end - at > 1 ? 2 : 1;
		piece->text = (struct route_text){at + is_sign, len - is_sign};
		return len;
	}
	if (*at == '{') {
		len = turnstile_uri_take_braces(piece, at + 1, end);
		return len > 0 ? len + 1 : 0;
	}
	if (*at == ':' || *at == '*') {
		piece->kind =
		    *at == ':' ? TURNSTILE_PIECE_SEGMENT : TURNSTILE_PIECE_REST;
		len = turnstile_uri_take_name(piece, at + 1, end);
		return len > 0 ? len + 1 : 0;
	}
	for (len = 0; at + len < end && !strchr("\\{:*", at[len]); len++)
		;
	piece->text = (struct route_text){at, len};
	return len;
}

int
turnstile_uri_read(struct turnstile_uri *uri, const struct route_text *text,
    struct limit_error *error)
{
	const char *at = text->bytes, *end = at + text->len;
	struct turnstile_piece piece;

	uri->count = 0;
	if (text->len > 0 && memchr(at, '\0', text->len))
		return word_fail(error, "uri has a NUL in it");
	while (at < end) {
		size_t len = turnstile_uri_take(&piece, at, end);

		if (len == 0)
			return word_fail(error, "uri, at byte %zu: no name",
			    (size_t)(at - text->bytes) + 1);
		if (turnstile_uri_add(uri, piece, error) == -1)
			return -1;
		at += len;
	}
	return 0;
}

struct turnstile_piece *
turnstile_uri_find(struct turnstile_uri *uri, const struct route_text *name)
{
	for (unsigned i = 0; i < uri->count; i++) {
		struct turnstile_piece *piece = &uri->pieces[i];

		if (piece->kind != TURNSTILE_PIECE_TEXT &&
		    piece->text.len == name->len &&
		    memcmp(piece->text.bytes, name->bytes, name->len) == 0)
			return piece;
	}
	return NULL;
}

/*
 * Writing.
 */

/* Whether a pattern with {name} says the same, which is easier to read, and to
 * find. */
static bool
turnstile_uri_is_plain(const struct turnstile_uri *uri)
{
	const struct turnstile_piece *first = uri->pieces;

	/* A path always begins so. */
	if (uri->count == 0 || first->kind != TURNSTILE_PIECE_TEXT ||
	    *first->text.bytes != '/')
		return false;
	for (unsigned i = 0; i < uri->count; i++) {
		const struct turnstile_piece *piece = &uri->pieces[i];
		const struct turnstile_piece *next =
		    i + 1 < uri->count ? piece + 1 : NULL;

		if (piece->kind == TURNSTILE_PIECE_TEXT) {
			for (size_t k = 0; k < piece->text.len; k++)
				if (!isgraph(
					(unsigned char)piece->text.bytes[k]) ||
				    strchr("{}*", piece->text.bytes[k]))
					return false;
			continue;
		}
		if (piece->kind != TURNSTILE_PIECE_SEGMENT ||
		    piece->regex.bytes ||
		    piece[-1].kind != TURNSTILE_PIECE_TEXT ||
		    piece[-1].text.bytes[piece[-1].text.len - 1] != '/' ||
		    (next && *next->text.bytes != '/'))
			return false;
	}
	return true;
}

static int
turnstile_uri_put_plain(struct buf *out, const struct turnstile_piece *piece)
{
	bool is_name = piece->kind != TURNSTILE_PIECE_TEXT;

	return buf_printf(out, "%s%.*s%s", is_name ? "{" : "",
	    (int)piece->text.len, piece->text.bytes, is_name ? "}" : "");
}

/* One byte of a text, which means itself. */
static int
turnstile_uri_put_byte(struct buf *out, unsigned char byte)
{
	if (!isgraph(byte))
		return buf_printf(out, "\\x%02x", byte);
	return buf_printf(out, "%s%c",
	    isalnum(byte) || strchr("/_-", byte) ? "" : "\\", byte);
}

/* A regular expression: what it may not be written with is written as \xXX. */
static int
turnstile_uri_put_regex(struct buf *out, const struct turnstile_piece *piece)
{
	const struct route_text *regex = &piece->regex;

	for (size_t i = 0; i < regex->len; i++) {
		unsigned char byte = (unsigned char)regex->bytes[i];
		bool escapes = byte == '\\' && i + 1 < regex->len;
		bool is_plain;

		if (escapes)
			byte = (unsigned char)regex->bytes[++i];
		is_plain = isgraph(byte);
		/* In a uri, these signs are escaped for Routes. */
		if (escapes && is_plain &&
		    !(piece->is_inline && strchr(SIGNS, byte)) &&
		    buf_add(out, "\\", 1) == -1)
			return -1;
		if ((is_plain ? buf_add(out, (const char *)&byte, 1)
			      : buf_printf(out, "\\x%02x", byte)) == -1)
			return -1;
	}
	return 0;
}

/* What a name is without a regular expression, and what is around it. */
static const struct {
	const char *before, *any, *behind;
} turnstile_uri_forms[] = {
    [TURNSTILE_PIECE_SEGMENT] = {"", "[^/]+?", ""},
    [TURNSTILE_PIECE_EXTENSION] = {"(?:\\.", "[^/.]+?", ")??"},
    [TURNSTILE_PIECE_REST] = {"", ".+?", ""},
};

static int
turnstile_uri_put_piece(struct buf *out, const struct turnstile_piece *piece)
{
	const char *any = turnstile_uri_forms[piece->kind].any;

	if (piece->kind == TURNSTILE_PIECE_TEXT) {
		for (size_t i = 0; i < piece->text.len; i++)
			if (turnstile_uri_put_byte(
				out, (unsigned char)piece->text.bytes[i]) == -1)
				return -1;
		return 0;
	}
	if (buf_printf(out, "%s(?<%.*s>",
		turnstile_uri_forms[piece->kind].before, (int)piece->text.len,
		piece->text.bytes) == -1 ||
	    (piece->regex.bytes ? turnstile_uri_put_regex(out, piece)
				: buf_add(out, any, strlen(any))) == -1)
		return -1;
	return buf_printf(out, ")%s", turnstile_uri_forms[piece->kind].behind);
}

int
turnstile_uri_write(struct buf *out, const struct turnstile_uri *uri)
{
	bool is_plain = turnstile_uri_is_plain(uri);

	if (buf_add(out, is_plain ? "" : "~^", is_plain ? 0 : 2) == -1)
		return -1;
	for (unsigned i = 0; i < uri->count; i++)
		if ((is_plain ? turnstile_uri_put_plain
			      : turnstile_uri_put_piece)(
			out, &uri->pieces[i]) == -1)
			return -1;
	return buf_add(out, is_plain ? "" : "$", is_plain ? 0 : 1);
}
