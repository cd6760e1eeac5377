#include "gate/talk.h"

#include "wire/resp_request.h"

#include <string.h>

#define NOT_ALLOWED                                                            \
	"-ERR CL.THROTTLE is switched off: [listen] allow_inline_limits = "    \
	"no\r\n"

void
talk_start(
    struct talk *talk, struct talk_room *room, struct queue *queue, uint64_t id)
{
	*talk = (struct talk){.room = room, .queue = queue, .session = {2, id}};
}

static void
count_bad(struct talk *talk)
{
	metric_add(&talk->queue->cache->gate->metrics->bad_lines, 1);
}

static enum talk_result
taken(int result)
{
	return result == -1 ? TALK_FAILED : TALK_TAKEN;
}

/*
 * Lines.
 */

static enum talk_result
refuse_line(struct talk *talk, enum line_error error)
{
	count_bad(talk);
	if (queue_add_text(talk->queue, line_error_text(error)) == -1)
		return TALK_FAILED;
	return error == LINE_ERR_HTTP ? TALK_CLOSE : TALK_TAKEN;
}

static enum talk_result
take_line(struct talk *talk, const char *bytes, size_t len, size_t *used)
{
	struct request request;
	enum line_error error;

	switch (line_read(&talk->line, bytes, len, used, &request, &error)) {
	case LINE_MORE:
		return TALK_MORE;
	case LINE_BAD:
		return refuse_line(talk, error);
	case LINE_REQUEST:
		break;
	}
	talk->costly = request.verb > VERB_RESET;
	if (request.verb == VERB_QUIT)
		return TALK_CLOSE;
	return taken(queue_add(talk->queue, &request, FORM_LINE));
}

/*
 * RESP.
 */

static enum talk_result
add_request(struct talk *talk, const struct request *request)
{
	const struct gate_options *options =
	    talk->queue->cache->gate->shared->options;

	talk->costly =
	    request->verb > VERB_RESET && request->verb != VERB_THROTTLE;
	if (request->verb == VERB_THROTTLE && !options->inline_limits) {
		count_bad(talk);
		return taken(queue_add_text(talk->queue, NOT_ALLOWED));
	}
	return taken(queue_add(talk->queue, request,
	    talk->session.version == 3 ? FORM_RESP3 : FORM_RESP2));
}

/* Put what stands in the room into the queue. */
static enum talk_result
add_answer(struct talk *talk)
{
	const struct buf *answer = &talk->room->answer;

	return taken(
	    queue_add_bytes(talk->queue, buf_head(answer), buf_len(answer)));
}

static enum talk_result
take_command(struct talk *talk)
{
	struct buf *answer = &talk->room->answer;
	struct request request;

	buf_take(answer, buf_len(answer));
	talk->costly = true;
	switch (resp_request_read(
	    &talk->room->command, &talk->session, &request, answer)) {
	case RESP_ASKS:
		return add_request(talk, &request);
	case RESP_ANSWERED:
		break;
	case RESP_WRONG:
		count_bad(talk);
		break;
	case RESP_QUITS:
		return add_answer(talk) == TALK_TAKEN ? TALK_CLOSE
						      : TALK_FAILED;
	case RESP_FAILED:
		return TALK_FAILED;
	}
	return add_answer(talk);
}

/* Not the protocol: where the next command starts, nobody knows. */
static enum talk_result
refuse_bytes(struct talk *talk, const char *why)
{
	struct buf *answer = &talk->room->answer;

	count_bad(talk);
	buf_take(answer, buf_len(answer));
	if (resp_write_error(answer, why) == -1 ||
	    add_answer(talk) == TALK_FAILED)
		return TALK_FAILED;
	return TALK_CLOSE;
}

static enum talk_result
take_resp(struct talk *talk, const char *bytes, size_t len, size_t *used)
{
	struct resp_command *command = &talk->room->command;
	char why[RESP_WHY_MAX];

	switch (resp_read(&talk->resp, bytes, len, used, command, why)) {
	case RESP_MORE:
		return TALK_MORE;
	case RESP_BAD:
		return refuse_bytes(talk, why);
	case RESP_COMMAND:
		break;
	}
	return command->count > 0 ? take_command(talk) : TALK_TAKEN;
}

/*
 * Either.
 */

static enum talk_protocol
protocol_of(const struct talk *talk, const char *bytes)
{
	if (talk->protocol != TALK_UNKNOWN)
		return talk->protocol;
	return *bytes == '*' ? TALK_RESP : TALK_LINE;
}

enum talk_result
talk_take(struct talk *talk, const char *bytes, size_t len, size_t *used)
{
	*used = 0;
	if (len == 0)
		return TALK_MORE;
	talk->protocol = protocol_of(talk, bytes);
	talk->costly = false;
	if (talk->protocol == TALK_RESP)
		return take_resp(talk, bytes, len, used);
	return take_line(talk, bytes, len, used);
}

static size_t
first_command_len(const struct talk *talk, const char *bytes, size_t len)
{
	struct resp_reader reader = talk->resp;
	char why[RESP_WHY_MAX];
	size_t used;

	if (resp_read(&reader, bytes, len, &used, &talk->room->command, why) ==
	    RESP_MORE)
		return len;
	return used;
}

size_t
talk_first_len(const struct talk *talk, const char *bytes, size_t len)
{
	const char *end;

	if (len == 0)
		return 0;
	if (protocol_of(talk, bytes) == TALK_RESP)
		return first_command_len(talk, bytes, len);
	end = memchr(bytes, '\n', len);
	return end ? (size_t)(end + 1 - bytes) : len;
}

int
talk_cut(struct talk *talk)
{
	if (talk->protocol == TALK_RESP)
		return 0; /* as Redis does */
	return refuse_line(talk, LINE_ERR_INCOMPLETE) == TALK_FAILED ? -1 : 0;
}

bool
talk_is_whole(const struct talk *talk)
{
	return !talk->line.skipping && talk->resp.at == 0;
}

bool
talk_can_move(const struct talk *talk)
{
	return talk->session.version == 2;
}

void
talk_room_clear(struct talk_room *room)
{
	buf_free(&room->answer);
}
