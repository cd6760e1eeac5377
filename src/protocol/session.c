#include "protocol/session.h"

#include "gate/gate.h"

static const struct protocol *
session_protocol(const struct session *session, const char *bytes, size_t len)
{
	return session->protocol ? session->protocol
				 : protocol_detect(bytes, len);
}

void
session_start(struct session *session, struct session_common *common,
    uint64_t id, enum offer offer)
{
	*session = (struct session){.protocol = protocol_of_offer(offer),
	    .common = common,
	    .id = id,
	    .offer = offer};
}

struct original_routing
session_routing(const struct session *session)
{
	const struct session_common *common = session->common;
	const struct gate *gate = common->gate;

	return (struct original_routing){
	    .rules = gate ? gate->snapshot->rules : NULL,
	    .scratch = gate ? gate->scratch : NULL,
	    .peer = session->peer,
	    .trusted = common->trusted,
	    .client_header = common->client_header ? common->client_header : "",
	};
}

void
session_end(struct session *session)
{
	if (session->protocol && session->protocol->end)
		session->protocol->end(session);
	users_unref(session->login.users);
	session->login.users = NULL;
}

bool
session_has_queued(const struct session *session)
{
	return session->protocol && session->protocol->has_queued &&
	       session->protocol->has_queued(session);
}

enum read_result
session_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	*used = 0;
	if (len == 0 && !session_has_queued(session))
		return READ_MORE;
	session->protocol = session_protocol(session, bytes, len);
	if (!session->protocol)
		return READ_MORE;
	return session->protocol->read(session, bytes, len, used, request);
}

size_t
session_first_len(const struct session *session, const char *bytes, size_t len)
{
	const struct protocol *protocol =
	    len > 0 ? session_protocol(session, bytes, len) : NULL;

	return protocol ? protocol->first_len(session, bytes, len) : len;
}

enum read_result
session_cut(struct session *session)
{
	if (!session->protocol)
		session->protocol = protocol_guess(NULL, 0);
	return session->protocol->cut(session);
}

enum read_result
session_late(struct session *session)
{
	return session->protocol && session->protocol->late
		   ? session->protocol->late(session)
		   : READ_MORE;
}

bool
session_is_between(const struct session *session)
{
	return !session->protocol || session->protocol->is_between(session);
}

bool
session_can_hand_over(const struct session *session)
{
	return !session->protocol || session->protocol->can_hand_over(session);
}

void
session_common_clear(struct session_common *common)
{
	buf_free(&common->response);
	buf_free(&common->forwarded);
	users_unref(common->users);
	common->users = NULL;
}
