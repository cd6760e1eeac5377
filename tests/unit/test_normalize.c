#include "suites.h"

#include "base/attr.h"
#include "limit/normalize.h"
#include "limit/rules_text.h"

#include <stdio.h>
#include <string.h>

static struct rules_scratch *scratch;

static void
setup(void)
{
	scratch = rules_scratch_new();
	ck_assert_ptr_nonnull(scratch);
}

static void
teardown(void)
{
	rules_scratch_free(scratch);
}

static struct rules *
rules_of(const char *match, const char *normalize, struct reasons *reasons)
{
	char text[300];

	snprintf(text, sizeof(text),
	    "[a]\nmatch = %s\ncapacity = 1\nrate = 1/s\nnormalize = %s\n",
	    match, normalize);
	return rules_from_ini("test.ini", text, strlen(text), reasons);
}

/* Check what a key becomes, and that that stays as it is. */
static void
check_key(const struct limit *limit, const char *from, const char *expected)
{
	const struct key key = key_make(from, strlen(from));
	const struct key same = key_make(expected, strlen(expected));
	char room[NORMALIZED_MAX], again[NORMALIZED_MAX];
	struct key made, twice;

	ck_assert_int_eq(limit_matches(limit, &key, scratch), MATCH_YES);
	made = normalize_key(limit, &key, scratch, room);
	ck_assert_uint_eq(made.len, strlen(expected));
	ck_assert_mem_eq(made.bytes, expected, made.len);
	ck_assert(hash128_equal(made.hash, same.hash));
	ck_assert(made.len <= key.len + NORMALIZE_MORE);
	if (limit_matches(limit, &made, scratch) != MATCH_YES)
		return;
	twice = normalize_key(limit, &made, scratch, again);
	ck_assert_ptr_eq(twice.bytes, made.bytes);
}

static const struct {
	const char *match, *normalize, *from, *expected;
} keys[] = {
    {"ip:*", "ip", "ip:2001:DB8::1", "ip:2001:db8::1"},
    {"ip:*", "ip", "ip:2001:db8:0:0::1", "ip:2001:db8::1"},
    {"ip:*", "ip", "ip:1::3:4:5:6:7:8", "ip:1:0:3:4:5:6:7:8"},
    {"ip:*", "ip", "ip:::ffff:192.0.2.1", "ip:192.0.2.1"},
    {"ip:*", "ip", "ip:::FFFF:C000:201", "ip:192.0.2.1"},
    {"ip:*", "ip", "ip:192.0.2.1:80", "ip:192.0.2.1"},
    {"ip:*", "ip", "ip:[2001:db8::1]:443", "ip:2001:db8::1"},
    {"ip:*", "ip", "ip:[2001:db8::1]", "ip:2001:db8::1"},
    {"ip:*", "ip", "ip:[::1]:", "ip:[::1]:"},
    {"ip:*", "ip", "ip:[::1]:123456", "ip:[::1]:123456"},
    {"ip:*", "ip", "ip:[::1]:80x", "ip:[::1]:80x"},
    {"ip:*", "ip", "ip:192.0.2.01", "ip:192.0.2.01"},
    {"ip:*", "ip", "ip:192.0.2.1 ", "ip:192.0.2.1 "},
    {"ip:*", "ip", "ip:192.0.2", "ip:192.0.2"},
    {"ip:*", "ip", "ip:192.0.2.1:", "ip:192.0.2.1:"},
    {"ip:*", "ip", "ip::80", "ip::80"},
    {"ip:*", "ip", "ip:", "ip:"},
    {"ip:*", "ip", "ip:2001:db8::1%eth0", "ip:2001:db8::1%eth0"},
    {"ip:*", "ip", "ip:Someone", "ip:Someone"},
    {"*", "ip", "2001:DB8::1", "2001:db8::1"},
    {"ip:*", "ip64", "ip:2001:db8:0:1:2:3:4:5", "ip:2001:db8:0:1::/64"},
    {"ip:*", "ip64", "ip:::", "ip:::/64"},
    {"ip:*", "ip64", "ip:192.0.2.1", "ip:192.0.2.1"},
    {"ip:*", "ip64", "ip:::ffff:192.0.2.1", "ip:192.0.2.1"},
    {"User:*", "lower", "User:ME\xC3\x84", "user:me\xC3\x84"},
    {"IP:*", "lower, ip", "IP:2001:DB8::A", "ip:2001:db8::a"},
    {"*/*:login", "ip", "::1/0:0::2:login", "::1/::2:login"},
    {"~^(x(.+)|y(.+))$", "ip", "x::0:1", "x::1"},
    {"~^(x(.+)|y(.+))$", "ip", "y::0:1", "y::1"},
    {"~^((.+))$", "ip", "0::1", "::1"},
    /* bytes that are no UTF-8 are characters */
    {"~^(.*)/(.+)$", "ip", "\xff\xc3\x84\xe2/::0:1", "\xff\xc3\x84\xe2/::1"},
    {"~^(.*)/(.+)/(.*)$", "ip", "a/0::1/\xff", "a/::1/\xff"},
    /* as much longer as can be */
    {"*|*|*|*|*|*|*|*|*", "ip",
	"::f:f|::f:f|::f:f|::f:f|::f:f|::f:f|::f:f|::f:f|::f:f",
	"::0.15.0.15|::0.15.0.15|::0.15.0.15|::0.15.0.15|::0.15.0.15|"
	"::0.15.0.15|::0.15.0.15|::0.15.0.15|::0.15.0.15"},
    {"*|*|*|*|*|*|*|*|*", "ip64", "::|::|::|::|::|::|::|::|::",
	"::/64|::/64|::/64|::/64|::/64|::/64|::/64|::/64|::/64"},
};

