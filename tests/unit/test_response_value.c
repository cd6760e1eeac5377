#include "suites.h"

#include "base/attr.h"
#include "upstream/response_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW   INT64_C(1700000000000000)
#define SHIFT INT64_C(5000000)

static struct buf value;

static void
teardown(void)
{
	buf_free(&value);
}

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static const struct freshness freshness = {
    .received_us = NOW - 10,
    .age_us = 3000000,
    .fresh_until_us = NOW - 20,
    .stale_until_us = NOW + 10,
    .error_until_us = NOW + 20,
    .kept_until_us = NOW + 30,
    .must_validate = true,
    .has_validator = true,
};

static struct stored_response *
response_of(const char *fields, struct part body)
{
	struct stored_response *response = response_new(404, &freshness,
	    (struct headers){fields, strlen(fields)}, part_of(""), body);

	ck_assert_ptr_nonnull(response);
	return response;
}

static struct stored_response *
read_part(struct part part, size_t most)
{
	return response_value_read(part, &(struct response_reading){
					     .selecting = part_of("lang:de\n"),
					     .most = most,
					     .now_us = NOW,
					     .shift_us = SHIFT,
					 });
}

static struct part
written(void)
{
	return (struct part){buf_data(&value), buf_len(&value)};
}

static void
write_body(const char *body, size_t len)
{
	struct stored_response *response = response_of(
	    "Etag: \"a\"\r\nVary: Lang\r\n", (struct part){body, len});

	ck_assert_int_eq(response_value_write(&value, response, SHIFT), 0);
	response_unref(response);
}

static void
check_read(const char *body, size_t len)
{
	struct stored_response *response = read_part(written(), 1 << 20);

	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->status, 404);
	ck_assert_uint_eq(response->body.len, len);
	ck_assert_mem_eq(response->body.bytes, body, len);
	ck_assert_uint_eq(response->fields.len, 23);
	ck_assert_mem_eq(
	    response->fields.bytes, "Etag: \"a\"\r\nVary: Lang\r\n", 23);
	ck_assert_uint_eq(response->selecting.len, 8);
	ck_assert_int_eq(response->freshness.received_us, NOW - 10);
	ck_assert_int_eq(response->freshness.age_us, 3000000);
	ck_assert_int_eq(response->freshness.fresh_until_us, NOW - 20);
	ck_assert_int_eq(response->freshness.stale_until_us, NOW + 10);
	ck_assert_int_eq(response->freshness.error_until_us, NOW + 20);
	ck_assert_int_eq(response->freshness.kept_until_us, NOW + 30);
	ck_assert(response->freshness.must_validate);
	ck_assert(response->freshness.has_validator);
	response_unref(response);
}

START_TEST(value_is_read_as_it_was_written)
{
	write_body("a body", 6);
	check_read("a body", 6);
}
END_TEST

START_TEST(large_value_is_packed)
{
	static char body[100000];

	memset(body, 'x', sizeof(body));
	write_body(body, sizeof(body));
	ck_assert_uint_lt(buf_len(&value), 2000);
	check_read(body, sizeof(body));
}
END_TEST

START_TEST(what_does_not_get_shorter_is_not_packed)
{
	static char body[5000];

	srandom(1);
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)random();
	write_body(body, sizeof(body));
	check_read(body, sizeof(body));
}
END_TEST

/* A few bytes that become many. */
START_TEST(bomb_is_not_unpacked)
{
	static char body[1000000];

	write_body(body, sizeof(body));
	ck_assert_uint_lt(buf_len(&value), 10000);
	ck_assert_ptr_null(read_part(written(), 1000000));
}
END_TEST

START_TEST(every_cut_value_is_none)
{
	write_body("a body", 6);
	for (size_t len = 0; len < buf_len(&value); len++)
		ck_assert_ptr_null(
		    read_part((struct part){buf_data(&value), len}, 100000));
	ck_assert_int_eq(buf_add(&value, "x", 1), 0);
	ck_assert_ptr_null(read_part(written(), 100000));
}
END_TEST

START_TEST(cut_packed_value_is_none)
{
	static char body[5000];

	write_body(body, sizeof(body));
	for (size_t len = 0; len < buf_len(&value); len++)
		ck_assert_ptr_null(
		    read_part((struct part){buf_data(&value), len}, 100000));
}
END_TEST

