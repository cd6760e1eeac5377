#include "protocol/request.h"

#include "base/num.h"
#include "limit/key.h"
#include "limit/limit.h"

static enum protocol_error
request_set_key(struct request *request, const char *bytes, size_t len)
{
	if (!key_is_valid(bytes, len))
		return ERROR_BADKEY;
	request->key = bytes;
	request->key_len = len;
	return ERROR_NONE;
}

enum protocol_error
request_set_any_key(struct request *request, const char *bytes, size_t len)
{
	if (len == 0 || len > KEY_MAX)
		return ERROR_BADBYTES;
	request->key = bytes;
	request->key_len = len;
	return ERROR_NONE;
}

static enum protocol_error
request_set_amount(struct request *request, const char *bytes, size_t len)
{
	return num_read_int(bytes, len, -LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX,
		   &request->amount) == -1
		   ? ERROR_BADAMOUNT
		   : ERROR_NONE;
}

static enum protocol_error
request_set_count(
    struct request *request, int64_t max, const char *bytes, size_t len)
{
	return num_read_int(bytes, len, 1, max, &request->count) == -1
		   ? ERROR_BADCOUNT
		   : ERROR_NONE;
}

enum protocol_error
request_set(struct request *request, enum argument argument, const char *bytes,
    size_t len)
{
	switch (argument) {
	case ARGUMENT_NONE:
		break;
	case ARGUMENT_KEY:
		return request_set_key(request, bytes, len);
	case ARGUMENT_AMOUNT:
		return request_set_amount(request, bytes, len);
	case ARGUMENT_COUNT:
		return request_set_count(
		    request, REQUEST_COUNT_MAX, bytes, len);
	case ARGUMENT_NUMBER:
		return request_set_count(
		    request, REQUEST_NUMBER_MAX, bytes, len);
	}
	return ERROR_SURPLUS;
}
