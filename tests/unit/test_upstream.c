#include "upstream/upstream.h"
#include "suites.h"

#include "base/attr.h"
#include "limit/algorithm.h"
#include "upstream/address.h"
#include "upstream/block.h"
#include "upstream/credentials.h"
#include "upstream/upstream_location.h"
#include "upstream/upstream_path.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

/*
 * Paths.
 */

static const struct {
	const char *target;
	const char *path; /* NULL: it is none */
} paths[] = {
    {"", "/"},
    {"/", "/"},
    {"?a=b", "/?a=b"},
    {"/a/b?c/../d", "/a/b?c/../d"},
    {"/a//b/", "/a//b/"},
    {"/..%3b/..a;", "/..%3B/..a;"},
    {"/./a/./b/.", "/a/b/"},
    {"/a/%2E/b", "/a/b"},
    {"/a/.?b", "/a/?b"},
    {"/.a/..b/c..", "/.a/..b/c.."},
    {"/%61%7e%2d", "/a~-"},
    {"/%c3%a9%20x", "/%C3%A9%20x"},
    {"/a?%61%0a%2f%5C", "/a?a%0A%2F%5C"},
    {"/a;b=1,2:@!$&'()*+", "/a;b=1,2:@!$&'()*+"},
    {"a", NULL},
    {"/..", NULL},
    {"/..;/a", NULL},
    {"/a/..;b=c", NULL},
    {"/%2e.;/a", NULL},
    {"/a/../b", NULL},
    {"/a/..?x", NULL},
    {"/%2e%2E/a", NULL},
    {"/.%2e", NULL},
    {"/a%2fb", NULL},
    {"/a%5cb", NULL},
    {"/a\\b", NULL},
    {"/a%00", NULL},
    {"/a%0d%0aX:1", NULL},
    {"/a%7f", NULL},
    {"/a%", NULL},
    {"/a%4", NULL},
    {"/a%4z", NULL},
    {"/a%zz", NULL},
    {"/a?%z", NULL},
    {"/a#b", NULL},
    {"/a b", NULL},
    {"/a\x01", NULL},
    {"/\xc3\xa9", NULL},
};

START_TEST(path_has_one_form_or_is_refused)
{
	const char *target = paths[_i].target;
	char to[100], again[100];

	ck_assert_int_eq(upstream_path_normalize(to, target, strlen(target)),
	    paths[_i].path != NULL);
	if (!paths[_i].path)
		return;
	ck_assert_str_eq(to, paths[_i].path);
	ck_assert(upstream_path_normalize(again, to, strlen(to)));
	ck_assert_str_eq(again, to);
}
END_TEST

/*
 * Locations.
 */

#define BASE "http://a.example:80/v1"

