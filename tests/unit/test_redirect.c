#include "base/attr.h"
#include "redis/redirect.h"
#include "suites.h"

#include <string.h>

static const struct {
	const char *error;
	enum redirect redirect;
	const char *host;
	int64_t port;
} cases[] = {
    {"MOVED 3999 10.0.0.2:6381", REDIRECT_MOVED, "10.0.0.2", 6381},
    {"ASK 3999 10.0.0.2:6381", REDIRECT_ASK, "10.0.0.2", 6381},
    {"MOVED 3999 b.example:6381", REDIRECT_MOVED, "b.example", 6381},
    {"MOVED 3999 fe80::1:65535", REDIRECT_MOVED, "fe80::1", 65535},
    {"MOVED 3999 :1", REDIRECT_MOVED, "asked", 1},
    {"ASK 3999 ?:1", REDIRECT_ASK, "asked", 1},
    {"MOVED 3999 b.example:0", REDIRECT_NONE, NULL, 0},
    {"MOVED 3999 b.example:65536", REDIRECT_NONE, NULL, 0},
    {"MOVED 3999 b.example:", REDIRECT_NONE, NULL, 0},
    {"MOVED 3999 b.example", REDIRECT_NONE, NULL, 0},
    {"MOVED 3999", REDIRECT_NONE, NULL, 0},
    {"MOVED", REDIRECT_NONE, NULL, 0},
    {"MOVEDON 3999 b.example:6381", REDIRECT_NONE, NULL, 0},
    {"ASKING 3999 b.example:6381", REDIRECT_NONE, NULL, 0},
    {"TRYAGAIN Multiple keys", REDIRECT_NONE, NULL, 0},
};

static enum redirect
read(const char *error, struct cluster_server *to)
{
	char text[512];
	const redisReply reply = {.type = REDIS_REPLY_ERROR,
	    .str = text,
	    .len = (size_t)snprintf(text, sizeof(text), "%s", error)};

	return redirect_read(&reply, "asked", to);
}

START_TEST(error_says_where_the_slot_is)
{
	struct cluster_server to = {"before", 7};

	ck_assert_int_eq(read(cases[_i].error, &to), cases[_i].redirect);
	ck_assert_str_eq(to.host, cases[_i].host ? cases[_i].host : "before");
	ck_assert_int_eq(to.port, cases[_i].host ? cases[_i].port : 7);
}
END_TEST

START_TEST(longest_host_is_read_and_no_longer_one)
{
	struct cluster_server to = {"before", 7};
	char error[400];
	int most = (int)sizeof(to.host);

	sprintf(error, "MOVED 1 %0*d:1", most, 0);
	ck_assert_int_eq(read(error, &to), REDIRECT_NONE);
	sprintf(error, "MOVED 1 %0*d:1", most - 1, 0);
	ck_assert_int_eq(read(error, &to), REDIRECT_MOVED);
	ck_assert_uint_eq(strlen(to.host), (size_t)most - 1);
}
END_TEST

START_TEST(other_replies_are_none)
{
	const redisReply reply = {.type = REDIS_REPLY_STRING,
	    .str = (char[]){"MOVED 1 b.example:1"},
	    .len = 19};
	struct cluster_server to;

	ck_assert_int_eq(redirect_read(&reply, "asked", &to), REDIRECT_NONE);
}
END_TEST

Suite *
redirect_suite(void)
{
	Suite *suite = suite_create("redirect");
	TCase *tcase = tcase_create("redirect");

	tcase_add_loop_test(
	    tcase, error_says_where_the_slot_is, 0, COUNT(cases));
	tcase_add_test(tcase, longest_host_is_read_and_no_longer_one);
	tcase_add_test(tcase, other_replies_are_none);
	suite_add_tcase(suite, tcase);
	return suite;
}
