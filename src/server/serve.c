/*
 * From a request to its response, verb by verb.
 * Invariant: each request that was read has one slot in the queue, and each
 * slot one response, in the client's protocol.
 * The heart: the table of handlers, and serve_next(), which uses it.
 */
#include "server/serve.h"

#include "gate/gate.h"
#include "protocol/login.h"
#include "server/cache_commands.h"
#include "server/explain_report.h"
#include "server/key_commands.h"
#include "server/keys.h"
#include "server/page_events.h"
#include "server/metrics.h"
#include "server/monitor.h"
#include "server/relay.h"
#include "server/reports.h"
#include "server/status_report.h"
#include "server/top_report.h"

/*
 * Responses.
 */

static int
serve_write_bytes(struct slot *slot, struct buf *out)
{
	return buf_add(out, slot->bytes, slot->len);
}

static int
serve_write_check(struct slot *slot, struct buf *out)
{
	static const enum protocol_error errors[] = {
	    [OUTCOME_NOLIMIT] = ERROR_NOLIMIT,
	    [OUTCOME_UNAVAILABLE] = ERROR_UNAVAILABLE,
	    [OUTCOME_NOMEMORY] = ERROR_NOMEMORY,
	    [OUTCOME_TOOMANY] = ERROR_TOOMANY,
	    [OUTCOME_LONGKEY] = ERROR_BADBYTES,
	    [OUTCOME_TAKEALSO] = ERROR_TAKEALSO,
	    [OUTCOME_NOLEASE] = ERROR_NOLEASE,
	    [OUTCOME_NOTHELD] = ERROR_NOTHELD,
	    [OUTCOME_UNRELEASED] = ERROR_UNRELEASED,
	    [OUTCOME_OTHERID] = ERROR_OTHERID,
	    [OUTCOME_SPREADID] = ERROR_SPREADID,
	    [OUTCOME_NOIDS] = ERROR_NOIDS,
	};
	const struct check *check = &slot->check;

	if (check->outcome == OUTCOME_DECISION)
		return slot->protocol->decision(out, slot->encoding, check);
	if (check->outcome == OUTCOME_RESET)
		return slot->protocol->word(out, slot->encoding, "OK");
	return slot->protocol->error(
	    out, slot->encoding, errors[check->outcome]);
}

static int
serve_write_pong(struct slot *slot, struct buf *out)
{
	return slot->protocol->word(out, slot->encoding, "PONG");
}

/* Whether decisions can be asked for, and what they rest on. */
static int
serve_write_ready(struct slot *slot, struct buf *out)
{
	const char *word;
	enum protocol_error error = reports_readiness(slot->cache, &word);

	return error ? slot->protocol->error(out, slot->encoding, error)
		     : slot->protocol->word(out, slot->encoding, word);
}

static int
serve_write_bye(struct slot *slot, struct buf *out)
{
	const char *bye = slot->protocol->bye;

	return bye ? slot->protocol->word(out, slot->encoding, bye) : 0;
}

/*
 * What must be done before the response.  Each call returns 0, or -1 (out of
 * memory).
 */

static int
serve_check(struct slot *slot, const struct request *request)
{
	check_add(&slot->check, request->op, request->key, request->key_len,
	    request->amount);
	if (op_names_lease(request->op))
		check_name_lease(&slot->check, request->lease);
	if (request->capacity > 0)
		check_use_inline_limit(
		    &slot->check, request->capacity, request->recharge_ns);
	if (request->id_len > 0)
		check_set_id(&slot->check, request->id, request->id_len);
	slot_defer_check(slot);
	return 0;
}

static int
serve_wait(struct slot *slot, const struct request *request)
{
	check_add_wait(&slot->check, request->key, request->key_len,
	    request->amount, request->wait_us);
	slot_defer_check(slot);
	return 0;
}

/* A peek of one drop; the response names the key. */
static int
serve_explain(struct slot *slot, const struct request *request)
{
	if (slot_copy(slot, request->key, request->key_len) == -1)
		return -1;
	check_add(&slot->check, OP_PEEK, request->key, request->key_len, 1);
	check_show_each(&slot->check);
	slot_defer_check(slot);
	return 0;
}

static int
serve_take_count(struct slot *slot, const struct request *request)
{
	slot->count = request->count;
	return 0;
}

