/*
 * Job: HTTP/1.1 as a protocol: from bytes to requests, and back.
 * Invariant: a request is begun once it is whole, body and all; where its end
 * is not known, the client is closed behind the response. The heart:
 * http_protocol_read(), and what it calls: begin, go on, finish.
 */
#include "base/num.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_descriptors.h"
#include "protocol/http/http_forward.h"
#include "protocol/http/http_json.h"
#include "protocol/http/http_login.h"
#include "protocol/http/http_open.h"
#include "protocol/http/http_page.h"
#include "protocol/http/http_path.h"
#include "protocol/http/http_routed.h"
#include "protocol/http/http_session.h"
#include "protocol/http/http_write.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct http_session) <= SESSION_STATE_MAX &&
		   HTTP_ROOM_MAX <= SESSION_SCRATCH_MAX,
    "a session has room for it");
_Static_assert(HTTP_HELD_MAX <= PROTOCOL_HELD_MAX, "so much is held");

static enum detect_result
http_protocol_detect(const char *bytes, size_t len)
{
	switch (http_reader_detect(bytes, len)) {
	case HTTP_MORE:
		return DETECT_MORE;
	case HTTP_END:
		return DETECT_YES;
	case HTTP_HEAD_READ:
	case HTTP_BODY:
	case HTTP_BAD:
		break;
	}
	return DETECT_NO;
}

/* Respond that a request is wrong. */
static enum read_result
http_protocol_refuse(struct session *session, unsigned encoding,
    const struct http_problem *problem)
{
	http_session_drop(session);
	session->last |= !(encoding & HTTP_KEEPS);
	return http_write_problem(
		   &session->common->response, encoding, problem) == -1
		   ? READ_FAILED
		   : READ_BAD;
}

/*
 * The whole of it.
 */

/* Start to read what the parameters say. */
static struct http_ask
http_protocol_ask(struct session *session, struct request *request,
    const struct http_opened *opened)
{
	request_init(request, http_paths[opened->path].verb);
	request->encoding = opened->encoding;
	return (struct http_ask){.request = request,
	    .room = session->common->scratch,
	    .keys = http_paths[opened->path].takes == HTTP_TAKES_EACH
			? &session->common->routed
			: NULL};
}

/* Read the next of the elements that are stored. */
static enum read_result
http_protocol_read_element(struct session *session, struct request *request)
{
	struct http_stored *stored = http_session_of(session)->stored;
	struct http_ask ask =
	    http_protocol_ask(session, request, &stored->opened);
	const char *start = buf_data(&stored->bytes), *at = start;
	enum http_part part = stored->begun ? HTTP_MIDDLE : HTTP_FIRST;

	if (http_json_element(&ask, &at, start + buf_len(&stored->bytes)))
		return READ_FAILED; /* it was fine when it was stored */
	buf_consume(&stored->bytes, (size_t)(at - start));
	stored->begun = true;
	if (--stored->left == 0) {
		part = part == HTTP_FIRST ? HTTP_ONLY : HTTP_LAST;
		session->last |= !(request->encoding & HTTP_KEEPS);
		http_session_drop(session);
	}
	request->encoding |= (unsigned)part << HTTP_PART_SHIFT;
	return READ_REQUEST;
}

/* Store the elements of ${ask}, up to ${end}, and read the first of them. */
static enum read_result
http_protocol_read_each(struct session *session, struct request *request,
    const struct http_ask *ask, const struct http_opened *from, const char *end)
{
	struct http_opened opened = *from; /* it may be of what is stored */

	/* Without chunks, the end of the connection is that of the body. */
	if (opened.encoding & HTTP_IS_OLD)
		opened.encoding &= ~HTTP_KEEPS;
	if (http_session_store(
		session, &opened, ask->each, (size_t)(end - ask->each), 0))
		return READ_FAILED;
	http_session_of(session)->stored->left = ask->each_count;
	return http_protocol_read_element(session, request);
}

static const struct http_problem *
http_protocol_read_parameters(struct http_ask *ask,
    const struct http_opened *opened, const struct http_word *query,
    const struct http_word *body)
{
	const struct http_problem *problem =
	    http_ask_form(ask, query->bytes, query->len);

	if (problem)
		return problem;
	if (body->len > 0 && opened->type == HTTP_TYPE_JSON)
		return http_json_read(ask, body->bytes, body->len);
	problem = http_ask_form(ask, body->bytes, body->len);
	return problem ? problem : http_ask_end(ask);
}

