#include "server/arrivals.h"

#include "suites.h"

#include <fcntl.h>
#include <unistd.h>

static struct arrivals arrivals;

static void
set_up(void)
{
	arrivals_init(&arrivals);
}

/* Whether the descriptor is open. */
static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

START_TEST(what_arrived_is_closed_in_the_end)
{
	int fds[40];

	for (int i = 0; i < 40; i++) {
		fds[i] = dup(STDERR_FILENO);
		ck_assert_int_eq(arrivals_add(&arrivals, fds[i], OFFER_ANY), 0);
	}
	for (int i = 0; i < 40; i++)
		ck_assert(is_open(fds[i]));
	arrivals_clear(&arrivals);
	for (int i = 0; i < 40; i++)
		ck_assert(!is_open(fds[i]));
}
END_TEST

START_TEST(no_end_while_a_client_waits)
{
	int fd = dup(STDERR_FILENO);

	ck_assert_int_eq(arrivals_add(&arrivals, fd, OFFER_ANY), 0);
	ck_assert(!arrivals_end(&arrivals));
	arrivals_clear(&arrivals);
}
END_TEST

START_TEST(after_the_end_no_client_moves_here)
{
	ck_assert(arrivals_end(&arrivals));
	ck_assert(!arrivals_add_moved(&arrivals, NULL));
	arrivals_clear(&arrivals);
}
END_TEST

Suite *
arrivals_suite(void)
{
	Suite *suite = suite_create("arrivals");
	TCase *tcase = tcase_create("arrivals");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, what_arrived_is_closed_in_the_end);
	tcase_add_test(tcase, no_end_while_a_client_waits);
	tcase_add_test(tcase, after_the_end_no_client_moves_here);
	suite_add_tcase(suite, tcase);
	return suite;
}
