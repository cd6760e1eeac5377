#include "limit/also.h"
#include "suites.h"

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stdio.h>
#include <string.h>

static struct reasons reasons;

static struct rules *
rules_of(const char *match, const char *also)
{
	char text[8000];

	snprintf(text, sizeof(text),
	    "[one]\nmatch = %s\ncapacity = 1\nrate = 1/s\nalso = %s\n"
	    "[rest]\nmatch = **\ncapacity = 1\nrate = 1/s\n",
	    match, also);
	return rules_from_ini("t.ini", text, strlen(text), &reasons);
}

static const struct {
	const char *match, *also, *reason;
} wrong[] = {
    {"a:*", "b:$", "a $ is followed by a digit"},
    {"a:*", "b:$x", "a $ is followed by a digit"},
    {"a:*", "b:$:", "a $ is followed by a digit"},
    {"a:*", "b:$/", "a $ is followed by a digit"},
    {"a:*", "$0", "$0 alone is the key itself"},
    {"a:*", "b c $0", "$0 alone is the key itself"},
    {"a:*", "b:$2", "there is no $2: match has 1 *"},
    {"a", "b:$1", "there is no $1: match has 0 *"},
    {"~^(a)(b)$", "b:$3", "there is no $3: match has 2 groups"},
    {"a:*", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
	"also names 1 to 15 keys"},
};

START_TEST(keys_that_cannot_be_are_refused)
{
	ck_assert_ptr_null(rules_of(wrong[_i].match, wrong[_i].also));
	ck_assert_msg(strstr(reasons_first(&reasons), wrong[_i].reason) != NULL,
	    "%s", reasons_first(&reasons));
}
END_TEST

static const struct {
	const char *match, *also, *key;
	const char *keys; /* with blanks between; NULL: one is too long */
} fine[] = {
    {"a:*", "b", "a:1", "b"},
    {"a:*", "b:$1", "a:1", "b:1"},
    {"a:*", "b:$0, all", "a:1", "b:a:1 all"},
    {"a:*:*", "$2:$1:$$ $$$$1", "a:1:2", "2:1:$ $$1"},
    {"~^(a)(b)$", "$2$1", "ab", "ba"},
    {"a:*", "b:$1$1", "a:", "b:"},
    {"a:*", "$1", "a:1", "1"},
    {"a:*", "$1", "a:", NULL}, /* no key is empty */
    {"~^a(x)?$", "$1", "a", NULL},
};

static const char *
keys_of(const struct rules *rules, const char *bytes, size_t len)
{
	static char text[5000];
	const struct limit *limit = rules_at(rules, 0);
	const struct key key = key_make(bytes, len);
	struct rules_scratch *scratch = rules_scratch_new();
	struct also_key keys[ALSO_MAX];
	int count;

	ck_assert_ptr_nonnull(scratch);
	count = also_write_keys(limit, &key, scratch, keys);
	rules_scratch_free(scratch);
	if (count == -1)
		return NULL;
	ck_assert_int_eq(count, (int)also_count(limit));
	*text = '\0';
	for (int i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s%.*s", i > 0 ? " " : "", (int)keys[i].len,
		    keys[i].bytes);
	return text;
}

START_TEST(keys_are_written)
{
	struct rules *rules = rules_of(fine[_i].match, fine[_i].also);
	const char *keys;

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	keys = keys_of(rules, fine[_i].key, strlen(fine[_i].key));
	ck_assert_pstr_eq(keys, fine[_i].keys);
	rules_unref(rules);
}
END_TEST

/* A part at the end that does not fit, and text behind a part that does. */
START_TEST(keys_are_at_most_as_long_as_keys_are)
{
	char key[KEY_MAX];
	struct rules *rules;

	memset(key, 'x', sizeof(key));
	memcpy(key, "a:", 2);
	rules = rules_of("a:*", "$1:b");
	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	ck_assert_ptr_nonnull(keys_of(rules, key, sizeof(key)));
	rules_unref(rules);
	rules = rules_of("a:*", "$1:bb");
	ck_assert_ptr_null(keys_of(rules, key, sizeof(key)));
	rules_unref(rules);
	rules = rules_of("a:*", "b$0");
	ck_assert_ptr_null(keys_of(rules, key, sizeof(key)));
	rules_unref(rules);
}
END_TEST

Suite *
also_suite(void)
{
	Suite *suite = suite_create("also");
	TCase *tcase = tcase_create("also");

	tcase_add_loop_test(
	    tcase, keys_that_cannot_be_are_refused, 0, COUNT(wrong));
	tcase_add_loop_test(tcase, keys_are_written, 0, COUNT(fine));
	tcase_add_test(tcase, keys_are_at_most_as_long_as_keys_are);
	suite_add_tcase(suite, tcase);
	return suite;
}
