#include "gate/answer.h"

#include "wire/line.h"
#include "wire/resp.h"
#include "wire/throttle.h"

#include <string.h>

static int
version_of(enum form form)
{
	return form == FORM_RESP3 ? 3 : 2;
}

const char *
answer_pong(enum form form)
{
	return form == FORM_LINE ? "PONG\n" : "+PONG\r\n";
}

static int
answer_ok(struct buf *out, enum form form)
{
	return form == FORM_LINE ? buf_add(out, "OK\n", 3)
				 : resp_write_status(out, "OK");
}

static int
answer_error(struct buf *out, enum form form, enum line_error error)
{
	const char *text = line_error_text(error);

	return form == FORM_LINE ? buf_add(out, text, strlen(text))
				 : resp_write_error(out, text);
}

int
answer_outcome(struct buf *out, enum form form, const struct passage *passage)
{
	switch (passage->outcome) {
	case OUTCOME_DECISION:
		break;
	case OUTCOME_DONE:
		return answer_ok(out, form);
	case OUTCOME_NOLIMIT:
		return answer_error(out, form, LINE_ERR_NOLIMIT);
	case OUTCOME_UNAVAILABLE:
		return answer_error(out, form, LINE_ERR_UNAVAILABLE);
	}
	if (form == FORM_LINE)
		return line_write_reply(out, &passage->reply);
	return resp_write_reply(out, &passage->reply, version_of(form));
}

int
answer_throttle(struct buf *out, const struct passage *passage)
{
	if (passage->outcome == OUTCOME_DECISION)
		return throttle_write(out, &passage->reply);
	return resp_write_error(out, "ERR unavailable out of memory");
}

int
answer_lines(struct buf *out, enum form form, const struct buf *text)
{
	if (form == FORM_LINE)
		return buf_add(out, buf_head(text), buf_len(text));
	return resp_write_lines(out, buf_head(text), buf_len(text));
}
