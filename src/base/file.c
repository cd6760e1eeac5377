#include "base/file.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>

#define STEP 65536

/* Read up to the end.  Return 0, or -1 with errno. */
static int
read_all(FILE *file, struct buf *text)
{
	for (;;) {
		char *room = buf_room(text, STEP + 1);
		size_t len;

		if (!room)
			return -1;
		len = fread(room, 1, STEP, file);
		buf_grow(text, len);
		if (buf_len(text) > FILE_READ_MAX) {
			errno = EFBIG;
			return -1;
		}
		if (len < STEP)
			return ferror(file) ? -1 : 0;
	}
}

char *
file_read(const char *path, size_t *len)
{
	FILE *file = fopen(path, "re");
	struct buf text = {0};
	int error;

	if (!file)
		return NULL;
	if (read_all(file, &text) == -1) {
		error = errno;
		buf_free(&text);
		errno = error;
	} else {
		text.bytes[text.end] = '\0';
		*len = text.end;
	}
	fclose(file);
	return text.bytes;
}
