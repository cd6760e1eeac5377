#include "stats/servers.h"
#include "suites.h"

#include <stdio.h>

START_TEST(a_server_is_up_while_all_its_links_are)
{
	struct servers *servers = servers_new();
	struct server *server = servers_attach(servers, NULL, "a", 1);
	struct server_view view;

	ck_assert_ptr_eq(servers_attach(servers, NULL, "a", 2), server);
	ck_assert(!servers_note_up(servers, server, 3));
	ck_assert(servers_at(servers, 0, &view));
	ck_assert(!view.up && view.links == 2);
	ck_assert_int_eq(view.since_us, 1);
	/* No link failed, so there was no outage. */
	ck_assert(!servers_note_up(servers, server, 4));
	ck_assert(servers_at(servers, 0, &view));
	ck_assert(view.up);
	ck_assert_int_eq(view.since_us, 4);
	ck_assert(servers_note_down(servers, server, true, 5));
	ck_assert(!servers_note_down(servers, server, false, 6));
	ck_assert(servers_at(servers, 0, &view));
	ck_assert(!view.up);
	ck_assert_int_eq(view.since_us, 5);
	ck_assert(servers_note_up(servers, server, 7));
	servers_detach(servers, server, true);
	servers_detach(servers, server, true);
	ck_assert(servers_at(servers, 0, &view));
	ck_assert(!view.up && view.links == 0);
	ck_assert(!servers_at(servers, 1, &view));
	servers_free(servers);
}
END_TEST

START_TEST(an_outage_lasts_until_all_servers_are_back)
{
	struct servers *servers = servers_new();
	struct server *a = servers_attach(servers, NULL, "a", 1);
	struct server *b = servers_attach(servers, NULL, "b", 1);

	ck_assert_ptr_ne(a, b);
	/* They are not there at the start. */
	ck_assert(servers_note_down(servers, a, false, 2));
	ck_assert(!servers_note_up(servers, b, 3));
	ck_assert(!servers_note_down(servers, b, true, 4));
	ck_assert(!servers_note_up(servers, a, 5));
	ck_assert(servers_note_up(servers, b, 6));
	servers_free(servers);
}
END_TEST

START_TEST(a_link_may_go_to_another_server)
{
	struct servers *servers = servers_new();
	struct server *a = servers_attach(servers, NULL, "a", 1), *b;
	struct server_view view;

	b = servers_attach(servers, a, "b", 2);
	ck_assert_ptr_ne(a, b);
	ck_assert(!servers_note_up(servers, b, 3));
	ck_assert(servers_at(servers, 0, &view));
	ck_assert(view.links == 0 && !view.up);
	ck_assert(servers_at(servers, 1, &view));
	ck_assert(view.links == 1 && view.up);
	servers_free(servers);
}
END_TEST

START_TEST(their_number_is_bounded)
{
	struct servers *servers = servers_new();
	struct server *last = NULL;
	struct server_view view;
	char name[20];

	for (int i = 0; i < SERVERS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "server-%d", i);
		last = servers_attach(servers, NULL, name, 1);
	}
	ck_assert_str_eq(last->name, "others");
	ck_assert(servers_at(servers, SERVERS_MAX - 1, &view));
	ck_assert_ptr_eq(view.server, last);
	ck_assert_uint_eq(view.links, 6);
	ck_assert(!servers_at(servers, SERVERS_MAX, &view));
	servers_free(servers);
}
END_TEST

Suite *
servers_suite(void)
{
	Suite *suite = suite_create("servers");
	TCase *tcase = tcase_create("servers");

	tcase_add_test(tcase, a_server_is_up_while_all_its_links_are);
	tcase_add_test(tcase, an_outage_lasts_until_all_servers_are_back);
	tcase_add_test(tcase, a_link_may_go_to_another_server);
	tcase_add_test(tcase, their_number_is_bounded);
	suite_add_tcase(suite, tcase);
	return suite;
}
