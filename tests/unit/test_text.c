#include "cli/text.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *bytes, *shown;
} texts[] = {
    {"", ""},
    {"login:* ~ \\", "login:* ~ \\"},
    {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
	"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
    {"\033[31m", "\\x1b[31m"},
    {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
    {"\x7f", "\\x7f"},
    {"\xC2\x9B", "\\xc2\\x9b"},          /* U+009B: CSI */
    {"\xC3", "\\xc3"},                   /* cut */
    {"\xC3\x28", "\\xc3("},              /* not continued */
    {"\xED\xA0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
    {"\xFF\xFE", "\\xff\\xfe"},
};

START_TEST(only_printable_characters_stay)
{
	char shown[200];
	const char *bytes = texts[_i].bytes;

	ck_assert_uint_eq(
	    text_escape(shown, bytes, strlen(bytes)), strlen(texts[_i].shown));
	ck_assert_str_eq(shown, texts[_i].shown);
}
END_TEST

START_TEST(what_is_printed_is_the_same)
{
	char *printed;
	size_t len;
	FILE *file = open_memstream(&printed, &len);

	text_write(file, texts[_i].bytes, strlen(texts[_i].bytes));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_str_eq(printed, texts[_i].shown);
	free(printed);
}
END_TEST

START_TEST(nul_bytes_are_escaped)
{
	char shown[20];

	text_escape(shown, "a\0b", 3);
	ck_assert_str_eq(shown, "a\\x00b");
}
END_TEST

Suite *
text_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("text");

	tcase_add_loop_test(
	    tcase, only_printable_characters_stay, 0, COUNT(texts));
	tcase_add_loop_test(
	    tcase, what_is_printed_is_the_same, 0, COUNT(texts));
	tcase_add_test(tcase, nul_bytes_are_escaped);
	suite_add_tcase(suite, tcase);
	return suite;
}
