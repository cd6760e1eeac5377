#include "fake/fake.h"
#include "gate/wait.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

#define SETTINGS                                                               \
	"[listen]\nidle_timeout = 20s\nline_timeout = 10s\n"                   \
	"[limits]\nunmatched = error\n"

/* A place in line every ten seconds. */
#define LIMITS                                                                 \
	"[line]\nmatch = line:*\ncapacity = 1\nrecharge = 10s\nqueue = 25s\n"  \
	"[long]\nmatch = long:*\ncapacity = 1\nrecharge = 1s\nqueue = 1h\n"    \
	"[wide]\nmatch = wide:*\ncapacity = 200\nrecharge = 1s\nqueue = 1h\n"  \
	"[fine]\nmatch = fine:*\ncapacity = 1\nrecharge = 1us\nqueue = 1s\n"   \
	"[look]\nmatch = look:*\ncapacity = 1\nrecharge = 10s\nqueue = 25s\n"  \
	"shadow = yes\n"                                                       \
	"[plain]\nmatch = plain:*\ncapacity = 1\nrecharge = 10s\n"

#define GOES "ALLOW limit=line level=1 capacity=1 next=10.000000 retry=0"

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
}

static void
tear_down(void)
{
	stop_serving();
	fake_end();
}

/* A client comes and says that. */
static struct peer *
comes_with(const char *line)
{
	struct peer *client = client_comes();

	peer_say(client, "%s\n", line);
	return client;
}

static bool
hears(struct peer *client, const char *start)
{
	return strncmp(peer_heard(client), start, strlen(start)) == 0;
}

static bool
hears_nothing(struct peer *client)
{
	return *peer_heard(client) == '\0';
}

/* The bucket is full. */
static void
fill_line(void)
{
	ck_assert(hears(comes_with("CONSUME line:1"), GOES));
}

START_TEST(who_waits_goes_ahead_when_there_is_room_and_not_before)
{
	struct peer *client;

	fill_line();
	fake_pass(SECOND);
	client = comes_with("WAIT line:1");
	ck_assert_int_eq(stat_of("waits"), 1);
	fake_pass(9 * SECOND - 1);
	ck_assert(hears_nothing(client));
	fake_pass(1);
	ck_assert(hears(client, GOES));
	ck_assert_int_eq(stat_of("waits"), 0);
	ck_assert_int_eq(stat_of("waits_allowed"), 1);
	ck_assert_int_eq(stat_of("allowed"), 2);
}
END_TEST

START_TEST(who_comes_first_goes_first)
{
	struct peer *clients[2], *late;

	fill_line();
	for (int i = 0; i < 2; i++)
		clients[i] = comes_with("WAIT line:1");
	late = comes_with("WAIT line:1");
	ck_assert(
	    hears(late, "DENY limit=line level=1 capacity=1 next=10.000000 "
			"retry=5.000000"));
	ck_assert_int_eq(stat_of("waits_denied"), 1);
	/* Who does not wait finds no room, until all who wait went. */
	ck_assert(hears(comes_with("CONSUME line:1"),
	    "DENY limit=line level=1 capacity=1 next=10.000000 "
	    "retry=30.000000"));
	for (int i = 0; i < 2; i++) {
		fake_pass(10 * SECOND - 1);
		ck_assert(hears_nothing(clients[i]));
		fake_pass(1);
		ck_assert(hears(clients[i], GOES));
	}
}
END_TEST

START_TEST(client_says_for_how_long_it_waits_at_most)
{
	fill_line();
	ck_assert(hears(comes_with("WAIT line:1 1 9.999999"),
	    "DENY limit=line level=1 capacity=1 next=10.000000 "
	    "retry=0.000001"));
	ck_assert(hears(comes_with("WAIT line:1 1 0"),
	    "DENY limit=line level=1 capacity=1 next=10.000000 "
	    "retry=10.000000"));
	ck_assert(hears_nothing(comes_with("WAIT line:1 1 10s")));
	ck_assert(hears(comes_with("WAIT line:1 2"),
	    "DENY limit=line level=1 capacity=1 next=10.000000 retry=never"));
}
END_TEST

