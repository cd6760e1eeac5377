#include "base/host_port.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *text, *host, *port;
} good[] = {
    {"127.0.0.1:14290", "127.0.0.1", "14290"},
    {"[::1]:14290", "::1", "14290"},
    {"[fe80::1%eth0]:1", "fe80::1%eth0", "1"},
    {"localhost:65535", "localhost", "65535"},
    {"my_host.example-1.com.:80", "my_host.example-1.com.", "80"},
    {":24431", "", "24431"},
    {"*:24431", "", "24431"},
    {"24431", "", "24431"},
};

START_TEST(what_people_write_is_read)
{
	struct host_port read;

	ck_assert(host_port_read(&read, good[_i].text));
	ck_assert_str_eq(read.host, good[_i].host);
	ck_assert_str_eq(read.port, good[_i].port);
}
END_TEST

static const struct {
	const char *text, *reason;
} bad[] = {
    {"", " has no port: write HOST:PORT, :PORT or PORT"},
    {"nonsense", "nonsense has no port: write HOST:PORT, :PORT or PORT"},
    {"127.0.0.1", "127.0.0.1 has no port: write HOST:PORT, :PORT or PORT"},
    {"host:", "host:: the port is not from 1 to 65535"},
    {"host:0", "host:0: the port is not from 1 to 65535"},
    {"host:65536", "host:65536: the port is not from 1 to 65535"},
    {"host:123456", "host:123456: the port is not from 1 to 65535"},
    {":x", ":x: the port is not from 1 to 65535"},
    {"0", "0 has no port: write HOST:PORT, :PORT or PORT"},
    {"host: 80", "host: 80: the port is not from 1 to 65535"},
    {"::1:80", "::1:80: write an IPv6 address in brackets: [::1]:PORT"},
    {"[]:80", "[]:80 is not HOST:PORT, :PORT or PORT"},
    {"[::1:80", "[::1:80 is not HOST:PORT, :PORT or PORT"},
    {"a b:80", "a b:80 is not HOST:PORT, :PORT or PORT"},
    {"/run/x.sock", "a path is not a TCP address: write unix = /run/x.sock"},
    {"redis://x:80", "a URL is not an address: write HOST:PORT"},
};

START_TEST(what_is_none_is_explained)
{
	struct host_port read;
	char reason[200];

	ck_assert(!host_port_read(&read, bad[_i].text));
	host_port_explain(bad[_i].text, reason, sizeof(reason));
	ck_assert_str_eq(reason, bad[_i].reason);
}
END_TEST

START_TEST(a_host_has_room_or_is_refused)
{
	struct host_port read;
	char text[300];

	memset(text, 'a', sizeof(text));
	strcpy(text + 255, ":80");
	ck_assert(host_port_read(&read, text));
	ck_assert_uint_eq(strlen(read.host), 255);
	memset(text, 'a', sizeof(text));
	strcpy(text + 256, ":80");
	ck_assert(!host_port_read(&read, text));
}
END_TEST

static const struct {
	const char *text, *reason; /* NULL: it is a list */
} lists[] = {
    {"a:1", NULL},
    {" a:1\t b:1  [::1]:1 [fe80::1%eth0]:1 a:2 ", NULL},
    {"", "there is none"},
    {" ", "there is none"},
    {"a:1,b:2", "write blanks between hosts, not commas"},
    {"a:1 u:secret@b:2",
	"a user and a password are settings of their own: write HOST:PORT"},
    {"a:1 b", "b is not HOST:PORT"},
    {"a:1 6379", "6379 is not HOST:PORT"},
    {":1", ":1 is not HOST:PORT"},
    {"a:1, b:1", "write blanks between hosts, not commas"},
    {"::1:80", "::1:80: write an IPv6 address in brackets: [::1]:PORT"},
    {"a:1 b:1 A:1", "a:1 is there twice"},
    {"[::1]:1 [::1]:1", "[::1]:1 is there twice"},
    {"[::1]:1 b:1 [0:0:0:0:0:0:0:1]:1", "[::1]:1 is there twice"},
    {"[FE80:0::1%eth0]:1 [fe80::1%eth0]:1", "[fe80::1%eth0]:1 is there twice"},
    {"[fe80::1%eth1]:1 [fe80::1%eth0]:1", NULL},
    {"10.0.0.1:1 [::ffff:10.0.0.1]:1", "10.0.0.1:1 is there twice"},
    {"A.example:1 a.Example.:1", "a.example:1 is there twice"},
    {"a:0001 a:1", "a:1 is there twice"},
    {"[::1]:1 [0:0:0:0:0:0:0:1]:2", NULL},
    {"redis://a:1", "a URL is not an address: write HOST:PORT"},
};

START_TEST(list_is_read_or_explained)
{
	char reason[200];

	ck_assert_int_eq(host_port_is_list(lists[_i].text), !lists[_i].reason);
	if (!lists[_i].reason)
		return;
	host_port_explain_list(lists[_i].text, reason, sizeof(reason));
	ck_assert_str_eq(reason, lists[_i].reason);
}
END_TEST

START_TEST(list_has_at_most_1000)
{
	static char list[1001 * 10];
	char reason[200];
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(list + len, "h%d:6379 ", i);
	ck_assert(host_port_is_list(list));
	strcpy(list + len, "x:1");
	ck_assert(!host_port_is_list(list));
	host_port_explain_list(list, reason, sizeof(reason));
	ck_assert_str_eq(reason, "has more than 1000 hosts");
}
END_TEST

START_TEST(they_are_in_the_order_of_hosts_and_then_of_ports)
{
	static const struct host_port rising[] = {
	    {"a", "2"}, {"b", "1"}, {"b", "2"}};

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			int order = host_port_compare(&rising[i], &rising[j]);

			ck_assert_int_eq(
			    (order > 0) - (order < 0), (i > j) - (i < j));
		}
}
END_TEST

Suite *
host_port_suite(void)
{
	Suite *suite = suite_create("host_port");
	TCase *tcase = tcase_create("host_port");

	tcase_add_loop_test(
	    tcase, what_people_write_is_read, 0, sizeof(good) / sizeof(*good));
	tcase_add_loop_test(
	    tcase, what_is_none_is_explained, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_loop_test(tcase, list_is_read_or_explained, 0,
	    sizeof(lists) / sizeof(*lists));
	tcase_add_test(tcase, list_has_at_most_1000);
	tcase_add_test(tcase, a_host_has_room_or_is_refused);
	tcase_add_test(tcase, they_are_in_the_order_of_hosts_and_then_of_ports);
	suite_add_tcase(suite, tcase);
	return suite;
}
