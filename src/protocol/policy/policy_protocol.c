/*
 * Job: turns Postfix's requests into checks, and decisions into actions.
 * Invariant: a request that is wrong gets no response but the end of the
 * connection, as Postfix has it: then its own setting decides.
 * The heart: policy_protocol_read() and policy_protocol_decision().
 */
#include "gate/gate.h"
#include "limit/rules.h"
#include "protocol/policy/policy.h"
#include "protocol/session.h"

#include <string.h>

_Static_assert(
    POLICY_REQUEST_MAX <= PROTOCOL_HELD_MAX, "the session holds as much");

/* What a session remembers. */
struct policy_session {
	size_t seen; /* bytes of the next request, without its end */
};

/* A request while it is routed. */
struct policy_routing {
	struct route_text lines;
	char client[ADDRESS_TEXT_MAX], client64[ADDRESS_TEXT_MAX];
	struct route_request request;
};

/* Nothing in the bytes tells them from lines: the listener does. */
static enum detect_result
policy_protocol_detect(const char *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	return DETECT_NO;
}

static enum read_result
policy_protocol_refuse(struct session *session)
{
	session->last = true;
	return READ_BAD;
}

static struct route_text
policy_protocol_attribute(
    const struct route_request *request, const struct route_text *name)
{
	return policy_attribute(request->arg, name);
}

/* The client is Postfix's, not Postfix itself. */
static void
policy_protocol_set_client(struct policy_routing *routing)
{
	const struct route_text name = {"client_address", 14};
	struct route_text value = policy_attribute(&routing->lines, &name);
	struct ip_address address;

	if (!value.bytes ||
	    address_read(&address, value.bytes, value.len) == -1)
		return;
	routing->request.client = (struct route_text){
	    routing->client, address_write(routing->client, &address)};
	routing->request.client64 = (struct route_text){
	    routing->client64, address_write_64(routing->client64, &address)};
}

static void
policy_protocol_route(
    struct session_common *common, const char *bytes, size_t len)
{
	static const struct routes none;
	const struct gate *gate = common->gate;
	const struct rules *rules = gate ? gate->snapshot->rules : NULL;
	struct policy_routing routing = {
	    .lines = {bytes, len},
	    .request =
		{
		    .method = {"", 0},
		    .host = {"", 0},
		    .path = {"", 0},
		    .policy = policy_protocol_attribute,
		    .arg = &routing.lines,
		},
	};

	policy_protocol_set_client(&routing);
	routes_route(rules ? rules_routes(rules) : &none, &routing.request,
	    gate ? gate->scratch : NULL, &common->routed, NULL, NULL);
}

static enum read_result
policy_protocol_read(struct session *session, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	struct policy_session *state = (void *)session->state;
	struct session_common *common = session->common;
	size_t end = policy_find_end(bytes, len, state->seen);
	struct route_text lines = {bytes, end > 0 ? end - 1 : 0};

	*used = 0;
	if (end == 0 && len < POLICY_REQUEST_MAX) {
		state->seen = len;
		return READ_MORE;
	}
	state->seen = 0;
	*used = end > 0 ? end : len;
	if (end == 0 || end > POLICY_REQUEST_MAX || !policy_is_valid(&lines))
		return policy_protocol_refuse(session);
	policy_protocol_route(common, lines.bytes, lines.len);
	if (common->routed.routed == ROUTED_TOOLONG ||
	    common->routed.routed == ROUTED_TOOMANY)
		return policy_protocol_refuse(session);
	request_init(request, VERB_CHECK);
	request->routed = &common->routed;
	request->encoding = (unsigned)common->routed.denied;
	return READ_REQUEST;
}

static size_t
policy_protocol_first_len(
    const struct session *session, const char *bytes, size_t len)
{
	const struct policy_session *state = (const void *)session->state;
	size_t end = policy_find_end(bytes, len, state->seen);

	return end > 0 ? end : len;
}

static bool
policy_protocol_is_between(const struct session *session)
{
	const struct policy_session *state = (const void *)session->state;

	return state->seen == 0;
}

/* What the listener offers is known to this process only. */
static bool
policy_protocol_can_hand_over(const struct session *session)
{
	(void)session;
	return false;
}

/*
 * Writing.
 */

/* The actions, with an enhanced status code where Postfix wants one. */
static const char *const policy_protocol_actions[] = {
    [ROUTE_DEFER_IF_PERMIT] = "DEFER_IF_PERMIT 4.7.1",
    [ROUTE_DEFER] = "DEFER 4.7.1",
    [ROUTE_REJECT] = "REJECT 5.7.1",
    [ROUTE_HOLD] = "HOLD",
    [ROUTE_DISCARD] = "DISCARD",
};

/* No wait helps: Postfix must not have the mail sent again and again. */
static const char *
policy_protocol_final_action(enum route_denied denied)
{
	if (denied == ROUTE_DEFER_IF_PERMIT || denied == ROUTE_DEFER)
		denied = ROUTE_REJECT;
	return policy_protocol_actions[denied];
}

/* ${encoding}: enum route_denied. */
static int
policy_protocol_decision(
    struct buf *out, unsigned encoding, const struct check *check)
{
	enum route_denied denied = (enum route_denied)encoding;
	int64_t retry_us = check->decision.retry_us;

	if (check->decision.allowed)
		return buf_printf(out, "action=DUNNO\n\n");
	if (!check->limit)
		return buf_printf(out, "action=%s Not allowed\n\n",
		    policy_protocol_final_action(denied));
	if (retry_us == RETRY_NEVER)
		return buf_printf(out,
		    "action=%s More than limit %s ever allows\n\n",
		    policy_protocol_final_action(denied), check->limit->name);
	return buf_printf(out,
	    "action=%s Over limit %s, try again in %lld s\n\n",
	    policy_protocol_actions[denied], check->limit->name,
	    (long long)((retry_us + 999999) / 1000000));
}

static int
policy_protocol_word(struct buf *out, unsigned encoding, const char *word)
{
	(void)encoding;
	return buf_printf(out, "action=DEFER_IF_PERMIT 4.3.5 %s\n\n", word);
}

static int
policy_protocol_error(
    struct buf *out, unsigned encoding, enum protocol_error error)
{
	return policy_protocol_word(out, encoding, protocol_error_text(error));
}

static int
policy_protocol_number(struct buf *out, unsigned encoding, int64_t number)
{
	(void)number;
	return policy_protocol_word(out, encoding, "unexpected");
}

static int
policy_protocol_rows(
    struct buf *out, unsigned encoding, const struct rows *rows)
{
	return rows->last ? policy_protocol_word(out, encoding, "unexpected")
			  : 0;
}

const struct protocol policy_protocol = {
    .name = "policy",
    .detect = policy_protocol_detect,
    .read = policy_protocol_read,
    .first_len = policy_protocol_first_len,
    .cut = policy_protocol_refuse,
    .is_between = policy_protocol_is_between,
    .can_hand_over = policy_protocol_can_hand_over,
    .decision = policy_protocol_decision,
    .error = policy_protocol_error,
    .word = policy_protocol_word,
    .number = policy_protocol_number,
    .rows = policy_protocol_rows,
};
