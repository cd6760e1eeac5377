/*
 * Job: takes the parameters of a request, of whichever form.
 * Invariant: a value is decoded once, and taken once.
 * The heart: parameters[] and http_ask_take().
 */
#include "protocol/http/http_ask.h"

#include "base/num.h"
#include "protocol/http/http_head.h"

#include <string.h>

/* Whether there is more of it: it is too long for anything. */
static bool
http_ask_is_cut(const struct http_word *value)
{
	return value->len > HTTP_VALUE_MAX;
}

/*
 * The parameters.  Each call takes the value of one.
 */

static const struct http_problem *
http_ask_key(struct http_ask *ask, const struct http_word *value)
{
	if (value->is_number)
		return HTTP_PROBLEM(BADJSON);
	if (http_ask_is_cut(value))
		return http_problem_of(ERROR_BADKEY);
	memcpy(ask->room, value->bytes, value->len);
	return http_problem_of(
	    request_set(ask->request, ARGUMENT_KEY, ask->room, value->len));
}

/* Whether argument ${i} of the verb is that. */
static bool
http_ask_has(const struct http_ask *ask, size_t i, enum argument argument)
{
	return verb_argument(verb_rows[ask->request->verb].shape, i) ==
	       argument;
}

/* Whether the verb has an amount that is not negative. */
static bool
http_ask_is_drops(const struct http_ask *ask)
{
	return http_ask_has(ask, 1, ARGUMENT_DROPS) ||
	       http_ask_has(ask, 2, ARGUMENT_DROPS);
}

static const struct http_problem *
http_ask_amount(struct http_ask *ask, const struct http_word *value)
{
	bool is_drops = http_ask_is_drops(ask);

	if (http_ask_is_cut(value))
		return http_problem_of(
		    is_drops ? ERROR_BADDROPS : ERROR_BADAMOUNT);
	return http_problem_of(request_set(ask->request,
	    is_drops ? ARGUMENT_DROPS : ARGUMENT_AMOUNT, value->bytes,
	    value->len));
}

static const struct http_problem *
http_ask_lease(struct http_ask *ask, const struct http_word *value)
{
	if (http_ask_is_cut(value))
		return http_problem_of(ERROR_BADID);
	return http_problem_of(request_set(
	    ask->request, ARGUMENT_LEASE, value->bytes, value->len));
}

static const struct http_problem *
http_ask_deny(struct http_ask *ask, const struct http_word *value)
{
	int64_t status;

	if (http_ask_is_cut(value) ||
	    num_read_int(value->bytes, value->len, 400, 599, &status) == -1)
		return HTTP_PROBLEM(BADDENY);
	ask->deny = (int)status;
	return NULL;
}

static const struct http_problem *
http_ask_id(struct http_ask *ask, const struct http_word *value)
{
	struct request *request = ask->request;
	char *room = ask->room + HTTP_VALUE_MAX;

	if (http_ask_has(ask, 1, ARGUMENT_LEASE))
		return http_ask_lease(ask, value);
	if (!verb_takes_id(verb_rows[request->verb].shape))
		return HTTP_PROBLEM(BADNAME);
	if (!id_is_valid(value->bytes, value->len))
		return http_problem_of(ERROR_BADID);
	memcpy(room, value->bytes, value->len);
	request->id = room;
	request->id_len = value->len;
	return NULL;
}

static const struct http_problem *
http_ask_wait(struct http_ask *ask, const struct http_word *value)
{
	struct request *request = ask->request;

	if (request->verb != VERB_CONSUME || http_ask_is_cut(value) ||
	    request_set(request, ARGUMENT_SECONDS, value->bytes, value->len))
		return HTTP_PROBLEM(BADWAIT);
	request->verb = VERB_WAIT;
	request->op = verb_rows[VERB_WAIT].op;
	return NULL;
}

static const struct {
	const char *name;
	bool of_element; /* one of several keys in JSON has it, too */
	bool of_routed;  /* so has a request whose route says the keys */
	const struct http_problem *(*take)(
	    struct http_ask *ask, const struct http_word *value);
} parameters[] = {
    {"key", true, false, http_ask_key},
    {"amount", true, false, http_ask_amount},
    {"deny", false, true, http_ask_deny},
    {"wait", false, false, http_ask_wait},
    {"id", false, false, http_ask_id},
};

#define GIVEN_KEY    1u /* the bits of the first two rows */
#define GIVEN_AMOUNT 2u

/*
 * Several keys.
 */

const struct http_problem *
http_ask_add_key(struct http_ask *ask, const struct request *request)
{
	struct route_key *key;

	if (ask->key_count == VERB_KEYS_MAX)
		return http_problem_of(ERROR_TOOMANY);
	key = &ask->keys->keys[ask->key_count++];
	*key = (struct route_key){
	    .amount = request->amount, .len = request->key_len};
	memcpy(key->bytes, request->key, request->key_len);
	return NULL;
}

/* A form has one more key: an amount is that of the key before it. */
static const struct http_problem *
http_ask_next_key(struct http_ask *ask)
{
	const struct http_problem *problem;

	if (!ask->keys || ask->has_early_amount)
		return HTTP_PROBLEM(BADNAME);
	problem = http_ask_add_key(ask, ask->request);
	ask->given &= ~(GIVEN_KEY | GIVEN_AMOUNT);
	ask->request->amount = 1;
	return problem;
}

