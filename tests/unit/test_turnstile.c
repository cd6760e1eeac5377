#include "limit/turnstile.h"
#include "suites.h"

#include "base/attr.h"
#include "limit/rules_text.h"

#include <string.h>

/* What each member has, and with what its uri, value and unit may be. */
#define OWN   "\xablimit_class\xb6turnstile.limits:Limit\xa4uuid\xa2u1"
#define URI   "\xa3uri\xa8/a/{x}/b"
#define VALUE "\xa5value\x0a\xa4unit\xa6minute"

#define BYTES(text) text, sizeof(text) - 1

struct member {
	const char *bytes;
	size_t len;
	const char *expected; /* the lines, or the reason */
};

static const struct member fine[] = {
    {BYTES("\x85" OWN URI VALUE),
	"route:u1 path=/a/{x}/b keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x86" OWN URI VALUE "\xa3use\x92\xa1y\xa1x"),
	"route:u1 path=/a/{x}/b keys=u1:$path.x continue=yes\n"
	"u1 match=u1:* capacity=10 rate=10/m\n"},
    {BYTES("\x89" OWN URI VALUE "\xa3use\x90\xa5verbs\x92\xa3get\xa4POST"
	   "\xa7queries\x91\xa1q\xad"
	   "continue_scan\xc2"),
	"route:u1 method=GET,POST path=/a/{x}/b query.q=* keys=u1\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x86" OWN URI VALUE "\xacrequirements\x82\xa1y\xa1z\xa1x\xa7"
	   "[ \\d]\\ "),
	"route:u1 path=~^/a/(?<x>[\\x20\\d]\\x20)/b$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xaf/{x:[0-9]\\{2\\}}" VALUE),
	"route:u1 path=~^/(?<x>[0-9]{2})$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xb7/:a.:(b) \\:x{.ext}/*(r)" VALUE),
	"route:u1 path=~^/(?<a>[^/]+?)\\.(?<b>[^/]+?)\\x20\\:x"
	"(?:\\.(?<ext>[^/.]+?))?"
	"?/(?<r>.+?)$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa7"
	   "/a{b_1}" VALUE),
	"route:u1 path=~^/a(?<b_1>[^/]+?)$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa6"
	   "/{b}-c" VALUE),
	"route:u1 path=~^/(?<b>[^/]+?)-c$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa5"
	   "{b}/c" VALUE),
	"route:u1 path=~^(?<b>[^/]+?)/c$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa5"
	   "a/{b}" VALUE),
	"route:u1 path=~^a/(?<b>[^/]+?)$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa3"
	   "/a}" VALUE),
	"route:u1 path=~^/a\\}$ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa5"
	   "/{a:}" VALUE),
	"route:u1 path=/{a} keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN "\xa3uri\xa5"
	   "/a\\b\\" VALUE),
	"route:u1 path=/a\\b\\ keys=u1 continue=yes\n"
	"u1 match=u1 capacity=10 rate=10/m\n"},
    {BYTES("\x85" OWN URI "\xa5value\xcd\x03\xe8\xa4unit\x25"),
	"route:u1 path=/a/{x}/b keys=u1 continue=yes\n"
	"u1 match=u1 capacity=1000 rate=1000/37s\n"},
    {BYTES("\x85" OWN URI "\xa5value\x01\xa4unit\xa4"
	   "DAYS"),
	"route:u1 path=/a/{x}/b keys=u1 continue=yes\n"
	"u1 match=u1 capacity=1 rate=1/d\n"},
};

START_TEST(a_limit_is_a_route_and_a_limit)
{
	const struct member *member = &fine[_i];
	const struct rules_line line = {member->bytes, member->len};
	struct buf lines = {0};
	struct limit_error why;
	struct reasons reasons;
	struct rules *rules;

	ck_assert(turnstile_is_member(member->bytes, member->len));
	ck_assert_msg(turnstile_write(&lines, member->bytes, member->len,
			  &why) == TURNSTILE_LINES,
	    "%s", why.reason);
	ck_assert_int_eq(buf_add(&lines, "", 1), 0);
	ck_assert_str_eq(buf_data(&lines), member->expected);
	buf_free(&lines);
	rules = rules_from_lines("limits", &line, 1, &reasons);
	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	ck_assert_uint_eq(rules_count(rules), 1);
	ck_assert_uint_eq(rules_routes(rules)->count, 1);
	rules_unref(rules);
}
END_TEST

