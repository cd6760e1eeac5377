#include "suites.h"

#include "base/attr.h"
#include "upstream/cache.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct cache *cache;

static void
open_cache(int64_t max_bytes, int64_t max_entries)
{
	cache = cache_new(&(struct cache_options){max_bytes, max_entries});
	ck_assert_ptr_nonnull(cache);
}

static void
teardown(void)
{
	cache_free(cache);
	cache = NULL;
}

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static struct headers
headers_of(const char *text)
{
	return (struct headers){text, strlen(text)};
}

static struct stored_response *
response_of(const char *selecting, const char *body)
{
	static const struct freshness freshness;
	struct stored_response *response = response_new(200, &freshness,
	    headers_of("A: 1\r\n"), part_of(selecting), part_of(body));

	ck_assert_ptr_nonnull(response);
	return response;
}

static void
put(const char *target, const char *selecting, const char *body)
{
	struct stored_response *response = response_of(selecting, body);

	cache_put(cache, part_of(target), response);
	response_unref(response);
}

/* Check what is stored for a request; NULL: nothing. */
static void
check_found(const char *target, const char *request, const char *body)
{
	struct stored_response *found =
	    cache_find(cache, part_of(target), headers_of(request));

	if (!body) {
		ck_assert_ptr_null(found);
		return;
	}
	ck_assert_ptr_nonnull(found);
	ck_assert_uint_eq(found->body.len, strlen(body));
	ck_assert_mem_eq(found->body.bytes, body, found->body.len);
	response_unref(found);
}

static struct cache_stats
stats(void)
{
	struct cache_stats read;

	cache_read_stats(cache, &read);
	return read;
}

START_TEST(stored_response_is_found)
{
	open_cache(1 << 20, 100);
	check_found("/a", "", NULL);
	put("/a", "", "first");
	put("/b", "", "other");
	check_found("/a", "", "first");
	check_found("/a?x", "", NULL);
	put("/a", "", "second");
	check_found("/a", "Accept: x\r\n", "second");
	ck_assert_uint_eq(stats().entries, 2);
	ck_assert_uint_eq(stats().events[CACHE_stored], 3);
	cache_remove(cache, part_of("/a"));
	check_found("/a", "", NULL);
	check_found("/b", "", "other");
	cache_remove(cache, part_of("/b"));
	ck_assert_uint_eq(stats().entries, 0);
	ck_assert_uint_eq(stats().bytes, 0);
}
END_TEST

START_TEST(variants_are_told_apart)
{
	open_cache(1 << 20, 100);
	put("/a", "lang:de\n", "guten Tag");
	put("/a", "lang:en\n", "hello");
	put("/a", "lang\n", "?");
	check_found("/a", "Lang: de\r\n", "guten Tag");
	check_found("/a", "Lang: en\r\n", "hello");
	check_found("/a", "", "?");
	check_found("/a", "Lang: fr\r\n", NULL);
	put("/a", "lang:de\n", "hallo");
	check_found("/a", "Lang: de\r\n", "hallo");
	ck_assert_uint_eq(stats().entries, 3);
	cache_remove(cache, part_of("/a"));
	ck_assert_uint_eq(stats().entries, 0);
}
END_TEST

START_TEST(variants_of_a_target_are_bounded)
{
	char selecting[32];

	open_cache(1 << 20, 1000);
	for (int i = 0; i < 3 * CACHE_VARIANTS_MAX; i++) {
		snprintf(selecting, sizeof(selecting), "n:%d\n", i);
		put("/a", selecting, "x");
	}
	ck_assert_uint_eq(stats().entries, CACHE_VARIANTS_MAX);
	check_found("/a", "N: 47\r\n", "x");
	check_found("/a", "N: 32\r\n", "x");
	check_found("/a", "N: 31\r\n", NULL);
}
END_TEST

START_TEST(least_recently_used_goes_first)
{
	open_cache(1 << 20, 3);
	put("/a", "", "a");
	put("/b", "", "b");
	put("/c", "", "c");
	check_found("/a", "", "a");
	put("/d", "", "d");
	check_found("/b", "", NULL);
	check_found("/a", "", "a");
	check_found("/c", "", "c");
	put("/e", "", "e");
	check_found("/d", "", NULL);
	ck_assert_uint_eq(stats().entries, 3);
	ck_assert_uint_eq(stats().events[CACHE_evicted], 2);
}
END_TEST

