#include "suites.h"

#include "base/attr.h"
#include "protocol/grpc/grpc_header.h"
#include "protocol/grpc/grpc_memory.h"
#include "protocol/grpc/grpc_answer.h"
#include "protocol/grpc/grpc_message.h"
#include "protocol/grpc/grpc_reflection.h"

#include <string.h>

static struct descriptors asked = {.takes_limits = true};

/* An entry a=b. */
#define ENTRY                                                                  \
	"\x0a\x06\x0a\x01"                                                     \
	"a\x12\x01"                                                            \
	"b"

static const struct {
	const char *message;
	size_t len;
	const char *key;
	int64_t amount;
} messages[] = {
#define MESSAGE(bytes, key, amount)                                            \
	{                                                                      \
		bytes, sizeof(bytes) - 1, key, amount                          \
	}
    MESSAGE("\x0a\x01"
	    "d\x12\x08" ENTRY,
	"d/a=b", 1),
    MESSAGE("\x12\x08" ENTRY "\x0a\x01"
	    "d",
	"d/a=b", 1),
    MESSAGE("\x18\x05\x0a\x01"
	    "d\x12\x08" ENTRY,
	"d/a=b", 5),
    MESSAGE("\x0a\x01"
	    "d\x12\x10" ENTRY ENTRY,
	"d/a=b/a=b", 1),
    MESSAGE("\x0a\x01"
	    "d\x12\x00",
	"d", 1),
    MESSAGE("\x0a\x01"
	    "d\x12\x0c" ENTRY "\x1a\x02\x08\x07",
	"d/a=b", 7),
    MESSAGE("\x0a\x01"
	    "d\x12\x0a" ENTRY "\x1a\x00",
	"d/a=b", 0),
    MESSAGE("\x0a\x01"
	    "d\x12\x0a" ENTRY "\x20\x01",
	"d/a=b", -1),
    MESSAGE("\x0a\x03"
	    "d/%\x12\x00",
	"d%2F%25", 1),
};

START_TEST(message_is_read)
{
	const char *problem =
	    grpc_message_read(&asked, messages[_i].message, messages[_i].len);

	ck_assert_ptr_null(problem);
	ck_assert_uint_eq(asked.count, 1);
	ck_assert_uint_eq(asked.keys[0].len, strlen(messages[_i].key));
	ck_assert_mem_eq(
	    asked.keys[0].bytes, messages[_i].key, asked.keys[0].len);
	ck_assert_int_eq(asked.keys[0].amount, messages[_i].amount);
}
END_TEST

/* Limits that descriptors bring along: as many in this unit. */
static const struct {
	const char *limit;
	size_t len;
	const char *key;
	int64_t capacity, recharge_ns;
} overrides[] = {
#define LIMIT(bytes, ...)                                                      \
	{                                                                      \
		"\x0a\x01"                                                     \
		"d" bytes,                                                     \
		    sizeof(bytes) + 2, __VA_ARGS__                             \
	}
    LIMIT("\x12\x0e" ENTRY "\x12\x04\x08\x0a\x10\x01", "d/a=b//10/second", 10,
	100000000),
    LIMIT("\x12\x0e\x12\x04\x08\x0a\x10\x01" ENTRY, "d/a=b//10/second", 10,
	100000000),
    LIMIT("\x12\x0e" ENTRY "\x12\x04\x08\x07\x10\x02", "d/a=b//7/minute", 7,
	8571428572),
    LIMIT(
	"\x12\x0c" ENTRY "\x12\x02\x10\x01", "d/a=b//0/second", 1, 1000000000),
    LIMIT("\x12\x0e" ENTRY "\x12\x04\x08\x07\x10\x05", "d/a=b//7/month", 7,
	370285714285714),
    LIMIT("\x12\x12" ENTRY "\x12\x08\x08\xff\xff\xff\xff\x0f\x10\x01",
	"d/a=b//4294967295/second", 1000000000, 1000),
};

START_TEST(limit_that_comes_along_is_read)
{
	const struct check_key *key = &asked.keys[0];

	ck_assert_ptr_null(
	    grpc_message_read(&asked, overrides[_i].limit, overrides[_i].len));
	ck_assert_uint_eq(key->len, strlen(overrides[_i].key));
	ck_assert_mem_eq(key->bytes, overrides[_i].key, key->len);
	ck_assert_int_eq(key->capacity, overrides[_i].capacity);
	ck_assert_int_eq(key->recharge_ns, overrides[_i].recharge_ns);
	if (_i == 3)
		ck_assert_int_eq(key->amount, LIMIT_AMOUNT_MAX);
}
END_TEST

START_TEST(message_that_is_cut_is_refused)
{
	static const char whole[] = "\x0a\x01"
				    "d\x12\x08" ENTRY;

	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		ck_assert_ptr_nonnull(grpc_message_read(&asked, whole, len));
}
END_TEST

