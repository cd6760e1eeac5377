#include "suites.h"

#include "base/attr.h"
#include "gate/gate.h"
#include "protocol/http/http_path.h"
#include "limit/rules_text.h"
#include "server/clients.h"
#include "server/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char limits_text[] =
    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n"
    "[api]\nmatch = api:*\ncapacity = 7\nrecharge = 60s\n";

static const struct gateway_options options = {
    .store = STORE_MEMORY,
    .memory = {.max_buckets = 1000},
};

static struct gateway gateway;
static struct clients clients;
static struct store *store;
static struct gate gate;
static struct slot_cache slots;
static struct session_common common;
static struct session session;
static struct queue queue;
static struct buf out;
static struct loop *loop;
static const struct loop_events loop_events;

static void
not_expected(struct queue *ready)
{
	(void)ready;
	ck_abort_msg("the memory store decides at once");
}

static void
start_client(void)
{
	queue_clear(&queue);
	queue_init(&queue, &slots, not_expected);
	session_start(&session, &common, 1, OFFER_ANY);
	buf_consume(&out, buf_len(&out));
}

static void
set_up(void)
{
	struct reasons reasons;
	struct rules *rules = rules_from_ini(
	    "test.ini", limits_text, strlen(limits_text), &reasons);

	ck_assert_ptr_nonnull(rules);
	ck_assert_int_eq(gateway_init(&gateway, &options, 1, rules), 0);
	store = memory_store_new(gateway.memory);
	ck_assert_ptr_nonnull(store);
	loop = loop_new(&loop_events, NULL);
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(gate_init(&gate, &gateway, 0, store, loop), 0);
	slots = (struct slot_cache){.gate = &gate, .clients = &clients};
	feeds_init(&slots.feeds, loop);
	common.inline_limits = true;
	common.http_hosts = "";
	start_client();
}

static void
tear_down(void)
{
	queue_clear(&queue);
	slot_cache_clear(&slots);
	loop_free(loop);
	session_common_clear(&common);
	gate_clear(&gate);
	store_free(store);
	gateway_clear(&gateway);
	buf_free(&out);
}

/* Serve all of ${text}, and write what is ready; return the responses. */
static const char *
serve(const char *text)
{
	size_t len = strlen(text), done = 0, used;

	while (done < len && !session.last) {
		enum serve_result result = serve_next(
		    &session, &queue, text + done, len - done, &used);

		ck_assert_int_ne(result, SERVE_FAILED);
		done += used;
		if (result == SERVE_MORE)
			break;
	}
	while (queue_is_ready(&queue))
		ck_assert_int_eq(queue_write(&queue, &out), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	return buf_data(&out);
}

extern const struct protocol line_protocol, resp_protocol;

/* A request for ${row}, with the arguments that it cannot do without. */
static void
write_request(
    char *to, size_t size, const struct verb_row *row, const char *protocol)
{
	bool has_amount = row->shape->fewest > 1;
	const char *key = has_amount               ? "login:1 1"
			  : row->shape->fewest > 0 ? "login:1"
						   : "";

	if (has_amount && strcmp(protocol, "resp") == 0)
		snprintf(to, size,
		    "*3\r\n$%zu\r\n%s\r\n$7\r\nlogin:1\r\n$1\r\n1\r\n",
		    row->name_len, row->name);
	else if (row->family == VERBS_REDIS_CELL)
		snprintf(to, size,
		    "*5\r\n$11\r\nCL.THROTTLE\r\n$1\r\na\r\n$1\r\n1\r\n"
		    "$1\r\n1\r\n$1\r\n1\r\n");
	else if (strcmp(protocol, "line") == 0)
		snprintf(to, size, "%s %s\n", row->name, key);
	else if (*key)
		snprintf(to, size, "*2\r\n$%zu\r\n%s\r\n$7\r\n%s\r\n",
		    row->name_len, row->name, key);
	else
		snprintf(
		    to, size, "*1\r\n$%zu\r\n%s\r\n", row->name_len, row->name);
}

static void
check_verb(enum verb verb, const struct protocol *protocol)
{
	char text[200];

	start_client();
	write_request(text, sizeof(text), &verb_rows[verb], protocol->name);
	serve(text);
	ck_assert_ptr_eq(session.protocol, protocol);
	ck_assert(!queue.head || queue_is_in_feed(&queue));
	ck_assert_int_eq(session.last, verb == VERB_QUIT);
	/* There is a response, but to a QUIT of a protocol that says nothing.
	 */
	if (verb == VERB_QUIT && !protocol->bye)
		ck_assert_uint_eq(buf_len(&out), 1);
	else
		ck_assert_uint_gt(buf_len(&out), 1);
}

/* What only HTTP offers is a path. */
static void
check_path(enum verb verb)
{
	const struct http_path *path = http_paths;
	char text[200];

	while (path->verb != verb)
		path++;
	snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: x\r\nX-Original-URI: /\r\n"
	    "Accept: %s\r\n\r\n",
	    path->path,
	    path->is_openmetrics ? "application/openmetrics-text" : "*/*");
	start_client();
	session_start(&session, &common, 1,
	    path->offers & (1u << OFFER_ADMIN) ? OFFER_ADMIN : OFFER_HTTP);
	/* There are no upstreams here. */
	ck_assert_int_eq(
	    strncmp(serve(text),
		verb == VERB_UPSTREAM ? "HTTP/1.1 404 " : "HTTP/1.1 200 ", 13),
	    0);
	ck_assert(!queue.head || queue_is_in_feed(&queue));
}

