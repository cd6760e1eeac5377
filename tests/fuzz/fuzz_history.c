/*
 * Any bytes as what the history of the limits has of a set: what is read lies
 * within them, and the members of a set are all that it has.
 */
#include "cli/history_text.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static void
check_piece(const char *piece, size_t len, const char *bytes, size_t size)
{
	check(piece >= bytes && piece <= bytes + size);
	check(len <= (size_t)(bytes + size - piece));
}

static void
try_about(const char *bytes, size_t size)
{
	struct history_about about;

	if (history_text_read_about(&about, bytes, size) == -1)
		return;
	check(about.time >= 0 && about.count >= 0 && about.count <= 10000);
	check(strlen(about.digest) == HISTORY_DIGEST_LEN);
	check_piece(about.author, about.author_len, bytes, size);
	check_piece(about.message, about.message_len, bytes, size);
	check(!memchr(about.author, '\n', about.author_len));
}

static void
try_set(const char *bytes, size_t size)
{
	const char *at = bytes;
	struct rules_line *lines;
	size_t count;

	if (history_text_read_set(bytes, size, &lines, &count) == -1) {
		check(lines == NULL);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		check_piece(lines[i].bytes, lines[i].len, bytes, size);
		check(lines[i].bytes > at && lines[i].bytes[-1] == ':');
		at = lines[i].bytes + lines[i].len;
	}
	check(at == bytes + size);
	free(lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_about((const char *)data, size);
	try_set((const char *)data, size);
	return 0;
}
