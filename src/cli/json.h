/**
 * json: writes JSON (RFC 8259) piece by piece.
 *
 * ${name} is the member's name in an object, and NULL in an array or at the
 * top.  Raw values are the caller's own words, and are not escaped.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	bool comma; /* the same object or array has something before it */
};

/** Begin and end an object, '{' and '}', or an array, '[' and ']'. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

/** Any bytes; each that is not printable UTF-8 becomes U+FFFD. */
void json_bytes(
    struct json *json, const char *name, const char *bytes, size_t len);
void json_text(struct json *json, const char *name, const char *text);

void json_int(struct json *json, const char *name, int64_t value);

/** A number, true, false or null, as it is. */
void json_raw(struct json *json, const char *name, const char *value);

/** Whether ${len} bytes are a number as JSON has it. */
bool json_is_number(const char *bytes, size_t len);

/** End the line after the outermost value. */
void json_end(struct json *json);

#endif
