/*
 * Any bytes as lines: whether they come at once or one by one, the same
 * requests and errors are read, and a request is what its header promises.
 */
#include "fuzz.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "protocol/line/line.h"

/* Bytes on their way through a reader: those from ${start} to ${end} are held,
 * ${step} more come at a time. */
struct feed {
	struct line_reader reader;
	const char *bytes;
	size_t len, start, end, step;
};

/* What a line was read as. */
struct event {
	enum line_result result;
	struct request request;
	enum protocol_error error;
};

static void
check_request(const struct feed *feed, const struct request *request)
{
	check(request->amount >= -LIMIT_AMOUNT_MAX &&
	      request->amount <= LIMIT_AMOUNT_MAX);
	check(
	    request->amount >= 0 ||
	    verb_argument(verb_rows[request->verb].shape, 1) != ARGUMENT_DROPS);
	check(request->id_len == 0 ||
	      (id_is_valid(request->id, request->id_len) &&
		  verb_takes_id(verb_rows[request->verb].shape)));
	if (request->key) {
		check(request->key > feed->bytes &&
		      request->key + request->key_len <
			  feed->bytes + feed->start);
		check(key_is_valid(request->key, request->key_len));
	} else {
		check(!verb_has_key(&verb_rows[request->verb]));
	}
}

/* The next line, or LINE_MORE if all bytes have come. */
static struct event
next_event(struct feed *feed)
{
	struct event event = {.result = LINE_MORE};

	for (;;) {
		size_t held = feed->end - feed->start, used;

		event.result = line_read(&feed->reader,
		    feed->bytes + feed->start, held, &used, &event.request);
		event.error = feed->reader.error;
		check(used <= held);
		feed->start += used;
		if (event.result == LINE_REQUEST)
			check_request(feed, &event.request);
		if (event.result != LINE_MORE)
			return event;
		check(held - used <= LINE_MAX_LEN + 1);
		if (feed->end == feed->len)
			return event;
		feed->end += feed->step;
	}
}

static void
check_same(const struct event *a, const struct event *b)
{
	check(a->result == b->result);
	if (a->result == LINE_BAD)
		check(a->error == b->error && a->error != ERROR_NONE);
	if (a->result == LINE_REQUEST) {
		check(a->request.verb == b->request.verb);
		check(a->request.key == b->request.key);
		check(a->request.key_len == b->request.key_len);
		check(a->request.amount == b->request.amount);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed whole = {
	    .bytes = (const char *)data,
	    .len = size,
	    .step = size,
	};
	struct feed bytewise = whole;
	struct event event, other;

	bytewise.step = 1;
	do {
		event = next_event(&whole);
		other = next_event(&bytewise);
		check_same(&event, &other);
	} while (event.result != LINE_MORE);
	check(whole.reader.skipping == bytewise.reader.skipping);
	check(whole.start == bytewise.start);
	return 0;
}
