/*
 * Dials for real, on 127.0.0.*, by a name that is looked up here: this
 * getaddrinfo() takes the place of the system's, and passes others on to it.
 */
#include "base/clock.h"
#include "net/dial.h"
#include "net/timer.h"
#include "suites.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "name.test"

#define PATIENCE_US INT64_C(20000000)

/* What the resolver says next, for each family. */
struct script {
	const char *addresses[4]; /* none: the error */
	int error;
	bool hangs; /* until let_go() */
};

static struct script scripts[2]; /* IPv4, IPv6 */
static unsigned asked[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Of our own lists. */
static char mark[] = "ours";

static struct addrinfo *
add_number(const char *text, int family, struct addrinfo *next)
{
	struct addrinfo *info = calloc(1, sizeof(*info));
	struct sockaddr_in *in = calloc(1, sizeof(struct sockaddr_storage));
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)in;

	info->ai_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	info->ai_addr = (struct sockaddr *)in;
	info->ai_next = next;
	info->ai_canonname = mark;
	in->sin_family = (sa_family_t)info->ai_family;
	info->ai_addrlen =
	    info->ai_family == AF_INET ? sizeof(*in) : sizeof(*in6);
	if ((family != AF_UNSPEC && family != info->ai_family) ||
	    inet_pton(info->ai_family, text,
		info->ai_family == AF_INET ? (void *)&in->sin_addr
					   : (void *)&in6->sin6_addr) != 1) {
		free(in);
		free(info);
		return NULL;
	}
	return info;
}

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	size_t which = hints->ai_family == AF_INET6;
	struct script script;

	if (!host || strcmp(host, NAME) != 0) {
		int (*real)(const char *, const char *, const struct addrinfo *,
		    struct addrinfo **);

		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(host, service, hints, list);
	}
	*list = NULL;
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	pthread_mutex_lock(&lock);
	asked[which]++;
	pthread_cond_broadcast(&changed);
	while (scripts[which].hangs)
		pthread_cond_wait(&changed, &lock);
	script = scripts[which];
	pthread_mutex_unlock(&lock);
	for (size_t i = 4; i-- > 0;)
		if (script.addresses[i])
			*list = add_number(
			    script.addresses[i], hints->ai_family, *list);
	return *list ? 0 : script.error;
}

void
freeaddrinfo(struct addrinfo *list)
{
	void (*real)(struct addrinfo *);

	if (list->ai_canonname != mark) {
		*(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
		real(list);
		return;
	}
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_addr);
		free(list);
		list = next;
	}
}

/* Have hanging look-ups come back. */
static void
let_go(size_t which)
{
	pthread_mutex_lock(&lock);
	scripts[which].hangs = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static struct loop *loop;
static struct endpoint endpoint;
static struct dial_options options;
static unsigned short port;

/* What the last dial came to. */
static bool over;
static int connected;
static enum dial_step failed_step;
static char failed_reason[400];
static bool failed_here; /* for want of something on this machine */

static void
on_dialed(int fd, const struct dial_failure *failure, void *arg)
{
	(void)arg;
	ck_assert_int_eq(fd == -1, failure != NULL);
	ck_assert(!over);
	over = true;
	connected = fd;
	if (failure) {
		failed_step = failure->step;
		failed_here = failure->is_ours;
		snprintf(failed_reason, sizeof(failed_reason), "%s",
		    failure->reason);
	}
	loop_stop(loop);
}

/* Have no descriptor left from now on. */
static void
use_up_descriptors(void)
{
	struct rlimit limit;
	int free_fd = dup(0);

	ck_assert_int_ne(free_fd, -1);
	close(free_fd);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)free_fd;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool descriptors_end; /* once the dial has started */

static void
on_late(void *arg)
{
	*(bool *)arg = true;
	loop_stop(loop);
}

/* Dial, by a loop and a dialer of its own.  Return whether it was over within
 * ${patience_us}; if not, it is cancelled. */
static bool
dial_within(int64_t patience_us)
{
	static const struct loop_events events;
	struct dialer *dialer;
	struct timer patience;
	struct dial *dial;
	bool late = false;

	loop = loop_new(&events, NULL);
	dialer = dialer_new(loop);
	over = false;
	dial = dial_start(dialer, &options, on_dialed, NULL);
	ck_assert_ptr_nonnull(dial);
	if (descriptors_end)
		use_up_descriptors();
	timer_init(&patience, loop, on_late, &late);
	timer_set(&patience, patience_us);
	loop_run(loop);
	timer_stop(&patience);
	if (!over)
		dial_cancel(dial);
	dialer_free(dialer);
	loop_free(loop);
	return over;
}

static void
dial(void)
{
	ck_assert(dial_within(2 * PATIENCE_US));
}

static int
listen_on(const char *address, int backlog)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	port = ntohs(in.sin_port);
	return fd;
}