static const struct {
	const char *url, *location;
	const char *target; /* NULL: it does not lead there */
} locations[] = {
    {BASE, BASE, "/"},
    {BASE, BASE "/", "/"},
    {BASE, BASE "?q=1", "/?q=1"},
    {BASE, BASE "/x?y=http://b.example/#z", "/x?y=http://b.example/"},
    {BASE, "HTTP://A.Example:80/v1/%78", "/x"},
    {BASE, "/v1/x", "/x"},
    {BASE, "/v1", "/"},
    {BASE, "/v1/./x//y", "/x//y"},
    {BASE, "y", "/d/y"},
    {BASE, "./y", "/d/y"},
    {BASE, "y/z:80?a#b", "/d/y/z:80?a"},
    {BASE, "?y", "/d/x?y"},
    {"http://a.example", "/", "/"},
    {"http://a.example", "http://a.example/x", "/x"},
    {"http://a.example", "http://a.example", "/"},
    {"http://a.example", "http://a.example//b.example/x", "//b.example/x"},
    /* Elsewhere. */
    {BASE, "", NULL},
    {BASE, "#z", NULL},
    {BASE, "/", NULL},
    {BASE, "/v2/x", NULL},
    {BASE, "/v1x", NULL},
    {BASE, "/v1;x", NULL},
    {BASE, "/V1/x", NULL},
    {BASE, "/x/v1/y", NULL},
    {BASE, "https://a.example:80/v1/x", NULL},
    {BASE, "http://b.example:80/v1/x", NULL},
    {BASE, "http://a.example/v1/x", NULL},
    {BASE, "http://a.example:8080/v1/x", NULL},
    {BASE, "http://a.example:80.b.example/v1/x", NULL},
    {BASE, "http://a.example:80@b.example/v1/x", NULL},
    {BASE, "http://u:p@a.example:80/v1/x", NULL},
    {BASE, "http:/v1/x", NULL},
    {BASE, "http:x", NULL},
    {BASE, "file:///v1/x", NULL},
    {BASE, "javascript:x", NULL},
    {BASE, "//a.example:80/v1/x", NULL},
    {BASE, "///v1/x", NULL},
    {"http://a.example", "http://a.example.b.example/x", NULL},
    {"http://a.example", "http://a.example@b.example/x", NULL},
    {"http://a.example", "http://a.example:1/x", NULL},
    {"http://a.example", "http://a.example\\@b.example/x", NULL},
    {"http://a.example", "//b.example/x", NULL},
    {"http://a.example", "/\\b.example/x", NULL},
    {"http://a.example", "\\\\b.example/x", NULL},
    /* Out of it. */
    {BASE, "..", NULL},
    {BASE, "../x", NULL},
    {BASE, "/v1/../x", NULL},
    {BASE, "/v1/%2e%2e/x", NULL},
    {BASE, "/v1/..;/x", NULL},
    {BASE, BASE "/../x", NULL},
    {BASE, "/v1/x%2fy", NULL},
    {BASE, "/v1/x%5c..", NULL},
    {BASE, "/v1/x y", NULL},
    {BASE, "/v1/x\ty", NULL},
    {BASE, "/v1/x%0d%0aX:1", NULL},
    {BASE, "/v1/\xc3\xa9", NULL},
    {"a.example", "/x", NULL},
};

START_TEST(location_leads_to_what_is_below_the_url_or_nowhere)
{
	const char *location = locations[_i].location;
	const struct part target = {"/d/x?z/y", 8};
	struct buf to = {0};
	bool leads = upstream_location_read(&to, locations[_i].url, target,
	    (struct part){location, strlen(location)});

	ck_assert_int_eq(leads, locations[_i].target != NULL);
	if (leads)
		ck_assert_str_eq(buf_data(&to), locations[_i].target);
	ck_assert_uint_eq(
	    buf_len(&to), leads ? strlen(locations[_i].target) + 1 : 0);
	buf_free(&to);
}
END_TEST

/*
 * Addresses.
 */

static const struct {
	const char *text;
	bool is_near;
} addresses[] = {
    {"127.0.0.1", true},
    {"127.255.0.9", true},
    {"0.0.0.0", true},
    {"169.254.169.254", true},
    {"224.0.0.1", true},
    {"255.255.255.255", true},
    {"10.0.0.1", false},
    {"192.0.2.1", false},
    {"169.253.0.1", false},
    {"::1", true},
    {"::", true},
    {"fe80::1", true},
    {"febf::1", true},
    {"ff02::1", true},
    {"::ffff:127.0.0.1", true},
    {"::127.0.0.1", true},
    {"64:ff9b::169.254.169.254", true},
    {"2002:7f00:1::", true},
    {"::ffff:192.0.2.1", false},
    {"fec0::1", false},
    {"fd00::1", false},
    {"2001:db8::1", false},
};

START_TEST(addresses_of_this_machine_and_link_are_near)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	const struct sockaddr *address = (const void *)&in6;

	if (inet_pton(AF_INET, addresses[_i].text, &in.sin_addr) == 1)
		address = (const void *)&in;
	else
		ck_assert_int_eq(
		    inet_pton(AF_INET6, addresses[_i].text, &in6.sin6_addr), 1);
	ck_assert_int_eq(address_is_near(address), addresses[_i].is_near);
}
END_TEST

START_TEST(what_is_no_address_of_ip_is_near)
{
	ck_assert(
	    address_is_near(&(const struct sockaddr){.sa_family = AF_UNIX}));
}
END_TEST

