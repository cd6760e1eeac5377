#include "protocol/line/line.h"

#include "protocol/login.h"

#include <string.h>

_Static_assert(sizeof(struct line_reader) <= SESSION_STATE_MAX,
    "a session has room for it");
_Static_assert(
    LINE_MAX_LEN + 1 <= PROTOCOL_HELD_MAX, "the session holds as much");

/* Clients that no other protocol detects speak this one. */
static enum detect_result
line_protocol_detect(const char *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	return DETECT_YES;
}

static enum read_result
line_protocol_refuse(struct session *session, enum protocol_error error)
{
	return line_write_error(&session->common->response, error) == -1
		   ? READ_FAILED
		   : READ_BAD;
}

static enum read_result
line_protocol_log_in(struct session *session, const struct request *request)
{
	bool has_name = request->word_count > 1;
	enum protocol_error error = login_with_secret(session,
	    has_name ? &request->words[0] : NULL, &request->words[has_name]);
	struct buf *response = &session->common->response;

	if (error)
		return line_protocol_refuse(session, error);
	return buf_printf(response, "OK\n") == -1 ? READ_FAILED
						  : READ_RESPONDED;
}

static enum read_result
line_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct line_reader *reader = (void *)session->state;

	switch (line_read(reader, bytes, len, used, request)) {
	case LINE_MORE:
		return READ_MORE;
	case LINE_REQUEST:
		return request->verb == VERB_AUTH
			   ? line_protocol_log_in(session, request)
			   : READ_REQUEST;
	case LINE_BAD:
		break;
	}
	session->last = reader->error == ERROR_HTTP;
	return line_protocol_refuse(session, reader->error);
}

static size_t
line_protocol_first_len(
    const struct session *session, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);

	(void)session;
	return end ? (size_t)(end + 1 - bytes) : len;
}

static enum read_result
line_protocol_cut(struct session *session)
{
	return line_protocol_refuse(session, ERROR_INCOMPLETE);
}

static bool
line_protocol_is_between(const struct session *session)
{
	const struct line_reader *reader = (const void *)session->state;

	return !reader->skipping;
}

static bool
line_protocol_can_hand_over(const struct session *session)
{
	(void)session;
	return true;
}

static int
line_protocol_decision(
    struct buf *out, unsigned encoding, const struct check *check)
{
	(void)encoding;
	return line_write_decision(out, check);
}

static int
line_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	(void)encoding;
	return line_write_error(out, error);
}

static int
line_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	(void)encoding;
	return buf_printf(out, "%s\n", word);
}

static int
line_protocol_number(struct buf *out, unsigned encoding, int64_t number)
{
	(void)encoding;
	return buf_printf(out, "%lld\n", (long long)number);
}

static int
line_protocol_rows(struct buf *out, unsigned encoding, const struct rows *rows)
{
	(void)encoding;
	if (buf_add(out, rows->text, rows->len) == -1)
		return -1;
	return rows->last ? buf_add(out, "END\n", 4) : 0;
}

const struct protocol line_protocol = {
    .name = "line",
    .families = LINE_VERBS,
    .detect = line_protocol_detect,
    .read = line_protocol_read,
    .first_len = line_protocol_first_len,
    .cut = line_protocol_cut,
    .is_between = line_protocol_is_between,
    .can_hand_over = line_protocol_can_hand_over,
    .decision = line_protocol_decision,
    .error = line_protocol_error,
    .word = line_protocol_word,
    .number = line_protocol_number,
    .rows = line_protocol_rows,
};