/* Twelve numbers and bytes. */
static const char *const bad[] = {
    "",
    "hello",
    "dripgate-response 2 200 0 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 199 0 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 600 0 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 -1 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 0 -1 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 0 0 99999999999999999 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 4 0 0 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 -1 0 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 0 99999999999 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 0 0 5\nhello",
    "dripgate-response 1 200 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200  0 0 0 0 0 0 0 0 0 0\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 0 0 0",
    /* fields that are none */
    "dripgate-response 1 200 0 0 0 0 0 0 0 4 0 0\nA: 1",
    "dripgate-response 1 200 0 0 0 0 0 0 0 5 0 0\nA: 1\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 7 0 0\nA: \r1\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 5 0 0\nA:1\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 8 0 0\nA: 1\r\n\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 6 0 0\n: 11\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 9 0 0\nA\x01"
    "B: 12\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 7 0 0\nA: \x01"
    "1\r\n",
    /* fields that would frame the response, and a body that has no frame */
    "dripgate-response 1 200 0 0 0 0 0 0 0 19 0 0\nContent-Length: 5\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 28 0 0\n"
    "Transfer-Encoding: chunked\r\n",
    "dripgate-response 1 200 0 0 0 0 0 0 0 19 0 0\nconnection: close\r\n",
    "dripgate-response 1 204 0 0 0 0 0 0 0 0 5 0\nhello",
    "dripgate-response 1 304 0 0 0 0 0 0 0 0 0 0\n",
};

START_TEST(foreign_value_is_none)
{
	ck_assert_ptr_null(read_part(part_of(bad[_i]), 100000));
}
END_TEST

START_TEST(plain_values_are_read)
{
	static const char *const good[] = {
	    "dripgate-response 1 200 0 0 0 0 0 0 0 0 0 0\n",
	    "dripgate-response 1 200 0 0 -5 0 0 0 3 6 2 0\nA: 1\r\nok",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct stored_response *response =
		    read_part(part_of(good[i]), 100000);

		ck_assert_msg(response != NULL, "%s", good[i]);
		response_unref(response);
	}
}
END_TEST

/* The clock of who stored it is ahead of ours. */
START_TEST(response_of_the_future_came_now)
{
	char text[100];
	struct stored_response *response;

	snprintf(text, sizeof(text),
	    "dripgate-response 1 200 %lld 0 5 6 7 8 0 0 0 0\n",
	    (long long)(NOW + SHIFT + 1000));
	response = read_part(part_of(text), 100000);
	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->freshness.received_us, NOW);
	ck_assert_int_eq(response->freshness.fresh_until_us, NOW + 5);
	ck_assert_int_eq(response->freshness.kept_until_us, NOW + 8);
	response_unref(response);
}
END_TEST

START_TEST(names_of_vary_go_without_their_values)
{
	struct buf again = {0};
	const char *request = "Lang: de\r\nCookie: secret\r\n";

	ck_assert_int_eq(
	    vary_names(&value, part_of("lang:de\ncookie:secret\nx\n")), 0);
	ck_assert_uint_eq(buf_len(&value), 14);
	ck_assert_mem_eq(buf_data(&value), "lang\ncookie\nx\n", 14);
	ck_assert_int_eq(vary_select_names(&again, written(),
			     (struct headers){request, strlen(request)}),
	    0);
	ck_assert_uint_eq(buf_len(&again), 24);
	ck_assert_mem_eq(buf_data(&again), "lang:de\ncookie:secret\nx\n", 24);
	buf_free(&again);
}
END_TEST

Suite *
response_value_suite(void)
{
	Suite *suite = suite_create("response_value");
	TCase *tcase = tcase_create("response_value");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, value_is_read_as_it_was_written);
	tcase_add_test(tcase, large_value_is_packed);
	tcase_add_test(tcase, what_does_not_get_shorter_is_not_packed);
	tcase_add_test(tcase, bomb_is_not_unpacked);
	tcase_add_test(tcase, every_cut_value_is_none);
	tcase_add_test(tcase, cut_packed_value_is_none);
	tcase_add_loop_test(tcase, foreign_value_is_none, 0, COUNT(bad));
	tcase_add_test(tcase, plain_values_are_read);
	tcase_add_test(tcase, response_of_the_future_came_now);
	tcase_add_test(tcase, names_of_vary_go_without_their_values);
	suite_add_tcase(suite, tcase);
	return suite;
}