/*
 * The breaker.
 */

START_TEST(breaker_opens_after_failures_in_a_row)
{
	struct breaker breaker = {0};
	int64_t retry_us;

	breaker_note(&breaker, true, 3, SECOND, 10);
	breaker_note(&breaker, true, 3, SECOND, 10);
	breaker_note(&breaker, false, 3, SECOND, 10);
	breaker_note(&breaker, true, 3, SECOND, 10);
	breaker_note(&breaker, true, 3, SECOND, 10);
	ck_assert(breaker_allows(&breaker, 10, &retry_us));
	breaker_note(&breaker, true, 3, SECOND, 10);
	ck_assert(!breaker_allows(&breaker, 10, &retry_us));
	ck_assert_int_eq(retry_us, SECOND);
	ck_assert(!breaker_allows(&breaker, SECOND + 9, &retry_us));
	ck_assert_int_eq(retry_us, 1);
}
END_TEST

START_TEST(one_probe_goes_out_after_the_pause)
{
	struct breaker breaker = {0};
	int64_t retry_us;

	breaker_note(&breaker, true, 1, SECOND, 0);
	ck_assert(breaker_allows(&breaker, SECOND, &retry_us));
	ck_assert(!breaker_allows(&breaker, SECOND, &retry_us));
	ck_assert_int_gt(retry_us, 0);
	/* It never went out: the next one may. */
	breaker_forget(&breaker);
	ck_assert(breaker_allows(&breaker, SECOND, &retry_us));
	breaker_note(&breaker, true, 1, SECOND, SECOND);
	ck_assert(!breaker_allows(&breaker, SECOND + 1, &retry_us));
	ck_assert(breaker_allows(&breaker, 2 * SECOND, &retry_us));
	breaker_note(&breaker, false, 1, SECOND, 2 * SECOND);
	ck_assert(breaker_allows(&breaker, 2 * SECOND, &retry_us));
	ck_assert(breaker_allows(&breaker, 2 * SECOND, &retry_us));
}
END_TEST

START_TEST(breaker_never_opens_where_failures_do_not_count)
{
	struct breaker breaker = {0};
	int64_t retry_us;

	for (int i = 0; i < 1000; i++)
		breaker_note(&breaker, true, 0, SECOND, 0);
	ck_assert(breaker_allows(&breaker, 0, &retry_us));
}
END_TEST

/*
 * Sets.
 */

static const struct upstream_options options = {
    .name = "api",
    .url = "http://192.0.2.1/base//",
    .ca_file = "",
    .methods = "GET HEAD",
    .request_headers = "Accept",
    .response_headers = "*",
    .fields = "",
    .credentials = "",
    .limit_key = "up:api  all",
    .max_connections = 1,
};

static struct reasons reasons;

static struct upstream_set *
set_of(const struct upstream_options *from)
{
	struct upstream_set *set;

	reasons_clear(&reasons);
	set = upstream_set_new(from, 1, &reasons);
	ck_assert_msg(set, "%s", reasons_first(&reasons));
	return set;
}

START_TEST(upstream_has_its_own_copy_of_what_it_needs)
{
	struct upstream_set *set = set_of(&options);
	const struct upstream *upstream = upstream_set_find(set, "apis", 3);

	ck_assert_ptr_nonnull(upstream);
	ck_assert_str_eq(upstream->options.url, "http://192.0.2.1/base");
	ck_assert(upstream->is_literal);
	ck_assert_uint_eq(upstream->key_count, 2);
	ck_assert_mem_eq(upstream->key_list[0].bytes, "up:api", 6);
	ck_assert_uint_eq(upstream->key_list[1].len, 3);
	ck_assert_ptr_null(upstream_set_find(set, "ap", 2));
	ck_assert_ptr_null(upstream_set_find(NULL, "api", 3));
	upstream_set_unref(set);
}
END_TEST