START_TEST(wait_is_consume_where_there_is_no_queue)
{
	ck_assert(hears(comes_with("WAIT plain:1"), "ALLOW limit=plain"));
	ck_assert(hears(comes_with("WAIT plain:1"), "DENY limit=plain"));
	comes_with("CONSUME look:1");
	ck_assert(hears(comes_with("WAIT look:1"),
	    "ALLOW limit=look level=1 capacity=1 next=10.000000 retry=0 "
	    "blocked=0 from=memory shadow=deny"));
	ck_assert(hears(comes_with("WAIT other"), "ALLOW limit=-"));
}
END_TEST

/* The last one in line: who comes next gets its place. */
START_TEST(client_that_goes_away_gives_its_turn_back_if_it_is_the_last)
{
	struct peer *first, *gone, *next;

	fill_line();
	first = comes_with("WAIT line:1");
	gone = comes_with("WAIT line:1");
	peer_close(gone);
	fake_run();
	ck_assert_int_eq(stat_of("waits"), 1);
	ck_assert_int_eq(stat_of("waits_ended"), 1);
	next = comes_with("WAIT line:1");
	fake_pass(10 * SECOND);
	ck_assert(hears(first, GOES));
	fake_pass(10 * SECOND);
	ck_assert(hears(next, GOES));
}
END_TEST

START_TEST(turn_of_a_client_that_goes_away_before_others_is_lost)
{
	struct peer *gone, *behind;

	fill_line();
	gone = comes_with("PEEK line:1\nWAIT line:1");
	behind = comes_with("WAIT line:1");
	peer_reset(gone);
	fake_run();
	ck_assert_int_eq(stat_of("waits"), 1);
	ck_assert(hears(comes_with("WAIT line:1"), "DENY"));
	fake_pass(20 * SECOND - 1);
	ck_assert(hears_nothing(behind));
	fake_pass(1);
	ck_assert(hears(behind, GOES));
}
END_TEST

/* It may be gone: who closes a connection says no more than that. */
START_TEST(client_that_ends_its_side_waits_no_more)
{
	struct peer *client;

	fill_line();
	client = comes_with("WAIT line:1");
	peer_shutdown(client);
	fake_run();
	ck_assert(
	    hears(client, "DENY limit=line level=1 capacity=1 next=10.000000 "
			  "retry=10.000000"));
	ck_assert(peer_is_left(client));
	ck_assert_int_eq(stat_of("denied"), 1);
}
END_TEST

/* One that has sent more than is read, and is not sent anything either. */
START_TEST(client_that_is_not_read_and_goes_away_waits_no_more)
{
	static const char wait[] = "WAIT line:1\n";
	struct peer *client;

	fill_line();
	client = client_comes();
	while (peer_try_write(client, wait, sizeof(wait) - 1) > 0)
		fake_run();
	ck_assert_int_gt(stat_of("waits"), 0);
	peer_close(client);
	fake_pass(SECOND);
	ck_assert_int_eq(stat_of("waits"), 0);
	ck_assert(hears_nothing(client));
}
END_TEST

START_TEST(client_that_waits_is_not_idle)
{
	struct peer *clients[60];

	comes_with("CONSUME long:1");
	for (int i = 0; i < 60; i++)
		clients[i] = comes_with("WAIT long:1");
	for (int i = 0; i < 60; i++) {
		ck_assert(!peer_is_left(clients[i]));
		ck_assert(hears_nothing(clients[i]));
		fake_pass(SECOND);
		ck_assert(hears(clients[i], "ALLOW limit=long"));
	}
}
END_TEST

START_TEST(requests_behind_a_wait_are_responded_to_behind_it)
{
	struct peer *client;
	const char *heard;

	fill_line();
	client = comes_with("WAIT line:1\nPEEK plain:1\nWAIT line:1\nPING");
	ck_assert(hears_nothing(client));
	fake_pass(10 * SECOND);
	heard = peer_heard(client);
	ck_assert_ptr_eq(strstr(heard, "ALLOW limit=line"), heard);
	ck_assert_ptr_nonnull(strstr(heard, "\nALLOW limit=plain level=0"));
	ck_assert_ptr_null(strstr(heard, "PONG"));
	fake_pass(10 * SECOND);
	heard = peer_heard(client);
	ck_assert_ptr_eq(strstr(heard, GOES), heard);
	ck_assert_ptr_nonnull(strstr(heard, "\nPONG\n"));
}
END_TEST