/* Have the request ask for all of them. */
static void
http_ask_all(struct http_ask *ask)
{
	struct request *request = ask->request;

	request->verb = request->verb == VERB_PEEK ? VERB_MPEEK : VERB_MCONSUME;
	request->key = NULL;
	request->key_count = ask->key_count;
	for (unsigned i = 0; i < ask->key_count; i++) {
		const struct route_key *key = &ask->keys->keys[i];

		request->keys[i] = (struct check_key){.bytes = key->bytes,
		    .len = key->len,
		    .amount = key->amount};
	}
}

_Static_assert(VERB_KEYS_MAX <= ROUTE_KEYS_MAX, "there is room for all keys");

/* Parameter ${i}. */
static const struct http_problem *
http_ask_take_row(struct http_ask *ask, size_t i, const struct http_word *value)
{
	unsigned bit = 1u << i;
	const struct http_problem *problem = NULL;

	if (ask->given & bit)
		problem = bit == GIVEN_KEY && !ask->is_json
			      ? http_ask_next_key(ask)
			      : HTTP_PROBLEM(BADNAME);
	if (problem)
		return problem;
	if (bit == GIVEN_AMOUNT && !(ask->given & GIVEN_KEY))
		ask->has_early_amount = true;
	ask->given |= bit;
	return parameters[i].take(ask, value);
}

const struct http_problem *
http_ask_take(struct http_ask *ask, const struct http_word *name,
    const struct http_word *value)
{
	for (size_t i = 0; i < COUNT(parameters); i++) {
		if (name->len != strlen(parameters[i].name) ||
		    memcmp(name->bytes, parameters[i].name, name->len) != 0)
			continue;
		if ((ask->is_element && !parameters[i].of_element) ||
		    (ask->is_routed && !parameters[i].of_routed))
			break;
		return http_ask_take_row(ask, i, value);
	}
	return HTTP_PROBLEM(BADNAME);
}

/* The same of a request that has one key. */
static const struct http_problem *
http_ask_end_one(const struct http_ask *ask)
{
	if (!(ask->given & GIVEN_KEY))
		return http_problem_of(ERROR_NOKEY);
	if (ask->request->verb == VERB_WAIT)
		return ask->request->amount < 0
			   ? http_problem_of(ERROR_BADDROPS)
			   : NULL;
	if (http_ask_has(ask, 1, ARGUMENT_LEASE) && ask->request->lease == 0)
		return http_problem_of(ERROR_NOID);
	if (http_ask_has(ask, 1, ARGUMENT_DROPS) &&
	    !(ask->given & GIVEN_AMOUNT))
		return http_problem_of(ERROR_NOAMOUNT);
	return NULL;
}

/* Only what goes in may wait. */
static bool
http_ask_waits_to_give_back(const struct http_ask *ask)
{
	bool gives_back = false;

	for (unsigned i = 0; i < ask->key_count; i++)
		gives_back |= ask->keys->keys[i].amount < 0;
	return gives_back && ask->request->verb == VERB_WAIT;
}

const struct http_problem *
http_ask_end(struct http_ask *ask)
{
	const struct http_problem *problem = NULL;

	if (ask->each_count > 0 && ask->key_count > 0)
		return HTTP_PROBLEM(BADJSON);
	if (ask->each_count > 0)
		return ask->given ? HTTP_PROBLEM(BADJSON) : NULL;
	if (ask->request->verb == VERB_WAIT && ask->request->id_len > 0)
		return HTTP_PROBLEM(BADWAIT);
	if (ask->key_count == 0)
		return http_ask_end_one(ask);
	if (ask->is_json && ask->given & (GIVEN_KEY | GIVEN_AMOUNT))
		return HTTP_PROBLEM(BADJSON);
	if (!ask->is_json)
		problem = http_ask_add_key(ask, ask->request);
	if (!problem && http_ask_waits_to_give_back(ask))
		problem = http_problem_of(ERROR_BADDROPS);
	if (!problem)
		http_ask_all(ask);
	return problem;
}

/* Decode a value, once.  Return NULL, or what is wrong; too long a value is
 * cut, one byte behind the most that any may have. */
static const struct http_problem *
http_ask_decode(
    const char *at, const char *end, char *to, struct http_word *value)
{
	size_t len = 0;

	while (at < end) {
		char c = *at++;

		if (c == '%') {
			int high = end - at < 2 ? -1 : num_hex(at[0]);
			int low = end - at < 2 ? -1 : num_hex(at[1]);

			if (high == -1 || low == -1)
				return HTTP_PROBLEM(BADPERCENT);
			c = (char)(16 * high + low);
			at += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (len <= HTTP_VALUE_MAX)
			to[len++] = c;
	}
	*value = (struct http_word){.bytes = to, .len = len};
	return NULL;
}

/* "NAME=VALUE" */
static const struct http_problem *
http_ask_pair(struct http_ask *ask, const char *at, const char *end)
{
	const char *sign = memchr(at, '=', (size_t)(end - at));
	struct http_word name = {
	    .bytes = at, .len = (size_t)((sign ? sign : end) - at)};
	char room[HTTP_VALUE_MAX + 1];
	struct http_word value;
	const struct http_problem *problem =
	    http_ask_decode(sign ? sign + 1 : end, end, room, &value);

	if (problem)
		return problem;
	return http_ask_take(ask, &name, &value);
}

const struct http_problem *
http_ask_form(struct http_ask *ask, const char *bytes, size_t len)
{
	const char *end = bytes + len;

	while (bytes < end) {
		const char *sign = memchr(bytes, '&', (size_t)(end - bytes));
		const char *stop = sign ? sign : end;
		const struct http_problem *problem =
		    stop > bytes ? http_ask_pair(ask, bytes, stop) : NULL;

		if (problem)
			return problem;
		bytes = sign ? sign + 1 : end;
	}
	return NULL;
}