START_TEST(key_becomes_its_one_text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_of(keys[_i].match, keys[_i].normalize, &reasons);

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	check_key(rules_at(rules, 0), keys[_i].from, keys[_i].expected);
	rules_unref(rules);
}
END_TEST

START_TEST(key_that_would_be_too_long_is_left_as_it_is)
{
	struct reasons reasons;
	struct rules *rules = rules_of("*/*", "ip64", &reasons);
	char room[NORMALIZED_MAX], text[KEY_MAX];
	struct key key, made;

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	memset(text, 'x', sizeof(text));
	memcpy(text, "::/", 3);
	key = key_make(text, sizeof(text));
	made = normalize_key(rules_at(rules, 0), &key, scratch, room);
	ck_assert_ptr_eq(made.bytes, text);
	key = key_make(text, sizeof(text) - 3);
	made = normalize_key(rules_at(rules, 0), &key, scratch, room);
	ck_assert_ptr_eq(made.bytes, room);
	ck_assert_uint_eq(made.len, KEY_MAX);
	rules_unref(rules);
}
END_TEST

static const struct {
	const char *match, *normalize, *reason;
} wrong[] = {
    {"ip:*", "", "normalize is one or more of lower, ip and ip64"},
    {"ip:*", "upper", "normalize is one or more of lower, ip and ip64"},
    {"ip:*", "ip ip", "normalize is one or more of lower, ip and ip64"},
    {"ip:*", "ip ip64", "normalize: ip and ip64 exclude each other"},
    {"ip:1", "lower", "normalize does nothing: match is one key as it is"},
    {"ip:?", "ip", "normalize: match has no * that could be an address"},
    {"~^ip:.+", "lower ip64",
	"normalize: match has no group that could be an address"},
};

START_TEST(what_makes_no_sense_is_refused)
{
	struct reasons reasons;

	ck_assert_ptr_null(
	    rules_of(wrong[_i].match, wrong[_i].normalize, &reasons));
	ck_assert_msg(strstr(reasons_first(&reasons), wrong[_i].reason), "%s",
	    reasons_first(&reasons));
}
END_TEST

Suite *
normalize_suite(void)
{
	Suite *suite = suite_create("normalize");
	TCase *tests = tcase_create("keys");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, key_becomes_its_one_text, 0, COUNT(keys));
	tcase_add_test(tests, key_that_would_be_too_long_is_left_as_it_is);
	tcase_add_loop_test(
	    tests, what_makes_no_sense_is_refused, 0, COUNT(wrong));
	suite_add_tcase(suite, tests);
	return suite;
}
