#include "redis/partition.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As CLUSTER KEYSLOT of a server says. */
static const struct {
	const char *key;
	unsigned slot;
} slots[] = {
    {"", 0},
    {"0", 13907},
    {"123456789", 12739},
    {"foo", 12182},
    {"{foo}", 12182},
    {"a{foo}b{bar}", 12182},
    {"foo{}{bar}", 8363},
    {"foo{{bar}}zap", 4015},
    {"foo{bar", 15278},
    {"}foo{bar}", 5061},
};

START_TEST(slot_is_that_of_a_cluster)
{
	ck_assert_uint_eq(partition_slot(slots[_i].key, strlen(slots[_i].key)),
	    slots[_i].slot);
}
END_TEST

/* How many numbers below that of ${tag} are in the range of ${partition}. */
static unsigned
smaller(
    const struct partitions *partitions, unsigned partition, const char *tag)
{
	unsigned count = 0;
	char text[20];

	for (int number = atoi(tag + 1); number-- > 0;) {
		int len = sprintf(text, "%d", number);

		count +=
		    partition_of(partitions, text, (size_t)len) == partition;
	}
	return count;
}

START_TEST(each_partition_has_the_smallest_tag_in_its_range)
{
	static const unsigned counts[] = {2, 3, 16, 1000, PARTITIONS_MAX};
	struct partitions partitions;

	for (size_t i = 0; i < COUNT(counts); i++) {
		ck_assert_int_eq(
		    partitions_open(&partitions, counts[i], false), 0);
		for (unsigned p = 0; p < counts[i]; p++) {
			const char *tag = partition_tag(&partitions, p);

			ck_assert(tag[0] == '{');
			ck_assert_str_eq(tag + strlen(tag) - 2, "}:");
			ck_assert_uint_eq(
			    partition_of(&partitions, tag, strlen(tag)), p);
			ck_assert_uint_eq(smaller(&partitions, p, tag), 0);
		}
		partitions_close(&partitions);
	}
}
END_TEST

START_TEST(one_partition_has_no_tag)
{
	struct partitions partitions;

	ck_assert_int_eq(partitions_open(&partitions, 1, false), 0);
	ck_assert_str_eq(partition_tag(&partitions, 0), "");
	ck_assert_uint_eq(partition_of(&partitions, "foo", 3), 0);
	partitions_close(&partitions);
	partitions_close(&partitions);
}
END_TEST

START_TEST(partitions_are_even)
{
	struct partitions partitions;
	unsigned keys[16] = {0};

	ck_assert_int_eq(partitions_open(&partitions, 16, false), 0);
	for (unsigned i = 0; i < 16000; i++) {
		char key[20];
		int len = sprintf(key, "login:%u", i);

		keys[partition_of(&partitions, key, (size_t)len)]++;
	}
	for (size_t p = 0; p < 16; p++)
		ck_assert(keys[p] > 850 && keys[p] < 1150);
	partitions_close(&partitions);
}
END_TEST

Suite *
partition_suite(void)
{
	Suite *suite = suite_create("partition");
	TCase *tests = tcase_create("partition");

	tcase_add_loop_test(tests, slot_is_that_of_a_cluster, 0, COUNT(slots));
	tcase_add_test(tests, each_partition_has_the_smallest_tag_in_its_range);
	tcase_add_test(tests, one_partition_has_no_tag);
	tcase_add_test(tests, partitions_are_even);
	suite_add_tcase(suite, tests);
	return suite;
}