START_TEST(bytes_are_bounded)
{
	static char body[10001];
	char target[32];

	memset(body, 'x', sizeof(body) - 1);
	open_cache(65536, 100000);
	for (int i = 0; i < 100; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		put(target, "", body);
		ck_assert_uint_le(stats().bytes, 65536);
	}
	ck_assert_uint_eq(stats().entries, 6);
	check_found("/99", "", body);
	check_found("/93", "", NULL);
}
END_TEST

/* It takes the place of the one before all the same. */
START_TEST(too_large_a_response_is_not_stored)
{
	static char body[70000];

	memset(body, 'x', sizeof(body) - 1);
	open_cache(65536, 100);
	put("/b", "", "b");
	put("/a", "", "a");
	put("/a", "", body);
	check_found("/a", "", NULL);
	check_found("/b", "", "b");
	ck_assert_uint_lt(cache_most(cache), 65536);
}
END_TEST

START_TEST(purge_takes_what_matches)
{
	open_cache(1 << 20, 1000);
	put("/repos/a", "", "1");
	put("/repos/b?x=1", "", "2");
	put("/users/c", "l:1\n", "3");
	put("/users/c", "l:2\n", "4");
	ck_assert_uint_eq(cache_purge(cache, "/repos/*"), 2);
	check_found("/repos/a", "", NULL);
	check_found("/users/c", "L: 1\r\n", "3");
	ck_assert_uint_eq(cache_purge(cache, "/nothing"), 0);
	ck_assert_uint_eq(cache_purge(cache, "*"), 2);
	ck_assert_uint_eq(stats().bytes, 0);
}
END_TEST

START_TEST(response_outlives_its_place)
{
	struct stored_response *held;

	open_cache(1 << 20, 1);
	put("/a", "", "body");
	held = cache_find(cache, part_of("/a"), headers_of(""));
	put("/b", "", "b");
	check_found("/a", "", NULL);
	teardown();
	ck_assert_mem_eq(held->body.bytes, "body", 4);
	ck_assert_uint_eq(held->refs, 1);
	response_unref(held);
}
END_TEST

/* For ThreadSanitizer, and the count of what is held. */
static void *
ask_and_store(void *arg)
{
	const int first = *(int *)arg;
	char target[32];

	for (int i = 0; i < 20000; i++) {
		struct stored_response *found;

		snprintf(target, sizeof(target), "/%d", (first + i * 7) % 97);
		found = cache_find(cache, part_of(target), headers_of(""));
		cache_count(cache, found ? CACHE_hits : CACHE_misses);
		if (found)
			ck_assert_mem_eq(
			    found->body.bytes, target, found->body.len);
		else
			put(target, "", target);
		response_unref(found);
		if (i % 1000 == 0)
			cache_purge(cache, "/1*");
	}
	return NULL;
}

START_TEST(threads_share_it)
{
	pthread_t threads[4];
	int first[4] = {0, 1, 2, 3};

	open_cache(1 << 20, 50);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, ask_and_store, &first[i]),
		    0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(stats().entries, 50);
	ck_assert_uint_eq(
	    stats().events[CACHE_hits] + stats().events[CACHE_misses], 80000);
}
END_TEST

START_TEST(large_cache_is_cut_into_stripes)
{
	char target[32];

	open_cache(INT64_C(1) << 30, 100000);
	for (int i = 0; i < 1000; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		put(target, "", target);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		check_found(target, "", target);
	}
	ck_assert_uint_eq(stats().entries, 1000);
	ck_assert_uint_eq(cache_purge(cache, "/?"), 10);
	ck_assert_uint_ge(cache_most(cache), 16 << 20);
}
END_TEST

/* response.h */

static const struct freshness_rules rules = {
    .most_us = INT64_C(3600000000), .obeys_clients = true};

static struct received
received_of(int status, const char *fields)
{
	return (struct received){.status = status,
	    .fields = headers_of(fields),
	    .sent_us = 1,
	    .received_us = 1};
}

static void
check_fields(struct headers fields, const char *expected)
{
	ck_assert_uint_eq(fields.len, strlen(expected));
	ck_assert_mem_eq(fields.bytes, expected, fields.len);
}