START_TEST(reload_keeps_an_upstream_that_is_as_it_was)
{
	struct upstream_options changed = options;
	struct upstream_set *old = set_of(&options);
	struct upstream_set *same = set_of(&options);
	struct upstream_set *other, *moved;

	UPSTREAM_COUNT(old->items[0], sent);
	old->items[0]->blocked_until_us = 5;
	upstream_set_adopt(same, old);
	ck_assert_ptr_eq(same->items[0], old->items[0]);
	changed.timeout_us = 7;
	other = set_of(&changed);
	upstream_set_adopt(other, old);
	ck_assert_ptr_ne(other->items[0], old->items[0]);
	ck_assert_uint_eq(other->items[0]->counts.sent, 1);
	ck_assert_int_eq(other->items[0]->blocked_until_us, 5);
	changed.url = "http://192.0.2.2";
	moved = set_of(&changed);
	upstream_set_adopt(moved, old);
	ck_assert_int_eq(moved->items[0]->blocked_until_us, 0);
	upstream_set_unref(old);
	upstream_set_unref(same);
	upstream_set_unref(other);
	upstream_set_unref(moved);
	upstream_set_unref(NULL);
}
END_TEST

/* Of what is too long to be shown as a whole, this is: 64, and 60. */
#define LONG_4  "aaaa"
#define LONG_20 LONG_4 LONG_4 LONG_4 LONG_4 LONG_4
#define LONG_60 LONG_20 LONG_20 LONG_20
#define LONG_64 LONG_60 LONG_4
#define LONG    LONG_64 LONG_64
#define LONGER  LONG LONG LONG LONG

static const struct {
	const char *url, *fields, *request_headers, *keys;
	const char *reason;
} refused[] = {
    {"ftp://x", "", "", "", "[upstream:api] url: must be http://HOST"},
    {"", "", "", "", "[upstream:api] url: must be http://HOST"},
    {"http://", "", "", "", "[upstream:api] url: must be http://HOST"},
    {"http://a:secret@x/", "", "", "",
	"[upstream:api] url: has a user: use header.Authorization"},
    {"http://x/?a", "", "", "", "[upstream:api] url: must end with its path"},
    {"http://x/", "Host: y\n", "", "",
	"[upstream:api] header.Host: is no header that can be added"},
    {"http://x/", "A b: y\n", "", "",
	"[upstream:api] header.A b: is no header that can be added"},
    {"http://x/", "X-A: y\n", "x-a", "",
	"[upstream:api] header.X-A: and request_headers exclude each other"},
    {"http://x/", "no colon\n", "", "", "[upstream:api] header.no colon"},
    {"http://x/", "Connection: close\nX-A: 1", "", "",
	"[upstream:api] header.Connection: is no header that can be added"},
    {"http://x/", "X-A: $credential.", "", "",
	"[upstream:api] header: $credential.: there is no folder"},
    {"http://x/", "X-A: $credential.no-such\n", "", "",
	"[upstream:api] header: /nowhere/no-such: "},
    {"http://x/", "", "Accept Connection", "",
	"[upstream:api] request_headers: Connection is no header"},
    {"http://x/", "", "", "a b c d e f g h i j k l m n o p q",
	"[upstream:api] limit_key: more than 16 keys"},
    {"http://x/", "", "", "a \x01",
	"[upstream:api] limit_key: \\x01 is no key"},
    {"http://x/", "", "", "b " LONGER,
	"[upstream:api] limit_key: " LONG_60 " is no key"},
    {"http://x/#a", "", "", "", "[upstream:api] url: must end with its path"},
    {"http://x/", "", "(" LONG, "",
	"[upstream:api] request_headers: (" LONG_20 LONG_20},
    {"http://x/", "(" LONG ": y\n", "", "",
	"[upstream:api] header.(" LONG_20 LONG_20},
    {"http://x/", LONG ": y\n", LONG, "",
	"[upstream:api] header." LONG_60 ": and request_headers exclude"},
    {"http://x/", "X-A: $credential." LONG "\n", "", "",
	"[upstream:api] header: $credential." LONG_60 LONG_20 LONG_20
	": there is no folder"},
};