START_TEST(each_verb_is_served_in_each_protocol)
{
	static const struct protocol *const protocols[] = {
	    &line_protocol, &resp_protocol};
	unsigned offered = verb_rows[_i].family == VERBS_HTTP;

	if (offered)
		check_path((enum verb)_i);

	for (size_t i = 0; i < COUNT(protocols); i++) {
		if (!(protocols[i]->families & verb_rows[_i].family))
			continue;
		check_verb((enum verb)_i, protocols[i]);
		offered++;
	}
	ck_assert_uint_gt(offered, 0);
	/* There are no users to log in as. */
	ck_assert_uint_eq(gate.counters->bad_lines, _i == VERB_AUTH);
}
END_TEST

START_TEST(responses_come_in_order_in_the_form_of_the_protocol)
{
	ck_assert_str_eq(serve("ping\nconsume login:1 6\nnonsense\n"
			       "reset login:1\nconsume nothing\n"),
	    "PONG\n"
	    "DENY limit=login level=0 capacity=5 next=0 retry=never blocked=0 "
	    "from=memory\n"
	    "ERR badverb unknown request; try HELP\n"
	    "OK\n"
	    "ALLOW limit=- level=0 capacity=0 next=0 retry=0 blocked=0 "
	    "from=none\n");
	ck_assert_uint_eq(gate.counters->bad_lines, 1);
}
END_TEST

START_TEST(explain_peeks_with_one_drop_and_names_the_key)
{
	const char *text = serve("consume login:1 5\nexplain login:1\n");

	ck_assert_ptr_nonnull(strstr(text, "\nkey login:1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nbucket level=5 capacity=5 "));
	ck_assert_str_eq(text + strlen(text) - 5, "\nEND\n");
	ck_assert_uint_eq(gate.counters->allowed, 1);
	ck_assert_uint_eq(gate.counters->peeks, 1);
	ck_assert_uint_eq(gate.counters->denied, 0);
}
END_TEST

START_TEST(expensive_requests_are_told_from_decisions)
{
	size_t used;

	ck_assert_int_eq(
	    serve_next(&session, &queue, "consume login:1\n", 16, &used),
	    SERVED);
	ck_assert_uint_eq(used, 16);
	ck_assert_int_eq(serve_next(&session, &queue, "stats\n", 6, &used),
	    SERVED_EXPENSIVE);
	ck_assert_int_eq(serve_next(&session, &queue, "x\n", 2, &used), SERVED);
	ck_assert_int_eq(
	    serve_next(&session, &queue, "stats", 5, &used), SERVE_MORE);
	ck_assert_uint_eq(used, 0);
	ck_assert_uint_eq(queue.count, 3);
}
END_TEST

START_TEST(request_that_is_cut_is_responded_to_as_the_protocol_does)
{
	serve("ping\npin");
	ck_assert_int_eq(serve_cut(&session, &queue), 0);
	ck_assert_str_eq(serve("") + strlen("PONG\n") + 1,
	    "ERR incomplete the last line has no end\n");
	start_client();
	serve("*1\r\n$4\r\nPI");
	ck_assert_int_eq(serve_cut(&session, &queue), 0);
	ck_assert(!queue.head || queue_is_in_feed(&queue));
	ck_assert_uint_eq(gate.counters->bad_lines, 1);
}
END_TEST