/* An address that takes no connection, and does not say so: its queue is full,
 * and Linux drops what comes. */
static void
swallow_on(const char *address)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(port)};

	listen_on(address, 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		ck_assert(
		    connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ||
		    errno == EINPROGRESS);
	}
}

/* Each test is a process. */
static void
set_up(void)
{
	listen_on("127.0.0.1", 10);
	endpoint = (struct endpoint){"", NAME, port};
	options = (struct dial_options){&endpoint, PATIENCE_US, 0};
	scripts[0] = (struct script){.error = EAI_NONAME};
	scripts[1] = (struct script){.error = EAI_NONAME};
}

/* Which address it is connected to. */
static const char *
peer(void)
{
	static char text[INET_ADDRSTRLEN];
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	ck_assert_int_ne(connected, -1);
	ck_assert_int_eq(
	    getpeername(connected, (struct sockaddr *)&in, &len), 0);
	close(connected);
	inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
	return text;
}

static void
check_failure(enum dial_step step, const char *reason)
{
	ck_assert_int_eq(connected, -1);
	ck_assert_str_eq(failed_reason, reason);
	ck_assert_int_eq(failed_step, step);
}

START_TEST(a_name_is_looked_up)
{
	scripts[0].addresses[0] = "127.0.0.1";
	dial();
	ck_assert_str_eq(peer(), "127.0.0.1");
	ck_assert_uint_eq(asked[0], 1);
}
END_TEST

START_TEST(numbers_are_not_looked_up)
{
	endpoint.host = "127.0.0.1";
	dial();
	ck_assert_str_eq(peer(), "127.0.0.1");
	ck_assert_uint_eq(asked[0] + asked[1], 0);
}
END_TEST

START_TEST(ipv6_has_brackets_in_its_name)
{
	char name[ENDPOINT_NAME_MAX], expected[20];
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(in6);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&in6, len) == -1)
		return; /* there is none here */
	ck_assert_int_eq(listen(fd, 10), 0);
	getsockname(fd, (struct sockaddr *)&in6, &len);
	endpoint.port = ntohs(in6.sin6_port);
	endpoint.host = "::1";
	dial();
	ck_assert_int_ne(connected, -1);
	close(connected);
	endpoint_name(&endpoint, name);
	snprintf(expected, sizeof(expected), "[::1]:%d", (int)endpoint.port);
	ck_assert_str_eq(name, expected);
}
END_TEST

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd != -1 && close(fd) == 0;
}

START_TEST(a_name_may_be_of_ipv6_only)
{
	if (!has_ipv6())
		return;
	scripts[1].addresses[0] = "::ffff:127.0.0.1"; /* a way to IPv4 */
	dial();
	ck_assert_int_ne(connected, -1);
}
END_TEST

START_TEST(a_look_up_that_fails_is_named)
{
	dial();
	check_failure(DIAL_LOOKUP, "look-up: Name or service not known");
	ck_assert(!failed_here);
}
END_TEST

/* Half a second after the first, a second after the second.  A busy machine
 * only makes it later. */
