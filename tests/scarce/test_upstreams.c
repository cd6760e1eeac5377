/*
 * Requests to an upstream, of a daemon that runs out of memory.  The upstream
 * is a server of HTTP in this process, since libcurl has its own sockets and
 * its own time: while it is waited for, the clock of all else is turned.
 */
#include "scarce.h"
#include "server.h"
#include "states/serving.h"
#include "suites.h"

#include "base/attr.h"
#include "base/buf.h"
#include "fake/fake.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TARGETS_MAX 4
#define CALLERS_MAX 40
#define SHOWN_MAX   400

/* How often to look for news, and to let time pass, before a client counts as
 * forgotten: that is seconds, and half an hour of the daemon's. */
#define ROUNDS     2000
#define FEW_ROUNDS 50
#define STEP_US    INT64_C(1000)
#define LONG_US    INT64_C(1000000)

/* Longer than any answer has it be left alone. */
#define BLOCK_US INT64_C(3000000)

/* No request ends by that. */
#define TIMEOUTS "timeout = 1h\nmax_wait = 1d\nmax_time = 1d\n"

/*
 * The upstream.
 */

/* How it responds to what has ${asked} in it: the first that fits. */
struct answer {
	const char *asked;
	const char *head; /* NULL: none */
	size_t body;      /* so many bytes of it */
	bool ends;        /* then it hangs up */
};

#define OK "HTTP/1.1 200 OK\r\nContent-Length: "

static const struct answer answers[] = {
    {.asked = "If-None-Match: \"old\"",
	.head = "HTTP/1.1 304 Not Modified\r\nX-New: 1\r\n"
		"Cache-Control: max-age=60\r\n\r\n"},
    {.asked = " /a/plain", .head = OK "5\r\nX-A: b\r\n\r\n", .body = 5},
    {.asked = " /a/fresh",
	.head = OK "5\r\nCache-Control: max-age=60\r\nVary: Accept\r\n\r\n",
	.body = 5},
    {.asked = " /a/stale",
	.head = OK "5\r\nCache-Control: max-age=0\r\nETag: \"old\"\r\n\r\n",
	.body = 5},
    {.asked = " /a/while",
	.head = OK "5\r\nCache-Control: max-age=0, "
		   "stale-while-revalidate=60\r\n\r\n",
	.body = 5},
    {.asked = " /a/large", .head = OK "50000\r\n\r\n", .body = 50000},
    {.asked = " /a/grows",
	.head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n",
	.body = 50000,
	.ends = true},
    {.asked = " /a/leads",
	.head = "HTTP/1.1 302 Found\r\nLocation: led\r\n"
		"Cache-Control: max-age=60\r\nContent-Length: 5\r\n\r\n",
	.body = 5},
    {.asked = " /a/led",
	.head = "HTTP/1.1 301 Moved\r\nLocation: /a/fresh\r\n"
		"Cache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n"},
    {.asked = " /a/busy",
	.head = "HTTP/1.1 429 No\r\nRetry-After: 2\r\n"
		"Content-Length: 0\r\n\r\n"},
    {.asked = " /a/closed", .ends = true},
    {.asked = " /a/silent", .head = ""},
    {.asked = "If-None-Match: \"late\"", .head = ""},
    {.asked = "If-None-Match: \"fails\"",
	.head = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"},
    {.asked = " /a/fails",
	.head = OK "5\r\nETag: \"fails\"\r\nCache-Control: max-age=0, "
		   "stale-if-error=60\r\n\r\n",
	.body = 5},
    {.asked = " /a/late",
	.head = OK "5\r\nETag: \"late\"\r\nCache-Control: max-age=0, "
		   "stale-while-revalidate=60\r\n\r\n",
	.body = 5},
    {.asked = " /a/endless", .head = OK "9999999\r\n\r\n", .body = 50000},
    {.asked = "POST ",
	.head = "HTTP/1.1 201 Created\r\nLocation: /a/fresh\r\n"
		"Content-Length: 0\r\n\r\n"},
};

/* A connection to it. */
struct caller {
	int fd; /* -1: none */
	struct buf in, out;
	bool ends;
};

static int listener = -1, port;
static struct caller callers[CALLERS_MAX];
static size_t caller_count;

static void
open_upstream(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ne(listener, -1);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, CALLERS_MAX), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)&address, &len), 0);
	port = ntohs(address.sin_port);
}

static void
leave_caller(struct caller *caller)
{
	if (caller->fd != -1)
		close(caller->fd);
	caller->fd = -1;
	buf_free(&caller->in);
	buf_free(&caller->out);
	caller->ends = false;
}

static void
leave_callers(void)
{
	while (caller_count > 0)
		leave_caller(&callers[--caller_count]);
}

static void
close_upstream(void)
{
	leave_callers();
	close(listener);
}