static const struct member wrong[] = {
    {BYTES("\x80"), "limit_class is missing"},
    {BYTES("\x84" OWN URI "\xa5value\x0a"), "unit is missing"},
    {BYTES("\x85" OWN URI VALUE "x"), "is no MessagePack of Turnstile"},
    {BYTES("\x86" OWN URI VALUE), "is no MessagePack of Turnstile"},
    {BYTES("\x81\x01\x01"), "is no MessagePack of Turnstile"},
    {BYTES("\xdf\xff\xff\xff\xff"), "is no MessagePack of Turnstile"},
    {BYTES("\x81\xa3uri\xdd\xff\xff\xff\xff"),
	"is no MessagePack of Turnstile"},
    {BYTES("\x86" OWN URI VALUE "\xa3uri\xa2/b"), "has twice the field 'uri'"},
    {BYTES("\x86" OWN URI VALUE "\xa2\x1b["), "is no MessagePack"},
    {BYTES("\x86" OWN URI VALUE "\xa2\x1b[\xc0"),
	"has an unknown field '\\x1b['"},
    {BYTES("\x85" OWN "\xa3uri\x01" VALUE), "uri must be a text"},
    {BYTES("\x85" OWN "\xa3uri\xa4/{x"
	   "\\" VALUE),
	"uri"},
    {BYTES("\x85" OWN "\xa3uri\xa2/:" VALUE), "uri"},
    {BYTES("\x85" OWN "\xa3uri\xa4/{-}" VALUE), "uri"},
    {BYTES("\x85" OWN "\xa3uri\xa4/{1}" VALUE), "uri"},
    {BYTES("\x85" OWN "\xa3uri\xa5/{a\0}" VALUE), "uri"},
    {BYTES("\x85" OWN URI "\xa5value\xcb\x7f\xf8\0\0\0\0\0\0\xa4unit\x01"),
	"value must be a whole number"},
    {BYTES("\x85" OWN URI "\xa5value\xff\xa4unit\x01"),
	"capacity must be a whole number"},
    {BYTES("\x85" OWN URI "\xa5value\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
	   "\xa4unit\x01"),
	"capacity must be a whole number"},
    {BYTES("\x85" OWN URI "\xa5value\x01\xa4unit\xa5"
	   "month"),
	"unit must be second, minute, hour, day or a number of seconds"},
    {BYTES("\x85" OWN URI "\xa5value\x01\xa4unit\xa0"), "unit must be"},
    {BYTES("\x85" OWN URI "\xa5value\x01\xa4unit\xff"), "unit must be"},
    {BYTES("\x85" OWN URI "\xa5value\x01\xa4unit\x00"), "rate must be"},
    {BYTES("\x86" OWN URI VALUE "\xa5verbs\xa3GET"),
	"verbs must be a list of texts"},
    {BYTES("\x86" OWN URI VALUE "\xa5verbs\x91\x01"),
	"verbs must be a list of texts"},
    {BYTES("\x86" OWN URI VALUE "\xa5verbs\x91\xa5GET x"),
	"verbs has a text that is empty, or with a blank"},
    {BYTES("\x86" OWN URI VALUE "\xa7queries\x91\xa3q=1"),
	"queries has a text that is empty, or with a blank"},
    {BYTES("\x86" OWN URI VALUE "\xacrequirements\x81\xa1x\xa1("),
	"path, at byte"},
    {BYTES("\x86" OWN URI VALUE "\xacrequirements\x91\xa1x"),
	"requirements must be a map of texts"},
    {BYTES("\x86" OWN URI VALUE "\xad"
	   "continue_scan\x01"),
	"continue_scan must be true or false"},
    {BYTES("\x85" OWN "\xa3uri\xa3/{x" VALUE), "uri, at byte 2: no name"},
    {BYTES("\x85" OWN "\xa3uri\xa4/:(x" VALUE), "uri, at byte 2: no name"},
    {BYTES("\x85" OWN "\xa3uri\xa5/{x }" VALUE), "a name is of A-Z"},
    {BYTES("\x85" OWN "\xa3uri\xa2/:" VALUE), "uri, at byte 2: no name"},
    {BYTES("\x85" OWN "\xa3uri\xa8/{x}/{x}" VALUE), "uri names {x} twice"},
    {BYTES("\x85" OWN "\xa3uri\xa3/\0x" VALUE), "uri has a NUL in it"},
    {BYTES("\x85" OWN "\xa3uri\xa3"
	   "/{}" VALUE),
	"a name is of A-Z"},
    {BYTES("\x85" OWN "\xa3uri\xa5"
	   "/{_-}" VALUE),
	"a name is of A-Z"},
    {BYTES("\x85" OWN "\xa3uri\xd9\x60"
	   "/{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}/"
	   "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}" VALUE),
	"uri names {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa} twice"},
    {BYTES("\x85" OWN "\xa3uri\xd9\xd0"
	   "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}{q}{r}{s}{t}"
	   "{u}{v}{w}{x}{y}{z}{A}{B}{C}{D}{E}{F}{G}{H}{I}{J}{K}{L}{M}{N}"
	   "{O}{P}{Q}{R}{S}{T}{U}{V}{W}{X}{Y}{Z}{aa}{ab}{ac}{ad}{ae}{af}"
	   "{ag}{ah}{ai}{aj}{ak}{al}{am}" VALUE),
	"uri has more than"},
    {BYTES("\x86" OWN "\xa3uri\xa7/a{.ex}" VALUE "\xa3use\x91\xa2"
	   "ex"),
	"use has a name that need not be in the path"},
    {BYTES("\x85\xablimit_class\xb6turnstile.limits:Limit\xa4uuid\xa3u 1" URI
	     VALUE),
	"uuid has a text that is empty, or with a blank"},
    {BYTES("\x85\xablimit_class\xb6turnstile.limits:Limit\xa4uuid\xa3u.1" URI
	     VALUE),
	"a limit's name is 1 to 64 of"},
};

