#include "redis/command.h"

#include "base/num.h"

#include <string.h>

/* Append "*12\r\n" or "$12\r\n", with room for ${more} bytes behind. */
static char *
command_add_header(
    struct command *command, char type, size_t count, size_t more)
{
	char *room = buf_reserve(&command->bytes, NUM_MAX_LEN + 3 + more);
	size_t len = 1;

	if (!room) {
		command->failed = true;
		return NULL;
	}
	room[0] = type;
	len += num_write_int(room + 1, (int64_t)count);
	room[len++] = '\r';
	room[len++] = '\n';
	buf_commit(&command->bytes, len);
	return room + len;
}

void
command_start(struct command *command, size_t count)
{
	command->failed = false;
	buf_consume(&command->bytes, buf_len(&command->bytes));
	command_add_header(command, '*', count, 0);
}

void
command_add(struct command *command, const void *bytes, size_t len)
{
	char *room = command_add_header(command, '$', len, len + 2);

	if (!room)
		return;
	if (len > 0)
		memcpy(room, bytes, len);
	memcpy(room + len, "\r\n", 2);
	buf_commit(&command->bytes, len + 2);
}

void
command_add_text(struct command *command, const char *text)
{
	command_add(command, text, strlen(text));
}

void
command_add_int(struct command *command, int64_t value)
{
	char text[NUM_MAX_LEN];

	command_add(command, text, num_write_int(text, value));
}

void
command_free(struct command *command)
{
	buf_free(&command->bytes);
}
