/*
 * Job: takes the parts of JSON, one by one.
 * Invariant: ${at} never passes ${end}.
 * The heart: http_json_take_string() and http_json_take_number().
 */
#include "protocol/http/http_json_part.h"

#include <stdint.h>
#include <string.h>

void
http_json_skip_space(struct http_json *json)
{
	while (
	    json->at < json->end && *json->at && strchr(" \t\r\n", *json->at))
		json->at++;
}

bool
http_json_take(struct http_json *json, char c)
{
	http_json_skip_space(json);
	if (json->at == json->end || *json->at != c)
		return false;
	json->at++;
	return true;
}

static void
http_json_put(struct http_json_text *text, unsigned char c)
{
	if (text->len < sizeof(text->bytes))
		text->bytes[text->len++] = (char)c;
}

static void
http_json_put_character(struct http_json_text *text, uint32_t code)
{
	if (code < 0x80) {
		http_json_put(text, (unsigned char)code);
		return;
	}
	if (code < 0x800) {
		http_json_put(text, (unsigned char)(0xC0 | code >> 6));
	} else {
		if (code < 0x10000) {
			http_json_put(text, (unsigned char)(0xE0 | code >> 12));
		} else {
			http_json_put(text, (unsigned char)(0xF0 | code >> 18));
			http_json_put(
			    text, (unsigned char)(0x80 | (code >> 12 & 0x3F)));
		}
		http_json_put(text, (unsigned char)(0x80 | (code >> 6 & 0x3F)));
	}
	http_json_put(text, (unsigned char)(0x80 | (code & 0x3F)));
}

/* The four digits of an escape. */
static bool
http_json_take_hex(struct http_json *json, uint32_t *code)
{
	static const char digits[] = "0123456789abcdef";

	if (json->end - json->at < 4)
		return false;
	*code = 0;
	for (int i = 0; i < 4; i++) {
		char c = *json->at++;
		const char *digit;

		if (c >= 'A' && c <= 'F')
			c = (char)(c | ' ');
		digit = c ? strchr(digits, c) : NULL;
		if (!digit)
			return false;
		*code = 16 * *code + (uint32_t)(digit - digits);
	}
	return true;
}

/* Behind "\u": characters beyond U+FFFF are two of them. */
static bool
http_json_take_code(struct http_json *json, struct http_json_text *text)
{
	uint32_t code, low;

	if (!http_json_take_hex(json, &code) || (code & 0xFC00) == 0xDC00)
		return false;
	if ((code & 0xFC00) == 0xD800) {
		if (json->end - json->at < 2 || memcmp(json->at, "\\u", 2) != 0)
			return false;
		json->at += 2;
		if (!http_json_take_hex(json, &low) || (low & 0xFC00) != 0xDC00)
			return false;
		code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
	}
	http_json_put_character(text, code);
	return true;
}

static bool
http_json_take_escape(struct http_json *json, struct http_json_text *text)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *name;
	char c;

	if (json->at == json->end)
		return false;
	c = *json->at++;
	if (c == 'u')
		return http_json_take_code(json, text);
	name = c ? strchr(names, c) : NULL;
	if (!name)
		return false;
	http_json_put(text, (unsigned char)meanings[name - names]);
	return true;
}

bool
http_json_take_string(struct http_json *json, struct http_json_text *text)
{
	text->len = 0;
	if (!http_json_take(json, '"'))
		return false;
	while (json->at < json->end) {
		unsigned char c = (unsigned char)*json->at++;

		if (c == '"')
			return true;
		if (c < ' ')
			return false;
		if (c != '\\')
			http_json_put(text, c);
		else if (!http_json_take_escape(json, text))
			return false;
	}
	return false;
}

static size_t
http_json_take_digits(struct http_json *json)
{
	const char *start = json->at;

	while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
		json->at++;
	return (size_t)(json->at - start);
}

bool
http_json_is_next(const struct http_json *json, const char *any)
{
	return json->at < json->end && *json->at && strchr(any, *json->at);
}

bool
http_json_take_number(struct http_json *json, struct http_word *word)
{
	const char *start;
	bool zero;

	http_json_skip_space(json);
	start = json->at;
	if (http_json_is_next(json, "-"))
		json->at++;
	zero = http_json_is_next(json, "0");
	switch (http_json_take_digits(json)) {
	case 0:
		return false;
	case 1:
		break;
	default:
		if (zero)
			return false;
	}
	if (http_json_is_next(json, ".")) {
		json->at++;
		if (http_json_take_digits(json) == 0)
			return false;
	}
	if (http_json_is_next(json, "eE")) {
		json->at++;
		if (http_json_is_next(json, "+-"))
			json->at++;
		if (http_json_take_digits(json) == 0)
			return false;
	}
	*word = (struct http_word){start, (size_t)(json->at - start), true};
	return true;
}

bool
http_json_take_word(struct http_json *json, const char *word)
{
	size_t len = strlen(word);

	http_json_skip_space(json);
	if ((size_t)(json->end - json->at) < len ||
	    memcmp(json->at, word, len) != 0)
		return false;
	json->at += len;
	return true;
}
