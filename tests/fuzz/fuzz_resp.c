/*
 * Any bytes as RESP: whether they come at once or one by one, the same commands
 * are read, ask the same, and get the same response; what is asked is what its
 * header promises, and a response is one well-formed value.
 */
#include "fuzz.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "protocol/session.h"

#include <string.h>

/* Responses are nested no deeper: COMMAND's flags. */
#define DEPTH_MAX 4

extern const struct protocol resp_protocol;

/* Bytes on their way through a session: those from ${start} to ${end} are held,
 * ${step} more come at a time. */
struct feed {
	struct session session;
	const char *bytes;
	size_t len, start, end, step;
};

/* What a command was read as. */
struct event {
	enum read_result result;
	struct request request;
	struct buf response;
};

/* The number behind a value's type; ${at} goes behind its line. */
static long
take_header(const char **at, const char *end)
{
	const char *stop = memchr(*at, '\r', (size_t)(end - *at));
	long number = strtol(*at + 1, NULL, 10);

	check(stop && stop + 1 < end && stop[1] == '\n');
	*at = stop + 2;
	return number;
}

static void
take_value(const char **at, const char *end, int depth)
{
	char type;
	long count;

	check(*at < end && depth <= DEPTH_MAX);
	type = **at;
	check(strchr("+-:$*%_", type) != NULL);
	count = take_header(at, end);
	if (type == '$' && count >= 0) {
		check(count + 2 <= end - *at);
		check(memcmp(*at + count, "\r\n", 2) == 0);
		*at += count + 2;
	}
	if (type == '%')
		count *= 2;
	for (; (type == '*' || type == '%') && count > 0; count--)
		take_value(at, end, depth + 1);
}

static void
check_response(const struct buf *response)
{
	const char *at = buf_data(response);
	const char *end = at + buf_len(response);

	check(at != NULL);
	take_value(&at, end, 1);
	check(at == end);
}

static void
check_throttle(const struct request *request)
{
	check(
	    request->capacity >= 1 && request->capacity <= LIMIT_CAPACITY_MAX);
	check(request->recharge_ns >= 1000 &&
	      request->recharge_ns <=
		  LIMIT_INLINE_LIFE_US * 1000 / request->capacity);
}

static void
check_request(
    const struct feed *feed, const struct request *request, bool queued)
{
	check(request->amount >= -LIMIT_AMOUNT_MAX &&
	      request->amount <= LIMIT_AMOUNT_MAX);
	check(
	    request->amount >= 0 ||
	    verb_argument(verb_rows[request->verb].shape, 1) != ARGUMENT_DROPS);
	check(request->id_len == 0 ||
	      (id_is_valid(request->id, request->id_len) &&
		  verb_takes_id(verb_rows[request->verb].shape)));
	if (request->capacity > 0)
		check_throttle(request);
	if (request->key) {
		/* It may have been stored in a transaction before. */
		if (!queued)
			check(request->key > feed->bytes &&
			      request->key + request->key_len <
				  feed->bytes + feed->start);
		check(request->key_len >= 1 && request->key_len <= KEY_MAX);
	} else {
		check(!verb_has_key(&verb_rows[request->verb]));
	}
}

static void
take_response(const struct feed *feed, struct event *event, bool queued)
{
	struct buf *response = &feed->session.common->response;
	size_t len = buf_len(response);

	if (event->result == READ_RESPONDED && len == 0)
		return; /* an empty command */
	if (!queued && session_has_queued(&feed->session))
		check(*buf_data(response) == '*'); /* EXEC: its head */
	else
		check_response(response);
	check(buf_add(&event->response, buf_data(response), len) == 0);
	buf_consume(response, len);
}

/* The next command; READ_MORE if all bytes have come, or no more are read. */
static struct event
next_event(struct feed *feed)
{
	struct event event = {.result = READ_MORE};

	while (!feed->session.last) {
		const char *bytes = feed->bytes + feed->start;
		size_t held = feed->end - feed->start, used;
		size_t first = session_first_len(&feed->session, bytes, held);
		bool queued = session_has_queued(&feed->session);

		event.result = session_read(
		    &feed->session, bytes, held, &used, &event.request);
		check(event.result != READ_FAILED && used <= held);
		check(first == (event.result == READ_MORE ? held : used));
		feed->start += used;
		if (event.result == READ_REQUEST)
			check_request(feed, &event.request, queued);
		else if (event.result != READ_MORE)
			take_response(feed, &event, queued);
		if (event.result != READ_MORE)
			return event;
		check(used == 0 && held < PROTOCOL_HELD_MAX);
		if (feed->end == feed->len)
			return event;
		feed->end += feed->step;
	}
	return event;
}

static void
check_same(const struct event *a, const struct event *b)
{
	check(a->result == b->result);
	if (a->result == READ_MORE)
		return;
	if (a->result == READ_REQUEST) {
		check(a->request.verb == b->request.verb);
		check(a->request.key_len == b->request.key_len);
		check(a->request.key_len == 0 ||
		      memcmp(a->request.key, b->request.key,
			  a->request.key_len) == 0);
		check(a->request.amount == b->request.amount);
		check(a->request.encoding == b->request.encoding);
	}
	check(buf_len(&a->response) == buf_len(&b->response));
	if (buf_len(&a->response) > 0)
		check(memcmp(buf_data(&a->response), buf_data(&b->response),
			  buf_len(&a->response)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_common common = {.inline_limits = true};
	struct feed whole = {
	    .bytes = (const char *)data,
	    .len = size,
	    .step = size,
	};
	struct feed bytewise;
	struct event event, other;

	session_start(&whole.session, &common, 1, OFFER_ANY);
	whole.session.protocol = &resp_protocol;
	bytewise = whole;
	bytewise.step = 1;
	do {
		event = next_event(&whole);
		other = next_event(&bytewise);
		check_same(&event, &other);
		buf_free(&event.response);
		buf_free(&other.response);
	} while (event.result != READ_MORE);
	check(session_can_hand_over(&whole.session) ==
	      session_can_hand_over(&bytewise.session));
	session_end(&whole.session);
	session_end(&bytewise.session);
	return 0;
}
