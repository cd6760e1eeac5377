/*
 * Job: a stored response as bytes, and back.
 * Invariant: what is read has no more bytes than its first line says, and no
 * field that could be taken for two.
 * The heart: response_value_write(), response_value_read().
 */
#include "upstream/response_value.h"

#include "base/num.h"
#include "upstream/upstream_headers.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAGIC "dripgate-response 1"

/* Beyond this no time is believed: some 30 years. */
#define TIME_MAX_US INT64_C(1000000000000000)

/* Beyond this no length is. */
#define LENGTH_MAX (INT64_C(1) << 30)

enum {
	FLAG_MUST_VALIDATE = 1,
	FLAG_HAS_VALIDATOR = 2,
};

/* The numbers of the first line, in their order. */
enum number {
	STATUS,
	RECEIVED,
	AGE,
	FRESH,
	STALE,
	ERROR,
	KEPT,
	FLAGS,
	FIELDS,
	BODY,
	PACKED,
	NUMBERS
};

static const struct {
	int64_t min, max;
} response_value_bounds[NUMBERS] = {
    [STATUS] = {200, 599},
    [RECEIVED] = {0, 10 * TIME_MAX_US},
    [AGE] = {0, 10 * TIME_MAX_US},
    [FRESH] = {-10 * TIME_MAX_US, TIME_MAX_US * 10},
    [STALE] = {-10 * TIME_MAX_US, TIME_MAX_US * 10},
    [ERROR] = {-10 * TIME_MAX_US, TIME_MAX_US * 10},
    [KEPT] = {-10 * TIME_MAX_US, TIME_MAX_US * 10},
    [FLAGS] = {0, FLAG_MUST_VALIDATE | FLAG_HAS_VALIDATOR},
    [FIELDS] = {0, LENGTH_MAX},
    [BODY] = {0, LENGTH_MAX},
    [PACKED] = {0, LENGTH_MAX},
};

/* Pack ${len} bytes, if they get shorter by that.  Return the packed ones, the
 * caller's to free, or NULL. */
static Bytef *
response_value_pack(const char *bytes, size_t len, uLongf *packed)
{
	Bytef *to;

	*packed = 0;
	if (len <= RESPONSE_VALUE_PACK)
		return NULL;
	*packed = len - 1;
	to = malloc(*packed);
	if (to && compress2(to, packed, (const Bytef *)bytes, len,
		      Z_BEST_SPEED) == Z_OK)
		return to;
	free(to);
	*packed = 0;
	return NULL;
}

static int
response_value_write_head(struct buf *to,
    const struct stored_response *response, int64_t shift_us, size_t packed)
{
	const struct freshness *f = &response->freshness;
	const int64_t numbers[NUMBERS] = {
	    [STATUS] = response->status,
	    [RECEIVED] = f->received_us + shift_us,
	    [AGE] = f->age_us,
	    [FRESH] = f->fresh_until_us - f->received_us,
	    [STALE] = f->stale_until_us - f->received_us,
	    [ERROR] = f->error_until_us - f->received_us,
	    [KEPT] = f->kept_until_us - f->received_us,
	    [FLAGS] = (f->must_validate ? FLAG_MUST_VALIDATE : 0) |
		      (f->has_validator ? FLAG_HAS_VALIDATOR : 0),
	    [FIELDS] = (int64_t)response->fields.len,
	    [BODY] = (int64_t)response->body.len,
	    [PACKED] = (int64_t)packed,
	};
	char text[NUM_MAX_LEN + 1] = " ";

	if (buf_add(to, MAGIC, strlen(MAGIC)) == -1)
		return -1;
	for (size_t i = 0; i < NUMBERS; i++)
		if (buf_add(to, text,
			1 + num_write_int(text + 1, numbers[i])) == -1)
			return -1;
	return buf_add(to, "\n", 1);
}

int
response_value_write(
    struct buf *to, const struct stored_response *response, int64_t shift_us)
{
	/* They stand side by side in it. */
	const char *bytes = response->fields.bytes;
	const size_t len = response->fields.len + response->body.len;
	uLongf packed;
	Bytef *small = response_value_pack(bytes, len, &packed);
	int result = response_value_write_head(to, response, shift_us, packed);

	if (result == 0)
		result = small ? buf_add(to, small, packed)
			       : buf_add(to, bytes, len);
	free(small);
	return result;
}

