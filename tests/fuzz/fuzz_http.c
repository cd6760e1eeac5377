/*
 * Any bytes as HTTP: whether they come at once or one by one, the same requests
 * are read, ask the same, and get the same response; what is asked is what its
 * header promises, and no element of a list gets lost.
 */
#include "fuzz.h"
#include "gate/gateway.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "protocol/http/http_write.h"
#include "protocol/session.h"

#include <string.h>

/* Bytes on their way through a session: those from ${start} to ${end} are held,
 * ${step} more come at a time. */
struct feed {
	struct session session;
	const char *bytes;
	size_t len, start, end, step;
};

/* What a request was read as. */
struct event {
	enum read_result result;
	struct request request;
	char key[KEY_TEXT_MAX];
	uint64_t keys; /* a hash of several */
	struct buf response;
};

static void
take_request(struct event *event)
{
	const struct request *request = &event->request;

	check(request->amount >= -LIMIT_AMOUNT_MAX &&
	      request->amount <= LIMIT_AMOUNT_MAX);
	check(
	    request->amount >= 0 ||
	    verb_argument(verb_rows[request->verb].shape, 1) != ARGUMENT_DROPS);
	check(request->id_len == 0 ||
	      (id_is_valid(request->id, request->id_len) &&
		  verb_takes_id(verb_rows[request->verb].shape)));
	check(request->capacity == 0);
	check(
	    verb_has_key(&verb_rows[request->verb]) == (request->key != NULL));
	for (unsigned i = 0; i < request->key_count; i++) {
		const struct check_key *key = &request->keys[i];

		check(key->len >= 1 && key->len <= KEY_MAX);
		check(key->amount >= -LIMIT_AMOUNT_MAX &&
		      key->amount <= LIMIT_AMOUNT_MAX);
		for (size_t k = 0; k < key->len; k++)
			event->keys =
			    31 * event->keys + (unsigned char)key->bytes[k];
		event->keys = 31 * event->keys + (uint64_t)key->amount;
	}
	if (!request->key)
		return;
	check(key_is_valid(request->key, request->key_len));
	memcpy(event->key, request->key, request->key_len);
}

/* The status and the body; the date may differ. */
static void
take_response(const struct feed *feed, struct event *event)
{
	struct buf *response = &feed->session.common->response;
	const char *text = buf_data(response);
	size_t len = buf_len(response);
	const char *body = memmem(text, len, "\r\n\r\n", 4);

	check(len > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0 && body);
	check(buf_add(&event->response, text, 12) == 0);
	check(
	    buf_add(&event->response, body, len - (size_t)(body - text)) == 0);
	buf_consume(response, len);
}

/* The next request; READ_MORE if all bytes have come, or no more are read. */
static struct event
next_event(struct feed *feed)
{
	struct event event = {.result = READ_MORE};

	while (!feed->session.last || session_has_queued(&feed->session)) {
		size_t held = feed->end - feed->start, used;

		event.result = session_read(&feed->session,
		    feed->bytes + feed->start, held, &used, &event.request);
		check(event.result != READ_FAILED && used <= held);
		feed->start += used;
		if (event.result == READ_REQUEST)
			take_request(&event);
		else if (event.result != READ_MORE)
			take_response(feed, &event);
		if (event.result == READ_BAD || event.result == READ_REQUEST)
			return event;
		/* Whether the body is asked for depends on how it comes. */
		buf_free(&event.response);
		if (event.result == READ_RESPONDED)
			continue;
		check(held - used <= PROTOCOL_HELD_MAX);
		if (feed->end == feed->len)
			return event;
		feed->end += feed->step;
	}
	event.result = READ_MORE;
	return event;
}

static void
check_same(const struct event *a, const struct event *b)
{
	check(a->result == b->result);
	if (a->result == READ_REQUEST) {
		check(a->request.verb == b->request.verb);
		check(a->request.key_len == b->request.key_len);
		check(memcmp(a->key, b->key, a->request.key_len) == 0);
		check(a->request.key_count == b->request.key_count);
		check(a->keys == b->keys);
		check(a->request.amount == b->request.amount);
		check(a->request.encoding == b->request.encoding);
	}
	if (a->result == READ_BAD) {
		check(buf_len(&a->response) == buf_len(&b->response));
		check(memcmp(buf_data(&a->response), buf_data(&b->response),
			  buf_len(&a->response)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_common common = {
	    .http_hosts = "a.b", .http_headers = HTTP_HEADERS_ALL};
	struct feed whole = {
	    .bytes = (const char *)data,
	    .len = size,
	    .step = size,
	};
	struct feed bytewise;
	struct event event, other;

	session_start(&whole.session, &common, 1, OFFER_HTTP);
	bytewise = whole;
	bytewise.step = 1;
	do {
		event = next_event(&whole);
		other = next_event(&bytewise);
		check_same(&event, &other);
		buf_free(&event.response);
		buf_free(&other.response);
	} while (event.result != READ_MORE);
	check(session_is_between(&whole.session) ==
	      session_is_between(&bytewise.session));
	session_end(&whole.session);
	session_end(&bytewise.session);
	return 0;
}