/* Those who wait have their moment, and keep it. */
START_TEST(reset_lets_others_in_and_leaves_who_waits)
{
	struct peer *client;

	fill_line();
	client = comes_with("WAIT line:1");
	comes_with("RESET line:1");
	ck_assert(hears(comes_with("CONSUME line:1"), GOES));
	ck_assert(hears_nothing(client));
	fake_pass(10 * SECOND);
	ck_assert(hears(client, GOES));
}
END_TEST

/* Each in line gives its turn back: the last one first. */
START_TEST(drain_denies_who_waits_and_empties_the_line)
{
	struct peer *clients[3], *other;

	comes_with("CONSUME long:1");
	for (int i = 0; i < 3; i++)
		clients[i] = comes_with("WAIT long:1");
	other = client_comes();
	pool_drain(pool, false);
	fake_run();
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(
		    strstr(peer_heard(clients[i]), "DENY limit=long level=1"));
	peer_say(other, "PEEK long:1\nWAIT long:1\n");
	ck_assert(hears(other,
	    "DENY limit=long level=1 capacity=1 next=1.000000 retry=1.000000 "
	    "blocked=0 from=memory\n"
	    "DENY limit=long level=1 capacity=1 next=1.000000 "
	    "retry=1.000000"));
	fake_pass(3 * SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(end_without_a_drain_frees_who_waits)
{
	fill_line();
	comes_with("WAIT line:1\nWAIT line:1");
	peer_close(comes_with("WAIT line:1"));
	stop_serving();
}
END_TEST

START_TEST(each_has_its_own_microsecond)
{
	struct peer *first, *second;

	comes_with("CONSUME fine:1");
	first = comes_with("WAIT fine:1");
	second = comes_with("WAIT fine:1");
	fake_pass(1);
	ck_assert(hears(first, "ALLOW limit=fine"));
	ck_assert(hears_nothing(second));
	fake_pass(1);
	ck_assert(hears(second, "ALLOW limit=fine"));
}
END_TEST

/* Whatever the order in which they came, and some go. */
START_TEST(many_that_wait_go_each_at_its_time)
{
	enum { MANY = 200 };
	struct peer *clients[MANY];
	char line[64];

	for (int i = 0; i < MANY; i++) {
		int after = i * 83 % MANY;

		snprintf(line, sizeof(line),
		    "CONSUME wide:%d 200\nWAIT wide:%d %d", i, i, after + 1);
		clients[after] = comes_with(line);
		ck_assert(hears(clients[after], "ALLOW"));
	}
	for (int i = 0; i < MANY; i += 3)
		peer_close(clients[i]);
	for (int i = 0; i < MANY; i++) {
		ck_assert(i % 3 == 0 || hears_nothing(clients[i]));
		fake_pass(SECOND);
		ck_assert(i % 3 == 0 || hears(clients[i], "ALLOW"));
	}
}
END_TEST

Suite *
waits_suite(void)
{
	Suite *suite = suite_create("waits");
	TCase *tcase = tcase_create("waits");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(
	    tcase, who_waits_goes_ahead_when_there_is_room_and_not_before);
	tcase_add_test(tcase, who_comes_first_goes_first);
	tcase_add_test(tcase, client_says_for_how_long_it_waits_at_most);
	tcase_add_test(tcase, wait_is_consume_where_there_is_no_queue);
	tcase_add_test(
	    tcase, client_that_goes_away_gives_its_turn_back_if_it_is_the_last);
	tcase_add_test(
	    tcase, turn_of_a_client_that_goes_away_before_others_is_lost);
	tcase_add_test(tcase, client_that_ends_its_side_waits_no_more);
	tcase_add_test(
	    tcase, client_that_is_not_read_and_goes_away_waits_no_more);
	tcase_add_test(tcase, client_that_waits_is_not_idle);
	tcase_add_test(
	    tcase, requests_behind_a_wait_are_responded_to_behind_it);
	tcase_add_test(tcase, reset_lets_others_in_and_leaves_who_waits);
	tcase_add_test(tcase, drain_denies_who_waits_and_empties_the_line);
	tcase_add_test(tcase, end_without_a_drain_frees_who_waits);
	tcase_add_test(tcase, each_has_its_own_microsecond);
	tcase_add_test(tcase, many_that_wait_go_each_at_its_time);
	suite_add_tcase(suite, tcase);
	return suite;
}
