#include "tool/json.h"

#include "limit/key.h"

#include <string.h>

static void
start_value(struct json *json, const char *name)
{
	if (json->comma)
		fputc(',', json->to);
	if (name)
		fprintf(json->to, "\"%s\":", name);
	json->comma = true;
}

void
json_open(struct json *json, const char *name, char bracket)
{
	start_value(json, name);
	fputc(bracket, json->to);
	json->comma = false;
}

void
json_close(struct json *json, char bracket)
{
	fputc(bracket, json->to);
	json->comma = true;
}

/* Length of the character at the start of ${bytes}, 0 if they are no UTF-8. */
static size_t
character(const char *bytes, size_t len)
{
	for (size_t n = 2; n <= 4 && n <= len; n++)
		if (key_is_text(bytes, n))
			return n;
	return 0;
}

/* Write what stands at the start of ${bytes}; return its length. */
static size_t
write_one(FILE *to, const char *bytes, size_t len)
{
	unsigned char c = (unsigned char)*bytes;
	size_t n;

	if (c >= 0x80) {
		n = character(bytes, len);
		if (n == 0)
			fputs("\\ufffd", to);
		fwrite(bytes, 1, n, to);
		return n ? n : 1;
	}
	if (c < 0x20 || c == 0x7f) {
		fprintf(to, "\\u%04x", c);
	} else {
		if (c == '"' || c == '\\')
			fputc('\\', to);
		fputc(c, to);
	}
	return 1;
}

void
json_bytes(struct json *json, const char *name, const char *bytes, size_t len)
{
	start_value(json, name);
	fputc('"', json->to);
	for (size_t i = 0; i < len;)
		i += write_one(json->to, bytes + i, len - i);
	fputc('"', json->to);
}

void
json_text(struct json *json, const char *name, const char *text)
{
	json_bytes(json, name, text, strlen(text));
}

void
json_int(struct json *json, const char *name, int64_t value)
{
	start_value(json, name);
	fprintf(json->to, "%lld", (long long)value);
}

void
json_raw(struct json *json, const char *name, const char *value)
{
	start_value(json, name);
	fputs(value, json->to);
}

static size_t
digits(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && bytes[n] >= '0' && bytes[n] <= '9')
		n++;
	return n;
}

bool
json_is_number(const char *bytes, size_t len)
{
	size_t sign = len > 0 && *bytes == '-';
	size_t whole = digits(bytes + sign, len - sign);
	size_t used = sign + whole;

	if (whole == 0 || (whole > 1 && bytes[sign] == '0'))
		return false;
	if (used == len)
		return true;
	return bytes[used] == '.' && used + 1 < len &&
	       digits(bytes + used + 1, len - used - 1) == len - used - 1;
}

void
json_end(struct json *json)
{
	fputc('\n', json->to);
	json->comma = false;
}
