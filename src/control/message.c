#include "control/message.h"

#include "base/num.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY_S  INT64_C(86400)
#define MICROS 6 /* digits of a fraction that count */

static bool
is_word(const struct piece *piece, const char *word)
{
	return piece->len == strlen(word) &&
	       memcmp(piece->bytes, word, piece->len) == 0;
}

/* Take what stands before the next ":" off the front of ${rest}, which is NULL
 * after the last one. */
static struct piece
take_piece(struct piece *rest)
{
	struct piece piece = *rest;
	const char *colon =
	    rest->len ? memchr(rest->bytes, ':', rest->len) : NULL;

	if (!colon) {
		*rest = (struct piece){0};
		return piece;
	}
	piece.len = (size_t)(colon - piece.bytes);
	rest->bytes = colon + 1;
	rest->len -= piece.len + 1;
	return piece;
}

/* The first digits of a fraction as microseconds, or -1.  A float that was
 * printed, as 0.30000000000000004, has more than matter. */
static int64_t
fraction_us(const char *digits, size_t len)
{
	int64_t us = 0;

	for (size_t i = 0; i < len || i < MICROS; i++) {
		if (i < len && (digits[i] < '0' || digits[i] > '9'))
			return -1;
		if (i < MICROS)
			us = us * 10 + (i < len ? digits[i] - '0' : 0);
	}
	return us;
}

/* Seconds, as "60" or "60.5", up to a day. */
static int
read_seconds(const struct piece *text, int64_t *us)
{
	const char *point =
	    text->len ? memchr(text->bytes, '.', text->len) : NULL;
	size_t whole = point ? (size_t)(point - text->bytes) : text->len;
	size_t digits = point ? text->len - whole - 1 : 0;
	int64_t seconds, fraction = 0;

	if (text->len == 0 || *text->bytes == '-' || (point && digits == 0))
		return -1;
	if (num_read_int(text->bytes, whole, 0, DAY_S, &seconds) == -1)
		return -1;
	if (point)
		fraction = fraction_us(point + 1, digits);
	if (fraction == -1 || seconds * SECOND + fraction > DAY_S * SECOND)
		return -1;
	*us = seconds * SECOND + fraction;
	return 0;
}

static void
read_reload(struct message *message)
{
	struct piece rest = message->arguments;
	struct piece when = take_piece(&rest);
	struct piece seconds = take_piece(&rest);

	if (message->arguments.len == 0)
		return;
	if (is_word(&when, "immediate"))
		message->when = RELOAD_IMMEDIATE;
	else if (is_word(&when, "spread") && !rest.bytes &&
		 read_seconds(&seconds, &message->spread_us) == 0)
		message->when = RELOAD_SPREAD;
	else
		message->bad = true;
}

static void
read_ping(struct message *message)
{
	struct piece rest = message->arguments;

	message->channel = take_piece(&rest);
	message->data = take_piece(&rest);
	if (message->data.len == 0)
		message->data.bytes = NULL;
	message->bad = message->channel.len == 0 || rest.bytes;
}

static enum command_word
read_word(const struct piece *command)
{
	if (command->len == 0)
		return WORD_NONE;
	if (*command->bytes == '_')
		return WORD_INTERNAL;
	if (is_word(command, "reload"))
		return WORD_RELOAD;
	return is_word(command, "ping") ? WORD_PING : WORD_UNKNOWN;
}

struct message
message_read(const char *bytes, size_t len)
{
	struct message message = {.arguments = {bytes, len}};

	message.command = take_piece(&message.arguments);
	message.word = read_word(&message.command);
	if (message.word == WORD_RELOAD)
		read_reload(&message);
	else if (message.word == WORD_PING)
		read_ping(&message);
	return message;
}