static void
respond(struct caller *caller, const char *request)
{
	const struct answer *answer = answers;
	char *body;

	while (!strstr(request, answer->asked))
		ck_assert_ptr_ne(++answer, answers + COUNT(answers));
	caller->ends = answer->ends;
	if (!answer->head)
		return;
	body = malloc(answer->body + 1);
	ck_assert_ptr_nonnull(body);
	memset(body, 'a', answer->body);
	ck_assert_int_eq(
	    buf_add(&caller->out, answer->head, strlen(answer->head)), 0);
	ck_assert_int_eq(buf_add(&caller->out, body, answer->body), 0);
	free(body);
}

/* Read what came, respond once it is whole, and write what there is room for.
 * The body of a POST comes along with its head. */
static void
attend(struct caller *caller)
{
	char bytes[2000];
	ssize_t len = read(caller->fd, bytes, sizeof(bytes));

	if (len > 0)
		ck_assert_int_eq(buf_add(&caller->in, bytes, (size_t)len), 0);
	if (len > 0 && memmem(buf_data(&caller->in), buf_len(&caller->in),
			   "\r\n\r\n", 4)) {
		ck_assert_int_eq(buf_add(&caller->in, "", 1), 0);
		respond(caller, buf_data(&caller->in));
		buf_consume(&caller->in, buf_len(&caller->in));
	}
	if (buf_len(&caller->out) > 0) {
		ssize_t sent = send(caller->fd, buf_data(&caller->out),
		    buf_len(&caller->out), MSG_NOSIGNAL);

		buf_consume(&caller->out, sent > 0 ? (size_t)sent : 0);
	}
	if (len == 0 || (caller->ends && buf_len(&caller->out) == 0))
		leave_caller(caller);
}

static void
run_upstream(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		ck_assert_uint_lt(caller_count, CALLERS_MAX);
		callers[caller_count++] = (struct caller){.fd = fd};
	}
	for (size_t i = 0; i < caller_count; i++)
		if (callers[i].fd != -1)
			attend(&callers[i]);
}

/*
 * Its clients.
 */

struct visit {
	const char *settings;             /* of the upstream */
	const char *targets[TARGETS_MAX]; /* or whole requests */
	const char *status[TARGETS_MAX];  /* of their responses; what they
					   * begin with, if they are no HTTP */
	bool together; /* the requests come at once, not one after the other */
	bool leaves;   /* the client does not wait for the response */
	bool ends;     /* nor does the daemon */
};

struct client {
	struct peer *peer;
	char shown[SHOWN_MAX]; /* the beginning of what it heard */
	size_t heard;
};

static void
client_asks(struct client *client, const char *target)
{
	*client = (struct client){.peer = client_comes()};
	scarce_begin();
	if (*target == '/')
		peer_say(client->peer,
		    "GET /upstream/up%s HTTP/1.1\r\nHost: x\r\n"
		    "Accept: text/html\r\nConnection: close\r\n\r\n",
		    target);
	else
		peer_say(client->peer, "%s", target);
	scarce_end();
}

/* Return whether there is more to come. */
static bool
client_waits(struct client *client)
{
	const char *text = peer_heard(client->peer);

	if (client->heard < SHOWN_MAX - 1)
		snprintf(client->shown + client->heard,
		    SHOWN_MAX - client->heard, "%s", text);
	client->heard += strlen(text);
	return !peer_is_left(client->peer);
}

/* Let all go on until the clients have heard all. */
static void
clients_wait(struct client *clients, size_t count)
{
	struct pollfd news = {.fd = listener, .events = POLLIN};

	for (int round = 0; round < ROUNDS; round++) {
		size_t waiting = 0;

		run_upstream();
		server_run();
		scarce_begin();
		fake_pass(round < FEW_ROUNDS ? STEP_US : LONG_US);
		scarce_end();
		for (size_t i = 0; i < count; i++)
			waiting += client_waits(&clients[i]);
		if (waiting == 0)
			return;
		poll(&news, 1, round < FEW_ROUNDS ? 0 : 1);
	}
	ck_abort_msg("a client waits for ever");
}

/* It is whole, or says why it is not, or ends before its end. */
static bool
client_is_right(const struct client *client, const char *status)
{
	const char *length = strstr(client->shown, "Content-Length: ");
	const char *body = strstr(client->shown, "\r\n\r\n");
	const char *start =
	    client->shown + 9 * (strncmp(client->shown, "HTTP/1.1 ", 9) == 0);
	bool whole = strncmp(start, status, strlen(status)) == 0;

	if (whole && length && length < body)
		whole = client->heard - (size_t)(body + 4 - client->shown) ==
			strtoul(length + strlen("Content-Length: "), NULL, 10);
	ck_assert_msg(whole || scarce_fails(), "%s", client->shown);
	return whole;
}

