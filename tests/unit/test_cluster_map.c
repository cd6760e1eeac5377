#include "redis/cluster_map.h"

#include "base/attr.h"
#include "suites.h"

#include <string.h>

#define NODE(host, port, role, health)                                         \
	"*10\r\n$8\r\nendpoint\r\n" host "$4\r\nport\r\n:" port                \
	"\r\n$8\r\ntls-port\r\n:1" port "\r\n$4\r\nrole\r\n" role              \
	"$6\r\nhealth\r\n" health
#define MASTER  "$6\r\nmaster\r\n"
#define REPLICA "$7\r\nreplica\r\n"
#define ONLINE  "$6\r\nonline\r\n"
#define FAILED  "$4\r\nfail\r\n"
#define A       "$1\r\na\r\n"
#define B       "$1\r\nb\r\n"
#define SHARD                                                                  \
	"*4\r\n$5\r\nslots\r\n*4\r\n:0\r\n:99\r\n:200\r\n:299\r\n"             \
	"$5\r\nnodes\r\n"
#define SLOTS                 "*4\r\n:0\r\n:99\r\n"
#define SLOT_NODE(host, port) "*3\r\n" host ":" port "\r\n$1\r\nx\r\n"

/* Longer than any name of a host. */
#define TEN   "xxxxxxxxxx"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define LONG  "$300\r\n" SIXTY SIXTY SIXTY SIXTY SIXTY "\r\n"

static const struct cluster_asked plain = {.host = "asked"};
static const struct cluster_asked by_tls = {.host = "asked", .tls = true};

static const struct {
	const char *reply;
	const struct cluster_asked *asked;
	unsigned slot;
	enum cluster_found found;
	const char *host;
	int64_t port;
} cases[] = {
    /* SHARDS */
    {"*1\r\n" SHARD "*2\r\n" NODE(B, "2", REPLICA, ONLINE)
	    NODE(A, "1", MASTER, ONLINE),
	&plain, 0, CLUSTER_FOUND, "a", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", MASTER, ONLINE), &plain, 299,
	CLUSTER_FOUND, "a", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", MASTER, ONLINE), &by_tls, 200,
	CLUSTER_FOUND, "a", 11},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", MASTER, ONLINE), &plain, 100,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", REPLICA, ONLINE), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SHARD "*2\r\n" NODE(A, "1", MASTER, FAILED)
	    NODE(B, "2", MASTER, ONLINE),
	&plain, 0, CLUSTER_FOUND, "b", 2},
    {"*1\r\n" SHARD "*2\r\n" NODE(B, "2", MASTER, ONLINE)
	    NODE(A, "1", MASTER, FAILED),
	&plain, 0, CLUSTER_FOUND, "b", 2},
    {"*1\r\n" SHARD "*2\r\n" NODE(B, "2", MASTER, ONLINE)
	    NODE(A, "1", MASTER, ONLINE),
	&plain, 0, CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", MASTER, FAILED), &plain, 0,
	CLUSTER_FOUND, "a", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE("$1\r\n?\r\n", "1", MASTER, ONLINE), &plain,
	0, CLUSTER_FOUND, "asked", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE("$-1\r\n", "1", MASTER, ONLINE), &plain, 0,
	CLUSTER_FOUND, "asked", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE("$3\r\n::1\r\n", "1", MASTER, ONLINE), &plain,
	0, CLUSTER_FOUND, "::1", 1},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "0", MASTER, ONLINE), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "70000", MASTER, ONLINE), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SHARD "$1\r\nx\r\n", &plain, 0, CLUSTER_STRANGE, "", 0},
    {"*1\r\n" SHARD "*1\r\n:7\r\n", &plain, 0, CLUSTER_UNSERVED, "", 0},

    /* SLOTS */
    {"*1\r\n" SLOTS SLOT_NODE(A, "1") SLOT_NODE(B, "2"), &plain, 99,
	CLUSTER_FOUND, "a", 1},
    {"*1\r\n" SLOTS SLOT_NODE("$0\r\n\r\n", "1") SLOT_NODE(B, "2"), &plain, 0,
	CLUSTER_FOUND, "asked", 1},
    {"*1\r\n" SLOTS SLOT_NODE(A, "1") SLOT_NODE(B, "2"), &plain, 100,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SLOTS ":7\r\n:7\r\n", &plain, 0, CLUSTER_STRANGE, "", 0},
    {"*1\r\n*2\r\n:0\r\n:99\r\n", &plain, 0, CLUSTER_STRANGE, "", 0},

    {"*1\r\n" SLOTS "*1\r\n" A "*1\r\n" A, &plain, 0, CLUSTER_STRANGE, "", 0},
    {"*1\r\n*4\r\n:0\r\n+x\r\n" SLOT_NODE(A, "1") SLOT_NODE(A, "1"), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n*4\r\n+x\r\n:99\r\n" SLOT_NODE(A, "1") SLOT_NODE(A, "1"), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SLOTS "*3\r\n" A A "$1\r\nx\r\n" SLOT_NODE(A, "1"), &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*1\r\n" SLOTS SLOT_NODE(LONG, "1") SLOT_NODE(A, "1"), &plain, 0,
	CLUSTER_UNSERVED, "", 0},

    /* neither */
    {"*1\r\n*4\r\n$5\r\nslots\r\n:1\r\n$5\r\nnodes\r\n*0\r\n", &plain, 0,
	CLUSTER_UNSERVED, "", 0},
    {"*0\r\n", &plain, 0, CLUSTER_UNSERVED, "", 0},
    {"*1\r\n:7\r\n", &plain, 0, CLUSTER_STRANGE, "", 0},
    {"*1\r\n*0\r\n", &plain, 0, CLUSTER_UNSERVED, "", 0},
    {"+OK\r\n", &plain, 0, CLUSTER_STRANGE, "", 0},
};