START_TEST(longest_response_has_room)
{
	const struct descriptor_status status = {.has_limit = true,
	    .is_denied = true,
	    .capacity = UINT32_MAX,
	    .unit = 7,
	    .remaining = UINT32_MAX,
	    .reset_us = INT64_MAX};
	struct descriptor_status statuses[CHECK_KEYS_MAX];
	struct quota_header headers[QUOTA_HEADERS_MAX];
	char body[1001] = "";
	const struct grpc_answer answer = {.statuses = statuses,
	    .status_count = COUNT(statuses),
	    .headers = headers,
	    .header_count = COUNT(headers),
	    .body = body};
	char text[GRPC_RESPONSE_MAX];

	for (unsigned i = 0; i < COUNT(statuses); i++) {
		statuses[i] = status;
		memset(statuses[i].name, 'x', LIMIT_NAME_MAX);
	}
	memset(body, 'x', sizeof(body) - 1);
	for (unsigned i = 0; i < COUNT(headers); i++) {
		headers[i].name = "x-ratelimit-remaining";
		memset(headers[i].value, 'x', QUOTA_VALUE_MAX - 1);
		headers[i].value[QUOTA_VALUE_MAX - 1] = '\0';
	}
	ck_assert_uint_gt(
	    grpc_answer_write(text, &answer), COUNT(statuses) * LIMIT_NAME_MAX);
}
END_TEST

/* The longest request about the longest file. */
START_TEST(longest_reflection_has_room)
{
	static const char *const files[] = {"authorization.proto",
	    "google.proto", "health.proto", "ratelimit.proto",
	    "reflection.proto", "reflection_v1alpha.proto"};
	char room[GRPC_REFLECTION_MAX], text[GRPC_REFLECTION_ASKED_MAX],
	    host[990];
	struct grpc_writing to = {.bytes = room, .room = sizeof(room)};
	struct grpc_writing request = {.bytes = text, .room = sizeof(text)};
	struct grpc_text about;

	memset(host, 'x', sizeof(host));
	grpc_wire_put(&request, 1, host, sizeof(host));
	grpc_wire_put_text(&request, 3, files[_i]);
	ck_assert(!request.is_cut);
	about = (struct grpc_text){text, request.len};
	grpc_reflection_respond(&to, &about);
	ck_assert(!to.is_cut);
	ck_assert_ptr_nonnull(
	    grpc_wire_find((struct grpc_text){room, to.len}, 4).bytes);
}
END_TEST

static const struct {
	const char *text;
	int64_t us;
} timeouts[] = {
    {"1H", INT64_C(3600000000)},
    {"2M", 120000000},
    {"3S", 3000000},
    {"4m", 4000},
    {"5u", 5},
    {"1500n", 1},
    {"99999999H", INT64_C(359999996400000000)},
    {"0S", 0},
    {"", -1},
    {"S", -1},
    {"1", -1},
    {"1s", -1},
    {"-1S", -1},
    {"100000000S", -1},
};

START_TEST(timeout_is_read)
{
	ck_assert_int_eq(
	    grpc_header_timeout(timeouts[_i].text, strlen(timeouts[_i].text)),
	    timeouts[_i].us);
}
END_TEST

START_TEST(memory_is_counted_and_bounded)
{
	struct grpc_memory memory = {.max = 1000};
	char *one = grpc_memory_new(&memory, 600);
	char *other;

	ck_assert_ptr_nonnull(one);
	ck_assert_uint_ge(memory.used, 600);
	ck_assert_ptr_null(grpc_memory_new(&memory, 600));
	ck_assert_ptr_null(grpc_memory_resize(&memory, one, 1100));
	other = grpc_memory_resize(&memory, one, 100);
	ck_assert_ptr_nonnull(other);
	ck_assert_uint_lt(memory.used, 600);
	grpc_memory_free(&memory, other);
	grpc_memory_free(&memory, NULL);
	ck_assert_uint_eq(memory.used, 0);
}
END_TEST

Suite *
grpc_suite(void)
{
	Suite *suite = suite_create("grpc");
	TCase *tcase = tcase_create("grpc");

	tcase_add_loop_test(tcase, message_is_read, 0, COUNT(messages));
	tcase_add_loop_test(
	    tcase, limit_that_comes_along_is_read, 0, COUNT(overrides));
	tcase_add_test(tcase, message_that_is_cut_is_refused);
	tcase_add_test(tcase, longest_response_has_room);
	tcase_add_loop_test(tcase, longest_reflection_has_room, 0, 6);
	tcase_add_loop_test(tcase, timeout_is_read, 0, COUNT(timeouts));
	tcase_add_test(tcase, memory_is_counted_and_bounded);
	suite_add_tcase(suite, tcase);
	return suite;
}
