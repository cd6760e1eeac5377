/**
 * http_json_part: the parts that JSON is made of, read strictly
 * (https://www.rfc-editor.org/rfc/rfc8259).
 *
 * Each call takes one off the front, and blanks before it.  False: another
 * thing is there, and nothing but blanks may have been taken, or it is wrong.
 */
#ifndef PROTOCOL_HTTP_HTTP_JSON_PART_H
#define PROTOCOL_HTTP_HTTP_JSON_PART_H

#include "base/attr.h"
#include "protocol/http/http_ask.h"

#include <stdbool.h>
#include <stddef.h>

/** Bytes that are read from the front. */
struct http_json {
	const char *at, *end;
};

/** What a string is decoded to; longer ones are cut, and seen to be longer. */
struct http_json_text {
	char bytes[HTTP_VALUE_MAX + 4];
	size_t len;
};

void http_json_skip_space(struct http_json *json);

/** This byte. */
bool http_json_take(struct http_json *json, char c);

bool http_json_take_string(struct http_json *json, struct http_json_text *text);

/** A number as it is written; whether it is whole is for its reader to say. */
bool http_json_take_number(struct http_json *json, struct http_word *word);

/** This word: true, false or null. */
bool http_json_take_word(struct http_json *json, const char *word);

/** Whether one of these bytes is next, without any blanks. */
bool http_json_is_next(const struct http_json *json, const char *any);

#endif