START_TEST(master_of_a_slot_is_found)
{
	struct cluster_server server = {"", 0};
	redisReader *reader = redisReaderCreate();
	const char *bytes = cases[_i].reply;
	void *reply = NULL;

	ck_assert_int_eq(
	    redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(
	    cluster_map_find(reply, cases[_i].slot, cases[_i].asked, &server),
	    cases[_i].found);
	ck_assert_str_eq(server.host, cases[_i].host);
	ck_assert_int_eq(server.port, cases[_i].port);
	freeReplyObject(reply);
	redisReaderFree(reader);
}
END_TEST

static const struct {
	const char *reply;
	const struct cluster_asked *asked;
	const char *list;
} lists[] = {
    {"*2\r\n" SHARD "*2\r\n" NODE(B, "2", REPLICA, ONLINE) NODE(A, "1", MASTER,
	 ONLINE) SHARD "*2\r\n" NODE("$3\r\n::1\r\n", "3", MASTER, ONLINE)
	    NODE("$1\r\n?\r\n", "4", MASTER, ONLINE),
	&plain, "b:2 a:1 [::1]:3 asked:4"},
    {"*1\r\n" SHARD "*1\r\n" NODE(A, "1", MASTER, ONLINE), &by_tls, "a:11"},
    {"*1\r\n" SHARD "*3\r\n" NODE(A, "1", MASTER, FAILED) NODE(
	 A, "0", MASTER, ONLINE) NODE("$3\r\na b\r\n", "1", MASTER, ONLINE),
	&plain, ""},
    {"*1\r\n" SHARD "*1\r\n:7\r\n", &plain, ""},
    {"*1\r\n" SHARD ":7\r\n", &plain, ""},
    {"*2\r\n" SLOTS SLOT_NODE(A, "1")
	    SLOT_NODE(B, "2") "*3\r\n:100\r\n:101\r\n*1\r\n:7\r\n",
	&plain, "a:1 b:2"},
    {"*2\r\n*2\r\n:0\r\n:99\r\n:7\r\n", &plain, ""},
    {"+OK\r\n", &plain, ""},
};

START_TEST(nodes_are_listed)
{
	redisReader *reader = redisReaderCreate();
	const char *bytes = lists[_i].reply;
	struct buf list = {0};
	void *reply = NULL;

	redisReaderFeed(reader, bytes, strlen(bytes));
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(cluster_map_list(reply, lists[_i].asked, &list), 0);
	ck_assert_int_eq(buf_add(&list, "", 1), 0);
	ck_assert_str_eq(buf_data(&list), lists[_i].list);
	buf_free(&list);
	freeReplyObject(reply);
	redisReaderFree(reader);
}
END_TEST

Suite *
cluster_map_suite(void)
{
	Suite *suite = suite_create("cluster_map");
	TCase *tcase = tcase_create("find");

	tcase_add_loop_test(
	    tcase, master_of_a_slot_is_found, 0, (int)COUNT(cases));
	tcase_add_loop_test(tcase, nodes_are_listed, 0, (int)COUNT(lists));
	suite_add_tcase(suite, tcase);
	return suite;
}
