#include "redis/topology.h"
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PARTITIONS 1000

static const struct topology_options single = {
    .kind = "single",
    .endpoint = {.unix_socket_path = "", .host = "h", .port = 6379},
    .partitions = 1,
};

static struct topology
sharded(const char *hosts, int64_t partitions)
{
	const struct topology_options options = {
	    .kind = "sharded", .hosts = hosts, .partitions = partitions};
	struct topology topology;

	ck_assert_int_eq(topology_open(&topology, &options), 0);
	return topology;
}

START_TEST(single_is_one_server_for_every_key)
{
	struct topology topology;

	ck_assert_int_eq(topology_open(&topology, &single), 0);
	ck_assert_uint_eq(topology.server_count, 1);
	ck_assert_str_eq(topology.servers[0].host, "h");
	ck_assert_uint_eq(topology_partition_of(&topology, "", 0), 0);
	ck_assert_uint_eq(topology_partition_of(&topology, "key:{tag}", 9), 0);
	ck_assert_uint_eq(topology_server_of(&topology, 0), 0);
	ck_assert_uint_eq(topology_count_partitions(&topology, 0), 1);
	topology_close(&topology);
	topology_close(&topology);
}
END_TEST

START_TEST(single_may_have_partitions)
{
	struct topology_options options = single;
	struct topology topology;

	options.partitions = 4;
	ck_assert_int_eq(topology_open(&topology, &options), 0);
	ck_assert_uint_eq(topology_count_partitions(&topology, 0), 4);
	topology_close(&topology);
}
END_TEST

START_TEST(kind_has_a_row)
{
	const struct topology_options none = {.kind = "none"};
	struct topology topology;

	ck_assert_int_eq(topology_open(&topology, &none), -1);
	ck_assert_int_eq(errno, EINVAL);
	topology_close(&topology);
	for (size_t i = 0; i < topology_kind_count; i++) {
		struct topology_options options = single;

		options.kind = topology_kinds[i].name;
		options.hosts = "a:1";
		ck_assert_int_eq(topology_open(&topology, &options), 0);
		ck_assert(topology.kind == &topology_kinds[i]);
		ck_assert_uint_ge(topology.server_count, 1);
		topology_close(&topology);
	}
}
END_TEST

START_TEST(sharded_needs_hosts)
{
	const struct topology_options options = {
	    .kind = "sharded", .hosts = "", .partitions = 1};
	struct topology topology;

	ck_assert_int_eq(topology_open(&topology, &options), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* What daemons of other versions, and other programs, compute. */
START_TEST(placement_is_fixed)
{
	static const char expected[] = "0111111200201222";
	struct topology topology =
	    sharded("a.example:6379 [::1]:6380 10.0.0.1:6379", 16);
	char places[17] = "";

	ck_assert_str_eq(topology.servers[1].host, "::1");
	ck_assert_int_eq(topology.servers[1].port, 6380);
	for (unsigned p = 0; p < 16; p++)
		places[p] = (char)('0' + topology_server_of(&topology, p));
	ck_assert_str_eq(places, expected);
	topology_close(&topology);
}
END_TEST

static const char *
host_of(const struct topology *topology, unsigned partition)
{
	return topology->servers[topology_server_of(topology, partition)].host;
}

/* The number that a host of the test below has in both lists. */
static size_t
number_of(const struct topology *topology, unsigned partition, size_t added)
{
	return (topology_server_of(topology, partition) + added) % 3;
}

START_TEST(order_and_spelling_of_hosts_do_not_matter)
{
	struct topology one = sharded("[::1]:1 b.x:1 c:1", PARTITIONS);
	struct topology other = sharded("C:1 [0:0:0::1]:1 B.x.:1", PARTITIONS);

	for (unsigned p = 0; p < PARTITIONS; p++)
		ck_assert_uint_eq(
		    number_of(&one, p, 1), number_of(&other, p, 0));
	topology_close(&one);
	topology_close(&other);
}
END_TEST

START_TEST(added_host_takes_its_share_and_nothing_else_moves)
{
	struct topology before = sharded("a:1 b:1 c:1", PARTITIONS);
	struct topology after = sharded("a:1 b:1 c:1 d:1", PARTITIONS);
	unsigned moved = 0;

	for (unsigned p = 0; p < PARTITIONS; p++) {
		if (strcmp(host_of(&before, p), host_of(&after, p)) == 0)
			continue;
		ck_assert_str_eq(host_of(&after, p), "d");
		moved++;
	}
	ck_assert_uint_eq(moved, topology_count_partitions(&after, 3));
	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_ge(topology_count_partitions(&after, i), 200);
		ck_assert_uint_le(topology_count_partitions(&after, i), 300);
	}
	topology_close(&before);
	topology_close(&after);
}
END_TEST

START_TEST(many_links_dial_less_often)
{
	ck_assert_int_eq(topology_backoff_us(1), 0);
	ck_assert_int_eq(topology_backoff_us(125), 0);
	ck_assert_int_eq(topology_backoff_us(250), 1000000);
	ck_assert_int_eq(topology_backoff_us(1000), 4000000);
}
END_TEST

START_TEST(there_may_be_1000_hosts)
{
	static char hosts[1000 * 12];
	struct topology topology;
	unsigned sum = 0;

	for (int i = 0; i < 1000; i++)
		sprintf(hosts + strlen(hosts), "h%d:6379 ", i);
	topology = sharded(hosts, PARTITIONS_MAX);
	ck_assert_uint_eq(topology.server_count, 1000);
	for (size_t i = 0; i < 1000; i++)
		sum += topology_count_partitions(&topology, i);
	ck_assert_uint_eq(sum, PARTITIONS_MAX);
	topology_close(&topology);
}
END_TEST

Suite *
topology_suite(void)
{
	Suite *suite = suite_create("topology");
	TCase *tests = tcase_create("topology");

	tcase_add_test(tests, single_is_one_server_for_every_key);
	tcase_add_test(tests, single_may_have_partitions);
	tcase_add_test(tests, kind_has_a_row);
	tcase_add_test(tests, sharded_needs_hosts);
	tcase_add_test(tests, placement_is_fixed);
	tcase_add_test(tests, order_and_spelling_of_hosts_do_not_matter);
	tcase_add_test(
	    tests, added_host_takes_its_share_and_nothing_else_moves);
	tcase_add_test(tests, many_links_dial_less_often);
	tcase_add_test(tests, there_may_be_1000_hosts);
	suite_add_tcase(suite, tests);
	return suite;
}