static int
serve_take_filter(struct slot *slot, const struct request *request)
{
	slot->report.verdict = request->verdict;
	return request->key ? slot_copy(slot, request->key, request->key_len)
			    : 0;
}

/*
 * All of it.
 */

/* What each report has. */
#define REPORT(rows)                                                           \
	.write = report_write, .end = report_end, .forget = feeds_forget,      \
	.in_pieces = true, .report = &(rows)

/* A response that was known at once. */
static const struct handler at_once = {.write = serve_write_bytes};

static const struct handler handlers[VERB_COUNT] = {
    [VERB_CONSUME] = {.write = serve_write_check, .begin = serve_check},
    [VERB_PEEK] = {.write = serve_write_check, .begin = serve_check},
    [VERB_CHARGE] = {.write = serve_write_check, .begin = serve_check},
    [VERB_TAKE] = {.write = serve_write_check, .begin = serve_check},
    [VERB_WAIT] = {.write = serve_write_check, .begin = serve_wait},
    [VERB_HOLD] = {.write = serve_write_check, .begin = serve_check},
    [VERB_RELEASE] = {.write = serve_write_check, .begin = serve_check},
    [VERB_RESET] = {.write = serve_write_check, .begin = serve_check},
    [VERB_THROTTLE] = {.write = serve_write_check, .begin = serve_check},
    [VERB_CHECK] = {.write = serve_write_check, .begin = keys_begin_routed},
    [VERB_MCONSUME] = {.write = serve_write_check, .begin = keys_begin},
    [VERB_MPEEK] = {.write = serve_write_check, .begin = keys_begin},
    [VERB_DEL] = {.write = key_commands_write_count,
	.begin = key_commands_delete,
	.next = key_commands_next},
    [VERB_EXISTS] = {.write = key_commands_write_count,
	.begin = key_commands_look,
	.next = key_commands_next},
    [VERB_TTL] = {.write = key_commands_write_seconds,
	.begin = key_commands_look,
	.next = key_commands_next},
    [VERB_PTTL] = {.write = key_commands_write_ms,
	.begin = key_commands_look,
	.next = key_commands_next},
    [VERB_EXPLAIN] = {.begin = serve_explain, REPORT(explain_report)},
    [VERB_LIMITS] = {REPORT(reports_limits)},
    [VERB_STATS] = {REPORT(reports_stats)},
    [VERB_STATUS] = {REPORT(status_report)},
    [VERB_TOP] = {.begin = serve_take_count, REPORT(top_report)},
    [VERB_MONITOR] = {.begin = serve_take_filter, REPORT(monitor_report)},
    [VERB_CACHE] = {REPORT(cache_report)},
    [VERB_FORGET] = {.begin = cache_commands_begin_purge, REPORT(purge_report)},
    [VERB_GET] = {.write = cache_commands_write_get,
	.begin = cache_commands_begin_get,
	.end = relay_end,
	.forget = relay_forget,
	.in_pieces = true},
    [VERB_METRICS] = {REPORT(metrics_report)},
    [VERB_OPENMETRICS] = {REPORT(metrics_report_open)},
    [VERB_EVENTS] = {REPORT(page_events_report)},
    [VERB_HELP] = {REPORT(reports_help)},
    [VERB_UPSTREAM] = {.write = relay_write,
	.begin = relay_begin,
	.end = relay_end,
	.forget = relay_forget,
	.in_pieces = true},
    [VERB_PING] = {.write = serve_write_pong},
    [VERB_READY] = {.write = serve_write_ready},
    [VERB_QUIT] = {.write = serve_write_bye, .last = true},
};

/* What is not a decision is begun when all before it were decided. */
static enum serve_result
serve_begin(
    struct session *session, struct queue *queue, const struct request *request)
{
	const struct handler *handler = &handlers[request->verb];
	bool expensive = verb_rows[request->verb].expensive;
	struct slot *slot;

	if (expensive)
		queue_start(queue);
	slot = queue_append(queue, session->protocol, handler);
	if (!slot)
		return SERVE_FAILED;
	session->last |= handler->last;
	slot->encoding = request->encoding;
	if (handler->begin && handler->begin(slot, request) == -1)
		return SERVE_FAILED;
	return expensive ? SERVED_EXPENSIVE : SERVED;
}

/* Queue the response that the protocol itself gave.  Also on failure, leave
 * none of it for the next client. */