/* Take the first line off ${value}.  Return whether it is one. */
static bool
response_value_read_head(struct part *value, int64_t numbers[NUMBERS])
{
	const char *at = value->bytes + strlen(MAGIC);
	const char *end;

	if (value->len < strlen(MAGIC) ||
	    memcmp(value->bytes, MAGIC, strlen(MAGIC)) != 0)
		return false;
	end = memchr(value->bytes, '\n', value->len);
	if (!end || end - value->bytes >= RESPONSE_VALUE_HEAD_MAX)
		return false;
	for (size_t i = 0; i < NUMBERS; i++) {
		const char *blank;

		if (at == end || *at != ' ')
			return false;
		at++;
		blank = memchr(at, ' ', (size_t)(end - at));
		if (!blank)
			blank = end;
		if (num_read_int(at, (size_t)(blank - at),
			response_value_bounds[i].min,
			response_value_bounds[i].max, &numbers[i]) == -1)
			return false;
		at = blank;
	}
	if (at != end)
		return false;
	value->len -= (size_t)(end + 1 - value->bytes);
	value->bytes = end + 1;
	return true;
}

/* Whether the fields are lines that can be sent as they are, and say nothing of
 * where the response ends. */
static bool
response_value_are_fields(struct headers fields)
{
	struct headers rest = fields;
	struct http_header header;
	size_t len = 0;

	while (headers_next(&rest, &header)) {
		if (!upstream_headers_may_pass(
			header.name.bytes, header.name.len))
			return false;
		for (size_t i = 0; i < header.value.len; i++) {
			unsigned char c = (unsigned char)header.value.bytes[i];

			if ((c < ' ' && c != '\t') || c == 127)
				return false;
		}
		/* "NAME: VALUE" CR LF, and nothing else. */
		len += header.name.len + header.value.len + 4;
	}
	return len == fields.len;
}

static struct freshness
response_value_freshness(
    const int64_t numbers[NUMBERS], const struct response_reading *reading)
{
	int64_t received_us = numbers[RECEIVED] - reading->shift_us;

	if (received_us > reading->now_us)
		received_us = reading->now_us;
	return (struct freshness){
	    .received_us = received_us,
	    .age_us = numbers[AGE],
	    .fresh_until_us = received_us + numbers[FRESH],
	    .stale_until_us = received_us + numbers[STALE],
	    .error_until_us = received_us + numbers[ERROR],
	    .kept_until_us = received_us + numbers[KEPT],
	    .must_validate = numbers[FLAGS] & FLAG_MUST_VALIDATE,
	    .has_validator = numbers[FLAGS] & FLAG_HAS_VALIDATOR,
	};
}

/* Make the response of its bytes. */
static struct stored_response *
response_value_make(const int64_t numbers[NUMBERS], const char *bytes,
    const struct response_reading *reading)
{
	const struct freshness freshness =
	    response_value_freshness(numbers, reading);
	const struct headers fields = {bytes, (size_t)numbers[FIELDS]};
	const struct part body = {bytes + fields.len, (size_t)numbers[BODY]};

	if (!response_value_are_fields(fields))
		return NULL;
	/* No 304 is stored; and the head of a 204 does not say where it ends.
	 */
	if (numbers[STATUS] == 304 || (numbers[STATUS] == 204 && body.len > 0))
		return NULL;
	return response_new(
	    (int)numbers[STATUS], &freshness, fields, reading->selecting, body);
}

static struct stored_response *
response_value_unpack(const int64_t numbers[NUMBERS], struct part packed,
    size_t len, const struct response_reading *reading)
{
	struct stored_response *response = NULL;
	Bytef *bytes = malloc(len + 1);
	uLongf unpacked = len;
	uLong taken = packed.len;

	if (bytes &&
	    uncompress2(bytes, &unpacked, (const Bytef *)packed.bytes,
		&taken) == Z_OK &&
	    unpacked == len && taken == packed.len)
		response =
		    response_value_make(numbers, (const char *)bytes, reading);
	free(bytes);
	return response;
}

struct stored_response *
response_value_read(struct part value, const struct response_reading *reading)
{
	int64_t numbers[NUMBERS];
	size_t len, held;

	if (!response_value_read_head(&value, numbers))
		return NULL;
	len = (size_t)(numbers[FIELDS] + numbers[BODY]);
	held = len + sizeof(struct stored_response) + reading->selecting.len;
	if (held > reading->most)
		return NULL;
	if (numbers[PACKED] == 0)
		return value.len == len
			   ? response_value_make(numbers, value.bytes, reading)
			   : NULL;
	if (value.len != (size_t)numbers[PACKED])
		return NULL;
	return response_value_unpack(numbers, value, len, reading);
}