START_TEST(response_is_built_piece_by_piece)
{
	struct received received = received_of(200,
	    "Cache-Control: max-age=60, private=\"X-User\"\r\nbad line\r\n"
	    "X-User: me\r\nConnection: x-hop, close\r\nX-Hop: 1\r\n"
	    "Transfer-Encoding: chunked\r\nContent-Length: 99\r\nAge: 1\r\n"
	    "Keep-Alive: 5\r\nVary: Lang\r\nx-a:   b  \r\nX-Empty:\r\n");
	struct response_builder builder = {0};
	struct freshness freshness = {.age_us = 5};
	struct stored_response *response;

	response_begin(&builder, &freshness, &received,
	    headers_of("Lang: DE , en\r\n"), 1000);
	response_add(&builder, "hello ", 6);
	response_add(&builder, "", 0);
	response_add(&builder, "world", 5);
	response = response_finish(&builder);
	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->status, 200);
	ck_assert_int_eq(response->freshness.age_us, 5);
	check_fields(response->fields,
	    "Cache-Control: max-age=60, private=\"X-User\"\r\nVary: Lang\r\n"
	    "x-a: b\r\nX-Empty: \r\n");
	ck_assert_uint_eq(response->selecting.len, 11);
	ck_assert_mem_eq(response->selecting.bytes, "lang:DE,en\n", 11);
	ck_assert_uint_eq(response->body.len, 11);
	ck_assert_mem_eq(response->body.bytes, "hello world", 11);
	response_unref(response);
}
END_TEST

START_TEST(too_long_a_response_is_given_up)
{
	struct received received = received_of(200, "A: b\r\n");
	struct freshness freshness = {0};
	struct response_builder builder = {0};
	static char body[1000];

	response_begin(&builder, &freshness, &received, headers_of(""), 1000);
	response_add(&builder, body, 500);
	response_add(&builder, body, 500);
	ck_assert(builder.failed);
	ck_assert_ptr_null(builder.body.bytes);
	response_add(&builder, body, 1);
	ck_assert_ptr_null(response_finish(&builder));
	response_abandon(&builder);
}
END_TEST

START_TEST(not_modified_updates_the_fields)
{
	struct received received = received_of(200,
	    "Cache-Control: max-age=2\r\nDate: x\r\nETag: \"a\"\r\n"
	    "Content-Encoding: gzip\r\nTest: 1\r\nStays: 1\r\nVary: L\r\n");
	struct response_builder builder = {0};
	struct freshness freshness = {0};
	struct request_control control;
	struct stored_response *old, *updated;
	struct buf merged = {0};

	response_begin(
	    &builder, &freshness, &received, headers_of("L: 1\r\n"), 1000);
	response_add(&builder, "body", 4);
	old = response_finish(&builder);
	ck_assert_int_eq(response_merge(&merged, old,
			     headers_of("cache-control: max-age=60\r\n"
					"Content-Encoding: br\r\nTest: 2\r\n"
					"Content-Length: 0\r\nAge: 7\r\n"
					"Test: 3\r\nSet-Cookie: a\r\n")),
	    0);
	received.fields = (struct headers){buf_data(&merged), buf_len(&merged)};
	request_control_read(&control, &rules, headers_of(""));
	ck_assert(freshness_of(&freshness, &rules, &control, &received));
	ck_assert_int_eq(freshness.age_us, 7000000);
	ck_assert_int_eq(freshness.fresh_until_us, 53000001);
	updated = response_updated(old, received.fields, &freshness);
	check_fields(updated->fields,
	    "ETag: \"a\"\r\nContent-Encoding: gzip\r\nStays: 1\r\nVary: L\r\n"
	    "cache-control: max-age=60\r\nTest: 2\r\nTest: 3\r\n");
	ck_assert_mem_eq(updated->body.bytes, "body", 4);
	ck_assert_mem_eq(updated->selecting.bytes, "l:1\n", 4);
	response_unref(old);
	response_unref(updated);
	buf_free(&merged);
}
END_TEST

Suite *
cache_suite(void)
{
	Suite *suite = suite_create("cache");
	TCase *tcase = tcase_create("cache");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, stored_response_is_found);
	tcase_add_test(tcase, variants_are_told_apart);
	tcase_add_test(tcase, variants_of_a_target_are_bounded);
	tcase_add_test(tcase, least_recently_used_goes_first);
	tcase_add_test(tcase, bytes_are_bounded);
	tcase_add_test(tcase, too_large_a_response_is_not_stored);
	tcase_add_test(tcase, purge_takes_what_matches);
	tcase_add_test(tcase, response_outlives_its_place);
	tcase_add_test(tcase, threads_share_it);
	tcase_add_test(tcase, large_cache_is_cut_into_stripes);
	tcase_add_test(tcase, response_is_built_piece_by_piece);
	tcase_add_test(tcase, too_long_a_response_is_given_up);
	tcase_add_test(tcase, not_modified_updates_the_fields);
	suite_add_tcase(suite, tcase);
	return suite;
}