/*
 * Requests that are read together.
 */

/* A store that notes in which order it is called, and asks ${store}. */
static struct store noting;
static char calls[200];

static void
note_call(char what, const struct query *query)
{
	size_t len = strlen(calls);

	ck_assert_uint_lt(len + 2, sizeof(calls));
	calls[len] = what;
	calls[len + 1] = query->key.bytes[query->key.len - 1];
}

static bool
noting_query(struct store *self, struct query *query)
{
	ck_assert_ptr_eq(self, &noting);
	note_call('q', query);
	return store_query(store, query);
}

static void
noting_prefetch(struct store *self, const struct query *query)
{
	ck_assert_ptr_eq(self, &noting);
	note_call('p', query);
	store_prefetch(store, query);
}

static const struct store_ops noting_ops = {
    .query = noting_query, .prefetch = noting_prefetch};

static const char *
calls_for(const char *text)
{
	memset(calls, 0, sizeof(calls));
	noting.ops = &noting_ops;
	gate.store = &noting;
	serve(text);
	gate.store = store;
	return calls;
}

START_TEST(buckets_are_fetched_before_the_first_is_decided)
{
	ck_assert_str_eq(
	    calls_for("consume login:1\npeek login:2\nreset login:3\n"),
	    "p1p2p3q1q2q3");
	ck_assert_str_eq(calls_for("consume login:1\n"), "p1q1");
	/* An error is between; a key without a limit has no bucket. */
	ck_assert_str_eq(calls_for("consume login:1\nnonsense\nconsume none\n"
				   "consume login:2\n"),
	    "p1p2q1q2");
	/* Several keys are fetched, and decided together. */
	ck_assert_str_eq(calls_for("consume login:1\nmconsume login:2 1 "
				   "login:3 1\nmpeek login:4 1\n"),
	    "p1p2p3p4q1q2q4");
	/* Requests that were cut are not waited for. */
	ck_assert_str_eq(calls_for("consume login:1\nconsume login:2"), "p1q1");
}
END_TEST

START_TEST(other_verbs_are_begun_when_all_before_are_decided)
{
	ck_assert_str_eq(calls_for("consume login:1\nconsume login:2\nping\n"
				   "consume login:3\nconsume login:4\n"),
	    "p1p2q1q2p3p4q3q4");
	ck_assert_str_eq(calls_for("consume login:1\nexplain login:2\n"
				   "consume login:3\n"),
	    "p1q1p2q2p3q3");
	start_client();
	ck_assert_str_eq(calls_for("*2\r\n$7\r\nCONSUME\r\n$7\r\nlogin:1\r\n"
				   "*2\r\n$6\r\nEXISTS\r\n$7\r\nlogin:2\r\n"
				   "*2\r\n$7\r\nCONSUME\r\n$7\r\nlogin:3\r\n"),
	    "p1q1q2q2p3q3");
}
END_TEST

/* One that asks a store, and one that is refused. */
static const char *const alike[] = {"peek login:1\n", "nonsense\n"};

START_TEST(so_many_are_read_together)
{
	const char *line = alike[_i];
	char text[(SERVE_BATCH + 2) * 16] = "";
	size_t len = strlen(line), used;

	for (unsigned i = 0; i < SERVE_BATCH + 2; i++)
		strcat(text, line);
	ck_assert_int_eq(
	    serve_next(&session, &queue, text, strlen(text), &used), SERVED);
	ck_assert_uint_eq(used, SERVE_BATCH * len);
	ck_assert_uint_eq(queue.count, SERVE_BATCH);
	/* None of the one that is cut is taken. */
	ck_assert_int_eq(
	    serve_next(&session, &queue, text, len + 3, &used), SERVE_MORE);
	ck_assert_uint_eq(used, len);
	ck_assert_uint_eq(queue.count, SERVE_BATCH + 1);
	ck_assert(queue.tail->ready);
}
END_TEST

START_TEST(each_key_of_several_counts_as_a_request)
{
	static const char line[] = "mpeek login:1 1 login:2 1 login:3 1 "
				   "login:4 1 login:5 1 login:6 1\n";
	char text[4 * sizeof(line)] = "";
	size_t len = sizeof(line) - 1, used;

	for (unsigned i = 0; i < 4; i++)
		strcat(text, line);
	ck_assert_int_eq(
	    serve_next(&session, &queue, text, strlen(text), &used),
	    SERVED_EXPENSIVE);
	ck_assert_uint_eq(used, 3 * len);
	ck_assert_uint_eq(queue.count, 3);
	ck_assert_int_eq(
	    serve_next(&session, &queue, text, len, &used), SERVED_EXPENSIVE);
}
END_TEST

