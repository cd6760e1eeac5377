/*
 * Reads messages of a control channel.
 * Holds: any bytes are read without an error; what is wrong only sets ${bad}.
 * The heart is message_read().
 */
#include "control/message.h"

#include "base/num.h"

#include <string.h>

#define DAY_US       INT64_C(86400000000)
#define MICROS       6   /* a microsecond is 10^-6 s */
#define EXPONENT_MAX 400 /* larger than any float's */
#define BLANKS       " \t\n\r\f\v"

static bool
message_is_text(const struct piece *piece, const char *text)
{
	return piece->len == strlen(text) &&
	       memcmp(piece->bytes, text, piece->len) == 0;
}

/* Take the part before the next ":" from the front of ${rest}, which is NULL
 * after the last part. */
static struct piece
message_take_piece(struct piece *rest)
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

/* Cut ${count} bytes off the front. */
static void
message_skip(struct piece *text, size_t count)
{
	text->bytes += count;
	text->len -= count;
}

static void
message_trim(struct piece *text)
{
	while (text->len > 0 && memchr(BLANKS, *text->bytes, strlen(BLANKS)))
		message_skip(text, 1);
	while (text->len > 0 &&
	       memchr(BLANKS, text->bytes[text->len - 1], strlen(BLANKS)))
		text->len--;
}

/* Take "60", "60.5", ".5" or "60." off the front, as a number of units of
 * 10^-${places}.  A printed float like 0.30000000000000004 has more digits than
 * count.  Return 0, or -1: no such number, or a huge one. */
static int
message_take_decimal(struct piece *text, int64_t places, int64_t *value)
{
	bool has_digit = false, in_fraction = false;

	for (*value = 0; text->len > 0; message_skip(text, 1)) {
		char c = *text->bytes;

		if (c == '.' && !in_fraction) {
			in_fraction = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		has_digit = true;
		if (in_fraction && places <= 0)
			continue;
		if (*value > INT64_MAX / 100)
			return -1;
		*value = *value * 10 + (c - '0');
		places -= in_fraction;
	}
	for (; places > 0 && *value <= INT64_MAX / 100; places--)
		*value *= 10;
	for (; places < 0; places++)
		*value /= 10;
	return has_digit ? 0 : -1;
}

/* The exponent of "1.5e3", or 0. */
static int
message_read_exponent(const struct piece *text, int64_t *exponent)
{
	const char *e = text->len ? memchr(text->bytes, 'e', text->len) : NULL;
	struct piece rest = *text;

	*exponent = 0;
	if (!e && text->len > 0)
		e = memchr(text->bytes, 'E', text->len);
	if (!e)
		return 0;
	message_skip(&rest, (size_t)(e + 1 - text->bytes));
	if (rest.len > 1 && *rest.bytes == '+' && rest.bytes[1] != '-')
		message_skip(&rest, 1);
	return num_read_int(
	    rest.bytes, rest.len, -EXPONENT_MAX, EXPONENT_MAX, exponent);
}

/* Read seconds, up to a day, as Subway does by Python's float(), except for
 * "-1", "nan" and the like. */
static int
message_read_seconds(const struct piece *text, int64_t *us)
{
	struct piece rest = *text;
	int64_t exponent, value;

	message_trim(&rest);
	if (rest.len > 0 && *rest.bytes == '+')
		message_skip(&rest, 1);
	if (message_read_exponent(&rest, &exponent) == -1 ||
	    message_take_decimal(&rest, exponent + MICROS, &value) == -1 ||
	    value > DAY_US)
		return -1;
	if (rest.len > 0 && *rest.bytes != 'e' && *rest.bytes != 'E')
		return -1;
	*us = value;
	return 0;
}

static void
message_read_reload(struct message *message)
{
	struct piece rest = message->arguments;
	struct piece when = message_take_piece(&rest);
	struct piece seconds = message_take_piece(&rest);

	if (message->arguments.len == 0)
		return;
	if (message_is_text(&when, "immediate"))
		message->when = RELOAD_IMMEDIATE;
	else if (message_is_text(&when, "spread") && !rest.bytes &&
		 message_read_seconds(&seconds, &message->spread_us) == 0)
		message->when = RELOAD_SPREAD;
	else
		message->bad = true;
}

static void
message_read_ping(struct message *message)
{
	struct piece rest = message->arguments;

	message->channel = message_take_piece(&rest);
	message->data = message_take_piece(&rest);
	if (message->data.len == 0)
		message->data.bytes = NULL;
	message->bad = message->channel.len == 0 || rest.bytes;
}

static enum message_kind
message_read_kind(const struct piece *command)
{
	if (command->len == 0)
		return MESSAGE_EMPTY;
	if (*command->bytes == '_')
		return MESSAGE_INTERNAL;
	if (message_is_text(command, "reload"))
		return MESSAGE_RELOAD;
	return message_is_text(command, "ping") ? MESSAGE_PING
						: MESSAGE_UNKNOWN;
}

struct message
message_read(const char *bytes, size_t len)
{
	struct message message = {.arguments = {bytes, len}};

	message.command = message_take_piece(&message.arguments);
	message.kind = message_read_kind(&message.command);
	if (message.kind == MESSAGE_RELOAD)
		message_read_reload(&message);
	else if (message.kind == MESSAGE_PING)
		message_read_ping(&message);
	return message;
}
