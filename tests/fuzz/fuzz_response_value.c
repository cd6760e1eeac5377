/*
 * Any bytes as a stored response in Redis: what is read is within its bound,
 * has fields that can be sent, and is the same after it was written again.
 */
#include "fuzz.h"
#include "upstream/response_value.h"

#include <string.h>

#define MOST 100000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct response_reading reading = {
	    .most = MOST, .now_us = INT64_C(1700000000000000), .shift_us = 7};
	char *bytes = malloc(size + 1);
	struct stored_response *response, *again;
	struct buf written = {0};

	check(bytes != NULL);
	if (size > 0)
		memcpy(bytes, data, size);
	response = response_value_read((struct part){bytes, size}, &reading);
	if (response) {
		check(response->bytes <= MOST);
		check(response_value_write(
			  &written, response, reading.shift_us) == 0);
		again = response_value_read(
		    (struct part){buf_data(&written), buf_len(&written)},
		    &reading);
		check(again && again->status == response->status);
		check(again->fields.len == response->fields.len);
		check(again->body.len == response->body.len);
		check(again->freshness.kept_until_us ==
		      response->freshness.kept_until_us);
		response_unref(again);
		response_unref(response);
	}
	buf_free(&written);
	free(bytes);
	return 0;
}
