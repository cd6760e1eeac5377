/*
 * Any bytes as a control message: what is read lies within them, and holds what
 * its header promises.
 */
#include "control/message.h"
#include "fuzz.h"

#include <string.h>

/* Within ${bytes}, up to their end, and, but for the arguments as a whole,
 * without a ":". */
static void
check_piece(
    const struct piece *piece, const char *bytes, size_t len, bool whole)
{
	if (!piece->bytes) {
		check(piece->len == 0);
		return;
	}
	check(piece->bytes >= bytes && piece->bytes <= bytes + len);
	check(piece->len <= (size_t)(bytes + len - piece->bytes));
	check(whole || !memchr(piece->bytes, ':', piece->len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct message message = message_read(bytes, size);

	check_piece(&message.command, bytes, size, false);
	check_piece(&message.arguments, bytes, size, true);
	check_piece(&message.channel, bytes, size, false);
	check_piece(&message.data, bytes, size, false);
	check((message.kind == MESSAGE_EMPTY) == (message.command.len == 0));
	check(message.kind == MESSAGE_RELOAD ||
	      message.when == RELOAD_CONFIGURED);
	check(message.kind == MESSAGE_PING || !message.channel.bytes);
	check(!message.bad || message.when == RELOAD_CONFIGURED);
	check(message.when == RELOAD_SPREAD || message.spread_us == 0);
	check(message.spread_us >= 0 &&
	      message.spread_us <= INT64_C(86400000000));
	return 0;
}