START_TEST(a_name_that_is_not_found_is_asked_about_less_often)
{
	int64_t since_us = clock_us();

	while (asked[0] < 3) {
		dial();
		check_failure(
		    DIAL_LOOKUP, "look-up: Name or service not known");
		usleep(10000);
	}
	ck_assert_int_ge(clock_us() - since_us, 1500000);
}
END_TEST

START_TEST(a_look_up_that_hangs_is_named)
{
	scripts[0].hangs = true;
	options.timeout_us = 50000;
	dial();
	check_failure(DIAL_LOOKUP, "look-up: no reply in time");
}
END_TEST

/* It goes on, and the next attempt has what it found. */
START_TEST(a_look_up_outlives_the_attempt)
{
	scripts[0].addresses[0] = "127.0.0.1";
	scripts[0].hangs = true;
	options.timeout_us = 10000;
	for (int i = 0; i < 3; i++) {
		dial();
		check_failure(DIAL_LOOKUP, "look-up: no reply in time");
	}
	let_go(0);
	options.timeout_us = PATIENCE_US;
	dial();
	ck_assert_str_eq(peer(), "127.0.0.1");
	ck_assert_uint_eq(asked[0], 1);
}
END_TEST

START_TEST(ipv4_does_not_wait_for_ipv6)
{
	scripts[0].addresses[0] = "127.0.0.1";
	scripts[1].hangs = true;
	dial();
	ck_assert_str_eq(peer(), "127.0.0.1");
}
END_TEST

START_TEST(ipv6_does_not_wait_long_for_ipv4)
{
	if (!has_ipv6())
		return;
	scripts[1].addresses[0] = "::ffff:127.0.0.1";
	scripts[0].hangs = true;
	dial();
	ck_assert_int_ne(connected, -1);
}
END_TEST

/* Else a server that restarts would be found late. */
START_TEST(addresses_that_refuse_do_not_wait_long_for_others)
{
	scripts[0].addresses[0] = "127.0.0.2";
	scripts[1].hangs = true;
	options.timeout_us = 4 * PATIENCE_US;
	ck_assert(dial_within(PATIENCE_US));
	check_failure(DIAL_CONNECT, "connect to 127.0.0.2: Connection refused");
}
END_TEST

START_TEST(each_address_that_fails_is_named)
{
	scripts[0].addresses[0] = "127.0.0.2";
	scripts[0].addresses[1] = "127.0.0.3";
	dial();
	check_failure(DIAL_CONNECT, "connect to 127.0.0.2: Connection refused, "
				    "127.0.0.3: Connection refused");
	ck_assert(!failed_here);
}
END_TEST

START_TEST(want_of_a_descriptor_is_no_fault_of_the_address)
{
	endpoint.host = "127.0.0.1";
	descriptors_end = true;
	dial();
	check_failure(DIAL_CONNECT, "connect: Too many open files");
	ck_assert(failed_here);
}
END_TEST

START_TEST(want_of_a_descriptor_is_no_fault_of_the_name)
{
	scripts[0].error = EAI_SYSTEM;
	dial();
	ck_assert_int_eq(failed_step, DIAL_LOOKUP);
	ck_assert(failed_here);
}
END_TEST

START_TEST(the_next_address_is_tried_when_one_refuses)
{
	scripts[0].addresses[0] = "127.0.0.2";
	scripts[0].addresses[1] = "127.0.0.1";
	dial();
	ck_assert_str_eq(peer(), "127.0.0.1");
}
END_TEST

START_TEST(the_next_address_is_tried_when_one_is_silent)
{
	swallow_on("127.0.0.3");
	swallow_on("127.0.0.4");
	scripts[0].addresses[0] = "127.0.0.3";
	scripts[0].addresses[1] = "127.0.0.4";
	scripts[0].addresses[2] = "127.0.0.1";
	options.timeout_us = 4 * PATIENCE_US;
	ck_assert(dial_within(PATIENCE_US));
	ck_assert_str_eq(peer(), "127.0.0.1");
}
END_TEST

