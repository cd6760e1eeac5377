#include "protocol/http/http_client.h"
#include "suites.h"

#include "base/attr.h"
#include "protocol/original.h"

#include <string.h>

static const struct {
	const char *text;
	bool is_forwarded;
	const char *address; /* NULL: there is none */
	const char *rest;    /* what is before it */
} lists[] = {
    {"192.0.2.1", false, "192.0.2.1", ""},
    {"192.0.2.9,192.0.2.1", false, "192.0.2.1", "192.0.2.9"},
    {"a, \t192.0.2.1 \t", false, "192.0.2.1", "a"},
    {"192.0.2.1:4711", false, "192.0.2.1", ""},
    {"\"192.0.2.1:4711\"", false, "192.0.2.1", ""},
    {"[2001:db8::1]:4711", false, "2001:db8::1", ""},
    {"[2001:db8::1]", false, "2001:db8::1", ""},
    {"2001:db8::1", false, "2001:db8::1", ""},
    {"[2001:db8::1", false, NULL, ""},
    {"", false, NULL, ""},
    {"a,", false, NULL, "a"},
    {" ", false, NULL, ""},
    {"\"", false, NULL, ""},
    {"\"192.0.2.1", false, NULL, ""},
    {"192.0.2.1\"", false, NULL, ""},
    {":", false, NULL, ""},
    {"for=192.0.2.1", true, "192.0.2.1", ""},
    {"proto=http; FOR=\"[2001:db8::1]:80\" ;by=x", true, "2001:db8::1", ""},
    {"for=a,for=192.0.2.1;proto=http", true, "192.0.2.1", "for=a"},
    {"proto=http;by=x", true, NULL, ""},
    {"proto=http;", true, NULL, ""},
    {"for=", true, NULL, ""},
    {"for", true, NULL, ""},
    {"four=192.0.2.1", true, NULL, ""},
    {"", true, NULL, ""},
    {";", true, NULL, ""},
};

START_TEST(last_address_of_a_list_is_taken)
{
	const char *text = lists[_i].text, *end = text + strlen(text);
	struct ip_address address, expected;
	int result =
	    http_client_previous(text, &end, lists[_i].is_forwarded, &address);

	ck_assert_uint_eq((size_t)(end - text), strlen(lists[_i].rest));
	ck_assert_mem_eq(text, lists[_i].rest, strlen(lists[_i].rest));
	ck_assert_int_eq(result, lists[_i].address ? 0 : -1);
	if (!lists[_i].address)
		return;
	ck_assert_int_eq(address_read(&expected, lists[_i].address,
			     strlen(lists[_i].address)),
	    0);
	ck_assert_int_eq(address.kind, expected.kind);
	ck_assert_mem_eq(
	    &address.bytes, &expected.bytes, sizeof(expected.bytes));
}
END_TEST

static const struct {
	const char *uri, *path, *query; /* NULL: there is none */
} uris[] = {
    {"/", "/", NULL},
    {"/a?b=c?d", "/a", "b=c?d"},
    {"/a?", "/a", ""},
    {"", "", NULL},
    {"http://x/a?b", "/a", "b"},
    {"http://x", "", NULL},
    {"http://x?b", "", NULL},
    {"x", "", NULL},
    {"x/a", "", NULL},
};

START_TEST(uri_is_divided)
{
	static struct original original;

	original.uri = (struct route_text){uris[_i].uri, strlen(uris[_i].uri)};
	original_divide_uri(&original);
	ck_assert_uint_eq(original.uri.len, strlen(uris[_i].path));
	ck_assert_mem_eq(
	    original.uri.bytes, uris[_i].path, strlen(uris[_i].path));
	ck_assert_int_eq(original.query.bytes != NULL, uris[_i].query != NULL);
	if (!uris[_i].query)
		return;
	ck_assert_uint_eq(original.query.len, strlen(uris[_i].query));
	ck_assert_mem_eq(
	    original.query.bytes, uris[_i].query, original.query.len);
}
END_TEST

Suite *
http_client_suite(void)
{
	Suite *suite = suite_create("http_client");
	TCase *tcase = tcase_create("http_client");

	tcase_add_loop_test(
	    tcase, last_address_of_a_list_is_taken, 0, COUNT(lists));
	tcase_add_loop_test(tcase, uri_is_divided, 0, COUNT(uris));
	suite_add_tcase(suite, tcase);
	return suite;
}
