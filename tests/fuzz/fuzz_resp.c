/*
 * Any bytes as RESP: whether they come at once or one by one, the same commands
 * are read, ask the same, and are answered alike; what is asked is what its
 * header promises, and an answer is one well-formed value.
 */
#include "fuzz.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "wire/resp_request.h"

#include <string.h>

/* Answers are nested no deeper: COMMAND's flags. */
#define DEPTH_MAX 4

/* Bytes on their way through a reader: those from ${start} to ${end} are held,
 * ${step} more come at a time. */
struct feed {
	struct resp_reader reader;
	struct resp_session session;
	const char *bytes;
	size_t len, start, end, step;
};

/* What a command was read as. */
struct event {
	enum resp_result result;
	size_t words;
	enum resp_demand demand;
	struct request request;
	struct buf answer;
	char why[RESP_WHY_MAX];
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
check_answer(const struct buf *answer)
{
	const char *at = buf_head(answer);
	const char *end = at + buf_len(answer);

	check(at != NULL);
	take_value(&at, end, 1);
	check(at == end);
}

static void
check_throttle(const struct request *request)
{
	check(request->amount >= 0 && request->capacity >= 1 &&
	      request->capacity <= LIMIT_CAPACITY_MAX);
	check(request->recharge_us >= 1 &&
	      request->recharge_us <= LIMIT_INLINE_LIFE_US / request->capacity);
}

static void
check_request(const struct feed *feed, const struct request *request)
{
	check(request->verb != VERB_QUIT);
	check(request->amount >= -LIMIT_AMOUNT_MAX &&
	      request->amount <= LIMIT_AMOUNT_MAX);
	if (request->verb == VERB_THROTTLE)
		check_throttle(request);
	if (request->key) {
		check(request->key > feed->bytes &&
		      request->key + request->key_len <
			  feed->bytes + feed->start);
		check(key_is_valid(request->key, request->key_len));
	} else {
		check(request->verb >= VERB_LIMITS &&
		      request->verb != VERB_THROTTLE);
	}
}

static void
find_demand(
    struct feed *feed, const struct resp_command *command, struct event *event)
{
	event->words = command->count;
	if (command->count == 0)
		return;
	event->demand = resp_request_read(
	    command, &feed->session, &event->request, &event->answer);
	check(event->demand != RESP_FAILED);
	if (event->demand == RESP_ASKS)
		check_request(feed, &event->request);
	else
		check_answer(&event->answer);
}

/* The next command, or RESP_MORE if all bytes have come. */
static struct event
next_event(struct feed *feed)
{
	struct event event = {.result = RESP_MORE};
	struct resp_command command;

	for (;;) {
		size_t held = feed->end - feed->start, used;

		event.result =
		    resp_read(&feed->reader, feed->bytes + feed->start, held,
			&used, &command, event.why);
		check(used <= held);
		feed->start += used;
		if (event.result == RESP_COMMAND)
			find_demand(feed, &command, &event);
		if (event.result != RESP_MORE)
			return event;
		check(used == 0 && held < RESP_HELD_MAX);
		if (feed->end == feed->len)
			return event;
		feed->end += feed->step;
	}
}

static void
check_same(const struct event *a, const struct event *b)
{
	check(a->result == b->result);
	if (a->result == RESP_BAD)
		check(strcmp(a->why, b->why) == 0);
	if (a->result != RESP_COMMAND)
		return;
	check(a->words == b->words && a->demand == b->demand);
	check(a->request.verb == b->request.verb);
	check(a->request.key == b->request.key);
	check(a->request.amount == b->request.amount);
	check(buf_len(&a->answer) == buf_len(&b->answer));
	if (buf_len(&a->answer) > 0)
		check(memcmp(buf_head(&a->answer), buf_head(&b->answer),
			  buf_len(&a->answer)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed whole = {
	    .session = {2, 1},
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
		buf_free(&event.answer);
		buf_free(&other.answer);
	} while (event.result == RESP_COMMAND);
	check(whole.session.version == bytewise.session.version);
	return 0;
}