START_TEST(what_is_wrong_is_told_without_a_secret)
{
	struct upstream_options wrong = options;
	const char *reason;

	wrong.url = refused[_i].url;
	wrong.fields = refused[_i].fields;
	wrong.request_headers = refused[_i].request_headers;
	wrong.limit_key = refused[_i].keys;
	wrong.credentials = "/nowhere";
	reasons_clear(&reasons);
	ck_assert_ptr_null(upstream_set_new(&wrong, 1, &reasons));
	reason = reasons_first(&reasons);
	ck_assert_msg(strncmp(reason, refused[_i].reason,
			  strlen(refused[_i].reason)) == 0,
	    "%s", reason);
	ck_assert_ptr_null(strstr(reason, "secret"));
}
END_TEST

static const struct {
	const char *name, *methods, *ca_file;
	const char *reason; /* NULL: it is fine */
} named[] = {
    {"a.b_C-1", "GET M-SEARCH get", "/dev/null", NULL},
    {LONG_64, "GET", "", NULL},
    {LONG_64 "a", "GET", "",
	"[upstream:" LONG_64 "] name: is 1 to 64 of A-Z a-z 0-9 _ - ."},
    {"", "GET", "", "[upstream:] name: is 1 to 64"},
    {"a b", "GET", "", "[upstream:a b] name: is 1 to 64"},
    {"a/b", "GET", "", "[upstream:a/b] name: is 1 to 64"},
    {"a:b", "GET", "", "[upstream:a:b] name: is 1 to 64"},
    {"a", "GET,HEAD", "", "[upstream:a] methods: GET,HEAD is no method"},
    {"a", "GET P0ST", "", "[upstream:a] methods: P0ST is no method"},
    {"a", "GET", "/nowhere/ca.pem",
	"[upstream:a] ca_file: /nowhere/ca.pem: No such file or directory"},
};

START_TEST(what_would_never_work_is_refused)
{
	struct upstream_options given = options;
	struct upstream_set *set;

	given.name = named[_i].name;
	given.methods = named[_i].methods;
	given.ca_file = named[_i].ca_file;
	reasons_clear(&reasons);
	set = upstream_set_new(&given, 1, &reasons);
	ck_assert(!set == !!named[_i].reason);
	if (!set)
		ck_assert_int_eq(
		    strncmp(reasons_first(&reasons), named[_i].reason,
			strlen(named[_i].reason)),
		    0);
	upstream_set_unref(set);
}
END_TEST

/* 4096 bytes. */
#define LONGEST LONGER LONGER LONGER LONGER LONGER LONGER LONGER LONGER

static const struct {
	const char *text, *filled; /* NULL: refused */
} credentials[] = {
    {"s3cret\n", "X-A: Bearer s3cret, s3cret\n"},
    {"s3cret", "X-A: Bearer s3cret, s3cret\n"},
    {"", NULL},
    {"\n", NULL},
    {"a\nb\n", NULL},
    {"a\r\n", NULL},
    {"a\x7f\n", NULL},
    {"a\tb\n", NULL},
    {LONGEST, "X-A: Bearer " LONGEST ", " LONGEST "\n"},
    {LONGEST "a", NULL},
};

START_TEST(credentials_are_in_the_folder_of_settings_or_systemd)
{
	struct upstream_options with = options;

	with.fields = "X-A: $credential.token\n";
	unsetenv("CREDENTIALS_DIRECTORY");
	reasons_clear(&reasons);
	ck_assert_ptr_null(credentials_fill(&with, &reasons));
	ck_assert_str_eq(reasons_first(&reasons),
	    "[upstream:api] header: $credential.token: there is no folder of "
	    "credentials; set credentials");
	setenv("CREDENTIALS_DIRECTORY", "/nowhere", 1);
	reasons_clear(&reasons);
	ck_assert_ptr_null(credentials_fill(&with, &reasons));
	ck_assert_ptr_nonnull(
	    strstr(reasons_first(&reasons), ": /nowhere/token: "));
	with.credentials = "/elsewhere";
	reasons_clear(&reasons);
	ck_assert_ptr_null(credentials_fill(&with, &reasons));
	ck_assert_ptr_nonnull(
	    strstr(reasons_first(&reasons), ": /elsewhere/token: "));
}
END_TEST

