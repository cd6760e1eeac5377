#include "fake/fake.h"
#include "fake/peer.h"
#include "net/listener.h"
#include "net/loop.h"
#include "suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAUSE_US INT64_C(100000)

static const struct loop_events no_events;
static char path[60];
static struct loop *loop;
static struct listener *listener;
static struct peer *clients[100];
static size_t client_count;
static int accepted[100];
static size_t accepted_count;

static void
on_accepted(int fd, void *arg)
{
	(void)arg;
	accepted[accepted_count++] = fd;
}

static void
set_up(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fake_start();
	snprintf(path, sizeof(path), "/tmp/dripgate-states-%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 100), 0);
	loop = loop_new(&no_events, NULL);
	listener = listener_new(loop, fd, on_accepted, NULL);
	ck_assert_ptr_nonnull(listener);
	client_count = accepted_count = 0;
}

static void
tear_down(void)
{
	while (client_count > 0)
		peer_free(clients[--client_count]);
	while (accepted_count > 0)
		close(accepted[--accepted_count]);
	listener_free(listener);
	loop_free(loop);
	unlink(path);
	fake_end();
}

static void
clients_come(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		clients[client_count] = peer_reach(path);
		ck_assert_ptr_nonnull(clients[client_count++]);
	}
}

/* Let the process have ${more} descriptors more than it has. */
static void
leave_descriptors(size_t more)
{
	struct rlimit limit;
	int fds[10];

	for (size_t i = 0; i < more; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fds[more - 1] + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < more; i++)
		close(fds[i]);
}

static void
leave_all_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(accepts_each_client)
{
	clients_come(3);
	ck_assert_uint_eq(accepted_count, 3);
	ck_assert_str_eq(listener_address(listener), path);
}
END_TEST

/* A crowd does not keep the loop from its other work. */
START_TEST(accepts_some_in_a_turn)
{
	fake_loop_hang(loop); /* while they come */
	clients_come(90);
	fake_loop_go_on(loop);
	ck_assert(fake_turn());
	ck_assert_uint_eq(accepted_count, 64);
	fake_run();
	ck_assert_uint_eq(accepted_count, 90);
}
END_TEST

START_TEST(pauses_without_descriptors)
{
	leave_descriptors(2);
	clients_come(1); /* one for the client, and one for its other end */
	ck_assert_uint_eq(accepted_count, 1);
	leave_all_descriptors();
	leave_descriptors(1);
	clients_come(1);
	ck_assert_uint_eq(accepted_count, 1);
	ck_assert_int_eq(*fake_log(), '<');
	leave_all_descriptors();
	fake_run(); /* it does not turn on it meanwhile */
	fake_pass(PAUSE_US - 1);
	ck_assert_uint_eq(accepted_count, 1);
	fake_pass(1);
	ck_assert_uint_eq(accepted_count, 2);
}
END_TEST

START_TEST(those_that_wait_can_be_let_in)
{
	fake_loop_hang(loop);
	clients_come(90);
	listener_accept(listener);
	ck_assert_uint_eq(accepted_count, 90);
}
END_TEST

START_TEST(takes_only_what_listens)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_ptr_null(listener_new(loop, fd, on_accepted, NULL));
	close(fd);
}
END_TEST

START_TEST(ends_while_it_pauses)
{
	leave_descriptors(1);
	clients_come(1);
	leave_all_descriptors();
	ck_assert_uint_eq(accepted_count, 0);
}
END_TEST

Suite *
listener_suite(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, accepts_each_client);
	tcase_add_test(tcase, accepts_some_in_a_turn);
	tcase_add_test(tcase, pauses_without_descriptors);
	tcase_add_test(tcase, those_that_wait_can_be_let_in);
	tcase_add_test(tcase, takes_only_what_listens);
	tcase_add_test(tcase, ends_while_it_pauses);
	suite_add_tcase(suite, tcase);
	return suite;
}
