#include "protocol/grpc/grpc_outcome.h"

#include <string.h>

/* What goes before the statuses in use, or the message. */
#define OUTCOME_HEAD offsetof(struct grpc_outcome, statuses)

int
grpc_outcome_put(struct buf *out, const struct grpc_outcome *outcome)
{
	bool has_message = outcome->len > 0;

	if (buf_add(out, &outcome->len, sizeof(outcome->len)) == -1 ||
	    buf_add(out, outcome, OUTCOME_HEAD) == -1)
		return -1;
	if (has_message)
		return buf_add(out, outcome->message, outcome->len);
	return buf_add(out, outcome->statuses,
	    outcome->count * sizeof(*outcome->statuses));
}

void
grpc_outcome_take(struct grpc_outcome *outcome, const char *bytes, size_t len)
{
	memcpy(&outcome->len, bytes, sizeof(outcome->len));
	bytes += sizeof(outcome->len);
	len -= sizeof(outcome->len);
	outcome->message = bytes + OUTCOME_HEAD;
	memcpy(outcome, bytes, outcome->len > 0 ? OUTCOME_HEAD : len);
	outcome->quota.limit = *outcome->limit ? outcome->limit : NULL;
}

int
grpc_outcome_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	static const enum grpc_code codes[ERROR_COUNT] = {
	    [ERROR_NOLIMIT] = GRPC_NOT_FOUND,
	    [ERROR_TOOMANY] = GRPC_INVALID_ARGUMENT,
	    [ERROR_BADBYTES] = GRPC_INVALID_ARGUMENT,
	    [ERROR_NOAUTH] = GRPC_UNAUTHENTICATED,
	    [ERROR_WRONGPASS] = GRPC_UNAUTHENTICATED,
	    [ERROR_SLOWDOWN] = GRPC_RESOURCE_EXHAUSTED,
	    [ERROR_NOPERM] = GRPC_PERMISSION_DENIED,
	};
	const struct grpc_outcome outcome = {
	    .stream = (int32_t)encoding,
	    .code = codes[error] ? codes[error] : GRPC_UNAVAILABLE,
	    .problem = protocol_error_text(error),
	    .error = error,
	};

	return grpc_outcome_put(out, &outcome);
}
