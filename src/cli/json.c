#include "cli/json.h"

#include "cli/text.h"

#include <string.h>

/* Write the character that ${bytes} start with; return its length. */
static size_t
json_write_one(FILE *to, const char *bytes, size_t len)
{
	unsigned char c = (unsigned char)*bytes;
	size_t n;

	if (c >= 0x80) {
		n = text_character(bytes, len);
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

static void
json_write_text(FILE *to, const char *bytes, size_t len)
{
	fputc('"', to);
	for (size_t i = 0; i < len;)
		i += json_write_one(to, bytes + i, len - i);
	fputc('"', to);
}

static void
json_start_value(struct json *json, const char *name)
{
	if (json->comma)
		fputc(',', json->to);
	if (name) {
		json_write_text(json->to, name, strlen(name));
		fputc(':', json->to);
	}
	json->comma = true;
}

void
json_open(struct json *json, const char *name, char bracket)
{
	json_start_value(json, name);
	fputc(bracket, json->to);
	json->comma = false;
}

void
json_close(struct json *json, char bracket)
{
	fputc(bracket, json->to);
	json->comma = true;
}

void
json_bytes(struct json *json, const char *name, const char *bytes, size_t len)
{
	json_start_value(json, name);
	json_write_text(json->to, bytes, len);
}

void
json_text(struct json *json, const char *name, const char *text)
{
	json_bytes(json, name, text, strlen(text));
}

void
json_int(struct json *json, const char *name, int64_t value)
{
	json_start_value(json, name);
	fprintf(json->to, "%lld", (long long)value);
}

void
json_raw(struct json *json, const char *name, const char *value)
{
	json_start_value(json, name);
	fputs(value, json->to);
}

static size_t
json_digits(const char *bytes, size_t len)
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
	size_t whole = json_digits(bytes + sign, len - sign);
	size_t used = sign + whole;

	if (whole == 0 || (whole > 1 && bytes[sign] == '0'))
		return false;
	if (used == len)
		return true;
	return bytes[used] == '.' && used + 1 < len &&
	       json_digits(bytes + used + 1, len - used - 1) == len - used - 1;
}

void
json_end(struct json *json)
{
	fputc('\n', json->to);
	json->comma = false;
}
