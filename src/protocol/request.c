/*
 * Job: takes the words behind a verb, one by one.
 * Invariant: what they name is borrowed from the bytes read.
 * The heart: request_set().
 */
#include "limit/id.h"
#include "protocol/request.h"

#include "base/num.h"
#include "limit/glob.h"
#include "limit/key.h"
#include "limit/leases.h"
#include "limit/limit.h"

#include <string.h>
#include <strings.h>

/* Whether the verb takes an id, and these bytes are "id=" and one, or not quite
 * one. */
static bool
request_is_id(const struct request *request, const char *bytes, size_t len)
{
	return verb_takes_id(verb_rows[request->verb].shape) && len >= 3 &&
	       strncasecmp(bytes, "id=", 3) == 0;
}

static enum protocol_error
request_set_id(struct request *request, const char *bytes, size_t len)
{
	if (request->id_len > 0 || !request_is_id(request, bytes, len))
		return ERROR_SURPLUS;
	if (!id_is_valid(bytes + 3, len - 3))
		return ERROR_BADID;
	request->id = bytes + 3;
	request->id_len = len - 3;
	return ERROR_NONE;
}

/* What looked like one more key, without an amount, is an id. */
static enum protocol_error
request_take_last_id(struct request *request)
{
	const struct check_key *last = &request->keys[request->key_count - 1];

	if (request->key_count < 2 ||
	    !request_is_id(request, last->bytes, last->len))
		return ERROR_NOAMOUNT;
	request->key_count--;
	return request_set_id(request, last->bytes, last->len);
}

static void
request_take_key(struct request *request, enum argument argument,
    const char *bytes, size_t len)
{
	if (argument == ARGUMENT_EACH_KEY) {
		request->keys[request->key_count++] =
		    (struct check_key){.bytes = bytes, .len = len};
		request->lacks_amount = true;
		return;
	}
	request->key = bytes;
	request->key_len = len;
}

static enum protocol_error
request_set_key(struct request *request, enum argument argument,
    const char *bytes, size_t len)
{
	if (!key_is_valid(bytes, len))
		return ERROR_BADKEY;
	request_take_key(request, argument, bytes, len);
	return ERROR_NONE;
}

enum protocol_error
request_set_any_key(struct request *request, enum argument argument,
    const char *bytes, size_t len)
{
	if (len == 0 || len > KEY_MAX)
		return ERROR_BADBYTES;
	request_take_key(request, argument, bytes, len);
	return ERROR_NONE;
}

static enum protocol_error
request_read_amount(const char *bytes, size_t len, int64_t *amount)
{
	return num_read_int(bytes, len, -LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX,
		   amount) == -1
		   ? ERROR_BADAMOUNT
		   : ERROR_NONE;
}

/* An amount, or, where that is left out, an id. */
static enum protocol_error
request_set_amount(struct request *request, const char *bytes, size_t len)
{
	return request_is_id(request, bytes, len)
		   ? request_set_id(request, bytes, len)
		   : request_read_amount(bytes, len, &request->amount);
}

static enum protocol_error
request_set_drops(const char *bytes, size_t len, int64_t *amount)
{
	return num_read_int(bytes, len, 0, LIMIT_AMOUNT_MAX, amount) == -1
		   ? ERROR_BADDROPS
		   : ERROR_NONE;
}

static enum protocol_error
request_set_seconds(struct request *request, const char *bytes, size_t len)
{
	return num_read_seconds(bytes, len, &request->wait_us) == -1
		   ? ERROR_BADSECONDS
		   : ERROR_NONE;
}

static enum protocol_error
request_set_lease(struct request *request, const char *bytes, size_t len)
{
	if (!id_is_valid(bytes, len))
		return ERROR_BADID;
	request->lease = lease_name(bytes, len);
	return ERROR_NONE;
}

static enum protocol_error
request_set_each_amount(struct request *request, const char *bytes, size_t len)
{
	request->lacks_amount = false;
	return request_read_amount(
	    bytes, len, &request->keys[request->key_count - 1].amount);
}