static bool
clients_are_served(const struct visit *visit)
{
	struct client clients[TARGETS_MAX];
	size_t count = 0;
	bool all = true;

	for (; count < TARGETS_MAX && visit->targets[count]; count++) {
		client_asks(&clients[count], visit->targets[count]);
		if (!visit->together && !visit->leaves)
			clients_wait(&clients[count], 1);
	}
	if (visit->leaves) {
		for (int round = 0; round < FEW_ROUNDS; round++) {
			run_upstream();
			scarce_begin();
			fake_pass(STEP_US);
			scarce_end();
		}
		while (count > 0 && !visit->ends)
			peer_close(clients[--count].peer);
		return true;
	}
	clients_wait(clients, count);
	for (size_t i = 0; i < count; i++)
		all &= client_is_right(&clients[i], visit->status[i]);
	return all;
}

static char folder[] = "/tmp/dripgate-scarce-XXXXXX";

/* What else the settings say of the upstream, and of all else. */
static void
serve_with_upstream(const char *more)
{
	char settings[1000];

	snprintf(settings, sizeof(settings),
	    "[upstream:up]\nurl = http://127.0.0.1:%d/a\nmax_connections = "
	    "1\n" TIMEOUTS "methods = GET POST\ncredentials = %s\n%s",
	    port, folder, more);
	serve(settings,
	    "[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 1\n"
	    "lease = 1h\n"
	    "[rate]\nmatch = rate:*\ncapacity = 100\nrate = 100/s\n");
	pool_set_unmatched(pool, UNMATCHED_ERROR);
}

static void
plain_is_served(void)
{
	struct client client;

	client_asks(&client, "/plain");
	clients_wait(&client, 1);
	ck_assert_msg(strncmp(client.shown, "HTTP/1.1 200 ", 13) == 0, "%s",
	    client.shown);
}

static void
stop_all(void)
{
	stop_serving();
	leave_callers();
	server_leave();
}

/* Whatever failed, the next request has the one place, and the one lease. */
static bool
upstream_is_asked(const void *arg)
{
	const struct visit *visit = arg;
	bool done;

	serve_with_upstream(visit->settings);
	ck_assert(serve_upstreams());
	server_serve();
	done = clients_are_served(visit);
	scarce_stop();
	fake_pass(BLOCK_US);
	if (!visit->ends)
		plain_is_served();
	stop_all();
	return done;
}

#define POST                                                                   \
	"POST /upstream/up/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"     \
	"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"

#define RESP_QUIT(request) request "*1\r\n$4\r\nQUIT\r\n"

#define REDIS "[store]\ntype = redis\n[redis]\nunix_socket_path = /redis\n"

static const struct visit visits[] = {
    {.settings = "cache = off\n", .targets = {"/plain"}, .status = {"200"}},
    {.settings = "cache = off\nheader.X-B = c\n",
	.targets = {POST},
	.status = {"201"}},
    {.settings = "cache = off\n", .targets = {"/large"}, .status = {"200"}},
    {.settings = "cache = off\nlimit_key = jobs:1 rate:1 rate:2\n",
	.targets = {"/plain", "/plain"},
	.status = {"200", "200"}},
    {.settings = "cache = off\nlimit_key = rate:1\n",
	.targets = {"/busy", "/plain"},
	.status = {"429", "429"}},
    {.settings = "cache = off\nlimit_key = jobs:1\n",
	.targets = {"/plain", "/plain"},
	.status = {"200", "200"},
	.together = true},
    {.settings = "cache = off\n", .targets = {"/closed"}, .status = {"502"}},
    {.settings = "cache = memory\n",
	.targets = {"/fresh", "/fresh"},
	.status = {"200", "200"}},
    {.settings = "cache = memory\n",
	.targets = {"/stale", "/stale"},
	.status = {"200", "200"}},
    {.settings = "cache = memory\n",
	.targets = {"/while", "/while"},
	.status = {"200", "200"}},
    {.settings = "cache = memory\ncache_bytes = 65536\n",
	.targets = {"/grows"},
	.status = {"200"}},
    {.settings = "cache = memory\nredirects = 3\n",
	.targets = {"/leads"},
	.status = {"200"}},
    {.settings = "cache = memory\n",
	.targets = {"/plain", "/plain"},
	.status = {"200", "200"},
	.together = true},
    {.settings = "cache = memory\n",
	.targets = {"/fresh", "/fresh"},
	.status = {"200", "200"},
	.together = true},
    {.settings = "cache = memory\n",
	.targets = {"/fresh", POST, "/fresh"},
	.status = {"200", "201", "200"}},
    {.settings = "cache = redis\nlimit_key = rate:1\n" REDIS,
	.targets = {"/fresh", POST, "/fresh"},
	.status = {"200", "201", "200"}},
    {.settings = "cache = memory\n",
	.targets = {"/grows",
	    RESP_QUIT("*2\r\n$3\r\nGET\r\n$9\r\nup:/grows\r\n"),
	    "CACHE\nFORGET up:*\nQUIT\n"},
	.status = {"200", "$50000\r\naaaaa", "up entries=1 "}},
    {.settings = "cache = redis\n" REDIS,
	.targets = {RESP_QUIT("*2\r\n$3\r\nGET\r\n$9\r\nup:/grows\r\n"),
	    "FORGET up:*\nQUIT\n", "FORGET up\nQUIT\n"},
	.status = {"$-1\r\n", "up purged=0\n", "up purged=0\n"}},
    {.settings = "cache = memory\n",
	.targets = {"/fails", "/fails"},
	.status = {"200", "200"}},
    {.settings = "failures = 1\nretries = 0\npause = 1s\n",
	.targets = {"/closed", "/plain"},
	.status = {"502", "503"}},
    {.settings = "limit_key = none:1\n",
	.targets = {"/plain"},
	.status = {"503"},
	.ends = true},
    {.settings = "cache = off\n",
	.targets = {"PUT /upstream/up/ HTTP/1.0\r\n\r\n"},
	.status = {"405"}},
};

