#include "limit/key.h"
#include "suites.h"

#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *const valid[] = {
    "a", "login:42", "api:10.0.0.7", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "caf\xC3\xA9", "\xC2\xA0", /* U+00A0, the first after the C1 controls */
    "\xDF\xBF",                /* U+07FF */
    "\xE0\xA0\x80",            /* U+0800 */
    "\xED\x9F\xBF",            /* U+D7FF, before the surrogates */
    "\xEE\x80\x80",            /* U+E000, after them */
    "\xEF\xBF\xBF",            /* U+FFFF */
    "\xF0\x90\x80\x80",        /* U+10000 */
    "\xF4\x8F\xBF\xBF",        /* U+10FFFF */
};

static const char *const invalid[] = {
    "",
    " ",
    "a b",
    "a\tb",
    "a\r",
    "a\n",
    "a\x7F",
    "\x1B[31m",
    "\x80",             /* a continuation alone */
    "\xC2",             /* cut short */
    "\xC2\x41",         /* no continuation */
    "\xC2\x80",         /* U+0080, a C1 control */
    "\xC2\x9F",         /* U+009F, the last of them */
    "\xC0\xAF",         /* overlong */
    "\xC1\xBF",         /* overlong */
    "\xE0\x9F\xBF",     /* overlong */
    "\xE2\x82",         /* cut short */
    "\xE2\x82\x41",     /* no continuation */
    "\xED\xA0\x80",     /* a surrogate */
    "\xF0\x8F\xBF\xBF", /* overlong */
    "\xF0\x90\x80",     /* cut short */
    "\xF4\x90\x80\x80", /* above U+10FFFF */
    "\xF5\x80\x80\x80",
    "\xFF",
    "login:\xC3",
};

START_TEST(printable_ascii_and_utf8_are_keys)
{
	ck_assert(key_is_valid(valid[_i], strlen(valid[_i])));
}
END_TEST

START_TEST(all_else_is_not)
{
	ck_assert(!key_is_valid(invalid[_i], strlen(invalid[_i])));
}
END_TEST

START_TEST(nul_is_not_part_of_a_key)
{
	ck_assert(!key_is_valid("a\0b", 3));
}
END_TEST

START_TEST(length_is_1_to_255_bytes)
{
	char text[256];

	memset(text, 'k', sizeof(text));
	ck_assert(!key_is_valid(text, 0));
	ck_assert(key_is_valid(text, 1));
	ck_assert(key_is_valid(text, 255));
	ck_assert(!key_is_valid(text, 256));
}
END_TEST

START_TEST(sequence_cut_by_the_length_is_not_read_on)
{
	ck_assert(!key_is_valid("\xE2\x82\xAC", 2));
	ck_assert(key_is_valid("\xE2\x82\xAC", 3));
}
END_TEST

START_TEST(key_borrows_its_bytes_and_hashes_them)
{
	static const char text[] = "login:42";
	struct key a = key_make(text, 8);
	struct key b = key_make("login:42", 8);
	struct key c = key_make(text, 7);

	ck_assert_ptr_eq(a.bytes, text);
	ck_assert_uint_eq(a.len, 8);
	ck_assert(hash128_equal(a.hash, b.hash));
	ck_assert(a.hash.lo != c.hash.lo && a.hash.hi != c.hash.hi);
}
END_TEST

START_TEST(key_is_shown_as_it_is_or_escaped)
{
	char shown[KEY_SHOWN_MAX], bytes[KEY_MAX];

	ck_assert_str_eq(
	    key_show(shown, "login:\xC3\xA9", 8), "login:\xC3\xA9");
	ck_assert_str_eq(
	    key_show(shown, "a b\0\xff\n", 6), "a b\\x00\\xff\\x0a");
	memset(bytes, 0xff, sizeof(bytes));
	key_show(shown, bytes, sizeof(bytes));
	ck_assert_uint_eq(strlen(shown), 4 * KEY_MAX);
}
END_TEST

/* Keys are looked at in words of eight bytes, and then byte by byte. */
START_TEST(each_byte_counts_wherever_it_is)
{
	char text[20];

	for (size_t at = 0; at < sizeof(text); at++) {
		for (int byte = 0; byte < 256; byte++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)byte;
			ck_assert_int_eq(key_is_text(text, sizeof(text)),
			    byte >= 0x21 && byte <= 0x7E);
			memset(text, 0x21, sizeof(text));
			text[at] = (char)byte;
			ck_assert_int_eq(key_is_text(text, sizeof(text)),
			    byte >= 0x21 && byte <= 0x7E);
		}
	}
}
END_TEST

Suite *
key_suite(void)
{
	Suite *suite = suite_create("key");
	TCase *tcase = tcase_create("key");

	tcase_add_loop_test(
	    tcase, printable_ascii_and_utf8_are_keys, 0, COUNT(valid));
	tcase_add_loop_test(tcase, all_else_is_not, 0, COUNT(invalid));
	tcase_add_test(tcase, nul_is_not_part_of_a_key);
	tcase_add_test(tcase, length_is_1_to_255_bytes);
	tcase_add_test(tcase, sequence_cut_by_the_length_is_not_read_on);
	tcase_add_test(tcase, key_borrows_its_bytes_and_hashes_them);
	tcase_add_test(tcase, key_is_shown_as_it_is_or_escaped);
	tcase_add_test(tcase, each_byte_counts_wherever_it_is);
	suite_add_tcase(suite, tcase);
	return suite;
}
