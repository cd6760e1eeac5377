#include "cli/text.h"

#include "cli/tool.h"
#include "limit/key.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

size_t
text_character(const char *bytes, size_t len)
{
	if (len == 0 || (unsigned char)*bytes < 0x80)
		return 0;
	for (size_t n = 2; n <= 4 && n <= len; n++)
		if (key_is_text(bytes, n))
			return n;
	return 0;
}

/* Write the character that ${bytes} start with; set ${taken} to its length.
 * Return how much was written. */
static size_t
text_escape_one(char *to, const char *bytes, size_t len, size_t *taken)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)*bytes;
	size_t n =
	    byte >= 0x20 && byte <= 0x7E ? 1 : text_character(bytes, len);

	*taken = n ? n : 1;
	if (n > 0) {
		memcpy(to, bytes, n);
		return n;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = digits[byte >> 4];
	to[3] = digits[byte & 15];
	return TEXT_ESCAPED_MAX;
}

size_t
text_escape(char *to, const char *bytes, size_t len)
{
	size_t used = 0, taken;

	for (size_t i = 0; i < len; i += taken)
		used += text_escape_one(to + used, bytes + i, len - i, &taken);
	to[used] = '\0';
	return used;
}

void
text_write(FILE *to, const char *bytes, size_t len)
{
	char one[TEXT_ESCAPED_MAX];
	size_t taken;

	for (size_t i = 0; i < len; i += taken) {
		size_t count = text_escape_one(one, bytes + i, len - i, &taken);

		fwrite(one, 1, count, to);
	}
}

void
text_line(const char *format, ...)
{
	char *line;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len == -1)
		exit(tool_error("out of memory"));
	text_write(stdout, line, (size_t)len);
	putchar('\n');
	free(line);
}
