#include "base/msgpack.h"

#include <stdbool.h>

/* What the first byte says, from 0xC0 to 0xDF: the type, and how many bytes
 * follow with its number or length. */
static const struct {
	bool is_read, is_signed;
	enum msgpack_type type;
	unsigned bytes;
} msgpack_heads[0x20] = {
    [0x00] = {true, false, MSGPACK_NIL, 0},
    [0x02] = {true, false, MSGPACK_BOOL, 0},
    [0x03] = {true, false, MSGPACK_BOOL, 0},
    [0x04] = {true, false, MSGPACK_TEXT, 1},
    [0x05] = {true, false, MSGPACK_TEXT, 2},
    [0x06] = {true, false, MSGPACK_TEXT, 4},
    [0x0A] = {true, false, MSGPACK_FLOAT, 4},
    [0x0B] = {true, false, MSGPACK_FLOAT, 8},
    [0x0C] = {true, false, MSGPACK_INT, 1},
    [0x0D] = {true, false, MSGPACK_INT, 2},
    [0x0E] = {true, false, MSGPACK_INT, 4},
    [0x0F] = {true, false, MSGPACK_INT, 8},
    [0x10] = {true, true, MSGPACK_INT, 1},
    [0x11] = {true, true, MSGPACK_INT, 2},
    [0x12] = {true, true, MSGPACK_INT, 4},
    [0x13] = {true, true, MSGPACK_INT, 8},
    [0x19] = {true, false, MSGPACK_TEXT, 1},
    [0x1A] = {true, false, MSGPACK_TEXT, 2},
    [0x1B] = {true, false, MSGPACK_TEXT, 4},
    [0x1C] = {true, false, MSGPACK_LIST, 2},
    [0x1D] = {true, false, MSGPACK_LIST, 4},
    [0x1E] = {true, false, MSGPACK_MAP, 2},
    [0x1F] = {true, false, MSGPACK_MAP, 4},
};

static size_t
msgpack_left(const struct msgpack *from)
{
	return (size_t)(from->end - from->at);
}

/* A value of which the type and the number are known.  It must have as many
 * bytes, and each value in it has one at least. */
static int
msgpack_take(struct msgpack *from, struct msgpack_value *value,
    enum msgpack_type type, uint64_t number)
{
	*value = (struct msgpack_value){.type = type};
	if (type < MSGPACK_TEXT) {
		value->number = (int64_t)number;
		return 0;
	}
	if (number > msgpack_left(from) / (type == MSGPACK_MAP ? 2 : 1))
		return -1;
	value->count = (size_t)number;
	if (type == MSGPACK_TEXT) {
		value->bytes = (const char *)from->at;
		from->at += number;
	}
	return 0;
}

/* A number of ${bytes} bytes; what does not fit is the largest that does. */
static uint64_t
msgpack_number(struct msgpack *from, unsigned bytes, bool is_signed)
{
	uint64_t number = is_signed && *from->at >= 0x80 ? UINT64_MAX : 0;

	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | *from->at++;
	return !is_signed && number > INT64_MAX ? INT64_MAX : number;
}

/* One of the heads above. */
static int
msgpack_take_head(
    struct msgpack *from, struct msgpack_value *value, unsigned head)
{
	unsigned bytes = msgpack_heads[head].bytes;
	enum msgpack_type type = msgpack_heads[head].type;

	if (!msgpack_heads[head].is_read || bytes > msgpack_left(from))
		return -1;
	if (type == MSGPACK_FLOAT)
		from->at += bytes;
	return msgpack_take(from, value, type,
	    bytes == 0 || type == MSGPACK_FLOAT
		? head == 0x03
		: msgpack_number(from, bytes, msgpack_heads[head].is_signed));
}

int
msgpack_next(struct msgpack *from, struct msgpack_value *value)
{
	unsigned head;

	if (from->at == from->end)
		return -1;
	head = *from->at++;
	if (head < 0x80)
		return msgpack_take(from, value, MSGPACK_INT, head);
	if (head < 0x90)
		return msgpack_take(from, value, MSGPACK_MAP, head & 0x0F);
	if (head < 0xA0)
		return msgpack_take(from, value, MSGPACK_LIST, head & 0x0F);
	if (head < 0xC0)
		return msgpack_take(from, value, MSGPACK_TEXT, head & 0x1F);
	if (head < 0xE0)
		return msgpack_take_head(from, value, head - 0xC0);
	return msgpack_take(
	    from, value, MSGPACK_INT, (uint64_t)((int64_t)head - 0x100));
}

int
msgpack_skip(struct msgpack *from)
{
	struct msgpack_value value;
	size_t due = 1; /* values still to come, of a byte each at least */

	while (due > 0) {
		if (due > msgpack_left(from) ||
		    msgpack_next(from, &value) == -1)
			return -1;
		due--;
		if (value.type == MSGPACK_LIST)
			due += value.count;
		else if (value.type == MSGPACK_MAP)
			due += 2 * value.count;
	}
	return 0;
}
