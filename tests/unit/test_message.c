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
	enum message_kind kind;
	const char *command, *arguments;
} commands[] = {
    {"", MESSAGE_EMPTY, "", NULL},
    {":", MESSAGE_EMPTY, "", ""},
    {":reload", MESSAGE_EMPTY, "", "reload"},
    {"reload", MESSAGE_RELOAD, "reload", NULL},
    {"reload:immediate", MESSAGE_RELOAD, "reload", "immediate"},
    {"reload:spread:60", MESSAGE_RELOAD, "reload", "spread:60"},
    {"Reload", MESSAGE_UNKNOWN, "Reload", NULL},
    {" reload", MESSAGE_UNKNOWN, " reload", NULL},
    {"reload ", MESSAGE_UNKNOWN, "reload ", NULL},
    {"reloa", MESSAGE_UNKNOWN, "reloa", NULL},
    {"reloads", MESSAGE_UNKNOWN, "reloads", NULL},
    {"ping:a:b", MESSAGE_PING, "ping", "a:b"},
    {"_reload", MESSAGE_INTERNAL, "_reload", NULL},
    {"_", MESSAGE_INTERNAL, "_", NULL},
    {"_:x", MESSAGE_INTERNAL, "_", "x"},
    {"test:x::y", MESSAGE_UNKNOWN, "test", "x::y"},
    {"\xff\xfe", MESSAGE_UNKNOWN, "\xff\xfe", NULL},
};

START_TEST(command_is_what_stands_before_the_first_colon)
{
	size_t len = strlen(commands[_i].text);
	char *text = exactly(commands[_i].text, len);
	struct message message = message_read(text, len);

	ck_assert_int_eq(message.kind, commands[_i].kind);
	check_piece(commands[_i].text, &message.command, commands[_i].command);
	check_piece(
	    commands[_i].text, &message.arguments, commands[_i].arguments);
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
    {"reload:spread:1e400", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e401", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:0e400", RELOAD_SPREAD, 0, false},
    {"reload:spread:1e0", RELOAD_SPREAD, 1000000, false},
    {"reload:spread:1.5E+1", RELOAD_SPREAD, 15000000, false},
    {"reload:spread:25e-2", RELOAD_SPREAD, 250000, false},
    {"reload:spread:19e-7", RELOAD_SPREAD, 1, false},
    {"reload:spread:1.9e-7", RELOAD_SPREAD, 0, false},
    {"reload:spread:.00005e6", RELOAD_SPREAD, 50000000, false},
    {"reload:spread:9223372036854775807", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:e0", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e+-2", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e1e1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1e1.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:99999999999999999999", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:nan", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:inf", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-0", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:-0.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:+1", RELOAD_SPREAD, 1000000, false},
    {"reload:spread:++1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:+", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:0x5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.", RELOAD_SPREAD, 1000000, false},
    {"reload:spread:.5", RELOAD_SPREAD, 500000, false},
    {"reload:spread:.", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.5.5", RELOAD_CONFIGURED, 0, true},
    {"reload:spread:1.00000000x", RELOAD_CONFIGURED, 0, true},
    {"reload:spread: 1\n", RELOAD_SPREAD, 1000000, false},
    {"reload:spread:1 1", RELOAD_CONFIGURED, 0, true},
    {"reload:spread: ", RELOAD_CONFIGURED, 0, true},
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

	ck_assert_int_eq(message.kind, MESSAGE_RELOAD);
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

	ck_assert_int_eq(message.kind, MESSAGE_PING);
	ck_assert_int_eq(message.bad, pings[_i].bad);
	check_piece(pings[_i].text, &message.channel, pings[_i].channel);
	check_piece(pings[_i].text, &message.data, pings[_i].data);
	free(text);
}
END_TEST

START_TEST(message_ends_where_its_length_says)
{
	struct message message = message_read("reload:immediate", 6);

	ck_assert_int_eq(message.kind, MESSAGE_RELOAD);
	ck_assert_int_eq(message.when, RELOAD_CONFIGURED);
	message = message_read("reload:spread:60", 15);
	ck_assert_int_eq(message.spread_us, 6000000);
	message = message_read(NULL, 0);
	ck_assert_int_eq(message.kind, MESSAGE_EMPTY);
}
END_TEST

START_TEST(message_may_hold_any_bytes)
{
	struct message message = message_read("reload\0:x", 9);

	ck_assert_int_eq(message.kind, MESSAGE_UNKNOWN);
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
	    command_is_what_stands_before_the_first_colon, 0, COUNT(commands));
	tcase_add_loop_test(tcase,
	    reload_is_never_lost_by_what_stands_behind_it, 0, COUNT(reloads));
	tcase_add_loop_test(tcase, ping_says_where_to_answer_and_what_to_repeat,
	    0, COUNT(pings));
	tcase_add_test(tcase, message_ends_where_its_length_says);
	tcase_add_test(tcase, message_may_hold_any_bytes);
	suite_add_tcase(suite, tcase);
	return suite;
}
