#include "control/message.h"
#include "suites.h"

#include "base/attr.h"

#include <stdlib.h>
#include <string.h>

/* A copy of exactly its length, so that a sanitizer sees a read past it. */
static char *
exactly(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	return copy;
}

static void
check_piece(const char *text, const struct piece *piece, const char *expected)
{
	if (!expected) {
		ck_assert_msg(!piece->bytes, "%s: is there", text);
		return;
	}
	ck_assert_msg(piece->bytes && piece->len == strlen(expected) &&
			  memcmp(piece->bytes, expected, piece->len) == 0,
	    "%s: not %s", text, expected);
}

static const struct {
	const char *text;
	enum command_word word;
	const char *command, *arguments;
} words[] = {
    {"", WORD_NONE, "", NULL},
    {":", WORD_NONE, "", ""},
    {":reload", WORD_NONE, "", "reload"},
    {"reload", WORD_RELOAD, "reload", NULL},
    {"reload:immediate", WORD_RELOAD, "reload", "immediate"},
    {"reload:spread:60", WORD_RELOAD, "reload", "spread:60"},
    {"Reload", WORD_UNKNOWN, "Reload", NULL},
    {" reload", WORD_UNKNOWN, " reload", NULL},
    {"reload ", WORD_UNKNOWN, "reload ", NULL},
    {"reloa", WORD_UNKNOWN, "reloa", NULL},
    {"reloads", WORD_UNKNOWN, "reloads", NULL},
    {"ping:a:b", WORD_PING, "ping", "a:b"},
    {"_reload", WORD_INTERNAL, "_reload", NULL},
    {"_", WORD_INTERNAL, "_", NULL},
    {"_:x", WORD_INTERNAL, "_", "x"},
    {"test:x::y", WORD_UNKNOWN, "test", "x::y"},
    {"\xff\xfe", WORD_UNKNOWN, "\xff\xfe", NULL},
};

START_TEST(command_is_what_stands_before_the_first_colon)
{
	size_t len = strlen(words[_i].text);
	char *text = exactly(words[_i].text, len);
	struct message message = message_read(text, len);

	ck_assert_int_eq(message.word, words[_i].word);
	check_piece(words[_i].text, &message.command, words[_i].command);
	check_piece(words[_i].text, &message.arguments, words[_i].arguments);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	enum reload_when when;
	int64_t spread_us;
	bool bad;
} reloads[] = {
    {"reload", RELOAD_CONFIGURED, 0, false},
    {"reload:", RELOAD_CONFIGURED, 0, false},
    {"reload:immediate", RELOAD_IMMEDIATE, 0, false},
    {"reload:immediate:60", RELOAD_IMMEDIATE, 0, false},
    {"reload:spread:60", RELOAD_SPREAD, 60000000, false},
    {"reload:spread:60.0", RELOAD_SPREAD, 60000000, false},
    {"reload:spread:0", RELOAD_SPREAD, 0, false},
    {"reload:spread:0.25", RELOAD_SPREAD, 250000, false},
    {"reload:spread:0.000001", RELOAD_SPREAD, 1, false},
    {"reload:spread:0.0000019", RELOAD_SPREAD, 1, false},
    {"reload:spread:0.30000000000000004", RELOAD_SPREAD, 300000, false},
    {"reload:spread:86400", RELOAD_SPREAD, INT64_C(86400000000), false},
    {"reload:spread:86400.0", RELOAD_SPREAD, INT64_C(86400000000), false},
    {"reload:spread:86400.000001", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:86401", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e9", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:99999999999999999999", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:nan", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:inf", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-0", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-0.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:+1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:0x5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:.", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.5.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.00000000x", RELOAD_CONFIGURED, 0, true},
    {"reload:spread: 1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:", RELOAD_CONFIGURED, 0, true},
    {"reload:spread", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:60:60", RELOAD_CONFIGURED, 0, true},
    {"reload::60", RELOAD_CONFIGURED, 0, true},
    {"reload:Immediate", RELOAD_CONFIGURED, 0, true},
    {"reload:later", RELOAD_CONFIGURED, 0, true},
};

START_TEST(reload_is_never_lost_by_what_stands_behind_it)
{
	size_t len = strlen(reloads[_i].text);
	char *text = exactly(reloads[_i].text, len);
	struct message message = message_read(text, len);

	ck_assert_int_eq(message.word, WORD_RELOAD);
	ck_assert_int_eq(message.when, reloads[_i].when);
	ck_assert_int_eq(message.spread_us, reloads[_i].spread_us);
	ck_assert_int_eq(message.bad, reloads[_i].bad);
	free(text);
}
END_TEST

static const struct {
	const char *text, *channel, *data;
	bool bad;
} pings[] = {
    {"ping:reply", "reply", NULL, false},
    {"ping:reply:", "reply", NULL, false},
    {"ping:reply:data", "reply", "data", false},
    {"ping:r:\x01\xff", "r", "\x01\xff", false},
    {"ping", NULL, NULL, true},
    {"ping:", "", NULL, true},
    {"ping::data", "", "data", true},
    {"ping:reply:a:b", "reply", "a", true},
    {"ping:reply:a:", "reply", "a", true},
};

START_TEST(ping_says_where_to_answer_and_what_to_repeat)
{
	size_t len = strlen(pings[_i].text);
	char *text = exactly(pings[_i].text, len);
	struct message message = message_read(text, len);

	ck_assert_int_eq(message.word, WORD_PING);
	ck_assert_int_eq(message.bad, pings[_i].bad);
	check_piece(pings[_i].text, &message.channel, pings[_i].channel);
	check_piece(pings[_i].text, &message.data, pings[_i].data);
	free(text);
}
END_TEST

START_TEST(message_ends_where_its_length_says)
{
	struct message message = message_read("reload:immediate", 6);

	ck_assert_int_eq(message.word, WORD_RELOAD);
	ck_assert_int_eq(message.when, RELOAD_CONFIGURED);
	message = message_read("reload:spread:60", 15);
	ck_assert_int_eq(message.spread_us, 6000000);
	message = message_read(NULL, 0);
	ck_assert_int_eq(message.word, WORD_NONE);
}
END_TEST

START_TEST(message_may_hold_any_bytes)
{
	struct message message = message_read("reload\0:x", 9);

	ck_assert_int_eq(message.word, WORD_UNKNOWN);
	ck_assert_uint_eq(message.command.len, 7);
	message = message_read("ping:r:\0", 8);
	ck_assert_uint_eq(message.data.len, 1);
}
END_TEST

Suite *
message_suite(void)
{
	Suite *suite = suite_create("message");
	TCase *tcase = tcase_create("message");

	tcase_add_loop_test(tcase,
	    command_is_what_stands_before_the_first_colon, 0, COUNT(words));
	tcase_add_loop_test(tcase,
	    reload_is_never_lost_by_what_stands_behind_it, 0, COUNT(reloads));
	tcase_add_loop_test(tcase, ping_says_where_to_answer_and_what_to_repeat,
	    0, COUNT(pings));
	tcase_add_test(tcase, message_ends_where_its_length_says);
	tcase_add_test(tcase, message_may_hold_any_bytes);
	suite_add_tcase(suite, tcase);
	return suite;
}
