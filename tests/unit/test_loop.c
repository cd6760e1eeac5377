#include "net/io.h"
#include "net/loop.h"
#include "net/timer.h"

#include "suites.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct io client, server;
static size_t expected;
static char order[8];

static void
note(const char *what)
{
	strcat(order, what);
	if (strlen(order) == expected)
		loop_stop(loop);
}

static void
note_timer(void *arg)
{
	note(arg);
}

static void
note_wake_up(void *arg)
{
	(void)arg;
	note("w");
}

static void
note_and_stop_io(void *arg)
{
	io_stop(arg);
	note(arg == &client ? "c" : "s");
}

/* Whichever of them was started first. */
START_TEST(timers_servers_and_wake_ups_go_before_clients)
{
	static const struct loop_events events = {.woken = note_wake_up};
	struct timer timer;
	char timer_name[] = "t";
	int ends[2];

	order[0] = '\0';
	expected = 4;
	loop = loop_new(&events, NULL);
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	io_init(&client, loop, ends[0], IO_READ);
	io_start(&client, note_and_stop_io, &client);
	timer_init(&timer, loop, note_timer, timer_name);
	timer_set(&timer, 0);
	io_init(&server, loop, ends[1], IO_WRITE);
	io_hurry(&server);
	io_start(&server, note_and_stop_io, &server);
	loop_wake(loop);
	loop_run(loop);
	ck_assert_int_eq(order[3], 'c');
	ck_assert_ptr_nonnull(strchr(order, 'w'));
	ck_assert_ptr_nonnull(strchr(order, 's'));
	ck_assert_ptr_nonnull(strchr(order, 't'));
	ck_assert(loop_is_alive(loop, 60000000));
	loop_free(loop);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static void
note_signal(int number, void *arg)
{
	(void)arg;
	ck_assert_int_eq(number, SIGUSR1);
	note("g");
}

/* Though the client was started first. */
START_TEST(signals_go_before_clients)
{
	static const struct loop_events events = {.caught = note_signal};
	static const int caught[] = {SIGUSR1};
	int ends[2];

	order[0] = '\0';
	expected = 2;
	loop = loop_new(&events, NULL);
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(pipe(ends), 0);
	io_init(&client, loop, ends[1], IO_WRITE);
	io_start(&client, note_and_stop_io, &client);
	ck_assert_int_eq(loop_catch(loop, caught, 1), 0);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	loop_run(loop);
	ck_assert_str_eq(order, "gc");
	loop_free(loop);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

Suite *
loop_suite(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");

	tcase_add_test(tcase, timers_servers_and_wake_ups_go_before_clients);
	tcase_add_test(tcase, signals_go_before_clients);
	suite_add_tcase(suite, tcase);
	return suite;
}
