/*
 * Job: reads a request from a body in JSON.
 * Invariant: ${at} never passes ${end}, and nothing nests deeper than an object
 * in each, so there is no recursion.
 * The heart: http_json_member() and http_json_read().
 */
#include "protocol/http/http_json.h"

#include <stdint.h>
#include <string.h>

/* Bytes that are read from the front. */
struct http_json {
	const char *at, *end;
};

static void
http_json_skip_space(struct http_json *json)
{
	while (
	    json->at < json->end && *json->at && strchr(" \t\r\n", *json->at))
		json->at++;
}

/* Take this byte, if it is the next but for blanks. */
static bool
http_json_take(struct http_json *json, char c)
{
	http_json_skip_space(json);
	if (json->at == json->end || *json->at != c)
		return false;
	json->at++;
	return true;
}

/* What a string is decoded to; longer ones are cut, and seen to be longer. */
struct http_json_text {
	char bytes[HTTP_VALUE_MAX + 4];
	size_t len;
};

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

static bool
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

static bool
http_json_is_next(const struct http_json *json, const char *any)
{
	return json->at < json->end && *json->at && strchr(any, *json->at);
}

/* A number as it is written; whether it is whole is for its reader to say. */
static bool
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

/* A value, a string or a number; what is a word is no value of ours. */
static const struct http_problem *
http_json_value(
    struct http_json *json, struct http_ask *ask, const struct http_word *name)
{
	struct http_json_text text;
	struct http_word value;
	bool is_key = name->len == 3 && memcmp(name->bytes, "key", 3) == 0;

	http_json_skip_space(json);
	if (!http_json_is_next(json, "\"")) {
		if (is_key || !http_json_take_number(json, &value))
			return HTTP_PROBLEM(BADJSON);
		return http_ask_take(ask, name, &value);
	}
	if (!is_key || !http_json_take_string(json, &text))
		return HTTP_PROBLEM(BADJSON);
	value = (struct http_word){text.bytes, text.len, false};
	return http_ask_take(ask, name, &value);
}

static const struct http_problem *http_json_each(
    struct http_json *json, struct http_ask *ask);
static const struct http_problem *http_json_all(
    struct http_json *json, struct http_ask *ask);

/* "NAME": VALUE */
static const struct http_problem *
http_json_member(struct http_json *json, struct http_ask *ask)
{
	struct http_json_text text;
	struct http_word name;

	if (!http_json_take_string(json, &text) || !http_json_take(json, ':'))
		return HTTP_PROBLEM(BADJSON);
	name = (struct http_word){text.bytes, text.len, false};
	if (ask->is_element)
		return http_json_value(json, ask, &name);
	if (name.len == 4 && memcmp(name.bytes, "each", 4) == 0)
		return http_json_each(json, ask);
	if (name.len == 3 && memcmp(name.bytes, "all", 3) == 0)
		return http_json_all(json, ask);
	return http_json_value(json, ask, &name);
}

static const struct http_problem *
http_json_object(struct http_json *json, struct http_ask *ask)
{
	const struct http_problem *problem;

	if (!http_json_take(json, '{'))
		return HTTP_PROBLEM(BADJSON);
	if (http_json_take(json, '}'))
		return http_ask_end(ask);
	do {
		problem = http_json_member(json, ask);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, '}') ? http_ask_end(ask)
					 : HTTP_PROBLEM(BADJSON);
}

const struct http_problem *
http_json_element(struct http_ask *ask, const char **at, const char *end)
{
	struct http_json json = {*at, end};
	const struct http_problem *problem;

	ask->is_json = ask->is_element = true;
	ask->given = 0;
	problem = http_json_object(&json, ask);
	if (!problem)
		(void)http_json_take(&json, ',');
	*at = json.at;
	return problem;
}

/* The array of objects, each of which is checked. */
static const struct http_problem *
http_json_each(struct http_json *json, struct http_ask *ask)
{
	struct request request = *ask->request;
	struct http_ask element = {
	    .request = &request, .room = ask->room, .is_element = true};

	if (ask->each_count > 0 || !http_json_take(json, '['))
		return HTTP_PROBLEM(BADEACH);
	ask->each = json->at;
	do {
		const struct http_problem *problem;

		if (ask->each_count++ == HTTP_EACH_MAX)
			return HTTP_PROBLEM(BADEACH);
		element.given = 0;
		problem = http_json_object(json, &element);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, ']') ? NULL : HTTP_PROBLEM(BADJSON);
}

/* The array of objects that are one decision. */
static const struct http_problem *
http_json_all(struct http_json *json, struct http_ask *ask)
{
	struct http_ask element = {.room = ask->room, .is_element = true};

	if (!ask->keys || ask->key_count > 0 || !http_json_take(json, '['))
		return HTTP_PROBLEM(BADALL);
	do {
		struct request request = *ask->request;
		const struct http_problem *problem;

		element.request = &request;
		element.given = 0;
		problem = http_json_object(json, &element);
		if (!problem)
			problem = http_ask_add_key(ask, &request);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, ']') ? NULL : HTTP_PROBLEM(BADJSON);
}

const struct http_problem *
http_json_read(struct http_ask *ask, const char *bytes, size_t len)
{
	struct http_json json = {bytes, bytes + len};
	const struct http_problem *problem;

	ask->is_json = true;
	problem = http_json_object(&json, ask);
	if (problem)
		return problem;
	http_json_skip_space(&json);
	return json.at == json.end ? NULL : HTTP_PROBLEM(BADJSON);
}
