#include "limit/index.h"
#include "suites.h"

#include <string.h>

static unsigned
find(const struct prefix_index *index, const char *text)
{
	return prefix_index_find(index, text, strlen(text));
}

START_TEST(empty_indexes_find_nothing)
{
	struct hash_index hashes = {0};
	struct prefix_index prefixes = {0};

	ck_assert_uint_eq(
	    hash_index_find(&hashes, &(struct hash128){0, 0}), INDEX_NONE);
	ck_assert_int_eq(prefix_index_build(&prefixes, NULL, 0), 0);
	ck_assert_uint_eq(find(&prefixes, "a"), INDEX_NONE);
	hash_index_free(&hashes);
	prefix_index_free(&prefixes);
}
END_TEST

START_TEST(each_hash_finds_its_order)
{
	struct hash_index index = {0};

	/* The same place in the table for each: all collide. */
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(
		    hash_index_add(&index, &(struct hash128){0, i}, i), 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(
		    hash_index_find(&index, &(struct hash128){0, i}), i);
	ck_assert_uint_eq(
	    hash_index_find(&index, &(struct hash128){0, 1000}), INDEX_NONE);
	ck_assert_uint_eq(
	    hash_index_find(&index, &(struct hash128){1, 0}), INDEX_NONE);
	hash_index_free(&index);
}
END_TEST

START_TEST(first_of_equal_hashes_stays)
{
	struct hash_index index = {0};
	const struct hash128 hash = {1, 2};

	ck_assert_int_eq(hash_index_add(&index, &hash, 7), 0);
	ck_assert_int_eq(hash_index_add(&index, &hash, 9), 0);
	ck_assert_uint_eq(hash_index_find(&index, &hash), 7);
	ck_assert_uint_eq(index.count, 1);
	hash_index_free(&index);
}
END_TEST

START_TEST(smallest_order_wins_whatever_its_length)
{
	struct prefix prefixes[] = {
	    {"login:", 6, 5},
	    {"login:1", 7, 9},
	    {"login:12", 8, 3},
	    {"login:123456", 12, 4},
	    {"log", 3, 8},
	    {"logo", 4, 1},
	    {"login:12", 8, 2},
	};
	struct prefix_index index = {0};

	ck_assert_int_eq(prefix_index_build(&index, prefixes, 7), 0);
	ck_assert_uint_eq(find(&index, "lo"), INDEX_NONE);
	ck_assert_uint_eq(find(&index, "log"), 8);
	ck_assert_uint_eq(find(&index, "loga"), 8);
	ck_assert_uint_eq(find(&index, "login:"), 5);
	ck_assert_uint_eq(find(&index, "login:1"), 5);
	ck_assert_uint_eq(find(&index, "login:11"), 5);
	ck_assert_uint_eq(find(&index, "login:12"), 2);
	ck_assert_uint_eq(find(&index, "login:123456789"), 2);
	ck_assert_uint_eq(find(&index, "login:13"), 5);
	ck_assert_uint_eq(find(&index, "logo:1"), 1);
	ck_assert_uint_eq(find(&index, "a"), INDEX_NONE);
	ck_assert_uint_eq(find(&index, "z"), INDEX_NONE);
	prefix_index_free(&index);
}
END_TEST

/* Eight bytes of a prefix are compared as one number. */
START_TEST(prefixes_of_all_lengths_are_told_apart)
{
	static const char text[] = "abcdefghijklmnop";
	struct prefix prefixes[16];
	char other[17];

	for (unsigned len = 1; len <= 16; len++) {
		struct prefix_index index = {0};

		prefixes[0] = (struct prefix){text, len, 3};
		ck_assert_int_eq(prefix_index_build(&index, prefixes, 1), 0);
		for (size_t given = 0; given <= 16; given++)
			ck_assert_uint_eq(
			    prefix_index_find(&index, text, given),
			    given >= len ? 3 : INDEX_NONE);
		for (size_t at = 0; at < 16; at++) {
			memcpy(other, text, sizeof(other));
			other[at] = 'z';
			ck_assert_uint_eq(prefix_index_find(&index, other, 16),
			    at >= len ? 3 : INDEX_NONE);
			other[at] = 'A';
			ck_assert_uint_eq(prefix_index_find(&index, other, 16),
			    at >= len ? 3 : INDEX_NONE);
		}
		prefix_index_free(&index);
	}
}
END_TEST

START_TEST(empty_prefix_is_of_every_text)
{
	struct prefix prefixes[] = {{"", 0, 2}, {"a", 1, 5}, {"b", 1, 1}};
	struct prefix_index index = {0};

	ck_assert_int_eq(prefix_index_build(&index, prefixes, 3), 0);
	ck_assert_uint_eq(find(&index, "0"), 2);
	ck_assert_uint_eq(find(&index, "a1"), 2);
	ck_assert_uint_eq(find(&index, "b1"), 1);
	ck_assert_uint_eq(find(&index, "\xF4"), 2);
	prefix_index_free(&index);
}
END_TEST

START_TEST(bytes_above_127_sort_as_such)
{
	struct prefix prefixes[] = {{"caf\xC3\xA9:", 6, 1}, {"cafe:", 5, 2},
	    {"01234567\xC3\xA9", 10, 3}, {"01234567a", 9, 4}};
	struct prefix_index index = {0};

	ck_assert_int_eq(prefix_index_build(&index, prefixes, 4), 0);
	ck_assert_uint_eq(find(&index, "caf\xC3\xA9:x"), 1);
	ck_assert_uint_eq(find(&index, "cafe:x"), 2);
	ck_assert_uint_eq(find(&index, "01234567\xC3\xA9x"), 3);
	ck_assert_uint_eq(find(&index, "01234567ax"), 4);
	prefix_index_free(&index);
}
END_TEST

Suite *
index_suite(void)
{
	Suite *suite = suite_create("index");
	TCase *tcase = tcase_create("index");

	tcase_add_test(tcase, empty_indexes_find_nothing);
	tcase_add_test(tcase, each_hash_finds_its_order);
	tcase_add_test(tcase, first_of_equal_hashes_stays);
	tcase_add_test(tcase, smallest_order_wins_whatever_its_length);
	tcase_add_test(tcase, prefixes_of_all_lengths_are_told_apart);
	tcase_add_test(tcase, empty_prefix_is_of_every_text);
	tcase_add_test(tcase, bytes_above_127_sort_as_such);
	suite_add_tcase(suite, tcase);
	return suite;
}