START_TEST(credential_is_one_line_of_its_file)
{
	struct upstream_options with = options;
	char folder[] = "/tmp/dripgate-unit-XXXXXX", path[100], *filled;
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/the.token", folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(credentials[_i].text, file);
	fclose(file);
	with.credentials = folder;
	with.fields = "X-A: Bearer $credential.the.token, "
		      "$credential.the.token\n";
	reasons_clear(&reasons);
	filled = credentials_fill(&with, &reasons);
	if (credentials[_i].filled)
		ck_assert_str_eq(filled, credentials[_i].filled);
	else
		ck_assert_ptr_null(filled);
	free(filled);
	unlink(path);
	rmdir(folder);
}
END_TEST

/*
 * Blocks.
 */

static bool
block_try(
    struct bucket *bucket, enum op op, struct check_key key, int64_t at_us)
{
	struct decision decision;
	struct limit limit;

	limit_init_inline(&limit, key.capacity, key.recharge_ns, 0);
	decide(&limit, op, key.amount, at_us, bucket, &decision);
	return decision.allowed;
}

static const int64_t blocks_us[] = {1, 17, 999983, 1000000, 59999999,
    3600 * SECOND + 1, 86399999983, 86400 * SECOND};

START_TEST(block_lasts_as_long_as_the_longest)
{
	const int64_t start_us = 1700000000 * SECOND;

	for (size_t i = 0; i < COUNT(blocks_us); i++) {
		int64_t own_us = blocks_us[_i], other_us = blocks_us[i];
		int64_t longest_us = own_us > other_us ? own_us : other_us;
		struct bucket bucket = {0};

		block_try(&bucket, OP_TAKE, block_filling(own_us), start_us);
		block_try(&bucket, OP_TAKE, block_filling(other_us), start_us);
		ck_assert(!block_try(&bucket, OP_PEEK, block_question,
		    start_us + longest_us - 1));
		ck_assert(block_try(&bucket, OP_PEEK, block_question,
		    start_us + longest_us + 2 * (longest_us / 1000000) + 40));
	}
}
END_TEST

Suite *
upstream_suite(void)
{
	Suite *suite = suite_create("upstream");
	TCase *paths_case = tcase_create("paths");
	TCase *breaker = tcase_create("breaker");
	TCase *sets = tcase_create("sets");
	TCase *blocks = tcase_create("blocks");

	tcase_add_loop_test(
	    paths_case, path_has_one_form_or_is_refused, 0, COUNT(paths));
	tcase_add_loop_test(paths_case,
	    location_leads_to_what_is_below_the_url_or_nowhere, 0,
	    COUNT(locations));
	tcase_add_loop_test(paths_case,
	    addresses_of_this_machine_and_link_are_near, 0, COUNT(addresses));
	tcase_add_test(paths_case, what_is_no_address_of_ip_is_near);
	suite_add_tcase(suite, paths_case);
	tcase_add_test(breaker, breaker_opens_after_failures_in_a_row);
	tcase_add_test(breaker, one_probe_goes_out_after_the_pause);
	tcase_add_test(
	    breaker, breaker_never_opens_where_failures_do_not_count);
	suite_add_tcase(suite, breaker);
	tcase_add_test(sets, upstream_has_its_own_copy_of_what_it_needs);
	tcase_add_test(sets, reload_keeps_an_upstream_that_is_as_it_was);
	tcase_add_loop_test(
	    sets, what_is_wrong_is_told_without_a_secret, 0, COUNT(refused));
	tcase_add_loop_test(
	    sets, what_would_never_work_is_refused, 0, COUNT(named));
	tcase_add_test(
	    sets, credentials_are_in_the_folder_of_settings_or_systemd);
	tcase_add_loop_test(
	    sets, credential_is_one_line_of_its_file, 0, COUNT(credentials));
	suite_add_tcase(suite, sets);
	tcase_add_loop_test(
	    blocks, block_lasts_as_long_as_the_longest, 0, COUNT(blocks_us));
	suite_add_tcase(suite, blocks);
	return suite;
}