START_TEST(a_mistake_is_told_with_its_member)
{
	const struct rules_line lines[] = {
	    {"login match=login:* capacity=5 recharge=60s", 43},
	    {wrong[_i].bytes, wrong[_i].len}};
	struct reasons reasons;

	ck_assert_ptr_null(rules_from_lines("limits", lines, 2, &reasons));
	ck_assert_msg(
	    strncmp(reasons_first(&reasons), "limits: member 2: ", 18) == 0,
	    "%s", reasons_first(&reasons));
	ck_assert_msg(
	    strstr(reasons_first(&reasons), wrong[_i].expected) != NULL, "%s",
	    reasons_first(&reasons));
}
END_TEST

START_TEST(no_part_of_a_member_is_a_limit)
{
	for (size_t i = 0; i < COUNT(fine); i++)
		for (size_t len = 0; len < fine[i].len; len++) {
			struct buf lines = {0};
			struct limit_error why;

			ck_assert_int_eq(
			    turnstile_write(&lines, fine[i].bytes, len, &why),
			    TURNSTILE_WRONG);
			buf_free(&lines);
		}
}
END_TEST

START_TEST(another_class_is_left_out_and_named)
{
	static const char other[] =
	    "\x83\xablimit_class\xa3x:Y\xa5other\x81\xa1z\x93\x01\xc0\xc3"
	    "\xa5value\xa3"
	    "any";
	const struct rules_line lines[] = {
	    {other, sizeof(other) - 1}, {fine[0].bytes, fine[0].len}};
	struct reasons reasons;
	struct rules *rules =
	    rules_from_lines("limits", lines, COUNT(lines), &reasons);

	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	ck_assert_uint_eq(rules_count(rules), 1);
	ck_assert_str_eq(reasons_first(&reasons),
	    "limits: member 1: is left out, since its limit_class is 'x:Y'");
	rules_unref(rules);
}
END_TEST

START_TEST(too_long_a_member_is_refused)
{
	static char long_one[RULES_LINE_MAX + 2];
	struct rules_line line = {long_one, sizeof(long_one)};
	struct reasons reasons;

	memset(long_one, 0x81, sizeof(long_one));
	ck_assert_ptr_null(rules_from_lines("limits", &line, 1, &reasons));
	ck_assert_str_eq(reasons_first(&reasons),
	    "limits: member 1: is longer than 4096 bytes");
}
END_TEST

Suite *
turnstile_suite(void)
{
	Suite *suite = suite_create("turnstile");
	TCase *tests = tcase_create("turnstile");

	tcase_add_loop_test(
	    tests, a_limit_is_a_route_and_a_limit, 0, (int)COUNT(fine));
	tcase_add_loop_test(
	    tests, a_mistake_is_told_with_its_member, 0, (int)COUNT(wrong));
	tcase_add_test(tests, no_part_of_a_member_is_a_limit);
	tcase_add_test(tests, another_class_is_left_out_and_named);
	tcase_add_test(tests, too_long_a_member_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