START_TEST(an_address_that_is_silent_is_named)
{
	swallow_on("127.0.0.3");
	scripts[0].addresses[0] = "127.0.0.3";
	/* On a busy machine the look-up alone may take longer. */
	options.timeout_us = 50000;
	do {
		failed_step = DIAL_CONNECT;
		dial();
		options.timeout_us *= 2;
	} while (
	    failed_step == DIAL_LOOKUP && options.timeout_us < PATIENCE_US);
	check_failure(DIAL_CONNECT, "connect to 127.0.0.3: no reply in time");
}
END_TEST

START_TEST(each_attempt_starts_with_another_address)
{
	static const char *const expected[] = {
	    "127.0.0.1", "127.0.0.2", "127.0.0.1"};

	listen_on("127.0.0.2", 10);
	scripts[0].addresses[0] = "127.0.0.1";
	scripts[0].addresses[1] = "127.0.0.2";
	for (unsigned i = 0; i < 3; i++) {
		options.turn = i;
		dial();
		ck_assert_str_eq(peer(), expected[i]);
	}
}
END_TEST

START_TEST(an_address_that_was_given_is_not_repeated)
{
	endpoint.host = "127.0.0.2";
	dial();
	check_failure(DIAL_CONNECT, "connect: Connection refused");
}
END_TEST

START_TEST(a_unix_socket_has_a_path)
{
	char path[200] = "/tmp/dripgate-dial-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(path));
	endpoint.unix_socket_path = path;
	dial();
	check_failure(DIAL_CONNECT, "connect: Connection refused");
	rmdir(path);
	dial();
	check_failure(DIAL_CONNECT, "connect: No such file or directory");
	memset(path, 'x', 150);
	dial();
	ck_assert_int_eq(connected, -1);
	ck_assert_str_eq(failed_reason, "connect: File name too long");
}
END_TEST

START_TEST(a_cancelled_dial_never_calls_back)
{
	scripts[0].hangs = true;
	ck_assert(!dial_within(1000));
	swallow_on("127.0.0.3");
	scripts[0].addresses[0] = "127.0.0.3";
	let_go(0);
	ck_assert(!dial_within(50000));
}
END_TEST

Suite *
dial_suite(void)
{
	Suite *suite = suite_create("dial");
	TCase *tcase = tcase_create("dial");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_name_is_looked_up);
	tcase_add_test(tcase, numbers_are_not_looked_up);
	tcase_add_test(tcase, ipv6_has_brackets_in_its_name);
	tcase_add_test(tcase, a_name_may_be_of_ipv6_only);
	tcase_add_test(tcase, a_look_up_that_fails_is_named);
	tcase_add_test(
	    tcase, a_name_that_is_not_found_is_asked_about_less_often);
	tcase_add_test(tcase, a_look_up_that_hangs_is_named);
	tcase_add_test(tcase, a_look_up_outlives_the_attempt);
	tcase_add_test(tcase, ipv4_does_not_wait_for_ipv6);
	tcase_add_test(tcase, ipv6_does_not_wait_long_for_ipv4);
	tcase_add_test(
	    tcase, addresses_that_refuse_do_not_wait_long_for_others);
	tcase_add_test(tcase, each_address_that_fails_is_named);
	tcase_add_test(tcase, want_of_a_descriptor_is_no_fault_of_the_address);
	tcase_add_test(tcase, want_of_a_descriptor_is_no_fault_of_the_name);
	tcase_add_test(tcase, the_next_address_is_tried_when_one_refuses);
	tcase_add_test(tcase, the_next_address_is_tried_when_one_is_silent);
	tcase_add_test(tcase, an_address_that_is_silent_is_named);
	tcase_add_test(tcase, each_attempt_starts_with_another_address);
	tcase_add_test(tcase, an_address_that_was_given_is_not_repeated);
	tcase_add_test(tcase, a_unix_socket_has_a_path);
	tcase_add_test(tcase, a_cancelled_dial_never_calls_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
