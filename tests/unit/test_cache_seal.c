#include "upstream/cache_seal.h"
#include "suites.h"
#include "unit/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD "oooooooooooooooooooooooooooooooo\n"
#define NEW "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n"

static struct key_secrets *secrets;
static struct cache_seal *seal;
static struct buf sealed, opened;

static struct key_secrets *
read_secrets(const char *text)
{
	struct reasons reasons = {0};
	struct key_secrets *read = secrets_of(text, false, &reasons);

	ck_assert_ptr_nonnull(read);
	return read;
}

static void
change_secrets(const char *text)
{
	struct key_secrets *from = read_secrets(text);

	key_secrets_take(secrets, from);
	key_secrets_free(from);
}

static void
set_up(void)
{
	secrets = read_secrets(OLD);
	seal = cache_seal_new(secrets);
	ck_assert_ptr_nonnull(seal);
}

static void
tear_down(void)
{
	cache_seal_free(seal);
	key_secrets_free(secrets);
	buf_free(&sealed);
	buf_free(&opened);
}

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static struct part
seal_text(struct cache_seal *by, const char *about, const char *text)
{
	buf_consume(&sealed, buf_len(&sealed));
	ck_assert_int_eq(
	    cache_seal_add(by, part_of(about), part_of(text), &sealed), 0);
	return (struct part){buf_data(&sealed), buf_len(&sealed)};
}

static bool
opens(struct cache_seal *by, const char *about, struct part text)
{
	buf_consume(&opened, buf_len(&opened));
	return cache_seal_open(by, part_of(about), text, &opened) == 0;
}

static void
check_opened(const char *text)
{
	ck_assert_uint_eq(buf_len(&opened), strlen(text));
	ck_assert_mem_eq(buf_data(&opened), text, strlen(text));
}

START_TEST(sealed_text_shows_nothing_and_is_opened_again)
{
	const char *text = "/a/rather/long/path?of=words&and=more";
	struct part hidden = seal_text(seal, "x", text);

	ck_assert_uint_eq(hidden.len, strlen(text) + CACHE_SEAL_LEN);
	for (size_t i = 0; i + 4 <= strlen(text); i++)
		ck_assert_ptr_null(
		    memmem(hidden.bytes, hidden.len, text + i, 4));
	ck_assert(opens(seal, "x", hidden));
	check_opened(text);
	/* As often as one likes, and behind what is there. */
	ck_assert_int_eq(
	    cache_seal_open(seal, part_of("x"), hidden, &opened), 0);
	ck_assert_uint_eq(buf_len(&opened), 2 * strlen(text));
}
END_TEST

START_TEST(same_text_is_sealed_the_same_and_no_other)
{
	char first[64];
	struct part hidden = seal_text(seal, "x", "/path");
	const size_t len = hidden.len;

	memcpy(first, hidden.bytes, len);
	ck_assert_mem_eq(seal_text(seal, "x", "/path").bytes, first, len);
	ck_assert_mem_ne(seal_text(seal, "y", "/path").bytes, first, len);
	ck_assert_mem_ne(seal_text(seal, "x", "/pati").bytes, first, len);
}
END_TEST

START_TEST(what_was_changed_is_not_opened)
{
	struct part hidden = seal_text(seal, "x", "/path");
	char bytes[64];

	memcpy(bytes, hidden.bytes, hidden.len);
	ck_assert(!opens(seal, "y", hidden));
	for (size_t len = 0; len < hidden.len; len++)
		ck_assert(!opens(seal, "x", (struct part){bytes, len}));
	for (size_t i = 0; i < hidden.len; i++) {
		bytes[i] ^= 1;
		ck_assert(!opens(seal, "x", (struct part){bytes, hidden.len}));
		bytes[i] ^= 1;
	}
	ck_assert(opens(seal, "x", (struct part){bytes, hidden.len}));
}
END_TEST

START_TEST(first_secret_seals_and_each_opens)
{
	char old[64];
	struct part hidden = seal_text(seal, "x", "/path");

	memcpy(old, hidden.bytes, hidden.len);
	hidden.bytes = old;
	change_secrets(NEW OLD);
	ck_assert(opens(seal, "x", hidden));
	check_opened("/path");
	ck_assert_mem_ne(seal_text(seal, "x", "/path").bytes, old, hidden.len);
	change_secrets(OLD NEW);
	ck_assert_mem_eq(seal_text(seal, "x", "/path").bytes, old, hidden.len);
	change_secrets(NEW);
	ck_assert(!opens(seal, "x", hidden));
}
END_TEST

START_TEST(without_secrets_nothing_is_hidden)
{
	struct part hidden = seal_text(NULL, "x", "/path");

	ck_assert_uint_eq(hidden.len, 5);
	ck_assert_mem_eq(hidden.bytes, "/path", 5);
	ck_assert(opens(NULL, "x", hidden));
	check_opened("/path");
}
END_TEST

START_TEST(name_is_a_digest_that_tells_only_who_has_the_secret)
{
	char plain[CACHE_SEAL_NAME_SIZE], name[CACHE_SEAL_NAME_SIZE],
	    again[CACHE_SEAL_NAME_SIZE];

	ck_assert_int_eq(cache_seal_name(NULL, part_of("abc"), plain), 0);
	ck_assert_str_eq(plain,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(cache_seal_name(seal, part_of("abc"), name), 0);
	ck_assert_int_eq(cache_seal_name(seal, part_of("abc"), again), 0);
	ck_assert_str_eq(name, again);
	ck_assert_str_ne(name, plain);
	change_secrets(NEW);
	ck_assert_int_eq(cache_seal_name(seal, part_of("abc"), again), 0);
	ck_assert_str_ne(name, again);
}
END_TEST

Suite *
cache_seal_suite(void)
{
	Suite *suite = suite_create("cache_seal");
	TCase *tcase = tcase_create("seal");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, sealed_text_shows_nothing_and_is_opened_again);
	tcase_add_test(tcase, same_text_is_sealed_the_same_and_no_other);
	tcase_add_test(tcase, what_was_changed_is_not_opened);
	tcase_add_test(tcase, first_secret_seals_and_each_opens);
	tcase_add_test(tcase, without_secrets_nothing_is_hidden);
	tcase_add_test(
	    tcase, name_is_a_digest_that_tells_only_who_has_the_secret);
	suite_add_tcase(suite, tcase);
	return suite;
}
