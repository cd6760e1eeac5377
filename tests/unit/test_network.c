#include "base/network.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

static struct ip_address
address_of(const char *text)
{
	struct ip_address address;

	ck_assert_int_eq(address_read(&address, text, strlen(text)), 0);
	return address;
}

static const struct {
	const char *text, *written, *network;
} addresses[] = {
    {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
    {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"},
    {"::ffff:c000:201", "192.0.2.1", "192.0.2.1"},
    {"2001:DB8:0:7:1:2:3:4", "2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64"},
    {"[2001:db8::1]", "2001:db8::1", "2001:db8::/64"},
    {"::1", "::1", "::/64"},
};

START_TEST(address_is_written_in_one_way)
{
	char text[ADDRESS_TEXT_MAX];
	struct ip_address address = address_of(addresses[_i].text);

	ck_assert_uint_eq(address_write(text, &address), strlen(text));
	ck_assert_str_eq(text, addresses[_i].written);
	ck_assert_uint_eq(address_write_64(text, &address), strlen(text));
	ck_assert_str_eq(text, addresses[_i].network);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const wrong[] = {"", "1.2.3", "1.2.3.4.5", "[::1",
	    "01.2.3.4", "1.2.3.256", "::1%eth0", "localhost", "unknown", "[]",
	    "fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80:fe80"};
	struct ip_address address;

	for (size_t i = 0; i < COUNT(wrong); i++)
		ck_assert_int_eq(
		    address_read(&address, wrong[i], strlen(wrong[i])), -1);
	ck_assert_int_eq(address_read(&address, "1.2.3.4\0x", 9), -1);
}
END_TEST

static const struct {
	const char *list, *address;
	bool has;
} lists[] = {
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "::ffff:10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/8", "a00::", false},
    {"10.0.0.0/9", "10.127.0.1", true},
    {"10.0.0.0/9", "10.128.0.1", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {" 192.0.2.9\tfd00::/8 ", "fd12::1", true},
    {"fd00::/8", "fc12::1", false},
    {"0.0.0.0/0", "8.8.8.8", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::ffff:10.0.0.0/8", "10.1.1.1", true},
    {"unix", "127.0.0.1", false},
    {"", "127.0.0.1", false},
};

START_TEST(networks_have_what_is_in_them)
{
	struct networks networks;
	struct ip_address address = address_of(lists[_i].address);

	ck_assert_ptr_null(networks_read(&networks, lists[_i].list));
	ck_assert_int_eq(networks_have(&networks, &address), lists[_i].has);
}
END_TEST

START_TEST(a_unix_socket_is_a_network)
{
	struct networks networks;
	const struct ip_address local = {.kind = ADDRESS_UNIX}, none = {0};

	ck_assert_ptr_null(networks_read(&networks, "::/0 unix"));
	ck_assert(networks_have(&networks, &local));
	ck_assert(!networks_have(&networks, &none));
	ck_assert_ptr_null(networks_read(&networks, "::/0 0.0.0.0/0"));
	ck_assert(!networks_have(&networks, &local));
}
END_TEST

START_TEST(the_word_that_is_no_network_is_named)
{
	struct networks networks;
	char many[65 * 3 + 1] = "";

	ck_assert_str_eq(
	    networks_read(&networks, "::1 10.0.0.0/33"), "10.0.0.0/33");
	ck_assert_str_eq(
	    networks_read(&networks, "::1/129 ::1"), "::1/129 ::1");
	ck_assert_str_eq(networks_read(&networks, "::1/"), "::1/");
	ck_assert_str_eq(networks_read(&networks, "::1/-1"), "::1/-1");
	ck_assert_str_eq(networks_read(&networks, "any"), "any");
	for (int i = 0; i < NETWORKS_MAX + 1; i++)
		strcat(many, ":: ");
	ck_assert_str_eq(networks_read(&networks, many), ":: ");
}
END_TEST

Suite *
network_suite(void)
{
	Suite *suite = suite_create("network");
	TCase *tcase = tcase_create("network");

	tcase_add_loop_test(
	    tcase, address_is_written_in_one_way, 0, (int)COUNT(addresses));
	tcase_add_test(tcase, what_is_no_address_is_refused);
	tcase_add_loop_test(
	    tcase, networks_have_what_is_in_them, 0, (int)COUNT(lists));
	tcase_add_test(tcase, a_unix_socket_is_a_network);
	tcase_add_test(tcase, the_word_that_is_no_network_is_named);
	suite_add_tcase(suite, tcase);
	return suite;
}
