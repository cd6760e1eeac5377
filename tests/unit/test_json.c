#include "base/attr.h"
#include "suites.h"
#include "cli/fields.h"
#include "cli/json.h"

#include <stdlib.h>
#include <string.h>

static char *written;
static size_t written_len;

static struct json
start(void)
{
	struct json json = {.to = open_memstream(&written, &written_len)};

	ck_assert_ptr_nonnull(json.to);
	return json;
}

static void
check_written(struct json *json, const char *expected)
{
	fclose(json->to);
	ck_assert_str_eq(written, expected);
	free(written);
}

START_TEST(values_stand_in_objects_and_arrays)
{
	struct json json = start();

	json_open(&json, NULL, '{');
	json_int(&json, "a", -1);
	json_open(&json, "b", '[');
	json_close(&json, ']');
	json_open(&json, "c", '[');
	json_text(&json, NULL, "x");
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_raw(&json, NULL, "null");
	json_close(&json, ']');
	json_raw(&json, "d", "1.5");
	json_close(&json, '}');
	json_end(&json);
	json_int(&json, NULL, 2);
	json_end(&json);
	check_written(
	    &json, "{\"a\":-1,\"b\":[],\"c\":[\"x\",{},null],\"d\":1.5}\n2\n");
}
END_TEST

static const struct {
	const char *bytes;
	size_t len; /* 0: all */
	const char *text;
} strings[] = {
    {"", 0, "\"\""}, {"a b", 0, "\"a b\""}, {"\"\\/", 0, "\"\\\"\\\\/\""},
    {"\n\t\x01\x1f\x7f", 0, "\"\\u000a\\u0009\\u0001\\u001f\\u007f\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 0,
	"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\xff"
     "a",
	0, "\"\\ufffda\""},     /* no UTF-8 */
    {"\xc3", 0, "\"\\ufffd\""}, /* cut */
    {"\xe2\x82"
     "a",
	0, "\"\\ufffd\\ufffda\""},
    {"\xc0\x80", 0, "\"\\ufffd\\ufffd\""},            /* overlong */
    {"\xed\xa0\x80", 0, "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
};

START_TEST(strings_are_escaped)
{
	struct json json = start();
	size_t len = strings[_i].len;

	json_bytes(&json, NULL, strings[_i].bytes,
	    len ? len : strlen(strings[_i].bytes));
	check_written(&json, strings[_i].text);
}
END_TEST

START_TEST(numbers_are_told_from_texts)
{
	static const char *const numbers[] = {
	    "0", "-0", "1", "-12", "0.5", "10.250000", "99999999999999999999"};
	static const char *const texts[] = {"", "-", "01", "-01", ".5", "1.",
	    "1.x", "1e5", "0x5", "+1", " 1", "1 ", "nan", "1.2.3"};

	for (size_t i = 0; i < COUNT(numbers); i++)
		ck_assert_msg(json_is_number(numbers[i], strlen(numbers[i])),
		    "%s", numbers[i]);
	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_msg(!json_is_number(texts[i], strlen(texts[i])), "%s",
		    texts[i]);
}
END_TEST

static const struct {
	const char *text, *json;
} fields[] = {
    {"", "{}"},
    {"a=1", "{\"a\":1}"},
    {" a=1  b=x c=0.5 ", "{\"a\":1,\"b\":\"x\",\"c\":0.5}"},
    {"word a=1 word", "{\"a\":1}"},
    {"a= b==", "{\"a\":\"\",\"b\":\"=\"}"},
    {"retry=never limit=-", "{\"retry\":null,\"limit\":null}"},
    {"limit=42 match=42", "{\"limit\":\"42\",\"match\":\"42\"}"},
    {"a=1 match=x a=2 b", "{\"a\":1,\"match\":\"x a=2 b\"}"},
};

START_TEST(fields_are_members)
{
	struct json json = start();

	json_open(&json, NULL, '{');
	fields_write(&json, fields[_i].text);
	json_close(&json, '}');
	check_written(&json, fields[_i].json);
}
END_TEST

Suite *
json_suite(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");

	tcase_add_test(tcase, values_stand_in_objects_and_arrays);
	tcase_add_loop_test(tcase, strings_are_escaped, 0, COUNT(strings));
	tcase_add_test(tcase, numbers_are_told_from_texts);
	tcase_add_loop_test(tcase, fields_are_members, 0, COUNT(fields));
	suite_add_tcase(suite, tcase);
	return suite;
}