/* A request is there as a whole. */
static enum read_result
http_protocol_finish(struct session *session, struct request *request,
    const struct http_opened *opened, const struct http_word *query,
    const struct http_word *body)
{
	enum http_takes takes = http_paths[opened->path].takes;
	struct http_ask ask = http_protocol_ask(session, request, opened);
	const struct http_problem *problem = NULL;

	if (takes == HTTP_TAKES_DESCRIPTORS)
		problem = http_descriptors_read(request, session->common, body);
	else if (takes != HTTP_TAKES_NONE && takes != HTTP_TAKES_PAGE)
		problem =
		    http_protocol_read_parameters(&ask, opened, query, body);
	if (!problem && ask.each_count > 0 && takes != HTTP_TAKES_EACH)
		problem = HTTP_PROBLEM(BADEACH);
	if (problem)
		return http_protocol_refuse(session, opened->encoding, problem);
	if (ask.each_count > 0)
		return http_protocol_read_each(
		    session, request, &ask, opened, body->bytes + body->len);
	session->last |= !(opened->encoding & HTTP_KEEPS);
	request->encoding |= (unsigned)ask.deny << HTTP_DENY_SHIFT;
	http_session_drop(session);
	return takes == HTTP_TAKES_PAGE
		   ? http_page_respond(session, opened->encoding)
		   : READ_REQUEST;
}

/* Go on with a request that is stored: its body. */
static enum read_result
http_protocol_go_on(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct http_session *state = http_session_of(session);
	struct http_stored *stored = state->stored;
	struct http_word query, body;

	for (;;) {
		struct http_piece piece;
		size_t step;
		enum http_event event = http_read(
		    &state->reader, bytes + *used, len - *used, &step, &piece);

		*used += step;
		if (event == HTTP_MORE)
			return READ_MORE;
		if (event == HTTP_BAD)
			return http_protocol_refuse(session,
			    stored->opened.encoding & ~HTTP_KEEPS,
			    state->reader.problem);
		if (event == HTTP_END)
			break;
		if (!http_routed_is(&stored->opened) &&
		    http_session_add(session, piece.bytes, piece.len) == -1)
			return READ_FAILED;
	}
	query = (struct http_word){.bytes = buf_len(&stored->bytes) > 0
						? buf_data(&stored->bytes)
						: "",
	    .len = stored->query_len};
	body = (struct http_word){.bytes = query.bytes + query.len,
	    .len = buf_len(&stored->bytes) - query.len};
	if (http_forward_is(&stored->opened))
		return http_forward_finish(
		    session, request, &stored->opened, &query, &body);
	if (http_routed_is(&stored->opened))
		return http_routed_finish(
		    session, request, &stored->opened, &query);
	return http_protocol_finish(
	    session, request, &stored->opened, &query, &body);
}

/* Whether the body is among ${len} bytes, in one piece. */
static bool
http_protocol_is_whole(const struct http_head *head, size_t len)
{
	return !head->is_chunked && (size_t)head->length <= len;
}

/* Store a request until its body has come; with ${asks}, have the client send
 * that.  READ_MORE: it is stored. */
static enum read_result
http_protocol_wait(struct session *session, const struct http_opened *opened,
    const struct http_word *query, bool asks)
{
	const struct http_head *head = &http_session_of(session)->reader.head;

	if (http_session_store(session, opened, query->bytes, query->len,
		head->is_chunked ? HTTP_BODY_MAX : (size_t)head->length))
		return READ_FAILED;
	if (!asks)
		return READ_MORE;
	return http_write_continue(&session->common->response) == -1
		   ? READ_FAILED
		   : READ_RESPONDED;
}

/* The head of a request was read.  Refuse it, or find out what it asks for. */
static const struct http_problem *
http_protocol_take_head(struct session *session, const struct http_piece *head,
    struct http_opened *opened, struct http_word *query)
{
	struct http_reader *reader = &http_session_of(session)->reader;
	const struct http_problem *problem;
	struct http_word path;

	problem = http_open(session, head, &path, query, opened);
	if (!problem)
		problem = http_login(session, &reader->head, head->bytes,
		    &http_paths[opened->path]);
	if (!problem && http_routed_is(opened))
		problem = http_routed_open(session, head, &path, query, opened);
	if (!problem)
		return NULL;
	/* A body that is not wanted is not waited for. */
	if (http_head_has_body(&reader->head))
		opened->encoding &= ~HTTP_KEEPS;
	*reader = (struct http_reader){0};
	return problem;
}

