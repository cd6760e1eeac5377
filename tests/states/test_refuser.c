#include "fake/fake.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "server/refuser.h"
#include "suites.h"

#include <string.h>

#define WAIT_US INT64_C(100000)

static const struct loop_events no_events;
static struct loop *loop;
static struct refuser *refuser;
static struct peer *clients[40];
static size_t client_count;

static void
set_up(void)
{
	fake_start();
	loop = loop_new(&no_events, NULL);
	refuser = refuser_new(loop);
	ck_assert_ptr_nonnull(refuser);
	client_count = 0;
}

static void
tear_down(void)
{
	while (client_count > 0)
		peer_free(clients[--client_count]);
	refuser_free(refuser);
	loop_free(loop);
	fake_end();
}

/* A client that is too many, with what it has said before. */
static struct peer *
refuse(const char *said)
{
	int fd;
	struct peer *client = peer_new(&fd);

	peer_write(client, said, strlen(said));
	refuser_refuse(refuser, fd);
	return clients[client_count++] = client;
}

/* Whether the refuser said so in lines, or in RESP ('-'), and closed. */
static bool
is_refused(struct peer *client, char first)
{
	const char *heard = peer_heard(client);

	return *heard == first && strstr(heard, "ERR") && peer_is_left(client);
}

static bool
is_waited_for(struct peer *client)
{
	fake_run();
	return *peer_heard(client) == '\0' && !peer_is_left(client);
}

START_TEST(client_that_spoke_is_refused_at_once)
{
	ck_assert(is_refused(refuse("PING\n"), 'E'));
	ck_assert(is_refused(refuse("*1\r\n$4\r\nPING\r\n"), '-'));
}
END_TEST

START_TEST(client_is_refused_when_it_speaks)
{
	struct peer *client = refuse("");

	fake_pass(WAIT_US - 1);
	ck_assert(is_waited_for(client));
	peer_say(client, "*1\r\n");
	ck_assert(is_refused(client, '-'));
}
END_TEST

START_TEST(silent_client_is_refused_after_a_moment)
{
	struct peer *client = refuse("");

	fake_pass(WAIT_US - 1);
	ck_assert(is_waited_for(client));
	fake_pass(1);
	ck_assert(is_refused(client, 'E'));
}
END_TEST

START_TEST(client_that_goes_is_forgotten)
{
	peer_close(refuse(""));
	fake_run();
	ck_assert_int_eq(fake_pass_to_next(), -1);
}
END_TEST

START_TEST(few_are_waited_for)
{
	for (int i = 0; i < 32; i++)
		ck_assert(is_waited_for(refuse("")));
	ck_assert(is_refused(refuse(""), 'E'));
	peer_say(clients[7], "PING\n");
	ck_assert(is_refused(clients[7], 'E'));
	ck_assert(is_waited_for(refuse("")));
	fake_pass(WAIT_US);
	for (size_t i = 0; i < client_count; i++)
		ck_assert(i == 7 || i == 32 || is_refused(clients[i], 'E'));
}
END_TEST

START_TEST(those_that_are_waited_for_are_refused_at_the_end)
{
	struct peer *client = refuse("");

	refuser_free(refuser);
	refuser = NULL;
	ck_assert(is_refused(client, 'E'));
}
END_TEST

Suite *
refuser_suite(void)
{
	Suite *suite = suite_create("refuser");
	TCase *tcase = tcase_create("refuser");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, client_that_spoke_is_refused_at_once);
	tcase_add_test(tcase, client_is_refused_when_it_speaks);
	tcase_add_test(tcase, silent_client_is_refused_after_a_moment);
	tcase_add_test(tcase, client_that_goes_is_forgotten);
	tcase_add_test(tcase, few_are_waited_for);
	tcase_add_test(tcase, those_that_are_waited_for_are_refused_at_the_end);
	suite_add_tcase(suite, tcase);
	return suite;
}
