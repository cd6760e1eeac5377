#include "store/redis/key_secrets.h"

#include "base/attr.h"
#include "suites.h"
#include "unit/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD "oooooooooooooooooooooooooooooooo"
#define NEW "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

/* Of the key login:1 under the limit login. */
#define OLD_NAME "TvTWm64HmJnbUxdvq7NU_g"
#define NEW_NAME "cnhHZPHd2IpiL31wOR540g"

/* Of the limit login itself. */
#define OLD_LOGIN "SsYb6IAC0HLgEd50ndyeqg"
#define NEW_LOGIN "JBp2XwdKOJ5ajd9uNSkn_g"

static struct reasons reasons;
static struct limit login = {.name = "login"}, other = {.name = "other"};

static bool hides_limits;

static struct key_secrets *
read_secrets(const char *text)
{
	return secrets_of(text, hides_limits, &reasons);
}

static const char *
names_of(struct key_names *names, const struct limit *limit, const char *key)
{
	static char text[KEY_SECRETS_MAX * KEY_NAME_LEN + 1];
	struct buf buf = {0};

	ck_assert_int_eq(
	    key_names_add(names, limit->name, key, strlen(key), &buf), 0);
	ck_assert_uint_lt(buf_len(&buf), sizeof(text));
	memcpy(text, buf_data(&buf), buf_len(&buf));
	text[buf_len(&buf)] = '\0';
	buf_free(&buf);
	return text;
}

START_TEST(name_is_the_hmac_of_limit_and_key)
{
	struct key_secrets *secrets = read_secrets(OLD);
	struct key_names *names = key_names_new(secrets);
	const struct key key = {.bytes = "login:1", .len = 7};
	char shown[KEY_NAME_LEN + 1];

	ck_assert_uint_eq(key_names_count(names), 1);
	ck_assert_str_eq(names_of(names, &login, "login:1"), OLD_NAME);
	ck_assert_str_eq(
	    names_of(names, &other, "login:1"), "zeeryfVXJcOdzWTaVcOXwQ");
	ck_assert_str_ne(names_of(names, &login, "login:2"), OLD_NAME);
	key_secrets_show(secrets, &login, &key, shown);
	ck_assert_str_eq(shown, OLD_NAME);
	key_names_free(names);
	key_secrets_free(secrets);
}
END_TEST

START_TEST(limit_is_hidden_only_if_wanted)
{
	char name[KEY_NAME_LEN + 1];

	ck_assert_str_eq(key_secrets_limit_name(NULL, &login, name), "login");
	for (hides_limits = false;; hides_limits = true) {
		struct key_secrets *secrets = read_secrets(OLD "\n" NEW "\n");
		struct key_names *names = key_names_new(secrets);

		ck_assert_int_eq(key_names_hide_limits(names), hides_limits);
		ck_assert_str_eq(key_secrets_limit_name(secrets, &login, name),
		    hides_limits ? OLD_LOGIN : "login");
		ck_assert_str_eq(
		    names_of(names, &login, ""), OLD_LOGIN NEW_LOGIN);
		key_names_free(names);
		key_secrets_free(secrets);
		if (hides_limits)
			break;
	}
	hides_limits = false;
}
END_TEST

/* What comes first is the name to write under. */
START_TEST(each_secret_makes_a_name)
{
	struct key_secrets *secrets = read_secrets(NEW "\r\n" OLD "\n");
	struct key_names *names = key_names_new(secrets);

	ck_assert_uint_eq(key_names_count(names), 2);
	ck_assert_str_eq(names_of(names, &login, "login:1"), NEW_NAME OLD_NAME);
	key_names_free(names);
	key_secrets_free(secrets);
}
END_TEST

START_TEST(changed_secrets_are_used_once_renewed)
{
	struct key_secrets *secrets = read_secrets(OLD "\n");
	struct key_secrets *same = read_secrets(OLD "\n");
	struct key_secrets *changed = read_secrets(NEW "\n");
	struct key_names *names = key_names_new(secrets);
	unsigned version = key_names_version(names);

	key_secrets_take(secrets, same);
	ck_assert_uint_eq(key_names_renew(names), version);
	key_secrets_take(secrets, changed);
	ck_assert_uint_eq(key_names_version(names), version);
	ck_assert_str_eq(names_of(names, &login, "login:1"), OLD_NAME);
	ck_assert_uint_ne(key_names_renew(names), version);
	ck_assert_str_eq(names_of(names, &login, "login:1"), NEW_NAME);
	key_names_free(names);
	key_secrets_free(changed);
	key_secrets_free(same);
	key_secrets_free(secrets);
}
END_TEST

static const struct {
	const char *text, *reason;
} mistakes[] = {
    {"", ":1: has no secret"},
    {"short\n", ":1: a secret has at least 32 bytes"},
    {OLD "\n\n", ":2: a secret has at least 32 bytes"},
    {OLD "\n" NEW "\n" OLD "\n", ":3: this secret is there twice"},
    {OLD "1\n" OLD "2\n" OLD "3\n" OLD "4\n" OLD "5\n" OLD "6\n" OLD "7\n" OLD
	 "8\n" OLD "9\n",
	":9: there are at most 8 secrets"},
};

START_TEST(a_mistake_is_told_with_its_line)
{
	ck_assert_ptr_null(read_secrets(mistakes[_i].text));
	ck_assert_uint_eq(reasons.count, 1);
	ck_assert_msg(
	    strstr(reasons_first(&reasons), mistakes[_i].reason) != NULL, "%s",
	    reasons_first(&reasons));
}
END_TEST

START_TEST(a_secret_is_bounded_and_a_file_is_there)
{
	char text[KEY_SECRET_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[KEY_SECRET_MAX] = '\0';
	key_secrets_free(read_secrets(text));
	ck_assert_uint_eq(reasons.count, 0);
	text[KEY_SECRET_MAX] = 'x';
	text[KEY_SECRET_MAX + 1] = '\0';
	ck_assert_ptr_null(read_secrets(text));
	reasons_clear(&reasons);
	ck_assert_ptr_null(key_secrets_read("/nowhere/x", false, &reasons));
	ck_assert_ptr_nonnull(strstr(reasons_first(&reasons), "/nowhere/x: "));
}
END_TEST

Suite *
key_secrets_suite(void)
{
	Suite *suite = suite_create("key_secrets");
	TCase *tcase = tcase_create("key_secrets");

	tcase_add_test(tcase, name_is_the_hmac_of_limit_and_key);
	tcase_add_test(tcase, limit_is_hidden_only_if_wanted);
	tcase_add_test(tcase, each_secret_makes_a_name);
	tcase_add_test(tcase, changed_secrets_are_used_once_renewed);
	tcase_add_loop_test(
	    tcase, a_mistake_is_told_with_its_line, 0, (int)COUNT(mistakes));
	tcase_add_test(tcase, a_secret_is_bounded_and_a_file_is_there);
	suite_add_tcase(suite, tcase);
	return suite;
}