/* Read a request, or, if its body is not there yet, its head. */
static enum read_result
http_protocol_begin(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct http_reader *reader = &http_session_of(session)->reader;
	const struct http_problem *problem;
	struct http_opened opened;
	struct http_word query, body;
	struct http_piece head;
	enum http_event event = http_read(reader, bytes, len, used, &head);

	if (event == HTTP_MORE)
		return READ_MORE;
	if (event == HTTP_BAD)
		return http_protocol_refuse(session, 0, reader->problem);
	problem = http_protocol_take_head(session, &head, &opened, &query);
	if (problem)
		return http_protocol_refuse(session, opened.encoding, problem);
	if (http_routed_is(&opened))
		query = http_routed_bytes(session->common);
	if (http_forward_is(&opened))
		query =
		    (struct http_word){.bytes = head.bytes, .len = head.len};
	if (!http_protocol_is_whole(&reader->head, len - *used))
		return http_protocol_wait(session, &opened, &query,
		    reader->head.expects && *used == len);
	body = (struct http_word){
	    .bytes = bytes + *used, .len = (size_t)reader->head.length};
	*used += body.len;
	*reader = (struct http_reader){0};
	if (http_forward_is(&opened))
		return http_forward_finish(
		    session, request, &opened, &query, &body);
	return http_routed_is(&opened)
		   ? http_routed_finish(session, request, &opened, NULL)
		   : http_protocol_finish(
			 session, request, &opened, &query, &body);
}

static bool
http_protocol_has_queued(const struct session *session)
{
	const struct http_session *state = (const void *)session->state;

	return state->stored && state->stored->left > 0;
}

static enum read_result
http_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	enum read_result result;

	if (http_protocol_has_queued(session))
		return http_protocol_read_element(session, request);
	if (http_session_of(session)->stored)
		return http_protocol_go_on(session, bytes, len, used, request);
	result = http_protocol_begin(session, bytes, len, used, request);
	if (result == READ_MORE && http_session_of(session)->stored)
		return http_protocol_go_on(session, bytes, len, used, request);
	return result;
}

static size_t
http_protocol_first_len(
    const struct session *session, const char *bytes, size_t len)
{
	const struct http_session *state = (const void *)session->state;
	struct http_reader reader = state->reader;
	struct http_piece piece;
	size_t done = 0, step;

	if (http_protocol_has_queued(session))
		return 0;
	for (;;) {
		enum http_event event =
		    http_read(&reader, bytes + done, len - done, &step, &piece);

		done += step;
		if (event == HTTP_MORE)
			return len;
		if (event == HTTP_END || event == HTTP_BAD)
			return done;
	}
}

static enum read_result
http_protocol_cut(struct session *session)
{
	return http_protocol_refuse(session, 0, HTTP_PROBLEM(CUT));
}

static enum read_result
http_protocol_late(struct session *session)
{
	return http_protocol_refuse(session, 0, HTTP_PROBLEM(LATE));
}

static bool
http_protocol_is_between(const struct session *session)
{
	const struct http_session *state = (const void *)session->state;

	return http_reader_is_between(&state->reader) && !state->stored;
}

/* What the listener offers is known to this process only. */
static bool
http_protocol_can_hand_over(const struct session *session)
{
	return session->offer != OFFER_ADMIN;
}

/*
 * Writing.
 */

static int
http_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	return http_write_problem(out, encoding, http_problem_of(error));
}

static int
http_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "%s\n", word);

	return http_write_text(out, encoding, HTTP_PLAIN, text, (size_t)len);
}

static int
http_protocol_number(struct buf *out, unsigned encoding, int64_t number)
{
	char text[NUM_MAX_LEN + 1];

	text[num_write_int(text, number)] = '\0';
	return http_protocol_word(out, encoding, text);
}

static int
http_protocol_rows(struct buf *out, unsigned encoding, const struct rows *rows)
{
	const char *type = http_path_of(encoding)->type;

	return http_write_rows(out, encoding, type ? type : HTTP_PLAIN, rows);
}

const struct protocol http_protocol = {
    .name = "http",
    .families = VERBS_DRIPGATE | VERBS_HTTP,
    .detect = http_protocol_detect,
    .read = http_protocol_read,
    .has_queued = http_protocol_has_queued,
    .end = http_session_drop,
    .first_len = http_protocol_first_len,
    .cut = http_protocol_cut,
    .late = http_protocol_late,
    .is_between = http_protocol_is_between,
    .can_hand_over = http_protocol_can_hand_over,
    .decision = http_write_decision,
    .error = http_protocol_error,
    .word = http_protocol_word,
    .number = http_protocol_number,
    .rows = http_protocol_rows,
    .passed = http_forward_write,
};