#define STAY(target) "GET /upstream/up" target " HTTP/1.1\r\nHost: x\r\n\r\n"

/* Clients that do not wait for their responses, and a daemon that ends. */
static const struct visit leavings[] = {
    {.settings = "cache = off\n",
	.targets = {STAY("/endless")},
	.leaves = true},
    {.settings = "cache = memory\n",
	.targets = {STAY("/endless"), STAY("/endless"), STAY("/plain")},
	.leaves = true},
    {.settings = "limit_key = jobs:1\n",
	.targets = {STAY("/endless"), STAY("/plain"), STAY("/plain")},
	.leaves = true},
    {.settings = "cache = off\nlimit_key = jobs:1 rate:1\n",
	.targets = {STAY("/endless"), STAY("/plain"), STAY("/plain")},
	.leaves = true,
	.ends = true},
    {.settings = "cache = memory\nlimit_key = jobs:1 rate:1\n",
	.targets = {STAY("/silent"), STAY("/silent"), STAY("/plain"),
	    STAY("/fresh")},
	.leaves = true,
	.ends = true},
    {.settings = "cache = memory\nlimit_key = rate:1 rate:2\n" REDIS,
	.targets = {STAY("/silent"), STAY("/silent")},
	.leaves = true,
	.ends = true},
    {.settings = "cache = memory\nredirects = 3\n",
	.targets = {STAY("/leads"), STAY("/leads")},
	.leaves = true},
    {.settings = "cache = memory\n",
	.targets = {"/late", "/late"},
	.status = {"200", "200"},
	.ends = true},
};

START_TEST(response_is_whole_or_an_error_and_others_are_served)
{
	scarce_each(upstream_is_asked, &visits[_i]);
}
END_TEST

START_TEST(client_that_leaves_leaves_nothing_behind)
{
	scarce_survive(upstream_is_asked, &leavings[_i]);
}
END_TEST

/* Its settings, and its thread: all, or none. */
static bool
upstream_begins(const void *arg)
{
	struct peer *client;
	bool done;

	serve_with_upstream(arg);
	scarce_begin();
	done = serve_upstreams();
	scarce_stop();
	if (done) {
		server_serve();
		plain_is_served();
	}
	client = client_comes();
	peer_say(client, "PING\n");
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	stop_all();
	return done;
}

static const char *const beginnings[] = {
    "limit_key = jobs:1 rate:1\nresponse_headers = X-A\n"
    "header.X-B = a $credential.token b\n",
    "cache = redis\n" REDIS,
};

START_TEST(upstream_begins_or_a_reason_is_given)
{
	scarce_each(upstream_begins, beginnings[_i]);
}
END_TEST

static void
set_up(void)
{
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	file = fopen("token", "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs("secret\n", file), 0);
	ck_assert_int_eq(fclose(file), 0);
	fake_start();
	open_upstream();
}

static void
tear_down(void)
{
	close_upstream();
	fake_end();
	unlink("token");
	ck_assert_int_eq(rmdir(folder), 0);
}

Suite *
upstreams_suite(void)
{
	Suite *suite = suite_create("upstreams");
	TCase *tcase = tcase_create("upstreams");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
	    response_is_whole_or_an_error_and_others_are_served, 0,
	    COUNT(visits));
	tcase_add_loop_test(
	    tcase, upstream_begins_or_a_reason_is_given, 0, COUNT(beginnings));
	tcase_add_loop_test(tcase, client_that_leaves_leaves_nothing_behind, 0,
	    COUNT(leavings));
	suite_add_tcase(suite, tcase);
	return suite;
}