START_TEST(feed_of_a_client_that_is_gone_waits_for_nothing)
{
	serve("MONITOR\n");
	ck_assert(queue_is_in_feed(&queue));
	ck_assert(!TAILQ_EMPTY(&slots.feeds.waiting));
	queue_clear(&queue);
	ck_assert(TAILQ_EMPTY(&slots.feeds.waiting));
}
END_TEST

/* In HTTP and of a transaction a key is gone when the next request is read. */
START_TEST(key_that_does_not_stay_is_decided_at_once)
{
	ck_assert_str_eq(
	    calls_for(
		"GET /peek?key=login:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
		"GET /peek?key=login:2 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	    "p1q1p2q2");
	start_client();
	ck_assert_str_eq(calls_for("*1\r\n$5\r\nMULTI\r\n"
				   "*2\r\n$7\r\nCONSUME\r\n$7\r\nlogin:1\r\n"
				   "*2\r\n$7\r\nCONSUME\r\n$7\r\nlogin:2\r\n"
				   "*1\r\n$4\r\nEXEC\r\n"
				   "*1\r\n$5\r\nMULTI\r\n"),
	    "p1q1p2q2");
}
END_TEST

/* Requests whose responses depend on those before; none has the last. */
static const char *const lines[] = {"consume login:1\n",
    "consume login:1 2\r\n", "consume api:1 7\n", "nonsense\n",
    "explain login:1\n", "consume login:1 3\n", "consume\n", "peek login:1\n",
    "reset login:1\n", "consume login:1 5\n", "ping\n", "consume none 1\n",
    "consume login:1 -2\n", "consume api:1\n", "peek api:2\n",
    "consume api:2 6\n", "consume api:2 2\n", "peek login:1 x\n",
    "consume login:2\n", "consume login:2 4\n", "consume login:2\n",
    "reset api:1\n", "consume api:1 2\n", "explain api:1\n", "GET / HTTP/1.1\n",
    "consume login:1\n"};

#define BULK1(a)    "*1\r\n$" a "\r\n"
#define ON(verb, n) "*2\r\n$" n "\r\n" verb "\r\n"
#define OF(verb, n) "*3\r\n$" n "\r\n" verb "\r\n"
#define LOGIN       "$7\r\nlogin:1\r\n"
#define API         "$5\r\napi:1\r\n"

static const char *const commands[] = {OF("CONSUME", "7") LOGIN "$1\r\n2\r\n",
    ON("CONSUME", "7") API, ON("TTL", "3") LOGIN, ON("CONSUME", "7") LOGIN,
    ON("UNKNOWN", "7") LOGIN, ON("PEEK", "4") LOGIN,
    OF("CONSUME", "7") LOGIN "$1\r\nx\r\n", BULK1("5\r\nMULTI"),
    ON("CONSUME", "7") API, ON("CONSUME", "7") LOGIN, BULK1("4\r\nEXEC"),
    BULK1("5\r\nMULTI"), ON("CONSUME", "7") API, BULK1("4\r\nEXEC"),
    BULK1("5\r\nMULTI"), BULK1("7\r\nDISCARD"), ON("DEL", "3") LOGIN,
    OF("CONSUME", "7") LOGIN "$1\r\n5\r\n", ON("CONSUME", "7") LOGIN,
    ON("HELLO", "5") "$1\r\n3\r\n",
    "*4\r\n$7\r\nCONSUME\r\n" API "$1\r\n1\r\n$3\r\nMAP\r\n",
    ON("RESET", "5") LOGIN, ON("CONSUME", "7") LOGIN,
    "*5\r\n$11\r\nCL.THROTTLE\r\n" LOGIN "$1\r\n1\r\n$1\r\n1\r\n$2\r\n60\r\n",
    "*5\r\n$11\r\nCL.THROTTLE\r\n" LOGIN "$1\r\n1\r\n$1\r\n1\r\n$2\r\n60\r\n",
    ON("CONSUME", "7") LOGIN, BULK1("4\r\nQUIT"), ON("CONSUME", "7") LOGIN};

/* As the server does: serve ${len} bytes as far as it goes, write what is
 * ready, and keep the rest in front of the bytes that come next, elsewhere. */
static void
feed(struct buf *in, const char *bytes, size_t len)
{
	struct buf rest = {0};
	size_t done = 0;

	ck_assert_int_eq(buf_add(in, bytes, len), 0);
	while ((done < buf_len(in) || session_has_queued(&session)) &&
	       !session.last) {
		size_t used;
		enum serve_result result = serve_next(&session, &queue,
		    buf_data(in) + done, buf_len(in) - done, &used);

		ck_assert_int_ne(result, SERVE_FAILED);
		ck_assert_ptr_null(queue.deferred);
		ck_assert_uint_le(queue.count, SERVE_BATCH);
		done += used;
		while (queue_is_ready(&queue))
			ck_assert_int_eq(queue_write(&queue, &out), 0);
		if (result == SERVE_MORE)
			break;
	}
	ck_assert_int_eq(
	    buf_add(&rest, buf_data(in) + done, buf_len(in) - done), 0);
	buf_free(in);
	*in = rest;
}

/* The responses to all of ${text}, of which ${first} bytes come first, and then
 * ${step} at a time.  The caller frees them. */
static char *
responses_to(const char *text, size_t first, size_t step)
{
	size_t len = strlen(text), done = first;
	struct buf in = {0};
	char *responses;

	tear_down();
	set_up();
	session.id = 1;
	gate.now_us = INT64_C(1000000000);
	feed(&in, text, first);
	for (; done < len; done += step) {
		if (step > len - done)
			step = len - done;
		feed(&in, text + done, step);
	}
	ck_assert(session.last);
	buf_free(&in);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	responses = strdup(buf_data(&out));
	ck_assert_ptr_nonnull(responses);
	return responses;
}

/* The responses to requests that come one by one. */
static char *
responses_to_each(const char *const *requests, size_t count)
{
	struct buf in = {0};
	char *responses;

	gate.now_us = INT64_C(1000000000);
	for (size_t i = 0; i < count; i++)
		feed(&in, requests[i], strlen(requests[i]));
	ck_assert(session.last);
	buf_free(&in);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	responses = strdup(buf_data(&out));
	ck_assert_ptr_nonnull(responses);
	return responses;
}

static void
check_pieces(const char *const *requests, size_t count)
{
	char *expected = responses_to_each(requests, count);
	char text[4000] = "";

	for (size_t i = 0; i < count; i++)
		strcat(text, requests[i]);
	for (size_t first = 0; first <= strlen(text); first++) {
		char *got = responses_to(text, first, strlen(text));

		ck_assert_str_eq(got, expected);
		free(got);
	}
	for (size_t step = 1; step < 40; step++) {
		char *got = responses_to(text, 0, step);

		ck_assert_str_eq(got, expected);
		free(got);
	}
	free(expected);
}

START_TEST(pieces_in_which_lines_come_make_no_difference)
{
	check_pieces(lines, COUNT(lines));
}
END_TEST

START_TEST(pieces_in_which_commands_come_make_no_difference)
{
	check_pieces(commands, COUNT(commands));
}
END_TEST

Suite *
serve_suite(void)
{
	Suite *suite = suite_create("serve");
	TCase *tcase = tcase_create("serve");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, each_verb_is_served_in_each_protocol, 0, VERB_COUNT);
	tcase_add_test(
	    tcase, responses_come_in_order_in_the_form_of_the_protocol);
	tcase_add_test(tcase, explain_peeks_with_one_drop_and_names_the_key);
	tcase_add_test(tcase, expensive_requests_are_told_from_decisions);
	tcase_add_test(
	    tcase, request_that_is_cut_is_responded_to_as_the_protocol_does);
	tcase_add_test(tcase, buckets_are_fetched_before_the_first_is_decided);
	tcase_add_test(
	    tcase, other_verbs_are_begun_when_all_before_are_decided);
	tcase_add_loop_test(
	    tcase, so_many_are_read_together, 0, (int)COUNT(alike));
	tcase_add_test(tcase, each_key_of_several_counts_as_a_request);
	tcase_add_test(tcase, feed_of_a_client_that_is_gone_waits_for_nothing);
	tcase_add_test(tcase, key_that_does_not_stay_is_decided_at_once);
	tcase_add_test(tcase, pieces_in_which_lines_come_make_no_difference);
	tcase_add_test(tcase, pieces_in_which_commands_come_make_no_difference);
	suite_add_tcase(suite, tcase);
	return suite;
}