static int
serve_respond(struct session *session, struct queue *queue)
{
	struct buf *response = &session->common->response;
	size_t len = buf_len(response);
	struct slot *slot;
	int result = -1;

	if (len == 0)
		return 0;
	slot = queue_append(queue, session->protocol, &at_once);
	if (slot)
		result = slot_copy(slot, buf_data(response), len);
	buf_consume(response, len);
	return result;
}

/* The protocol ran out of memory, perhaps in the middle of its response. */
static void
serve_drop_response(struct session *session)
{
	struct buf *response = &session->common->response;

	buf_consume(response, buf_len(response));
}

/* The client may not ask that. */
static enum serve_result
serve_forbid(struct session *session, struct queue *queue,
    const struct request *request, enum protocol_error error)
{
	int result = session->protocol->error(
	    &session->common->response, request->encoding, error);

	if (result == -1)
		serve_drop_response(session);
	return result == -1 || serve_respond(session, queue) == -1
		   ? SERVE_FAILED
		   : SERVED;
}

static int
serve_refuse(struct session *session, struct queue *queue)
{
	counter_add(&queue->cache->gate->counters->bad_lines, 1);
	return serve_respond(session, queue);
}

/* Serve a ${result} that is not a request. */
static enum serve_result
serve_other(
    struct session *session, struct queue *queue, enum read_result result)
{
	switch (result) {
	case READ_MORE:
	case READ_REQUEST:
		return SERVE_MORE;
	case READ_RESPONDED:
		return serve_respond(session, queue) == -1 ? SERVE_FAILED
							   : SERVED_EXPENSIVE;
	case READ_BAD:
		return serve_refuse(session, queue) == -1 ? SERVE_FAILED
							  : SERVED;
	case READ_FAILED:
		serve_drop_response(session);
		break;
	}
	return SERVE_FAILED;
}

/* Whether the request's key is among the bytes it was read from.  Elsewhere it
 * is gone when the next request is read.  Several keys are server/keys.c's. */
static bool
serve_key_stays(const struct request *request, const char *bytes, size_t len)
{
	return !request->key ||
	       (request->key >= bytes && request->key < bytes + len);
}

/* The same as serve_next() for one request, whose check may be deferred. */
static enum serve_result
serve_one(struct session *session, struct queue *queue, const char *bytes,
    size_t len, size_t *used)
{
	struct request request UNINITIALIZED; /* until request_init() */
	enum read_result read =
	    session_read(session, bytes, len, used, &request);
	enum serve_result result;
	enum protocol_error error;

	if (read != READ_REQUEST)
		return serve_other(session, queue, read);
	error = session->common->users ? login_check(session, &request)
				       : ERROR_NONE;
	result = error ? serve_forbid(session, queue, &request, error)
		       : serve_begin(session, queue, &request);
	if (!serve_key_stays(&request, bytes, *used))
		queue_start(queue);
	return result;
}

/* First read, then decide, in the same order: meanwhile the processor fetches
 * the buckets. */
enum serve_result
serve_next(struct session *session, struct queue *queue, const char *bytes,
    size_t len, size_t *used)
{
	enum serve_result result;
	unsigned count = 0;

	*used = 0;
	queue->begun = 0;
	do {
		size_t step;

		result = serve_one(
		    session, queue, bytes + *used, len - *used, &step);
		*used += step;
		count++;
	} while (result == SERVED && count < SERVE_BATCH && *used < len &&
		 !session->last && !session->login.pause && !queue->blocker &&
		 queue->begun < SERVE_BATCH);
	queue_start(queue);
	return result == SERVED && queue->begun > count ? SERVED_EXPENSIVE
							: result;
}

bool
serve_may_feed(struct session *session, const struct queue *queue)
{
	enum verb verb = (enum verb)(queue->head->handler - handlers);

	return login_may_go_on(session, verb);
}

int
serve_late(struct session *session, struct queue *queue)
{
	return session_late(session) == READ_BAD ? serve_refuse(session, queue)
						 : -1;
}

int
serve_cut(struct session *session, struct queue *queue)
{
	switch (session_cut(session)) {
	case READ_BAD:
		return serve_refuse(session, queue);
	case READ_FAILED:
		serve_drop_response(session);
		return -1;
	case READ_MORE:
	case READ_REQUEST:
	case READ_RESPONDED:
		break;
	}
	return serve_respond(session, queue);
}