static enum protocol_error
request_set_count(struct request *request, const char *bytes, size_t len)
{
	return num_read_int(
		   bytes, len, 1, REQUEST_COUNT_MAX, &request->count) == -1
		   ? ERROR_BADCOUNT
		   : ERROR_NONE;
}

/* It is written as keys are: another matches none that a line can have. */
static enum protocol_error
request_set_glob(struct request *request, const char *bytes, size_t len)
{
	char glob[KEY_MAX + 1];

	if (request->key)
		return ERROR_SURPLUS;
	if (!key_is_valid(bytes, len))
		return ERROR_BADGLOB;
	memcpy(glob, bytes, len);
	glob[len] = '\0';
	if (glob_fault(glob))
		return ERROR_BADGLOB;
	request->key = bytes;
	request->key_len = len;
	return ERROR_NONE;
}

static bool
request_is_word(const char *bytes, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(bytes, word, len) == 0;
}

/* A verdict, or a glob, in any order. */
static enum protocol_error
request_set_filter(struct request *request, const char *bytes, size_t len)
{
	enum request_verdict verdict = VERDICT_ANY;

	if (request_is_word(bytes, len, "denied"))
		verdict = VERDICT_DENIED;
	else if (request_is_word(bytes, len, "allowed"))
		verdict = VERDICT_ALLOWED;
	if (verdict == VERDICT_ANY)
		return request_set_glob(request, bytes, len);
	if (request->verdict != VERDICT_ANY)
		return ERROR_SURPLUS;
	request->verdict = verdict;
	return ERROR_NONE;
}

static enum protocol_error
request_set_word(struct request *request, const char *bytes, size_t len)
{
	request->words[request->word_count++] =
	    (struct request_word){bytes, len};
	return ERROR_NONE;
}

enum protocol_error
request_set(struct request *request, enum argument argument, const char *bytes,
    size_t len)
{
	switch (argument) {
	case ARGUMENT_NONE:
		return verb_has_keys(&verb_rows[request->verb]) ? ERROR_TOOMANY
								: ERROR_SURPLUS;
	case ARGUMENT_KEY:
	case ARGUMENT_EACH_KEY:
		return request_set_key(request, argument, bytes, len);
	case ARGUMENT_AMOUNT:
		return request_set_amount(request, bytes, len);
	case ARGUMENT_DROPS:
		return request_set_drops(bytes, len, &request->amount);
	case ARGUMENT_SECONDS:
		return request_set_seconds(request, bytes, len);
	case ARGUMENT_LEASE:
		return request_set_lease(request, bytes, len);
	case ARGUMENT_EACH_AMOUNT:
		return request_set_each_amount(request, bytes, len);
	case ARGUMENT_COUNT:
		return request_set_count(request, bytes, len);
	case ARGUMENT_FILTER:
		return request_set_filter(request, bytes, len);
	case ARGUMENT_STORED:
		return request_set_glob(request, bytes, len);
	case ARGUMENT_SECRET:
		return request_set_word(request, bytes, len);
	case ARGUMENT_ID:
		return request_set_id(request, bytes, len);
	}
	return ERROR_SURPLUS;
}

enum protocol_error
request_finish(struct request *request, size_t count)
{
	const struct verb_row *row = &verb_rows[request->verb];

	if (request->lacks_amount)
		return request_take_last_id(request);
	if (count >= row->shape->fewest)
		return ERROR_NONE;
	if (verb_has_key(row) && count > 0)
		return verb_argument(row->shape, count) == ARGUMENT_LEASE
			   ? ERROR_NOID
			   : ERROR_NOAMOUNT;
	if (verb_has_key(row) || verb_has_keys(row))
		return ERROR_NOKEY;
	return row->shape->arguments[0] == ARGUMENT_STORED ? ERROR_BADGLOB
							   : ERROR_NOSECRET;
}
